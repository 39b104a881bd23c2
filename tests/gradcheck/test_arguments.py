"""Inputs in containers, and gradients in whatever form they come."""

from collections import OrderedDict, namedtuple
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_spiral import Tensor, primitive
from autograd_spiral.errors import ShapeError
from autograd_spiral.gradcheck import check_against, check_gradients
from autograd_spiral.gradcheck.arguments import Arguments, leaves_of

Pair = namedtuple("Pair", ["first", "second"])
ONE, TWO = np.ones(1), np.ones(2)


@dataclass(frozen=True)
class Layer:
    W: object
    b: object
    activation: object = np.tanh
    sizes: tuple = field(default=(), compare=False)


leaves = st.integers(0, 3).map(np.zeros)
containers = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3),
        st.lists(inner, min_size=1, max_size=3).map(tuple),
        st.dictionaries(st.text(max_size=2), inner, max_size=3),
        st.builds(Pair, inner, inner),
        st.builds(Layer, inner, inner),
    ),
    max_leaves=8,
)


@settings(max_examples=50, deadline=None)
@given(st.lists(containers, min_size=1, max_size=3))
def test_arguments_come_back_in_their_form_with_other_leaves(inputs):
    arguments = Arguments(lambda *args: 0, inputs)
    assert len(arguments.names) == len(arguments.leaves) == len(arguments.positions)
    assert len(set(arguments.names)) == len(arguments.names)
    others = [object() for _ in arguments.leaves]
    rebuilt = arguments.with_leaves(others)
    assert all(a is b for a, b in zip(leaves_of(rebuilt), others, strict=True))
    assert leaves_of(inputs) == arguments.leaves or all(
        a is b for a, b in zip(leaves_of(inputs), arguments.leaves, strict=True)
    )
    again = arguments.with_leaves(arguments.leaves)
    assert list(map(type, again)) == list(map(type, inputs))


class Model:
    def __call__(self, W, b=0):
        return W

    def loss(self, W, *more):
        return W


@primitive(lambda ct, out, x, mask: ct * mask, None)
def masked(x, mask):
    return x * mask


@pytest.mark.parametrize(
    ("function", "count", "names"),
    [
        (lambda W, b: 0, 2, ["W", "b"]),
        (lambda W, *, reg=1: 0, 1, ["W"]),
        (lambda *xs: 0, 2, ["xs[0]", "xs[1]"]),
        (lambda W, *rest: 0, 3, ["W", "rest[0]", "rest[1]"]),
        (partial(lambda W, b: 0, b=1), 1, ["W"]),
        (partial(lambda W, b: 0, 1), 1, ["b"]),
        (Model(), 2, ["W", "b"]),
        (Model().loss, 2, ["W", "more[0]"]),
        (masked, 2, ["x", "mask"]),
        (np.add, 2, ["input 0", "input 1"]),
        (np.linalg.norm, 1, ["input 0"]),
    ],
)
def test_rows_are_named_after_parameters(function, count, names):
    assert Arguments(function, [ONE] * count).names == names


def test_names_of_what_is_in_containers():
    layer = Layer(ONE, [TWO, {"b": Pair(ONE, Tensor(ONE, name="given"))}])
    assert Arguments(lambda net: 0, [layer]).names == [
        *("net.W", "net.b[0]", "net.b[1]['b'].first", "given", "net.activation"),
    ]


def loss_of(net, x):
    h = x
    for layer in net["layers"]:
        h = layer.activation(h @ layer.W + layer.b)
    return np.sum(h * net["scale"])


def test_a_model_in_containers_is_checked_by_key():
    rng = np.random.default_rng(0)
    layers = [Layer(rng.standard_normal((3, 3)), rng.standard_normal(3)) for _ in range(2)]
    net = OrderedDict(layers=layers, scale=rng.standard_normal(3), seed=7, name="net")
    report = check_gradients(loss_of, net, rng.standard_normal((2, 3)), order=2)
    assert [row.name for row in report.rows[:6]] == [
        *("net['layers'][0].W", "net['layers'][0].b", "net['layers'][1].W", "net['layers'][1].b", "net['scale']", "x"),
    ]
    assert report.ok


def test_outputs_come_in_containers_too():
    assert check_gradients(lambda x: {"a": x * x, "b": [np.sum(x), Pair(x, 1)]}, TWO).ok


@pytest.mark.parametrize("values", [[1.0, 2.0], (1.0, 2.0), [[1.0, 2.0], [3, 4]]])
def test_lists_of_numbers_are_arrays(values):
    (row,) = check_gradients(lambda x: np.sum(x * x), values).rows
    assert row.shape == np.shape(values)


