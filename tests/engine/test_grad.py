"""`grad` returns the gradients that `backward` adds, as new tensors, and stores them nowhere."""

import warnings
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest
from leaves import leaf

from autograd_spiral import Tensor, capture, grad, no_grad, relu
from autograd_spiral.errors import DtypeError, GradientError, ShapeError


class Pair(NamedTuple):
    left: Any
    right: Any


@dataclass(frozen=True)
class Net:
    first: Any
    rest: Any


both = pytest.mark.parametrize("create_graph", [False, True])


@both
def test_gradients_have_the_form_of_the_inputs(create_graph):
    x, y = leaf([1, 2]), leaf([3, 4])
    loss = (x * y).sum()
    single = grad(loss, x, create_graph=create_graph)
    assert single.data.tolist() == [3, 4]
    assert single.requires_grad is create_graph
    several = grad(loss, [x, y], create_graph=create_graph)
    assert [g.data.tolist() for g in several] == [[3, 4], [1, 2]]
    assert type(several) is list
    assert type(grad(loss, iter([x, y]), create_graph=create_graph)) is tuple
    assert grad([loss], (x,), create_graph=create_graph)[0].data.tolist() == [3, 4]
    net = Net({"W": x}, [Pair(y, (x, y))])
    found = grad(loss, net, create_graph=create_graph)
    assert type(found) is Net
    assert type(found.rest[0]) is Pair
    assert [g.data.tolist() for g in (found.first["W"], found.rest[0].left, *found.rest[0].right)] == [
        *([3, 4], [1, 2], [3, 4], [1, 2]),
    ]
    assert x.grad is None
    assert y.grad is None


@both
def test_an_input_that_was_never_used_gets_zeros(create_graph):
    x, unused = leaf([1, 2]), Tensor(np.ones((2, 3), np.float32), requires_grad=True)
    got = grad((x * 2).sum(), [unused, x], create_graph=create_graph)
    assert (got[0].shape, got[0].dtype) == ((2, 3), np.float32)
    assert not got[0].data.any()
    assert got[1].data.tolist() == [2, 2]


@capture
def captured_loss(w):
    return (w * w).sum()


LOST = {
    "a constant": lambda w: Tensor(1.0),
    "of no_grad": lambda w: no_grad()(lambda: (w * w).sum())(),
    "detached": lambda w: (w * w).detach().sum(),
    "of values": lambda w: Tensor(np.sum(w.data**2)),
    "of a gradient": lambda w: np.square(grad((w**3).sum(), w)).sum(),
    "of a captured step": lambda w: captured_loss(w),
}


@both
@pytest.mark.parametrize("lost", LOST)
def test_grad_of_an_output_without_a_graph_warns_and_returns_zeros(lost, create_graph):
    w = leaf([1, 2])
    output = LOST[lost](w)
    with pytest.warns(
        UserWarning, match=r"grad returns zeros, because a tensor does not require gradients. .*create_graph=True"
    ):
        got = grad(output, w, create_graph=create_graph)
    assert got.data.tolist() == [0, 0]


def test_zero_gradients_of_a_recorded_function_do_not_warn():
    w = leaf([1, 2])
    first = grad((3 * w).sum(), w, create_graph=True)
    assert grad((first * first).sum(), w, create_graph=True).data.tolist() == [0, 0]
    assert grad(np.floor(w).sum(), w).data.tolist() == [0, 0]


@both
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_an_output_that_does_not_depend_on_the_inputs_adds_nothing(create_graph, order):
    x, other = leaf([1, 2]), leaf(5)
    outputs = [(x * x).sum(), other * 3]
    got = grad([outputs[i] for i in order], x, create_graph=create_graph)
    assert got.data.tolist() == [2, 4]


@both
def test_cotangents_weight_the_outputs(create_graph):
    x = leaf([1, 2])
    outputs = [x * x, x.sum(), x * 3]
    got = grad(outputs, x, [np.array([1.0, 10.0]), 100.0, leaf([1, 1])], create_graph=create_graph)
    assert got.data.tolist() == [2 + 100 + 3, 40 + 100 + 3]
    with pytest.raises(ShapeError, match="3 outputs but 2 cotangents"):
        grad(outputs, x, [None, None], create_graph=create_graph)
    with pytest.raises(GradientError) as caught:
        grad(outputs, x, create_graph=create_graph)
    assert str(caught.value) == (
        "grad() needs a single number, such as a loss, but a tensor has shape (2,): reduce it, as in grad(t.sum(), …) "
        "or grad(t.mean(), …), or pass cotangents=, an array of that shape with a weight for each element"
    )


