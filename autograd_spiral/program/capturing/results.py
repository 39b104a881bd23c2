"""Results: what a captured step may return."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Any

import numpy as np

from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.errors import CaptureError

__all__ = ["check_results"]

_CONSTANT = (bool, int, float, complex, str, bytes, type(None), np.generic, type, enum.Enum, np.dtype)


def check_results(step: str, leaves: Sequence[Any]) -> None:
    """Raise `CaptureError` if a program cannot return these results: it returns tensors and plain constants."""
    for leaf in leaves:
        if isinstance(leaf, np.ndarray):
            raise CaptureError(
                f"{step} returns a plain array, which is computed during capture and not at replay: return a Tensor "
                "that the step computes"
            )
        if not isinstance(leaf, (Tensor, *_CONSTANT)):
            raise CaptureError(
                f"{step} returns a {type(leaf).__name__}, whose contents a program does not know: return tensors, "
                "numbers and strings, in lists, tuples, named tuples or dicts"
            )
