"""Indexing, and its adjoint `scatter`."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from autograd_spiral.engine.calls import overridable
from autograd_spiral.engine.sweep import wide
from autograd_spiral.engine.table import define
from autograd_spiral.vocabulary import signatures
from autograd_spiral.vocabulary.signatures import fill


def _scatter(ct: Any, *arrays: Any, index: tuple[Any, ...], shape: tuple[int, ...]) -> Any:
    """Return zeros of `shape` with `ct` added at `index`, where repeated entries add up: the adjoint of indexing."""
    where = fill(index, arrays)
    once = all(array.dtype == bool for array in arrays)  # masks and slices take no entry twice
    added = ct if once else wide(ct, ct.size / max(math.prod(shape), 1))
    out = np.zeros(shape, added.dtype)
    if once:
        out[where] = added
    elif len(arrays) < len(index):  # NumPy adds faster at positions along one axis
        np.add.at(out.reshape(-1), np.arange(out.size).reshape(shape)[where].reshape(-1), added.reshape(-1))
    else:
        np.add.at(out, where, added)
    return out.astype(ct.dtype, copy=False)


scatter = overridable(_scatter)

define(
    operator.getitem,
    lambda ct, out, x, *arrays, index: scatter(ct, *arrays, index=index, shape=x.shape),
    variadic=True,
    bind=signatures.getitem,
    evaluate=lambda x, *arrays, index: x[fill(index, arrays)],
)
define(
    scatter,
    lambda ct, out, x, *arrays, index, shape: ct[fill(index, arrays)],
    variadic=True,
    bind=signatures.scatter,
    evaluate=_scatter,
)
