"""What a gradient check found: verdicts, the report and its table, and what the numbers say is wrong.

Imports numpy and errors.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["CheckReport", "InputReport", "Verdict", "Worst", "diagnose", "diagnose_shape", "table"]

Array: TypeAlias = NDArray[Any]


class Verdict(StrEnum):
    """What was found of one element, of one random direction, or of a whole input.

    From harmless to grave; each is a string too.

    >>> {Verdict.WRONG_SHAPE: 3}["wrong shape"]
    3
    """

    OK = "ok"
    KINK = "kink"  # the one-sided slopes differ, and the analytic value lies between them
    NOISE = "noise"  # the bound is too wide to decide
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
        ['ok', 'kink', 'noise']
        """
        return self not in (Verdict.OK, Verdict.KINK, Verdict.NOISE)


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

    `counts` says how many of the `judged` ("elements" or "directions") got each verdict.

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

    @property
    def verdict(self) -> Verdict:
        """The gravest verdict: a failure, or `noise` where that is what most got, or a kink, or ok.

        >>> InputReport("x", (3,), "float64", 1, "elements", {Verdict.OK: 2, Verdict.KINK: 1}, None).verdict
        <Verdict.KINK: 'kink'>
        """
        for verdict in reversed(Verdict):
            if verdict.fails and self.counts.get(verdict):
                return verdict
        if 2 * self.counts.get(Verdict.NOISE, 0) > sum(self.counts.values()):
            return Verdict.NOISE
        return Verdict.KINK if self.counts.get(Verdict.KINK) else Verdict.OK


@dataclass(frozen=True)
class CheckReport:
    """What a gradient check found: one row for each input and order; prints as a table.

    >>> counts = {Verdict.OK: 2, Verdict.WRONG: 1}
    >>> worst = Worst((2,), 4.0, 2.0, 1e-11, 0.5, 5e-12)
    >>> row = InputReport("x", (3,), "float64", 1, "elements", counts, worst, "2.00 × too large")
    >>> report = CheckReport("square", (row,))
    >>> report.ok
    False
    >>> print(report)
    square: wrong
    input  shape  order  ok  kink  noise  wrong  worst at  analytic  numeric ± bound  says
    x      (3,)   1      2   0     0      1      (2,)      4         2 ± 1e-11        2.00 × too large
    """

    subject: str
    rows: tuple[InputReport, ...]

    @property
    def ok(self) -> bool | None:
        """True when all is well, False when something is wrong, None when most of it is too noisy to tell.

        >>> row = InputReport("x", (3,), "float64", 1, "elements", {Verdict.OK: 1, Verdict.NOISE: 2}, None)
        >>> print(CheckReport("noisy", (row,)).ok)
        None
        """
        verdicts = [row.verdict for row in self.rows]
        if any(verdict.fails for verdict in verdicts):
            return False
        total = sum(sum(row.counts.values()) for row in self.rows)
        noisy = sum(row.counts.get(Verdict.NOISE, 0) for row in self.rows)
        return None if 2 * noisy > total else True

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
        return f"{self.subject}: {self.verdict}\n" + table((*head, "says"), [_cells(row) for row in self.rows])

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
    }


def _cells(row: InputReport) -> tuple[str, ...]:
    plain = (Verdict.OK, Verdict.KINK, Verdict.NOISE)
    failed = sum(count for verdict, count in row.counts.items() if verdict.fails)
    counts = [str(row.counts.get(verdict, 0)) for verdict in plain] + [str(failed)]
    says = [row.diagnosis] if row.diagnosis else []
    if row.verdict.fails and row.verdict is not Verdict.WRONG:
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


# --- diagnoses ------------------------------------------------------------------------------------------------------


def diagnose(analytic: Array, numeric: Array, bound: Array, wrong: Array, sizes: Collection[int]) -> str:
    """What the wrong elements of a gradient have in common, in a few words; "" where it is nothing known.

    `numeric` is NaN where it was not determined; `bound` is how far the two may differ; `sizes` are the lengths of
    axes, and their products, that a forgotten factor could be.

    >>> numeric, bound = np.array([1.0, 3.0]), np.full(2, 1e-9)
    >>> diagnose(2 * numeric, numeric, bound, np.full(2, True), ())
    '2.00 × too large'
    >>> diagnose(numeric / 300, numeric, bound, np.full(2, True), {300})
    '300 × too small: missing factor of N = 300'
    """
    if not wrong.any():
        return ""
    if not np.any(analytic):
        return "zero: no path from this input"
    known = np.isfinite(numeric) & np.isfinite(bound)
    wrong = wrong & known & np.isfinite(analytic)
    square = analytic.ndim == 2 and analytic.shape[0] == analytic.shape[1]
    if square and known.all() and np.all(np.abs(analytic - numeric.T) <= bound + bound.T):
        return "transposed"
    text = _of_ratio(analytic[wrong], numeric[wrong], bound[wrong], sizes)
    right = known & ~wrong & (np.abs(numeric) > 10 * bound)
    few = wrong.sum() == 1 or right.any()
    where = f"{wrong.sum()} of {analytic.size} elements" if few and wrong.any() and analytic.size > 1 else ""
    return ", ".join(part for part in (text, where) if part)


def _of_ratio(analytic: Array, numeric: Array, bound: Array, sizes: Collection[int]) -> str:
    telling = np.abs(numeric) > 10 * bound
    if not telling.any():
        return "not 0, where it should be" if np.any(np.abs(analytic) > bound) else ""
    best = int(np.argmax(np.where(telling, np.abs(numeric) / np.maximum(bound, 1e-300), 0)))
    ratio = float(analytic[best] / numeric[best])
    slack = bound + abs(ratio) * bound + np.abs(numeric) * (1 + abs(ratio)) * bound[best] / abs(numeric[best])
    if np.any(np.abs(analytic - ratio * numeric) > slack):
        return ""
    if ratio == 0:
        return "zero"
    sign = "sign flipped" if ratio < 0 else ""
    size = max(abs(ratio), 1 / abs(ratio))
    direction = "large" if abs(ratio) > 1 else "small"
    accuracy = 10 * (bound[best] / abs(numeric[best])) + 1e-6
    if size - 1 <= accuracy:
        return sign
    whole = round(size)
    if whole in sizes and whole > 2 and abs(size / whole - 1) <= accuracy:
        factor = f"1/N, N = {whole}" if direction == "large" else f"N = {whole}"
        much = f"{whole} × too {direction}: missing factor of {factor}"
        if whole < 5:  # so small a factor may be another one that an axis is as long as by chance
            much += ", the length of an axis, or another factor"
    elif size < 1.1:
        much = f"{100 * abs(abs(ratio) - 1):.2g} % too {direction}"
    else:
        much = f"{size:.2f} × too {direction}"
    return " and ".join(part for part in (sign, much) if part)


def diagnose_shape(given: tuple[int, ...], shape: tuple[int, ...]) -> str:
    """What is wrong with a gradient of shape `given` for an input of `shape`.

    >>> diagnose_shape((300, 3), (1, 3))
    'gradient of a broadcast not summed: shape (300, 3) for an input of shape (1, 3)'
    >>> diagnose_shape((3, 2), (2, 3))
    'transposed: shape (3, 2) for an input of shape (2, 3)'
    """
    shapes = f"shape {given} for an input of shape {shape}"
    if len(shape) > 1 and given == shape[::-1]:
        return f"transposed: {shapes}"
    extra = len(given) - len(shape)
    if extra >= 0 and all(n in (1, m) for n, m in zip(shape, given[extra:], strict=True)):
        return f"gradient of a broadcast not summed: {shapes}"
    return shapes
