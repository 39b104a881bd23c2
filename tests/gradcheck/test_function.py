"""The function that is checked, with its inputs and outputs."""

import itertools
import re
from dataclasses import dataclass

import hypothesis
import numpy as np
import pytest
from checks import X, checked, normal, only
from hypothesis import strategies as st

from autograd_spiral import Tensor, primitive
from autograd_spiral.errors import DtypeError
from autograd_spiral.gradcheck import check_against, check_gradients
from autograd_spiral.gradcheck.examples import EXAMPLES
from autograd_spiral.gradcheck.function import CheckedFunction
from autograd_spiral.gradcheck.verdicts import Verdict

W = normal(3, 4)


def test_several_inputs_and_outputs_and_constants():
    labels = np.array([0, 2, 1, 1])

    def both(x, w, rows):
        return x @ w, np.sum(x, axis=1), x[rows]

    report = checked(both, X, Tensor(normal(*(3, 2)), name="w"), labels, order=2)
    assert report.ok
    assert [row.name for row in report.rows] == ["x", "w"] * 2


@dataclass
class Layer:
    W: object
    kind: str = "tanh"


@pytest.mark.parametrize("order", [1, 2])
def test_inputs_in_containers_have_their_names(order):
    def loss(net, x):
        assert type(net["layers"][0]) is Layer
        out = x @ net["layers"][0].W * net["scale"]
        return np.sum(np.tanh(out) if net["layers"][0].kind == "tanh" else out)

    net = {"layers": [Layer(W)], "scale": np.array([0.5, 1.0, 2.0, 3.0])}
    report = check_gradients(loss, net, X, order=order)
    assert report.ok
    assert [row.name for row in report.rows] == ["net['layers'][0].W", "net['scale']", "x"] * order

    def by_hand(net, x):
        ct = net["scale"] * (1 - np.tanh(x @ W * net["scale"]) ** 2)
        return {"layers": [Layer(x.T @ ct)], "scale": np.sum(ct * (x @ W), axis=0) / net["scale"]}, ct @ W.T

    for hand in (by_hand, by_hand(net, X)):
        report = check_against(loss, hand, net, X)
        assert [row.name for row in report.rows] == ["net['layers'][0].W", "net['scale']", "x"]


def test_an_argument_without_a_rule_is_a_constant():
    @primitive(lambda ct, out, x, mask: ct * mask / np.sum(mask), None)
    def masked_mean(x, mask):
        assert not isinstance(mask, Tensor)
        return np.sum(x * mask) / np.sum(mask)

    mask = np.array([1.0, 0.5, 2.0])
    for given in (mask, Tensor(mask)):
        report = checked(masked_mean, normal(3), given, order=2)
        assert report.ok is True
        assert [(row.name, row.order) for row in report.rows] == [("x", 1), ("x", 2)]
    assert checked(lambda x, mask: masked_mean(x, mask), mask, mask).ok is False

    @primitive(None)
    def flat(x):
        return x * x

    assert only(checked(flat, X)).diagnosis == "zero: no path from this input"


def test_an_input_that_the_outputs_ignore_and_one_whose_path_is_cut():
    assert checked(lambda x, y: np.sum(x) + 0 * np.sum(y), X, X).ok
    assert checked(lambda x, y: np.sum(x), X, X).ok
    cut = checked(lambda x, y: np.sum(x * Tensor(y.data)), X, X)
    assert [row.diagnosis for row in cut.rows] == ["", "zero: no path from this input"]
    constant = checked(lambda x: np.sum(np.exp(x.data)), X)
    assert only(constant).diagnosis.startswith("zero: no Tensor came back that depends on an input")


def test_a_function_that_returns_nothing_floating_is_refused():
    with pytest.raises(DtypeError, match="no Tensor came back: was `return` forgotten"):
        check_gradients(lambda x: None, X)
    with pytest.raises(DtypeError, match="nothing came back: was `return` forgotten"):
        check_against(lambda x: None, X, X)
    with pytest.raises(DtypeError, match=r"returned no floating number \(int64, bool\)"):
        check_gradients(lambda x: (np.argmax(x), x > 0), X)


