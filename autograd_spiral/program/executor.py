"""Executors: the interface between a program and what runs it, and the simplest executor.

An executor is called once for each program, and returns a `Run`. `capture(step, executor=…)` takes any executor. The
default executor is `replay_or_blocks`, in `running/`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.engine.frozen import frozen
from autograd_spiral.engine.tensor import Tensor, as_leaf
from autograd_spiral.errors import CaptureError
from autograd_spiral.program.evaluate import evaluate
from autograd_spiral.program.ir import Program, Value
from autograd_spiral.program.locks import new_lock

__all__ = [
    "ALONE",
    "HOST",
    "Executor",
    "Memory",
    "OutOfStep",
    "Peers",
    "Run",
    "checked",
    "interpret",
    "peers_of",
    "update",
]


class Memory(NamedTuple):
    """Where a `Run` keeps its state and results: in plain arrays, or for example on a GPU.

    `HOST` is the memory of plain arrays. A memory has three functions. `take(leaf)` returns what the run's function
    gets for a leaf. `leaf(result)` returns a new leaf that holds a result of the function.
    `update(leaves, before, new)` gives the first leaves new values, one for each item of `new`. If it is interrupted,
    all leaves keep their old values, which are in `before`.

    >>> import numpy as np
    >>> run = Run(lambda x: (x + 1,), reentrant=True)  # its memory is HOST
    >>> run.memory.leaf(*run(np.zeros(2)))
    Tensor([1., 1.])
    """

    take: Callable[[Tensor], Any]
    leaf: Callable[[Any], Tensor]
    update: Callable[[Sequence[Tensor], Sequence[Any], Iterable[Any]], None]


def update(leaves: Sequence[Tensor], before: Sequence[NDArray[Any]], new: Iterable[NDArray[Any]]) -> None:
    """Give the first leaves their new values, one for each of `new`; if this is interrupted, restore the old ones."""
    try:
        for leaf, value in zip(leaves, new):  # noqa: B905  # strict=True takes longer
            leaf._value = value
    except BaseException:
        for leaf, value in zip(leaves, before, strict=True):
            leaf._value = value
        raise


HOST = Memory(operator.attrgetter("_value"), as_leaf, update)


@dataclass(frozen=True, slots=True)
class Run:
    """A program that is ready to run: `run(*inputs, *state, *outside)` returns `(*outputs, *new_state)`.

    The results are new read-only arrays that nothing else holds, and the arguments are not changed. If a check of the
    program fails, an error is raised and nothing is returned. `reentrant` says whether two threads may run `function`
    at the same time. If not, for example because calls share buffers, a call waits until calls from other threads have
    ended.

    A captured step keeps its state and results in the `memory` of the run. If the memory is not `HOST`, `function` gets
    what the memory takes from leaves, and the memory makes leaves from the results. If you call the run yourself, it
    always returns arrays.

    >>> import numpy as np
    >>> run = Run(lambda x: (x + 1,), reentrant=True)
    >>> run(np.zeros(2))
    (array([1., 1.]),)
    """

    function: Callable[..., tuple[Any, ...]]
    reentrant: bool
    memory: Memory = HOST
    lock: AbstractContextManager[Any] = field(init=False, repr=False)  # held during a call

    def __post_init__(self) -> None:
        object.__setattr__(self, "lock", nullcontext() if self.reentrant else new_lock())

    def __call__(self, *arrays: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """Return the outputs, followed by the new state."""
        with self.lock:
            results = self.function(*arrays)
        return results if self.memory is HOST else tuple(self.memory.leaf(result)._value for result in results)


Executor: TypeAlias = Callable[[Program], Run]


class OutOfStep(CaptureError):
    """The processes do not all run the same program; after this error, their captured step makes new programs."""


class Peers:
    """The other processes that run a step together with this process; in this class, there are none.

    If an executor runs a program in several processes, it has an attribute `peers`, and each process passes its own
    rows.

    >>> import numpy as np
    >>> Peers().stand_in("x", np.zeros(2))
    array([0., 0.])
    """

    def stand_in(self, name: str, array: NDArray[Any]) -> NDArray[Any]:
        """Return what replaces an input while the step is captured: an array with the rows of all processes."""
        return array

    def alike(self, name: str) -> AbstractContextManager[None]:
        """Return a context manager: if its body raises an error in one process, an error is raised in all processes.

        Messages use `name`, the name of the step.
        """
        return nullcontext()


def peers_of(executor: Executor | None) -> Peers:
    """Return the other processes in which `executor` runs programs."""
    peers: Peers = getattr(executor, "peers", ALONE)
    return peers


ALONE = Peers()


def interpret(program: Program) -> Run:
    """Run `program` by evaluating it: the simplest executor, and the slowest.

    >>> import numpy as np
    >>> from autograd_spiral import capture
    >>> step = capture(lambda x: np.exp(x).sum(), executor=interpret)
    >>> float(step(np.zeros(3)))
    3.0
    """
    return Run(lambda *arrays: evaluate(program, *arrays), reentrant=True)


def checked(executor: Executor) -> Executor:
    """Return `executor` with its results checked and copied, as is done for all executors but the default one.

    A run with its own memory is returned unchanged, since only that memory knows what its results are. The new executor
    raises TypeError if `executor` does not return a `Run`. The run is called with read-only views, and `CaptureError`
    is raised if its results do not have the number, shapes and dtypes that the program states.

    >>> import numpy as np
    >>> from autograd_spiral import capture
    >>> step = capture(lambda x: 2 * x)
    >>> _ = step(np.ones(3))
    >>> checked(lambda program: Run(lambda x: (2 * x[:2],), reentrant=True))(step.program)(np.ones(3))
    Traceback (most recent call last):
      ...
    autograd_spiral.errors.CaptureError: the executor of step returned ['float64[2]'], but ...
    """

    def prepare(program: Program) -> Run:
        run = executor(program)
        if not isinstance(run, Run):
            raise TypeError(
                f"an executor must return a Run, but {getattr(executor, '__name__', executor)!r} returned "
                f"{type(run).__name__}: return Run(function, reentrant=False)"
            )
        if run.memory is not HOST:
            return run
        return Run(lambda *arrays: _checked_results(program, run(*map(_view, arrays))), reentrant=True)

    return prepare


def _view(array: NDArray[Any]) -> NDArray[Any]:
    """Return a view of `array` that the executor cannot write to."""
    return frozen(array.view())


def _checked_results(program: Program, results: Any) -> tuple[NDArray[Any], ...]:
    atoms = (*program.outputs, *(new for _, new in program.updates))
    expected = [_described(atom if isinstance(atom, Value) else np.asarray(atom)) for atom in atoms]
    found = [_described(result) for result in results] if isinstance(results, tuple) else _described(results)
    if found != expected:
        raise CaptureError(
            f"the executor of {program.name} returned {found}, but the program states {expected}: return a tuple of "
            "these arrays"
        )
    return tuple(frozen(np.array(result)) for result in results)


def _described(value: Any) -> str:
    is_array = isinstance(value, Value) or type(value) is np.ndarray  # np.matrix, a subclass, multiplies differently
    return f"{value.dtype}{list(value.shape)}" if is_array else type(value).__name__
