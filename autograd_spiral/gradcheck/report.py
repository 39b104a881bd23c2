"""What a gradient check found: verdicts, the report and its table. Imports numpy alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

__all__ = ["CheckReport", "InputReport", "Verdict", "Worst", "table"]


class Verdict(StrEnum):
    """What was found of one element, of one random direction, or of a whole input.

    From harmless to grave; each is a string too.

    >>> {Verdict.WRONG_SHAPE: 3}["wrong shape"]
    3
    """

    OK = "ok"
    KINK = "kink"  # the one-sided slopes differ, and the analytic value lies between them
    NOISE = "noise"  # the bound is too wide to decide
    UNJUDGED = "not judged"  # the function is nan or infinite there, so there is nothing to hold it against
    WRONG = "wrong"
    NAN = "nan"  # not a number, where the numeric derivative is finite
    WRONG_SHAPE = "wrong shape"
    WRONG_DTYPE = "wrong dtype"
    NOT_DETERMINISTIC = "not deterministic"
    OVERWRITTEN = "overwritten"

    @property
    def fails(self) -> bool:
        """Whether a report with this verdict in it is not ok.

        >>> [str(verdict) for verdict in Verdict if not verdict.fails]
        ['ok', 'kink', 'noise', 'not judged']
        """
        return self not in (Verdict.OK, Verdict.KINK, Verdict.NOISE, Verdict.UNJUDGED)


@dataclass(frozen=True)
class Worst:
    """The element that is furthest off: where, its derivative, the numeric one, and how far these may differ.

    `bound` is the error bound of the numeric value plus the rounding of the analytic one; `error` is their
    difference relative to the size of the derivative, or to the function's own where that is larger, and
    `error_bound` the same of the bound. `index` is None for a random direction.

    >>> from autograd_spiral import check_against
    >>> x = np.array([3.0])
    >>> worst = check_against(lambda x: np.sum(x**2), x, x, raise_on_mismatch=False).rows[0].worst
    >>> worst.index, worst.analytic, round(worst.numeric, 6), round(worst.error, 6)
    ((0,), 3.0, 6.0, 0.5)
    """

    index: tuple[int, ...] | None
    analytic: float
    numeric: float
    bound: float
    error: float
    error_bound: float


@dataclass(frozen=True)
class InputReport:
    """What was found of the gradient in one input, at order 1 or 2.

    `counts` says how many of the `judged` ("elements" or "directions") got each verdict. `random_weights` has the
    shape of each output if these were weighed with random numbers.

    >>> from autograd_spiral import check_gradients
    >>> row = check_gradients(np.abs, np.array([-1.0, 0.0, 2.0])).rows[0]
    >>> row.name, row.shape, row.judged, row.counts["kink"]
    ('input 0', (3,), 'elements', 1)
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    order: int
    judged: str
    counts: Mapping[Verdict, int]
    worst: Worst | None
    diagnosis: str = ""
    random_weights: tuple[tuple[int, ...], ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The gravest: a failure, or that nothing was judged, or `noise` where most got no answer, or a kink, or ok.

        >>> InputReport("x", (3,), "float64", 1, "elements", {Verdict.OK: 2, Verdict.KINK: 1}, None).verdict
        <Verdict.KINK: 'kink'>
        """
        for verdict in reversed(Verdict):
            if verdict.fails and self.counts.get(verdict):
                return verdict
        if self.unjudged:
            return Verdict.UNJUDGED
        if 2 * self.unanswered > sum(self.counts.values()):
            return Verdict.NOISE
        return Verdict.KINK if self.counts.get(Verdict.KINK) else Verdict.OK

    @property
    def unanswered(self) -> int:
        """How many were lost in noise, or not judged.

        >>> counts = {Verdict.OK: 4, Verdict.NOISE: 2, Verdict.UNJUDGED: 1}
        >>> InputReport("x", (7,), "float64", 1, "elements", counts, None).unanswered
        3
        """
        return self.counts.get(Verdict.NOISE, 0) + self.counts.get(Verdict.UNJUDGED, 0)

    @property
    def unjudged(self) -> bool:
        """Whether nothing could be judged since the function is not finite at the inputs.

        >>> InputReport("x", (3,), "float64", 1, "elements", {Verdict.UNJUDGED: 3}, None).unjudged
        True
        """
        return bool(self.counts.get(Verdict.UNJUDGED)) and self.unanswered == sum(self.counts.values())


@dataclass(frozen=True)
class CheckReport:
    """What a gradient check found: one row for each input and order; prints as a table.

    >>> counts = {Verdict.OK: 2, Verdict.WRONG: 1}
    >>> worst = Worst((2,), 4.0, 2.0, 1e-11, 0.5, 5e-12)
    >>> row = InputReport("x", (3,), "float64", 1, "elements", counts, worst, "2.00 × too large", ((3,),))
    >>> report = CheckReport("square", (row,))
    >>> report.ok
    False
    >>> print(report)
    square: wrong
    input  shape  order  ok  kink  noise  wrong  worst at  analytic  numeric ± bound  says
    x      (3,)   1      2   0     0      1      (2,)      4         2 ± 1e-11        2.00 × too large
    analytic and numeric: slopes of Σ ct · output, with fixed random weights ct from ±0.5 to ±1.5; ...
    """

    subject: str
    rows: tuple[InputReport, ...]

    @property
    def ok(self) -> bool | None:
        """True when all is well, False when something is wrong, None when that is undecided.

        It is where most of it is too noisy or not finite, or where nothing in some input could be judged.

        >>> row = InputReport("x", (3,), "float64", 1, "elements", {Verdict.OK: 1, Verdict.NOISE: 2}, None)
        >>> print(CheckReport("noisy", (row,)).ok)
        None
        """
        verdicts = [row.verdict for row in self.rows]
        if any(verdict.fails for verdict in verdicts):
            return False
        total = sum(sum(row.counts.values()) for row in self.rows)
        unanswered = sum(row.unanswered for row in self.rows)
        return None if 2 * unanswered > total or self.unjudged else True

    @property
    def unjudged(self) -> tuple[str, ...]:
        """The inputs in which nothing could be judged, since the function is not finite there: this does not pass.

        >>> from autograd_spiral import check_gradients
        >>> check_gradients(np.log, np.array([-1.0, -2.0]), raise_on_mismatch=False).unjudged
        ('input 0',)
        """
        return tuple(dict.fromkeys(row.name for row in self.rows if row.unjudged))

    @property
    def verdict(self) -> str:
        """One line: "ok", "wrong", or "undecided".

        >>> row = InputReport("x", (3,), "float64", 1, "elements", {Verdict.OK: 2, Verdict.NAN: 1}, None)
        >>> CheckReport("square root", (row,)).verdict
        'wrong'
        """
        return "undecided" if self.ok is None else "ok" if self.ok else "wrong"

    def __str__(self) -> str:
        head = ("input", "shape", "order", "ok", "kink", "noise", "wrong", "worst at", "analytic", "numeric ± bound")
        lines = table((*head, "says"), [_cells(row) for row in self.rows])
        return "\n".join(filter(None, (f"{self.subject}: {self.verdict}", lines, self._of_weights())))

    def _of_weights(self) -> str:
        """What the numbers in the failing rows are the slopes of, if one could not tell; else ""."""
        rows = [row for row in self.rows if row.verdict.fails and row.worst is not None and row.random_weights]
        if not rows:
            return ""
        sums = {row.order: "Σ ct · output" if row.order == 1 else "Σ ct · gradient" for row in rows}
        slopes = f"slopes of {' and of '.join(sums.values())}"
        text = f"analytic and numeric: {slopes}, with fixed random weights ct from ±0.5 to ±1.5"
        # Ones would hide a rule that forgets the cotangent.
        if 1 not in sums or any("cotangent" in row.diagnosis for row in rows):
            return text
        ones = ", ".join(f"np.ones({shape})" for shape in rows[0].random_weights)
        return f"{text}; cotangent={ones if len(rows[0].random_weights) == 1 else f'[{ones}]'} makes them all 1"

    def to_json(self) -> dict[str, Any]:
        """The report as what `json.dumps` takes: dicts, lists, strings and numbers (None for what is not finite).

        >>> CheckReport("square", ()).to_json()
        {'subject': 'square', 'ok': True, 'verdict': 'ok', 'inputs': []}
        """
        return {
            "subject": self.subject,
            "ok": self.ok,
            "verdict": self.verdict,
            "inputs": [_plain(row) for row in self.rows],
        }


def _plain(row: InputReport) -> dict[str, Any]:
    worst = row.worst and {
        "index": None if row.worst.index is None else list(row.worst.index),
        **{k: v if np.isfinite(v) else None for k, v in vars(row.worst).items() if k != "index"},
    }
    return {
        "name": row.name,
        "shape": list(row.shape),
        "dtype": row.dtype,
        "order": row.order,
        "verdict": str(row.verdict),
        "judged": row.judged,
        "counts": {str(verdict): count for verdict, count in row.counts.items()},
        "worst": worst,
        "diagnosis": row.diagnosis,
        "random_weights": [list(shape) for shape in row.random_weights],
    }


def _cells(row: InputReport) -> tuple[str, ...]:
    plain = (Verdict.OK, Verdict.KINK, Verdict.NOISE)
    failed = sum(count for verdict, count in row.counts.items() if verdict.fails)
    counts = [str(row.counts.get(verdict, 0)) for verdict in plain] + [str(failed)]
    says = [row.diagnosis] if row.diagnosis else []
    if row.verdict.fails and not (says and row.verdict in (Verdict.WRONG, Verdict.NAN)):
        says = [": ".join([str(row.verdict), *says])]
    if row.judged != "elements" and row.worst is not None:
        says.append(f"(of {row.judged})")
    where = analytic = numeric = ""
    if row.worst is not None:
        where = "" if row.worst.index is None else str(row.worst.index)
        analytic = f"{row.worst.analytic:.8g}"
        numeric = f"{row.worst.numeric:.8g} ± {row.worst.bound:.1g}"
    return (row.name, str(row.shape), str(row.order), *counts, where, analytic, numeric, " ".join(says))


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """`rows` under `head`, in columns two spaces apart."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (head, *rows)]
    return "\n".join(line.rstrip() for line in lines)
