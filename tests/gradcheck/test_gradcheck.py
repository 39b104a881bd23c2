import json

import numpy as np
import pytest

from autograd_spiral import Tensor, capture, primitive, relu, softmax_cross_entropy
from autograd_spiral.errors import AutogradError, GradientMismatch, ShapeError
from autograd_spiral.gradcheck import check_against, check_gradients
from autograd_spiral.gradcheck.function import CheckedFunction
from autograd_spiral.gradcheck.results import Verdict
from autograd_spiral.spiral import by_hand
from autograd_spiral.spiral.data import spiral
from autograd_spiral.spiral.models import LinearClassifier, TwoLayerNet

RNG = np.random.default_rng(5)
X = RNG.standard_normal((4, 3))


def squares_with(vjp):
    """A primitive with the value x² and the rule `vjp`, which gets the right derivative to spoil."""

    @primitive(lambda ct, out, x: vjp(ct * 2 * x))
    def squares(x):
        return x * x

    return squares


def checked(function, *inputs, **how):
    return check_gradients(function, *inputs, raise_on_mismatch=False, **how)


def only(report):
    (row,) = report.rows
    return row


# --- planted faults -------------------------------------------------------------------------------------------------

FAULTS = {
    "2.00 × too large": lambda right: 2 * right,
    "2.00 × too small": lambda right: right / 2,
    "sign flipped": lambda right: -right,
    "1 % too large": lambda right: 1.01 * right,
    "0.1 % too large": lambda right: 1.001 * right,
    "0.1 % too small": lambda right: 0.999 * right,
    "sign flipped and 2.50 × too large": lambda right: -2.5 * right,
    "zero: no path from this input": lambda right: 0 * right,
}


def declared(body, *vjps):
    return primitive(*vjps)(body)


def square(x):
    return x * x


def product(x, y):
    return x * y


def of_x(ct, out, x, y):
    return ct * x


def of_y(ct, out, x, y):
    return ct * y


MIXED = np.array([1.0, -2.0, 3.0, 0.5, -0.25])
UNPATTERNED = [
    (square, lambda ct, out, x: 2 * x, "does not depend on the cotangent: multiply by ct"),
    (square, lambda ct, out, x: 3 * x, "does not depend on the cotangent"),
    (square, lambda ct, out, x: ct * ct * 2 * x, "not linear in the cotangent"),
    (square, lambda ct, out, x: np.absolute(ct) * 2 * x, "not linear in the cotangent; sign flipped, 2 of 5 elements"),
    (square, lambda ct, out, x: ct * 2 * x + 1, "not linear in the cotangent; off by a constant: +1"),
    (square, lambda ct, out, x: ct * (2 * x - 1), "off by a constant times ct: -1"),
    (np.exp, lambda ct, out, x: ct * x, "right with out in place of x"),
    (np.tanh, lambda ct, out, x: ct * (1 - x * x), "right with out in place of x"),
    (np.sin, lambda ct, out, x: ct * np.cos(out), "right with x in place of out"),
    (np.tanh, lambda ct, out, x: ct * (1 - out), "no common factor: off by 32 % to more than 1000 %"),
    (square, lambda ct, out, x: (ct * 2 * x)[::-1], "reversed"),
    (square, lambda ct, out, x: np.roll(ct * 2 * x, 1), "the right numbers in another order"),
    (
        square,
        lambda ct, out, x: ct * np.where(x > 0, 2 * x, x),
        "2.00 × too small, 2 of 5 elements: where the input is below 0",
    ),
    (
        square,
        lambda ct, out, x: ct * np.where(x > 0, 2 * x, np.exp(x)),
        "no common factor: off by 103 % to 256 %, 2 of 5 elements: where the input is below 0",
    ),
    (
        square,
        lambda ct, out, x: ct * np.where(x > 0, 2 * x, np.nan),
        "nan in 2 of 5 elements: where the input is below 0",
    ),
    (square, lambda ct, out, x: ct * np.where(x == 3, np.nan, 2 * x), "nan in 1 of 5 elements"),
]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("body", "vjp", "diagnosis"), UNPATTERNED)
def test_a_rule_that_is_off_by_no_factor_is_described(body, vjp, diagnosis, dtype):
    report = checked(declared(lambda x: body(x), vjp), MIXED.astype(dtype))
    assert report.ok is False
    assert only(report).diagnosis == diagnosis
    assert str(report).splitlines()[2].endswith(f"  {diagnosis}")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_rules_of_the_wrong_argument_are_named(dtype):
    x, y = RNG.standard_normal((2, 4, 3)).astype(dtype)
    for vjps, says in (
        ((of_x, of_y), ["swapped with the gradient in input 1", "swapped with the gradient in input 0"]),
        ((of_x, of_x), ["equal to the gradient in input 1", ""]),
    ):
        assert [row.diagnosis for row in checked(declared(product, *vjps), x, y).rows] == says
    broadcast = checked(declared(product, of_x, of_y), x, y[0])
    assert [row.diagnosis for row in broadcast.rows] == [
        "right with the rule for argument 1",
        "right with the rule for argument 0",
    ]
    hand = check_against(lambda x, y: np.sum(x * y), [x, y], x, y, raise_on_mismatch=False)
    assert hand.rows[1].diagnosis == "swapped with the gradient in input 0"


