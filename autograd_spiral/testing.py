"""Hypothesis strategies for testing operations and their gradients; they need hypothesis, from the `test` extra.

A strategy draws random test data. If a test fails, hypothesis shrinks the data: it looks for simpler data with which
the test still fails. The numbers here come from a short list of round numbers, so that what remains is easy to read.
They shrink to 0 and 1 first, then to other whole numbers and halves, then to tenths. Shapes shrink to few, short axes.
Every `dtype` argument may also be a strategy for dtypes, such as `float_dtypes()`.

A gradient that is right for round numbers can be wrong for others. `arrays_near` draws numbers on kinks and next to
them, `arrays_of_any_scale` draws tiny and huge numbers, and `ill_conditioned_arrays` draws arrays whose differences and
products lose digits. `in_any_layout` draws arrays in other memory layouts.

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

__all__ = [
    "arrays_away_from",
    "arrays_near",
    "arrays_of_any_scale",
    "broadcastable",
    "float_dtypes",
    "ill_conditioned_arrays",
    "in_any_layout",
    "labels_for",
    "matmul_pairs",
    "numbers",
    "tensors",
]

Array: TypeAlias = NDArray[Any]


def numbers(low: float = -3.0, high: float = 3.0, *, away_from: Iterable[float] = (), gap: float = 0.05) -> Any:
    """Return a strategy for floats between `low` and `high`, at least `gap` away from each number in `away_from`.

    Failing examples shrink to round numbers. Raises ValueError if no number is left, or if `low` is above `high`.

    >>> from hypothesis import find  # find returns the simplest example that has a property
    >>> find(numbers(0.5, 2), lambda x: x != 1)
    2.0
    """
    kinks = list(away_from)
    if low > high:
        raise ValueError(f"numbers: low={low} is above high={high}")
    whole = range(int(np.ceil(10 * low)), int(np.floor(10 * high)) + 1)
    tenths = [n / 10 for n in sorted(whole, key=lambda n: (n % 10 != 0, n % 5 != 0, abs(n), n < 0))]
    # A grid in addition to the tenths, for ranges that contain few tenths or none.
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
    """Return a strategy for arrays of floats between `low` and `high`, at least `gap` away from each of the `kinks`.

    `shape` is a shape or a strategy for shapes. Without it, arrays have from `min_dims` to `max_dims` axes, each with
    at most `max_side` entries. Raises ValueError if the kinks leave no number.

    >>> from hypothesis import find  # find returns the simplest example that has a property
    >>> find(arrays_away_from([0.0, 1.0], min_dims=1), lambda x: x.size > 1)
    array([-1., -1.])
    """
    if shape is None:
        shape = hnp.array_shapes(min_dims=min_dims, max_dims=max_dims, min_side=1, max_side=max_side)
    return _arrays(dtype, shape, numbers(low, high, away_from=kinks, gap=gap))


def _arrays(dtype: Any, shape: Any, elements: Any) -> Any:
    """Return a strategy for arrays of `elements`, which is a strategy, or a function from a dtype to a strategy."""
    if isinstance(dtype, st.SearchStrategy):
        return dtype.flatmap(lambda drawn: _arrays(drawn, shape, elements))
    dtype = np.dtype(dtype)
    chosen = elements(dtype) if callable(elements) else elements
    # rounded to the dtype, since hypothesis rejects numbers that do not fit into it
    return hnp.arrays(dtype, shape, elements=chosen.map(lambda x: float(dtype.type(x))))


def float_dtypes(*, platform: bool = False) -> Any:
    """Return a strategy for the dtypes float64, float32 and float16; `platform=True` adds the platform's long double.

    >>> from hypothesis import find  # find returns the simplest example that has a property
    >>> find(float_dtypes(), lambda dtype: dtype.itemsize < 8)
    dtype('float32')
    """
    return st.sampled_from([np.dtype(name) for name in ("f8", "f4", "f2", *(["longdouble"] if platform else []))])


def arrays_near(kinks: Iterable[float], *, shape: Any = (3,), dtype: Any = np.float64, distance: float = 1e-2) -> Any:
    """Return a strategy for arrays of numbers that are equal to one of the `kinks` or close to one.

    A number is at most `distance` away from a kink. Raises ValueError if there are no kinks.

    >>> from hypothesis import find  # find returns the simplest example that has a property
    >>> find(arrays_near([1.0]), lambda x: np.all(x < 1)).round(6)
    array([0.99, 0.99, 0.99])
    """
    places = list(kinks)
    if not places:
        raise ValueError("arrays_near: no kinks are given")

    def elements(dtype: np.dtype[Any]) -> Any:
        near = []
        for place in places:
            steps = [distance * 10.0**-n for n in range(0, 14, 2)]
            sides = [float(np.nextafter(dtype.type(place), dtype.type(end))) for end in (-np.inf, np.inf)]
            near += [place, *(place + sign * step for step in steps for sign in (-1, 1)), *sides]
        return st.sampled_from(list(dict.fromkeys(near)))

    return _arrays(dtype, shape, elements)


def arrays_of_any_scale(*, shape: Any = (3,), dtype: Any = np.float64, alike: bool = False, signed: bool = True) -> Any:
    """Return a strategy for arrays of tiny and huge numbers, from the whole range of the dtype.

    Each number of an array has its own scale; with `alike`, all numbers have the same scale. With `signed=False`, all
    numbers are positive. Numbers shrink towards 1.

    >>> from hypothesis import find  # find returns the simplest example that has a property
    >>> float(find(arrays_of_any_scale(dtype="float16"), lambda x: x.min() > 100).max())
    1000.0
    """

    def exponents(dtype: np.dtype[Any]) -> Any:
        info = np.finfo(min(dtype, np.dtype(float), key=lambda d: d.itemsize))
        least, most = int(np.log10(info.smallest_subnormal)), int(np.log10(info.max / 5))
        every = sorted(range(least, most + 1), key=lambda n: (abs(n) % 3 != 0, abs(n), n < 0))
        return st.sampled_from(every[:3]) | st.sampled_from([most, least]) | st.sampled_from(every)

    digits = st.sampled_from([1.0, 2.0, 5.0, 3.7] + [-1.0, -2.0, -5.0, -3.7] * signed)

    def elements(dtype: np.dtype[Any]) -> Any:
        if alike:
            return digits
        return st.builds(lambda digit, exponent: digit * 10.0**exponent, digits, exponents(dtype))

    if not alike:
        return _arrays(dtype, shape, elements)
    drawn = dtype if isinstance(dtype, st.SearchStrategy) else st.just(np.dtype(dtype))
    return drawn.flatmap(
        lambda dtype: st.builds(
            lambda x, exponent: (x.astype(float) * 10.0**exponent).astype(dtype),
            _arrays(np.float64, shape, digits),
            exponents(dtype),
        )
    )


@st.composite
def ill_conditioned_arrays(draw: Any, /, *, shape: Any = (3,), dtype: Any = np.float64) -> Array:
    """Draw an array whose differences or products lose digits, in one of the ways that occur in practice.

    Its numbers may be far from 0 and close to each other, as years are, or they may differ widely in scale. Or its last
    row (or number) is nearly the sum of the others, so that a square matrix is nearly singular. If numbers are too
    close together for the dtype, they become equal.

    >>> from hypothesis import find  # find returns the simplest example that has a property
    >>> x = find(ill_conditioned_arrays(), lambda x: np.std(x) > 0 and np.mean(x) > 1e5 * np.std(x))
    >>> float(x.min()), bool(np.ptp(x) < 1e-5 * x.min())  # the numbers differ only in their last digits
    (1000000.0, True)
    """
    shape, dtype = (draw(x) if isinstance(x, st.SearchStrategy) else x for x in (shape, dtype))
    dtype = np.dtype(dtype)
    x = draw(arrays_away_from(shape=shape))
    spacing = float(np.finfo(dtype).eps)
    way = draw(st.sampled_from(["far out", "mixed", "dependent"]))
    if way == "far out":
        sizes = [10.0**n for n in (6, 3, 9, 12) if 10.0**n * spacing < 1]
        return np.asarray(x + draw(st.sampled_from(sizes)), dtype)
    if way == "mixed":
        return np.asarray(x * 10.0 ** draw(hnp.arrays(np.int64, np.shape(x), elements=st.integers(-3, 3))), dtype)
    if x.ndim:
        off = draw(st.sampled_from([1e-3, 0.0, *(n * spacing for n in (1, 10, 100))]))
        x[-1] = np.sum(x[:-1], axis=0) + off
    return np.asarray(x, dtype)


@st.composite
def in_any_layout(draw: Any, arrays: Any, /) -> Array:
    """Draw an array from the strategy `arrays`, with the same values in another memory layout.

    Its axes are in another order or run backwards, or the array is part of a larger array, read-only, unaligned, or in
    the other byte order.

    >>> from hypothesis import find  # find returns the simplest example that has a property
    >>> find(in_any_layout(arrays_away_from(shape=(2, 2))), lambda x: x.strides[0] < 0).shape  # runs backwards
    (2, 2)
    """
    x = np.array(draw(arrays))
    layout = draw(
        st.sampled_from(["as it is", "transposed", "backwards", "spread", "read-only", "unaligned", "swapped"])
    )
    if layout == "transposed":
        return np.asfortranarray(x)
    if layout == "backwards":
        turned = tuple(slice(None, None, -1) for _ in x.shape)
        return np.array(x[turned])[turned]
    if layout == "spread":
        larger = np.full(tuple(2 * n for n in x.shape), np.nan, x.dtype)
        view = larger[tuple(slice(None, None, 2) for _ in x.shape)] if x.ndim else larger[()]
        return _filled(np.asarray(view), x)
    if layout == "read-only":
        x.flags.writeable = False
    if layout == "unaligned":
        memory = np.zeros(x.nbytes + 1, np.uint8)
        return _filled(np.ndarray(x.shape, x.dtype, memory.data, offset=1), x)
    return x.astype(x.dtype.newbyteorder()) if layout == "swapped" else x


def _filled(view: Array, values: Array) -> Array:
    view[...] = values
    return view


@st.composite
def tensors(draw: Any, /, kinks: Iterable[float] = (), *, requires_grad: bool = True, **how: Any) -> Tensor:
    """Draw a Tensor with data from `arrays_away_from(kinks, **how)`.

    Raises the errors of `arrays_away_from`.

    >>> from hypothesis import find  # find returns the simplest example that has a property
    >>> find(tensors(shape=(2,)), lambda x: x.data.min() > 0)
    Tensor([1., 1.], requires_grad=True)
    """
    return Tensor(draw(arrays_away_from(kinks, **how)), requires_grad=requires_grad)


@st.composite
def broadcastable(
    draw: Any, /, count: int = 2, kinks: Iterable[float] = (), *, max_dims: int = 3, max_side: int = 3, **how: Any
) -> tuple[Array, ...]:
    """Draw `count` arrays whose shapes broadcast together.

    For the other keywords and errors, see `arrays_away_from`.

    >>> from hypothesis import find  # find returns the simplest example that has a property
    >>> x, y = find(broadcastable(), lambda pair: pair[0].shape != pair[1].shape)
    >>> (x + y).shape == np.broadcast_shapes(x.shape, y.shape)
    True
    """
    shapes = hnp.mutually_broadcastable_shapes(num_shapes=count, min_side=1, max_dims=max_dims, max_side=max_side)
    kinks = list(kinks)
    return tuple(draw(arrays_away_from(kinks, shape=shape, **how)) for shape in draw(shapes).input_shapes)


@st.composite
def labels_for(draw: Any, /, scores: Any) -> NDArray[np.int64]:
    """Draw class labels for `scores`, an array or a Tensor of shape (N, K): N integers in `range(K)`.

    Raises ValueError if the scores do not have two axes, or have no classes.

    >>> from hypothesis import find  # find returns the simplest example that has a property
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
    """Draw two arrays that `@` multiplies: vectors (unless `vectors=False`), matrices, or stacks of matrices.

    For the other keywords and errors, see `arrays_away_from`.

    >>> from hypothesis import find  # find returns the simplest example that has a property
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
