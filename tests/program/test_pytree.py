"""Arguments and results in containers."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, NamedTuple

import numpy as np
from captured import ONES, count_of, leaf
from hypothesis import given
from hypothesis import strategies as st
from programs import assert_same, flat

from autograd_spiral import Tensor, capture
from autograd_spiral.program.pytree import flatten, unflatten

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
    assert [captured.program.names[value].text for value in captured.program.inputs] == ["batch_0", "rest_0", "scale"]


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


def build(pieces: Any) -> Any:
    """Containers of `pieces`, of every kind that is taken apart."""
    keys = st.sampled_from(["a", "b", 1])
    return st.one_of(
        st.lists(pieces, max_size=3),
        st.lists(pieces, max_size=3).map(tuple),
        st.dictionaries(keys, pieces, max_size=3),
        st.dictionaries(keys, pieces, max_size=3).map(OrderedDict),
        st.builds(Pair, pieces, pieces),
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
