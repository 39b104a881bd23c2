"""Snapshots: what a page shows of all values at one moment of a training run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.explorer.advice import advice_on
from autograd_spiral.explorer.boxes import Boxes
from autograd_spiral.explorer.sampling import (
    BINS,
    FACTS,
    Sample,
    counts_zeros,
    facts,
    histogram,
    samples_within,
    zeros_of_rows,
)
from autograd_spiral.explorer.subject import Values

__all__ = ["Camera", "Snapshot"]

_BYTES = 4
_OVERHEAD = len(FACTS) + BINS // _BYTES
"""What is kept of an array besides its elements."""

_FEWEST = 16
"""If there is not room for at least this many elements of each array, fewer snapshots are taken."""

_INSIDE = 0.1
"""The share of elements that is kept of a value inside a line, relative to the value that the line computes."""


@dataclass(frozen=True)
class Snapshot:
    """What is kept of the arrays of all boxes at one moment; None for an array that is not known."""

    at: int  # the number of updates before it
    elements: tuple[NDArray[np.float32] | None, ...]
    facts: tuple[NDArray[np.float32] | None, ...]
    bars: tuple[NDArray[np.uint8] | None, ...]
    zeros: tuple[NDArray[np.uint8] | None, ...]
    advice: list[tuple[int, str]]
    regions: NDArray[np.uint8] | None = None
    loss: float = math.nan  # what the step would return


class Camera:
    """Takes up to `most` snapshots of the values of a program, which together take about `budget` bytes of memory."""

    def __init__(self, boxes: Boxes, *, most: int, budget: int) -> None:
        shapes = [node.output.shape for node in boxes.graph.nodes]
        numbers = budget // _BYTES
        wanted = sum(min(Sample.of(shape).size, _FEWEST) + _OVERHEAD for shape in shapes)
        self.boxes = boxes
        self.most = max(2, min(most, numbers // max(wanted, 1))) if most > 1 else 1
        printed = {i for i, node in enumerate(boxes.graph.nodes) if node.output in boxes.lines}
        printed |= {i for pair in boxes.graph.pairs if printed.intersection(pair) for i in pair}  # shown side by side
        shares = [1.0 if i in printed else _INSIDE for i in range(len(shapes))]
        counted = sum(s.rows // _BYTES for s in map(Sample.of, shapes) if counts_zeros(s.thinner()))
        self.samples = samples_within(shapes, numbers // self.most - _OVERHEAD * len(shapes) - counted, shares)

    def take(
        self, values: Values, at: int = 0, regions: NDArray[np.uint8] | None = None, boxes: Boxes | None = None
    ) -> Snapshot:
        """Return a snapshot of `values`.

        If the values come from another program than the camera's, pass the `boxes` of that program.
        """
        arrays = (boxes or self.boxes).arrays(values)
        return Snapshot(
            at,
            tuple(None if a is None else s.take(a) for a, s in zip(arrays, self.samples, strict=True)),
            tuple(None if a is None else facts(a) for a in arrays),
            tuple(None if a is None else histogram(a) for a in arrays),
            tuple(
                None if a is None or not counts_zeros(s) else zeros_of_rows(a, s)
                for a, s in zip(arrays, self.samples, strict=True)
            ),
            advice_on(self.boxes.graph, arrays),
            regions,
        )

    def samples_to_json(self) -> list[list[int]]:
        """Return the rows, columns and steps of each box's sample in the form that `json.dumps` takes."""
        return [[s.rows, s.columns, s.row_step, s.column_step] for s in self.samples]


def columns_of(snapshots: Sequence[Snapshot], what: str) -> list[NDArray[Any] | None]:
    """Return, for each box, the stacked arrays of all snapshots: one row if they are all equal, None if unknown."""
    found: list[NDArray[Any] | None] = []
    for moments in zip(*(getattr(snapshot, what) for snapshot in snapshots), strict=True):
        if any(moment is None for moment in moments):
            found.append(None)
            continue
        stacked = np.stack(moments)
        same = all(np.array_equal(moment, moments[0], equal_nan=moment.dtype.kind == "f") for moment in moments)
        found.append(stacked[:1] if same else stacked)
    return found
