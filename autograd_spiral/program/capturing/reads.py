"""Reads: the functions with which guards look things up. Each takes an object, what to read from it, and a default."""

from __future__ import annotations

import sys
import types
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeAlias

from autograd_spiral.engine.table import PRIMITIVES
from autograd_spiral.program.capturing.cache_key import constant_key

__all__ = [
    "Read",
    "attribute_of_class",
    "contents_of_cell",
    "free_variable",
    "global_variable",
    "if_same_dict",
    "if_same_items",
    "if_same_list",
    "is_empty",
    "item_of",
    "items_of",
    "keys_of",
    "kind_of",
    "module",
    "part_of_primitive",
]

Read: TypeAlias = Callable[[Any, Any, Any], Any]

# --- functions and classes -------------------------------------------------------------------------------------------


def global_variable(function: types.FunctionType, name: str, otherwise: Any) -> Any:
    """Return a global variable of a function."""
    return function.__globals__.get(name, otherwise)


def free_variable(function: types.FunctionType, i: int, otherwise: Any) -> Any:
    """Return the value of a function's closure variable `i`."""
    cells = function.__closure__ or ()  # fewer if its code was replaced
    return contents_of_cell(cells[i], "cell_contents", otherwise) if i < len(cells) else otherwise


def contents_of_cell(cell: types.CellType, _: str, otherwise: Any) -> Any:
    """Return the value in a cell."""
    return otherwise if is_empty(cell) else cell.cell_contents


def is_empty(cell: types.CellType) -> bool:
    """Return whether a cell is empty, as the cell of a variable that is not yet assigned."""
    return cell == types.CellType()


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


# --- containers: their own classes may have other methods than those of list, tuple and dict -------------------------


def kind_of(container: Any) -> Any:
    """Return the built-in class whose methods read the items of a container."""
    return next(kind for kind in (list, tuple, OrderedDict, dict) if isinstance(container, kind))


def items_of(container: Any) -> tuple[Any, ...]:
    """Return the items of a list or tuple, or the keys and then the values of a dictionary."""
    kind = kind_of(container)
    items = kind.__iter__(container)
    return (*items, *kind.values(container)) if isinstance(container, dict) else tuple(items)


def item_of(container: Any, key: Any, otherwise: Any) -> Any:
    """Return one item, or one value of a dictionary."""
    kind = type(container)
    if kind is list or kind is tuple:  # the fast way, since calls of a captured step come here
        return container[key] if key < len(container) else otherwise
    if isinstance(container, dict):
        return dict.get(container, key, otherwise)
    kind = kind_of(container)
    return kind.__getitem__(container, key) if key < kind.__len__(container) else otherwise


def keys_of(items: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return keys for items: equal constants have equal keys, and a key keeps no other object alive."""
    return tuple(constant_key(item, id) for item in items)


def if_same_items(container: Any, known: tuple[Any, Any], otherwise: Any) -> Any:
    """Return `known`, the ids and constant keys of some items, if the container still has those items."""
    items = items_of(container)
    same = tuple(map(id, items)) == known[0] or keys_of(items) == known[1]
    return known if same else otherwise


def if_same_list(container: Any, known: tuple[Any, Any], otherwise: Any) -> Any:
    """Do what `if_same_items` does, faster, for a list or a tuple."""
    return known if tuple(map(id, container)) == known[0] else if_same_items(container, known, otherwise)


def if_same_dict(container: Any, known: tuple[Any, Any], otherwise: Any) -> Any:
    """Do what `if_same_items` does, faster, for a dict."""
    ids = (*map(id, container), *map(id, container.values()))
    return known if ids == known[0] else if_same_items(container, known, otherwise)
