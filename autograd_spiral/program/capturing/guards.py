"""Guards: what a step reads in plain sight, so that a change there makes a new program.

That is what its functions name: globals and closure variables, attributes of the user's objects, and items of short
lists, tuples and dictionaries. The search begins with the step and goes on with the user's functions and methods that
it finds. Guards make most changes cheap, but they are no proof: what they do not see, `verify` finds.
"""

from __future__ import annotations

import dis
import functools
import inspect
import random
import sys
import sysconfig
import types
import weakref
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.debug.user_code import in_package
from autograd_spiral.engine.table import PRIMITIVES, Primitive
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.program.capturing.cache_key import constant_key

__all__ = ["Guards", "Search"]

_Read: TypeAlias = Callable[[Any, Any, Any], Any]
"""Like `getattr` and `dict.get`: takes what to read from, what to look up, and a default."""

_MISSING = object()
_MOST_ITEMS = 64
"""Longer containers are data, and comparing their items at each call would be slow."""

_MOST_GUARDS = 1000
_CONSTANTS = (int, float, complex, str, bytes, type(None), np.generic)
_GENERATORS = (np.random.Generator, np.random.RandomState, np.random.BitGenerator, random.Random)
_INSTALLED = tuple({sysconfig.get_paths()[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")})


class Guards:
    """Reads that led from the roots of a search to all that it found: each starts from what an earlier one returned.

    So guards keep nothing alive but constants: they know objects by their ids, and are told when these are freed.
    """

    def __init__(self) -> None:
        self._reads: list[tuple[int, _Read, Any, int]] = []  # from which value, how, what, and the id of the result
        self._names: list[str] = []
        self._held: list[Any] = []  # for each read: a weak reference to its result, or a constant
        self.freed: list[Any] = []  # then they never hold again

    def add(self, source: int, read: _Read, key: Any, value: Any, name: str) -> None:
        """Guard `value`, which `read` has returned."""
        self._reads.append((source, read, key, id(value)))
        self._names.append(name)
        try:
            self._held.append(weakref.ref(value, self.freed.append))
        except TypeError:  # of lists and dictionaries, further guards read the items
            self._held.append(None if isinstance(value, list | dict) else value)

    def hold(self, roots: Sequence[Any]) -> bool:
        """Whether a step with these roots would read the same now."""
        if self.freed:
            return False
        values = list(roots)
        for source, read, key, held in self._reads:  # every call of a captured step runs this loop
            value = read(values[source], key, _MISSING)
            if id(value) != held and not self._equal(len(values) - len(roots), value):
                return False
            values.append(value)
        return True

    def changed(self, roots: Sequence[Any]) -> tuple[str, Any] | None:
        """Return the name and the present value of the first guard that does not hold."""
        values = list(roots)
        for i, (source, read, key, held) in enumerate(self._reads):
            value = read(values[source], key, _MISSING)
            if id(value) != held and not self._equal(i, value):
                return self._names[i], value
            values.append(value)
        return None

    def _equal(self, i: int, value: Any) -> bool:
        """Whether guard `i` has found a constant that is equal to `value`."""
        key = constant_key(value)
        return type(key) is tuple and key == constant_key(self._held[i])


class Search:
    """A search from some roots for all that is read by name: functions first, then the attributes that they name."""

    def __init__(self, roots: Sequence[Any], expanded: Collection[Primitive] = ()) -> None:
        self.guards = Guards()
        self.found: list[tuple[str, Any]] = []  # names and values
        self._roots = roots
        self._expanded = expanded  # the declared primitives of whose bodies a program has the equations
        self._values = list(roots)  # and then what each guard reads
        self._queue = [("", i) for i in range(len(roots))]
        self._seen: set[int] = set()
        self._globals: dict[int, int] = {}  # where the globals of each module are among the values
        self._objects: list[tuple[int, set[str]]] = []  # where they are, and the attributes that were looked for
        self._attributes: dict[str, None] = {"__call__": None}  # named by functions
        while self._queue:
            while self._queue:
                self._follow(*self._queue.pop(0))
            for index, done in self._objects:
                for name in [name for name in self._attributes if name not in done]:
                    done.add(name)
                    self._attribute(index, name)

    def tensor_names(self) -> dict[Tensor, str]:
        """Return names for the tensors that variables hold, directly or in a list or a tuple."""
        return {value: name for name, value in reversed(self.found) if type(value) is Tensor}  # the first name wins

    def arrays(self) -> list[tuple[str, NDArray[Any]]]:
        """Return the arrays with their names, each once."""
        return list({id(value): (name, value) for name, value in self.found if isinstance(value, np.ndarray)}.values())

    def random_states(self) -> list[tuple[str, Any]]:
        """Return the names and states of the random generators: NumPy's, Python's, and those that were found."""
        found = [*(("", root) for root in self._roots), *self.found]
        built_in = types.BuiltinMethodType  # as `draw = random.random` is
        owners = [(name, value.__self__ if type(value) is built_in else value) for name, value in found]
        return [
            ("np.random", np.random.get_state(legacy=False)),  # noqa: NPY002
            ("the module random", random.getstate()),
            *((name, _random_state(owner)) for name, owner in owners if isinstance(owner, _GENERATORS)),
        ]

    def _read(self, source: int, read: _Read, key: Any, name: str = "") -> int:
        """Guard what `read` returns, follow it if it is named, and return where it is among the values."""
        value = read(self._values[source], key, _MISSING)
        self.guards.add(source, read, key, value, name)
        self._values.append(value)
        if name:
            self.found.append((name, value))
            if len(self._values) < _MOST_GUARDS:
                self._queue.append((name, len(self._values) - 1))
        return len(self._values) - 1

    # --- what there is to read in a value ---------------------------------------------------------------------------

    def _follow(self, name: str, index: int) -> None:
        value = self._values[index]
        if id(value) in self._seen or isinstance(value, (*_CONSTANTS, Tensor, np.ndarray)):
            return
        self._seen.add(id(value))
        root = index < len(self._roots)
        if isinstance(value, types.FunctionType):
            if value in PRIMITIVES:
                self._primitive(index, name, PRIMITIVES[value])
                return
            if root or _is_users(value):
                self._function(index, value)
        if "__wrapped__" in getattr(value, "__dict__", ()):  # of a captured step, too
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
        module = id(function.__globals__)
        if module not in self._globals:
            self._globals[module] = self._read(index, getattr, "__globals__")
        for name in sorted(set(_names_in(code, "LOAD_GLOBAL", "LOAD_NAME"))):
            self._read(self._globals[module], dict.get, name, name)
        for i, name in enumerate(code.co_freevars):
            self._read(index, _contents_of_cell, i, name)
        for name in _names_in(code, "IMPORT_NAME"):
            self._read(index, _module, name, name)
        self._attributes.update(dict.fromkeys(_names_in(code, "LOAD_ATTR", "LOAD_METHOD", "IMPORT_FROM")))
        for name in ("__defaults__", "__kwdefaults__"):
            if getattr(function, name):
                self._read(index, getattr, name, name)

    def _primitive(self, index: int, name: str, row: Primitive) -> None:
        """Follow the rules, and the body if a program has its equations: otherwise each replay calls it."""
        for i, part in enumerate((row.body if row in self._expanded else None, *row.vjps)):
            if row.body is not None and _is_users(part):
                self._read(index, _part_of_primitive, i, name)

    def _container(self, index: int, name: str, container: Any) -> None:
        if len(container) > _MOST_ITEMS:
            return
        items = _items_of(container)
        constants = [item for item in items if isinstance(item, _CONSTANTS)]  # which have no guards of their own
        self._read(index, _if_same_items, (tuple(map(id, items)), tuple(map(constant_key, items)), constants))
        self.found.append((name, items))
        keys = list(container) if isinstance(container, dict) else range(len(container))
        for key in keys:
            if not isinstance(_item_of(container, key, None), _CONSTANTS):
                self._read(index, _item_of, key, str(key) if isinstance(container, dict) else f"{name}_{key}")

    def _attribute(self, index: int, name: str) -> None:
        """Guard an attribute: the object's own, else those of its classes, up to the first that is no descriptor."""
        value = self._values[index]
        own = _own_attribute(value, name, _MISSING) is not _MISSING
        classes = () if own else _classes_of(value)
        found = [i for i, cls in enumerate(classes) if name in cls.__dict__ and _is_users_own(cls)]
        if own or found:  # in that case, an attribute of the object would hide that of the class
            self._read(index, _own_attribute, name, name)
        for i in found:
            attribute = classes[i].__dict__[name]
            if isinstance(attribute, types.MemberDescriptorType):
                self._read(index, getattr, name, name)
            else:
                self._read(index, _attribute_of_class, (i, name), name)
            if not hasattr(type(attribute), "__get__") or isinstance(attribute, types.MemberDescriptorType):
                return  # and do not go on to what `super()` would find


_PARTS: dict[type, tuple[str, ...]] = {
    types.MethodType: ("__func__", "__self__"),
    functools.partial: ("func", "args", "keywords"),
    property: ("fget",),
    classmethod: ("__wrapped__",),
    staticmethod: ("__wrapped__",),
}


def _part_of_primitive(function: Any, i: int, otherwise: Any) -> Any:
    row = PRIMITIVES.get(function)
    return otherwise if row is None else (row.body, *row.vjps)[i]


def _module(_: Any, name: str, otherwise: Any) -> Any:
    return sys.modules.get(name, otherwise)


def _contents_of_cell(function: types.FunctionType, i: int, otherwise: Any) -> Any:
    try:
        return (function.__closure__ or ())[i].cell_contents
    except (ValueError, IndexError):  # empty, or of a function whose code was replaced
        return otherwise


def _items_of(container: Any) -> tuple[Any, ...]:
    """Return the items of a list or tuple, or the keys and values of a dictionary."""
    return (*container, *container.values()) if isinstance(container, dict) else tuple(container)


def _item_of(container: Any, key: Any, otherwise: Any) -> Any:
    if isinstance(container, dict):
        return dict.get(container, key, otherwise)
    return container[key] if key < len(container) else otherwise


def _if_same_items(container: Any, known: tuple[Any, Any, Any], otherwise: Any) -> Any:
    """Return `known`, the ids and constant keys of items, if the container has those items."""
    items = _items_of(container)
    same = tuple(map(id, items)) == known[0] or tuple(map(constant_key, items)) == known[1]
    return known if same else otherwise


def _classes_of(value: Any) -> tuple[type, ...]:
    return () if isinstance(value, types.ModuleType) else (value if isinstance(value, type) else type(value)).__mro__


def _own_attribute(value: Any, name: str, otherwise: Any) -> Any:
    own = () if isinstance(value, type) else getattr(value, "__dict__", ())
    return own.get(name, otherwise) if isinstance(own, dict) else otherwise


def _attribute_of_class(value: Any, key: tuple[int, str], otherwise: Any) -> Any:
    i, name = key
    classes = _classes_of(value)
    return classes[i].__dict__.get(name, otherwise) if i < len(classes) else otherwise


def _random_state(generator: Any) -> Any:
    if isinstance(generator, random.Random):
        return None if isinstance(generator, random.SystemRandom) else generator.getstate()
    if isinstance(generator, np.random.RandomState):
        return generator.get_state(legacy=False)
    return getattr(generator, "bit_generator", generator).state


@functools.lru_cache(1024)
def _names_in(code: types.CodeType, *operations: str) -> tuple[str, ...]:
    """Return the names that the code uses in some operations, also in functions and comprehensions inside it."""
    found = [step.argval for step in dis.get_instructions(code) if step.opname in operations]
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found += _names_in(constant, *operations)
    return tuple(dict.fromkeys(found))


@functools.cache
def _is_users_file(file: str | None) -> bool:
    """Whether a file belongs neither to the engine, nor to Python's library, nor to an installed package."""
    return file is not None and not in_package(file) and not file.startswith(_INSTALLED)


def _is_users(value: Any) -> bool:
    """Whether a function, a method or another callable object is the user's own."""
    if isinstance(value, types.MethodType):
        value = value.__func__
    return (
        _is_users_file(value.__code__.co_filename)
        if isinstance(value, types.FunctionType)
        else _is_users_own(type(value))
    )


def _is_users_own(value: type | types.ModuleType) -> bool:
    """Whether a module or a class is the user's own, so that its attributes may change."""
    module = value if isinstance(value, types.ModuleType) else sys.modules.get(value.__module__)
    name = getattr(module, "__name__", "builtins")
    return name not in sys.builtin_module_names and _is_users_file(getattr(module, "__file__", None) or "<text>")
