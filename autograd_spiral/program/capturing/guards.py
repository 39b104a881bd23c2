"""Guards: what a step reads in plain sight, so that a change there makes a new program.

That is what its functions name: globals and closure variables, attributes of the user's objects, and items of short
lists, tuples and dictionaries. The search begins with the step and goes on with the user's functions and methods that
it finds. Guards make most changes cheap, but they are no proof: what they do not see, `verify` finds.
"""

from __future__ import annotations

import builtins
import contextlib
import dis
import functools
import gc
import inspect
import random
import sys
import sysconfig
import types
import weakref
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence, Set
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.debug.user_code import in_package
from autograd_spiral.engine.table import PRIMITIVES, Primitive
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.program.capturing.cache_key import constant_key

__all__ = ["Guards", "Search"]

_Read: TypeAlias = Callable[[Any, Any, Any], Any]
"""Like `getattr` and `dict.get`: takes what to read from, what to look up, and a default."""


class _Row(NamedTuple):
    """A read: from which value, how and what, which value that returned, what to call it, and its way from a root."""

    source: int
    read: _Read
    key: Any
    result: int
    name: str
    path: tuple[Any, ...]


_Plan: TypeAlias = tuple[
    list[tuple[Callable[[Any, Any], Any], Any, Any, str]],  # `get`, its key, its result, a name
    list[tuple[_Row, int, Any]],  # a read, the id of its result, and what is equal to that
    dict[int, Any],  # from which values these reads start
]

_MISSING, _ANY = object(), object()
_MOST_ITEMS = 64
"""Longer containers are data, and comparing their items at each call would be slow."""

