from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_spiral.gradcheck.diagnoses import Evidence, diagnose, diagnose_shape
from autograd_spiral.gradcheck.verdicts import Findings, Slope, Verdict

NUMERIC = np.array([[1.0, -3.0], [0.5, 2.0]])
BOUND = np.full((2, 2), 1e-9)


def found(analytic, numeric=NUMERIC, bound=BOUND, x=None, sampled=False):
    """Findings on the gradient `analytic`: wrong where it differs from `numeric` by more than `bound`."""
    wrong = ~(np.abs(analytic - numeric) <= bound)
    slopes = [
        Slope(Verdict.WRONG if wrong[i] else Verdict.OK, analytic[i], numeric[i], bound[i], index=i)
        for i in np.ndindex(np.shape(analytic))
    ]
    if sampled:
        slopes = [slope for slope in slopes if slope.index != (1, 1)]
    return Findings("x", np.full(np.shape(analytic), np.nan) if x is None else x, 1, analytic, tuple(slopes))


def said(analytic, numeric=NUMERIC, bound=BOUND, sizes=(), x=None, sampled=False, **evidence):
    return diagnose(found(analytic, numeric, bound, x, sampled), sizes, Evidence(**evidence))


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
    assert said(NUMERIC * [[1, 2], [3, 4]]) == "no common factor: off by 100 % to 300 %, 3 of 4 elements"
    assert said(NUMERIC * [[1, 2], [1, 2]]) == "2.00 × too large, 2 of 4 elements: in column 1"
    assert said(np.add(NUMERIC, [[0, 0], [1e-6, 0]])).endswith("1 of 4 elements")


def test_transposed_and_zero_where_it_should_not_be():
    assert said(NUMERIC.T) == "transposed"
    assert said(np.where(NUMERIC > 1, 0, NUMERIC)) == "zero, 1 of 4 elements"
    assert said(NUMERIC + 1, np.zeros((2, 2))) == "nonzero where it should be 0"
    assert said(NUMERIC) == ""


def test_how_far_off_elements_are_that_have_nothing_in_common():
    assert said(NUMERIC * [[1.01, 1.02], [1.03, 1.004]]) == "no common factor: off by 0.4 % to 3 %"
    assert said(NUMERIC * [[1.5, 0.5], [1.5, 1.5]]) == "no common factor: off by 50 %"
    assert said(NUMERIC * [[-1, 5], [1e4, 2]]) == "no common factor: off by 100 % to more than 1000 %"
    assert said(NUMERIC * [[np.pi, 0], [2, 3]]) == "no common factor: off by 100 % to 214 %"
    partly = said(NUMERIC + 1, NUMERIC * [[0, 1], [1, 1]])
    assert partly == "no common factor: off by 33 % to 200 %, and nonzero where it should be 0"
    assert said(NUMERIC * (1 + 1e-8)) == "off by 1e-06 %"
    assert said(BOUND * 4, BOUND * 2) == "nonzero where it should be 0"
    assert said(np.array(0.5e-9), np.array(9e-9), np.array(1e-9)) == "off by up to 9e-09"


def test_constants_that_are_added():
    assert said(NUMERIC + 0.5) == "off by a constant: +0.5"
    assert said(NUMERIC - [[0, 2], [2, 0]]) == "off by a constant: -2, 2 of 4 elements: off the diagonal"
    ct = np.array([0.7, -1.2])
    assert said(NUMERIC + 3 * ct, ct=ct) == "off by a constant times ct: +3"
    assert said(NUMERIC + 3 * ct).startswith("no common factor")


def test_numbers_in_another_order():
    numeric = np.array([[1.0, -3.0, 0.5], [2.0, 7.0, 0.0]])
    bound = np.full((2, 3), 1e-9)
    assert said(numeric[::-1], numeric, bound) == "reversed along axis 0"
    assert said(numeric[:, ::-1], numeric, bound) == "reversed along axis 1"
    assert said(np.roll(numeric, 1, 1), numeric, bound) == "the right numbers in another order"
    assert said(numeric[0, ::-1], numeric[0], bound[0]) == "reversed"
    assert said(np.roll(numeric * [1, 1, 1.1], 1, 1), numeric, bound).startswith("no common factor")
    even = np.full((2, 2), 2e-9)  # an order cannot be told of equal numbers
    assert said(even + 1.5e-9, even) == "nonzero where it should be 0"


def test_gradients_of_other_inputs():
    other = NUMERIC * [[1, 2], [3, 4]]
    assert said(other, others={"w": found(NUMERIC, other)}) == "swapped with the gradient in w"
    assert said(other, others={"w": found(other, other)}) == "equal to the gradient in w"
    assert said(other, others={"w": found(other, other + 1)}).startswith("no common factor")