def test_one_rule_of_two_with_a_parameter_can_be_mended():
    @primitive(lambda ct, out, x, y, power: ct * power * y ** (power - 1), None)
    def raised(x, y, power=3):
        return x**power + y

    row = checked(lambda x, y: raised(x, y, power=2), X, X + 0.3 * X * X).rows[0]
    assert row.diagnosis == "right with x in place of y"


def test_a_forgotten_cotangent_is_named_wherever_it_is_forgotten():
    forgetful = declared(square, lambda ct, out, x: 2 * x)
    says = "does not depend on the cotangent"
    assert only(checked(lambda x: np.sum(forgetful(x), axis=1), X)).diagnosis == says
    assert only(checked(lambda x: 3 * forgetful(x), X)).diagnosis == says
    assert only(checked(lambda x: (forgetful(x), x), X)).diagnosis == "not linear in the cotangent"
    assert only(checked(lambda x: forgetful(x) + x, X)).diagnosis == "not linear in the cotangent"
    assert only(checked(forgetful, np.array(3.0), cotangent=0.5)).diagnosis == f"{says}: multiply by ct"
    large = only(checked(forgetful, RNG.standard_normal((50, 40))))
    assert large.diagnosis == f"{says}: multiply by ct"
    hand = check_against(square, 2 * X, X, raise_on_mismatch=False)
    assert only(hand).diagnosis == "right after multiplying by the cotangent"


def test_a_cotangent_that_is_forgotten_at_second_order_is_named():
    @primitive(lambda ct, out, x: ct * once(x))
    def cube(x):
        return x**3

    once = declared(lambda x: 3 * x * x, lambda ct, out, x: 6 * x)
    assert [row.diagnosis for row in checked(cube, X, order=2).rows] == ["", "does not depend on the cotangent"]


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("inputs", [(MIXED,), (X, X + 1), (X, X[0]), (np.array(2.0), np.array(-1.0)), (np.zeros(3),)])
def test_nothing_is_said_of_right_rules(inputs, order):
    function = declared(product, of_y, of_x) if len(inputs) == 2 else declared(square, lambda ct, out, x: ct * 2 * x)
    report = check_gradients(function, *inputs, order=order)
    assert [row.diagnosis for row in report.rows] == [""] * (order * len(inputs))


BENT = {
    "does not depend on the cotangent: multiply by ct": lambda ct, out, x: 2 * x,
    "not linear in the cotangent": lambda ct, out, x: ct * ct * 2 * x,
}


@pytest.mark.parametrize("words", BENT)
@pytest.mark.parametrize("size", [1, 5, 1200])
def test_a_rule_that_is_right_for_a_cotangent_of_1_alone_is_found(words, size):
    x = RNG.standard_normal(size)
    row = only(checked(lambda x: np.sum(declared(square, BENT[words])(x)), x))
    assert row.verdict is Verdict.WRONG
    assert row.diagnosis.startswith(words)
    assert row.worst.analytic == pytest.approx(row.worst.numeric)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("diagnosis", FAULTS)
def test_a_rule_that_is_off_by_a_factor_is_named(diagnosis, dtype):
    row = only(checked(squares_with(FAULTS[diagnosis]), X.astype(dtype)))
    assert row.verdict is Verdict.WRONG
    assert row.diagnosis == diagnosis
    assert row.counts == {Verdict.WRONG: X.size}


@pytest.mark.parametrize("diagnosis", FAULTS)
def test_hand_gradients_off_by_a_factor_are_named(diagnosis):
    report = check_against(lambda x: np.sum(x * x), FAULTS[diagnosis](2 * X), X, raise_on_mismatch=False)
    assert only(report).diagnosis == diagnosis


