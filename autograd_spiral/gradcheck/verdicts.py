"""What a gradient check found: a verdict on each derivative, and one record for each input. Imports only NumPy."""

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
    """The verdict on one element, on one random direction, or on a whole input.

    The verdicts are in order, from harmless to grave; each is a string too. `judging` and `function` reach verdicts,
    `report` and `rule_check` count them.

    >>> {Verdict.WRONG_SHAPE: 3}["wrong shape"]
    3
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
        """Whether a report that contains this verdict is not ok.

        >>> [str(verdict) for verdict in Verdict if not verdict.fails]
        ['ok', 'kink', 'noise', 'not judged']
        """
        return self not in _HARMLESS


_HARMLESS = frozenset((Verdict.OK, Verdict.KINK, Verdict.NOISE, Verdict.UNJUDGED))


@dataclass(frozen=True, slots=True)
class Slope:
    """One derivative with its verdict: of the element at `index`, or of a random direction, whose index is None.

    `numeric` is the finite-difference estimate, with the error bound `slack`; `bound` is how far it may differ from
    `analytic`: `slack` plus the rounding of `analytic`. `natural` is the slope that would change the outputs by their
    own size while the input changes by its own.

    >>> from autograd_spiral import check_against
    >>> x = np.array([3.0])
    >>> worst = check_against(lambda x: np.sum(x**2), x, x, raise_on_mismatch=False).rows[0].worst
    >>> worst.index, worst.analytic, round(worst.numeric, 6), round(worst.error, 6)
    ((0,), 3.0, 6.0, 0.5)
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
        """The difference between the two values, relative to the derivative or to a thousandth of its natural size.

        The larger of these two is used. The natural size is the slope that changes the outputs by their own size.

        >>> Slope(Verdict.WRONG, analytic=3.0, numeric=6.0, bound=1e-9).error
        0.5
        """
        return abs(self.analytic - self.numeric) / self._size if np.isfinite(self._size) else np.nan

    @property
    def error_bound(self) -> float:
        """The bound of the difference, relative to the size of the derivative.

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
    """The findings on the `gradient` with respect to one input, at order 1 or 2; a report is made of these.

    `slopes` are the derivatives that were compared. `judged` says whether the check began with "elements" or with
    random "directions". After a failure, the slopes are those of elements in either case. A `fault` of the whole input
    leaves no gradient to compare. `random_weights` has the shape of each output if random numbers weighted them.

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
        """The number of elements, or directions, with each verdict.

        >>> Findings("x", np.zeros(3), slopes=(Slope(Verdict.OK), Slope(Verdict.KINK))).counts["kink"]
        1
        """
        if self.fault is not None:
            return Counter({self.fault: max(self.x.size, 1)})
        return Counter(slope.verdict for slope in self.slopes)

    @property
    def verdict(self) -> Verdict:
        """The gravest failure; else `not judged` if nothing was judged, `noise` if most is unanswered, or kink or ok.

        >>> Findings("x", np.zeros(2), slopes=(Slope(Verdict.OK), Slope(Verdict.KINK))).verdict
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
        """The number of elements, or directions, that were lost in noise or not judged.

        >>> slopes = [Slope(verdict) for verdict in (Verdict.OK, Verdict.NOISE, Verdict.UNJUDGED)]
        >>> Findings("x", np.zeros(3), slopes=tuple(slopes)).unanswered
        2
        """
        return self.counts[Verdict.NOISE] + self.counts[Verdict.UNJUDGED]

    @property
    def unjudged(self) -> bool:
        """Whether nothing could be judged because the function is not finite at the inputs.

        >>> Findings("x", np.zeros(1), slopes=(Slope(Verdict.UNJUDGED),)).unjudged
        True
        """
        return bool(self.counts[Verdict.UNJUDGED]) and self.unanswered == self.counts.total()

    @property
    def worst(self) -> Slope | None:
        """The slope with the largest error, relative to its bound if something fails, else to its size; or None.

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
        """The element of the input to which the worst slope belongs; None for a direction, or if none was judged.

        >>> Findings("x", np.array([5.0]), slopes=(Slope(Verdict.OK, 1.0, 1.0, 1e-9, index=(0,)),)).value
        5.0
        """
        worst = self.worst
        return None if worst is None or worst.index is None else float(self.x[worst.index])

    # --- as arrays of the shape of the input ------------------------------------------------------------------------

    @property
    def analytic(self) -> Array:
        """The gradient in float64.

        >>> Findings("x", np.zeros(2), gradient=np.array([1, 2], np.float32)).analytic
        array([1., 2.])
        """
        return np.asarray(self.gradient, float)

    @property
    def numeric(self) -> Array:
        """The numeric derivatives, NaN for elements that were not judged.

        >>> Findings("x", np.zeros(2), slopes=(Slope(Verdict.OK, 1.0, 1.0, 1e-9, index=(0,)),)).numeric
        array([ 1., nan])
        """
        return self._filled(np.nan, lambda slope: slope.numeric)

    @property
    def bound(self) -> Array:
        """How far `analytic` and `numeric` may differ, NaN for elements that were not judged.

        >>> Findings("x", np.zeros(2), slopes=(Slope(Verdict.OK, 1.0, 1.0, 1e-9, index=(0,)),)).bound
        array([1.e-09,    nan])
        """
        return self._filled(np.nan, lambda slope: slope.bound)

    @property
    def wrong(self) -> Array:
        """A mask of the elements that fail.

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
        """Return the findings with these slopes of elements, in place of those of the same elements and of directions.

        >>> findings = Findings("x", np.zeros(2), slopes=(Slope(Verdict.WRONG, index=(0,)),))
        >>> findings.overruled([Slope(Verdict.KINK, index=(0,))]).verdict
        <Verdict.KINK: 'kink'>
        """
        by_index = {slope.index: slope for slope in (*self.slopes, *slopes) if slope.index is not None}
        return replace(self, slopes=tuple(by_index.values()))
