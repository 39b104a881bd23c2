"""Verdicts, and everything else that is computed from the record of what was found."""

import pickle

import numpy as np
import pytest

from autograd_spiral import check_gradients
from autograd_spiral.gradcheck.verdicts import Findings, Slope, Verdict

GRADIENT = np.array([[1.0, 2.0], [3.0, 4.0]])


def findings(*slopes, **how):
    return Findings("x", np.zeros((2, 2)), gradient=GRADIENT, slopes=slopes, **how)


def slope(verdict, off, index, bound=1e-9):
    """A slope that differs from the numeric one by `off`."""
    return Slope(verdict, GRADIENT[index], GRADIENT[index] - off, bound, index=index)


def test_the_worst_element_is_a_failing_one_measured_by_its_bound():
    near = slope(Verdict.WRONG, 1e-3, (0, 0), bound=1e-9)
    far = slope(Verdict.WRONG, 1.0, (0, 1), bound=0.1)
    noisy = slope(Verdict.NOISE, 100.0, (1, 0), bound=200.0)
    assert findings(far, near, noisy).worst is near
    lost = Slope(Verdict.NAN, np.nan, 1.0, 1e-9, index=(1, 1))
    assert findings(near, lost).worst is lost


def test_the_worst_element_is_on_a_kink_only_if_all_that_were_judged_are():
    kink, ok = slope(Verdict.KINK, 0.5, (0, 0)), slope(Verdict.OK, 1e-10, (0, 1))
    unjudged = slope(Verdict.UNJUDGED, np.inf, (1, 0))
    assert findings(kink, ok, unjudged).worst is ok
    assert findings(kink, unjudged).worst is kink
    assert findings(unjudged).worst is None
    assert findings(fault=Verdict.OVERWRITTEN).worst is None


def test_arrays_have_the_shape_of_the_input_and_leave_out_what_was_not_judged():
    record = findings(slope(Verdict.WRONG, 0.5, (0, 1)), slope(Verdict.UNJUDGED, 0.5, (1, 0)))
    np.testing.assert_array_equal(record.analytic, GRADIENT)
    np.testing.assert_array_equal(record.numeric, [[np.nan, 1.5], [np.nan, np.nan]])
    np.testing.assert_array_equal(record.bound, [[np.nan, 1e-9], [np.nan, np.nan]])
    np.testing.assert_array_equal(record.wrong, [[False, True], [False, False]])


def test_slopes_of_elements_overrule_those_of_the_same_elements_and_of_all_directions():
    first, second = slope(Verdict.WRONG, 1.0, (0, 0)), slope(Verdict.OK, 0.0, (0, 1))
    instead = slope(Verdict.KINK, 0.5, (0, 0))
    assert findings(first, second).overruled([instead]).slopes == (instead, second)
    along = Slope(Verdict.OK, 1.0, 1.0, 1e-9)
    assert findings(along, along).overruled([first]).slopes == (first,)
    assert findings(first, second).overruled([]).slopes == (first, second)


@pytest.mark.parametrize("size", [0, 1, 6])
def test_a_fault_is_counted_for_every_element_and_at_least_once(size):
    record = Findings("x", np.zeros(size), fault=Verdict.WRONG_SHAPE)
    assert record.counts == {Verdict.WRONG_SHAPE: max(size, 1)}
    assert record.verdict is Verdict.WRONG_SHAPE


def test_errors_are_relative_to_the_derivative_or_a_thousandth_of_its_natural_size():
    assert Slope(Verdict.OK, 2.0, 1.0, 0.5).error == 0.5
    assert Slope(Verdict.OK, 2.0, 1.0, 0.5).error_bound == 0.25
    assert Slope(Verdict.OK, 2.0, 1.0, 0.5, natural=1e4).error == 0.1
    assert Slope(Verdict.OK, 0.0, 0.0, 0.5).error_bound == 0.5
    assert np.isnan(Slope(Verdict.WRONG, np.inf, 1.0, 0.5).error)
    assert Slope(Verdict.WRONG, np.inf, 1.0, 0.5).error_bound == np.inf


def test_a_report_of_many_elements_reads_in_one_glance_and_equals_its_copies():
    first, second = (check_gradients(np.tanh, np.linspace(0.1, 1, 100).reshape(10, 10)) for _ in range(2))
    assert len(repr(first)) < 600
    assert "counts=Counter({<Verdict.OK: 'ok'>: 100})" in repr(first.rows[0])
    assert first == second == pickle.loads(pickle.dumps(first))
    assert first != check_gradients(np.tanh, np.linspace(0.1, 2, 100).reshape(10, 10))
    assert first.rows[0] != "a row"