def test_a_missing_mean_is_named():
    x = RNG.standard_normal((300, 2))
    row = only(checked(lambda x: np.sum(squares_with(lambda right: 300 * right)(x)), x))
    assert row.diagnosis == "300 × too large: missing factor of 1/N, N = 300"
    row = only(check_against(lambda x: np.sum(x * x), 2 * x / 300, x, raise_on_mismatch=False))
    assert row.diagnosis == "300 × too small: missing factor of N = 300"


def test_a_missing_mean_over_data_that_the_function_holds_is_named():
    data, W = RNG.standard_normal((300, 2)), RNG.standard_normal((2, 3))
    labels = RNG.integers(0, 3, 300)

    def loss(W):
        return softmax_cross_entropy(data @ W, labels)

    right = by_hand.linear_gradients(data, labels, W, np.zeros((1, 3)), 0.0)[1][0]
    row = only(check_against(loss, 300 * right, W, raise_on_mismatch=False))
    assert row.diagnosis == "300 × too large: missing factor of 1/N, N = 300"


@pytest.mark.parametrize("check", ["rule", "hand"])
def test_a_transposed_gradient_is_named(check):
    x = RNG.standard_normal((4, 4))
    if check == "rule":
        row = only(checked(squares_with(lambda right: np.swapaxes(right, 0, 1)), x, cotangent=np.ones((4, 4))))
    else:
        row = only(check_against(lambda x: np.sum(x * x), 2 * x.T, x, raise_on_mismatch=False))
    assert row.diagnosis == "transposed"


def test_a_transpose_that_a_rule_forgot_is_named():
    @primitive(lambda ct, out, x, y: ct @ y, lambda ct, out, x, y: x @ ct)
    def product(x, y):
        return x @ y

    x, y = RNG.standard_normal((2, 3, 3))
    diagnoses = [row.diagnosis for row in checked(product, x, y).rows]
    assert diagnoses == ["right with y transposed", "right with x transposed"]


def test_hand_gradients_of_the_wrong_shape_are_named():
    b, data = np.zeros((1, 3)), X
    unsummed = only(check_against(lambda b: np.sum(data * b), data, b, raise_on_mismatch=False))
    assert unsummed.verdict is Verdict.WRONG_SHAPE
    assert unsummed.diagnosis == "gradient of a broadcast not summed: shape (4, 3) for an input of shape (1, 3)"
    turned = only(check_against(lambda x: np.sum(x * x), 2 * X.T, X, raise_on_mismatch=False))
    assert turned.diagnosis == "transposed: shape (3, 4) for an input of shape (4, 3)"
    other = only(check_against(lambda x: np.sum(x * x), np.ones(7), X, raise_on_mismatch=False))
    assert other.diagnosis == "shape (7,) for an input of shape (4, 3)"


def test_a_double_gradient_for_a_single_input_is_named():
    row = only(check_against(lambda x: np.sum(x * x), 2 * X, X.astype(np.float32), raise_on_mismatch=False))
    assert row.verdict is Verdict.WRONG_DTYPE
    assert row.diagnosis == "a float64 gradient for a float32 input"


@pytest.mark.parametrize(("slope", "reported"), [(2e-7, 1e-7), (1e-7, 2e-7), (3e-9, 2e-9)])
def test_tiny_slopes_are_told_apart(slope, reported):
    @primitive(lambda ct, out, x: ct * reported)
    def tilted(x):
        return 1 + slope * x

    row = only(checked(tilted, X))
    assert row.counts == {Verdict.WRONG: X.size}
    assert checked(lambda x: 1 + slope * x, X).ok


def test_one_wrong_element_in_ten_thousand_is_found():
    x = RNG.standard_normal((100, 100))
    for at, factor in (((37, 81), 2.0), ((0, 0), -1.0), ((99, 5), 1.01)):
        spoil = np.ones(x.shape)
        spoil[at] = factor
        row = only(checked(squares_with(lambda right, spoil=spoil: right * spoil), x))
        assert row.verdict is Verdict.WRONG
        assert row.worst.index == at
        assert row.counts[Verdict.WRONG] == 1
        assert "1 of 10000 elements" in row.diagnosis
    assert only(checked(lambda x: x * x, x)).judged == "directions"


def test_directions_can_be_asked_for_and_failures_are_diagnosed():
    report = checked(squares_with(lambda right: 2 * right), X, directions=2)
    assert only(report).diagnosis == "2.00 × too large"
    assert only(checked(squares_with(lambda right: right), X, directions=2)).counts == {Verdict.OK: 2}


