"""Derivatives of functions agree with finite differences and with formulas, in any form, at any order, and captured."""

from __future__ import annotations

import math
import re
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import pytest
from finite_differences import directional, gradients
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_spiral import (
    Tensor,
    capture,
    elementwise_grad,
    flatten,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    no_grad,
    value_and_grad,
    vjp,
)
from autograd_spiral.errors import DtypeError, GradientError, LostGraphError, ShapeError


@dataclass(frozen=True)
class Net:
    W: Any
    rest: Any


ARRAYS = st.builds(
    lambda shape, seed: np.random.default_rng(seed).standard_normal(shape),
    st.sampled_from([(), (3,), (1, 2), (2, 3), (0,)]),
    st.integers(0, 2**32 - 1),
)


def smooth(x: Any, y: Any) -> Any:
    """A function of two arrays of any shapes that broadcast, with mixed second derivatives."""
    return np.tanh(x * y) + np.sin(x) * np.exp(0.3 * y)


def total(x: Any, y: Any) -> Any:
    return np.sum(smooth(x, y) ** 2)


def close(actual: Any, expected: Any) -> None:
    np.testing.assert_allclose(actual, expected, rtol=1e-8, atol=1e-8)


def identity_like(x: np.ndarray) -> np.ndarray:
    return np.eye(x.size).reshape(x.size, *x.shape)