@both
def test_gradients_with_respect_to_nodes_and_to_the_output_itself(create_graph):
    x = leaf([1, 2])
    h = x * x
    y = (h * 3 + x).sum()
    got = grad(y, [h, y, x], create_graph=create_graph)
    assert got[0].data.tolist() == [3, 3]
    assert got[1].item() == 1
    assert got[2].data.tolist() == [7, 13]


class Unvisited(tuple):
    """Arguments of a node that may not be looked at."""

    def __iter__(self):
        raise AssertionError("visited")


@both
def test_nothing_is_visited_that_was_computed_before_all_inputs(create_graph):
    w = leaf([1, 2])
    before = w * 3.0
    x = before + w
    loss = np.sum(x * x * before)
    before.args = Unvisited(before.args)
    assert grad(loss, x, create_graph=create_graph).data.tolist() == [2 * 4 * 3, 2 * 8 * 6]


@both
def test_inputs_from_several_times_get_what_each_gets_alone(create_graph):
    w = leaf([1, 2])
    x = np.sin(w)
    y = x * w + leaf([3, 4])
    loss = np.sum(np.exp(y) * x * w)
    together = grad(loss, [y, w, x], create_graph=create_graph)
    assert [g.data.tolist() for g in together] == [grad(loss, t).data.tolist() for t in (y, w, x)]


def steps(count, update):
    """Messages of the warnings in `count` rounds that each replace a tensor by `update` of it."""
    w = Tensor([1.0, -2.0], requires_grad=True, name="w")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(count):
            w = update(w, grad(np.sum(w * w), w))
    return [str(warning.message) for warning in caught]


def test_updates_that_make_new_tensors_are_warned_of_once():
    (message,) = steps(30, lambda w, dw: w - 0.1 * dw)
    assert "in each of 10 updates" in message
    assert "write w.assign(w - 0.1 * dw) instead of w = w - 0.1 * dw" in message
    assert len(steps(11, lambda w, dw: -0.1 * dw.data + w)) == 1


def test_layers_few_updates_and_leaves_are_not_taken_for_updates():
    assert steps(10, lambda w, dw: w - 0.1 * dw) == []  # as in an inner loop of meta-learning
    assert steps(30, lambda w, dw: w + np.tanh(w)) == []
    assert steps(30, lambda w, dw: np.tanh(w)) == []
    assert steps(30, lambda w, dw: w * Tensor(0.9) + 1.0) == []


@pytest.mark.parametrize("combine", [np.multiply, np.add])
def test_constants_of_the_same_shape_are_not_taken_for_updates(combine):
    x = h = leaf([1, 2])
    for _ in range(10):
        h = combine(h, np.array([0.5, 1.0]))
    for _ in range(2):
        grad(np.sum(h * h), h)
        grad(np.sum(h * h), [x, h])
    assert steps(30, lambda w, dw: Tensor(w.data - 0.1 * dw.data, requires_grad=True)) == []


@both
def test_an_output_given_twice_counts_twice(create_graph):
    x = leaf([1, 2])
    y = (x * x).sum()
    assert grad([y, y], x, create_graph=create_graph).data.tolist() == [4, 8]


@both
def test_results_are_new_tensors(create_graph):
    x, y = leaf([1, 2]), leaf([3, 4])
    weight = Tensor([1.0, 1.0]), leaf([1, 1]) * 1
    for cotangent in weight:
        got = grad(+x + y, [x, y, x], cotangent, create_graph=create_graph)
        assert len({id(t) for t in (*got, cotangent, x, y)}) == 6
        assert [g.data.tolist() for g in got] == [[1, 1]] * 3
    alone = grad(x, x, weight[1], create_graph=create_graph)
    assert alone is not weight[1]
    assert alone is not x


@both
def test_gradients_share_no_memory_that_anybody_can_write_to(create_graph):
    x, y, w = leaf([1, 2]), leaf([3, 4]), leaf([5, 6])
    cotangent = np.array([0.5, 0.25])
    results = grad(x + y - w, [x, y, w, x], cotangent, create_graph)
    cotangent[:] = 100
    for result, sign in zip(results, (1, 1, -1, 1), strict=True):
        np.testing.assert_array_equal(result.data, [sign * 0.5, sign * 0.25])
        assert not result.data.flags.writeable
    assert len(set(map(id, results))) == 4


