"""Which values the entries of a result depend on."""

import numpy as np
import pytest
from pictures import leaf

from autograd_spiral.drawing.folding.reach import reached
from autograd_spiral.drawing.picture import record_of


def names(compute):
    """The names of the leaves that a result depends on, as far as `reached` tells them apart."""
    leaves = {name: leaf(np.ones(n), name) for name, n in (("a", 2), ("b", 3), ("s", 1))}
    nodes = record_of(compute(**leaves)).nodes
    return "".join(
        sorted(node.name for node in reached([nodes[-1]], {n for n in nodes if n.name in leaves})[nodes[-1]])
    )


def joined(a, b):
    return np.concatenate([a, b])


@pytest.mark.parametrize(
    ("compute", "expected"),
    [
        (lambda a, b, s: joined(a, b)[0:2], "a"),
        (lambda a, b, s: joined(a, b)[2:5].reshape(3, 1), "b"),
        (lambda a, b, s: joined(a, b)[1:4], "ab"),
        (lambda a, b, s: (np.exp(joined(a, b)) * 2.0 + 1.0)[2:4], "b"),
        (lambda a, b, s: (joined(a, b) * joined(b, a))[0:2], "ab"),
        (lambda a, b, s: (joined(a, b) * joined(b, a))[2:3], "b"),
        (lambda a, b, s: (joined(a, b) * s)[0:2], "as"),
        (lambda a, b, s: joined(joined(a, s), b)[2:3], "s"),
        (lambda a, b, s: (joined(a, b) / np.sum(joined(a, b)))[0:2], "ab"),
        (lambda a, b, s: np.cumsum(joined(a, b))[0:2], "ab"),
        (lambda a, b, s: joined(a, b)[::-1][0:3], "ab"),
        (lambda a, b, s: joined(a, b).reshape(5, 1)[0:2], "ab"),
    ],
)
def test_joined_vectors_are_told_apart_and_anything_else_mixes(compute, expected):
    assert names(compute) == expected


def test_long_chains_need_no_recursion():
    x = leaf(np.ones(2), "x")
    y = x
    for _ in range(3000):
        y = y * 0.999
    nodes = record_of(y).nodes
    assert [node.name for node in reached([nodes[-1]], {nodes[0]})[nodes[-1]]] == ["x"]
