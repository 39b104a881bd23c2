"""The formulas of pictures."""

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from pictures import leaf, titles

from autograd_spiral import grad
from autograd_spiral.drawing import draw


def test_a_raised_sign_is_not_lost_beside_a_dot():
    x = leaf([[1.0, -2.0]], "x")
    formulas = [title for out in ((x - 1) ** 2, np.square(x - 1), (x - 1).T + 1) for title in titles(draw(out))]
    assert [formula for formula in formulas if formula[0] == "("] == ["(·)²", "(·)²", "(·)ᵀ + 1"]
    assert titles(draw(x**2)) == ["x", "x²"]


@pytest.mark.parametrize(
    ("factor", "formula"),
    [
        (2.0, "2 × x"),
        (1 / 300, "x / 300"),
        (0.25, "0.25 × x"),
        (-1 / 300, "−0.003333 × x"),
        (1.234567e-310, "1.235e−310 × x"),
        (np.nan, "nan × x"),
    ],
)
def test_a_number_comes_first_and_its_reciprocal_last(factor, formula):
    x = leaf([1.0, 2.0], "x")
    assert titles(draw(x * factor))[1] == titles(draw(factor * x))[1] == formula


def test_windows_show_their_shape():
    x = leaf([1.0, 2.0, 3.0], "x")
    windows = sliding_window_view(x, 2)
    assert titles(draw(windows))[1] == "windows(x, (2,))"
    ct = leaf(np.ones((2, 2)), "ct")
    assert titles(draw(grad(windows, x, ct, create_graph=True)))[1] == "add_windows(ct)"
