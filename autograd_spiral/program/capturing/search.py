"""The search for what a step reads in plain sight.

This is everything that its functions name: globals and closure variables, attributes of the user's objects, and items
of short lists, tuples and dictionaries. The search begins with the step, and goes on with the user's functions and
methods that it finds.
"""

from __future__ import annotations

import builtins
import dis
import functools
import inspect
import itertools
import sys
import types
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.debug.user_code import is_users
from autograd_spiral.engine.table import PRIMITIVES, Primitive
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.program.capturing.guards import CONSTANTS, FUNCTIONS, MISSING, Guards, Row
from autograd_spiral.program.capturing.reads import (
    Items,
    Read,
    attribute_of_class,
    free_variable,
    global_variable,
    if_same_items,
    item_of,
    items_in,
    keys_of,
    module,
    part_of_primitive,
)

__all__ = ["Search"]

_MOST_ITEMS = 64
"""Longer containers count as data, and comparing their items at each call would be slow."""

_MOST_GUARDS = 1000
_STORES = ("STORE_ATTR", "STORE_GLOBAL", "STORE_DEREF", "STORE_SUBSCR")
_ENDS = (*CONSTANTS, Tensor, np.ndarray)  # where a search ends


class Search:
    """A search from some roots for everything that is read by name: functions first, then attributes that they name."""

    def __init__(self, roots: Sequence[Any], expanded: Collection[Primitive] = ()) -> None:
        self.found: list[tuple[str, Any]] = []  # names and values
        self.written: list[tuple[str, Any]] = []  # values, with what a user writes for each: `model.parts[0]`
        self._roots = roots
        self._expanded = expanded  # the declared primitives whose bodies are equations of a program
        self._values = list(roots)  # and then what each read returned
        self._texts = [""] * len(roots)  # what a user writes for each value
        self._reads: dict[Any, Row] = {}
        self._known_by_items: set[int] = set()  # values whose items a guard looks at
        self._items: dict[int, list[Any]] = {}  # the items of containers that have no guards of their own
        self._queue = [("", i) for i in range(len(roots))]
        self._seen: set[int] = set()
        self._objects: list[tuple[int, set[str]]] = []  # where each is, and which attributes were looked up in it
        self._attributes: dict[str, None] = {"__call__": None}  # named by functions
        self._assigned: dict[str, None] = {}  # the attributes to which functions assign
        self._globals: list[tuple[str, Any]] = []  # the globals to which functions assign
        self._stores: set[str | None] = set()  # the names of all to which functions assign, and None for items
        while self._queue:
            while self._queue:
                self._follow(*self._queue.pop(0))
            for index, done in self._objects:
                for name in [name for name in self._attributes if name not in done]:
                    done.add(name)
                    self._attribute(index, name)
        self.guards = Guards(len(roots), self._values, list(self._reads.values()), self._known_by_items, self._items)

    def stored(self) -> list[tuple[str, Any]]:
        """Return the names and values of all that was found, and of attributes and globals that functions assign to."""
        namespaces = [_namespace(self._values[index]) for index, _ in self._objects]
        assigned = [(name, names[name]) for names in namespaces for name in self._assigned if name in names]
        return [*self.found, *((name, _items(value)) for name, value in (*assigned, *self._globals))]

    def counters(self) -> dict[str, Any]:
        """Return the numbers to which functions assign, each by what a user writes for it."""
        return {
            text: value
            for text, value in self.written
            if type(value) in (int, float) and (None if text[-1:] == "]" else text.rpartition(".")[2]) in self._stores
        }

    def tensor_names(self) -> dict[Tensor, str]:
        """Return names for the tensors that variables hold, directly or in a list or a tuple."""
        return {value: name for name, value in reversed(self.found) if type(value) is Tensor}  # the first name wins

    def arrays(self) -> list[tuple[str, NDArray[Any]]]:
        """Return the arrays to which guards lead, each once, with their names."""
        guarded = self.guards.ids()
        pairs = ((name, value) for name, value in self.found if isinstance(value, np.ndarray))
        return list({id(value): (name, value) for name, value in pairs if id(value) in guarded}.values())

    def _read(self, source: int, read: Read, key: Any, name: str = "", text: str = "") -> int:
        """Guard what `read` returns, follow it if it has a name, and return its index among the values.

        `text` is what a user writes for this read. By default, it is the text of the source.
        """
        if (source, read, key) in self._reads:
            return self._reads[source, read, key].result
        value = read(self._values[source], key, MISSING)
        index = self._add(value, text or self._texts[source])
        self._reads[source, read, key] = Row(source, read, key, index, name)
        if name:
            self.written.append((self._texts[index], value))
            self.found.append((name, value))
            if len(self._values) < _MOST_GUARDS:
                self._queue.append((name, index))
        return index

    def _add(self, value: Any, text: str = "") -> int:
        self._values.append(value)
        self._texts.append(text)
        return len(self._values) - 1

    # --- what there is to read in a value ---------------------------------------------------------------------------

    def _follow(self, name: str, index: int) -> None:
        value = self._values[index]
        if id(value) in self._seen or isinstance(value, _ENDS):
            return
        self._seen.add(id(value))
        root = index < len(self._roots)
        if isinstance(value, types.FunctionType):
            if (row := PRIMITIVES.get(value)) is not None:
                self._primitive(index, name, row)
                return
            if root or _is_users(value):
                self._function(index, value)
        if "__wrapped__" in _namespace(value):  # as in a captured step
            parts: tuple[str, ...] = ("__wrapped__",) if _is_users(inspect.unwrap(value)) else ()
        else:
            parts = next((parts for kind, parts in _PARTS.items() if isinstance(value, kind)), ())
            if isinstance(value, list | tuple | dict):
                self._container(index, name, value)
            is_object = not parts and type(value) not in (list, tuple, dict, types.FunctionType)
            if is_object and (root or not isinstance(value, type | types.ModuleType) or _is_users_own(value)):
                self._objects.append((index, set()))
        for part in parts:
            self._read(index, getattr, part, name or part)

    def _function(self, index: int, function: types.FunctionType) -> None:
        code = function.__code__
        self._read(index, getattr, "__code__")
        for name in sorted(set(_names_in(code, "LOAD_GLOBAL", "LOAD_NAME"))):
            if not _means_itself(name, function.__globals__.get(name, MISSING)):
                self._read(index, global_variable, name, name, name)
        for i, name in enumerate(code.co_freevars):
            self._read(index, free_variable, i, name, name)
        for name in _names_in(code, "IMPORT_NAME"):
            self._read(index, module, name, name, name)
        self._attributes.update(dict.fromkeys(_names_in(code, "LOAD_ATTR", "LOAD_METHOD", "IMPORT_FROM")))
        self._stores.update(_names_in(code, *_STORES))
        self._assigned.update(dict.fromkeys(_names_in(code, "STORE_ATTR")))
        assigned = _names_in(code, "STORE_GLOBAL")
        self._globals += [(name, function.__globals__[name]) for name in assigned if name in function.__globals__]
        for name in ("__defaults__", "__kwdefaults__"):
            if getattr(function, name):
                self._read(index, getattr, name, name)

    def _primitive(self, index: int, name: str, row: Primitive) -> None:
        """Follow the rules, and the body if its equations are in a program: otherwise each replay calls the body."""
        for i, part in enumerate((row.body if row in self._expanded else None, *row.vjps)):
            if row.body is not None and _is_users(part):
                self._read(index, part_of_primitive, i, name)

    def _container(self, index: int, name: str, container: Any) -> None:
        is_dict = isinstance(container, dict)
        items = tuple(itertools.islice(items_in(container)(container), 2 * _MOST_ITEMS + 1))
        if len(items) > _MOST_ITEMS * (2 if is_dict else 1):
            return
        self.found.append((name, items))
        known = self._read(index, if_same_items, Items(items_in(container), tuple(map(id, items)), keys_of(items)))
        self._items[known] = [item for item in items if isinstance(item, _ENDS)]
        self._known_by_items.add(index)
        half = len(items) // 2
        for key, item in zip(items[:half], items[half:], strict=True) if is_dict else enumerate(items):
            called = str(key) if is_dict else f"{name}_{key}"
            text = f"{self._texts[index] or name}[{key!r}]"
            if not isinstance(item, _ENDS):
                self._read(index, dict.get if is_dict else item_of, key, called, text)
                continue
            self.found.append((called, item))
            self.written.append((text, item))

    def _attribute(self, index: int, name: str) -> None:
        """Guard an attribute: the object's own, or those of its classes, down to the first that is not a descriptor."""
        value = self._values[index]
        own = None if isinstance(value, type) else _namespace(value)
        text = f"{self._texts[index]}.{name}" if self._texts[index] else name
        classes = [cls for cls in _classes_of(value) if name in cls.__dict__ and _is_users_own(cls)]
        if type(own) is dict and (name in own or classes):  # an attribute of the object hides that of the class
            namespace = self._read(index, getattr, "__dict__")
            self._known_by_items.add(namespace)
            self._read(namespace, dict.get, name, name, text)
            if name in own:
                return
        if classes and not isinstance(value, type):
            self._read(index, getattr, "__class__")
        for cls in classes:
            attribute = cls.__dict__[name]
            if isinstance(attribute, types.MemberDescriptorType):
                self._read(index, getattr, name, name, text)
                return
            self._read(self._add(cls), attribute_of_class, name, name, text)
            if not hasattr(type(attribute), "__get__"):
                return  # not the attributes that `super()` would find


