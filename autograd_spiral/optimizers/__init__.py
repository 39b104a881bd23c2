"""Optimizers, and the other tools that a training loop needs: schedules, clipping, batches, dropout masks.

An optimizer is written in NumPy on Tensors, so it works in eager and in captured steps. It keeps in tensors all that
changes from step to step, which is called its `state`.
"""

from autograd_spiral.optimizers.adam import Adam
from autograd_spiral.optimizers.clipping import clip_by_norm
from autograd_spiral.optimizers.optimizer import Optimizer
from autograd_spiral.optimizers.parameters import named_parameters
from autograd_spiral.optimizers.sampling import batches, dropout_mask
from autograd_spiral.optimizers.schedules import cosine_decay, exponential_decay, linear_warmup
from autograd_spiral.optimizers.sgd import SGD

__all__ = [
    "SGD",
    "Adam",
    "Optimizer",
    "batches",
    "clip_by_norm",
    "cosine_decay",
    "dropout_mask",
    "exponential_decay",
    "linear_warmup",
    "named_parameters",
]