# --- what is right --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    ("function", "kinks"),
    [
        (relu, 1),
        (np.absolute, 1),
        (lambda x: np.maximum(x, x), 0),
        (lambda x: np.maximum(x, 0), 1),
        (lambda x: np.minimum(x, 0), 1),
        (lambda x: np.where(x > 0, x, 3 * x), 1),
        (lambda x: np.where(x >= 0, x, 3 * x), 1),
        (lambda x: relu(2 * x - 1) + relu(x), 2),
        (lambda x: np.sum(np.absolute(x - 0.5)), 1),
        (lambda x: np.maximum(2 * x, 1), 1),
    ],
    ids=str,
)
def test_kinks_are_never_wrong(function, kinks, dtype, order):
    x = np.array([0.0, 0.5, -1.25, 2.0, 1e-3, -1e-5], dtype)
    for row in checked(function, x, order=order).rows:
        assert row.verdict in (Verdict.OK, Verdict.KINK)
        assert row.order == 2 or row.counts.get(Verdict.KINK, 0) == kinks
        assert not row.counts.get(Verdict.NOISE)


def test_a_slope_outside_of_a_kink_is_wrong():
    @primitive(lambda ct, out, x: ct * np.where(x == 0, 1.5, x > 0))
    def rectified(x):
        return np.maximum(x, 0)

    row = only(checked(rectified, np.array([0.0, 1.0, -1.0])))
    assert row.worst.index == (0,)
    assert row.counts[Verdict.WRONG] == 1


def test_a_middling_slope_near_a_kink_but_not_on_it_is_wrong():
    @primitive(lambda ct, out, x: ct * 0.5 * (x > -1))
    def rectified(x):
        return np.maximum(x, 0)

    row = only(checked(rectified, np.array([1e-4, 1e-7, -1e-6, 0.0, 1.0])))
    assert row.counts == {Verdict.WRONG: 4, Verdict.KINK: 1}


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.sum(np.exp(x)) / 300,
        lambda x: np.mean(x, axis=0) * 1e-4 + 1,
        lambda x: np.tanh(8 * x),
        lambda x: (x - np.mean(x)) / np.std(x),
        lambda x: np.log(np.sum(np.exp(x - 20))),
        lambda x: softmax_cross_entropy(30 * x, np.zeros(len(x), int)),
        lambda x: np.sin(50 * x),
        lambda x: (1 + x) ** 2 - 2 * x - 1,
        lambda x: np.sum(x) - np.sum(x * (1 - 1e-3)),
    ],
)
def test_right_functions_in_float32_are_ok(function):
    for seed in range(3):
        x = np.random.default_rng(seed).standard_normal((20, 3)).astype(np.float32)
        assert checked(function, x).ok is True


HARD = {
    "cancellation": lambda x, w: (x * w + 1e4) - 1e4,
    "cancellation of long sums": lambda x, w: np.sum(np.tile(x * w, 500)) - np.sum(np.tile(x, 500)),
    "a cone": lambda x, w: np.sqrt(np.absolute(x) + np.absolute(w)),
    "a cusp of order 2": lambda x, w: np.absolute(x) ** (2 + w * w),
    "masked": lambda x, w: np.clip(x * w, -0.5, 0.5),
    "two layers": lambda x, w: np.sum(relu(relu(x * w) @ x.mT - 0.3)),
    "normalised": lambda x, w: (x - np.mean(x, axis=1, keepdims=True)) / np.sqrt(np.var(x) + 1e-5) * w,
    "saturated": lambda x, w: softmax_cross_entropy(100 * x * w, np.arange(5) % 3),
    "maxima": lambda x, w: np.max(x * w, axis=1),
}


@pytest.mark.parametrize("directions", [None, 2])
@pytest.mark.parametrize("name", HARD)
def test_hard_functions_that_are_right_are_ok(name, directions):
    for seed, places in ((0, 1), (1, 5)):
        rng = np.random.default_rng(seed)
        x, w = rng.standard_normal((2, 5, 3)).round(places)
        x[0] = w[1] = 0
        assert checked(HARD[name], x, w, order=2, directions=directions).ok is True
        single = (a.astype(np.float32) for a in (x, w))
        assert checked(HARD[name], *single, directions=directions).ok is True


def test_a_wrong_element_is_found_among_kinks():
    x = RNG.standard_normal(2000)
    x[[3, 700]] = 0
    spoil = np.ones(x.shape)
    spoil[1234] = 1.5  # its index is no multiple of three

    @primitive(lambda ct, out, x: ct * np.sign(x) * spoil)
    def size(x):
        return np.absolute(x)

    x[1234] = 0.8
    row = only(checked(lambda x: np.sum(size(x)), x))
    assert row.worst.index == (1234,)
    assert checked(lambda x: np.sum(np.absolute(x)), x, order=2).ok is True
    x[::3] = 0
    assert only(checked(lambda x: np.sum(size(x)), x)).worst.index == (1234,)
    assert checked(lambda x: np.sum(np.absolute(x) * spoil), x, order=2).ok is True


