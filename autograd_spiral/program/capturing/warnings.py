"""Warnings about a captured step even though its two traced runs agree.

All of them point to the user's line that called the step.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.debug.user_code import in_package
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.program.capturing.cache_key import CacheKey, Call
from autograd_spiral.program.capturing.guards import GuardSet
from autograd_spiral.program.capturing.pytree import LEAF, flatten

__all__ = ["warn_of_kept_tensors", "warn_of_many", "warn_of_other_threads", "warn_of_size"]

MANY = 8
"""Warn once this many programs differ only in one number, or only in the contents of the same arrays."""

LARGE = 2**23
"""Warn above this many bytes: comparing them at each call takes several milliseconds."""


def _warn(message: str) -> None:
    """Issue a UserWarning for the user's line that called the step."""
    frame: FrameType | None = sys._getframe()
    level = 0
    while frame is not None and in_package(frame.f_code.co_filename):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, UserWarning, stacklevel=level + 1)


def warn_of_other_threads(step: str) -> None:
    """Warn that work was given to another thread or context while the step was captured."""
    _warn(
        f"{step} used another thread or context while it was captured. Results computed there may not be recorded, and "
        "replays then reuse the values of this call: compute them in the thread that calls the step, or in the body of "
        "a @primitive, which every replay calls"
    )


def warn_of_kept_tensors(step: str, computed: set[Tensor], guards: GuardSet) -> None:
    """Warn if a variable, a list or a dictionary holds a tensor that was computed while the step was captured."""
    for name, value in zip(guards.names, guards.values, strict=True):
        parts = value if type(value) is tuple else (value,)
        if any(type(part) is Tensor and part in computed for part in parts):
            _warn(
                f"{name!r} holds a tensor that {step} computed while it was captured, but a replay does not update it: "
                "return the tensor instead"
            )
            return


def warn_of_size(step: str, watched: Sequence[NDArray[Any]]) -> None:
    """Warn if the arrays whose contents are compared at each call are large."""
    size = sum(array.nbytes for array in watched)
    if size > LARGE:
        _warn(
            f"{step} compares {size / 2**20:.0f} MB of outside arrays at each call, since it may derive constants from "
            "them in plain NumPy: pass the arrays as arguments, or compute with Tensor(array)"
        )


def warn_of_many(call: Call, keys: Sequence[CacheKey], guards: GuardSet, watched: Sequence[NDArray[Any]]) -> bool:
    """Warn if many programs differ from the first, the new one, in one thing alone; return whether this warned.

    The one thing is a number among the arguments, a number read by name, or the contents of the `watched` arrays.
    """
    message = _about_numbers(call, keys, guards)
    count = keys.count(keys[0])
    if message is None and watched and count >= MANY:
        known = {id(array): name for name, array in guards.arrays}
        names = ", ".join(known[id(array)] or "an array" for array in watched)
        message = (
            f"{count} programs, one for each state of the outside arrays that it reads in plain NumPy ({names}). "
            "Pass what changes as an argument, or index a tensor, as in Tensor(array)[i]"
        )
    if message is not None:
        _warn(f"{call.step_name} has made {message}")
    return message is not None


def _about_numbers(call: Call, keys: Sequence[CacheKey], guards: GuardSet) -> str | None:
    """Return the message about the first number with many values in keys that are otherwise as the first key."""
    alike = [k for k in keys if (k.treedef, k.recording) == (keys[0].treedef, keys[0].recording)]
    own, *_ = constants = [(*k.leaves, *k.guards) for k in alike]
    for i, (name, remedy) in enumerate(_remedies(call, guards)):
        rest = own[:i] + own[i + 1 :]
        values = {other[i] for other in constants if other[:i] + other[i + 1 :] == rest and _is_number(other[i])}
        if len(values) >= MANY and _is_number(own[i]):
            return (
                f"{len(values)} programs, one for each value of {name}. If the number changes from call to call, pass "
                f"it as an array{remedy}"
            )
    return None


def _remedies(call: Call, guards: GuardSet) -> Iterator[tuple[str, str]]:
    """Yield what the message calls each constant of a key, and what to write if it is a number that changes."""
    for name, argument in call.arguments():
        leaves, treedef = flatten(argument)
        if treedef is LEAF:
            yield f"the number {name!r}", f": np.asarray({name})"
        else:
            yield from [(f"a number in {name!r}", ": np.asarray(number)")] * len(leaves)
    for name in guards.names:
        yield (
            f"{name!r}, a number that it reads by name",
            ", or keep it in a Tensor that the step assigns; do not read a counter in the step or in the rules of its "
            "operations",
        )


def _is_number(key: Any) -> bool:
    """Whether the key of a constant is that of a Python or NumPy number, bool excepted."""
    kind = key[0] if type(key) is tuple else None
    return isinstance(kind, type) and issubclass(kind, (int, float, np.number)) and kind is not bool
