"""The leaf that most tests begin with."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd_spiral import Tensor


def leaf(data: Any, dtype: Any = float) -> Tensor:
    """A Tensor of `data` that requires gradients."""
    return Tensor(np.array(data, dtype=dtype), requires_grad=True)