def test_changes_to_the_rule_that_would_do():
    wrong = NUMERIC * [[1, 2], [3, 4]]
    remedies = {"with y in place of x": wrong, "with out in place of x": NUMERIC}
    assert said(wrong, remedies=remedies) == "right with out in place of x"
    assert said(2 * NUMERIC, remedies=remedies) == "2.00 × too large"


def test_rules_that_are_not_proportional_to_the_cotangent():
    ct = np.array([0.7, -1.2])
    forgotten = NUMERIC / ct
    assert said(forgotten, ct=ct, scaled=forgotten) == "does not depend on the cotangent: multiply by ct"
    assert said(3 * forgotten, ct=ct, scaled=3 * forgotten) == "does not depend on the cotangent"
    assert said(2 * NUMERIC, ct=ct, scaled=2 * NUMERIC) == "does not depend on the cotangent; 2.00 × too large"
    assert said(NUMERIC * ct, ct=ct, scaled=4 * NUMERIC * ct) == "not linear in the cotangent"
    assert said(NUMERIC + 1, ct=ct, scaled=1 - 2 * NUMERIC) == "not linear in the cotangent; off by a constant: +1"
    assert said(forgotten, ct=ct, scaled=-2 * forgotten).startswith("no common factor")
    assert said(forgotten, ct=ct, scaled=np.full((2, 2), np.inf)).startswith("no common factor")
    assert said(forgotten, ct=ct) == "right after multiplying by the cotangent"


def test_where_the_wrong_elements_are():
    x = np.array([[-1.0, 2.0], [-3.0, 0.0]])
    doubled = {"below 0": x < 0, "above 0": x > 0, "0": x == 0, "not above 0": x <= 0, "not below 0": x >= 0}
    for sign, where in doubled.items():
        text = f"2.00 × too large, {where.sum()} of 4 elements: where the input is {sign}"
        assert said(NUMERIC * np.where(where, 2, 1), x=x) == text
    assert said(NUMERIC * [[2, 1], [1, 1]], x=x) == "2.00 × too large, 1 of 4 elements"
    assert said(NUMERIC * 2, x=-np.abs(x)) == "2.00 × too large"
    assert said(NUMERIC * np.where(x < 0, 2, 1), x=x, sampled=True) == "2.00 × too large, at least 2 of 4 elements"


def test_elements_that_are_not_numbers():
    nan, inf, x = np.nan, np.inf, np.array([[0.0, 1.0], [2.0, 3.0]])
    assert said(NUMERIC * [[nan, 1], [1, 1]]) == "nan in 1 of 4 elements"
    assert said(NUMERIC * [[nan, 1], [1, 1]], x=x) == "nan in 1 of 4 elements: where the input is 0"
    assert said(NUMERIC * [[inf, 1], [1, 1]], x=-x) == "inf in 1 of 4 elements: where the input is 0"
    assert said(NUMERIC * [[inf, 1], [nan, 1]]) == "nan or inf in 2 of 4 elements: in column 0"
    assert said(NUMERIC * nan) == "nan in all 4 elements"
    assert said(np.array(nan), np.array(1.0), np.array(1e-9)) == "nan"
    assert said(NUMERIC * [[nan, 2], [2, 2]]) == "nan in 1 of 4 elements; 2.00 × too large, 3 of 4 elements"


def test_the_least_is_said_of_a_single_number():
    for analytic, text in ((3.0, "1.50 × too large"), (np.inf, "inf"), (0.0, "zero: no path from this input")):
        assert said(np.array(analytic), np.array(2.0), np.array(1e-9), x=np.array(-1.0)) == text


def test_shapes():
    assert diagnose_shape((5, 2, 3), (2, 3)).startswith("gradient of a broadcast not summed")
    assert diagnose_shape((3,), ()).startswith("gradient of a broadcast not summed")
    assert diagnose_shape((3, 2), (2, 3)).startswith("transposed")
    assert diagnose_shape((3,), (2, 3)) == "shape (3,) for an input of shape (2, 3)"


# --- multiples of inputs ----------------------------------------------------------------------------------------------

OTHER = np.array([[0.3, -1.1], [2.0, 0.7]])


def by_hand(analytic, numeric=NUMERIC, bound=None, sizes=(), x=OTHER, others=()):
    """What is said of a gradient in W, of this value, without a record."""
    bound = np.full(np.shape(numeric), 1e-9) if bound is None else bound
    findings = replace(found(analytic, numeric, bound, x), name="W")
    return diagnose(findings, sizes, Evidence(terms={"W": x, **dict(others)}))


