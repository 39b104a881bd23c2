"""Right gradients get the verdict ok or noise, never wrong, however difficult their functions are."""

import functools

import numpy as np
import pytest
from checks import checked, checked_alone
from hypothesis import given, settings
from hypothesis import strategies as st
from right_gradients import RIGHT

from autograd_spiral import logsumexp, softmax, softmax_cross_entropy

CASES = [(name, dtype) for name, (_, _, dtypes) in RIGHT.items() for dtype in dtypes]
few = settings(max_examples=8)


@functools.cache
def report_of(name, dtype):
    function, inputs, _ = RIGHT[name]
    return checked(function, *(np.array(x, dtype) for x in inputs))


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_a_right_gradient_is_never_wrong(name, dtype):
    report = report_of(name, dtype)
    assert report.ok is not False, str(report)


@np.errstate(all="ignore")
@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_nor_by_differences_alone(name, dtype):
    function, inputs, _ = RIGHT[name]
    report = checked_alone(function, *(np.array(x, dtype) for x in inputs))
    assert report.ok is not False, str(report)


@np.errstate(all="ignore")
@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_nor_by_differences_alone_if_it_is_given_as_arrays(name, dtype):
    function, inputs, _ = RIGHT[name]
    report = checked_alone(function, *(np.array(x, dtype) for x in inputs), as_arrays=True)
    assert report.ok is not False, str(report)


def test_few_right_gradients_are_lost_in_noise():
    undecided = [case for case in CASES if report_of(*case).ok is None]
    assert len(CASES) >= 200
    assert len(undecided) <= len(CASES) / 10


# --- properties: whole kinds of them --------------------------------------------------------------------------------

CHECKS = [checked, np.errstate(all="ignore")(checked_alone)]
DTYPES = st.sampled_from(["float64", "float32", "float16"])


@few
@given(st.floats(0, 16), st.floats(-3, 6), st.booleans())
def test_waves_of_any_frequency(frequency, place, whole):
    x = 10.0 ** np.array([place, place + 0.1])
    x = np.round(x) if whole else x
    turns = round(10**frequency) if whole else 10**frequency
    for check in CHECKS:
        assert check(lambda t: np.sin(2 * np.pi * turns * t), x).ok is not False


@few
@given(st.floats(-3, 12), st.floats(-6, 3))
def test_bumps_of_any_width_anywhere(place, width):
    centre, width = 10**place, 10**width
    x = centre + width * np.array([0.0, 1.0, -2.0])
    for check in CHECKS:
        assert check(lambda t: np.exp(-(((t - centre) / width) ** 2)), x).ok is not False


@few
@given(DTYPES, st.floats(-330, 0), st.integers(2, 4))
def test_powers_that_underflow(dtype, size, power):
    x = np.array([1, 3], dtype) * np.asarray(10.0**size, dtype)
    for check in CHECKS:
        assert check(lambda x: np.sum(np.prod(np.stack([x] * power), axis=0)), x).ok is not False


@few
@given(DTYPES, st.floats(0, 4), st.sampled_from(["max", "entropy", "sum", "loss"]))
def test_saturated_softmaxes(dtype, size, name):
    scores = (10**size * np.array([0.1, -0.3, 1.0])).astype(dtype)
    function = {
        "max": lambda s: 1 - np.max(softmax(s)),
        "entropy": lambda s: np.sum(softmax(s) * (logsumexp(s) - s)),
        "sum": lambda s: np.sum(softmax(s) ** 2),
        "loss": lambda s: softmax_cross_entropy(np.reshape(s, (1, 3)), np.array([2])),
    }[name]
    for check in CHECKS:
        assert check(function, scores).ok is not False


@few
@given(DTYPES, st.floats(0, 25))
def test_sums_that_absorb_a_term(dtype, size):
    large = np.asarray(min(10**size, float(np.finfo(dtype).max) / 4), dtype)
    for check in CHECKS:
        assert check(lambda x: np.sum((x * x + large) - large), np.array([1.0, 0.3], dtype)).ok is not False


@few
@given(DTYPES, st.floats(-17, -1), st.sampled_from([np.arccos, np.arcsin, np.arctanh]))
def test_borders_of_domains(dtype, distance, function):
    x = np.array([1 - 10**distance, 10**distance - 1]).astype(dtype)
    for check in CHECKS:
        assert check(function, x).ok is not False


@few
@given(st.floats(17, 60), st.floats(-3, 3), st.sampled_from([np.sin, np.tanh, lambda x: np.exp(x - x * x)]))
def test_terms_that_are_absorbed(steepness, place, function):
    centre, steep = 10**place, 10 ** (steepness - place)
    x = centre * np.array([1.0, 3.0, 0.5])

    def absorbing(x):
        return 2 * x + function(steep * (x - centre)) / steep

    for as_arrays in (False, True):
        assert checked_alone(absorbing, x, as_arrays=as_arrays).ok is not False
        assert checked_alone(absorbing, x, as_arrays=as_arrays, factor=1.3).ok is False


@few
@given(st.floats(0, 16))
def test_deviations_anywhere(place):
    for check in CHECKS:
        assert check(np.std, 10**place + np.array([0.0, 1.0, 2.0])).ok is not False


def test_a_tiny_slope_among_large_ones():
    rng = np.random.default_rng(0)
    scales = 10.0 ** rng.uniform(-8, 8, 12)
    assert checked(lambda x: np.tanh(x) * scales, rng.standard_normal(12)).ok is True
