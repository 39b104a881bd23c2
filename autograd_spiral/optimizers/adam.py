"""Adam, with decoupled weight decay."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd_spiral.optimizers.arguments import number
from autograd_spiral.optimizers.optimizer import Optimizer
from autograd_spiral.optimizers.schedules import Schedule

__all__ = ["Adam"]


class Adam(Optimizer):
    """Update parameters with Adam, or with AdamW if `weight_decay` is positive.

    The optimizer keeps an average of the gradient g and an average of g**2. Both are 0 at first. Each update computes
    `mean = beta1 * mean + (1 - beta1) * g` and `square = beta2 * square + (1 - beta2) * g**2`. The t-th update, where t
    starts at 1, then subtracts `learning_rate * (mean / (1 - beta1**t)) / (sqrt(square / (1 - beta2**t)) + epsilon)`
    from each parameter p (Kingma and Ba 2015). With `weight_decay`, it also subtracts
    `learning_rate * weight_decay * p` (Loshchilov and Hutter 2019).

    `parameters` is a tensor that requires gradients, or a list, tuple, dict or dataclass of such tensors.
    `learning_rate` is a number, or a schedule such as `cosine_decay(…)`. For more about both, and for the errors, see
    `autograd_spiral.optimizers.Optimizer`. Also raises ValueError if `beta1` or `beta2` is outside [0, 1), if `epsilon`
    is not positive, or if `weight_decay` is negative.

    >>> from autograd_spiral import Tensor
    >>> w = Tensor([3.0, -2.0], requires_grad=True)
    >>> optimizer = Adam(w, learning_rate=0.1)
    >>> for _ in range(300):
    ...     optimizer.update(2 * (w - 1.0))  # the gradient of the sum of (w - 1)**2
    >>> np.allclose(w.data, 1.0, atol=1e-3)
    True
    """

    __slots__ = ("_beta1", "_beta2", "_epsilon", "_weight_decay")

    def __init__(
        self,
        parameters: Any,
        learning_rate: float | Schedule = 0.001,
        *,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        self._beta1 = number("Adam", "beta1", beta1, below=1.0)
        self._beta2 = number("Adam", "beta2", beta2, below=1.0)
        self._epsilon = number("Adam", "epsilon", epsilon, above=0.0)
        self._weight_decay = number("Adam", "weight_decay", weight_decay)
        super().__init__(parameters, learning_rate, ["mean", "square"])

    def _change(self, gradient: Any) -> Any:
        mean, square = self._averages["mean"], self._averages["square"]
        mean.assign(self._beta1 * mean + (1 - self._beta1) * gradient)
        square.assign(self._beta2 * square + (1 - self._beta2) * np.square(gradient))
        for p in self._leaves.values() if self._weight_decay else ():
            p.assign(self._in_dtype(1 - self._weight_decay * self._rate) * p)
        # The same formula, but no vector is divided by a number: numerator and denominator are multiplied by this root.
        root = np.sqrt(1 - self._beta2**self.count)
        size = self._in_dtype(self._rate * root / (1 - self._beta1**self.count))
        return size * mean / (np.sqrt(square) + self._in_dtype(self._epsilon * root))
