"""Checks of arguments: numbers in a range, and random generators."""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np

from autograd_spiral.engine.modes import MODE, NO_TRACE
from autograd_spiral.engine.tensor import Tensor

__all__ = ["check_generator", "number", "number_or_tensor"]


def number(caller: str, name: str, value: Any, *, above: float | None = None, below: float = math.inf) -> float:
    """Return `value` as a float; raise unless it is at least 0 (or above `above`) and less than `below`.

    An array or a Tensor without axes counts as a number.
    """
    if isinstance(value, np.ndarray | Tensor):
        if value.shape:
            raise TypeError(f"{caller}: {name} must be a number, not {type(value).__name__} of shape {value.shape}")
        value = value.item()
    if not isinstance(value, numbers.Real):
        raise TypeError(f"{caller}: {name} must be a number, not {type(value).__name__}")
    given = float(value)
    if not (given >= 0 if above is None else given > above) or not given < below:
        range_ = f"{'at least 0' if above is None else 'positive'} and {'finite' if below == math.inf else 'below 1'}"
        raise ValueError(f"{caller}: {name} must be {range_}, not {value!r}")
    return given


def number_or_tensor(caller: str, name: str, value: Any, *, above: float | None = None) -> Any:
    """Return `number(…)`; but while a step is being captured, return an array or a Tensor without axes as a Tensor.

    The Tensor may have another value at each call of the step, so its value is not checked.
    """
    is_number = isinstance(value, np.ndarray | Tensor) and value.shape == () and value.dtype.kind in "biuf"
    if is_number and MODE.get().trace is not NO_TRACE:
        return value if type(value) is Tensor else Tensor(value)
    return number(caller, name, value, above=above)


def check_generator(caller: str, rng: Any, call: str) -> None:
    """Raise TypeError unless `rng` is one of NumPy's generators; `call` says how to call the function."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            f"{caller}: rng must be a generator, such as np.random.default_rng(0), made once for all calls, but it is "
            f"{type(rng).__name__}: write {call}"
        )