def test_a_function_that_insists_on_float32_is_checked_there():
    def rounding(x):
        return np.tanh(x.astype(np.float32)).astype(np.float64) * 3

    assert checked(rounding, X, cotangent=np.ones(X.shape)).ok is not False
    assert checked(lambda x: np.tanh(x.astype(np.float32)), X.astype(np.float32)).ok
    wrong = squares_with(lambda right: 1.2 * right)
    row = only(checked(lambda x: wrong(x.astype(np.float32)), X.astype(np.float32)))
    assert row.diagnosis.startswith("1.20 × too large")


def test_rounding_that_the_record_does_not_show_is_measured():
    @primitive(lambda ct, out, x: ct * np.cos(x))
    def coarse(x):  # what is recorded is float64
        return np.asarray(np.sin(np.asarray(x, np.float32)), np.float64)

    for seed in range(5):
        assert checked(coarse, np.random.default_rng(seed).uniform(0.1, 1.4, 9)).ok is not False


def test_most_noise_is_undecided_and_raises_nothing():
    def steep(x):
        return np.sqrt(x)

    report = check_gradients(steep, np.zeros(3))
    assert report.ok is None
    assert report.verdict == "undecided"
    assert only(report).counts == {Verdict.NOISE: 3}


def test_what_cannot_be_differentiated_is_refused():
    calls = []

    @capture
    def step(x):
        calls.append(x)
        return np.sum(x * x)

    for check in (lambda f: check_gradients(f, X), lambda f: check_against(f, 2 * X, X)):
        with pytest.raises(
            TypeError, match=r"the captured step step returns tensors without a graph.*pass step\.eager"
        ):
            check(step)
        with pytest.raises(TypeError, match=r"takes a function, as in \w+\(np\.sin, x\), not 'sin'"):
            check("sin")
    assert not calls
    assert check_gradients(step.eager, X).ok is True


def test_an_argument_without_a_rule_is_a_constant():
    @primitive(lambda ct, out, x, mask: ct * mask / np.sum(mask), None)
    def masked_mean(x, mask):
        assert not isinstance(mask, Tensor)
        return np.sum(x * mask) / np.sum(mask)

    mask = np.array([1.0, 0.5, 2.0])
    for given in (mask, Tensor(mask)):
        report = checked(masked_mean, RNG.standard_normal(3), given, order=2)
        assert report.ok is True
        assert [(row.name, row.order) for row in report.rows] == [("input 0", 1), ("input 0", 2)]
    assert checked(lambda x, mask: masked_mean(x, mask), mask, mask).ok is False

    @primitive(None)
    def flat(x):
        return x * x

    assert only(checked(flat, X)).diagnosis == "zero: no path from this input"


# --- outputs that are not finite --------------------------------------------------------------------------------------


@primitive(lambda ct, out, x: 999 * ct)
def wrong_log(x):
    return np.log(x)


def test_elements_are_judged_beside_outputs_that_are_not_finite():
    x = np.array([0.5, -1.0, 2.0])
    for order in (1, 2):
        for row in checked(np.log, x, order=order).rows:
            assert row.counts == {Verdict.OK: 2, Verdict.UNJUDGED: 1}
            assert row.diagnosis == "1 of 3 elements not judged: the function is nan at (1,)"
    assert only(checked(np.exp, np.array([1.0, np.nan]))).counts == {Verdict.OK: 1, Verdict.UNJUDGED: 1}
    assert only(checked(np.log, np.array([0.0, 1.0]))).diagnosis.endswith("not judged: the function is inf at (0,)")
    row = only(checked(wrong_log, x))
    assert row.counts == {Verdict.WRONG: 2, Verdict.UNJUDGED: 1}
    with pytest.raises(GradientMismatch):
        check_gradients(wrong_log, x)


def test_an_output_that_is_not_finite_spoils_no_input_that_leads_to_others_too():
    a, b = np.array([[1.0, np.nan], [2.0, 3.0]]), np.ones((2, 2))
    report = checked(lambda a, b: b @ a, a, b, order=2)
    assert report.ok is True
    report = checked(lambda a, b: (a[0] * b, np.log(-np.exp(b))), a, np.ones(2))
    assert all("output 1 is nan everywhere" in row.diagnosis for row in report.rows)
    assert only(checked(lambda x: np.concatenate([np.log(x[:1]), x * x]), np.array([-1.0, 2.0]))).diagnosis == (
        "checked with the remaining outputs only: the function is nan at (0,)"
    )


