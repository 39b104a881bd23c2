"""Inputs of many elements."""

import numpy as np
from checks import X, checked, normal, only, squares_with, wrong_log

from autograd_spiral import primitive
from autograd_spiral.gradcheck.verdicts import Verdict


def test_one_wrong_element_in_ten_thousand_is_found():
    for size, at, factor in ((100, (37, 81), 2.0), (32, (0, 0), -1.0), (32, (31, 5), 1.01)):
        x = normal(size, size)
        spoil = np.ones(x.shape)
        spoil[at] = factor
        row = only(checked(squares_with(lambda right, spoil=spoil: right * spoil), x))
        assert row.verdict is Verdict.WRONG
        assert row.worst.index == at
        assert row.counts[Verdict.WRONG] == 1
        assert f"1 of {x.size} elements" in row.diagnosis
    assert only(checked(lambda x: x * x, x)).judged == "directions"


def test_a_wrong_element_is_found_among_many_outputs_whose_small_kinks_could_add_up_to_it():
    for size, off in ((5000, 1e-3), (5000, 1e-5), (20000, 1e-6)):
        x = normal(size)
        spoil = np.where(np.arange(x.size) == 666, 1 + off, 1)
        row = only(checked(squares_with(lambda right, spoil=spoil: right * spoil), x))
        assert row.worst.index == (666,)
        assert row.counts[Verdict.WRONG] == 1


def test_directions_can_be_asked_for_and_failures_are_diagnosed():
    report = checked(squares_with(lambda right: 2 * right), X, directions=2)
    assert only(report).diagnosis == "2.00 × too large"
    assert only(checked(squares_with(lambda right: right), X, directions=2)).counts == {Verdict.OK: 2}


def test_a_wrong_element_is_found_among_kinks():
    x = normal(1100)
    x[[3, 700]] = 0
    spoil = np.ones(x.shape)
    spoil[1024] = 1.5  # its index is no multiple of three

    @primitive(lambda ct, out, x: ct * np.sign(x) * spoil)
    def size(x):
        return np.absolute(x)

    x[1024] = 0.8
    row = only(checked(lambda x: np.sum(size(x)), x))
    assert row.worst.index == (1024,)
    assert checked(lambda x: np.sum(np.absolute(x)), x, order=2).ok is True
    x[::3] = 0
    assert only(checked(lambda x: np.sum(size(x)), x)).worst.index == (1024,)
    assert checked(lambda x: np.sum(np.absolute(x) * spoil), x, order=2).ok is True


def test_many_elements_are_judged_beside_outputs_that_are_not_finite():
    x = np.append(np.linspace(1, 2, 2000), [-1.0, np.nan])
    assert only(checked(np.log, x)).counts == {Verdict.OK: 3}
    assert (
        only(checked(np.log, x)).diagnosis
        == "checked with the remaining outputs only: the function is nan at (2000,), (2001,)"
    )
    assert checked(wrong_log, x).ok is False
