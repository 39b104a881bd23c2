"""Functions that are left out of the vocabulary on purpose, each with what to write instead."""

from __future__ import annotations

import numpy as np

from autograd_spiral.engine.messages import INSTEAD

INSTEAD.update(
    {
        np.round: "np.rint(t), or np.round(t.data, digits) for the value alone",
        np.linalg.eig: "np.linalg.eigh(t) for symmetric matrices: other ones can have complex results",
        np.linalg.eigvals: "np.linalg.eigvalsh(t) for symmetric matrices: other ones can have complex results",
        np.linalg.matrix_rank: "np.linalg.matrix_rank(t.data), which has no gradient",
        np.allclose: "np.allclose(t.data, …)",
        np.array_equal: "np.array_equal(t.data, …)",
        np.save: "np.save(file, t.data)",
        np.savez: "np.savez(file, name=t.data)",
    }
)
