"""A program that several processes run together: it is captured for all rows, and each process passes its own."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.errors import CaptureError
from autograd_spiral.program.executor import Peers, Run
from autograd_spiral.program.ir import Program, Value, has_dtype
from autograd_spiral.program.passes.patterns import number_in
from autograd_spiral.program.passes.pipeline import inlined
from autograd_spiral.program.xla.compiled import OPTIONS, Compiled
from autograd_spiral.program.xla.leaves import OnDevice, refuse_forked
from autograd_spiral.program.xla.processes import FINE, REFUSED, SUSPICIOUS, Processes, Stamped, digest, told, total

__all__ = ["Together"]


class Together(Peers):
    """An executor for several processes.

    It is its own `peers`: a step is captured with the rows of all processes.
    """

    def __init__(self, processes: Processes) -> None:
        self._processes, self.peers = processes, self

    def __call__(self, program: Program) -> Run:
        """Compile `program`, which must be the same in all processes."""
        compiled = CompiledTogether(program, self._processes)
        return Run(compiled, reentrant=False, memory=self._processes.memory())

    def stand_in(self, name: str, array: NDArray[Any]) -> NDArray[Any]:
        """Return an array with as many rows as all processes have together: this process's rows, repeated."""
        if not self._processes.has_rows(name, array):
            return array
        return np.concatenate([array] * len(self._processes.numbers))

    def alike(self, name: str) -> AbstractContextManager[None]:
        """If the body raises an error in one process, raise an error in all of them."""
        return self._processes.alike(name)


class CompiledTogether(Compiled):
    """A compiled program that takes the rows of this process.

    A process that refuses its arguments still runs the program, since the others wait for its part. It reports the
    refusal along with the results, and then no process keeps these results. Each process also sends a hash of its
    arrays without rows, which must be the same in all processes.
    """

    def __init__(self, program: Program, processes: Processes) -> None:
        self._processes = processes
        super().__init__(program, processes)
        self._warn_of_own_rows()

    def __call__(self, *arrays: Any) -> tuple[OnDevice, ...]:
        refuse_forked()
        processes, name = self._processes, self._program.name
        arguments, alike = self._arguments(arrays), self._alike(arrays)
        flag, refusal = self._opinion(arrays)
        row = self._row(False, flag, self._digest, digest(*map(_stamp, alike.values())))
        processes.started(self._add_up)
        (results, looked, alarmed), rows = processes.together(
            name, lambda: self._function(arguments, self._constants, row)
        )
        processes.raise_refusals(name, found := told(rows), refusal)
        _, flags, digests, stamps = found.T
        if any(digests != digests[0]):
            raise CaptureError(f"{name}: the processes {processes.numbers} run different programs. No leaf has changed")
        stamp = digest(self._digest, int(stamps[0]))
        if any(stamps != stamps[0]):
            stamp = self._compare(alike)
        if (alarmed is not None and bool(alarmed)) or SUSPICIOUS in flags:
            self._raise_as_numpy(list(self._gathered(arrays, arguments)))
        self._check_computed(looked)
        return tuple(Stamped(result, digest(stamp, i)) for i, result in enumerate(results))

    def _row(self, *numbers: int) -> Any:
        results = (*self._program.outputs, *(new for _, new in self._program.updates))
        single = not any(has_dtype(atom, np.dtype(np.float64)) for atom in results)
        return self._processes.row(*numbers, dtype=np.float32 if single else np.float64)

    def _add_up(self, *numbers: int) -> Any:
        """Run the program on zeros, only to exchange `numbers` between the processes."""
        zeros = [self._processes.zeros(value, where) for value, where in zip(self._given, self._shardings, strict=True)]
        _, rows = self._function(zeros, self._constants, self._row(*numbers))
        return rows

    def _opinion(self, arrays: Sequence[Any]) -> tuple[int, Exception | None]:
        """Return what this process reports about its arguments, and the error that they raise."""
        try:
            return (SUSPICIOUS if self._is_suspicious(arrays) else FINE), None
        except Exception as error:
            return REFUSED, error

    def _alike(self, arrays: Sequence[Any]) -> dict[str, Any]:
        """Return a dict of the arrays that must be the same in all processes: all except the inputs with rows."""
        given = zip(self._given, self._shardings, arrays, strict=True)
        by_rows = self._processes.by_rows
        return {f"{i} {self._named(v)}": a for i, (v, where, a) in enumerate(given) if where is not by_rows}

    def _named(self, value: Value) -> str:
        program = self._program
        return f"an outside array of shape {value.shape}" if value in program.outside else program.call(value)

    def _compare(self, alike: dict[str, Any]) -> int:
        """Raise `CaptureError` in all processes if their arrays differ; otherwise, return a number for all arrays."""
        processes, name = self._processes, self._program.name
        digests = [digest(np.asarray(array)) for array in alike.values()]
        columns = zip(alike, processes.gather(name, *digests).T, strict=True)
        differing = [key.partition(" ")[2] for key, column in columns if any(column != column[0])]
        if differing:
            raise CaptureError(
                f"{name}: {', '.join(differing)} differ{'s' * (len(differing) == 1)} between the processes "
                f"{processes.numbers}, but only inputs with rows may: make leaves from the same seed or file in all of "
                "them, and pass arrays with rows as arguments. No leaf has changed"
            )
        return digest(*digests)

    def _gathered(self, arrays: Sequence[Any], arguments: Sequence[Any]) -> Iterator[Any]:
        """Yield the arrays with the rows of all processes."""
        processes = self._processes
        whole = processes.jitted(lambda *given: given)
        by_rows = [a for a, where in zip(arguments, self._shardings, strict=True) if where is processes.by_rows]
        found = iter(processes.together(self._program.name, lambda: whole(*by_rows)))
        for array, where in zip(arrays, self._shardings, strict=True):
            yield next(found) if where is processes.by_rows else array

    def _warn_of_own_rows(self) -> None:
        """Warn of a division by the number of rows of this process.

        All processes divide by the same number, so comparing them does not find this mistake; and it may be intended.
        """
        count, given = len(self._processes.numbers), zip(self._given, self._shardings, strict=True)
        own = {value.shape[0] // count for value, where in given if where is self._processes.by_rows} - {0, 1}
        for equation in inlined(self._original).equations:
            number = number_in(equation.inputs[1], equation) if equation.function is np.divide else None
            if number in own:
                warnings.warn(
                    f"{equation.place}\n{self._program.name} divides by {number}, and each process has {number} rows. "
                    f"Sums are over the rows of all {count} processes, so a mean would be {count} times too large: "
                    "take the number of rows from an argument, as in len(X), which counts all of them",
                    UserWarning,
                    stacklevel=2,
                )

    def _compile(self) -> Any:
        lowered = self._lowered(self._trace_with_row, self._row(False, FINE, 0, 0))
        constants = [np.asarray(array) for array in self._constants.values()]
        self._digest = digest(lowered.as_text(), *constants)
        self._processes.agree(self._program.name, made=self._digest)
        return lowered.compile(compiler_options=OPTIONS)

    def _trace_with_row(self, arguments: Any, constants: Any, row: Any) -> Any:
        return self._trace(arguments, constants), total(row)


def _stamp(array: Any) -> int:
    return array.stamp if isinstance(array, Stamped) else digest(np.asarray(array))
