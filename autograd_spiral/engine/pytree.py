"""Pytrees: how to turn a container of tensors into a flat list of leaves and back, and how its leaves are named.

A container is a list, a tuple, a named tuple, a dict or a dataclass; anything else is a leaf. Besides tensors, a
container may hold settings, such as a rate, the name of an activation, or None: these belong to its structure.
"""

from __future__ import annotations

import dataclasses
import functools
import numbers
import types
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

__all__ = ["LEAF", "Setting", "called_in", "flatten", "leaf_names", "paths", "unflatten", "with_settings"]

LEAF = object()
"""The treedef of a single leaf."""


class Setting(NamedTuple):
    """The treedef of a setting, which does not count as a leaf."""

    value: Any


_SETTINGS = (str, bytes, bool, np.bool, types.NoneType)
_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, np.ufunc, type(np.sum), type)
_NUMBERS = (numbers.Number, np.number)


def flatten(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> tuple[list[Any], Any]:
    """Return the leaves of `tree`, in order, and its treedef: the structure of containers around them.

    A part for which `is_leaf` returns True is not taken apart.

    >>> leaves, treedef = flatten({"a": [1, 2], "b": 3})
    >>> leaves, unflatten(treedef, iter("xyz"))
    ([1, 2, 3], {'a': ['x', 'y'], 'b': 'z'})
    """
    leaves: list[Any] = []
    treedef = _treedef(tree, leaves, is_leaf)
    return leaves, treedef


def _treedef(tree: Any, leaves: list[Any], is_leaf: Callable[[Any], bool] | None) -> Any:
    """Return the treedef of `tree`, and append its leaves to `leaves`."""
    kind: Any = type(tree)
    parts_of = _parts_of(kind)
    if parts_of is None or (is_leaf is not None and is_leaf(tree)):
        leaves.append(tree)
        return LEAF
    return kind, tuple([(key, _treedef(part, leaves, is_leaf)) for key, part in parts_of(tree)])


@functools.lru_cache(64)
def _parts_of(kind: Any) -> Any:
    """Return the function that returns the keys and parts of containers of this class; None for a class of leaves."""
    if kind is list or kind is tuple:
        return enumerate
    if kind is dict or kind is OrderedDict:
        return kind.items
    if issubclass(kind, tuple) and hasattr(kind, "_make"):
        return lambda tree: zip(tree._fields, tree, strict=True)
    if hasattr(kind, "__dataclass_fields__") and kind.__new__ is object.__new__:
        return _attributes
    return None


def _attributes(tree: Any) -> Iterable[tuple[str, Any]]:
    names = [field.name for field in dataclasses.fields(tree) if hasattr(tree, field.name)]
    return ({name: getattr(tree, name) for name in names} | getattr(tree, "__dict__", {})).items()


def unflatten(treedef: Any, leaves: Iterator[Any]) -> Any:
    """Return the tree with this treedef and these leaves: the inverse of `flatten`.

    The attributes of a dataclass are set directly, without calling its `__init__`.
    """
    if treedef is LEAF:
        return next(leaves)
    if type(treedef) is Setting:
        return treedef.value
    kind, parts = treedef
    if kind is dict or kind is OrderedDict:
        return kind((key, unflatten(part, leaves)) for key, part in parts)
    if not issubclass(kind, list | tuple):
        tree = object.__new__(kind)
        for key, part in parts:
            object.__setattr__(tree, key, unflatten(part, leaves))  # works for frozen dataclasses, too
        return tree
    build: Callable[[Any], Any] = getattr(kind, "_make", kind)  # of a named tuple
    return build([next(leaves) if part is LEAF else unflatten(part, leaves) for _, part in parts])


def with_settings(leaves: list[Any], treedef: Any, *, numbers: bool) -> tuple[list[Any], Any]:
    """Return the leaves that are not settings, and a treedef that holds the settings in their places.

    Settings are strings, bools, None and functions; with `numbers`, Python's and NumPy's numbers are settings, too. But
    a leaf outside any container is not a setting. If all leaves would be settings, none of them is.

    >>> leaves, treedef = with_settings(*flatten({"W": [1.0], "activation": "tanh"}), numbers=False)
    >>> leaves, unflatten(treedef, iter([2.0]))
    ([1.0], {'W': [2.0], 'activation': 'tanh'})
    """
    kinds = _SETTINGS + _FUNCTIONS + (_NUMBERS if numbers else ())
    rest = [leaf for leaf in leaves if not isinstance(leaf, kinds)]
    if treedef is LEAF or not rest or len(rest) == len(leaves):
        return leaves, treedef
    return rest, _settled(treedef, iter(leaves), kinds)


def _settled(treedef: Any, leaves: Iterator[Any], kinds: tuple[type, ...]) -> Any:
    if treedef is LEAF:
        return Setting(leaf) if isinstance(leaf := next(leaves), kinds) else LEAF
    kind, parts = treedef
    return kind, tuple([(key, _settled(part, leaves, kinds)) for key, part in parts])


def leaf_names(treedef: Any, of: str = "") -> list[str]:
    """Return a name for each leaf: the keys and attributes that lead to it, or the name `of` the tree with a number.

    If only numbers lead to a leaf and the tree has no name, the name of the leaf is "".

    >>> _, treedef = flatten({"W": 1, "layers": [{"b": 2}]})
    >>> leaf_names(treedef), leaf_names(flatten([1, 2])[1], "x"), leaf_names(flatten([{"W": 1}, {"W": 2}])[1])
    (['W', 'layers_0_b'], ['x_0', 'x_1'], ['W_0', 'W_1'])
    """
    return [_joined(path, of) for path in paths(treedef)]


def called_in(treedef: Any, i: int, role: str) -> str:
    """Return how error messages refer to leaf `i` with this role: by its name if it has one, else by its number.

    >>> called_in(flatten({"W": 1})[1], 0, "input"), called_in(flatten([1, 2])[1], 1, "input")
    ("input 'W'", 'input 1')
    """
    name = leaf_names(treedef)[i]
    return f"{role} {name!r}" if name else f"{role} {i}"


def paths(treedef: Any) -> list[tuple[Any, ...]]:
    """Return the keys and attributes that lead to each leaf.

    >>> paths(flatten({"W": 1, "layers": [2]})[1])
    [('W',), ('layers', 0)]
    """
    if treedef is LEAF or type(treedef) is Setting:
        return [()] if treedef is LEAF else []
    return [(key, *path) for key, part in treedef[1] for path in paths(part)]


def _joined(path: tuple[Any, ...], of: str) -> str:
    at = next((i for i, key in enumerate(path) if not isinstance(key, int)), len(path))
    if at and of:
        path = of, *path
    elif at:  # a name does not begin with a number
        path = (*path[at:], *path[:at]) if path[at:] else ()
    return "_".join(map(str, path)) or of
