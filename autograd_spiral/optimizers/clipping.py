"""Clipping: gradients that are too large are multiplied by a small number."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.engine.grad import flatten_parameters
from autograd_spiral.engine.pytree import paths, unflatten
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.errors import GradientError
from autograd_spiral.optimizers.arguments import number_or_tensor
from autograd_spiral.optimizers.parameters import floating_gradient

__all__ = ["clip_by_norm"]


def clip_by_norm(gradients: Any, max_norm: float | NDArray[Any] | Tensor) -> Any:
    """Return the gradients, all multiplied by the same number so that their joint norm is at most `max_norm`.

    The joint norm is the norm of all gradients joined into one vector (Pascanu et al. 2013). If it is at most
    `max_norm`, the gradients do not change. They may be in lists, tuples, dicts and dataclasses, and the result has the
    same form: an array for each array, and a Tensor for each Tensor. `max_norm` is a number, or a zero-dimensional
    array or Tensor. Raises TypeError if it is anything else, and ValueError unless it is positive; in a captured step,
    the value of an array or a Tensor is not checked. Also raises `GradientError` if a gradient is None, and
    `DtypeError` for gradients that are not floating-point.

    >>> clip_by_norm({"w": np.array([3.0, 0.0]), "b": np.array([4.0])}, max_norm=1.0)  # the joint norm is 5
    {'w': array([0.6, 0. ]), 'b': array([0.8])}
    """
    if isinstance(gradients, numbers.Real) and not isinstance(max_norm, numbers.Real):
        raise TypeError("clip_by_norm takes the gradients first: write clip_by_norm(gradients, max_norm)")
    max_norm = number_or_tensor("clip_by_norm", "max_norm", max_norm, above=0.0)
    leaves, treedef = flatten_parameters(gradients)
    found = [floating_gradient("clip_by_norm", key, g) for key, g in zip(paths(treedef), leaves, strict=True)]
    if not found:
        raise GradientError("clip_by_norm: there are no gradients")
    wide = np.result_type(np.float32, *(g.dtype for g in found))
    limit = max_norm.astype(wide) if type(max_norm) is Tensor else max_norm  # float32 gradients stay float32
    vector = np.concatenate([g.astype(wide).reshape(-1) for g in found])
    size = np.maximum(np.max(np.absolute(vector)), limit) if vector.size else limit
    share = limit / size  # with it, squares cannot overflow, and zeros are not divided by zero
    factor = share / np.maximum(np.linalg.norm(vector / size), share)
    clipped = [(g * factor).astype(g.dtype) for g in found]
    for g, short in zip(found, clipped, strict=True):
        if hasattr(g, "_gradient_of"):
            short._gradient_of = g._gradient_of
    return unflatten(treedef, iter(clipped))
