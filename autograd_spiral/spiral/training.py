"""Full-batch gradient descent, and the accuracy of a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.engine.grad import grad
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.program import CapturedStep, capture

__all__ = ["Model", "accuracy", "descent", "train"]


class Model(Protocol):
    """The methods that a model needs for training."""

    def parameters(self) -> tuple[Tensor, ...]:
        """Return the tensors to train."""

    def loss(self, X: Any, y: Any, reg: float) -> Tensor:
        """Return the loss to minimise."""

    def predict(self, X: Any) -> NDArray[np.intp]:
        """Return the class of each row of X."""


def train(
    model: Model,
    X: NDArray[Any],
    y: NDArray[Any],
    *,
    steps: int,
    step_size: float = 1.0,
    reg: float = 1e-3,
    on_step: Callable[[int, float], None] | None = None,
    eager: bool = False,
    watch: Callable[[CapturedStep], Callable[..., Any]] | None = None,
) -> NDArray[np.float64]:
    """Train a model by gradient descent on all of X and y; return the loss before each step.

    Each of the `steps` steps subtracts `step_size` times the gradient of the loss from the parameters, and then calls
    `on_step(i, loss)`. The step is captured and replayed. With `eager=True`, it is recorded again each time, with the
    same results. `watch`, for example `explore.training`, takes the captured step and returns a function that is called
    in its place. Raises FloatingPointError if a loss is not finite, and ValueError if `steps` is negative.

    >>> from autograd_spiral.spiral import LinearClassifier, spiral
    >>> generator = np.random.default_rng(0)
    >>> X, y = spiral(20, generator=generator)
    >>> losses = train(LinearClassifier.random(generator), X, y, steps=50)
    >>> bool(losses[-1] < losses[0])
    True
    """
    if steps < 0:
        raise ValueError(f"train: steps must not be negative, not {steps}")
    captured = descent(model, step_size=step_size, reg=reg)
    step = captured.eager if eager else captured if watch is None else watch(captured)
    data = (Tensor(X, name="X"), Tensor(y, name="y")) if eager else (np.asarray(X), np.asarray(y))
    losses = np.empty(steps)
    with np.errstate(over="ignore", invalid="ignore"):  # divergence is reported below
        for i in range(steps):
            losses[i] = value = step(*data).item()
            if not np.isfinite(value):
                raise FloatingPointError(
                    f"the loss at step {i} is {value}: training diverged; try a step size smaller than {step_size}"
                )
            if on_step is not None:
                on_step(i, value)
    return losses


def descent(model: Model, *, step_size: float = 1.0, reg: float = 1e-3) -> CapturedStep:
    """Return a captured step of gradient descent.

    The step takes X and y, updates the model's parameters, and returns the loss.

    >>> from autograd_spiral.spiral import LinearClassifier, spiral
    >>> generator = np.random.default_rng(0)
    >>> X, y = spiral(20, generator=generator)
    >>> step = descent(LinearClassifier.random(generator))
    >>> bool(step(X, y) > step(X, y))  # the second loss is smaller
    True
    """
    parameters = model.parameters()

    @capture
    def step(X: Any, y: Any) -> Tensor:
        loss = model.loss(X, y, reg)
        for parameter, gradient in zip(parameters, grad(loss, parameters), strict=True):
            parameter.assign(parameter - step_size * gradient)
        return loss

    return step


def accuracy(model: Model, X: NDArray[Any], y: NDArray[Any]) -> float:
    """Return the fraction of the rows of X for which the model predicts the class in y.

    >>> from autograd_spiral.spiral import LinearClassifier
    >>> W = Tensor([[1.0, -1.0]], requires_grad=True)
    >>> model = LinearClassifier(W, Tensor([[0.0, 0.0]], requires_grad=True))
    >>> accuracy(model, np.array([[2.0], [-3.0], [1.0], [-1.0]]), np.array([0, 1, 0, 0]))  # the last one is wrong
    0.75
    """
    return float(np.mean(model.predict(X) == y))