@settings(max_examples=30)
@given(ARRAYS, st.integers(0, 2**32 - 1))
def test_derivatives_agree_with_finite_differences(x: np.ndarray, seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, dx, dy = (rng.standard_normal(x.shape) for _ in range(3))
    ct = rng.standard_normal(x.shape)
    value, both = value_and_grad(total, (0, 1))(x, y)
    close(value, total(x, y))
    for found, expected in zip(both, gradients(total, [x, y], [np.ones(())]), strict=True):
        close(found, expected)
    output, tangent = jvp(smooth, (x, y), (dx, dy))
    close(output, smooth(x, y))
    close(tangent, directional(smooth, [x, y], [dx, dy])[0])
    output, pull_back = vjp(smooth, x, y)
    for found, expected in zip(pull_back(ct), gradients(smooth, [x, y], [ct]), strict=True):
        close(found, expected)
    close(np.sum(ct * tangent), sum(np.sum(a * b) for a, b in zip(pull_back(ct), (dx, dy), strict=True)))
    jacobians = jacobian(smooth, (0, 1))(x, y)
    for found, one in zip(jacobians, ((1, 0), (0, 1)), strict=True):
        columns = [directional(smooth, [x, y], [one[0] * e, one[1] * e])[0] for e in identity_like(x)]
        expected = np.reshape(columns, (x.size, x.size)).T.reshape(x.shape * 2)
        assert found.shape == x.shape * 2
        close(found, expected)


@settings(max_examples=20)
@given(ARRAYS, st.integers(0, 2**32 - 1))
def test_second_derivatives_agree_with_first_ones(x: np.ndarray, seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, dx, dy = (rng.standard_normal(x.shape) for _ in range(3))
    blocks = hessian(total, (0, 1))(x, y)

    def slopes(x: Any, y: Any) -> Any:
        return list(value_and_grad(total, (0, 1))(x, y)[1])

    expected = directional(slopes, [x, y], [dx, dy])
    for product, row, wanted in zip(hvp(total, (x, y), (dx, dy)), blocks, expected, strict=True):
        close(product, wanted)
        axes = x.ndim
        close(np.tensordot(row[0], dx, axes) + np.tensordot(row[1], dy, axes), wanted)
    for i in range(2):
        for j in range(2):
            flat = [np.reshape(block, (x.size, x.size)) for block in (blocks[i][j], blocks[j][i])]
            close(flat[0], flat[1].T)


def test_the_form_of_the_argument_is_that_of_the_gradient() -> None:
    net = {"W": np.ones((2, 3)), "rest": [np.ones(3), (np.array(2.0),)]}

    def loss(net: Any, x: Any, *, scale: float = 1.0) -> Any:
        return scale * np.sum((x @ net["W"] + net["rest"][0]) * net["rest"][1][0])

    x = np.array([[1.0, 2.0]])
    value, gradient = value_and_grad(loss)(net, x, scale=3.0)
    assert value == 72
    assert list(gradient) == ["W", "rest"]
    close(gradient["W"], 3 * 2 * np.array([[1.0] * 3, [2.0] * 3]))
    close(gradient["rest"][0], np.full(3, 6.0))
    assert gradient["rest"][1] == (36.0,)
    jacobians = jacobian(lambda net: net["W"].sum(axis=0) + net["rest"][0])(net)
    assert jacobians["W"].shape == (3, 2, 3)
    close(jacobians["rest"][0], np.eye(3))
    rows = hessian(lambda net: loss(net, x))(net)
    assert rows["W"]["rest"][1][0].shape == (2, 3)
    close(rows["rest"][1][0]["W"], np.array([[1.0] * 3, [2.0] * 3]))


def test_parameters_may_be_in_dataclasses() -> None:
    net = Net(np.arange(6.0).reshape(2, 3), [np.ones(3)])

    def loss(net: Any) -> Any:
        return np.sum(np.ones((1, 2)) @ net.W * net.rest[0])

    gradient = value_and_grad(loss)(net)[1]
    assert type(gradient) is Net
    close(gradient.rest[0], net.W.sum(axis=0))
    close(jvp(loss, (net,), (gradient,))[1], np.sum(gradient.W**2) + np.sum(gradient.rest[0] ** 2))
    vector, restore = flatten(net)
    assert type(restore(vector)) is Net
    close(value_and_grad(lambda v: loss(restore(v)))(vector)[1], flatten(gradient)[0])
    step = capture(lambda net: value_and_grad(loss)(net)[1])
    assert type(step(net)) is Net
    close(step(net).W.data, gradient.W)


def test_flattened_parameters_come_back() -> None:
    params = {"W": np.arange(6.0).reshape(2, 3), "b": [np.array(7.0), np.zeros((0, 2))]}
    vector, restore = flatten(params)
    close(vector, [*np.arange(6.0).tolist(), 7.0])
    restored = restore(2 * vector)
    close(restored["W"], 2 * params["W"])
    assert restored["b"][0] == 14
    assert restored["b"][1].shape == (0, 2)
    value, gradient = value_and_grad(lambda v: np.sum(restore(v)["W"] ** 2) * restore(v)["b"][0])(vector)
    assert value == 55 * 7
    close(gradient, [*(14 * np.arange(6.0)), 55.0])
    with pytest.raises(ShapeError, match="the vector has shape"):
        restore(np.zeros(3))
    assert flatten([])[0].shape == (0,)


def test_tensors_come_out_where_tensors_go_in_and_have_gradients_again() -> None:
    x = Tensor([0.5, -1.0], requires_grad=True)
    value, slope = value_and_grad(lambda x: np.sum(x**3))(x)
    close(grad(np.sum(slope * slope), x).data, 36 * x.data**3)
    assert type(value) is Tensor
    rows = jacobian(np.sin)(x)
    close(grad(rows.sum(), x).data, -np.sin(x.data))
    (product,) = hvp(lambda x: np.sum(x**4), (x,), (np.ones(2),))
    close(grad(product.sum(), x).data, 24 * x.data)
    close(elementwise_grad(elementwise_grad(np.tanh))(x).data, -2 * np.tanh(x.data) * (1 - np.tanh(x.data) ** 2))
    close(jvp(np.exp, (Tensor([1.0]),), (np.ones(1),))[1].data, [np.e])


def test_a_tensor_among_the_other_arguments_has_a_gradient_too() -> None:
    x, w = np.array([0.5, -1.0]), Tensor([2.0, 3.0], requires_grad=True)
    for args, kwargs in (((x, w), {}), ((x,), {"w": w})):
        value, slope = value_and_grad(lambda x, w: np.sum(w**2 * x**3))(*args, **kwargs)
        close(grad(value, w).data, 2 * w.data * x**3)
        close(grad(slope.sum(), w).data, 6 * w.data * x**2)


@pytest.mark.parametrize("x", [np.array([0.5, -1.0]), Tensor([0.5, -1.0], requires_grad=True)])
def test_derivatives_are_taken_where_nothing_is_recorded(x: Any) -> None:
    f = lambda x: np.sum(np.sin(x) * x[::-1])  # noqa: E731
    calls = (
        lambda: value_and_grad(f)(x),
        lambda: (jacobian(np.sin)(x), hessian(f)(x), elementwise_grad(np.sin)(x)),
        lambda: (*hvp(f, (x,), (x,)), *jvp(np.sin, (x,), (x,)), vjp(np.sin, x)[1](np.ones(2))[0]),
    )
    for call in calls:
        with no_grad():
            quiet = call()
        for found, expected in zip(quiet, call(), strict=True):
            assert type(found) is type(expected)
            assert not getattr(found, "requires_grad", False)
            close(np.asarray(found), getattr(expected, "data", expected))


def test_transforms_of_transforms() -> None:
    x = np.array([0.5, -1.0, 2.0])
    f = lambda x: np.sum(np.sin(x) * x[::-1])  # noqa: E731
    twice = jacobian(jacobian(lambda x: f(x) * np.ones(1)))(x)
    close(twice[0], hessian(f)(x))
    close(jacobian(elementwise_grad(np.tanh))(x), np.diag(-2 * np.tanh(x) * (1 - np.tanh(x) ** 2)))


@pytest.mark.parametrize(
    "transformed",
    [
        lambda x: value_and_grad(lambda v: np.sum(np.tanh(v) ** 2))(x),
        lambda x: jacobian(lambda v: np.cumsum(v * v))(x),
        lambda x: hessian(lambda v: np.sum(v**3) * v[0])(x),
        lambda x: hvp(lambda v: np.sum(v**3) * v[0], (x,), (x,)),
        lambda x: jvp(np.sin, (x,), (2 * x,)),
        lambda x: vjp(np.sin, x)[1](x),
        lambda x: elementwise_grad(np.tanh)(x),
    ],
)
def test_captured_steps_may_use_them(transformed: Any) -> None:
    step = capture(transformed)
    for x in (np.array([0.5, -1.0]), np.array([3.0, 0.25])):
        for _ in range(3):
            found, expected = step(x), transformed(x)
            found, expected = (t if isinstance(t, tuple) else (t,) for t in (found, expected))
            for a, b in zip(found, expected, strict=True):
                close(np.asarray(a), b)
    assert repr(step).endswith("1 program>")


@pytest.mark.parametrize("captured", [False, True])
def test_derivatives_are_partial_even_if_one_argument_is_computed_from_another(captured: bool) -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)

    def derivatives() -> Any:
        f = lambda a, b: np.sum(a**2 * b)  # noqa: E731
        both = value_and_grad(f, (0, 1))
        nested = grad(np.sum(value_and_grad(f)(x, x)[1]), x)  # of 2 x²
        return [*both(x, x)[1], *both(x, 3 * x)[1], value_and_grad(f)(x, x)[1], nested, jacobian(f, 1)(x, 3 * x)]

    found = (capture(derivatives) if captured else derivatives)()
    values = np.array([1.0, 2.0])
    squares = values**2
    expected = [2 * squares, squares, 6 * squares, squares, 2 * squares, 4 * values, squares]
    assert np.allclose([each.data for each in found], expected)


def test_an_argument_is_named_once() -> None:
    for argnums in [(0, 0), (0, -2)]:
        with pytest.raises(TypeError, match="names an argument twice"):
            value_and_grad(lambda a, b: np.sum(a * b), argnums)(np.ones(2), np.ones(2))


@pytest.mark.parametrize("twice", [1, 2])
def test_a_captured_step_that_gets_the_argument_is_differentiated(twice: int) -> None:
    cubes = capture(lambda x, scale: np.sum(scale * x**3))
    x = np.array([1.0, 2.0])
    for _ in range(2):
        value, gradient = value_and_grad(lambda x: cubes(twice * x if twice > 1 else x, np.ones(2)) + np.sum(x**2))(x)
        assert np.isclose(value, 9 * twice**3 + 5)
        assert np.allclose(gradient, 3 * twice**3 * x**2 + 2 * x)


def test_a_captured_step_that_gets_values_is_replayed() -> None:
    w = Tensor(3.0, requires_grad=True)
    scaled = capture(lambda x: w * np.sum(x))
    gradient = value_and_grad(lambda x: float(scaled(x.data)) * np.sum(x**2))(np.array([1.0, 2.0]))[1]
    assert np.array_equal(gradient, [18.0, 36.0])
    assert scaled.program


def test_a_captured_hessian_vector_product_leaves_nothing_behind() -> None:
    A = np.random.default_rng(0).standard_normal((3, 4))
    product = capture(lambda x, v: hvp(lambda x: np.sum(np.tanh(A @ x) ** 2), (x,), (v,))[0], verify=False)
    x, v = np.ones(4), np.arange(4.0)
    for _ in range(10):
        expected = product(x, v).data
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(500):
            product(x, v)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 500  # less than a byte for each call
    close(product(x, v).data, expected)


def test_arrays_that_come_out_are_the_users_own() -> None:
    x = np.array([1.0, 2.0])
    value, slope = value_and_grad(lambda x: np.sum(x))(x)
    assert type(value) is np.float64
    slope += 1
    close(slope, [2.0, 2.0])
    close(x, [1.0, 2.0])
    assert value_and_grad(np.sum)(np.ones(2, np.float32))[1].dtype == np.float32


def test_what_cannot_be_differentiated_is_named() -> None:
    x = np.ones(3)
    with pytest.raises(GradientError, match=r"returned shape \(3,\), but must return one number: sum it"):
        value_and_grad(np.sin)(x)
    with pytest.raises(GradientError, match=r"hessian: the function returned shape \(3,\)"):
        hessian(np.sin)(x)
    with pytest.raises(DtypeError, match=r"argument 0 must be floating-point, not int64: write 3.0 instead of 3"):
        value_and_grad(np.sum)(np.ones(3, np.int64))
    with pytest.raises(TypeError, match="must return one array or number, not a tuple"):
        jacobian(lambda x: (x, x))(x)
    with pytest.raises(TypeError, match="argnums=1, but there are 1 positional arguments"):
        jacobian(np.sin, 1)(x)
    for transform in (jvp, hvp):
        with pytest.raises(ShapeError, match=r"the shapes of the primals, \[\(3,\)\], not \[\(2,\)\]"):
            transform(lambda x: np.sum(x), (x,), (np.ones(2),))
    with pytest.raises(TypeError, match=r"for a function, write value_and_grad\(f\)\(x\) or grad\(f\(x\), x\)"):
        grad(lambda x: x, Tensor(1.0))  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=r"for a function, write value_and_grad\(f\)\(x\) or grad\(f\(x\), x\)"):
        grad(np.sin)(x)  # type: ignore[call-overload]
    with pytest.raises(DtypeError, match=r"jacobian: rate must be floating-point, not int64: write 3.0 instead of 3"):
        jacobian(lambda net: net["W"])({"W": x, "rate": 3})


