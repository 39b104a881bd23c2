"""A tiny autograd engine on NumPy: record NumPy once, then differentiate, check, draw, print and replay the record."""

from autograd_spiral.blame import blame
from autograd_spiral.functions import (
    elu,
    gelu,
    leaky_relu,
    log_softmax,
    logsumexp,
    mean_squared_error,
    relu,
    sigmoid,
    silu,
    softmax,
    softmax_cross_entropy,
    softplus,
)
from autograd_spiral.gradients import grad
from autograd_spiral.memory import keep_memory
from autograd_spiral.modes import no_grad
from autograd_spiral.primitives import primitive
from autograd_spiral.tensor import Tensor

__version__ = "0.1.0"

__all__ = [
    "Tensor",
    "blame",
    "elu",
    "gelu",
    "grad",
    "keep_memory",
    "leaky_relu",
    "log_softmax",
    "logsumexp",
    "mean_squared_error",
    "no_grad",
    "primitive",
    "relu",
    "sigmoid",
    "silu",
    "softmax",
    "softmax_cross_entropy",
    "softplus",
]
