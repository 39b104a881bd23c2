"""A tiny autograd engine on NumPy: it records a computation, then differentiates, checks, draws and replays it.

>>> import numpy as np
>>> from autograd_spiral import Tensor, backward_source, capture, check_gradients, draw, explore, grad, relu
>>> w = Tensor([1.0, -2.0], requires_grad=True, name="w")  # NumPy's functions and Python's operators record a graph
>>> loss = np.sum(relu(w) ** 2).named("loss")
>>> loss.backward()                                        # adds the gradient to w.grad …
>>> slope = grad(loss, w, create_graph=True)               # … or returns it, here as a tensor with its own graph
>>> check_gradients(np.tanh, w.data).verdict               # compares gradients with finite differences
'ok'
>>> picture = draw(loss, gradients_of=w)                   # the graph, forward and backward: picture.save_as("w.svg")
>>> page = explore(loss, gradients_of=w)                   # … to step through in a browser: page.save_as("w.html")
>>> text = backward_source(loss, w)                        # both passes, as NumPy code that a person could write
>>> step = capture(lambda x: np.sum(w * x))                # a step, recorded at the first call and replayed later

There is more. `value_and_grad`, `jacobian`, `hessian` and others compute derivatives of functions. `Adam` and `SGD`
train a model. `@primitive` declares an operation with its own gradient rule. In a `with` block, `no_grad()` stops
recording, `scope(name)` groups operations, and `blame()` finds the first NaN or infinity. Functions that NumPy lacks,
such as `softmax_cross_entropy`, are here too. `python -m autograd_spiral --help` lists the commands, and the pages in
docs/ explain the rest.
"""

from __future__ import annotations

import autograd_spiral.interrupts  # noqa: F401  # first, before what takes time to import

# isort: split
import sys
from importlib import import_module
from opcode import opmap
from typing import TYPE_CHECKING, Any

from autograd_spiral.engine.declare import primitive
from autograd_spiral.engine.grad import grad
from autograd_spiral.engine.modes import no_grad, scope
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.errors import CaptureError, GradientMismatch
from autograd_spiral.other_libraries import instead_on_the_package
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
    from autograd_spiral.explorer import explore
    from autograd_spiral.gradcheck import CheckReport, check_against, check_gradients
    from autograd_spiral.optimizers import (
        SGD,
        Adam,
        batches,
        clip_by_norm,
        cosine_decay,
        dropout_mask,
        exponential_decay,
        linear_warmup,
        named_parameters,
    )
    from autograd_spiral.program import CapturedStep, backward_source, blocks, capture
    from autograd_spiral.program.xla import xla
    from autograd_spiral.transforms import elementwise_grad, flatten, hessian, hvp, jacobian, jvp, value_and_grad, vjp

__version__ = "0.1.0"

__all__ = [
    "SGD",
    "Adam",
    "CaptureError",
    "CapturedStep",
    "CheckReport",
    "GradientMismatch",
    "Tensor",
    "backward_source",
    "batches",
    "blame",
    "blocks",
    "capture",
    "check_against",
    "check_gradients",
    "clip_by_norm",
    "cosine_decay",
    "draw",
    "dropout_mask",
    "elementwise_grad",
    "elu",
    "erf",
    "explore",
    "exponential_decay",
    "flatten",
    "gelu",
    "grad",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "keep_memory",
    "leaky_relu",
    "linear_warmup",
    "log_softmax",
    "logsumexp",
    "mean_squared_error",
    "named_parameters",
    "no_grad",
    "primitive",
    "relu",
    "scope",
    "sigmoid",
    "silu",
    "softmax",
    "softmax_cross_entropy",
    "softplus",
    "value_and_grad",
    "vjp",
    "xla",
]

_LATER = {
    "Adam": "optimizers",
    "CapturedStep": "program",
    "CheckReport": "gradcheck",
    "SGD": "optimizers",
    "backward_source": "program",
    "batches": "optimizers",
    "blame": "debug.blame",
    "blocks": "program",
    "capture": "program",
    "check_against": "gradcheck",
    "check_gradients": "gradcheck",
    "clip_by_norm": "optimizers",
    "cosine_decay": "optimizers",
    "draw": "drawing",
    "dropout_mask": "optimizers",
    "elementwise_grad": "transforms",
    "explore": "explorer",
    "exponential_decay": "optimizers",
    "flatten": "transforms",
    "hessian": "transforms",
    "hvp": "transforms",
    "jacobian": "transforms",
    "jvp": "transforms",
    "keep_memory": "debug.memory",
    "linear_warmup": "optimizers",
    "named_parameters": "optimizers",
    "value_and_grad": "transforms",
    "vjp": "transforms",
    "xla": "program.xla",
}
"""Maps public names to modules that are only imported at the first use, so that importing the package is fast."""

_ROOMS = ("cli", "debug", "drawing", "explorer", "gradcheck", "program", "spiral")


def __getattr__(name: str) -> Any:
    if name in _LATER:
        value = globals()[name] = getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
        return value
    if name in _ROOMS:
        return import_module(f"{__name__}.{name}")
    instead = instead_on_the_package(name)
    if instead is not None:
        message = f"{__name__} has no {name!r}: {instead}"
        caller = sys._getframe(1)
        if caller.f_code.co_code[caller.f_lasti] == opmap["IMPORT_FROM"]:  # `from … import` replaces an AttributeError
            raise ImportError(message, name=__name__, path=__file__)
        raise AttributeError(message, name=name)  # without `obj=`, Python does not suggest another name itself
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name, obj=sys.modules[__name__])


def __dir__() -> list[str]:
    return [*__all__, *_ROOMS, "__doc__", "__version__", "engine", "errors", "vocabulary"]