def test_what_is_wrong_in_a_narrow_dtype_alone_is_said():
    @primitive(lambda ct, out, x: ct * (2 * x if x.dtype == float else x))
    def squares(x):
        return x * x

    says = only(checked(squares, X.astype(np.float32))).diagnosis
    assert says == "2.00 × too small; only in float32: right in float64"
    assert checked(squares, X).ok

    def by_hand(x):
        return np.asarray(2 * x if x.dtype == float else x, x.dtype)

    report = check_against(lambda x: np.sum(x * x), by_hand, X.astype(np.float32), raise_on_mismatch=False)
    assert only(report).diagnosis == "2.00 × too small; only in float32: right in float64"


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


def test_random_cotangents_stay_away_from_0():
    low, high = (f(np.abs(CheckedFunction(np.exp, [np.zeros(10**5)]).cotangents(None)[0])) for f in (np.min, np.max))
    assert (low.round(3), high.round(3)) == (0.5, 1.5)


def overwriting(which, *, unlock=False):
    """A rule that writes into the argument of this number."""

    def rule(*args):
        if unlock:
            args[which].setflags(write=True)
        args[which][...] = 100
        return args[0]

    return rule


@pytest.mark.parametrize(("which", "name"), list(enumerate(["ct", "out", r"argument 0 \(x\)", r"argument 1 \(y\)"])))
@pytest.mark.parametrize("unlock", [False, True])
def test_a_rule_that_overwrites_what_it_was_given_is_named(which, name, unlock):
    @primitive(overwriting(which, unlock=unlock), lambda ct, out, x, y: ct)
    def added(x, y):
        return x + y

    says = f"the rule of added for argument 0 \\(x\\) writes into {name}: a rule must not change its arguments"
    reports = [
        checked(added, X, X),
        checked(lambda x, y: np.sum(added(x * 1, y)) * 1, X, X, order=2),
        check_against(added, [X, X], X, X, raise_on_mismatch=False),
    ]
    for report in reports:
        assert report.verdict == "wrong"
        assert all(row.verdict is Verdict.OVERWRITTEN for row in report.rows)
        assert all(re.search(says, row.diagnosis) for row in report.rows)


def test_a_body_that_overwrites_its_input_is_named():
    @primitive(lambda ct, out, x: ct)
    def shifted(x):
        x += 1
        return x

    row = only(checked(shifted, X))
    assert row.verdict is Verdict.OVERWRITTEN
    assert "shifted writes into argument 0 (x)" in row.diagnosis


def test_a_value_that_is_made_writable_is_named():
    def unlocked(x):
        x.data.setflags(write=True)
        x.data[0] = 1
        return x * x

    row = only(checked(unlocked, X))
    assert (row.verdict, row.diagnosis[:36]) == (Verdict.OVERWRITTEN, "the function writes into an input: c")


def random_rule():
    rng = np.random.default_rng()
    return lambda ct, out, x: 2 * ct * x * (1 + 1e-14 * rng.choice([0, 1], x.shape))


def running_sum():
    total = np.zeros_like(X)

    def rule(ct, out, x):
        nonlocal total
        total = total + 2 * ct * x
        return total

    return rule


def every_other_time():
    turns = itertools.cycle([1, 3])
    return lambda ct, out, x: next(turns) * 2 * ct * x


def into_a_buffer():
    buffer = np.zeros_like(X)

    def rule(ct, out, x):
        buffer[...] += 2 * ct * x
        return buffer

    return rule


def saved_by_the_body():
    saved = {}
    return (lambda ct, out, x: 2 * ct * saved["x"]), (lambda x: saved.update(x=x) or x * x)


def saved_in_a_buffer():
    buffer = np.zeros_like(X)

    def body(x):
        np.copyto(buffer, getattr(x, "data", x))
        return x * x

    return (lambda ct, out, x: 2 * ct * buffer), body


@pytest.mark.parametrize(
    "make", [random_rule, running_sum, every_other_time, into_a_buffer, saved_by_the_body, saved_in_a_buffer]
)
@pytest.mark.parametrize("check", ["gradients", "order 2", "against"])
def test_a_rule_that_returns_something_else_each_time_is_never_ok(make, check):
    rule, body = made if isinstance(made := make(), tuple) else (made, lambda x: x * x)
    squared = primitive(rule)(body)
    if check == "against":
        report = check_against(squared, 2 * X, X, cotangent=np.ones_like(X), raise_on_mismatch=False)
    else:
        report = checked(lambda x: squared(x) * 1, X, order=2 if check == "order 2" else 1)
    assert report.ok is False
    assert report.rows[0].verdict is Verdict.NOT_DETERMINISTIC
    assert (
        report.rows[0].diagnosis
        == "two sweeps returned different gradients: a rule must compute from its arguments alone"
    )