def test_a_function_that_does_not_depend_on_its_argument_has_gradient_0() -> None:
    def constant(x: Any) -> float:
        return 3.0

    with pytest.warns(UserWarning, match=r"value_and_grad returns zeros: the result of constant does not") as caught:
        value, slope = value_and_grad(constant)(np.ones(2))
    assert value == 3
    close(slope, [0.0, 0.0])
    assert [warning.filename for warning in caught] == [__file__]
    for transform in (jacobian, hessian, elementwise_grad):
        with pytest.warns(UserWarning, match=f"{transform.__name__} returns zeros") as caught:
            assert not np.any(transform(constant)(np.ones(2)))
        assert [warning.filename for warning in caught] == [__file__]
    with pytest.warns(UserWarning, match="jvp returns zeros") as caught:
        assert jvp(constant, (np.ones(2),), (np.ones(2),)) == (3.0, 0.0)
    assert [warning.filename for warning in caught] == [__file__]


# --- what a function reads from outside its arguments -----------------------------------------------------------------


@pytest.mark.parametrize("transform", [value_and_grad, jacobian, hessian, elementwise_grad])
def test_a_parameter_that_is_also_read_from_outside_counts_as_a_constant_there_and_warns(transform: Any) -> None:
    w = Tensor([3.0], requires_grad=True, name="w")
    constant = w.detach()
    expected = transform(lambda x: np.sum(x**2 * constant))(w)
    with pytest.warns(UserWarning, match="also reads w from outside its arguments, and there it counts as a constant"):
        found = transform(lambda x: np.sum(x**2 * w))(w)
    for one, other in zip(found, expected, strict=True):
        close(one.data, other.data)


