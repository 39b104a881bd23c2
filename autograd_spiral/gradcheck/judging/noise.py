"""Measures the noise in the values of a function: rounding that the record does not show.

A function can compute in a narrower dtype than it returns, or call another library.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from autograd_spiral.gradcheck.verdicts import Array

__all__ = ["measured_noise", "noise_level"]


WINDOWS = {-14: 1.37, -7: 0.83, 1: 1.0, 8: 1.71}  # maps the first of seven steps to the length of a step
FIRST = 2.0**-22  # longer than the spacing of float32
SMOOTH = 0.1  # third differences that are a smaller part of the first ones are those of a smooth function


@np.errstate(all="ignore")
def measured_noise(function: Callable[[float], Array], eps: float, known: Array) -> tuple[Array, Array, Array]:
    """Return the noise of the outputs of `function` near 0, and the first steps and values that were measured.

    `function` takes a number, relative to the size of its inputs, and computes with spacing `eps`; noise up to `known`
    is not examined. The noise is measured in four windows, each of seven points, and the third largest result counts: a
    bend within a window looks like noise, and steps that fit the spacing of a hidden dtype hide noise. A function that
    varies within a window is not noisy if it moves smoothly within a smaller one; the values of a hidden dtype would
    stand still there, or jump.

    >>> noise, _, _ = measured_noise(lambda t: np.sin(np.float32([1 + t])), 2e-16, np.zeros(1))
    >>> bool(1e-9 < noise[0] < 1e-7)
    True
    >>> noise, _, _ = measured_noise(lambda t: np.sin([1e7 * (1 + t)]), 2e-16, np.array([1e-9]))
    >>> bool(noise[0] < 1e-8)
    True
    """
    steps = np.array([part * k for first, part in WINDOWS.items() for k in range(first, first + 7)])
    step = max(FIRST, 16 * eps)
    lengths, values = step * steps, np.array([function(t) for t in step * steps])
    windows = values.reshape(len(WINDOWS), 7, -1)
    noise = _third_largest(windows)
    while step >= 2**6 * eps and np.any(noise > known):
        step /= 2**4
        windows = np.reshape([function(t) for t in step * steps], windows.shape)
        first, third = (np.max(np.abs(np.diff(windows, order, axis=1)), axis=1) for order in (1, 3))
        smooth = np.sum((first > 0) & (third <= SMOOTH * first), axis=0) >= len(WINDOWS) - 1
        noise = np.where(smooth, np.minimum(noise, _third_largest(windows)), noise)
    return noise, lengths, values


def _third_largest(windows: Array) -> Array:
    return np.asarray(np.sort([noise_level(window) for window in windows], axis=0)[2])


def noise_level(samples: Array) -> Array:
    """Return the noise of each output, given seven values (7, outputs) at equally spaced points close together.

    There, the differences of order k vanish for a smooth function, and have variance σ² (2k)! / (k!)² for noise of
    variance σ². (Hamming, 1962; Moré and Wild, 2011, "Estimating computational noise".) The result is the largest over
    the orders 4 to 6, and 0 if values are not finite. A bend among the points looks like noise.

    >>> t = 1 + 1e-8 * np.arange(7)
    >>> bool(noise_level(np.sin(t)[:, None])[0] < 1e-15), bool(noise_level(np.sin(t.astype("f4"))[:, None])[0] > 1e-9)
    (True, True)
    """
    levels = []
    with np.errstate(all="ignore"):
        for order in (4, 5, 6):
            differences = np.diff(samples, order, axis=0)
            growth = math.factorial(2 * order) / math.factorial(order) ** 2
            levels.append(np.sqrt(np.mean(differences**2, axis=0) / growth))
        level = np.max(levels, axis=0)
    return np.where(np.isfinite(level), level, 0)
