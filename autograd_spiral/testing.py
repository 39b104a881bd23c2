"""Hypothesis strategies for testing operations and their gradients; they need the `test` extra.

Numbers come from a short list of round ones, so a failing test shrinks to arrays that can be read at a glance: 0, 1,
then halves and whole numbers, then tenths. Shapes shrink to few, short axes.

>>> from hypothesis import given, settings
>>> from autograd_spiral.gradcheck import check_gradients
>>> @settings(max_examples=5, deadline=None, database=None)
... @given(tensors(max_side=2))
... def test_cube(x):
...     assert check_gradients(lambda x: x * x * x, x).ok
>>> test_cube()
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.engine.tensor import Tensor

try:
    import hypothesis.strategies as st
    from hypothesis.extra import numpy as hnp
except ImportError as error:
    raise ImportError(
        "autograd_spiral.testing needs hypothesis, which is not installed: pip install 'autograd-spiral[test]'"
    ) from error

__all__ = ["arrays_away_from", "broadcastable", "labels_for", "matmul_pairs", "numbers", "tensors"]

Array: TypeAlias = NDArray[Any]


def numbers(low: float = -3.0, high: float = 3.0, *, away_from: Iterable[float] = (), gap: float = 0.05) -> Any:
    """Return a strategy for floats between `low` and `high`, at least `gap` away from each of `away_from`.

    Round numbers come first. Raises ValueError when no number is left, or when `low` is above `high`.

    >>> from hypothesis import find
    >>> find(numbers(0.5, 2), lambda x: x != 1)
    2.0
    """
    kinks = list(away_from)
    if low > high:
        raise ValueError(f"numbers: low={low} is above high={high}")
    whole = range(int(np.ceil(10 * low)), int(np.floor(10 * high)) + 1)
    tenths = [n / 10 for n in sorted(whole, key=lambda n: (n % 10 != 0, n % 5 != 0, abs(n), n < 0))]
    # A grid as well as the tenths, for ranges that contain few tenths, or none.
    choices = tenths + [float(x) for x in np.linspace(low, high, 23) if x not in tenths]
    kept = [x for x in choices if all(abs(x - kink) >= gap for kink in kinks)]
    if not kept:
        raise ValueError(f"numbers: no number between {low} and {high} is at least {gap} away from all of {kinks}")
    return st.sampled_from(kept)


def arrays_away_from(
    kinks: Iterable[float] = (),
    *,
    shape: Any = None,
    dtype: Any = np.float64,
    low: float = -3.0,
    high: float = 3.0,
    gap: float = 0.05,
    min_dims: int = 0,
    max_dims: int = 3,
    max_side: int = 4,
) -> Any:
    """Return a strategy for arrays of floats between `low` and `high`, at least `gap` away from each of `kinks`.

    `shape` is a shape or a strategy for one; without it, arrays have up to `max_dims` axes of up to `max_side`
    entries. Raises ValueError, as `numbers` does, when the kinks leave no number.

    >>> from hypothesis import find
    >>> find(arrays_away_from([0.0, 1.0], min_dims=1), lambda x: x.size > 1)
    array([-1., -1.])
    """
    if shape is None:
        shape = hnp.array_shapes(min_dims=min_dims, max_dims=max_dims, min_side=1, max_side=max_side)
    dtype = np.dtype(dtype)
    elements = numbers(low, high, away_from=kinks, gap=gap).map(lambda x: float(dtype.type(x)))
    return hnp.arrays(dtype, shape, elements=elements)


@st.composite
def tensors(draw: Any, /, kinks: Iterable[float] = (), *, requires_grad: bool = True, **how: Any) -> Tensor:
    """Draw a Tensor of an array from `arrays_away_from(kinks, **how)`, which raises the errors.

    >>> from hypothesis import find
    >>> find(tensors(shape=(2,)), lambda x: x.data.min() > 0)
    Tensor([1., 1.], requires_grad=True)
    """
    return Tensor(draw(arrays_away_from(kinks, **how)), requires_grad=requires_grad)


@st.composite
def broadcastable(
    draw: Any, /, count: int = 2, kinks: Iterable[float] = (), *, max_dims: int = 3, max_side: int = 3, **how: Any
) -> tuple[Array, ...]:
    """Draw `count` arrays whose shapes broadcast together.

    Other keywords, and errors, are those of `arrays_away_from`.

    >>> from hypothesis import find
    >>> x, y = find(broadcastable(), lambda pair: pair[0].shape != pair[1].shape)
    >>> (x + y).shape == np.broadcast_shapes(x.shape, y.shape)
    True
    """
    shapes = hnp.mutually_broadcastable_shapes(num_shapes=count, min_side=1, max_dims=max_dims, max_side=max_side)
    kinks = list(kinks)
    return tuple(draw(arrays_away_from(kinks, shape=shape, **how)) for shape in draw(shapes).input_shapes)


@st.composite
def labels_for(draw: Any, /, scores: Any) -> NDArray[np.int64]:
    """Draw class labels for `scores` of shape (N, K), an array or a Tensor: N integers in `range(K)`.

    Raises ValueError if the scores do not have two axes, or have no classes.

    >>> from hypothesis import find
    >>> find(labels_for(np.zeros((4, 3))), lambda labels: labels.max() == 2)
    array([2, 2, 2, 2])
    """
    shape = np.shape(scores)
    if len(shape) != 2 or shape[1] < 1:
        raise ValueError(f"labels_for: scores must have shape (N, K) with K ≥ 1, not {shape}")
    labels: NDArray[np.int64] = draw(hnp.arrays(np.int64, shape[0], elements=st.integers(0, shape[1] - 1)))
    return labels


@st.composite
def matmul_pairs(draw: Any, /, *, max_side: int = 3, vectors: bool = True, **how: Any) -> tuple[Array, Array]:
    """Draw two arrays for `@`: vectors (unless `vectors=False`), matrices, or stacks of matrices that broadcast.

    Other keywords, and errors, are those of `arrays_away_from`.

    >>> from hypothesis import find
    >>> x, y = find(matmul_pairs(), lambda pair: pair[0].ndim == 1 and pair[1].ndim == 2)
    >>> x, y
    (array([0.]), array([[0.]]))
    """
    sides = st.integers(1, max_side)
    rows, inner, columns = draw(sides), draw(sides), draw(sides)
    form = draw(st.sampled_from(["matrices", "stacks", "left", "right", "both"] if vectors else ["matrices", "stacks"]))
    left: tuple[int, ...] = (inner,) if form in ("left", "both") else (rows, inner)
    right: tuple[int, ...] = (inner,) if form in ("right", "both") else (inner, columns)
    if form == "stacks":
        stacks = draw(hnp.mutually_broadcastable_shapes(num_shapes=2, min_side=1, max_dims=2, max_side=2))
        left, right = (tuple(stack) + shape for stack, shape in zip(stacks.input_shapes, (left, right), strict=True))
    return draw(arrays_away_from(shape=left, **how)), draw(arrays_away_from(shape=right, **how))
