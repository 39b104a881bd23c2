"""The record of a training run: a captured step that takes snapshots when it is called."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.engine.pytree import flatten
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.explorer.boxes import Boxes
from autograd_spiral.explorer.snapshots import Camera, Snapshot
from autograd_spiral.explorer.subject import values_of
from autograd_spiral.program import CapturedStep
from autograd_spiral.program.ir import Value
from autograd_spiral.program.passes.pipeline import readable
from autograd_spiral.program.printing.saved import CapturedProgram

__all__ = ["Regions", "Training", "finished"]

_GRID = 64
"""The number of points along each side of the plane at which regions are computed."""

_MARGIN = 0.12
_GROWTH = 1.15
"""By default, a snapshot is taken whenever the number of steps has grown by this factor."""


@dataclass(frozen=True, eq=False)
class Regions:
    """The regions of the plane in which a classifier predicts each class, for a page of `explore`.

    `X` holds the data points, shape (N, 2), and `y` their classes, shape (N,). `predict` returns the class of each row
    of an array like `X`. The page shows the regions and the points.

    >>> X = np.array([[0.0, 0.0], [1.0, 1.0]])
    >>> regions = Regions(X, np.array([0, 1]), lambda points: points[:, 0] > 0.5)
    >>> regions.grid().shape, regions.classes().dtype
    ((4096, 2), dtype('uint8'))
    """

    X: NDArray[Any]
    y: NDArray[Any]
    predict: Callable[[NDArray[Any]], Any]

    def __post_init__(self) -> None:
        shapes = np.shape(self.X), np.shape(self.y)
        if len(shapes[0]) != 2 or shapes[0][1] != 2 or shapes[1] != shapes[0][:1]:
            raise ValueError(f"Regions: X must be points (N, 2) and y their classes (N,), not {shapes[0]}, {shapes[1]}")

    def bounds(self) -> list[list[float]]:
        """Return the lowest and the highest coordinate on each axis of the plot.

        >>> X, y = np.array([[0.0, 0.0], [1.0, 1.0]]), np.array([0, 1])
        >>> Regions(X, y, lambda points: points[:, 0] > 0.5).bounds()  # the points, with a margin around them
        [[-0.12, 1.12], [-0.12, 1.12]]
        """
        X = np.asarray(self.X, dtype=float)
        low, high = X.min(axis=0), X.max(axis=0)
        side = (float(np.max(high - low)) or 1.0) * (0.5 + _MARGIN)
        middle = (low + high) / 2
        return [[float(f"{m - side:.6g}"), float(f"{m + side:.6g}")] for m in middle]

    def grid(self) -> NDArray[np.float64]:
        """Return the points for which classes are predicted: a grid, row by row from the top.

        >>> X, y = np.array([[0.0, 0.0], [1.0, 1.0]]), np.array([0, 1])
        >>> Regions(X, y, lambda points: points[:, 0] > 0.5).grid()[0]  # the top left corner of the plot
        array([-0.12,  1.12])
        """
        (left, right), (bottom, top) = self.bounds()
        x, y = np.meshgrid(np.linspace(left, right, _GRID), np.linspace(top, bottom, _GRID))
        return np.stack([x.ravel(), y.ravel()], axis=1)

    def classes(self) -> NDArray[np.uint8]:
        """Return the predicted class of each point of the grid.

        >>> regions = Regions(np.zeros((1, 2)), np.array([0]), lambda points: points[:, 0] > 0)
        >>> int(regions.classes().sum())  # half of the 64 × 64 points are in class 1
        2048
        """
        return np.asarray(self.predict(self.grid())).astype(np.uint8).ravel()


class Training:
    """A captured step that records its training run, made by `explore.training`: call it like the step itself.

    `losses` has the value of the first output of each call, or NaN if that output has several elements.

    >>> from autograd_spiral import capture, explore
    >>> w = Tensor(2.0, requires_grad=True, name="w")
    >>> record = explore.training(capture(lambda x: w * x))
    >>> float(record(np.float64(3.0))), record.losses
    (6.0, [6.0])
    """

    def __init__(
        self, step: CapturedStep, *, at: Iterable[int] | None, snapshots: int, budget: int, regions: Regions | None
    ) -> None:
        if not isinstance(step, CapturedStep):
            raise TypeError(f"explore.training: the step must be captured, as with @capture, not {type(step).__name__}")
        if snapshots < 2:
            raise ValueError(f"explore.training: needs at least 2 snapshots, the first and the last, not {snapshots}")
        self.losses: list[float] = []
        self.regions = regions
        self._step, self._at = step, None if at is None else frozenset(at)
        self._most, self._budget, self._due = snapshots, budget, 0
        self._taken: list[Snapshot] = []
        self._camera: Camera | None = None
        self._latest: _Moment | None = None
        self._warned = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the step, and take a snapshot before it if one is due."""
        calls = len(self.losses)
        if self._due == calls if self._at is None else calls in self._at:
            self._before(calls, args, kwargs)
            self._due = max(calls + 1, int(np.ceil(calls * _GROWTH)))
        result = self._step(*args, **kwargs)
        self.losses.append(_loss(result))
        return result

    def __repr__(self) -> str:
        return f"<record of {len(self.losses):,} calls of {self._step!r}: {len(self._taken)} snapshots>"

    def _before(self, calls: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        program, inputs = self._step.program_for(*args, **kwargs)
        latest = self._latest
        boxes = latest.boxes if latest and latest.program is program else Boxes.of(readable(program))
        if self._camera is None:
            self._camera = Camera(boxes, most=self._most, budget=self._budget)
        elif not self._camera.boxes.alike(boxes):
            self._warn(calls)
            return
        self._latest = _Moment(program, boxes, [np.array(array) for array in inputs])
        self._taken.append(self._snapshot(self._camera, self._latest, calls))
        if len(self._taken) >= self._camera.most:  # there must be room for the last snapshot
            self._taken.remove(_most_crowded(self._taken))

    def _snapshot(self, camera: Camera, moment: _Moment, at: int) -> Snapshot:
        classes = None if self.regions is None else self.regions.classes()
        values = values_of(moment.program, moment.inputs)
        first = next(iter(moment.boxes.program.outputs), None)
        loss = _loss(values.get(first)) if isinstance(first, Value) else math.nan
        return replace(camera.take(values, at, classes, moment.boxes), loss=loss)

    def _warn(self, calls: int) -> None:
        if not self._warned:
            warnings.warn(
                f"explore.training: call {calls} computes something else than the first call, or has inputs of other "
                "shapes, so the page has no boxes for it. Such calls train, but have no snapshots",
                stacklevel=4,
            )
            self._warned = True


class _Moment(NamedTuple):
    """The program and the arrays from which the values of a snapshot are computed."""

    program: CapturedProgram
    boxes: Boxes
    inputs: list[NDArray[Any]]


def finished(record: Training) -> tuple[Camera, list[Snapshot]]:
    """Return the camera and the snapshots of a record, with a snapshot added for the current state and the last inputs.

    Raises ValueError before the first call.
    """
    camera, latest = record._camera, record._latest
    if camera is None or latest is None:
        raise ValueError("explore: this record has no snapshots yet: call it in place of the step")
    return camera, [*record._taken, record._snapshot(camera, latest, len(record.losses))]


def _most_crowded(taken: list[Snapshot]) -> Snapshot:
    """Return the inner snapshot whose two neighbours are closest together, by the ratio of their steps."""
    triples = zip(taken, taken[1:], taken[2:], strict=False)
    return min(triples, key=lambda three: (three[2].at + 1) / (three[0].at + 1))[1]


def _loss(result: Any) -> float:
    """Return the first tensor (or else number) that a step returned, as a float; NaN if it has several elements."""
    leaves, _ = flatten(result)
    tensors = [leaf.data for leaf in leaves if isinstance(leaf, Tensor)]
    first = np.asarray(next(iter(tensors or [leaf for leaf in leaves if leaf is not None]), np.zeros(0)))
    return float(first.item()) if first.size == 1 and first.dtype.kind in "fiu" else float("nan")