def test_a_rule_that_returns_its_own_buffer_is_ok_since_it_is_copied():
    buffer = np.zeros_like(X)

    @primitive(lambda ct, out, x: np.multiply(ct, 3.0, out=buffer))
    def triple(x):
        return 3.0 * x

    def twice(x):
        h = x * 1.0
        return triple(h) + 5.0 * triple(h)

    assert checked(twice, X).verdict == "ok"
    assert checked(triple, X).verdict == "ok"


# --- values by calls with arrays --------------------------------------------------------------------------------------

DRAWN = [(function, i) for function, draws in EXAMPLES.items() for i in range(len(draws))]


@hypothesis.settings(max_examples=200)
@hypothesis.given(
    st.sampled_from(DRAWN), st.integers(0, 10**6), st.floats(-20, -2), st.sampled_from(["float64", "float32"])
)
def test_calls_with_arrays_return_what_calls_with_tensors_do_but_for_rounding(drawn, seed, octave, dtype):
    """Also at points other than those that were compared before arrays were used."""
    function, i = drawn
    rng = np.random.default_rng(seed)
    example = EXAMPLES[function][i](rng)
    inputs = [x.astype(dtype) if x.dtype.kind == "f" else x for x in example.inputs]
    by_tensors, by_arrays = (CheckedFunction(example.function, inputs) for _ in range(2))
    by_arrays.use_arrays_for_values()
    arrays = [
        np.asarray(x + 2.0**octave * rng.uniform(-1, 1, x.shape), x.dtype) if x.dtype.kind == "f" else x for x in inputs
    ]
    try:
        expected = by_tensors.values(arrays)
    except (DtypeError, np.linalg.LinAlgError):
        return
    eps = np.finfo(dtype).eps  # NumPy adds up a norm in another order than its composition
    reach = 32 * eps * np.max(np.abs(expected), where=np.isfinite(expected), initial=1.0)
    np.testing.assert_allclose(by_arrays.values(arrays), expected, rtol=0, atol=reach)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * x if type(x) is Tensor else x * x + 1,
        lambda x: x * x if type(x) is Tensor or x[0] == 1 else x * x + 1,  # the same at the inputs alone
        lambda x: np.sum(x * x) if type(x) is Tensor else float(np.sum(x * x)) * np.ones(2),
        lambda x: x * x if type(x) is Tensor else np.float32(x * x),
        lambda x: x.detach() * x,
        lambda x: x * x if type(x) is Tensor else np.square(x, out=x),
    ],
)
def test_a_function_that_takes_arrays_differently_is_judged_by_its_calls_with_tensors(function):
    x = np.array([1.0, 2.0, 5.0])
    checked_function = CheckedFunction(function, [x])
    checked_function.use_arrays_for_values()
    expected = CheckedFunction(function, [x]).values([x + 0.5])
    np.testing.assert_array_equal(checked_function.values([x + 0.5]), expected)
    report = checked(function, x)
    slopes = [slope.numeric for slope in report.rows[0].slopes]
    ct = CheckedFunction(function, [x]).cotangents(None)[0]
    np.testing.assert_allclose(slopes, np.broadcast_to(ct, 3) * 2 * x, rtol=1e-6)


def test_a_rule_that_rounds_differently_at_each_call_is_judged_like_any_other():
    calls = itertools.count()

    def square_by(slope):
        return primitive(lambda ct, out, x: slope * ct * x + 1e-15 * (next(calls) % 3))(lambda x: x * x)

    assert only(check_gradients(square_by(2.0), np.array([1.5, -0.5]), raise_on_mismatch=False)).verdict is Verdict.OK
    report = check_gradients(square_by(3.0), np.array([1.5, -0.5]), raise_on_mismatch=False)
    assert only(report).diagnosis == "1.50 × too large"
