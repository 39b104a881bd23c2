"""The elements of an array that a page keeps, and the facts about the whole array that it shows."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["BINS", "FACTS", "Sample", "counts_zeros", "facts", "histogram", "samples_within", "zeros_of_rows"]

FACTS = ("mean", "deviation", "least", "largest", "norm", "zeros", "nans", "infinities")
"""The facts about all elements of an array, in this order; those from mean to norm cover only the finite elements."""

BINS = 16
"""The number of bars of a histogram."""

_FEW = 4
"""If there are at most this many columns, all their numbers are shown, so that the zeros in a row need not be
counted."""


@dataclass(frozen=True)
class Sample:
    """The elements that are kept of an array, as a matrix: every `row_step`-th row and every `column_step`-th column.

    The steps are powers of 2. So for two arrays with equally many rows, one of the samples has all rows of the other.

    >>> Sample.of((300, 2)), Sample.of((300,)), Sample.of((4, 5, 6))
    (Sample(rows=300, columns=2, row_step=1, column_step=1), Sample(rows=1, columns=300, ...), Sample(rows=20, ...))
    """

    rows: int
    columns: int
    row_step: int = 1
    column_step: int = 1

    @classmethod
    def of(cls, shape: tuple[int, ...]) -> Sample:
        """Return the sample that keeps everything."""
        return cls(math.prod(shape[:-1]), shape[-1] if shape else 1)

    @property
    def size(self) -> int:
        """The number of elements kept."""
        return -(-self.rows // self.row_step) * -(-self.columns // self.column_step)

    def thinner(self) -> Sample:
        """Return a sample with half the rows, or with half the columns if more columns than rows are kept."""
        if self.rows * self.column_step >= self.columns * self.row_step:
            return Sample(self.rows, self.columns, 2 * self.row_step, self.column_step)
        return Sample(self.rows, self.columns, self.row_step, 2 * self.column_step)

    def take(self, array: NDArray[Any]) -> NDArray[np.float32]:
        """Return the elements kept, as float32, row by row.

        >>> Sample(4, 2, row_step=2).take(np.arange(8.0).reshape(4, 2))
        array([0., 1., 4., 5.], dtype=float32)
        """
        matrix = array.reshape(self.rows, self.columns)[:: self.row_step, :: self.column_step]
        with np.errstate(over="ignore"):
            return matrix.astype(np.float32).ravel()


def samples_within(shapes: Sequence[tuple[int, ...]], size: int, shares: Sequence[float] | None = None) -> list[Sample]:
    """Return a sample for each shape, with at most `size` elements together, but at least one element of each array.

    The largest samples lose elements first. `shares` are the relative sizes that the samples may have; by default, they
    are equal. Arrays with the same shape and share, such as a value and its gradient, keep the same elements.

    >>> [sample.size for sample in samples_within([(300, 100), (100, 3), ()], 2000)]
    [950, 300, 1]
    """
    kinds = list(zip(shapes, shares or [1.0] * len(shapes), strict=True))
    counts = Counter(kinds)
    samples = {(shape, share): Sample.of(shape) for shape, share in counts}
    total = sum(count * samples[kind].size for kind, count in counts.items())
    heap = [(-sample.size / share, shape, share) for (shape, share), sample in samples.items()]
    heapq.heapify(heap)
    while total > size and heap:
        _, shape, share = heap[0]
        kind = shape, share
        if samples[kind].size <= 1:
            heapq.heappop(heap)
            continue
        thinner = samples[kind].thinner()
        total += counts[kind] * (thinner.size - samples[kind].size)
        samples[kind] = thinner
        heapq.heapreplace(heap, (-thinner.size / share, shape, share))
    return [samples[kind] for kind in kinds]


def counts_zeros(sample: Sample) -> bool:
    """Whether to count the zeros in each row: if only part of a matrix is kept, and each count fits into a byte."""
    return sample.size < sample.rows * sample.columns and _FEW < sample.columns < 256 and sample.rows > 1


def zeros_of_rows(array: NDArray[Any], sample: Sample) -> NDArray[np.uint8]:
    """Return the number of zeros in each row, including rows that are left out of the sample.

    >>> zeros_of_rows(np.array([[0.0, 1.0], [0.0, 0.0]]), Sample(2, 2))
    array([1, 2], dtype=uint8)
    """
    return np.asarray(np.sum(array.reshape(sample.rows, sample.columns) == 0, axis=1), np.uint8)


def facts(array: NDArray[Any]) -> NDArray[np.float32]:
    """Return the `FACTS` about an array; those from the mean to the norm are NaN if no element is finite.

    >>> dict(zip(FACTS, facts(np.array([0.0, 4.0, np.inf])).tolist()))["mean"]
    2.0
    """
    flat = array.astype(np.float64).ravel()
    finite = flat[np.isfinite(flat)]
    nans = int(np.isnan(flat).sum())
    counts = int(np.sum(flat == 0)), nans, flat.size - finite.size - nans
    told = [np.nan] * 5
    if finite.size:
        with np.errstate(over="ignore"):
            told = [finite.mean(), finite.std(), finite.min(), finite.max(), float(np.linalg.norm(finite))]
    with np.errstate(over="ignore", invalid="ignore"):
        return np.array([*told, *counts], dtype=np.float32)


def histogram(array: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the heights of the bars between the least and the largest finite element; the highest bar has height 255.

    >>> histogram(np.array([0.0, 0.0, 1.0]))[[0, -1]]
    array([255, 128], dtype=uint8)
    """
    flat = array.astype(np.float64).ravel()
    finite = flat[np.isfinite(flat)]
    if not finite.size:
        return np.zeros(BINS, np.uint8)
    share = finite / (np.abs(finite).max() or 1.0)  # between -1 and 1, so that no difference overflows
    low, width = share.min(), share.max() - share.min()
    where = (share - low) / width if width else np.full(share.size, 0.5)  # np.histogram refuses narrow ranges
    counts = np.bincount(np.minimum((BINS * where).astype(int), BINS - 1), minlength=BINS)
    return np.asarray(-(-255 * counts // counts.max()), np.uint8)  # rounded up: no bar with elements becomes 0
