"""What a step reaches besides its arguments: variables, attributes and items, in the functions it calls by name, too.

Followed are plain Python functions of the user's own: those that the step names, methods that it names of objects that
it reaches, and so on; of objects, the attributes that some of these functions name. The rules of declared primitives
are followed, and those bodies that a program has as equations: others run in each replay, and read anew what they read.
Python's library, installed packages and the engine are taken to stay as they are.
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

from autograd_spiral.debug.user_code import in_engine
from autograd_spiral.engine.table import PRIMITIVES, Primitive
from autograd_spiral.engine.tensor import Tensor

__all__ = ["Reached", "Surroundings"]

_MISSING = object()
_ITEMS = 64
"""Containers of more items are known by their identity alone: they are data, and reading them would take long."""

_PLACES = 1000
"""So many variables are watched; a step that reaches more of them than that is hardly a step."""

_REMEMBERED = 8
_PLAIN = (int, float, complex, str, bytes, type(None), Tensor, np.ndarray, np.generic)
_GENERATORS = (np.random.Generator, np.random.RandomState, np.random.BitGenerator, random.Random)
_INSTALLED = tuple({sysconfig.get_paths()[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")})


@dataclass(frozen=True, eq=False)
class Reached:
    """What a step reached at some time: `held`, what the variables held, and whether they still do (`still()`)."""

    held: list[Any]
    still: Callable[[], bool]
    names: list[str]
    roots: tuple[Any, ...]
    generators: list[tuple[str, Any]]  # of random numbers, with names
    arrays: list[tuple[str, NDArray[Any]]]  # with names

    def tensor_names(self) -> dict[Tensor, str]:
        """Names for the tensors that variables hold, directly or in a list or a tuple."""
        found: dict[Tensor, str] = {}
        for name, value in zip(self.names, self.held, strict=True):
            if type(value) is Tensor:
                found.setdefault(value, name)
        return found

    def random_states(self) -> list[tuple[str, Any]]:
        """The names and the states of the generators of random numbers: NumPy's, Python's, and those reached."""
        found: list[tuple[str, Any]] = [
            ("np.random", np.random.get_state(legacy=False)),  # noqa: NPY002
            ("the module random", random.getstate()),
        ]
        return found + [(name, _random_state(generator)) for name, generator in self.generators]


class Surroundings:
    """The variables outside a step that it reads. Calling it gives what they hold now."""

    def __init__(self, step: Callable[..., Any]) -> None:
        self._step = step
        self._known: list[Reached] = []  # the latest first: finding out takes longer than looking again
        self._expanded: frozenset[Primitive] = frozenset()

    def __call__(self, arguments: Sequence[Any] = ()) -> Reached:
        """What is reached from the step and from `arguments`, those that are no arrays."""
        roots = (self._step, *(argument for argument in arguments if not isinstance(argument, _PLAIN)))
        for reached in self._known:
            if len(roots) == len(reached.roots) and all(map(operator.is_, roots, reached.roots)) and reached.still():
                return reached
        reached = _Search(roots, self._expanded).reached()
        self._known = [reached, *self._known[: _REMEMBERED - 1]]
        return reached

    def expand(self, primitives: Set[Primitive]) -> None:
        """From here on, follow the bodies of these declared primitives too: a program has their equations."""
        if not primitives <= self._expanded:
            self._expanded, self._known = self._expanded | primitives, []


def arrays_named_by(function: Any) -> list[NDArray[Any]]:
    """The arrays that a function of the user's own reaches by name."""
    return [array for _, array in _Search((function,), frozenset()).reached().arrays]


