"""Graphs of any length can be recorded, swept, copied and pickled, and reference counting alone frees them."""

import contextlib
import copy
import gc
import pickle
import weakref

import numpy as np
import pytest
from leaves import leaf

from autograd_spiral import Tensor, grad, no_grad, primitive, relu, softmax_cross_entropy
from autograd_spiral.errors import GradientError

LENGTH = 1_000_000


@pytest.fixture
def uncollected():
    """Without the garbage collector, which would free cycles too, and is slow where there are many objects."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("uncollected")
def test_a_million_operations_are_recorded_swept_copied_pickled_and_dropped():
    x = leaf(1.0)
    y = x
    for _ in range(LENGTH):
        y = y + 1.0
    middle = weakref.ref(y.args[0])
    y.backward()
    assert x.grad == 1
    for duplicate in (copy.deepcopy(y), pickle.loads(pickle.dumps(y))):
        assert duplicate.item() == 1 + LENGTH
        assert duplicate.is_leaf
        assert not duplicate.requires_grad
    del y
    assert middle() is None


@pytest.mark.usefixtures("uncollected")
def test_a_long_graph_of_gradients_is_recorded_swept_and_dropped():
    x, weight = leaf(1.0), leaf(3.0)
    y = x
    for _ in range(100_000):
        y = -y
    first = grad(y, x, cotangents=weight, create_graph=True)
    middle = weakref.ref(first.args[0])
    assert first.item() == 3
    assert grad(first, weight).item() == 1
    del y, first
    assert middle() is None


@pytest.mark.parametrize("length", [10, 100, 1000])
def test_the_sweep_calls_each_rule_once(length):
    calls = []

    @primitive(lambda ct, out, x: calls.append(1) or ct)
    def counted(x):
        return x + 0

    x = leaf([1.0])
    y = x
    for _ in range(length):
        y = counted(y)
        y = y + y
        y = y / 2
    y.backward()
    assert len(calls) == length
    assert x.grad.tolist() == [1]


# --- copies ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))])
def test_copies_of_a_leaf_keep_value_name_and_requires_grad(duplicate):
    x = Tensor(np.float32([1, 2]), requires_grad=True, name="x")
    (x * 3).sum().backward()
    twin = duplicate(x)
    assert twin is not x
    assert (twin.data.tolist(), twin.dtype, twin.name, twin.requires_grad) == ([1, 2], np.float32, "x", True)
    assert twin.grad is None
    twin.assign([7.0, 8.0])
    assert x.data.tolist() == [1, 2]
    with pytest.raises(ValueError, match="read-only"):
        twin.data[0] = 1
    (twin * 2).sum().backward()
    assert (twin.grad.tolist(), x.grad.tolist()) == ([2, 2], [3, 3])


@pytest.mark.parametrize("make", [lambda x: x * x, lambda x: x[::-1], lambda x: x > 1, lambda x: relu(x)])
def test_a_copy_of_a_computed_tensor_keeps_its_graph_and_a_deep_one_its_value(make):
    x = leaf([1, 2])
    y = make(x)
    same = copy.copy(y)
    assert same is not y
    assert (same.data.tolist(), same.dtype, same.requires_grad) == (y.data.tolist(), y.dtype, y.requires_grad)
    if y.requires_grad:
        assert grad(same.sum(), x).data.tolist() == grad(y.sum(), x).data.tolist()
    for duplicate in (copy.deepcopy(y), pickle.loads(pickle.dumps(y))):
        assert (duplicate.data.tolist(), duplicate.is_leaf, duplicate.requires_grad) == (y.data.tolist(), True, False)
        with pytest.raises(GradientError, match=r"its graph was cut by .*copy\.deepcopy\(\), pickle"):
            (duplicate * 2).sum().backward()
    with no_grad():
        assert not copy.copy(y).requires_grad


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))])
def test_a_tensor_held_twice_is_copied_once(duplicate):
    w = leaf([1, 2])
    model = duplicate({"encoder": w, "decoder": w})
    assert model["encoder"] is model["decoder"]
    assert model["encoder"] is not w


# --- no cycles ------------------------------------------------------------------------------------------------------


def network(x, w):
    hidden = relu(np.maximum(x @ w, 0.1) + w[0] - np.mean(w, axis=0))
    return softmax_cross_entropy(np.concatenate([hidden, hidden[:, ::-1]], axis=1), [0, 1])


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize(
    "use",
    [
        lambda loss, w: None,
        lambda loss, w: loss.backward(),
        lambda loss, w: grad(loss, w),
        lambda loss, w: grad(grad(loss, w, create_graph=True).sum(), w),
        lambda loss, w: repr(loss),
        lambda loss, w: copy.deepcopy(loss),
    ],
    ids=["recorded", "backward", "grad", "grad of grad", "repr", "deepcopy"],
)
def test_graphs_are_freed_at_once_without_the_garbage_collector(use):
    x, w = leaf([[1, 2], [3, 4]]), leaf([[0.5, -1], [1, 2]])
    loss = network(x, w)
    nodes = [weakref.ref(loss)]
    node = loss
    while tensors := [arg for arg in node.args if isinstance(arg, Tensor) and not arg.is_leaf]:
        node = tensors[0]
        nodes.append(weakref.ref(node))
    assert len(nodes) > 3
    use(loss, w)
    del loss, node, tensors
    assert [node() for node in nodes] == [None] * len(nodes)
    leaves = [weakref.ref(x), weakref.ref(w)]
    del x, w
    assert [ref() for ref in leaves] == [None, None]


@pytest.mark.usefixtures("uncollected")
def test_errors_keep_no_graph_alive():
    x = leaf([1, 2])
    y = x * 2
    ref = weakref.ref(y)
    with contextlib.suppress(ValueError):
        y + leaf([1, 2, 3])
    with contextlib.suppress(ValueError):
        np.stack([y, x[:1]])
    with contextlib.suppress(RuntimeError):
        y.backward()
    del y
    assert ref() is None


@pytest.mark.usefixtures("uncollected")
def test_operations_on_constants_and_in_no_grad_keep_no_history():
    x = leaf([1, 2])
    with no_grad():
        y = x * 2
    ref = weakref.ref(y)
    z = y + 1
    del y
    assert ref() is None
    assert z.is_leaf
