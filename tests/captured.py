"""Helpers for tests of captured steps."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np

from autograd_spiral import Tensor

ONES = np.ones(2)


def leaf(*values: float, **options: Any) -> Tensor:
    """A leaf that requires gradients."""
    return Tensor(np.array(values or (1.0, -2.0), float), requires_grad=True, **options)


def count_of(step: Any) -> int:
    """The number of programs that a captured step has made and kept."""
    return len(step._programs.kept)


def fork() -> int:
    """Fork this process, without a warning of threads that are not in the child."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*multi-?threaded.*")  # of Python 3.12 and later, and of JAX
        return os.fork()
