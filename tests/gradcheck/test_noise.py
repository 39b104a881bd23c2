"""Noise that is measured on the values of a function."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_spiral.gradcheck.judging.noise import measured_noise

EPS, NONE = 2.0**-52, np.zeros(1)


def noise_of(function, known=NONE):
    return measured_noise(lambda t: np.atleast_1d(np.asarray(function(1 + t), float)), EPS, known)[0][0]


@settings(max_examples=10)
@given(st.floats(-2, 11), st.floats(0, 6))
def test_a_smooth_function_has_the_noise_of_its_rounding_however_quick_it_is(speed, phase):
    quickness = 10**speed
    assert noise_of(lambda x: np.sin(quickness * x + phase)) <= 20 * EPS * max(1, quickness)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("terms", [1, 300])
def test_a_hidden_dtype_is_noise(dtype, terms):
    places = np.linspace(0.3, 1.4, terms)
    spacing = float(np.finfo(dtype).eps)
    measured = noise_of(lambda x: np.sum(np.sin((x * places).astype(dtype)).astype(float)))
    if dtype == "float16":  # its steps are wider than the windows
        assert measured <= spacing * terms
    else:
        assert spacing / 30 < measured < spacing * terms


def test_what_is_known_is_not_sought_in_smaller_windows():
    calls = []

    def noisy(x):
        calls.append(x)
        return np.float32(np.sin(x))

    noise_of(noisy, np.ones(1))
    few = len(calls)
    noise_of(noisy)
    assert few == 28 < len(calls) - few


def test_the_first_windows_come_back():
    _, steps, values = measured_noise(lambda t: np.array([3 * t]), EPS, np.ones(1))
    assert np.allclose(values[:, 0], 3 * steps)
    assert np.min(np.abs(steps)) > 0