class _Search:
    """From some objects, all that is reached by name: functions first, then what they name of objects."""

    def __init__(self, roots: tuple[Any, ...], expanded: frozenset[Primitive]) -> None:
        self.roots = roots
        self.expanded = expanded
        self.names: list[str] = []
        self.held: list[Any] = []
        self.bound: dict[str, Any] = {"missing": _MISSING, "same": operator.is_}
        self.conditions: list[str] = []
        self.queue: list[tuple[str, Any]] = [("", root) for root in roots]
        self.seen: dict[int, Any] = {}
        self.objects: list[tuple[Any, set[str]]] = []  # and the attributes that were looked for
        self.attributes: dict[str, None] = {"__call__": None}  # that functions name
        self.generators: list[tuple[str, Any]] = []
        self.arrays: list[tuple[str, NDArray[Any]]] = []

    def reached(self) -> Reached:
        """The result."""
        while self.queue:
            while self.queue:
                self._follow(*self.queue.pop(0))
            for thing, done in self.objects:
                for name in [name for name in self.attributes if name not in done]:
                    done.add(name)
                    self._attribute(thing, name)
        body = " and ".join(self.conditions) or "True"
        text = (
            f"def make({', '.join(self.bound)}):\n    def still():\n        try:\n            return {body}\n"
            "        except ValueError:  # a cell that holds nothing\n            return False\n    return still\n"
        )
        names: dict[str, Any] = {}
        exec(compile(text, "<surroundings>", "exec"), names)
        return Reached(self.held, names["make"](**self.bound), self.names, self.roots, self.generators, self.arrays)

    # --- places ----------------------------------------------------------------------------------------------------

    def _place(self, name: str, value: Any, condition: str, **bound: Any) -> None:
        """Watch a place, whose `condition` says of `bound` things and `held` that nothing has changed."""
        if len(self.held) >= _PLACES:
            return
        number = len(self.held)
        renamed = {key: f"{key}{number}" for key in (*bound, "held")}
        self.bound.update({renamed[key]: thing for key, thing in {**bound, "held": value}.items()})
        if condition:
            self.conditions.append(condition.format(**renamed))
        self.names.append(name)
        self.held.append(value)
        self.queue.append((name, value))

    def _item(self, holder: Mapping[str, Any], name: str) -> None:
        self._place(name, holder.get(name, _MISSING), "{get}(" + repr(name) + ", missing) is {held}", get=holder.get)

    def _cell(self, name: str, cell: types.CellType) -> None:
        try:
            self._place(name, cell.cell_contents, "{cell}.cell_contents is {held}", cell=cell)
        except ValueError:
            self._place(name, _MISSING, "{empty}({cell})", cell=cell, empty=_is_empty)

    def _attribute(self, thing: Any, name: str) -> None:
        own = getattr(thing, "__dict__", None)
        if own is not None and name in own:
            self._item(own, name)
            return
        if isinstance(thing, types.ModuleType):
            return
        kinds = [kind for kind in (thing if isinstance(thing, type) else type(thing)).__mro__ if name in kind.__dict__]
        if kinds and own is not None and not isinstance(thing, type):
            self._item(own, name)  # where what the class has may be hidden later
        for kind in kinds:
            value = kind.__dict__[name]
            if isinstance(value, types.MemberDescriptorType):
                held = getattr(thing, name, _MISSING)
                self._place(name, held, "getattr({thing}, " + repr(name) + ", missing) is {held}", thing=thing)
            elif hasattr(type(value), "__get__"):  # a method or a property, which is taken to stay
                self.queue.append((name, value))
                continue  # to what `super()` finds
            elif _is_users_thing(kind):
                self._item(kind.__dict__, name)
            return

    # --- things ----------------------------------------------------------------------------------------------------

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
            elif root or _is_users(value.__code__.co_filename):
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
        elif root or not isinstance(value, type | types.ModuleType) or _is_users_thing(value):
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
                self._place(name, held, "{function}." + name + " is {held}", function=function)

    def _container(self, name: str, value: Any) -> None:
        if len(value) > _ITEMS:
            return
        if not isinstance(value, tuple):
            self._contents(name, value, "")
        if isinstance(value, dict):
            self._contents(name, value, ".values()")
        named = value.items() if isinstance(value, dict) else ((f"{name}_{i}", item) for i, item in enumerate(value))
        for key, item in named:
            if type(item) is Tensor:  # for its name
                self._place(str(key), item, "")
            else:
                self.queue.append((str(key), item))

    def _contents(self, name: str, container: Any, part: str) -> None:
        """Watch what is in a list, or the keys or values of a dictionary."""
        held = tuple(container.values() if part else container)
        self.seen[id(held)] = held  # what is in it is followed as such
        condition = "len({container}) == " + str(len(held)) + " and all(map(same, {container}" + part + ", {held}))"
        self._place(name, held, condition, container=container)


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
    """The names that the code uses in some operations, in functions and comprehensions within it too."""
    found = [step.argval for step in dis.get_instructions(code) if step.opname in operations]
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found += _names_in(constant, *operations)
    return tuple(dict.fromkeys(found))


@functools.cache
def _is_users(file: str | None) -> bool:
    """Whether a file is none of the engine, of Python's library, or of an installed package."""
    return file is not None and not in_engine(file) and not file.startswith(_INSTALLED)


def _is_users_thing(value: type | types.ModuleType) -> bool:
    """Whether a module or a class is one of the user's own, whose attributes may change."""
    module = value if isinstance(value, types.ModuleType) else sys.modules.get(value.__module__)
    name = getattr(module, "__name__", "builtins")
    return name not in sys.builtin_module_names and _is_users(getattr(module, "__file__", None) or "<text>")
