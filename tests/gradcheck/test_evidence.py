"""What a report says about wrong gradients."""

import numpy as np
import pytest
from checks import FAULTS, X, checked, declared, normal, only, square, squares_with

from autograd_spiral import primitive
from autograd_spiral.gradcheck import check_against, check_gradients
from autograd_spiral.gradcheck.verdicts import Verdict


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
    (
        square,
        lambda ct, out, x: np.absolute(ct) * 2 * x,
        "not linear in the cotangent; sign flipped, 2 of 5 elements: at the border",
    ),
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
@pytest.mark.parametrize("diagnosis", FAULTS)
def test_a_rule_that_is_off_by_a_factor_is_named(diagnosis, dtype):
    row = only(checked(squares_with(FAULTS[diagnosis]), X.astype(dtype)))
    assert row.verdict is Verdict.WRONG
    assert row.diagnosis == diagnosis
    assert row.counts == {Verdict.WRONG: X.size}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_rules_of_the_wrong_argument_are_named(dtype):
    x, y = normal(*(2, 4, 3)).astype(dtype)
    for vjps, says in (
        ((of_x, of_y), ["swapped with the gradient in y", "swapped with the gradient in x"]),
        ((of_x, of_x), ["equal to the gradient in y", ""]),
    ):
        assert [row.diagnosis for row in checked(declared(product, *vjps), x, y).rows] == says
    broadcast = checked(declared(product, of_x, of_y), x, y[0])
    assert [row.diagnosis for row in broadcast.rows] == [
        "right with the rule for argument 1",
        "right with the rule for argument 0",
    ]
    hand = check_against(lambda x, y: np.sum(x * y), [x, y], x, y, raise_on_mismatch=False)
    assert hand.rows[1].diagnosis == "swapped with the gradient in x"


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
    large = only(checked(forgetful, normal(*(7, 143))))
    assert large.diagnosis == f"{says}: multiply by ct"
    hand = check_against(square, 2 * X, X, raise_on_mismatch=False)
    assert only(hand).diagnosis == "right after multiplying by the cotangent"


def test_a_cotangent_that_is_forgotten_at_second_order_is_named():
    @primitive(lambda ct, out, x: ct * once(x))
    def cube(x):
        return x**3

    once = declared(lambda x: 3 * x * x, lambda ct, out, x: 6 * x)
    assert [row.diagnosis for row in checked(cube, X, order=2).rows] == [
        "",
        "does not depend on the cotangent; only at second order",
    ]


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("inputs", [(MIXED,), (X, X + 1), (X, X[0]), (np.array(2.0), np.array(-1.0)), (np.zeros(3),)])
def test_nothing_is_said_of_right_rules(inputs, order):
    function = declared(product, of_y, of_x) if len(inputs) == 2 else declared(square, lambda ct, out, x: ct * 2 * x)
    report = check_gradients(function, *inputs, order=order)
    assert [row.diagnosis for row in report.rows] == [""] * (order * len(inputs))


def test_a_missing_mean_is_named():
    x = normal(*(30, 2))
    row = only(checked(lambda x: np.sum(squares_with(lambda right: 30 * right)(x)), x))
    assert row.diagnosis == "30 × too large: missing factor of 1/N, N = 30"
    row = only(check_against(lambda x: np.sum(x * x), 2 * x / 30, x, raise_on_mismatch=False))
    assert row.diagnosis == "30 × too small: missing factor of N = 30"


@pytest.mark.parametrize("check", ["rule", "hand"])
def test_a_transposed_gradient_is_named(check):
    x = normal(*(4, 4))
    if check == "rule":
        row = only(checked(squares_with(lambda right: np.swapaxes(right, 0, 1)), x, cotangent=np.ones((4, 4))))
    else:
        row = only(check_against(lambda x: np.sum(x * x), 2 * x.T, x, raise_on_mismatch=False))
    assert row.diagnosis == "transposed"


def test_a_transpose_that_a_rule_forgot_is_named():
    @primitive(lambda ct, out, x, y: ct @ y, lambda ct, out, x, y: x @ ct)
    def product(x, y):
        return x @ y

    x, y = normal(*(2, 3, 3))
    diagnoses = [row.diagnosis for row in checked(product, x, y).rows]
    assert diagnoses == ["right with y transposed", "right with x transposed"]
