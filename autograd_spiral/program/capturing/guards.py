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
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.debug.user_code import in_package
from autograd_spiral.engine.table import PRIMITIVES, Primitive
from autograd_spiral.engine.tensor import Tensor

__all__ = ["GuardSet", "Guards", "arrays_named_by"]

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
    """The guarded `values` that a step read at some time, and `hold()`: whether it would read the same ones now."""

    values: list[Any]
    hold: Callable[[], bool]
    names: list[str]
    roots: tuple[Any, ...]
    generators: list[tuple[str, Any]]  # of random numbers, with names
    arrays: list[tuple[str, NDArray[Any]]]  # with names

    def tensor_names(self) -> dict[Tensor, str]:
        """Return names for the tensors that variables hold, directly or in a list or a tuple."""
        found: dict[Tensor, str] = {}
        for name, value in zip(self.names, self.values, strict=True):
            if type(value) is Tensor:
                found.setdefault(value, name)
        return found

    def random_states(self) -> list[tuple[str, Any]]:
        """Return the names and states of the random generators: NumPy's, Python's, and those that the step reads."""
        found: list[tuple[str, Any]] = [
            ("np.random", np.random.get_state(legacy=False)),  # noqa: NPY002
            ("the module random", random.getstate()),
        ]
        return found + [(name, _random_state(generator)) for name, generator in self.generators]


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
        self.roots = roots
        self.expanded = expanded
        self.names: list[str] = []
        self.values: list[Any] = []
        self.bound: dict[str, Any] = {"missing": _MISSING, "same": operator.is_}
        self.conditions: list[str] = []
        self.queue: list[tuple[str, Any]] = [("", root) for root in roots]
        self.seen: dict[int, Any] = {}
        self.objects: list[tuple[Any, set[str]]] = []  # and the attributes that were looked for
        self.attributes: dict[str, None] = {"__call__": None}  # named by functions
        self.generators: list[tuple[str, Any]] = []
        self.arrays: list[tuple[str, NDArray[Any]]] = []

    def guards(self) -> GuardSet:
        """Search, and return the guards."""
        while self.queue:
            while self.queue:
                self._follow(*self.queue.pop(0))
            for obj, done in self.objects:
                for name in [name for name in self.attributes if name not in done]:
                    done.add(name)
                    self._attribute(obj, name)
        body = " and ".join(self.conditions) or "True"
        text = (
            f"def make({', '.join(self.bound)}):\n    def hold():\n        try:\n            return {body}\n"
            "        except ValueError:  # a cell that holds nothing\n            return False\n    return hold\n"
        )
        names: dict[str, Any] = {}
        exec(compile(text, "<guards>", "exec"), names)
        return GuardSet(self.values, names["make"](**self.bound), self.names, self.roots, self.generators, self.arrays)

    # --- guards ----------------------------------------------------------------------------------------------------

    def _guard(self, name: str, value: Any, condition: str, **bound: Any) -> None:
        """Add a guard: `condition` says of the `bound` objects and `held`, which is `value`, that nothing changed."""
        if len(self.values) >= _MOST_GUARDS:
            return
        number = len(self.values)
        renamed = {key: f"{key}{number}" for key in (*bound, "held")}
        self.bound.update({renamed[key]: obj for key, obj in {**bound, "held": value}.items()})
        if condition:
            self.conditions.append(condition.format(**renamed))
        self.names.append(name)
        self.values.append(value)
        self.queue.append((name, value))

    def _item(self, holder: Mapping[str, Any], name: str) -> None:
        self._guard(name, holder.get(name, _MISSING), "{get}(" + repr(name) + ", missing) is {held}", get=holder.get)

    def _cell(self, name: str, cell: types.CellType) -> None:
        try:
            self._guard(name, cell.cell_contents, "{cell}.cell_contents is {held}", cell=cell)
        except ValueError:
            self._guard(name, _MISSING, "{empty}({cell})", cell=cell, empty=_is_empty)

    def _attribute(self, obj: Any, name: str) -> None:
        own = getattr(obj, "__dict__", None)
        if own is not None and name in own:
            self._item(own, name)
            return
        if isinstance(obj, types.ModuleType):
            return
        classes = [cls for cls in (obj if isinstance(obj, type) else type(obj)).__mro__ if name in cls.__dict__]
        if classes and own is not None and not isinstance(obj, type):
            self._item(own, name)  # since an attribute of the object would hide that of the class
        for cls in classes:
            value = cls.__dict__[name]
            if isinstance(value, types.MemberDescriptorType):
                held = getattr(obj, name, _MISSING)
                self._guard(name, held, "getattr({obj}, " + repr(name) + ", missing) is {held}", obj=obj)
            elif hasattr(type(value), "__get__"):  # a method or a property, which is taken to stay unchanged
                self.queue.append((name, value))
                continue  # to what `super()` would find
            elif _is_users_own(cls):
                self._item(cls.__dict__, name)
            return

    # --- objects --------------------------------------------------------------------------------------------------

    def _follow(self, name: str, value: Any) -> None:
        if id(value) in self.seen or (isinstance(value, _PLAIN) and not isinstance(value, np.ndarray)):
            return
        self.seen[id(value)] = value
        if isinstance(value, np.ndarray):
            self.arrays.append((name, value))
            return
        owner = value.__self__ if isinstance(value, types.BuiltinMethodType) else None  # of `draw = random.random`
        if isinstance(value, _GENERATORS) or isinstance(owner, _GENERATORS):
            self.generators.append((name, value if isinstance(value, _GENERATORS) else owner))
        root = any(value is root or value is getattr(root, "__func__", None) for root in self.roots)
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
            self._item(function.__globals__, name)
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            self._cell(name, cell)
        self.attributes.update(dict.fromkeys(_names_in(code, "LOAD_ATTR", "LOAD_METHOD")))
        for name in ("__defaults__", "__kwdefaults__"):
            if getattr(function, name):
                held = getattr(function, name)
                self._guard(name, held, "{function}." + name + " is {held}", function=function)

    def _container(self, name: str, value: Any) -> None:
        if len(value) > _MOST_ITEMS:
            return
        if not isinstance(value, tuple):
            self._contents(name, value, "")
        if isinstance(value, dict):
            self._contents(name, value, ".values()")
        named = value.items() if isinstance(value, dict) else ((f"{name}_{i}", item) for i, item in enumerate(value))
        for key, item in named:
            if type(item) is Tensor:  # for its name
                self._guard(str(key), item, "")
            else:
                self.queue.append((str(key), item))

    def _contents(self, name: str, container: Any, part: str) -> None:
        """Guard the items of a list, or the keys or values of a dictionary."""
        held = tuple(container.values() if part else container)
        self.seen[id(held)] = held  # its items are followed on their own
        condition = "len({container}) == " + str(len(held)) + " and all(map(same, {container}" + part + ", {held}))"
        self._guard(name, held, condition, container=container)


def _random_state(generator: Any) -> Any:
    if isinstance(generator, random.Random):
        return None if isinstance(generator, random.SystemRandom) else generator.getstate()
    if isinstance(generator, np.random.RandomState):
        return generator.get_state(legacy=False)
    return getattr(generator, "bit_generator", generator).state


def _is_empty(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is _MISSING
    except ValueError:
        return True


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
