"""The spiral data set: one noisy arm per class. Imports only NumPy."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Generator", "spiral"]

Generator: TypeAlias = np.random.Generator | np.random.RandomState


def spiral(
    points_per_class: int = 100, classes: int = 3, noise: float = 0.2, *, generator: Generator
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return points on spiral arms, and their classes: one arm per class.

    Straight lines cannot separate the classes, so a linear classifier fails on these data. The points X have shape
    (points_per_class · classes, 2), and the classes y are sorted. On arm j, the radius r goes from 0 to 1, and the
    angle t goes from 4j to 4(j + 1), plus `noise` times a standard normal random number. The points are (r sin t, r cos
    t). The data set is from CS231n, Neural Networks Case Study. Raises ValueError for counts below 1.

    >>> X, y = spiral(100, 3, generator=np.random.default_rng(0))
    >>> X.shape, y[[0, 100, 200]]
    ((300, 2), array([0, 1, 2]))
    """
    if points_per_class < 1 or classes < 1:
        counts = f"{classes} and {points_per_class}"
        raise ValueError(f"spiral: needs at least one class and one point per class, not {counts}")
    j = np.arange(classes)
    radius = np.tile(np.linspace(0.0, 1.0, points_per_class), classes)
    angle = np.linspace(4 * j, 4 * (j + 1), points_per_class, axis=1).ravel()
    angle += noise * generator.standard_normal(angle.size)
    return np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1), np.repeat(j, points_per_class)
