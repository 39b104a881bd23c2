"""Measures the rounding of recorded values and their gradients by running the record again with blurred numbers.

Monte Carlo arithmetic (Parker, 1997): every floating value that is read or written gets other last bits, in several
runs. How far the results move is what rounding can do to them, cancellation included. Rounding that accumulates inside
one long sum does not show in this way: one more run, in a wider dtype, measures the rounding that happened.

The result of a rule that branches on exact values changes, too, but in a jump: all runs agree with each other, and not
with the recorded numbers. That is not rounding.

The record is run again as the sweep ran it, rules included, and not as a program: rules of declared operations may need
plain arrays, and a program would blur each step within a rule, which widens the bounds of gradients that are right.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from autograd_spiral.engine.modes import Observer
from autograd_spiral.engine.sweep import sweep
from autograd_spiral.engine.table import Primitive
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.gradcheck.verdicts import Array
from autograd_spiral.program.history import history

__all__ = ["Again", "Rounding", "at_least", "blurred", "joined", "largest_of", "rounding_of", "widened"]

Change: TypeAlias = Callable[[Any], Any]

RUNS = 8
_BITS = 3  # this many last bits are replaced, up to 7 units in the last place; NumPy's functions can be off by 4
DRAWN = 4096  # random last bits at once
_MULTIPLIERS = np.random.default_rng(7).integers(2**62, 2**63, size=RUNS, dtype=np.uint64) | np.uint64(1)


class Rounding(NamedTuple):
    """How far rounding can move each element of the outputs of a function, and of its gradients.

    The `loose` levels apply if equal numbers need not stay equal: a difference of exactly 0 may be the rounded
    difference of two numbers that are not equal. `jumps` marks the elements of the gradients on which all runs agree
    with each other but not with the recorded gradient; the levels do not include that distance. `largest` is the
    largest number that was met in computing the outputs.
    """

    outputs: list[Array]
    gradients: list[Array]
    loose_outputs: list[Array]
    loose_gradients: list[Array]
    jumps: list[Array]
    largest: float


def _is_floating(value: Any) -> bool:
    return isinstance(value, np.ndarray | np.generic) and value.dtype.kind == "f"


def blurred(value: Any, run: int) -> Any:
    """Return `value` with other last bits, which depend on `run` and the leading bits of each number only.

    So equal values stay equal, and blurring a second time changes nothing: comparisons between a maximum and its
    arguments have the same results. Zeros, infinities, and values that are not floating arrays stay unchanged.

    >>> x = np.array([0.0, 1.0, 0.1])
    >>> bool(np.all(abs(blurred(x, 0) - x) <= 2e-15 * x)), bool(np.all(blurred(blurred(x, 0), 0) == blurred(x, 0)))
    (True, True)
    """
    if not _is_floating(value) or value.itemsize > 8:
        return value
    bits = _BITS_OF[value.itemsize]
    tail = np.asarray(value).view(bits.dtype) >> bits.count
    tail = np.asarray(tail + bits.one)  # for subnormal numbers, whose leading bits are 0
    np.multiply(tail, bits.multipliers[run], tail)
    return _with_tail(value, np.right_shift(tail, bits.shift, tail), bits)


def _with_tail(value: Any, tail: Array, bits: _Bits) -> Any:
    """Return `value` with these last bits, which are overwritten; zeros, infinities and NaN stay unchanged."""
    # An odd tail moves every number whose last bits are 0: whole numbers, halves.
    np.bitwise_or(tail, bits.one, tail)
    mixed = np.bitwise_or(np.asarray(value).view(bits.dtype) & bits.leading, tail, tail).view(value.dtype)
    if np.count_nonzero(value) == value.size == np.count_nonzero(np.isfinite(value)):
        return mixed
    return np.where(np.isfinite(value) & (value != 0), mixed, value)


class _BlurApart:
    """Changes numbers as `blurred` does, but to random last bits, so equal values do not stay equal.

    >>> x = np.ones(4)
    >>> bool(np.all(abs(_BlurApart()(x) - x) <= 2e-15))
    True
    """

    def __init__(self) -> None:
        self._rng, self._tails = np.random.default_rng(RUNS), np.zeros(0, np.uint8)

    def __call__(self, value: Any) -> Any:
        """Return `value` with other last bits."""
        if not _is_floating(value) or value.itemsize > 8:
            return value
        if value.size > self._tails.size:  # drawn many at once: for a few numbers, that is much faster
            self._tails = self._rng.integers(0, 2**_BITS, max(value.size, DRAWN), dtype=np.uint8)
        bits, tails = _BITS_OF[value.itemsize], self._tails[: value.size]
        self._tails = self._tails[value.size :]
        return _with_tail(value, tails.astype(bits.dtype).reshape(value.shape), bits)


class _Bits:
    """How the bits of floating numbers of this size are mixed: constants in the unsigned dtype of the same size."""

    def __init__(self, itemsize: int) -> None:
        width = 8 * itemsize
        self.dtype = np.dtype(f"u{itemsize}")
        unsigned: Any = self.dtype.type
        self.one, self.count, self.shift = unsigned(1), unsigned(_BITS), unsigned(width - _BITS)
        self.leading = unsigned(2**width - 2**_BITS)
        self.multipliers = [unsigned((int(multiplier) >> (64 - width)) | 1) for multiplier in _MULTIPLIERS]


_BITS_OF = {itemsize: _Bits(itemsize) for itemsize in (2, 4, 8)}


def widened(value: Any) -> Any:
    """Return `value` in the next wider dtype if it is a floating array: float64, or the platform's long double.

    >>> widened(np.float32([1, 2])).dtype
    dtype('float64')
    """
    if not _is_floating(value):
        return value
    return at_least(value, np.float64 if value.itemsize < 8 else np.longdouble)


def at_least(value: Any, dtype: Any) -> Any:
    """Return `value` in this dtype if it is an array of a narrower one.

    >>> at_least(np.float32([1, 2]), float).dtype, at_least(np.arange(2), float).dtype
    (dtype('float64'), dtype('int64'))
    """
    return value.astype(dtype) if _is_floating(value) and value.itemsize < np.dtype(dtype).itemsize else value


def _or_in_float64(function: Callable[..., Any], *args: Any, **params: Any) -> Any:
    """Call `function`; if it rejects long doubles, as functions of np.linalg do, call it with float64 instead."""
    try:
        return function(*args, **params)
    except TypeError:
        return function(*(x.astype(np.float64) if _is_floating(x) and x.itemsize > 8 else x for x in args), **params)


class _Shadow:
    """A stand-in for a node, evaluated again on changed operands, with the fields that the sweep reads.

    The nodes that use it change its `_value` when they read it. If each number is to be changed only once, they read
    `_read`, which is changed already. What is not floating, such as a mask, stays as it was recorded.
    """

    def __init__(self, node: Tensor, shadows: Mapping[Tensor, _Shadow], primitive: Primitive | None) -> None:
        self.serial, self.params, self.name = node.serial, node.params, node.name
        self.original = node.data
        self._requires_grad = node.requires_grad
        self._value: Any = node.data
        self._read: Any = node.data
        self.primitive: Any = primitive
        args = node.args if primitive else ()
        self.args = tuple(shadows[arg] if type(arg) is Tensor else arg for arg in args)
        self.operands = self._constants = node.operands
        self._zeros = None if np.all(self.original) else self.original == 0

    def evaluate(self, again: Again) -> None:
        """Compute the value from changed operands; a leaf keeps its value."""
        change = again.change
        if self.primitive is None:
            self._read = change(self.original) if again.once else self.original
            return
        self.operands = tuple(map(self._operand, self.args, self._constants, itertools.repeat(again)))
        value = np.asarray(_or_in_float64(self.primitive.evaluate, *self.operands, **self.params))
        value = change(value) if again.results else value
        if again.keep_zeros and self._zeros is not None:
            value = np.where(self._zeros, self.original, value)
        self._value = self._read = value

    def _operand(self, arg: Any, constant: Any, again: Again) -> Any:
        dtype = self.original.dtype  # in float64, a float32 constant does not round like float32
        if type(arg) is not _Shadow:
            return again.change(at_least(constant, dtype))
        if again.once and arg.original.itemsize >= dtype.itemsize:
            return arg._read
        return again.change(at_least(arg._value, dtype))


class Again:
    """The record of `outputs`, and of their gradients with respect to `inputs`, to be run again on changed numbers.

    >>> x = Tensor(np.array([1.0, 2.0]), requires_grad=True)
    >>> y = 3 * x
    >>> Again([y], [np.ones(2)], [x]).run(lambda number: number)
    [array([3., 6.]), array([3., 3.])]
    """

    def __init__(self, outputs: Sequence[Tensor], cotangents: Sequence[Array], inputs: Sequence[Tensor]) -> None:
        self.order = history(outputs)
        self._outputs, self._cotangents, self._inputs = outputs, cotangents, inputs
        reading_changed = functools.lru_cache(None)(self._reading_changed)
        self._shadows: dict[Any, Any] = {}
        for node in self.order:
            is_again = node.primitive is not None and node.dtype.kind == "f"
            primitive = reading_changed(node.primitive, len(node.args)) if is_again else None
            self._shadows[node] = _Shadow(node, self._shadows, primitive)

    @np.errstate(all="ignore")
    def run(
        self,
        change: Change,
        *,
        keep_zeros: bool = True,
        results: bool = True,
        once: bool = False,
        observer: Observer | None = None,
    ) -> list[Array]:
        """Return the outputs and their gradients, computed again from changed numbers.

        `change` is applied to every number that an operation or a rule reads, and to the `results` of operations; zeros
        stay if `keep_zeros`. With `once`, which is faster, results are not changed a second time when they are read:
        that is the same if a second change changes nothing. The `observer` sees the sweep.
        """
        self.change, self.keep_zeros, self.results, self.once = change, keep_zeros, results, once
        self._last: tuple[Any, Any] = None, None
        shadows = self._shadows
        for shadow in shadows.values():
            shadow.evaluate(self)
        pairs = zip(self._outputs, self._cotangents, strict=False)
        seeds = [(shadows[out], np.array(change(np.asarray(ct)))) for out, ct in pairs if out.requires_grad]
        found = sweep(seeds, {shadows[leaf] for leaf in self._inputs if leaf in shadows}, observer=observer)
        gradients = [found.get(shadows.get(leaf), np.zeros(leaf.shape, leaf.dtype)) for leaf in self._inputs]
        return [*(shadows[out]._value for out in self._outputs), *gradients]

    def _changed(self, ct: Any) -> Any:
        """Return the changed cotangent; all rules of an operation read the same one, if it is changed `once`."""
        if not self.once:
            return self.change(ct)
        if ct is not self._last[0]:
            self._last = ct, self.change(ct)
        return self._last[1]

    def _reading_changed(self, primitive: Primitive, count: int) -> Primitive:
        """Return `primitive` for `count` arguments, with rules that read a changed cotangent."""

        def changed(vjp: Any) -> Any:
            return vjp and (lambda ct, *args, **params: _or_in_float64(vjp, self._changed(ct), *args, **params))

        how: dict[str, Any] = {"evaluate": primitive.evaluate, "body": primitive.body, "isolated": primitive.isolated}
        return Primitive(primitive.function, tuple(map(changed, primitive.vjps_for(count))), **how)


class _Largest(Observer):
    """Keeps the largest finite number of those it sees."""

    number = 0.0

    def see(self, value: Any) -> None:
        self.number = max(self.number, largest_of(value))

    def swept(self, node: Any, argument: int, ct: Any, piece: Any) -> None:
        self.see(piece)


@np.errstate(all="ignore")
def rounding_of(
    outputs: Sequence[Tensor], cotangents: Sequence[Array], inputs: Sequence[Tensor], gradients: Sequence[Array]
) -> Rounding:
    """Return how far rounding can move each element of the recorded `outputs`, and of their `gradients`.

    This is the largest change in any of the runs, plus the spacing of the dtype. `gradients` are those with respect to
    `inputs`; without `cotangents`, `inputs` and `gradients`, only outputs are measured. An exact zero is usually
    intended (a masked entry, a point on a kink), so the runs keep zeros. A zero can also be the remainder of large
    numbers that cancel, or a tiny number that was rounded to 0. So further runs change zeros, too, and count where the
    result stays within the reach of rounding.
    """
    record = Again(outputs, cotangents, inputs)
    order = record.order
    results = [*(out.data for out in outputs), *gradients]
    values = joined(results)
    count = sum(out.size for out in outputs)
    eps, least = (
        joined([np.full(result.shape, getattr(np.finfo(result.dtype), name)) for result in results])
        for name in ("eps", "smallest_subnormal")
    )
    spacing = np.asarray(2 * (eps * np.abs(values) + least), dtype=float)

    def again(change: Change, **how: Any) -> Array:
        return joined(record.run(change, **how)).astype(float)

    def distance(run: Array, origin: Array = values) -> Array:
        away = np.abs(run - origin)
        return np.asarray(np.where(np.isnan(away), 0.0, away) + spacing)

    def levels_of(runs: Iterable[Array]) -> tuple[Array, Array]:
        """Return how far the runs are from the values, or from each other where they jump, and a mask of the jumps."""
        low = high = np.full(values.shape, np.nan)
        for run in runs:
            low, high = np.fmin(low, run), np.fmax(high, run)
        middle = low / 2 + high / 2
        spread = distance(high, middle)
        jumps = np.abs(values - middle) > limit + 8 * spread
        return np.where(jumps, spread, np.maximum(distance(low), distance(high))), jumps

    met = _Largest()
    for node in order:  # constants can be limits that are not reached
        if node.requires_grad or node.primitive is not None:
            met.see(node.data)
    largest = met.number
    happened = distance(again(widened, observer=met))
    # The rounding of a sum of n terms is within about n roundings of the terms, and none of these is larger than the
    # largest number that was met. A difference of two blurred numbers is within both. Anything beyond is not rounding.
    cap = max(2.0 * 2**_BITS, max((node.size for node in order), default=0) / 8)
    floor = met.number * eps + max(1.0, met.number) * least
    limit = cap * (spacing + floor)
    zeros = any(node.primitive is not None and node.dtype.kind == "f" and not np.all(node.data) for node in order)
    levels, jumps = levels_of(again(functools.partial(blurred, run=run), once=True) for run in range(RUNS))
    loose = levels
    if zeros:
        wide, apart = again(widened, keep_zeros=False), _BlurApart()
        # Rules that look for the largest operand compare it with the result, which therefore keeps its last bits.
        runs = [again(apart, keep_zeros=False, results=False) for _ in range(RUNS)]
        for further in map(distance, (wide, *runs)):
            levels = np.maximum(levels, np.where(further <= limit, further, 0))
        loose, _ = levels_of(runs)
        loose[:count] = np.maximum(loose, distance(wide))[:count]
    levels = np.maximum(levels, np.minimum(2 * happened, cap * (levels + floor)))
    ends = np.cumsum([result.size for result in results], dtype=int)

    def parts(found: Array) -> list[Array]:
        return [found[end - r.size : end].reshape(r.shape) for end, r in zip(ends, results, strict=True)]

    tight, loose_parts, n = parts(levels), parts(np.maximum(loose, levels)), len(outputs)
    return Rounding(tight[:n], tight[n:], loose_parts[:n], loose_parts[n:], parts(jumps)[n:], largest)


def largest_of(value: Any) -> float:
    """Return the size of the largest finite number of a floating array, and 0 for anything else.

    >>> largest_of(np.array([1.0, -3.0, np.inf])), largest_of(np.arange(3))
    (3.0, 0.0)
    """
    return float(np.max(np.abs(value), where=np.isfinite(value), initial=0.0)) if _is_floating(value) else 0.0


def joined(arrays: Sequence[Array]) -> Array:
    """Return all elements of `arrays` in a row, in float64 or wider.

    >>> joined([np.ones((2, 1)), np.float32(3)])
    array([1., 1., 3.])
    """
    return np.concatenate([np.zeros(0), *arrays], axis=None)
