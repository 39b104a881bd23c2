"""Guards: conditions on the variables, attributes and items that a step reads by name, besides its arguments.

It follows the user's own plain Python functions: those that the step names, methods that it names on objects that it
reaches, and so on. Of objects, it follows the attributes that one of these functions names. It follows the rules of
declared primitives, and those bodies that a program has as equations: other bodies run in each replay, and read
everything again. Python's library, installed packages and the engine are taken to stay unchanged.
"""

from __future__ import annotations

import dis
import functools
import operator
import random
import sys
import sysconfig
import types
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.debug.user_code import in_package
from autograd_spiral.engine.table import PRIMITIVES, Primitive
from autograd_spiral.engine.tensor import Tensor

__all__ = ["GuardSet", "Guards", "arrays_named_by"]

_Getter: TypeAlias = Callable[[Any, Any], Any]
"""Like `dict.get`: takes what to look up, and a default."""

_MISSING = object()
_MOST_ITEMS = 64
"""Containers with more items are compared by identity alone: they are data, and comparing items would be slow."""

_MOST_GUARDS = 1000
"""At most this many variables are watched; no sensible step reads more."""

_REMEMBERED = 8
_PLAIN = (int, float, complex, str, bytes, type(None), Tensor, np.ndarray, np.generic)
_GENERATORS = (np.random.Generator, np.random.RandomState, np.random.BitGenerator, random.Random)
_INSTALLED = tuple({sysconfig.get_paths()[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")})


@dataclass(frozen=True, eq=False)
class GuardSet:
    """The guarded `values` that a step read at some time, with their `names`, and how it read them from `roots`."""

    roots: tuple[Any, ...]
    names: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)
    reads: list[tuple[_Getter, Any, Any]] = field(default_factory=list)  # `get`, `key` and what it returned
    generators: list[tuple[str, Any]] = field(default_factory=list)  # of random numbers, with names
    arrays: list[tuple[str, NDArray[Any]]] = field(default_factory=list)  # with names

    def hold(self) -> bool:
        """Whether the step would read the same values now."""
        for get, key, held in self.reads:  # noqa: SIM110  # every call asks this, and all() takes twice as long
            if get(key, _MISSING) is not held:
                return False
        return True

    def tensor_names(self) -> dict[Tensor, str]:
        """Return names for the tensors that variables hold, directly or in a list or a tuple."""
        named = zip(reversed(self.values), reversed(self.names), strict=True)  # so that the first name wins
        return {value: name for value, name in named if type(value) is Tensor}

    def random_states(self) -> list[tuple[str, Any]]:
        """Return the names and states of the random generators: NumPy's, Python's, and those that the step reads."""
        return [
            ("np.random", np.random.get_state(legacy=False)),  # noqa: NPY002
            ("the module random", random.getstate()),
            *((name, _random_state(generator)) for name, generator in self.generators),
        ]


class Guards:
    """Finds the guards of a step, and remembers the latest sets, since a search takes longer than a look at them."""

    def __init__(self, step: Callable[..., Any]) -> None:
        self._step = step
        self._known: list[GuardSet] = []  # the latest first
        self._expanded: frozenset[Primitive] = frozenset()

    def current(self, constants: Sequence[Any] = ()) -> GuardSet:
        """Return the guards of a call with these constants among its arguments, with the values that they have now."""
        roots = (self._step, *(constant for constant in constants if not isinstance(constant, _PLAIN)))
        for known in self._known:
            if len(roots) == len(known.roots) and all(map(operator.is_, roots, known.roots)) and known.hold():
                return known
        found = _Search(roots, self._expanded).guards()
        self._known = [found, *self._known[: _REMEMBERED - 1]]
        return found

    def expand(self, primitives: Set[Primitive]) -> None:
        """From now on, follow the bodies of these declared primitives too: a program has their equations."""
        if not primitives <= self._expanded:
            self._expanded, self._known = self._expanded | primitives, []


def arrays_named_by(function: Any) -> list[NDArray[Any]]:
    """Return the arrays that one of the user's own functions reads by name."""
    return [array for _, array in _Search((function,), frozenset()).guards().arrays]


class _Search:
    """A search from some objects for all that is read by name: functions first, then the attributes that they name."""

    def __init__(self, roots: tuple[Any, ...], expanded: frozenset[Primitive]) -> None:
        self.found = GuardSet(roots)
        self.expanded = expanded
        self.queue: list[tuple[str, Any]] = [("", root) for root in roots]
        self.seen: dict[int, Any] = {}
        self.objects: list[tuple[Any, set[str]]] = []  # and the attributes that were looked for
        self.attributes: dict[str, None] = {"__call__": None}  # named by functions

    def guards(self) -> GuardSet:
        """Search, and return the guards."""
        while self.queue:
            while self.queue:
                self._follow(*self.queue.pop(0))
            for obj, done in self.objects:
                for name in [name for name in self.attributes if name not in done]:
                    done.add(name)
                    self._attribute(obj, name)
        return self.found

    # --- guards ----------------------------------------------------------------------------------------------------

    def _guard(self, name: str, get: _Getter, key: Any) -> None:
        """Guard what `get(key, _MISSING)` returns."""
        if len(self.found.reads) < _MOST_GUARDS:
            held = get(key, _MISSING)
            self.found.reads.append((get, key, held))
            self._note(name, held)

    def _note(self, name: str, value: Any) -> None:
        self.found.names.append(name)
        self.found.values.append(value)
        self.queue.append((name, value))

    def _attribute(self, obj: Any, name: str) -> None:
        own = getattr(obj, "__dict__", None)
        if own is not None and name in own:
            self._guard(name, own.get, name)
            return
        if isinstance(obj, types.ModuleType):
            return
        classes = [cls for cls in (obj if isinstance(obj, type) else type(obj)).__mro__ if name in cls.__dict__]
        if classes and own is not None and not isinstance(obj, type):
            self._guard(name, own.get, name)  # since an attribute of the object would hide that of the class
        for cls in classes:
            value = cls.__dict__[name]
            if isinstance(value, types.MemberDescriptorType):
                self._guard(name, functools.partial(getattr, obj), name)
            elif hasattr(type(value), "__get__"):  # a method or a property, which is taken to stay unchanged
                self.queue.append((name, value))
                continue  # to what `super()` would find
            elif _is_users_own(cls):
                self._guard(name, cls.__dict__.get, name)
            return

    # --- objects --------------------------------------------------------------------------------------------------

    def _follow(self, name: str, value: Any) -> None:
        if id(value) in self.seen or (isinstance(value, _PLAIN) and not isinstance(value, np.ndarray)):
            return
        self.seen[id(value)] = value
        if isinstance(value, np.ndarray):
            self.found.arrays.append((name, value))
            return
        owner = value.__self__ if isinstance(value, types.BuiltinMethodType) else value  # of `draw = random.random`
        if isinstance(owner, _GENERATORS):
            self.found.generators.append((name, owner))
        root = any(value is root or value is getattr(root, "__func__", None) for root in self.found.roots)
        if isinstance(value, types.FunctionType):
            row = PRIMITIVES.get(value)
            if row is not None and row.body is not None:
                self.queue += [(name, part) for part in (*row.vjps, *((row.body,) if row in self.expanded else ()))]
            elif root or _is_users_file(value.__code__.co_filename):
                self._function(value)
        elif isinstance(value, types.MethodType):
            self.queue += [(name, value.__func__), (name, value.__self__)]
        elif isinstance(value, functools.partial):
            self.queue += [(name, part) for part in (value.func, *value.args, *value.keywords.values())]
        elif isinstance(value, property):
            self.queue += [(name, value.fget)]
        elif isinstance(value, classmethod | staticmethod) or "__wrapped__" in getattr(value, "__dict__", ()):
            self.queue += [(name, value.__wrapped__)]  # of a captured step, too
        elif isinstance(value, list | tuple | dict):
            self._container(name, value)
        elif root or not isinstance(value, type | types.ModuleType) or _is_users_own(value):
            self.objects.append((value, set()))

    def _function(self, function: types.FunctionType) -> None:
        code = function.__code__
        for name in sorted(set(_names_in(code, "LOAD_GLOBAL", "LOAD_NAME"))):
            self._guard(name, function.__globals__.get, name)
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            self._guard(name, _contents_of, cell)
        self.attributes.update(dict.fromkeys(_names_in(code, "LOAD_ATTR", "LOAD_METHOD")))
        for name in ("__defaults__", "__kwdefaults__"):
            if getattr(function, name):
                self._guard(name, functools.partial(getattr, function), name)

    def _container(self, name: str, value: Any) -> None:
        if len(value) > _MOST_ITEMS:
            return
        if not isinstance(value, tuple):
            items = tuple(_items_of(value))
            self.seen[id(items)] = items  # they are followed on their own
            self._guard(name, functools.partial(_if_same_items, value), items)
        named = value.items() if isinstance(value, dict) else ((f"{name}_{i}", item) for i, item in enumerate(value))
        for key, item in named:
            self._note(str(key), item)  # for its name: the container is guarded as a whole


def _contents_of(cell: types.CellType, otherwise: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return otherwise


def _items_of(container: Any) -> Any:
    """Return the items of a list, or the keys and values of a dictionary."""
    return (*container, *container.values()) if isinstance(container, dict) else container


def _if_same_items(container: Any, items: tuple[Any, ...], otherwise: Any) -> Any:
    """Return `items` if they are still those of the container."""
    now = _items_of(container)
    return items if len(now) == len(items) and all(map(operator.is_, now, items)) else otherwise


def _random_state(generator: Any) -> Any:
    if isinstance(generator, random.Random):
        return None if isinstance(generator, random.SystemRandom) else generator.getstate()
    if isinstance(generator, np.random.RandomState):
        return generator.get_state(legacy=False)
    return getattr(generator, "bit_generator", generator).state


@functools.cache
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


def _is_users_own(value: type | types.ModuleType) -> bool:
    """Whether a module or a class is the user's own, so that its attributes may change."""
    module = value if isinstance(value, types.ModuleType) else sys.modules.get(value.__module__)
    name = getattr(module, "__name__", "builtins")
    return name not in sys.builtin_module_names and _is_users_file(getattr(module, "__file__", None) or "<text>")