def test_multiples_of_the_input():
    assert by_hand(NUMERIC - 0.1 * OTHER) == "short by 0.1 × W: is a penalty missing, or too small?"
    assert by_hand(NUMERIC + 0.1 * OTHER).startswith("too large by 0.1 × W: is it a penalty that counts twice")
    assert by_hand(OTHER) == "W itself, not its gradient"
    assert by_hand(0.1 * OTHER) == "0.1 × W and nothing else: is all but a penalty missing?"
    assert by_hand(NUMERIC - 0.1 * OTHER * [[1, 1], [1, 1.001]]).startswith("no common factor")


def test_multiples_of_other_inputs():
    target = {"target": np.array([[1.0, 5.0], [-2.0, 0.5]])}
    assert by_hand(NUMERIC - 2 * target["target"], others=target) == "short by 2 × target"
    assert by_hand(NUMERIC + 2 * target["target"], others=target) == "too large by 2 × target"
    assert by_hand(target["target"], others=target) == "equal to target, not to a gradient"


@pytest.mark.parametrize(
    ("factor", "says"),
    [
        (5, "5 × too large: missing factor of 1/N, N = 5"),
        (1 / 5, "5 × too small: missing factor of N = 5"),
        (2, "2.00 × too large"),
        (-1, "sign flipped"),
    ],
)
def test_a_factor_beside_a_penalty(factor, says):
    numeric = np.array([[1.0, -3.0, 0.5], [2.0, 0.1, -0.4]])
    x = np.array([[0.3, 0.9, -1.0], [2.0, -0.6, 0.2]])
    wrong = factor * (numeric - 0.1 * x) + 0.1 * x
    assert by_hand(wrong, numeric, sizes={5}, x=x) == f"apart from 0.1 × W: {says}"
    assert by_hand(wrong + 0.01 * x**2, numeric, sizes={5}, x=x).startswith("no common factor")


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 4))
def test_what_is_said_of_random_numbers_is_how_far_off_they_are(seed, rows, columns):
    analytic, numeric, x, other = np.random.default_rng(seed).standard_normal((4, rows + 1, columns + 1))
    assert by_hand(analytic, numeric, sizes={2, 3, 4, 5}, x=x, others={"y": other}).startswith("no common factor")


# --- places -----------------------------------------------------------------------------------------------------------

PLACES = {
    "in row 1": lambda i, j: i == 1,
    "in column 3": lambda i, j: j == 3,
    "in rows 0, 4": lambda i, j: i % 4 == 0,
    "at the border": lambda i, j: (i % 4 == 0) | (j % 3 == 0),
    "on the diagonal": lambda i, j: i == j,
    "off the diagonal": lambda i, j: i != j,
    "above the diagonal": lambda i, j: i < j,
    "below the diagonal": lambda i, j: i > j,
}


@pytest.mark.parametrize("place", PLACES)
def test_where_in_a_matrix_the_wrong_elements_are(place):
    chosen = PLACES[place](*np.indices((5, 4)))
    numeric = np.random.default_rng(0).uniform(1, 2, (5, 4))
    text = said(numeric * (1 + chosen), numeric, np.full((5, 4), 1e-9))
    assert text == f"2.00 × too large, {chosen.sum()} of 20 elements: {place}"


def test_where_in_other_arrays_the_wrong_elements_are():
    numeric = np.random.default_rng(0).uniform(1, 2, 6)
    bound = np.full(6, 1e-9)
    ends = np.array([2, 1, 1, 1, 1, 2])
    assert said(numeric * ends, numeric, bound).endswith("2 of 6 elements: at the border")
    assert said(numeric * [1, 2, 2, 1, 1, 1], numeric, bound).endswith("2 of 6 elements: at 1, 2")
    assert said(numeric * [1, 2, 1, 1, 1, 1], numeric, bound).endswith("1 of 6 elements")
    cube = np.random.default_rng(0).uniform(1, 2, (3, 2, 4))
    last = said(cube * [1, 1, 1, 2], cube, np.full(cube.shape, 1e-9))
    assert last.endswith("6 of 24 elements: at 3 of axis 2")
    repeated = np.array([True, False, False, True, False, True])
    text = said(numeric * (1 + repeated), numeric, bound, repeated=repeated)
    assert text.endswith("3 of 6 elements: where an index is repeated")


def test_what_is_reshaped_is_not_transposed():
    right = np.arange(1.0, 7).reshape(2, 3)
    bound = np.full((2, 3), 1e-9)
    for wrong in (right.reshape(3, 2).T, right.T.reshape(2, 3)):
        assert said(wrong, right, bound) == "reshaped where it should be transposed"
