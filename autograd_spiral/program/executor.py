"""Executors: what runs a program. `capture(step, executor=…)` takes any of them; replay is the default.

An executor is called with a program, once, and returns a `Run`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from numpy.typing import NDArray

from autograd_spiral.program.ir import Program

__all__ = ["Executor", "Run"]


@dataclass(frozen=True, slots=True)
class Run:
    """A program made ready to run: `run(*inputs, *state, *outside)` returns `(*outputs, *new_state)`.

    Results are fresh arrays, which nothing else holds and nobody can write to. The arrays that a run is given stay as
    they are. The checks of the program run, and raise, before anything is returned. `reentrant` says whether two
    threads may be inside `function` at the same time; if not, as where calls share buffers, a run lets one in at a
    time, so that calling it is safe from any thread.

    >>> import numpy as np
    >>> run = Run(lambda x: (x + 1,), reentrant=True)
    >>> run(np.zeros(2))
    (array([1., 1.]),)
    """

    function: Callable[..., tuple[NDArray[Any], ...]]
    reentrant: bool
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __call__(self, *arrays: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """Return the outputs and then the new state."""
        if self.reentrant:
            return self.function(*arrays)
        with self._lock:
            return self.function(*arrays)


Executor: TypeAlias = Callable[[Program], Run]
