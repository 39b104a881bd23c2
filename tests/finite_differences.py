"""Derivatives by extrapolated central differences: the oracle of the gradient tests. Imports only NumPy.

A function takes float64 arrays and returns an array or a list of arrays. The step is halved twice and Richardson
extrapolation removes the error terms in h² and h⁴, so ten digits remain for functions smooth within `STEP`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

STEP = 2.0**-8

Arrays = list[np.ndarray]


def listed(result: Any) -> list[Any]:
    """The outputs of a function as a list, whether it returned one or several."""
    return list(result) if isinstance(result, list | tuple) else [result]


def directional(function: Callable[..., Any], point: Sequence[np.ndarray], direction: Sequence[np.ndarray]) -> Arrays:
    """The derivatives of the outputs of `function` at `point` along `direction`."""

    def central(step: float) -> Arrays:
        ahead, behind = (
            listed(function(*(x + sign * step * v for x, v in zip(point, direction, strict=True)))) for sign in (1, -1)
        )
        return [(np.asarray(a) - np.asarray(b)) / (2 * step) for a, b in zip(ahead, behind, strict=True)]

    halvings = [central(STEP / 2**k) for k in range(3)]
    return [
        (64 * quarter - 20 * half + whole) / 45  # the weights that cancel h² and h⁴
        for whole, half, quarter in zip(*halvings, strict=True)
    ]


def gradients(function: Callable[..., Any], point: Sequence[np.ndarray], cotangents: Sequence[np.ndarray]) -> Arrays:
    """The gradients of the outputs, weighted by `cotangents` and summed, with respect to each array of `point`."""

    def contraction(*arrays: np.ndarray) -> float:
        outputs = listed(function(*arrays))
        return sum(np.sum(ct * out) for ct, out in zip(cotangents, outputs, strict=True))

    results = [np.zeros(x.shape) for x in point]
    for i, result in enumerate(results):
        for index in np.ndindex(result.shape):
            direction = [np.zeros(x.shape) for x in point]
            direction[i][index] = 1
            (result[index],) = directional(contraction, point, direction)
    return results
