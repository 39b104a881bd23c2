"""The published numbers of the case study, and the data and models that it started from.

The numbers are from CS231n, Neural Networks Case Study: two training logs and two accuracies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.spiral.data import Generator, spiral
from autograd_spiral.spiral.models import LinearClassifier, TwoLayerNet

__all__ = ["LINEAR", "REG", "STEP_SIZE", "TWO_LAYER", "Log", "start"]

STEP_SIZE = 1.0
REG = 1e-3


@dataclass(frozen=True)
class Log:
    """A published training log: the loss every `print_every` steps, and the training accuracy at the end.

    >>> LINEAR.losses[0], LINEAR.losses[-1], LINEAR.accuracy
    (1.096956, 0.786302, 0.49)
    """

    steps: int
    print_every: int
    losses: tuple[float, ...]
    accuracy: float


LINEAR = Log(
    steps=200,
    print_every=10,
    losses=(
        *(1.096956, 0.917265, 0.851503, 0.822336, 0.807586, 0.799448, 0.794681, 0.791764, 0.789920, 0.788726),
        *(0.787938, 0.787409, 0.787049, 0.786803, 0.786633, 0.786514, 0.786431, 0.786373, 0.786331, 0.786302),
    ),
    accuracy=0.49,
)
TWO_LAYER = Log(
    steps=10000,
    print_every=1000,
    losses=(1.098744, 0.294946, 0.259301, 0.248310, 0.246170, 0.245649, 0.245491, 0.245400, 0.245335, 0.245292),
    accuracy=0.98,
)

_DISCARDED_DRAWS = 18  # the published run drew three earlier classifiers, of 2 × 3 weights each


def start(
    seed: int | None = None, points: int = 100, classes: int = 3, hidden: int = 100
) -> tuple[NDArray[Any], NDArray[Any], LinearClassifier, TwoLayerNet]:
    """Return the data X and y, and both models before training.

    Without a seed, they are those of the published run. Its random numbers came from `RandomState(0)`: first those for
    the data, then 18 that it used for other models, then those for the weights of the two models here.

    >>> X, y, linear, net = start()
    >>> round(float(net.loss(X, y, REG)), 6)
    1.098744
    """
    # The published numbers come from NumPy's legacy generator.
    generator: Generator = np.random.RandomState(0) if seed is None else np.random.default_rng(seed)
    X, y = spiral(points, classes, generator=generator)
    if seed is None:
        generator.standard_normal(_DISCARDED_DRAWS)
    linear = LinearClassifier.random(generator, classes=classes)
    return X, y, linear, TwoLayerNet.random(generator, hidden=hidden, classes=classes)
