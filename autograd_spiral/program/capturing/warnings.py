"""Warnings about a step that can be captured, but has a likely mistake. They point to the user's line that calls it."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.debug.user_code import in_package
from autograd_spiral.engine.pytree import LEAF
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.program.capturing.cache_key import CacheKey, Call, taken_apart
from autograd_spiral.program.capturing.trace import StepTrace

__all__ = ["MANY", "warn_of_counters", "warn_of_kept_tensors", "warn_of_many", "warn_of_size"]

MANY = 8
"""Warn when this many programs were made for inputs of the same shapes."""

LARGE = 2**23
"""Warn if more bytes than this are compared at each call, which takes several milliseconds."""


def _warn(message: str) -> None:
    """Issue a UserWarning for the user's line that called the step."""
    frame: FrameType | None = sys._getframe()
    level = 0
    while frame is not None and in_package(frame.f_code.co_filename):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, UserWarning, stacklevel=level + 1)


def warn_of_kept_tensors(step: str, runs: Sequence[StepTrace], found: Sequence[tuple[str, Any]]) -> None:
    """Warn if a variable, an attribute or a container holds a tensor that one of these runs computed."""
    for name, value in found:
        parts = value if type(value) is tuple else (value,)
        if any(run.computed(part) for run in runs for part in parts):
            _warn(
                f"{name!r} holds a tensor of the run in which {step} was captured, but a replay does not update it: "
                "return the tensor instead"
            )
            return


def warn_of_counters(step: str, counters: Sequence[str]) -> None:
    """Warn if the step counts with Python numbers."""
    if counters:
        _warn(
            f"{step} changes {' and '.join(map(repr, counters))}, but Python code runs only when the step is recorded, "
            "not at each call: count outside the step, or keep the count in a Tensor, with count = Tensor(0.0) outside "
            "and count.assign(count + 1) in the step"
        )


def warn_of_size(step: str, watched: Sequence[NDArray[Any]]) -> None:
    """Warn if the arrays whose contents are compared at each call are large."""
    size = sum(array.nbytes for array in watched)
    if size > LARGE:
        _warn(
            f"{step} compares {size / 2**20:.0f} MB of outside arrays at each call, since it may derive constants from "
            "them in plain NumPy: pass the arrays as arguments, or compute with Tensor(array)"
        )


class _Change(NamedTuple):
    """The reason why a call needs a new program: the cause in words, and what to write instead."""

    cause: str
    remedy: str


def warn_of_many(
    call: Call, key: CacheKey, previous: CacheKey, variable: tuple[str, Any] | None, arrays: Sequence[str]
) -> None:
    """Warn that many programs were made for inputs of the same shapes, and say why the newest one was needed.

    The key of the call differs from the previous one, or a variable holds another value than it did for the latest
    program with that key, or the contents of arrays with these names have changed.
    """
    changes = [*_changes_of_key(call, key, previous)]
    changes += [_change_of_arrays(arrays)] if arrays else []
    changes += [_change_of_variable(*variable)] if variable else []
    changes = changes or [_Change("change of something that it does not watch", "Pass what changes as an argument")]
    causes = " and ".join(dict.fromkeys(change.cause for change in changes))
    remedies = ". ".join(dict.fromkeys(change.remedy for change in changes))
    _warn(f"{call.step_name} has made {MANY} programs, one for each {causes}. {remedies}")


def _changes_of_key(call: Call, key: CacheKey, previous: CacheKey) -> Iterator[_Change]:
    if key.recording is not previous.recording:
        yield _Change("change of no_grad()", "Make all calls inside no_grad(), or all outside")
    arguments = [(name, argument, *taken_apart(argument)) for name, argument in call.arguments()]
    if key.treedef != previous.treedef:
        names = ", ".join(repr(name) for name, _, _, treedef in arguments if treedef is not LEAF) or "the arguments"
        yield _Change(f"form of {names}", "Pass lists of numbers as arrays, and always the same arguments")
        return
    leaves = [(name, leaf, argument) for name, argument, leaves, _ in arguments for leaf in leaves]
    for leaf, a, b in zip(leaves, key.leaves, previous.leaves, strict=True):
        if a != b:
            yield _change_of_argument(*leaf)


def _change_of_argument(name: str, value: Any, argument: Any) -> _Change:
    if _is_number(value):
        if isinstance(argument, list | tuple) and all(map(_is_number, argument)):
            remedy = f"If they change from call to call, pass them as an array: np.asarray({name})"
            return _Change(f"value of the numbers in {name!r}", remedy)
        cause, code = (f"the number {name!r}", name) if argument is value else (f"a number in {name!r}", "number")
        remedy = f"If the number changes from call to call, pass it as an array: np.asarray({code})"
        return _Change(f"value of {cause}", remedy)
    if type(value) is Tensor:
        return _Change(f"tensor passed as {name!r}", "Make the tensor once, and assign() new values to it")
    if callable(value):
        return _Change(f"function passed as {name!r}", "Define the function once, and pass the same one at each call")
    return _Change(f"{type(value).__name__} passed as {name!r}", "Pass the same object at each call, or arrays")


def _change_of_variable(name: str, value: Any) -> _Change:
    if _is_number(value):
        remedy = (
            "If the number changes from call to call, pass it as an array, or keep it in a Tensor that the step "
            "assigns; do not read a counter in the step or in the rules of its operations"
        )
        return _Change(f"value of {name!r}, a number that it reads by name", remedy)
    return _Change(f"object that it reads as {name!r}", "Make the object once, or pass it as an argument")


def _change_of_arrays(names: Sequence[str]) -> _Change:
    cause = f"state of the outside arrays that it reads in plain NumPy ({', '.join(names)})"
    return _Change(cause, "Pass what changes as an argument, or index a tensor, as in Tensor(array)[i]")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)
