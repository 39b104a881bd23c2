"""The order of entries: positions of extrema, sorting, order statistics."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd_spiral.engine.calls import overridable
from autograd_spiral.engine.table import define
from autograd_spiral.vocabulary import signatures


def _reorder(x: Any, order: Any, axis: int) -> Any:
    """Return the entries of `x` at the indices `order` along `axis`, in which every index occurs once."""
    return np.take_along_axis(x, order, axis)


def _restore_order(x: Any, order: Any, axis: int) -> Any:
    """Return the array that `_reorder` turns into `x`: the inverse of reordering, which is also its adjoint."""
    out = np.empty_like(x)
    np.put_along_axis(out, order, x, axis)
    return out


def _argselect(x: Any, ranks: tuple[int, ...]) -> Any:
    """Return the positions of the entries of `x` with these `ranks` along the last axis."""
    low, high = min(ranks, default=0), max(ranks, default=0)
    pair = high == low + 1 > 64  # NumPy takes much longer for two ranks than for one
    order = np.argpartition(x, high if pair else sorted({low, *ranks}), axis=-1)
    if pair:
        largest = np.argmax(np.take_along_axis(x, order[..., :high], axis=-1), axis=-1)[..., None]
        order[..., low:high] = np.take_along_axis(order, largest, axis=-1)
    return order[..., list(ranks)]


reorder, restore_order, argselect = overridable(_reorder), overridable(_restore_order), overridable(_argselect)


def _moved_by(adjoint: Any) -> Any:
    return lambda ct, out, x, order, axis: adjoint(ct, order, axis=axis)


define(reorder, _moved_by(restore_order), None, bind=signatures.along, evaluate=_reorder)
define(restore_order, _moved_by(reorder), None, bind=signatures.along, evaluate=_restore_order)
define(argselect, None, bind=lambda x, ranks: ((x,), {"ranks": tuple(ranks)}), evaluate=_argselect)
for search in (np.argmax, np.argmin, np.nanargmax, np.nanargmin):
    define(search, None, bind=signatures.search)
define(np.argsort, None, bind=signatures.argsort)
define(np.argpartition, None, bind=signatures.argpartition)
define(np.searchsorted, None, None, bind=signatures.searchsorted)
