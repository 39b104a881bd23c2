"""Schedules: learning rates as functions of the number of updates so far."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from autograd_spiral.engine.calls import explains_keywords
from autograd_spiral.optimizers.arguments import number

__all__ = ["Schedule", "cosine_decay", "exponential_decay", "linear_warmup"]

Schedule: TypeAlias = Callable[[Any], Any]


@explains_keywords
def exponential_decay(initial: float, factor: float, steps: float = 1) -> Schedule:
    """Return a schedule that changes the learning rate smoothly, by a factor of `factor` every `steps` updates.

    A schedule is a function that takes the number of updates so far and returns the learning rate. Pass it to an
    optimizer as `learning_rate`. After `step` updates, the rate is `initial * factor ** (step / steps)`. Raises
    ValueError unless `initial`, `factor` and `steps` are positive.

    >>> exponential_decay(0.1, 0.5, steps=10)(np.array([0, 5, 10, 20])).round(4)
    array([0.1   , 0.0707, 0.05  , 0.025 ])
    """
    given = {"initial": initial, "factor": factor, "steps": steps}
    checked = {name: number("exponential_decay", name, value, above=0.0) for name, value in given.items()}
    return functools.partial(_exponential, **checked)


def _exponential(step: Any, *, initial: float, factor: float, steps: float) -> Any:
    return initial * factor ** (step / steps)


@explains_keywords
def cosine_decay(initial: float, steps: float, final: float = 0.0) -> Schedule:
    """Return a schedule that lowers the learning rate from `initial` to `final`, along half a cosine wave.

    A schedule is a function that takes the number of updates so far and returns the learning rate. Pass it to an
    optimizer as `learning_rate`. After `step` updates, the rate is
    `final + (initial - final) * (1 + cos(pi * step / steps)) / 2` (Loshchilov and Hutter 2017). After `steps` updates,
    it stays at `final`. Raises ValueError if `initial` or `steps` is not positive, or if `final` is negative.

    >>> cosine_decay(0.1, steps=100)(np.array([0, 50, 100, 200])).round(4)
    array([0.1 , 0.05, 0.  , 0.  ])
    """
    given = {"initial": initial, "steps": steps}
    checked = {name: number("cosine_decay", name, value, above=0.0) for name, value in given.items()}
    return functools.partial(_cosine, **checked, final=number("cosine_decay", "final", final))


def _cosine(step: Any, *, initial: float, steps: float, final: float) -> Any:
    return final + 0.5 * (initial - final) * (1 + np.cos(np.pi * np.minimum(step / steps, 1.0)))


@explains_keywords
def linear_warmup(steps: float, schedule: float | Schedule) -> Schedule:
    """Return a schedule that raises the learning rate evenly during the first `steps` updates.

    A schedule is a function that takes the number of updates so far and returns the learning rate. Pass it to an
    optimizer as `learning_rate`. After the first `steps` updates, the rate is that of `schedule`, which is a number or
    another schedule. The formula is `schedule(step) * min(1, (step + 1) / steps)`, where `step` is the number of
    updates so far. Raises ValueError unless `steps` is positive.

    >>> linear_warmup(4, 0.1)(np.array([0, 1, 2, 3, 4]))
    array([0.025, 0.05 , 0.075, 0.1  , 0.1  ])
    """
    steps = number("linear_warmup", "steps", steps, above=0.0)
    after = schedule if callable(schedule) else number("linear_warmup", "schedule", schedule)
    return functools.partial(_warmup, steps=steps, schedule=after)


def _warmup(step: Any, *, steps: float, schedule: float | Schedule) -> Any:
    return np.minimum((step + 1) / steps, 1.0) * (schedule(step) if callable(schedule) else schedule)
