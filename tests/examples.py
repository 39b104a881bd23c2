"""What an example call is, and how the shapes, axes, memory layouts and values of examples are drawn."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from autograd_spiral.gradcheck.examples import EXAMPLES
from autograd_spiral.gradcheck.examples.table import REAL, Domain


@dataclass(frozen=True)
class Example:
    """A call with array arguments, and the NumPy formula that it must agree with.

    On plain arrays, `call` is NumPy's own function, which is then the formula too; functions that NumPy lacks come with
    a `formula`. `differentiable` says whether floating arguments have gradients.
    """

    call: Callable[..., Any]
    arrays: tuple[Any, ...]
    formula: Callable[..., Any] | None = None
    differentiable: bool = True

    @property
    def oracle(self) -> Callable[..., Any]:
        return self.formula or self.call

    @property
    def argnums(self) -> list[int]:
        """The indices of the arguments that have gradients."""
        return [i for i, a in enumerate(self.arrays) if self.differentiable and a.dtype.kind == "f"]

    def cast(self, dtype: Any) -> Example:
        """The same call with its floating arguments in `dtype`."""
        arrays = tuple(a.astype(dtype) if a.dtype.kind == "f" else a for a in self.arrays)
        return Example(self.call, arrays, self.formula, self.differentiable)

    def of_integers(self, dtype: Any) -> Example:
        """The same call with its floating arguments rounded to integers, which have no gradients."""
        arrays = tuple(np.abs(np.rint(a)).astype(dtype) if a.dtype.kind == "f" else a for a in self.arrays)
        return Example(self.call, arrays, self.formula, differentiable=False)


_integers = functools.cache(st.integers)  # making a strategy costs more than drawing from it


class Source:
    """Draws the parts of an example: its structure by `integer`, the entries from a generator seeded with the first.

    `integer` is called with the smallest and the largest number that it may return.
    """

    def __init__(self, integer: Callable[[int, int], int]) -> None:
        self.integer = integer
        self.rng = np.random.default_rng(integer(0, 2**32 - 1))

    def choose(self, *options: Any) -> Any:
        return options[self.integer(0, len(options) - 1)]

    def flag(self) -> bool:
        return self.integer(0, 1) == 1

    # --- shapes and axes ---------------------------------------------------------------------------------------

    def shape(self, low: int = 0, high: int = 3, *, side: int = 1, empty: bool = True) -> tuple[int, ...]:
        """A shape of `low` to `high` axes of lengths `side` to 3; now and then, if allowed, an `empty` axis."""
        lengths = [self.integer(side, 3) for _ in range(self.integer(low, high))]
        if empty and lengths and self.integer(0, 7) == 7:
            lengths[self.integer(0, len(lengths) - 1)] = 0
        return tuple(lengths)

    def broadcast_from(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """A shape that broadcasts to `shape`: leading axes left out, others of length 1."""
        kept = shape[self.choose(0, 0, self.integer(0, len(shape))) :]
        return tuple(1 if self.integer(0, 3) == 3 else n for n in kept)

    def broadcast_shapes(self, count: int) -> list[tuple[int, ...]]:
        """Shapes that broadcast together."""
        shape = self.shape()
        return [self.broadcast_from(shape) for _ in range(count)]

    def axis(self, ndim: int) -> int:
        """An axis, counted from either end."""
        return self.integer(-ndim, ndim - 1)

    def axes(self, ndim: int) -> Any:
        """None, an axis counted from either end, or a tuple of such axes."""
        if ndim == 0 or self.integer(0, 3) == 3:
            return None
        if self.flag():
            return self.axis(ndim)
        chosen = self.rng.permutation(ndim)[: self.integer(1, ndim)]
        return tuple(int(i) - ndim * self.flag() for i in chosen)

    # --- arrays ------------------------------------------------------------------------------------------------

    def array(self, shape: tuple[int, ...], domain: Domain = REAL) -> np.ndarray:
        """Entries from `domain`, in any memory layout."""
        return self.laid_out(domain.draw(self.rng, shape))

    def apart(self, *shapes: tuple[int, ...]) -> tuple[np.ndarray, ...]:
        """Arrays whose entries, all of them together, are at least 0.1 from each other and from 0."""
        sizes = [int(np.prod(shape)) for shape in shapes]
        ranks = self.rng.permutation(sum(sizes)) - sum(sizes) // 2
        parts = np.split(0.2 * ranks + self.rng.uniform(0.05, 0.15, ranks.shape), np.cumsum(sizes)[:-1])
        return tuple(self.laid_out(part.reshape(shape)) for part, shape in zip(parts, shapes, strict=True))

    def integers(self, shape: tuple[int, ...], low: int, high: int) -> np.ndarray:
        """Integers from `low` to `high`, both included, in any memory layout."""
        return self.laid_out(self.rng.integers(low, high + 1, shape))

    def mask(self, shape: tuple[int, ...]) -> np.ndarray:
        return self.laid_out(self.rng.integers(0, 2, shape) == 1)

    def laid_out(self, array: np.ndarray) -> np.ndarray:
        """`array` in C or Fortran order, with negative strides, or as every second entry of a larger one."""
        array = np.asarray(array)
        layout = self.choose("C", "F", "reversed", "strided")
        if array.ndim == 0 or layout == "C":
            return array
        if layout == "F":
            return np.asfortranarray(array)
        if layout == "reversed":
            return np.flip(np.flip(array).copy())
        return np.repeat(array, 2, axis=-1)[..., ::2]


Case = Callable[[Source, Callable[..., Any]], Example]


class Cases(dict[Callable[..., Any], Case]):
    """From each function to the case that draws example calls of it."""

    def of(self, *functions: Callable[..., Any]) -> Callable[[Case], Case]:
        """Enter the decorated function as the case of each of `functions`."""

        def enter(case: Case) -> Case:
            self.update(dict.fromkeys(functions, case))
            return case

        return enter


def reduced(source: Source, function: Callable[..., Any], x: np.ndarray, **further: Any) -> Example:
    """`function` along some axes of `x`."""
    axis, keepdims = source.axes(x.ndim), source.flag()
    call = source.choose(
        lambda x: function(x, axis, keepdims=keepdims, **further),
        lambda x: function(x, axis=axis, keepdims=keepdims, **further),
    )
    return Example(call, (x,))


def from_table(source: Source, function: Callable[..., Any]) -> Example:
    """One of the examples of the package's own table, with its arrays in any memory layout."""
    drawn = source.choose(*EXAMPLES[function])(source.rng)
    return Example(drawn.function, tuple(map(source.laid_out, drawn.inputs)))


def strategy(function: Callable[..., Any], case: Case) -> st.SearchStrategy[Example]:
    """The examples that `case` makes of `function`."""
    return st.composite(lambda draw: case(Source(lambda low, high: draw(_integers(low, high))), function))()


class Examples:
    """Examples of one function, the same in every run and for all properties.

    They are drawn without hypothesis, which takes longer to draw an example than to check it.
    """

    def __init__(self, function: Callable[..., Any], case: Case, count: int = 30) -> None:
        self.function, self.case, self.count = function, case, count

    @functools.cached_property
    def drawn(self) -> list[Example]:
        return [self.case(Source(random.Random(seed).randint), self.function) for seed in range(self.count)]

    def check(self, holds: Callable[[Example], None], count: int | None = None) -> None:
        """Call `holds` with all examples, or the first `count`; if it raises, let hypothesis find a smaller one."""
        try:
            for example in self.drawn[:count]:
                holds(example)
        except Exception:

            @given(strategy(self.function, self.case))
            def shrink(example: Example) -> None:
                holds(example)

            shrink()
            raise
