"""Faults that make a check impossible: calls that differ from each other, and arrays that are overwritten.

Sums in several threads, or in an order that depends on where an array lies in memory, differ in their last bits from
call to call. That is not a fault: it only widens the bounds.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence

import numpy as np

from autograd_spiral.engine.messages import is_refused_write
from autograd_spiral.errors import InPlaceError, RuleError
from autograd_spiral.gradcheck.function import CheckedFunction, Wobble, all_same, gradients_of, same
from autograd_spiral.gradcheck.rounding import largest_of
from autograd_spiral.gradcheck.verdicts import Array, Findings, Verdict
from autograd_spiral.program.history import history

__all__ = ["faults_of"]


CALLS = 6
SPACINGS = 16  # of the largest number: differences up to that are rounding


def faults_of(function: CheckedFunction) -> list[Findings]:
    """Return the faults of a function: two calls differ, or something is overwritten.

    Two calls of the function are compared, and so are two sweeps of one call, with another call between them: rules
    must compute from their arguments alone, not from anything that the last call left behind. Neither the function nor
    a rule may write into its arguments, or into the arrays of the caller. Calls may differ by rounding; the `wobble` of
    the function then says by how much.
    """
    given = [x.copy() for x in function.arrays]
    try:
        _, first = function.run(given)
        _, second = function.run([x.copy() for x in function.arrays])
        text = "the function writes into this input"
        written = function.refused(Verdict.OVERWRITTEN, text, function.changed(given)) or _overwritten(function)
        if written:
            return written
        if not all_same(first, second) and not _is_steady(function):
            return function.refused(Verdict.NOT_DETERMINISTIC, "two calls returned different values", function.floating)
        if not function.takes_tensors:
            return []
        sweeps = _swept_twice(function)
    except (InPlaceError, RuleError, ValueError) as error:
        if is_refused_write(error):
            text = f"the function writes into an input: {error}"
        elif isinstance(error, InPlaceError) or is_refused_write(error.__cause__):
            text = str(error).splitlines()[-1]
        else:
            raise
        return function.refused(Verdict.OVERWRITTEN, text, function.floating)
    if written := _overwritten(function):
        return written
    changed = [at for at, a, b in zip(function.floating, *sweeps, strict=True) if not same(a, b)]
    if changed and _is_steady(function, sweeps):
        return []
    text = "two sweeps returned different gradients: a rule must compute from its arguments alone"
    return function.refused(Verdict.NOT_DETERMINISTIC, text, changed)


def _overwritten(function: CheckedFunction) -> list[Findings]:
    """Return the findings on the inputs whose arrays the function has changed for the caller, too."""
    text = "the function writes into the caller's array of this input, which it reaches by another name"
    return function.refused(Verdict.OVERWRITTEN, text, function.changed())


@np.errstate(all="ignore")
def _swept_twice(function: CheckedFunction) -> list[list[Array]]:
    cotangents = function.cotangents(None)
    leaves, outputs = function.run(function.arrays, recorded=True)
    found = []
    for _ in range(2):
        found.append([gradient.data for gradient in gradients_of(outputs, leaves, cotangents)])
        with contextlib.suppress(Exception):
            function.run(function.beside())
    return found


@np.errstate(all="ignore")
def _is_steady(function: CheckedFunction, sweeps: Iterable[Sequence[Array]] = ()) -> bool:
    """Measure how much several calls, and these `sweeps`, differ; return whether rounding explains the differences.

    Differences count as rounding if they are small compared with the largest number. Rounding is not measured by
    running the record again, because a rule that draws random numbers would then pass as one that rounds.
    """
    cotangents = function.cotangents(None)
    runs = [function.swept(cotangents) for _ in range(CALLS)]
    largest = max(largest_of(node.data) for node in history(runs[0].outputs))
    outputs = _apart([[out.data for out in run.outputs] for run in runs], largest)
    gradients = _apart([*([*run.gradients.values()] for run in runs), *sweeps])
    if outputs is None or gradients is None:
        return False
    function.wobble = Wobble(outputs, gradients)
    return True


def _apart(results: Sequence[Sequence[Array]], largest: float = 0.0) -> list[Array] | None:
    """Return how much `results` differ, element by element; None if they differ too much, or in shape."""
    if any([x.shape for x in result] != [x.shape for x in results[0]] for result in results):
        return None
    apart = []
    for several in zip(*results, strict=True):
        reach = SPACINGS * np.finfo(several[0].dtype).eps * max(largest, *map(largest_of, several))
        apart.append(np.ptp(several, axis=0).astype(float))
        if np.any(apart[-1] > reach):
            return None
    return apart
