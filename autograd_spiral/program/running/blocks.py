"""Runs a program in blocks of rows, so that values stay in the processor's cache, on one thread or several.

Each part of a split program is replayed. A pass runs once per block, in buffers that all blocks share. Partial results
are combined in pairs, so that rounding errors stay small.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import itertools
import operator
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.engine.frozen import frozen
from autograd_spiral.program.executor import Executor, Run
from autograd_spiral.program.ir import Atom, Check, Program, Value
from autograd_spiral.program.passes.pipeline import readable
from autograd_spiral.program.passes.split import Pass, Split, rows_of, split
from autograd_spiral.program.running.codegen import Code
from autograd_spiral.program.running.kernels.table import with_kernels
from autograd_spiral.program.running.replay import generate, replay
from autograd_spiral.program.threads import Helpers

__all__ = ["blocks", "replay_or_blocks"]

_CACHE = 2**21
"""The size of a block's buffers in bytes: twice a usual L2 cache, since not all buffers are in use at the same time."""

_FEWEST = 64
"""With fewer rows in a block, the calls cost more than blocks save."""

Array = NDArray[Any]


def blocks(rows: int | None = None, threads: int = 1) -> Executor:
    """Return an executor for `capture` that computes in blocks of rows, on one thread or several.

    An executor runs the programs of a captured step: pass it as in the example. The values of a block stay in the
    processor's cache, which makes large programs faster. `rows` is the number of rows in a block. By default, a block
    has as many rows as fit into the cache, and a program that would not be faster in blocks is run without them.

    Rows lie along the first axis of the inputs. If the inputs have different numbers of rows, inputs with the same
    number form a group. Only one group is divided into blocks: the one whose inputs have the most rows in total. Each
    block uses all rows of the other inputs.

    Sums over rows are added up in a different order than without blocks, so results can differ in the last digits. With
    the same `rows` and `threads`, the results are exactly the same in every run. Several threads pay off for wide
    layers, but only if BLAS, the library that multiplies matrices for NumPy, uses only one thread itself. If the
    package threadpoolctl is installed, `blocks` takes care of that. Otherwise, set the environment variable
    OPENBLAS_NUM_THREADS to 1 before Python starts. Raises ValueError unless `rows` and `threads` are at least 1.

    >>> from autograd_spiral import capture
    >>> step = capture(lambda X: np.sum(X * X), executor=blocks(rows=100))
    >>> float(step(np.ones((1000, 2))))
    2000.0
    """
    for name, number in (("rows", rows), ("threads", threads)):
        if number is not None and operator.index(number) < 1:
            raise ValueError(f"blocks: {name} must be at least 1, not {number}")
    return lambda program: _run_in_blocks(program, rows, threads) or replay(program)


def replay_or_blocks(program: Program) -> Run:
    """Run `program` in blocks of rows if that is faster, or else without blocks: the default executor."""
    return _run_in_blocks(program, None, 1) or replay(program)


def _run_in_blocks(program: Program, rows: int | None, threads: int) -> Run | None:
    total = rows_of(program)
    size = sum(equation.output.nbytes for equation in program.equations)
    if total <= (_FEWEST if rows is None else rows) or (rows is None and size <= 2 * _CACHE):
        return None
    parts = split(readable(program), total)
    if not parts.passes or (rows is None and not _pays(parts)):
        return None
    length = rows or _rows_in_cache(parts, threads)
    return Run(_Blocks(parts, length, threads), reentrant=False) if length < total else None


def _pays(parts: Split) -> bool:
    """Return whether blocks are faster: there is one pass, and it computes most of the bytes.

    A second pass would read memory again.
    """
    outputs = [equation.output for equation in parts.program.equations]
    whole = sum(value.nbytes for value in outputs if value not in parts.treatments)
    return len(parts.passes) == 1 and whole <= sum(value.nbytes for value in outputs) / 4


