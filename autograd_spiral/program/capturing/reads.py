"""Reads: the functions with which guards look things up. Each takes an object, what to read from it, and a default."""

from __future__ import annotations

import functools
import itertools
import sys
import types
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeAlias

from autograd_spiral.engine.table import PRIMITIVES
from autograd_spiral.program.capturing.cache_key import constant_key

__all__ = [
    "Items",
    "Read",
    "attribute_of_class",
    "free_variable",
    "global_variable",
    "if_same_items",
    "item_of",
    "items_in",
    "keys_of",
    "module",
    "part_of_primitive",
]

Read: TypeAlias = Callable[[Any, Any, Any], Any]

# --- functions and classes -------------------------------------------------------------------------------------------


def global_variable(function: types.FunctionType, name: str, otherwise: Any) -> Any:
    """Return a global variable of a function."""
    return function.__globals__.get(name, otherwise)


def free_variable(function: types.FunctionType, i: int, otherwise: Any) -> Any:
    """Return the value of a function's closure variable `i`, if it has one."""
    try:
        return function.__closure__[i].cell_contents  # type: ignore[index]
    except (TypeError, IndexError, ValueError):  # the function has other code now, or the cell is empty
        return otherwise


def module(_: Any, name: str, otherwise: Any) -> Any:
    """Return an imported module."""
    return sys.modules.get(name, otherwise)


def part_of_primitive(function: Any, i: int, otherwise: Any) -> Any:
    """Return part `i` of a declared primitive: the body is part 0, and the rules follow."""
    row = PRIMITIVES.get(function)
    return otherwise if row is None else (row.body, *row.vjps)[i]


def attribute_of_class(cls: type, name: str, otherwise: Any) -> Any:
    """Return an attribute of a class itself; methods and properties are returned unbound."""
    return cls.__dict__.get(name, otherwise)


# --- containers: by the methods of list, tuple and dict, which a class of the user's may replace by its own ----------


def items_in(container: Any) -> Callable[[Any], Iterable[Any]]:
    """Return the function that lists the items of such containers: for a dict, its keys and then its values."""
    return next(function for kind, function in _ITEMS.items() if isinstance(container, kind))


def _in_dict(container: Any, kind: Any = dict) -> Iterable[Any]:
    return itertools.chain(kind.__iter__(container), kind.values(container))


_ITEMS: dict[Any, Callable[[Any], Iterable[Any]]] = {
    list: list.__iter__,
    tuple: tuple.__iter__,
    OrderedDict: functools.partial(_in_dict, kind=OrderedDict),
    dict: _in_dict,
}


def item_of(container: Any, i: int, _: Any) -> Any:
    """Return item `i` of a list or a tuple."""
    return (list if isinstance(container, list) else tuple).__getitem__(container, i)


def if_same_items(container: Any, known: Items, otherwise: Any) -> Any:
    """Return `known` if the container still has these items, or constants that are equal to them."""
    if (*map(id, known.of(container)),) == known.ids or keys_of(known.of(container)) == known.keys:
        return known
    return otherwise


class Items(NamedTuple):
    """The items of a container by their ids, and by keys that are equal for equal constants."""

    of: Callable[[Any], Iterable[Any]]
    ids: tuple[int, ...]
    keys: tuple[Any, ...]


def keys_of(items: Iterable[Any]) -> tuple[Any, ...]:
    """Return a key for each item: equal constants have equal keys. A key keeps nothing else than a constant alive."""
    return tuple([constant_key(item, id) for item in items])
