"""What was found of a gradient, element by element or along a direction. Imports report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.gradcheck.report import Verdict, Worst

__all__ = ["Findings", "Ruling", "places_of", "worst_of"]

Array: TypeAlias = NDArray[Any]

SHARP = 1e-4, 1e-9  # a numeric bound wider than both these parts, of the derivative and of its natural size, is
# worth smaller steps
NAMED = 3  # so many outputs that are not finite are named by their places


@dataclass
class Findings:
    """What was found of one input: arrays of its shape, NaN where an element was not judged, and the verdicts."""

    analytic: Array
    numeric: Array
    bound: Array
    wrong: Array
    natural: Array  # the slope that would change the outputs by their own size over the element's scale
    verdicts: dict[int, Verdict]
    along: tuple[Counter[Verdict], Worst | None] | None = None  # of directions, where there was no failure

    @property
    def counts(self) -> Counter[Verdict]:
        """How many elements, or directions, got each verdict."""
        return self.along[0] if self.along is not None else Counter(self.verdicts.values())

    @property
    def worst(self) -> Worst | None:
        """The element that is furthest off: against its bound where something is wrong, else against its size."""
        if self.along is not None and self.along[1] is not None:
            return self.along[1]
        verdicts = set(self.verdicts.values())
        failing = any(verdict.fails for verdict in verdicts)
        # On a kink, the distance from the middle of the slopes is no error: others come first.
        judged = verdicts - {Verdict.UNJUDGED}
        passed_over = {v for v in verdicts if not v.fails} if failing else {Verdict.KINK} if len(judged) > 1 else set()
        passed_over.add(Verdict.UNJUDGED)
        best: tuple[float, Worst] | None = None
        for j, verdict in self.verdicts.items():
            if verdict in passed_over:
                continue
            values = [float(a.flat[j]) for a in (self.analytic, self.numeric, self.bound, self.natural)]
            worst = worst_of(tuple(int(i) for i in np.unravel_index(j, self.analytic.shape)), *values)
            grade = abs(worst.analytic - worst.numeric) / (worst.bound + 1e-300) if failing else worst.error
            grade = np.inf if np.isnan(grade) else grade
            if best is None or grade > best[0]:
                best = grade, worst
        return best and best[1]

    def overrule(self, other: Findings, places: Iterable[int]) -> None:
        """Take the verdicts of `other` on the elements at `places`."""
        for j in places:
            verdict = self.verdicts[j] = other.verdicts[j]
            self.wrong.flat[j] = verdict.fails
            self.numeric.flat[j], self.bound.flat[j] = other.numeric.flat[j], other.bound.flat[j]


def places_of(outputs: Sequence[Array]) -> str:
    """Where the outputs of a function are not finite, in words; "" where they all are.

    >>> places_of([np.array([1.0, np.nan, np.nan])]), places_of([np.ones(2), np.array(np.inf)]), places_of([np.ones(2)])
    ('the function is nan at (1,), (2,)', 'output 1 is inf', '')
    """
    says = []
    for i, out in enumerate(outputs):
        lost = np.argwhere(~np.isfinite(out)).tolist()
        if not lost:
            continue
        kinds = dict.fromkeys("nan" if nan else "inf" for nan in np.isnan(out[~np.isfinite(out)]).tolist())
        name = "the function" if len(outputs) == 1 else f"output {i}"
        where = ", ".join(str(tuple(place)) for place in lost[:NAMED])
        more = f" and {len(lost) - NAMED} more" if len(lost) > NAMED else ""
        everywhere = out.size > 1 and len(lost) == out.size
        says.append(
            f"{name} is {' or '.join(kinds)}"
            + (" everywhere" if everywhere else f" at {where}{more}" if out.size > 1 else "")
        )
    return ", ".join(says)


def worst_of(index: tuple[int, ...] | None, analytic: float, numeric: float, bound: float, natural: float) -> Worst:
    """The `Worst` of these numbers, with its error relative to the derivative or a thousandth of its natural size."""
    size = max(abs(analytic), abs(numeric), 1e-3 * natural)
    if not np.isfinite(size):
        return Worst(index, analytic, numeric, bound, float("nan"), float("inf"))
    error = abs(analytic - numeric)
    return Worst(index, analytic, numeric, bound, error / size if size else error, bound / size if size else bound)


@dataclass(frozen=True)
class Ruling:
    """One derivative judged; `bound` is the `slack` of the numeric one plus the rounding of the analytic one."""

    verdict: Verdict
    analytic: float
    numeric: float
    bound: float
    natural: float
    slack: float

    @property
    def settled(self) -> bool:
        """Whether smaller steps can be spared: the two agree, and the numeric one is sharp."""
        agree = self.verdict is Verdict.OK and abs(self.analytic - self.numeric) <= self.bound
        return agree and self.sharp

    @property
    def sharp(self) -> bool:
        """Whether the numeric derivative is known well."""
        return not self.wider(self.slack, SHARP)

    def wider(self, bound: float, parts: tuple[float, float]) -> bool:
        """Whether `bound` is wider than both these parts of the derivative and of its natural size."""
        size = max((abs(slope) for slope in (self.analytic, self.numeric) if np.isfinite(slope)), default=0.0)
        return bound > parts[0] * size and bound > parts[1] * self.natural
