"""Plain NumPy: functions that cannot be recorded, or only in part."""

import math

import numpy as np
import pytest
from checks import checked_alone, normal, only, plain

from autograd_spiral import Tensor, primitive
from autograd_spiral.errors import ShapeError
from autograd_spiral.gradcheck import check_against
from autograd_spiral.gradcheck.verdicts import Verdict

X = np.array([[0.5, -1.5, 2.0], [1.25, 0.75, -0.25]])


def in_place(x):
    squares = np.zeros(x.shape)
    squares[...] = x * x
    squares[x < 0] = 0
    return squares.sum()


def in_a_loop(x):
    total = 0.0
    for value in np.nditer(x):
        total += math.exp(value)
    return total


def branching(x):
    if np.asarray(x).sum() > 0:
        return float(np.sum(x**3))
    return 0.0


def elsewhere(x):
    x = np.asarray(x)
    return np.linalg.eigvalsh(x @ x.T).sum() + np.interp(x, [-9, 9], [-3, 3]).sum()


def of_lists(x):
    return sum(value * value for row in x.tolist() for value in row)


PLAIN = {
    in_place: lambda x: np.where(x > 0, 2 * x, 0),
    in_a_loop: np.exp,
    branching: lambda x: 3 * x**2,
    elsewhere: lambda x: 2 * x + 1 / 3,
    of_lists: lambda x: 2 * x,
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("function", PLAIN, ids=lambda function: function.__name__)
def test_what_cannot_be_recorded_is_judged_by_differences_alone(function, dtype):
    x = X.astype(dtype)
    report = check_against(function, lambda x: np.asarray(PLAIN[function](x), x.dtype), x)
    assert report.verdict == "ok"
    assert report.method.startswith(f"judged by finite differences only: {function.__name__} could not be recorded (")
    assert str(report).splitlines()[-1] == report.method
    wrong = np.asarray(PLAIN[function](x) * [[1, 1, 1], [1.01, 1, 1]], dtype)
    row = only(check_against(function, wrong, x, raise_on_mismatch=False))
    assert row.verdict is Verdict.WRONG
    assert row.worst.index == (1, 0)
    assert row.diagnosis == "1 % too large, 1 of 6 elements"


def test_the_engine_judges_what_it_can_record():
    report = check_against(lambda x: np.sum(x * x), 2 * X, X)
    assert report.method == "judged by the engine's gradients, which finite differences confirm"


def test_a_part_that_is_not_recorded_is_seen_by_differences():
    def half_recorded(W):
        return np.sum(np.sin(W)) + 0.05 * float(np.sum(W * W))

    right = np.cos(X) + 0.1 * X
    report = check_against(half_recorded, right, X)
    assert report.ok
    assert "what was recorded is not all of the function" in report.method
    row = only(check_against(half_recorded, np.cos(X), X, raise_on_mismatch=False))
    assert row.diagnosis == "short by 0.1 × W: is a penalty missing, or too small?"


def test_kinks_everywhere_hide_no_part_that_is_not_recorded():
    def at_kinks(W):
        return np.sum(np.abs(W)) + 0.05 * float(np.sum((W - 1) ** 2))

    W = np.zeros((5, 4))
    row = only(check_against(at_kinks, np.full(W.shape, 1.05), W, raise_on_mismatch=False))
    assert row.counts == {Verdict.WRONG: 20}
    assert check_against(at_kinks, np.full(W.shape, -0.1), W).ok


def test_a_wrong_rule_within_is_no_reference():
    @primitive(lambda ct, out, x: ct * x)
    def square(x):
        return x * x

    assert check_against(lambda x: np.sum(square(x)), 2 * X, X).ok
    assert not check_against(lambda x: np.sum(square(x)), X, X, raise_on_mismatch=False).ok


@pytest.mark.parametrize("off", [1e-4, 1])
def test_large_inputs_of_plain_functions_are_checked_along_directions(off):
    x = normal(70, 60)
    gradient = np.where(x > 0, 2 * x, 0)
    assert check_against(in_place, gradient, x).rows[0].judged == "directions"
    gradient[17, 5] += off
    row = only(check_against(in_place, gradient, x, raise_on_mismatch=False))
    assert row.worst.index == (17, 5)


def test_gradients_that_differ_between_calls_or_overwrite_are_named():
    rng = np.random.default_rng()
    row = only(check_against(in_place, lambda x: rng.standard_normal(x.shape), X, raise_on_mismatch=False))
    assert (row.verdict, row.diagnosis) == (
        Verdict.NOT_DETERMINISTIC,
        "two calls of the gradients returned different values",
    )

    def overwriting(x):
        x *= 2
        return x

    row = only(check_against(in_place, overwriting, X, raise_on_mismatch=False))
    assert (row.verdict, row.diagnosis) == (
        Verdict.OVERWRITTEN,
        "the function that computes the gradients writes into this input",
    )


def test_a_plain_function_that_overwrites_its_input_is_named():
    def overwriting(x):
        x[x < 0] = 0
        return np.sum(x * x)

    x = X.copy()
    row = only(check_against(overwriting, np.where(X > 0, 2 * X, 0), x, raise_on_mismatch=False))
    assert (row.verdict, row.diagnosis) == (Verdict.OVERWRITTEN, "the function writes into this input")
    assert np.array_equal(x, X)


def test_what_a_plain_function_raises_is_raised():
    with pytest.raises(ZeroDivisionError):
        check_against(lambda x: np.sum(x) * (1 / 0), X, X)


def test_kinks_of_plain_functions_pass_with_either_slope():
    def hinge(x):
        kept = x.copy()
        kept[kept < 0] = 0
        return kept.sum()

    x = np.array([-1.0, 0.0, 2.0])
    for slope in (0.0, 0.5, 1.0):
        assert only(check_against(hinge, np.array([0.0, slope, 1.0]), x)).counts[Verdict.KINK] == 1
    assert not check_against(hinge, np.array([0.0, 1.5, 1.0]), x, raise_on_mismatch=False).ok


def test_a_jacobian_is_that_of_all_outputs():
    matrix = normal(4, 3)

    def affine(x):
        out = matrix @ x
        out += 1
        return out

    for function in (affine, lambda x: matrix @ x):
        assert check_against(function, matrix, np.ones(3)).ok
        wrong = matrix + (np.arange(12) == 7).reshape(4, 3)
        row = only(check_against(function, wrong, np.ones(3), raise_on_mismatch=False))
        assert [i for i, bad in enumerate(row.wrong) if bad] == [1]


def test_tensors_are_taken_as_the_arrays_that_they_hold():
    report = check_against(in_place, Tensor(PLAIN[in_place](X)), Tensor(X, name="given"))
    assert report.rows[0].name == "given"
    assert report.ok


def test_rounding_of_float32_gradients_is_no_fault():
    x = np.float32(normal(200))

    def spread(x):
        centred = x - x.mean()
        centred **= 2
        return np.sqrt(centred.mean())

    def by_hand(x):
        centred = x - x.mean()
        return centred / (len(x) * np.sqrt((centred**2).mean()))

    assert check_against(spread, by_hand, x).ok is True
    assert not check_against(spread, lambda x: by_hand(x) * np.float32(1.01), x, raise_on_mismatch=False).ok


def test_a_value_before_too_few_gradients_is_not_counted_as_one():
    def loss(w, x, scale):
        return np.sum(np.sin(w * x) * scale), np.cos(w * x) * x * scale, np.cos(w * x) * w * scale

    with pytest.raises(ShapeError, match=r"2 gradients but 3 floating inputs \(w, x, scale\): give None"):
        check_against(loss, True, np.ones(2), np.ones(2), 0.5)


# --- values that are rounded inside of the function, where no record shows it -----------------------------------------

ROUNDED = {
    "absorbed": lambda x: (x + 1e12) - 1e12,
    "saturated": lambda x: 1 - 1 / (1 + np.exp(-30 * x)),
    "to three digits": lambda x: np.round(x * x, 3),
    "cancelled": lambda x: (1 - np.cos(1e-6 * x)) / (1e-6 * x) ** 2,
}


@pytest.mark.parametrize("name", ROUNDED)
def test_values_that_move_in_jumps_are_noise_and_the_report_says_so(name):
    x = np.array([1.0, 1.2, 1.25])
    right = {"absorbed": 1 + 0 * x, "saturated": -30 * np.exp(-30 * x), "to three digits": 2 * x, "cancelled": 0 * x}
    row = only(check_against(plain(lambda x: np.sum(ROUNDED[name](x))), right[name], x))
    assert row.verdict is Verdict.NOISE
    assert "the values move in jumps" in row.diagnosis


def test_a_slope_that_shows_in_steps_of_many_jumps_is_known():
    x = np.array([0.5, 0.6])  # 1 - sigmoid(15) is 3e-7, and rounded to 1e-16
    right = -30 * np.exp(-30 * x) / (1 + np.exp(-30 * x)) ** 2
    function = plain(lambda x: np.sum(ROUNDED["saturated"](x)))
    assert check_against(function, right, x).ok is not False
    row = only(check_against(function, 1.3 * right, x, raise_on_mismatch=False))
    assert row.diagnosis == "1.30 × too large"


@pytest.mark.parametrize("slope", [1.0, 0.5, -3.0])
def test_nothing_moves_on_one_side_of_a_relu(slope):
    """Where values stand still, a slope that is not there is wrong, though the values move farther out."""

    def shrunk(x):
        return np.sum(np.maximum(np.asarray(x) - 2, 0) - np.maximum(-np.asarray(x) - 2, 0))

    for function in (lambda x: np.sum(np.maximum(np.asarray(x) - 2, 0)), shrunk):
        row = only(check_against(function, np.array([slope, 1.0]), np.array([0.5, 3.0]), raise_on_mismatch=False))
        assert row.wrong.tolist() == [True, False]


def test_float32_values_that_float64_changes_leave_slopes_open():
    def entropy(x):
        p = np.exp(x - x.max()) / np.sum(np.exp(x - x.max()))
        return -np.sum(p * np.log(p))

    def by_hand(x):
        p = np.exp(x - x.max()) / np.sum(np.exp(x - x.max()))
        return -p * (np.log(p) - np.sum(p * np.log(p)))

    x = np.array([0, 1, 20], np.float32)
    row = only(check_against(plain(entropy), by_hand, x))
    assert row.diagnosis.startswith("float64 changes the values by 5.2 %")
    assert not check_against(plain(entropy), lambda x: -by_hand(x), x, raise_on_mismatch=False).ok


@pytest.mark.parametrize("factor", [0.0, 0.9, -1.0])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_wrong_gradients_of_smooth_functions_are_no_noise(dtype, factor):
    x = X.astype(dtype)
    for function in (np.sin, lambda x: x**3, lambda x: np.exp(x) @ np.ones((3, 2), x.dtype)):
        assert checked_alone(function, x).ok is True
        assert checked_alone(function, x, factor=factor).ok is False


def test_functions_that_are_not_analytic_hide_no_wrong_gradient():
    x = np.array([0.5, 1e-20, 2.0])
    for function, seen, right in [
        (lambda x: np.sum(x + np.abs(x)), 1 + 0 * x, 2 + 0 * x),  # complex steps show this slope of each
        (lambda x: np.sum(x + np.real(x) ** 2), 1 + 0 * x, 1 + 2 * x),
        (lambda x: np.sum(x + np.array(x, float)), 1 + 0 * x, 2 + 0 * x),
        (lambda x: np.sum(x * np.conj(x) + x), 1 + 0 * x, 1 + 2 * x),
    ]:
        with np.errstate(all="ignore"):
            assert check_against(plain(function), right, x).ok is not False
            row = only(check_against(plain(function), seen, x, raise_on_mismatch=False))
        assert row.wrong[[0, 2]].all()
