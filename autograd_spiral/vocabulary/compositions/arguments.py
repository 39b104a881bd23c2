"""What users pass to compositions, in the form that the compositions expect."""

from __future__ import annotations

from typing import Any

import numpy as np


def operand(x: Any) -> Any:
    """Return `x`, as an array if it is not an array or a Tensor already.

    >>> operand([1, 2])
    array([1, 2])
    """
    return x if hasattr(x, "ndim") else np.asarray(x)