@pytest.mark.parametrize("x", [np.array([-1.0, -2.0]), -np.ones(2000)])
@pytest.mark.parametrize("function", [wrong_log, np.log, lambda x: np.sum(np.log(x)), lambda x: 0 * x / 0 * x])
@pytest.mark.filterwarnings("ignore:invalid value")
def test_a_check_that_judged_nothing_does_not_pass(function, x):
    report = checked(function, x)
    assert report.ok is None
    assert report.verdict == "undecided"
    assert report.unjudged == ("input 0",)
    assert only(report).verdict is Verdict.UNJUDGED
    assert only(report).diagnosis.startswith("not judged: the function is nan")
    with pytest.raises(GradientMismatch, match="not judged: the function is nan"):
        check_gradients(function, x)


def test_an_input_that_judged_nothing_does_not_pass_beside_one_that_did():
    x, y = np.array([-1.0, -2.0]), np.array([1.0, 2.0, 3.0])
    with pytest.raises(GradientMismatch) as raised:
        check_gradients(lambda x, y: (np.log(x), y * y), x, y)
    assert raised.value.report.unjudged == ("input 0",)
    assert raised.value.report.rows[1].counts == {Verdict.OK: 3}


def test_many_elements_are_judged_beside_outputs_that_are_not_finite():
    x = np.append(np.linspace(1, 2, 2000), [-1.0, np.nan])
    assert only(checked(np.log, x)).counts == {Verdict.OK: 3}
    assert (
        only(checked(np.log, x)).diagnosis
        == "checked with the remaining outputs only: the function is nan at (2000,), (2001,)"
    )
    assert checked(wrong_log, x).ok is False


def test_hands_are_judged_beside_outputs_that_are_not_finite():
    x = np.array([0.5, -1.0, 2.0])
    ones = np.ones(3)
    assert only(check_against(np.log, 1 / x, x, cotangent=ones)).counts == {Verdict.OK: 2, Verdict.UNJUDGED: 1}
    row = only(check_against(np.log, 2 / x, x, cotangent=ones, raise_on_mismatch=False))
    assert row.counts == {Verdict.WRONG: 2, Verdict.UNJUDGED: 1}
    assert row.diagnosis == "2.00 × too large; 1 of 3 elements not judged: the function is nan at (1,)"
    with pytest.raises(GradientMismatch):
        check_against(lambda x: np.sum(np.log(x)), 1 / x, x)


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1.0, 1e6, 1e12])
def test_steps_fit_the_scale_of_the_input(scale):
    x = scale * np.array([0.5, 1.0, 3.0])
    assert checked(lambda x: np.log(x), x, order=2).ok is True
    assert checked(lambda x: np.sum((x / scale) ** 3), x, order=2).ok is True
    assert checked(lambda x: squares_with(lambda right: 1.001 * right)(x), x).ok is False


def test_small_elements_among_large_ones():
    assert checked(lambda x: np.log(x), np.array([1e-7, 1.0, 5.0, 1e4])).ok is True
    assert checked(lambda x: 1 / x, np.array([1e-4, -1e-3, 5.0])).ok is True
    assert checked(lambda x: np.sin(x), np.array([0.0, 1e-9, 5.0, 1e3])).ok is True


def test_borders_of_the_domain_are_checked_from_inside():
    assert checked(lambda x: np.arccos(x), np.array([0.999, -0.9999])).ok is True
    assert checked(lambda x: np.where(x > 0, np.log1p(x) ** 2, 0), np.array([0.0, 1e-9, 1.0])).ok is True
    assert only(checked(lambda x: x * np.sqrt(x), np.array([0.0, 1.0]))).counts == {Verdict.NAN: 1, Verdict.OK: 1}


def test_scores_of_minus_infinity():
    scores = np.array([[0.0, -np.inf, 1.0], [1e4, 0.0, -1e4]])
    assert checked(lambda s: softmax_cross_entropy(s, np.array([0, 0])), scores).ok is True


def test_second_order_faults_are_found():
    @primitive(lambda ct, out, x: ct * once(x))
    def cube(x):
        return x**3

    @primitive(lambda ct, out, x: ct * 3 * x)  # half of what it should be
    def once(x):
        return 3 * x * x

    report = checked(cube, X, order=2)
    assert [(row.order, row.verdict) for row in report.rows] == [(1, Verdict.OK), (2, Verdict.WRONG)]
    assert report.rows[1].diagnosis == "2.00 × too small"


