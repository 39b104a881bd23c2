"""What a captured step is warned of, and refused, though both of its traced runs computed the same.

All warnings name the line of the user's that called the step.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.errors import CaptureError
from autograd_spiral.program.capturing.guards import Reached
from autograd_spiral.program.capturing.pytree import LEAF, flatten
from autograd_spiral.program.capturing.trace import same

__all__ = ["refuse_random_numbers", "warn_of_many", "warn_of_other_threads", "warn_of_size", "warn_of_what_is_kept"]

MANY = 8
"""So many programs for the values of one number, or the contents of the same arrays, are worth a warning."""

LARGE = 2**23
"""Comparing so many bytes at each call takes some milliseconds."""


def refuse_random_numbers(
    step: str, before: Sequence[tuple[str, Any]], after: Sequence[tuple[str, Any]], *, asked: bool
) -> None:
    """Raise `CaptureError` where states of generators changed, or the system was `asked` for random numbers.

    Two runs may compute the same by chance: a mask that is seldom 0 is 1 in both.
    """
    drawn = [name for (name, old), (_, new) in zip(before, after, strict=True) if not same(old, new)]
    if not (drawn or asked):
        return
    source = f"from {drawn[0] or 'a generator among its arguments'}" if drawn else "from a generator without a seed"
    raise CaptureError(
        f"{step} draws random numbers {source}, which a program would repeat at every call. A captured step must "
        "compute the same each time: draw them outside of it, and pass them, or the mask or the rows that they choose, "
        "as arrays"
    )


def warn_of_other_threads(step: str) -> None:
    """Warn that work was given to another thread or context while the step was captured."""
    warnings.warn(
        f"{step} gave work to another thread, or to a context of its own, while it was captured. What is computed "
        "there can escape the recording, and a replay then goes on with what it was in this call: compute it in the "
        "thread that calls the step, or in the body of a @primitive, which each replay calls",
        UserWarning,
        stacklevel=5,
    )


def warn_of_what_is_kept(step: str, computed: set[Tensor], reached: Reached) -> None:
    """Warn where a variable, a list or a dictionary holds what was computed while the step was captured."""
    for name, held in zip(reached.names, reached.held, strict=True):
        parts = held if type(held) is tuple else (held,)
        if any(type(part) is Tensor and part in computed for part in parts):
            warnings.warn(
                f"{name!r} holds a tensor that {step} computed while it was captured; a replay puts nothing there: "
                "return the tensor instead",
                UserWarning,
                stacklevel=5,
            )
            return


def warn_of_size(step: str, watched: Sequence[NDArray[Any]]) -> None:
    """Warn where the arrays whose contents are compared at each call are large."""
    size = sum(array.nbytes for array in watched)
    if size > LARGE:
        warnings.warn(
            f"{step} compares {size / 2**20:.0f} MB of arrays from outside at each call, since it may make others of "
            "them in plain NumPy, which change with them: pass them as arguments, or compute with Tensor(array)",
            UserWarning,
            stacklevel=5,
        )


def warn_of_many(
    step: str,
    key: Any,
    keys: Sequence[Any],
    arguments: Sequence[tuple[str, Any]],
    reached: Reached,
    watched: Sequence[NDArray[Any]],
) -> bool:
    """Warn where many programs, known by their `keys`, differ from the one of `key` in a single thing; whether it did.

    That is a number among the `arguments` or read by name, or what is in arrays from outside that are `watched`.
    """
    if len(keys) < MANY:
        return False
    message = _of_numbers(step, key, keys, arguments) or _of_variables(step, key, keys, reached)
    count = sum(other[:2] == key[:2] for other in keys)
    if message is None and watched and count >= MANY:
        known = {id(array): name for name, array in reached.arrays}
        names = ", ".join(known[id(array)] or "an array" for array in watched)
        message = (
            f"{step} has made {count} programs, one for each content of what it reads in plain NumPy from outside "
            f"({names}). Pass what changes as an argument, or compute with tensors: Tensor(array)[i]"
        )
    if message is None:
        return False
    warnings.warn(message, UserWarning, stacklevel=4)
    return True


def _of_numbers(step: str, key: Any, keys: Sequence[Any], arguments: Sequence[tuple[str, Any]]) -> str | None:
    (structure, tokens, recording), *held = key
    alike = [t for (s, t, r), *h in keys if (s, r, h) == (structure, recording, held)]
    names: list[tuple[str, str]] = []  # in the message, and in code
    for name, argument in arguments:
        leaves: list[Any] = []
        single = flatten(argument, leaves) is LEAF
        names += [(f"the number {name!r}", name) if single else (f"a number in {name!r}", "number")] * len(leaves)
    for i, (called, name) in enumerate(names):
        rest = tokens[:i] + tokens[i + 1 :]
        values = [t[i] for t in alike if t[:i] + t[i + 1 :] == rest and _is_number(t[i])]
        if len(values) >= MANY and _is_number(tokens[i]):
            return (
                f"{step} has made {len(values)} programs that differ only in {called}, one for each of its values. To "
                f"compute with a number that changes, pass it as an array, np.asarray({name})"
            )
    return None


def _of_variables(step: str, key: Any, keys: Sequence[Any], reached: Reached) -> str | None:
    tokens, held, *_ = key
    alike = [h for t, h, *_ in keys if t == tokens and len(h) == len(held)]
    for i, (name, token) in enumerate(zip(reached.names, held, strict=True)):
        rest = held[:i] + held[i + 1 :]
        values = {h[i] for h in alike if h[:i] + h[i + 1 :] == rest and _is_number(h[i])}
        if len(values) >= MANY and _is_number(token):
            return (
                f"{step} has made {len(values)} programs that differ only in {name!r}, a number that it reads by name, "
                "one for each of its values. To compute with a number that changes, keep it in a Tensor that the step "
                "assigns, or pass it as an array; do not read a counter in the step, or in rules of operations in it"
            )
    return None


def _is_number(token: Any) -> bool:
    """Whether what selects a program is a number of Python or NumPy, a flag excepted."""
    kind = token[0] if type(token) is tuple else None
    return isinstance(kind, type) and issubclass(kind, (int, float, np.number)) and kind is not bool
