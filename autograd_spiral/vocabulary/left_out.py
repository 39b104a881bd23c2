"""Functions without gradients: those that take values, and those left out on purpose, with what to write instead."""

from __future__ import annotations

import numpy as np

from autograd_spiral.engine.messages import INSTEAD
from autograd_spiral.engine.table import VALUE_FUNCTIONS

VALUE_FUNCTIONS.update((np.save, np.savez, np.savez_compressed, np.savetxt))
VALUE_FUNCTIONS.update((np.allclose, np.array_equal, np.array_equiv))
VALUE_FUNCTIONS.update((np.array2string, np.array_repr, np.array_str))

INSTEAD.update(
    {
        np.vstack: "np.concatenate(…, axis=0), for parts of the same number of axes",
        np.hstack: "np.concatenate(…, axis=1), or axis=0 for vectors",
        np.append: "np.concatenate([…], axis)",
        np.round: "np.rint(t), or np.round(t.data, digits) for the value alone",
        np.diag: "np.diagonal(t), or t * np.eye(n) for a diagonal matrix",
        np.average: "np.mean(t, axis), or np.sum(weights * t, axis) / np.sum(weights)",
        np.atleast_2d: "t.reshape(…)",
        np.atleast_1d: "t.reshape(…)",
        np.nansum: "np.sum(np.where(good, t, 0)), with good = ~np.isnan(t.data)",
    }
)