def _rows_in_cache(parts: Split, threads: int) -> int:
    """Return the number of rows in a block, so that all blocks are about equally long; all rows if that is as fast.

    All threads get equally many blocks.
    """
    total, per_row = parts.rows, max(map(_bytes_per_row, parts.passes))
    if per_row * total <= 4 * _CACHE:  # measured: a few blocks are no faster than one
        return total
    size = _CACHE if threads == 1 else 2 * _CACHE  # threads wait for each other between calls: fewer, longer ones
    most = max(_FEWEST, int(size / per_row))
    return max(_FEWEST, -(-total // (threads * -(-total // (threads * most)))))


def _code(one: Pass, n: int) -> Code:
    return generate(with_kernels(readable(one.program(n))), fresh=False)


def _bytes_per_row(one: Pass) -> float:
    small, large = (_code(one, n).nbytes() for n in (128, 256))
    return (large - small) / 128


# --- one thread's part ------------------------------------------------------------------------------------------------


class _Worker:
    """Computes some of the blocks of every pass, in its own buffers."""

    def __init__(self, parts: Split, bounds: Sequence[tuple[int, int]]) -> None:
        self._parts, self._bounds = parts, bounds
        lengths = {stop - start for start, stop in bounds}
        self._runs = [{n: self._function(one, n) for n in lengths} for one in parts.passes]
        self._sums: list[list[list[Array]]] = [[] for _ in parts.passes]

    @staticmethod
    def _function(one: Pass, n: int) -> Callable[..., tuple[Any, ...]]:
        return _code(one, n).function([f"x{i}" for i in range(len(one.rows) + len(one.whole))])

    def __call__(self, one: Pass, of_rows: Any, whole: Any, kept: Any) -> list[Array]:
        """Return the combined partial results of all blocks, and store the rows of the values that are kept."""
        runs, sums, count = self._runs[one.number - 1], self._sums[one.number - 1], len(one.partial)
        for done, (start, stop) in enumerate(self._bounds):
            block = slice(start, stop)
            results = runs[stop - start](*[array[(*before, block)] for array, before in of_rows], *whole)
            for (array, before), part in zip(kept, results[count:], strict=True):
                array[(*before, block)] = part
            level, partial = 0, list(results[:count])
            while done >> level & 1:  # the sum of 2**level blocks waits at this level
                partial = _combined(one, sums[level], partial)
                level += 1
            if level == len(sums):
                sums.append([np.empty(value.shape, value.dtype) for value in one.partial])
            if level:
                sums[level], sums[level - 1] = sums[level - 1], sums[level]
            else:
                for total, part in zip(sums[0], partial, strict=True):
                    total[...] = part
        left = [sums[level] for level in range(len(sums)) if len(self._bounds) >> level & 1]
        return functools.reduce(lambda late, early: _combined(one, early, late), left)


def _combined(one: Pass, first: list[Array], second: Sequence[Any]) -> list[Array]:
    """Combine two partial results in the arrays of the first."""
    for ufunc, a, b in zip(one.combine, first, second, strict=True):
        ufunc(a, b, out=a)
    return first


# --- the whole --------------------------------------------------------------------------------------------------------


class _Blocks:
    """A split program, ready to run."""

    def __init__(self, parts: Split, length: int, threads: int) -> None:
        self._parts, program = parts, parts.program
        bounds = [(start, min(start + length, parts.rows)) for start in range(0, parts.rows, length)]
        ends = [len(bounds) * i // threads for i in range(threads + 1)]
        shares = [bounds[a:b] for a, b in itertools.pairwise(ends) if a < b]
        self._workers = [_Worker(parts, share) for share in shares]
        self._pool: tuple[int, Helpers] | None = None  # the process that made the threads, and the threads
        results = set(program.results())
        self._new = [value for value in parts.stored if value in results]
        self._stored = {value: np.empty(value.shape, value.dtype) for value in parts.stored - results}
        self._stages = []
        for i in range(len(parts.passes) + 1):
            stage = parts.stage(i)
            made = [atom for atom in stage.outputs if isinstance(atom, Value)]
            self._stages.append((replay(stage), stage.inputs, made) if made else None)
        self._checks: dict[int, list[Check]] = {}
        for check in program.checks:
            after = -1 if check.value in parts.given else parts.level[check.value]
            self._checks.setdefault(after, []).append(check)

    def __call__(self, *arrays: Array) -> tuple[Array, ...]:
        program = self._parts.program
        known: dict[Value, Any] = dict(zip((*program.inputs, *program.state, *program.outside), arrays, strict=True))
        self._check(known, -1)
        known.update(self._stored)
        known.update((value, np.empty(value.shape, value.dtype)) for value in self._new)
        for i, stage in enumerate(self._stages):
            if i:
                self._pass(self._parts.passes[i - 1], known)
            if stage is not None:
                run, inputs, made = stage
                known.update(zip(made, run(*[known[value] for value in inputs]), strict=True))
            self._check(known, i)
        return tuple(self._result(known, atom) for atom in (*program.outputs, *(new for _, new in program.updates)))

    def _check(self, known: dict[Value, Any], after: int) -> None:
        for check in self._checks.get(after, ()):
            check.function(known[check.value], *check.details)

    def _result(self, known: dict[Value, Any], atom: Atom) -> Array:
        if not isinstance(atom, Value):
            return frozen(np.array(atom))
        return frozen(np.array(known[atom]) if atom in self._parts.given else known[atom])

    def _pass(self, one: Pass, known: dict[Value, Any]) -> None:
        def before(axis: int) -> tuple[slice, ...]:
            return (slice(None),) * axis

        of_rows = [(known[of.atom] if isinstance(of.atom, Value) else of.atom, before(of.axis)) for of in one.rows]
        whole = [known[value] for value in one.whole]
        kept = [(known[value], before(self._parts.axis[value])) for value in one.kept]
        first, *others = [functools.partial(worker, one, of_rows, whole, kept) for worker in self._workers]
        with _one_blas_thread_each() if others else contextlib.nullcontext():
            # Each thread runs in a copy of the caller's context, so that the caller's `np.errstate` holds there, too.
            others = [functools.partial(contextvars.copy_context().run, other) for other in others]
            total, *rest = self._helpers().call(first, others) if others else [first()]
        for part in rest:
            total = _combined(one, total, part)
        known.update(zip(one.partial, map(np.array, total), strict=True))

    def _helpers(self) -> Helpers:
        """Return the threads of this process; in a forked process, make new ones, since the parent's do not exist."""
        if self._pool is None or self._pool[0] != os.getpid():
            self._pool = os.getpid(), Helpers(len(self._workers) - 1)
        return self._pool[1]


def _one_blas_thread_each() -> contextlib.AbstractContextManager[Any]:
    libraries = _blas_libraries()
    return contextlib.nullcontext() if libraries is None else libraries.limit(limits=1)


@functools.cache
def _blas_libraries() -> Any:
    """Return what sets the threads of BLAS, if threadpoolctl is installed. Finding it takes longer than most steps."""
    with contextlib.suppress(ImportError):
        import threadpoolctl

        return threadpoolctl.ThreadpoolController().select(user_api="blas")
    return None
