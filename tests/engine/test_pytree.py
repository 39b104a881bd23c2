"""Arguments and results in containers."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pytest
from captured import ONES, count_of, leaf
from hypothesis import given
from hypothesis import strategies as st
from programs import assert_same, flat

from autograd_spiral import Tensor, capture, grad
from autograd_spiral.engine.pytree import LEAF, flatten, leaf_names, unflatten
from autograd_spiral.errors import CaptureError

w = leaf(name="w")


def test_arrays_and_tensors_in_containers_are_inputs() -> None:
    def step(batch: Any, *rest: Any, scale: Any) -> Any:
        return {"sum": batch["x"][0] * w + rest[0], "more": [rest[0], (scale, None, "text", 3)]}

    captured = capture(step)
    for k in (1.0, 2.0):
        args = ({"x": [k * ONES]}, Tensor(k * ONES))
        result = captured(*args, scale=np.array(k))
        expected = step({"x": [Tensor(k * ONES)]}, Tensor(k * ONES), scale=Tensor(k))
        assert_same(flat(result["sum"]), flat(expected["sum"]), "sum")
        assert result["more"][1][1:] == (None, "text", 3)
        assert float(result["more"][1][0]) == k
    assert count_of(captured) == 1
    assert [captured.program.names[value].text for value in captured.program.inputs] == ["x_0", "rest_0", "scale"]


class Pair(NamedTuple):
    left: Any
    right: Any


def test_named_tuples_and_ordered_dicts_come_back_as_such() -> None:
    captured = capture(lambda pair: OrderedDict(pair=Pair(pair.left * w, pair.right.sum())))
    for k in (1.0, 2.0):
        result = captured(Pair(k * ONES, k * ONES))
        assert type(result) is OrderedDict
        assert type(result["pair"]) is Pair
        assert_same(flat(list(result["pair"])), [k * w.data, 2 * k], "value")
    assert count_of(captured) == 1


@dataclass
class Batch:
    x: Any
    y: Any = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Layer:
    W: Any
    late: Any = field(init=False, repr=False)


def test_dataclasses_of_arrays_are_inputs_and_come_back() -> None:
    captured = capture(lambda batch, layer: Batch(batch.x * w, {"W": layer.W * 2}, batch.note))
    for k in (1.0, 2.0):
        for layer in (Layer(k * ONES), Layer(Tensor(k * ONES))):
            result = captured(Batch(k * ONES, note="seen"), layer)
            assert type(result) is Batch
            assert result.note == "seen"
            assert_same([result.x.data, result.y["W"].data], [k * w.data, 2 * k * ONES], "value")
    assert [captured.program.names[value].text for value in captured.program.inputs] == ["x"]


class Scaled(NamedTuple):
    x: Any
    factor = 2.0  # type: ignore[misc]

    def value(self) -> Any:
        return self.x * self.factor


@dataclass
class ScaledBatch:
    x: Any
    factor: ClassVar[float] = 2.0

    def value(self) -> Any:
        return self.x * self.factor


@pytest.mark.parametrize("kind", [Scaled, ScaledBatch])
def test_what_the_class_of_an_argument_holds_is_watched(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    captured = capture(lambda batch: batch.value() * w)
    for _ in range(5):
        assert_same([captured(kind(ONES)).data], [2 * w.data], "value")
    monkeypatch.setattr(kind, "factor", 3.0)
    assert_same([captured(kind(ONES)).data], [3 * w.data], "value")
    monkeypatch.setattr(kind, "value", lambda self: self.x - self.factor)
    assert_same([captured(kind(ONES)).data], [-2 * w.data], "value")
    assert count_of(captured) == 3


def test_dataclasses_of_tensors_alone_are_models_that_a_step_updates() -> None:
    @dataclass
    class Model:
        W: Any
        total: Any
        calls: int = 0

    model = Model(leaf(1.0, 2.0), Tensor(np.zeros(2)))

    @capture
    def step(model: Any, x: Any) -> Any:
        model.calls += 1
        gradient = grad((model.W * x).sum(), model.W)
        model.total.assign(model.total + gradient)
        return gradient

    with pytest.warns(UserWarning, match="step changes 'calls'"):
        step(model, ONES)
    for _ in range(4):
        step(model, ONES)
    assert_same([model.total.data], [5 * ONES], "state")
    assert [step.program.names[value].text for value in step.program.state] == ["total", "W"]
    assert count_of(step) == 1


def test_parameters_may_be_arguments_in_any_form_and_keep_their_names() -> None:
    @capture
    def step(net: Any, x: Any) -> Any:
        loss = (x * net["W1"] ** 2 + net["rest"].W).sum()
        return grad(loss, net)

    net = {"W1": leaf(1.0, 2.0), "rest": Layer(leaf(3.0, 4.0))}
    for k in (1.0, 2.0):
        found = step(net, k * ONES)
        assert type(found["rest"]) is Layer
        assert_same([found["W1"].data, found["rest"].W.data], [2 * k * net["W1"].data, ONES], "value")
    assert count_of(step) == 1
    assert "return dW1, dW" in step.source


def change_item(tree: Any) -> None:
    tree[0] += 1


def change_key(tree: Any) -> None:
    tree["W"] = tree["W"] * 2


def remove(tree: Any) -> None:
    tree.pop("x")


def change_attribute(tree: Any) -> None:
    tree.x = tree.x * 2


@pytest.mark.parametrize(
    ("change", "tree"),
    [
        (change_item, [0, ONES]),
        (change_key, {"W": leaf(1.0, 2.0)}),
        (change_key, {"W": ONES}),
        (remove, {"x": ONES}),
        (change_attribute, Batch(ONES)),
        (list.clear, [w]),
        (lambda tree: tree[0].append(3), ([],)),
    ],
)
def test_a_step_that_changes_a_container_that_it_was_passed_says_so(change: Any, tree: Any) -> None:
    before = flatten(tree)

    def step(tree: Any, x: Any) -> Any:
        change(tree)
        return x * 2

    with pytest.raises(CaptureError, match="step changes a list, dict or dataclass among its arguments, "):
        capture(step)(tree, ONES)
    assert flatten(tree)[1] == before[1]
    assert all(a is b for a, b in zip(flatten(tree)[0], before[0], strict=True))


def test_names_are_those_that_lead_to_a_leaf() -> None:
    tree = {"W": 1, "layers": [Batch(2, (3, 4)), Pair(5, {6: 7})]}
    expected = "W layers_0_x layers_0_y_0 layers_0_y_1 layers_0_note layers_1_left layers_1_right_6"
    assert leaf_names(flatten(tree)[1], "tree") == expected.split()
    assert leaf_names(flatten(1)[1], "tree") == ["tree"]
    assert leaf_names(flatten([1, [2]])[1], "tree") == ["tree_0", "tree_1_0"]
    assert leaf_names(flatten([1, {"b": 2}])[1]) == ["", "b_1"]
    assert leaf_names(flatten([[{"b": 1}, 2]])[1]) == ["b_0_0", ""]


def test_a_dataclass_keeps_attributes_that_are_no_fields() -> None:
    batch = Batch(1)
    batch.more = 2  # type: ignore[attr-defined]
    leaves, treedef = flatten(batch)
    assert leaves == [1, 0, "", 2]
    again = unflatten(treedef, iter("abcd"))
    assert (type(again), vars(again)) == (Batch, {"x": "a", "y": "b", "note": "c", "more": "d"})
    assert not hasattr(unflatten(flatten(Layer(1))[1], iter("a")), "late")


def test_classes_and_dataclasses_that_make_themselves_are_leaves() -> None:
    @dataclass
    class Own(dict):  # type: ignore[type-arg]
        x: int = 1

    for tree in (Batch, Own(), 1.0, "text"):
        leaves, treedef = flatten(tree)
        assert treedef is LEAF
        assert leaves[0] is tree


def build(pieces: Any) -> Any:
    """Containers of `pieces`, of every kind that is taken apart."""
    keys = st.sampled_from(["a", "b", 1])
    return st.one_of(
        st.lists(pieces, max_size=3),
        st.lists(pieces, max_size=3).map(tuple),
        st.dictionaries(keys, pieces, max_size=3),
        st.dictionaries(keys, pieces, max_size=3).map(OrderedDict),
        st.builds(Pair, pieces, pieces),
        st.builds(Batch, pieces, pieces, pieces),
        st.builds(Layer, pieces),
    )


TREES = st.recursive(st.one_of(st.integers(), st.none(), st.text(max_size=2)), build, max_leaves=8)


@given(TREES)
def test_unflatten_is_the_inverse_of_flatten(tree: Any) -> None:
    leaves, treedef = flatten(tree)
    again = unflatten(treedef, iter(leaves))
    assert repr(again) == repr(tree)  # of the same types, too
    assert flatten(again) == (leaves, treedef)


@given(TREES, TREES)
def test_treedefs_are_equal_and_hash_alike_for_trees_that_differ_in_their_leaves_alone(one: Any, other: Any) -> None:
    leaves, treedef = flatten(one)
    renamed = unflatten(treedef, iter(range(len(leaves))))
    assert flatten(renamed)[1] == treedef
    assert hash(flatten(renamed)[1]) == hash(treedef)
    count = len(flatten(other)[0])
    same = flatten(other)[1] == treedef
    assert same == (repr(unflatten(flatten(other)[1], iter(range(count)))) == repr(renamed))
