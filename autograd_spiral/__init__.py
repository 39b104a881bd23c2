"""A tiny autograd engine on NumPy: record NumPy once, then differentiate, check, draw, print and replay the record."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from autograd_spiral.engine.grad import grad
from autograd_spiral.engine.modes import no_grad, scope
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.errors import CaptureError, GradientMismatch
from autograd_spiral.vocabulary.declare import primitive
from autograd_spiral.vocabulary.functions import (
    elu,
    erf,
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

if TYPE_CHECKING:
    from autograd_spiral.debug.blame import blame
    from autograd_spiral.debug.memory import keep_memory
    from autograd_spiral.drawing import draw
    from autograd_spiral.gradcheck import CheckReport, check_against, check_gradients
    from autograd_spiral.program import CapturedStep, backward_source, capture

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
    "erf",
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

_LATER = {
    "CapturedStep": "program",
    "CheckReport": "gradcheck",
    "backward_source": "program",
    "blame": "debug.blame",
    "capture": "program",
    "check_against": "gradcheck",
    "check_gradients": "gradcheck",
    "draw": "drawing",
    "keep_memory": "debug.memory",
}
"""Names whose rooms are imported when they are first asked for, so that recording and gradients import quickly."""


def __getattr__(name: str) -> Any:
    if name in _LATER:
        value = globals()[name] = getattr(import_module(f"autograd_spiral.{_LATER[name]}"), name)
        return value
    raise AttributeError(f"module 'autograd_spiral' has no attribute {name!r}", name=name)
