"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any

from autograd_spiral.optimizers.arguments import number
from autograd_spiral.optimizers.optimizer import Optimizer
from autograd_spiral.optimizers.schedules import Schedule

__all__ = ["SGD"]


class SGD(Optimizer):
    """Update parameters with stochastic gradient descent: subtract `learning_rate * g`, where g is the gradient.

    With `momentum`, the optimizer subtracts `learning_rate * v` instead. The velocity v is 0 at first, and each update
    begins with `v = momentum * v + g`. If `nesterov=True` is also given, the optimizer subtracts
    `learning_rate * (g + momentum * v)` (Sutskever et al. 2013; PyTorch uses the same formula).

    `parameters` is a tensor that requires gradients, or a list, tuple, dict or dataclass of such tensors.
    `learning_rate` is a number, or a schedule such as `cosine_decay(…)`. For more about both, and for the errors, see
    `autograd_spiral.optimizers.Optimizer`. Also raises ValueError for a momentum outside [0, 1), and for `nesterov`
    without momentum.

    >>> import numpy as np
    >>> from autograd_spiral import Tensor
    >>> w = Tensor([3.0, -2.0], requires_grad=True)
    >>> optimizer = SGD(w, learning_rate=0.1, momentum=0.9)
    >>> for _ in range(200):
    ...     optimizer.update(2 * (w - 1.0))  # the gradient of the sum of (w - 1)**2
    >>> np.allclose(w.data, 1.0, atol=1e-3)
    True
    """

    __slots__ = ("_momentum", "_nesterov")

    def __init__(
        self, parameters: Any, learning_rate: float | Schedule, *, momentum: float = 0.0, nesterov: bool = False
    ) -> None:
        self._momentum, self._nesterov = number("SGD", "momentum", momentum, below=1.0), nesterov
        if nesterov and not momentum:
            raise ValueError("SGD: nesterov=True needs a momentum, such as 0.9")
        super().__init__(parameters, learning_rate, ["velocity"] if momentum else [])

    def _change(self, gradient: Any) -> Any:
        if self._momentum:
            velocity = self._averages["velocity"]
            velocity.assign(self._momentum * velocity + gradient)
            gradient = gradient + self._momentum * velocity if self._nesterov else velocity
        return self._in_dtype(self._rate) * gradient