def test_reading_outside_tensors_that_are_not_passed_is_no_reason_to_warn() -> None:
    w, other = Tensor(3.0, requires_grad=True), Tensor(2.0, requires_grad=True)
    assert float(value_and_grad(lambda x: x * other)(w)[1]) == 2.0
    assert float(value_and_grad(lambda x, y: x * y)(w, w)[1]) == 3.0
    assert float(value_and_grad(lambda x, y: x * y)(w, 2 * w)[1]) == 6.0


@given(st.floats(-3, 3))
def test_a_transform_within_another_does_not_confuse_their_variables(x: float) -> None:
    def inner(y: Any) -> Any:
        return value_and_grad(lambda z: z * y)(y)[1]  # the slope of z ↦ z y at z = y, which is y

    assert value_and_grad(lambda y: y * inner(y))(x)[1] == 2 * x


# --- what drops the gradient, and calls that are written in another way -----------------------------------------------


def filled(x: Any) -> Any:
    squares = np.zeros(2)
    squares[0] = x[0] ** 2
    return squares.sum()


DROPPING: list[tuple[Callable[[Any], Any], str, str]] = [
    (lambda x: math.sin(x[0]) + x[1], "math.sin(…) of", "write np.sin(…)"),
    (lambda x: x[1] * sqrt(x[0]), "sqrt(…) of", "write np.sqrt(…)"),
    (
        lambda x: math.gamma(x[0]) + x[1],
        "float(t) of",
        "compute with t itself, which needs no float(), and write np.exp",
    ),
    (
        lambda x: float(x[0]) * x[1],
        "float(t) of",
        "compute with t itself, which needs no float(), and write np.exp(t) i",
    ),
    (
        lambda x: x[0].item() + x[1],
        "item() of",
        "compute with t itself, which needs no float(), and write np.exp(t) ins",
    ),
    (filled, "array[i] = t with", "write np.stack([t, …]) instead of filling an array"),
]