@both
def test_inputs_and_outputs_without_gradients_raise(create_graph):
    x, whole = leaf([1, 2]), Tensor([1, 2])
    with pytest.raises(DtypeError, match="input 0 has dtype int64"):
        grad(x.sum(), whole, create_graph=create_graph)
    with pytest.raises(DtypeError, match="output 0 has dtype int64"):
        grad(whole.sum(), x, create_graph=create_graph)
    with pytest.raises(GradientError, match="input 1 does not require gradients"):
        grad(x.sum(), [x, Tensor([1.0])], create_graph=create_graph)
    with pytest.raises(TypeError, match="input 0 must be a Tensor, not ndarray"):
        grad(x.sum(), [x.data], create_graph=create_graph)
    with pytest.raises(TypeError, match="output 0 must be a Tensor, not float"):
        grad([1.0], x, create_graph=create_graph)
    for net, error, message in (
        ({"W": x, "rate": x.data}, TypeError, "input 'rate' must be a Tensor, not ndarray"),
        (Net(x, [{"b": Tensor([1.0])}]), GradientError, "input 'rest_0_b' does not require gradients"),
        (Net({"W": whole}, x), DtypeError, "input 'first_W' has dtype int64"),
        (object(), TypeError, "must be a Tensor, or a list, tuple, dict or dataclass of Tensors, not object"),
    ):
        with pytest.raises(error, match=message):
            grad(x.sum(), net, create_graph=create_graph)


# --- gradients of gradients -----------------------------------------------------------------------------------------

AT = np.array([0.3, 1.7])
THIRD = {
    "power": (lambda x: x**5, lambda v: 60 * v**2),
    "exp": (np.exp, np.exp),
    "sin": (np.sin, lambda v: -np.cos(v)),
    "log": (np.log, lambda v: 2 / v**3),
    "reciprocal": (lambda x: 1 / x, lambda v: -6 / v**4),
    "product of itself": (lambda x: x * x * x * x, lambda v: 24 * v),
    "indexed": (lambda x: x[[0, 1]] ** 3, lambda v: np.full(2, 6.0)),
    "tanh": (np.tanh, lambda v: (1 - np.tanh(v) ** 2) * (6 * np.tanh(v) ** 2 - 2)),
    "relu of cubes": (lambda x: relu(x**3), lambda v: np.full(2, 6.0)),
}


@pytest.mark.parametrize("name", THIRD)
def test_third_derivatives(name):
    call, third = THIRD[name]
    x = leaf(AT)
    out = call(x).sum()
    for _ in range(2):
        out = grad(out, x, create_graph=True).sum()
    np.testing.assert_allclose(grad(out, x).data, third(AT), rtol=1e-12)
    out.backward()
    np.testing.assert_allclose(x.grad, third(AT), rtol=1e-12)


def test_mixed_derivatives_commute():
    x, y = leaf([0.5, 2]), leaf([3, 0.25])
    out = (np.sin(x * y) * x).sum()
    xy = grad(grad(out, x, create_graph=True).sum(), y).data
    yx = grad(grad(out, y, create_graph=True).sum(), x).data
    np.testing.assert_allclose(xy, yx, rtol=1e-12)
    assert np.all(xy != 0)


def test_a_gradient_is_differentiable_with_respect_to_its_cotangent():
    x, w = leaf([1, 2]), leaf([3, 4])
    g = grad(x**2, x, w, create_graph=True)
    assert grad(g.sum(), w).data.tolist() == [2, 4]
    assert grad(g.sum(), x).data.tolist() == [6, 8]


def test_gradients_are_recorded_inside_no_grad_only_on_request():
    x = leaf(3)
    y = x**3
    with no_grad():
        first = grad(y, x, create_graph=True)
        assert not grad(y, x).requires_grad
        assert not (x * 2).requires_grad
    assert grad(first, x).item() == 18


def test_gradients_have_the_dtypes_of_their_inputs_at_every_order():
    x = Tensor(np.float32([1, 2]), requires_grad=True)
    y = leaf([3, 4])
    first = grad((x * x * y).sum(), [x, y], create_graph=True)
    assert [g.dtype for g in first] == [np.float32, np.float64]
    second = grad(first[0].sum(), [x, y])
    assert [g.dtype for g in second] == [np.float32, np.float64]
    assert [g.data.tolist() for g in second] == [[6, 8], [2, 4]]
