"""A tiny autograd engine on NumPy: record NumPy once, then differentiate, check, draw, print and replay the record."""

from autograd_spiral.blame import blame
from autograd_spiral.declaration import primitive
from autograd_spiral.drawing import draw
from autograd_spiral.errors import CaptureError, GradientMismatch
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
from autograd_spiral.gradcheck import CheckReport, check_against, check_gradients
from autograd_spiral.gradients import grad
from autograd_spiral.memory import keep_memory
from autograd_spiral.modes import no_grad, scope
from autograd_spiral.program import CapturedStep, backward_source, capture
from autograd_spiral.tensor import Tensor

__version__ = "0.1.0"

__all__ = [
    "CaptureError",
    "CapturedStep",
    "CheckReport",
    "GradientMismatch",
    "Tensor",
    "backward_source",
    "blame",
    "capture",
    "check_against",
    "check_gradients",
    "draw",
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
    "scope",
    "sigmoid",
    "silu",
    "softmax",
    "softmax_cross_entropy",
    "softplus",
]