_PARTS: dict[type, tuple[str, ...]] = {
    types.MethodType: ("__func__", "__self__"),
    functools.partial: ("func", "args", "keywords"),
    property: ("fget",),
    classmethod: ("__wrapped__",),
    staticmethod: ("__wrapped__",),
}


def _namespace(value: Any) -> Any:
    """Return the `__dict__` of an object, or () if it has none; an object may return anything for it, or raise."""
    try:
        namespace = getattr(value, "__dict__", None)
    except Exception:
        return ()
    return namespace if isinstance(namespace, dict | types.MappingProxyType) else ()


def _items(value: Any) -> Any:
    return tuple(items_in(value)(value)) if isinstance(value, list | tuple | dict) else value


def _classes_of(value: Any) -> tuple[type, ...]:
    return () if isinstance(value, types.ModuleType) else (value if isinstance(value, type) else type(value)).__mro__


def _means_itself(name: str, value: Any) -> bool:
    """Return whether a global is a function or module that is not the user's, under its own name: it never changes."""
    if value is MISSING:
        return hasattr(builtins, name)
    if isinstance(value, types.ModuleType):
        return not _is_users_own(value)
    return isinstance(value, (*FUNCTIONS, type)) and value.__name__ == name and not _is_users(inspect.unwrap(value))


@functools.lru_cache(1024)
def _names_in(code: types.CodeType, *operations: str) -> tuple[str, ...]:
    """Return the names that the code uses in these operations, also in functions and comprehensions inside it."""
    found = [step.argval for step in dis.get_instructions(code) if step.opname in operations]
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found += _names_in(constant, *operations)
    return tuple(dict.fromkeys(found))


def _is_users(value: Any) -> bool:
    """Return whether a function, a method or another callable object is the user's own."""
    if isinstance(value, types.MethodType):
        value = value.__func__
    if isinstance(value, types.FunctionType):
        return is_users(value.__code__.co_filename)
    return _is_users_own(type(value))


def _is_users_own(value: type | types.ModuleType) -> bool:
    """Return whether a module or a class is the user's own, so that its attributes may change."""
    module = value if isinstance(value, types.ModuleType) else sys.modules.get(value.__module__)
    name = getattr(module, "__name__", "builtins")
    return name not in sys.builtin_module_names and is_users(getattr(module, "__file__", None) or "<text>")
