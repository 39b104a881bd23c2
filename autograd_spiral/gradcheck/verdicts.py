"""What a gradient check found: a verdict on each derivative, and a record for each input. Imports only NumPy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "Findings", "Slope", "Verdict"]

Array: TypeAlias = NDArray[Any]


class Verdict(StrEnum):
    """A verdict on one element, on one random direction, or on a whole input.

    The verdicts are in order, from harmless to grave. Each of them is also a string.

    >>> Verdict.WRONG_SHAPE == "wrong shape"
    True
    """

    OK = "ok"
    KINK = "kink"  # the one-sided slopes differ, and the analytic value lies between them
    NOISE = "noise"  # the bound is too wide to decide
    UNJUDGED = "not judged"  # the function is nan or infinite there, so there is nothing to compare with
    WRONG = "wrong"
    NAN = "nan"  # not a number, although the numeric derivative is finite
    WRONG_SHAPE = "wrong shape"
    WRONG_DTYPE = "wrong dtype"
    NOT_DETERMINISTIC = "not deterministic"
    OVERWRITTEN = "overwritten"

    @property
    def fails(self) -> bool:
        """Whether this verdict makes a check fail.

        >>> [str(verdict) for verdict in Verdict if not verdict.fails]
        ['ok', 'kink', 'noise', 'not judged']
        """
        return self not in _HARMLESS


_HARMLESS = frozenset((Verdict.OK, Verdict.KINK, Verdict.NOISE, Verdict.UNJUDGED))


@dataclass(frozen=True, slots=True)
class Slope:
    """One derivative that was checked, with its verdict.

    It is the derivative with respect to the element at `index`, or along a random direction if `index` is None.
    `analytic` is the derivative that was checked. `numeric` is the finite difference, and `slack` is its error bound.
    `bound` is how far the two may differ: `slack` plus the rounding error of `analytic`. `natural` is a typical size of
    the derivative: with it, the outputs change by their own size if the input changes by its own size.

    >>> from autograd_spiral import check_against
    >>> x = np.array([3.0])
    >>> report = check_against(lambda x: np.sum(x**2), x, x, raise_on_mismatch=False)  # the gradient should be 2 * x
    >>> worst = report.rows[0].worst
    >>> worst.index, worst.analytic, round(worst.numeric, 6), str(worst.verdict)
    ((0,), 3.0, 6.0, 'wrong')
    """

    JSON: ClassVar = ("index", "analytic", "numeric", "bound", "error", "error_bound")

    verdict: Verdict
    analytic: float = np.nan
    numeric: float = np.nan
    bound: float = np.nan
    natural: float = 0.0
    slack: float = 0.0
    index: tuple[int, ...] | None = None

    @property
    def error(self) -> float:
        """The difference between `analytic` and `numeric`, relative to the larger of the two.

        If both are less than a thousandth of `natural`, the difference is relative to that thousandth. Otherwise,
        derivatives that are almost 0 would have large relative errors.

        >>> Slope(Verdict.WRONG, analytic=3.0, numeric=6.0, bound=1e-9).error
        0.5
        """
        return abs(self.analytic - self.numeric) / self._size if np.isfinite(self._size) else np.nan

    @property
    def error_bound(self) -> float:
        """The largest `error` that is still ok: `bound`, made relative in the same way.

        >>> Slope(Verdict.OK, analytic=10.0, numeric=10.0, bound=1.0).error_bound
        0.1
        """
        return self.bound / self._size if np.isfinite(self._size) else np.inf

    @property
    def _size(self) -> float:
        """The size of the derivative, or a thousandth of its natural size if that is larger; 1 if both are 0."""
        return max(abs(self.analytic), abs(self.numeric), 1e-3 * self.natural) or 1.0


@dataclass(frozen=True, eq=False)
class Findings:
    """What a check found for the gradient with respect to one input: a row of a `CheckReport`.

    `slopes` holds the derivatives that were compared. `judged` is "elements" if the check began with single elements,
    and "directions" if it began with random directions. After a failure, the slopes are those of elements in either
    case. `fault` is a verdict on the whole input, such as "wrong shape", after which no numbers can be compared. If the
    outputs were weighted with random numbers, `random_weights` has the shape of each output.

    >>> from autograd_spiral import check_gradients
    >>> row = check_gradients(np.abs, np.array([-1.0, 0.0, 2.0])).rows[0]
    >>> row.name, row.shape, row.judged, row.counts["kink"]
    ('input 0', (3,), 'elements', 1)
    """

    JSON: ClassVar = (
        *("name", "shape", "dtype", "order", "verdict", "judged", "counts", "worst", "value", "diagnosis"),
        "random_weights",
    )

    name: str
    x: Array
    order: int = 1
    gradient: Array | None = None
    slopes: tuple[Slope, ...] = ()
    judged: str = "elements"
    fault: Verdict | None = None
    diagnosis: str = ""
    random_weights: tuple[tuple[int, ...], ...] = ()

    def __repr__(self) -> str:
        return f"Findings({', '.join(f'{name}={getattr(self, name)!r}' for name in self.JSON)})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Findings):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.JSON)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the input.

        >>> Findings("x", np.zeros((2, 3))).shape
        (2, 3)
        """
        return self.x.shape

    @property
    def dtype(self) -> str:
        """The name of the input's dtype.

        >>> Findings("x", np.zeros(3)).dtype
        'float64'
        """
        return str(self.x.dtype)

    @property
    def counts(self) -> Counter[Verdict]:
        """The number of elements (or of directions) with each verdict.

        >>> slopes = (Slope(Verdict.OK, index=(0,)), Slope(Verdict.KINK, index=(1,)))
        >>> Findings("x", np.zeros(2), slopes=slopes).counts["kink"]
        1
        """
        if self.fault is not None:
            return Counter({self.fault: max(self.x.size, 1)})
        return Counter(slope.verdict for slope in self.slopes)

    @property
    def verdict(self) -> Verdict:
        """The verdict on the whole input.

        It is the gravest failure, if there is one. Otherwise it is `not judged` if nothing was judged, `noise` if more
        than half of the derivatives were not decided, `kink` if there is a kink, and else `ok`.

        >>> slopes = (Slope(Verdict.OK, index=(0,)), Slope(Verdict.KINK, index=(1,)))
        >>> Findings("x", np.zeros(2), slopes=slopes).verdict
        <Verdict.KINK: 'kink'>
        """
        counts = self.counts
        for verdict in reversed(Verdict):
            if verdict.fails and counts[verdict]:
                return verdict
        if self.unjudged:
            return Verdict.UNJUDGED
        if 2 * self.unanswered > counts.total():
            return Verdict.NOISE
        return Verdict.KINK if counts[Verdict.KINK] else Verdict.OK

    @property
    def unanswered(self) -> int:
        """The number of elements (or of directions) that were lost in noise or not judged.

        >>> verdicts = (Verdict.OK, Verdict.NOISE, Verdict.UNJUDGED)
        >>> slopes = tuple(Slope(verdict, index=(i,)) for i, verdict in enumerate(verdicts))
        >>> Findings("x", np.zeros(3), slopes=slopes).unanswered
        2
        """
        return self.counts[Verdict.NOISE] + self.counts[Verdict.UNJUDGED]

    @property
    def unjudged(self) -> bool:
        """Whether no element could be judged, because the function is not finite at the inputs.

        >>> Findings("x", np.zeros(1), slopes=(Slope(Verdict.UNJUDGED, index=(0,)),)).unjudged
        True
        """
        return bool(self.counts[Verdict.UNJUDGED]) and self.unanswered == self.counts.total()

    @property
    def worst(self) -> Slope | None:
        """The slope with the largest error, or None if nothing was judged.

        If some slopes fail, it is one of those, and errors are measured in units of `bound`. Otherwise, errors are
        relative to the size of the derivative. A slope on a kink is only chosen if there are no others.

        >>> slopes = tuple(Slope(Verdict.WRONG, value, 1.0, 0.1, index=(i,)) for i, value in enumerate([2.0, -3.0]))
        >>> Findings("x", np.zeros(2), slopes=slopes).worst.index
        (1,)
        """
        judged = [slope for slope in self.slopes if slope.verdict is not Verdict.UNJUDGED]
        failing = [slope for slope in judged if slope.verdict.fails]
        # On a kink, the distance from the middle of the slopes is no error: others come first.
        smooth = [slope for slope in judged if slope.verdict is not Verdict.KINK]

        def grade(slope: Slope) -> float:
            off = abs(slope.analytic - slope.numeric) / (slope.bound + 1e-300) if failing else slope.error
            return np.inf if np.isnan(off) else off

        return max(failing or smooth or judged, key=grade, default=None)

    @property
    def value(self) -> float | None:
        """The element of the input to which the worst slope belongs.

        It is None if that slope is along a direction, or if nothing was judged.

        >>> slope = Slope(Verdict.OK, analytic=1.0, numeric=1.0, bound=1e-9, index=(0,))
        >>> Findings("x", np.array([5.0]), slopes=(slope,)).value
        5.0
        """
        worst = self.worst
        return None if worst is None or worst.index is None else float(self.x[worst.index])

    # --- as arrays of the shape of the input ------------------------------------------------------------------------

    @property
    def analytic(self) -> Array:
        """The gradient that was checked, as a float64 array.

        >>> Findings("x", np.zeros(2), gradient=np.array([1, 2], np.float32)).analytic
        array([1., 2.])
        """
        return np.asarray(self.gradient, float)

    @property
    def numeric(self) -> Array:
        """The finite difference for each element, as an array; NaN for elements that were not judged.

        >>> slope = Slope(Verdict.OK, analytic=1.0, numeric=1.0, bound=1e-9, index=(0,))
        >>> Findings("x", np.zeros(2), slopes=(slope,)).numeric
        array([ 1., nan])
        """
        return self._filled(np.nan, lambda slope: slope.numeric)

    @property
    def bound(self) -> Array:
        """How far `analytic` and `numeric` may differ, for each element; NaN for elements that were not judged.

        >>> slope = Slope(Verdict.OK, analytic=1.0, numeric=1.0, bound=1e-9, index=(0,))
        >>> Findings("x", np.zeros(2), slopes=(slope,)).bound
        array([1.e-09,    nan])
        """
        return self._filled(np.nan, lambda slope: slope.bound)

    @property
    def wrong(self) -> Array:
        """A mask that is True at the elements that fail.

        >>> Findings("x", np.zeros(2), slopes=(Slope(Verdict.NAN, index=(1,)),)).wrong
        array([False,  True])
        """
        return self._filled(False, lambda slope: slope.verdict.fails)

    def _filled(self, missing: Any, read: Callable[[Slope], Any]) -> Array:
        array: Array = np.full(self.shape, missing)
        for slope in self.slopes:
            if slope.index is not None and slope.verdict is not Verdict.UNJUDGED:
                array[slope.index] = read(slope)
        return array

    def overruled(self, slopes: Iterable[Slope]) -> Findings:
        """Return the findings with other slopes for some elements.

        The new slopes replace those of the same elements. Slopes along directions are dropped.

        >>> findings = Findings("x", np.zeros(2), slopes=(Slope(Verdict.WRONG, index=(0,)),))
        >>> findings.overruled([Slope(Verdict.KINK, index=(0,))]).verdict
        <Verdict.KINK: 'kink'>
        """
        by_index = {slope.index: slope for slope in (*self.slopes, *slopes) if slope.index is not None}
        return replace(self, slopes=tuple(by_index.values()))