def test_what_is_no_array_is_passed_as_it_is():
    seen = []

    def function(x, n, name, options):
        seen.append((n, name, options))
        return np.sum(x * n)

    assert check_gradients(function, TWO, 3, "name", {"axis": None, "on": True}).ok
    assert set(map(repr, seen)) == {"(3, 'name', {'axis': None, 'on': True})"}


# --- gradients --------------------------------------------------------------------------------------------------------

W, B = np.array([[1.0, -2.0], [0.5, 3.0]]), np.array([0.3, -0.7])
RIGHT = {"W": 2 * W, "b": 3 * B**2}


def two(W, b):
    return np.sum(W * W) + np.sum(b**3)


def of_dict(params):
    return two(params["W"], params["b"])


@pytest.mark.parametrize(
    "gradients",
    [
        (RIGHT["W"], RIGHT["b"]),
        [RIGHT["W"], RIGHT["b"]],
        RIGHT,
        dict(reversed(RIGHT.items())),
        {"b": RIGHT["b"]},
        (None, RIGHT["b"]),
        [Tensor(RIGHT["W"]), None],
        lambda W, b: (2 * W, 3 * b**2),
        lambda W, b: {"b": 3 * b**2},
        lambda W, b: (two(W, b), (2 * W, 3 * b**2)),
        lambda W, b: (two(W, b), 2 * W, 3 * b**2),
        lambda W, b: (two(W, b), {"W": 2 * W}),
    ],
)
def test_forms_of_gradients(gradients):
    report = check_against(two, gradients, W, B)
    assert report.rows
    assert report.ok


@pytest.mark.parametrize(
    "gradients", [RIGHT, dict(reversed(RIGHT.items())), [RIGHT], {"params": RIGHT}, RIGHT | {"b": None}]
)
def test_gradients_of_a_dict(gradients):
    assert check_against(of_dict, gradients, {"W": W, "b": B}).ok


def test_gradients_of_a_dataclass_come_in_its_form():
    layer = Layer(W, B)
    for gradients in (Layer(RIGHT["W"], RIGHT["b"]), RIGHT | {"activation": None, "sizes": ()}):
        assert check_against(lambda layer: two(layer.W, layer.b), gradients, layer).ok
    pair = Pair(W, B)
    for gradients in (Pair(RIGHT["W"], RIGHT["b"]), (RIGHT["W"], RIGHT["b"])):
        assert check_against(lambda pair: two(*pair), gradients, pair).ok


def test_the_function_itself_returns_its_gradients():
    def both(W, b):
        return two(W, b), (2 * W, 3 * b**2)

    def with_a_dict(params):
        return of_dict(params), {"W": 2 * params["W"], "b": 3 * params["b"] ** 2}

    assert check_against(both, True, W, B).ok
    assert check_against(both, both, W, B).ok
    assert check_against(with_a_dict, True, {"W": W, "b": B}).ok
    assert check_against(lambda W, b: (two(W, b), 2 * W, 3 * b**2), True, W, B).ok
    assert check_against(lambda W: (np.sum(W * W), 2 * W), True, W).ok
    assert not check_against(lambda W: (np.sum(W * W), W), True, W, raise_on_mismatch=False).ok


@pytest.mark.parametrize(
    ("function", "gradients", "inputs", "says"),
    [
        (two, [W], (W, B), r"1 gradients but 2 floating inputs \(W, b\): give None"),
        (two, {"W": W, "c": B}, (W, B), r"2 gradients \(W, c\) but 2 floating inputs \(W, b\)"),
        (of_dict, {"W": W}, ({"W": W, "b": B},), r"no gradient for params\['b'\]: give None"),
        (of_dict, {"W": W, "b": B, "c": B}, ({"W": W, "b": B},), r"a gradient for params\['c'\], but no such input"),
        (of_dict, W, ({"W": W, "b": B},), r"for params, a dict with W, b, must be of the same form, not an array"),
        (lambda pair: two(*pair), (W,), ((W, B),), r"must be of the same form"),
        (np.sum, None, (W,), "nothing to compare: the gradients are None"),
        (two, lambda W, b: None, (W, B), "nothing to compare: the gradients returned None: was `return` forgotten"),
        (two, True, (W, B), r"must return \(value, gradients\), not a float64"),
    ],
)
def test_gradients_of_another_form_are_refused(function, gradients, inputs, says):
    with pytest.raises(ShapeError, match=says):
        check_against(function, gradients, *inputs)
