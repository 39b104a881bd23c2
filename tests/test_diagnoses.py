import numpy as np
import pytest

from autograd_spiral.gradcheck.diagnoses import diagnose, diagnose_shape

NUMERIC = np.array([[1.0, -3.0], [0.5, 2.0]])
BOUND = np.full((2, 2), 1e-9)


def said(analytic, numeric=NUMERIC, bound=BOUND, sizes=()):
    return diagnose(analytic, numeric, bound, ~(np.abs(analytic - numeric) <= bound), sizes)


@pytest.mark.parametrize(
    ("factor", "text"),
    [
        (2, "2.00 × too large"),
        (0.5, "2.00 × too small"),
        (-1, "sign flipped"),
        (1.01, "1 % too large"),
        (0.999, "0.1 % too small"),
        (-0.5, "sign flipped and 2.00 × too small"),
        (7, "7 × too large: missing factor of 1/N, N = 7"),
        (1 / 7, "7 × too small: missing factor of N = 7"),
        (0, "zero: no path from this input"),
    ],
)
def test_common_factors_are_named(factor, text):
    assert said(factor * NUMERIC, sizes={2, 7}) == text


def test_one_factor_has_to_fit_all_wrong_elements():
    assert said(NUMERIC * [[1, 2], [3, 4]]) == "3 of 4 elements"
    assert said(NUMERIC * [[1, 2], [1, 2]]) == "2.00 × too large, 2 of 4 elements"
    assert said(np.add(NUMERIC, [[0, 0], [1e-6, 0]])).endswith("1 of 4 elements")


def test_transposed_and_zero_where_it_should_not_be():
    assert said(NUMERIC.T) == "transposed"
    assert said(np.where(NUMERIC > 1, 0, NUMERIC)) == "zero, 1 of 4 elements"
    assert said(NUMERIC + 1, np.zeros((2, 2))) == "not 0, where it should be"
    assert said(NUMERIC) == ""


def test_shapes():
    assert diagnose_shape((5, 2, 3), (2, 3)).startswith("gradient of a broadcast not summed")
    assert diagnose_shape((3,), ()).startswith("gradient of a broadcast not summed")
    assert diagnose_shape((3, 2), (2, 3)).startswith("transposed")
    assert diagnose_shape((3,), (2, 3)) == "shape (3,) for an input of shape (2, 3)"