# --- inputs and outputs ---------------------------------------------------------------------------------------------


def test_several_inputs_and_outputs_and_constants():
    labels = np.array([0, 2, 1, 1])

    def both(x, w, rows):
        return x @ w, np.sum(x, axis=1), x[rows]

    report = checked(both, X, Tensor(RNG.standard_normal((3, 2)), name="w"), labels, order=2)
    assert report.ok
    assert [row.name for row in report.rows] == ["input 0", "w"] * 2


def test_cotangents_weigh_the_outputs():
    x = np.array([1.0, 2.0, 3.0])
    report = check_against(lambda x: (x * x, np.sum(x)), 2 * x * [1, 0, -1] + 5, x, cotangent=([1, 0, -1], 5.0))
    assert report.ok
    with pytest.raises(ShapeError, match=r"shapes \(2,\) do not fit outputs of shapes \(3,\)"):
        check_gradients(lambda x: x * x, x, cotangent=[np.ones(2)])


def test_the_report_says_what_the_outputs_were_weighed_with_if_one_needs_to_know():
    wrong = squares_with(lambda right: 2 * right)
    by_random_numbers = "slopes of Σ ct · output, with fixed random weights ct from ±0.5 to ±1.5"
    assert str(checked(wrong, X)).endswith(f"{by_random_numbers}; cotangent=np.ones((4, 3)) makes them all 1")
    assert by_random_numbers in str(check_against(lambda x: x * x, X, X, raise_on_mismatch=False))
    ones = checked(wrong, X, cotangent=np.ones((4, 3)))
    for report in (ones, checked(lambda x: np.sum(wrong(x)), X), checked(lambda x: x * x, X, order=2)):
        assert "weights" not in str(report)
    assert only(ones).worst.numeric == pytest.approx(2 * X[only(ones).worst.index])
    low, high = (f(np.abs(CheckedFunction(np.exp, [np.zeros(10**5)]).cotangents(None)[0])) for f in (np.min, np.max))
    assert (low.round(3), high.round(3)) == (0.5, 1.5)


def test_an_input_that_the_outputs_ignore_and_one_whose_path_is_cut():
    assert checked(lambda x, y: np.sum(x) + 0 * np.sum(y), X, X).ok
    assert checked(lambda x, y: np.sum(x), X, X).ok
    cut = checked(lambda x, y: np.sum(x * Tensor(y.data)), X, X)
    assert [row.diagnosis for row in cut.rows] == ["", "zero: no path from this input"]
    constant = checked(lambda x: np.sum(np.exp(x.data)), X)
    assert only(constant).diagnosis == "zero: no path from this input"


def test_nan_gradients_are_named():
    positive = squares_with(lambda right: np.where(right > 0, right, np.nan))
    row = only(checked(positive, X, cotangent=np.ones(X.shape)))
    assert row.verdict is Verdict.NAN
    assert row.counts[Verdict.NAN] == np.sum(X <= 0)
    hand = np.where(X > 0, 2 * X, np.nan)
    assert only(check_against(lambda x: np.sum(x * x), hand, X, raise_on_mismatch=False)).verdict is Verdict.NAN


def test_infinite_gradients_are_wrong_where_the_slope_is_finite():
    x = np.array([0.0, 1.0, 2.0, 3.0])
    infinite = declared(square, lambda ct, out, x: ct * np.where(x == 0, np.inf, 2 * x))
    for dtype in ("float64", "float32"):
        row = only(checked(infinite, x.astype(dtype)))
        assert row.counts == {Verdict.WRONG: 1, Verdict.OK: 3}
        assert row.diagnosis == "inf in 1 of 4 elements: where the input is 0"
        assert abs(row.worst.numeric) <= row.worst.bound < 1e-9
    row = only(checked(infinite, np.linspace(0, 5, 2000)))
    assert row.worst.index == (0,)
    assert row.diagnosis == "inf in at least 1 of 2000 elements"
    hand = check_against(lambda x: np.sum(x * x), np.where(x == 1, np.inf, 2 * x), x, raise_on_mismatch=False)
    assert only(hand).diagnosis == "inf in 1 of 4 elements"


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "function",
    [
        np.cbrt,
        lambda x: np.cbrt(x) + 100 * x,
        lambda x: np.sqrt(x),
        lambda x: np.sqrt(np.clip(x, 0, None)),
        lambda x: np.sum(x**0.9),
        lambda x: x**0.99,
        lambda x: np.tanh(np.cbrt(x)),
        lambda x: np.log1p(-np.cbrt(x) / 2),
    ],
)
def test_slopes_that_are_infinite_are_not_wrong(function, dtype):
    x = np.array([0.0, 1.0, 0.5, 0.0], dtype)
    assert checked(function, x, order=2).ok is not False
    assert checked(function, x, directions=2).ok is not False


