"""Functions that are left out of the vocabulary on purpose, each with what to write instead."""

from __future__ import annotations

import numpy as np

from autograd_spiral.engine.messages import INSTEAD

INSTEAD.update(
    {
        np.vstack: "np.concatenate(…, axis=0), for parts of the same number of axes",
        np.hstack: "np.concatenate(…, axis=1), or axis=0 for vectors",
        np.append: "np.concatenate([…], axis)",
        np.diag: "np.diagonal(t), or t * np.eye(n) for a diagonal matrix",
        np.average: "np.mean(t, axis), or np.sum(weights * t, axis) / np.sum(weights)",
        np.atleast_2d: "t.reshape(…)",
        np.atleast_1d: "t.reshape(…)",
        np.nansum: "np.sum(np.where(good, t, 0)), with good = ~np.isnan(t.data)",
        np.allclose: "np.allclose(t.data, …)",
        np.array_equal: "np.array_equal(t.data, …)",
        np.save: "np.save(file, t.data)",
        np.savez: "np.savez(file, name=t.data)",
    }
)
