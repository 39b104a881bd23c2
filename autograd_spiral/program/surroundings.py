"""What a step reaches besides its arguments: the variables of its closure, and the globals that it names."""

from __future__ import annotations

import dis
import types
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from autograd_spiral.tensor import Tensor

__all__ = ["Surroundings"]

_MISSING = object()


class Surroundings:
    """The variables outside a step that it reads by name. Calling it gives what they hold now."""

    def __init__(self, step: Callable[..., Any]) -> None:
        function = getattr(step, "__func__", step)  # of a bound method, the function
        code = getattr(function, "__code__", None)
        self.cells = dict(zip(code.co_freevars, function.__closure__ or (), strict=True)) if code else {}
        self.globals: dict[str, Any] = getattr(function, "__globals__", {})
        self.global_names = sorted({name for name in _names_in(code) if name not in self.cells}) if code else []

    def __call__(self) -> list[Any]:
        """What the variables hold now; a marker for those that hold nothing yet."""
        known = self.globals
        held = [known.get(name, _MISSING) for name in self.global_names]
        for cell in self.cells.values():
            try:
                held.append(cell.cell_contents)
            except ValueError:  # not assigned yet
                held.append(_MISSING)
        return held

    def still(self, held: list[Any]) -> bool:
        """Whether the variables hold what they held when a call gave `held`."""
        known = self.globals
        position = 0
        for name in self.global_names:
            if known.get(name, _MISSING) is not held[position]:
                return False
            position += 1
        for cell in self.cells.values():
            try:
                if cell.cell_contents is not held[position]:
                    return False
            except ValueError:
                return False
            position += 1
        return True

    def tensor_names(self) -> dict[Tensor, str]:
        """Names for tensors that variables hold, directly or one step further in an object or a container."""
        names: dict[Tensor, str] = {}
        for name, value in zip([*self.global_names, *self.cells], self(), strict=True):
            for found, tensor in _tensors(name, value):
                names.setdefault(tensor, found)
        return names


def _names_in(code: types.CodeType) -> Iterator[str]:
    """The names of globals that the code loads."""
    yield from (step.argval for step in dis.get_instructions(code) if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"))
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):  # functions and comprehensions within
            yield from _names_in(constant)


def _tensors(name: str, value: Any) -> Iterator[tuple[str, Tensor]]:
    if type(value) is Tensor:
        yield name, value
    elif isinstance(value, dict):
        yield from ((str(key), item) for key, item in value.items() if type(item) is Tensor)
    elif isinstance(value, list | tuple):
        yield from ((f"{name}_{i}", item) for i, item in enumerate(value) if type(item) is Tensor)
    elif is_dataclass(value) and not isinstance(value, type):
        yield from ((f.name, item) for f in fields(value) if type(item := getattr(value, f.name, None)) is Tensor)
    elif not isinstance(value, type | types.ModuleType | types.FunctionType):
        yield from ((key, item) for key, item in getattr(value, "__dict__", {}).items() if type(item) is Tensor)