@pytest.mark.parametrize(("function", "use", "remedy"), DROPPING)
@pytest.mark.parametrize("transform", [value_and_grad, jacobian, hessian, elementwise_grad])
def test_a_plain_number_within_a_transform_raises(transform: Any, function: Any, use: str, remedy: str) -> None:
    dropped = f"in the function passed to {transform.__name__} would silently drop its gradient: {remedy}"
    message = f"^{re.escape(use)} a tensor {re.escape(dropped)}.*{re.escape('write float(t.detach())')}$"
    with pytest.raises(LostGraphError, match=message):
        transform(function)(np.array([1.0, 2.0]))


def test_without_the_text_of_the_line_the_usual_ways_to_drop_a_gradient_are_listed() -> None:
    names: dict[str, Any] = {"math": math}
    exec(compile("def f(x):\n    return math.sin(x[0]) + x[1]", "<no such file>", "exec"), names)
    with pytest.raises(LostGraphError, match=r"^float\(t\) of a tensor .*write np\.exp\(t\) instead of math\.exp\(t\)"):
        value_and_grad(names["f"])(np.array([1.0, 2.0]))


@pytest.mark.parametrize("transform", [value_and_grad, hessian, jacobian, elementwise_grad])
def test_a_function_with_several_results_is_refused_and_nothing_else_is_said(transform: Any) -> None:
    x = np.array([1.0, 2.0])
    for function in (lambda x: (np.sum(x), x), lambda x: [1.0, 2.0]):
        with pytest.raises(TypeError, match=r"one array or number, not a (tuple|list): (for further|write np\.stack)"):
            transform(function)(x)


def test_numbers_for_display_and_for_branches_are_free() -> None:
    seen: list[Any] = []

    def function(x: Any) -> Any:
        total = np.sum(x**2)
        seen.extend([float(total.detach()), f"{total:.1f}", "%.1f" % total, int(x[1]), bool(total > 3)])  # noqa: UP031
        with no_grad():
            seen.append(float(total))
        return total

    close(value_and_grad(function)(np.array([1.0, 2.0]))[1], [2.0, 4.0])
    assert seen == [5.0, "5.0", "5.0", 2, True, 5.0]
    assert float(Tensor(2.0, requires_grad=True)) == 2.0


def test_calls_in_the_manner_of_others_say_what_to_write() -> None:
    x, f = np.ones(2), np.sum
    for transform in (value_and_grad, jacobian, hessian, elementwise_grad):
        name = transform.__name__
        with pytest.raises(TypeError, match=rf"at x, write {name}\(f\)\(x\)"):
            transform(f, x)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=rf"{name} takes a function, not ndarray: write {name}\(f\)\(x\)"):
            transform(x)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=rf"^{name}\(\) got .*'argnum': write argnums= instead of argnum=$"):
            transform(f, argnum=1)  # type: ignore[call-arg]
        with pytest.raises(TypeError, match=rf"^{name}\(\) got .*'has_aux': write loss, more = f\(x\), with a Tensor"):
            transform(f, has_aux=True)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"not a list: write np\.stack"):
        jacobian(lambda x: [x[0], x[1]])(x)
    w = Tensor(x, requires_grad=True)
    with pytest.raises(TypeError, match=r"write grad\(loss, parameters\)"):
        grad(np.sum(w))
    with pytest.raises(GradientError, match=r"Pass the outputs first, as in grad\(loss, parameters\)"):
        grad({"w": w}, np.sum(w))  # type: ignore[call-overload]


def test_second_derivatives_of_linear_functions_are_zeros() -> None:
    x, y = np.ones(2), np.ones(3)
    close(hessian(np.sum)(x), np.zeros((2, 2)))
    close(hvp(np.sum, (x,), (x,))[0], np.zeros(2))
    blocks = hessian(lambda x, y: np.sum(x) + np.sum(y**2), (0, 1))(x, y)
    for i, j in ((0, 0), (0, 1), (1, 0)):
        close(blocks[i][j], np.zeros((len((x, y)[i]), len((x, y)[j]))))
    close(blocks[1][1], 2 * np.eye(3))
