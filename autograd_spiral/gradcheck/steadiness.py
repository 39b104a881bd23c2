"""Whether calls of a function that return different numbers differ only by rounding, and by how much.

Sums in several threads, or in an order that depends on where an array lies in memory, differ in their last bits from
call to call. That is no fault; it widens the bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.gradcheck.rounding import largest_of
from autograd_spiral.gradcheck.verdicts import Array
from autograd_spiral.program.history import history

__all__ = ["Wobble", "wobble_of"]


CALLS = 6
SPACINGS = 16  # of the largest number: differences up to that are rounding


class Wobble(NamedTuple):
    """How much the outputs and the gradients of several calls differ, element by element."""

    outputs: list[Array]
    gradients: list[Array]


@np.errstate(all="ignore")
def wobble_of(
    call: Callable[[], tuple[Sequence[Tensor], Sequence[Tensor]]], sweeps: Sequence[Sequence[Tensor]] = ()
) -> Wobble | None:
    """Return how much several calls, and the gradients of `sweeps`, differ; None if rounding does not explain it.

    `call` returns the outputs and the gradients. Differences count as rounding if they are small compared with the
    largest number. Rounding is not measured by running the record again, because a rule that draws random numbers would
    then pass as one that rounds.

    >>> from autograd_spiral import grad
    >>> order = iter([1, -1] * CALLS)
    >>> def call():
    ...     x = Tensor(np.array([0.1, 0.7, 0.3]), requires_grad=True)
    ...     y = np.sum(x[:: next(order)])
    ...     return [y], [grad(y, x)]
    >>> bool(wobble_of(call).outputs[0] < 1e-15)
    True
    """
    runs = [call() for _ in range(CALLS)]
    largest = max(largest_of(node.data) for node in history(runs[0][0]))
    outputs = _apart([run[0] for run in runs], largest)
    gradients = _apart([*(run[1] for run in runs), *sweeps])
    return None if outputs is None or gradients is None else Wobble(outputs, gradients)


def _apart(results: Sequence[Sequence[Tensor]], largest: float = 0.0) -> list[Array] | None:
    """Return how much `results` differ, element by element; None if they differ too much, or in shape."""
    if any([x.shape for x in result] != [x.shape for x in results[0]] for result in results):
        return None
    apart = []
    for several in zip(*results, strict=True):
        reach = SPACINGS * np.finfo(several[0].dtype).eps * max(largest, *(largest_of(x.data) for x in several))
        apart.append(np.ptp([x.data for x in several], axis=0).astype(float))
        if np.any(apart[-1] > reach):
            return None
    return apart