def test_slopes_too_large_for_their_dtype_are_not_wrong():
    assert checked(lambda x: 1 / x, np.array([1e-25, 1.0], np.float32)).ok is not False


def test_functions_that_differ_between_calls_are_named():
    rng = np.random.default_rng()
    row = only(checked(lambda x: x * rng.standard_normal(), X))
    assert row.verdict is Verdict.NOT_DETERMINISTIC
    assert "two calls" in row.diagnosis


def test_functions_that_overwrite_their_inputs_are_named():
    def on_tensors(x):
        x += 1
        return x

    def on_arrays(x, places):
        places[0] = 1
        return x[places]

    def through_data(x):
        x.data[0] = 1
        return x * x

    row = only(checked(on_tensors, X))
    assert row.verdict is Verdict.OVERWRITTEN
    assert "assign" in row.diagnosis
    assert checked(on_arrays, X, np.array([0, 2])).rows[0].verdict is Verdict.OVERWRITTEN
    assert only(checked(through_data, X)).verdict is Verdict.OVERWRITTEN


def test_inputs_are_left_as_they_were():
    x = X.copy()
    w = Tensor(X, requires_grad=True)
    check_gradients(lambda a, b: a * b, x, w)
    assert np.array_equal(x, X)
    assert w.grad is None


def test_bad_calls():
    with pytest.raises(ValueError, match="order must be 1 or 2"):
        check_gradients(np.sin, X, order=3)
    with pytest.raises(ValueError, match=r"no input is floating \(int64\)"):
        check_gradients(np.sin, np.arange(3))
    with pytest.raises(ShapeError, match="2 gradients but 1 floating inputs"):
        check_against(np.sum, [X, X], X)
    with pytest.raises(ZeroDivisionError):
        check_gradients(lambda x: x * (1 / 0), X)


def test_a_mismatch_carries_the_report():
    wrong = squares_with(lambda right: 2 * right)
    with pytest.raises(GradientMismatch, match=r"2\.00 × too large") as caught:
        check_gradients(wrong, X)
    assert isinstance(caught.value, AssertionError)
    assert isinstance(caught.value, AutogradError)
    assert caught.value.report.ok is False
    assert json.loads(json.dumps(caught.value.report.to_json()))["inputs"][0]["diagnosis"] == "2.00 × too large"
    with pytest.raises(GradientMismatch):
        check_against(lambda x: np.sum(x * x), X, X)


# --- the case study -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "hand"), [(LinearClassifier, by_hand.linear_gradients), (TwoLayerNet, by_hand.two_layer_gradients)]
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_case_study_passes_in_full(model, hand, dtype):
    points, classes = spiral(generator=np.random.default_rng(0))
    points = points.astype(dtype)
    parameters = [p.data.astype(dtype) for p in model.random(np.random.default_rng(1)).parameters()]

    def loss(*parameters):
        return model(*parameters).loss(points, classes, 1e-3)

    report = check_gradients(loss, *parameters)
    assert report.ok is True
    assert [row.judged for row in report.rows] == ["elements"] * len(parameters)
    assert sum(sum(row.counts.values()) for row in report.rows) == sum(p.size for p in parameters)
    assert not any(row.counts.get(Verdict.NOISE) for row in report.rows)
    against = check_against(loss, lambda *arrays: hand(points, classes, *arrays, 1e-3)[1], *parameters)
    assert against.ok is True


def test_the_other_convention_at_a_kink_is_accepted():
    points, classes = spiral(generator=np.random.default_rng(0))
    classes[[0, 100, 200]] = 1  # the three points at the origin, whose gradients would nearly cancel
    W1, b1, W2, b2 = TwoLayerNet.random(np.random.default_rng(1)).parameters()

    def loss(W1, b1, W2, b2):  # np.maximum shares the gradient of a tie, the derivation by hand gives it away
        scores = np.maximum(0, points @ W1 + b1) @ W2 + b2
        return softmax_cross_entropy(scores, classes)

    hand = by_hand.two_layer_gradients(points, classes, W1.data, b1.data, W2.data, b2.data, 0.0)[1]
    report = check_against(loss, hand, W1, b1, W2, b2)
    assert report.ok
    assert report.rows[1].counts[Verdict.KINK] > 50