_MOST_GUARDS = 1000
_CONSTANTS = (int, float, complex, str, bytes, type(None), np.generic)
_ENDS = (*_CONSTANTS, Tensor, np.ndarray)  # where a search ends
_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, np.ufunc, type(np.sum))
_LASTING = (*_CONSTANTS, *_FUNCTIONS, types.ModuleType, types.CodeType, types.CellType, type)
_GENERATORS = (np.random.Generator, np.random.RandomState, np.random.BitGenerator, random.Random)
_INSTALLED = tuple({sysconfig.get_paths()[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")})


class Guards:
    """Reads that lead from the roots of a search to all that it found, and what each of them returned.

    They keep nothing alive but constants, modules, classes and their functions. Other objects they know by their ids,
    reach by a path that starts from the roots, and hear of when these are freed. While they are `tight`, they also hold
    what the variables around the step hold, and are faster.
    """

    def __init__(
        self, roots: int, values: Sequence[Any], reads: Sequence[_Row], known_by_items: Set[int], items: Sequence[Any]
    ) -> None:
        self.freed: list[Any] = []  # references to what was freed: then these guards never hold again
        lasting = {i for i, value in enumerate(values) if _lasts(value, step=i == 0)}
        self._lasting = {i: values[i] for i in lasting}
        equal = {**dict.fromkeys(known_by_items, _ANY), **self._lasting}
        self._rows = [(row, id(values[row.result]), equal.get(row.result, _MISSING)) for row in reads]
        others = [values[row.result] for row in reads if row.result not in known_by_items | lasting]
        owned = not lasting.issuperset(range(roots))  # by an object that what is held might refer to
        self._held = [self._reference(value, owned=owned) for value in (*others, *items)]
        self._closure = {i for i, value in enumerate(values) if isinstance(value, types.CellType)}
        for row in reads:
            if row.source in self._closure:
                self._closure.add(row.result)
        self._plan: _Plan
        self.loosen()

    def _reference(self, value: Any, *, owned: bool) -> Any:
        """Return a weak reference, by which these guards hear when `value` is freed, or else the value itself.

        If they are `owned`, such a value is kept only if it refers to no others. Then an object that gets the id of
        one that was freed passes for it, until it is asked for its attributes, or the step is verified.
        """
        if type(value).__weakrefoffset__:
            return weakref.ref(value, self.freed.append)
        return None if owned and gc.is_tracked(value) else value

    def tighten(self, roots: Sequence[Any]) -> None:
        """Hold what the variables around the step hold, for as long as the latest call used these guards."""
        values = {**self._lasting, **dict(enumerate(roots))}
        for row, _, _ in self._rows:
            values[row.result] = row.read(values[row.source], row.key, _MISSING)
        tight = self._closure | self._lasting.keys()
        direct = [
            (_bound(row.read, values[row.source]), row.key, values[row.result], row.name)
            for row, _, _ in self._rows
            if {row.source, row.result} <= tight
            and not (row.read is _if_same_list and type(values[row.source]) is tuple)
        ]
        others = [entry for entry in self._rows if not {entry[0].source, entry[0].result} <= tight]
        self._plan = direct, others, {row.source: values[row.source] for row, _, _ in others if row.source in tight}

    def loosen(self) -> None:
        """Keep nothing alive any longer."""
        self._plan = [], self._rows, self._lasting

    def unsteady(self, roots: Sequence[Any]) -> set[Any]:
        """Return the paths to all that has changed."""
        values, found = {**self._lasting, **dict(enumerate(roots))}, set()
        for row, known, equal in self._rows:
            values[row.result] = value = _MISSING
            with contextlib.suppress(Exception):  # of an object that answers for its own attributes or items
                values[row.result] = value = row.read(values[row.source], row.key, _MISSING)
            if id(value) != known and not _equal(value, equal):
                found.add(row.path)
        return found

    def changed(self, roots: Sequence[Any]) -> tuple[str, Any] | None:
        """Return the name of the first guard that does not hold, and what it reads now; None if all of them hold."""
        if self.freed:
            return "an object", self.freed[0]
        direct, others, starts = self._plan  # at once, since another thread may loosen them
        try:
            for get, key, held, name in direct:  # every call of a captured step runs these loops
                if (value := get(key, _MISSING)) is not held and not _equal(value, held):
                    return name, value
            values = {**starts, **dict(enumerate(roots))} if others else {}
            for row, known, equal in others:
                values[row.result] = value = row.read(values[row.source], row.key, _MISSING)
                if id(value) != known and not _equal(value, equal):
                    return row.name, value
        except Exception as error:  # a variable was deleted, or an object answers for its own attributes or items
            return "an object", error
        return None


def _bound(read: _Read, source: Any) -> Callable[[Any, Any], Any]:
    namespace = {dict.get: "", _global: "__globals__", _attribute_of_class: "__dict__"}.get(read)
    if namespace is None:
        return partial(read, source)
    get: Callable[[Any, Any], Any] = (getattr(source, namespace) if namespace else source).get  # faster than a partial
    return get


def _equal(value: Any, held: Any) -> bool:
    """Whether `value` is as good as what a guard held: an equal constant, or any if other guards look at its items."""
    key = constant_key(value)
    return held is _ANY or (type(key) is tuple and key == constant_key(held))


def _lasts(value: Any, *, step: bool) -> bool:
    """Whether to keep `value` costs nothing: it is a constant, or belongs to a module, to the package or the step."""
    if isinstance(value, types.FunctionType):
        holds = (*(value.__closure__ or ()), *(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values())
        return step or in_package(value.__code__.co_filename) or all(isinstance(part, _CONSTANTS) for part in holds)
    return value is _MISSING or isinstance(value, _LASTING)


class Search:
    """A search from some roots for all that is read by name: functions first, then the attributes that they name."""

    def __init__(
        self, roots: Sequence[Any], expanded: Collection[Primitive] = (), unsteady: Set[Any] = frozenset()
    ) -> None:
        self.found: list[tuple[str, Any]] = []  # names and values
        self._roots = roots
        self._unsteady = unsteady  # the paths to what the step itself changes, which is not guarded
        self._paths: list[tuple[Any, ...]] = [(i,) for i in range(len(roots))]  # of the values
        self._expanded = expanded  # the declared primitives of whose bodies a program has the equations
        self._values = list(roots)  # and then what each read returned
        self._reads: dict[Any, _Row] = {}
        self._known_by_items: set[int] = set()  # values of which a guard looks at the items
        self._items: list[Any] = []  # items that have no guards of their own
        self._queue = [("", i) for i in range(len(roots))]
        self._seen: set[int] = set()
        self._objects: list[tuple[int, set[str]]] = []  # where they are, and the attributes that were looked for
        self._attributes: dict[str, None] = {"__call__": None}  # named by functions
        while self._queue:
            while self._queue:
                self._follow(*self._queue.pop(0))
            for index, done in self._objects:
                for name in [name for name in self._attributes if name not in done]:
                    done.add(name)
                    self._attribute(index, name)
        self.guards = Guards(len(roots), self._values, list(self._reads.values()), self._known_by_items, self._items)

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
        if (source, read, key) in self._reads:
            return self._reads[source, read, key].result
        value = read(self._values[source], key, _MISSING)
        path = (*self._paths[source], read, None if read in (_if_same_items, _if_same_list) else key)
        index = self._add(value, path)
        if path in self._unsteady:
            return index
        self._reads[source, read, key] = _Row(source, read, key, index, name, path)
        if name:
            self.found.append((name, value))
            if len(self._values) < _MOST_GUARDS:
                self._queue.append((name, index))
        return index

    def _add(self, value: Any, path: tuple[Any, ...] = ()) -> int:
        self._values.append(value)
        self._paths.append(path or (id(value),))
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
        if "__wrapped__" in _namespace(value):  # of a captured step, too
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
            if not _means_itself(name, function.__globals__.get(name, _MISSING)):
                self._read(index, _global, name, name)
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            if index == 0:  # the step itself, which keeps its cells anyway
                self._read(self._add(cell), _contents if _is_empty(cell) else getattr, "cell_contents", name)
            else:
                self._read(index, _contents_of_cell, code.co_freevars.index(name), name)
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
        count = _kind_of(container).__len__(container)
        if count > _MOST_ITEMS:
            return
        items = _items_of(container)
        read = _if_same_list if type(container) in (list, tuple) else _if_same_items
        self.found.append((name, items))
        if (*self._paths[index], read, None) in self._unsteady:
            return
        self._read(index, read, (tuple(map(id, items)), _keys_of(items)))
        self._known_by_items.add(index)
        for key in items[:count] if isinstance(container, dict) else range(count):
            item = _item_of(container, key, None)
            called = str(key) if isinstance(container, dict) else f"{name}_{key}"
            if isinstance(item, _ENDS):
                self._items.append(item)
                self.found.append((called, item))
            else:
                self._read(index, _item_of, key, called)

    def _attribute(self, index: int, name: str) -> None:
        """Guard an attribute: the object's own, else those of its classes, up to the first that is no descriptor."""
        value = self._values[index]
        own = None if isinstance(value, type) else _namespace(value)
        classes = [cls for cls in _classes_of(value) if name in cls.__dict__ and _is_users_own(cls)]
        if type(own) is dict and (name in own or classes):  # an attribute of the object hides that of the class
            namespace = self._read(index, getattr, "__dict__")
            self._known_by_items.add(namespace)
            self._read(namespace, dict.get, name, name)
            if name in own:
                return
        if classes and not isinstance(value, type):
            self._read(index, getattr, "__class__")
        for cls in classes:
            attribute = cls.__dict__[name]
            if isinstance(attribute, types.MemberDescriptorType):
                self._read(index, getattr, name, name)
                return
            self._read(self._add(cls), _attribute_of_class, name, name)
            if not hasattr(type(attribute), "__get__"):
                return  # and do not go on to what `super()` would find


_PARTS: dict[type, tuple[str, ...]] = {
    types.MethodType: ("__func__", "__self__"),
    functools.partial: ("func", "args", "keywords"),
    property: ("fget",),
    classmethod: ("__wrapped__",),
    staticmethod: ("__wrapped__",),
}


def _namespace(value: Any) -> Any:
    """Return the `__dict__` of an object; an object without one may answer anything for that name, or raise."""
    try:
        namespace = getattr(value, "__dict__", None)
    except Exception:
        return ()
    return namespace if isinstance(namespace, dict | types.MappingProxyType) else ()


def _part_of_primitive(function: Any, i: int, otherwise: Any) -> Any:
    row = PRIMITIVES.get(function)
    return otherwise if row is None else (row.body, *row.vjps)[i]


def _read_of(_: Any, how: tuple[_Read, Any, Any], otherwise: Any) -> Any:
    """Read from something that lasts, wherever the path comes from."""
    read, source, key = how
    return read(source, key, otherwise)


def _module(_: Any, name: str, otherwise: Any) -> Any:
    return sys.modules.get(name, otherwise)


def _means_itself(name: str, value: Any) -> bool:
    """Whether a global is a function or module that is not the user's, under its own name: nobody changes it."""
    if value is _MISSING:
        return hasattr(builtins, name)
    if isinstance(value, types.ModuleType):
        return not _is_users_own(value)
    return isinstance(value, (*_FUNCTIONS, type)) and value.__name__ == name and not _is_users(inspect.unwrap(value))


def _global(function: types.FunctionType, name: str, otherwise: Any) -> Any:
    return function.__globals__.get(name, otherwise)


def _contents_of_cell(function: types.FunctionType, i: int, otherwise: Any) -> Any:
    cells = function.__closure__ or ()  # fewer if its code was replaced
    return _contents(cells[i], "cell_contents", otherwise) if i < len(cells) else otherwise


def _contents(cell: types.CellType, _: str, otherwise: Any) -> Any:
    return otherwise if _is_empty(cell) else cell.cell_contents


def _is_empty(cell: types.CellType) -> bool:
    return cell == types.CellType()


def _kind_of(container: Any) -> Any:
    """Return the class whose methods give the items of a container, whatever methods its own class has."""
    return next(kind for kind in (list, tuple, OrderedDict, dict) if isinstance(container, kind))


def _items_of(container: Any) -> tuple[Any, ...]:
    """Return the items of a list or tuple, or the keys and values of a dictionary."""
    kind = _kind_of(container)
    items = kind.__iter__(container)
    return (*items, *kind.values(container)) if isinstance(container, dict) else tuple(items)


def _item_of(container: Any, key: Any, otherwise: Any) -> Any:
    kind = type(container)
    if kind is list or kind is tuple:  # the fast way, since calls of a captured step come here
        return container[key] if key < len(container) else otherwise
    if isinstance(container, dict):
        return dict.get(container, key, otherwise)
    kind = _kind_of(container)
    return kind.__getitem__(container, key) if key < kind.__len__(container) else otherwise


def _keys_of(items: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the keys of items by which equal constants are recognised, without keeping other objects alive."""
    return tuple(constant_key(item, id) for item in items)


def _if_same_items(container: Any, known: tuple[Any, Any], otherwise: Any) -> Any:
    """Return `known`, the ids and constant keys of items, if the container has those items."""
    items = _items_of(container)
    same = tuple(map(id, items)) == known[0] or _keys_of(items) == known[1]
    return known if same else otherwise


def _if_same_list(container: Any, known: tuple[Any, Any], otherwise: Any) -> Any:
    """Do what `_if_same_items` does, faster."""
    return known if tuple(map(id, container)) == known[0] else _if_same_items(container, known, otherwise)


def _classes_of(value: Any) -> tuple[type, ...]:
    return () if isinstance(value, types.ModuleType) else (value if isinstance(value, type) else type(value)).__mro__


def _attribute_of_class(cls: type, name: str, otherwise: Any) -> Any:
    return cls.__dict__.get(name, otherwise)


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
    if isinstance(value, types.FunctionType):
        return _is_users_file(value.__code__.co_filename)
    return _is_users_own(type(value))


def _is_users_own(value: type | types.ModuleType) -> bool:
    """Whether a module or a class is the user's own, so that its attributes may change."""
    module = value if isinstance(value, types.ModuleType) else sys.modules.get(value.__module__)
    name = getattr(module, "__name__", "builtins")
    return name not in sys.builtin_module_names and _is_users_file(getattr(module, "__file__", None) or "<text>")
