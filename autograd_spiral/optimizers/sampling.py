"""Random numbers for training: batches of rows, and dropout masks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from autograd_spiral.engine.calls import explains_keywords
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.errors import ShapeError
from autograd_spiral.optimizers.arguments import check_generator, number

__all__ = ["batches", "dropout_mask"]


@explains_keywords
def batches(rng: np.random.Generator, size: int, *arrays: Any) -> Iterator[tuple[Any, ...]]:
    """Yield batches of `size` rows in random order, until each row has been used once.

    A batch is a tuple with the same rows of each array. The last batch may be smaller. `rng`, a NumPy Generator, draws
    the order when `batches` is called. Raises `ShapeError` for arrays without rows or of different lengths, TypeError
    if `rng` is not a NumPy Generator, and ValueError for a size below 1.

    >>> X, y = np.arange(5) / 10, np.arange(5)
    >>> [labels.tolist() for rows, labels in batches(np.random.default_rng(0), 2, X, y)]
    [[2, 4], [3, 0], [1]]
    """
    check_generator("batches", rng, "batches(rng, size, X, y)")
    if not isinstance(size, int | np.integer) or size < 1:
        given = (
            f"an array of shape {size.shape}: write batches(rng, size, X, y)" if hasattr(size, "shape") else repr(size)
        )
        raise ValueError(f"batches: the size must be a number of rows, 1 or more, not {given}")
    data = [array if type(array) is Tensor else np.asarray(array) for array in arrays]
    lengths = [array.shape[0] if array.ndim else None for array in data]
    if not data or None in lengths or len(set(lengths)) > 1:
        raise ShapeError(f"batches: the arrays must have equal numbers of rows, but their lengths are {lengths}")
    order = rng.permutation(len(data[0]))
    starts = range(0, len(order), int(size))
    return (tuple(array[order[start : start + size]] for array in data) for start in starts)


@explains_keywords
def dropout_mask(
    rng: np.random.Generator, shape: int | tuple[int, ...], rate: float, dtype: DTypeLike = "float64"
) -> NDArray[Any]:
    """Return a random mask for dropout: each entry is 0 with probability `rate`, and `1 / (1 - rate)` otherwise.

    So an entry is 1 on average. Multiply the outputs of a layer by the mask in training, but not in prediction
    (Srivastava et al. 2014). A captured step must not draw random numbers, so draw the mask outside the step and pass
    it as an argument. Raises ValueError for a rate outside [0, 1), and TypeError if `rng` is not a NumPy Generator.

    >>> dropout_mask(np.random.default_rng(0), (2, 4), rate=0.5)
    array([[2., 0., 0., 0.],
           [2., 2., 2., 2.]])
    """
    check_generator("dropout_mask", rng, "dropout_mask(rng, shape, rate)")
    rate = number("dropout_mask", "rate", rate, below=1.0)
    return np.divide(rng.random(shape) >= rate, 1.0 - rate).astype(dtype)
