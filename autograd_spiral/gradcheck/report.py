"""The report of a gradient check: its verdict, its table and its JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from autograd_spiral.gradcheck.verdicts import Findings, Verdict

__all__ = ["CheckReport", "Report", "table"]


class Report:
    """Rows that print as a table and turn into JSON.

    >>> class Squares(Report):
    ...     COLUMNS = ("number", "square")
    ...     JSON = {"squares": "rows"}
    ...     rows = ((1, 1), (2, 4))
    ...     def _cells(self, row):
    ...         return tuple(map(str, row))
    >>> print(Squares())
    number  square
    1       1
    2       4
    >>> Squares().to_json()
    {'squares': [[1, 1], [2, 4]]}
    """

    COLUMNS: ClassVar[tuple[str, ...]]
    JSON: ClassVar[Mapping[str, str]]
    """From the keys of the JSON to the names of the attributes."""

    rows: tuple[Any, ...]

    def _cells(self, row: Any) -> tuple[str, ...]:
        raise NotImplementedError

    def __str__(self) -> str:
        return table(self.COLUMNS, [self._cells(row) for row in self.rows])

    def to_json(self) -> dict[str, Any]:
        """Return the report as `json.dumps` takes it: dicts, lists, strings and numbers.

        Numbers that are not finite become None.

        >>> CheckReport("square", ()).to_json()
        {'subject': 'square', 'ok': True, 'verdict': 'ok', 'inputs': []}
        """
        return {key: _plain(getattr(self, name)) for key, name in self.JSON.items()}


def _plain(value: Any) -> Any:
    """Return `value` as `json.dumps` takes it; a record becomes a dict with its `JSON` names."""
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, str):  # verdicts, too
        return str(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    names = getattr(value, "JSON", None)
    return value if names is None else {name: _plain(getattr(value, name)) for name in names}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return `rows` under `head` as lines, in columns two spaces apart."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (head, *rows)]
    return "\n".join(line.rstrip() for line in lines)


@dataclass(frozen=True)
class CheckReport(Report):
    """What a gradient check found: one row for each input and order; prints as a table.

    >>> from autograd_spiral import check_against
    >>> x = np.array([1.0, 2.0])
    >>> report = check_against(np.square, 3 * x, x, cotangent=np.ones(2), raise_on_mismatch=False)
    >>> report.ok
    False
    >>> print(report)
    np.square: wrong
    input    shape  order  ok  kink  noise  wrong  worst at  analytic  numeric ± bound  says
    input 0  (2,)   1      0   0     0      2      (0,)      3         2 ± 1e-11        1.50 × too large
    """

    COLUMNS: ClassVar = (
        *("input", "shape", "order", "ok", "kink", "noise", "wrong"),
        *("worst at", "analytic", "numeric ± bound", "says"),
    )
    JSON: ClassVar = {"subject": "subject", "ok": "ok", "verdict": "verdict", "inputs": "rows"}

    subject: str
    rows: tuple[Findings, ...]
    method: str = ""

    @property
    def ok(self) -> bool | None:
        """True when all is well, False when something is wrong, None when that is undecided.

        It is None when most elements are too noisy or not finite, or when nothing in some input could be judged.

        >>> from autograd_spiral import check_gradients
        >>> print(check_gradients(np.sqrt, np.zeros(3)).ok)
        None
        """
        if any(row.verdict.fails for row in self.rows):
            return False
        total = sum(row.counts.total() for row in self.rows)
        unanswered = sum(row.unanswered for row in self.rows)
        return None if 2 * unanswered > total or self.unjudged else True

    @property
    def unjudged(self) -> tuple[str, ...]:
        """The inputs in which nothing could be judged because the function is not finite there: this does not pass.

        >>> from autograd_spiral import check_gradients
        >>> check_gradients(np.log, np.array([-1.0, -2.0]), raise_on_mismatch=False).unjudged
        ('input 0',)
        """
        return tuple(dict.fromkeys(row.name for row in self.rows if row.unjudged))

    @property
    def verdict(self) -> str:
        """One line: "ok", "wrong", or "undecided".

        >>> from autograd_spiral import check_gradients
        >>> check_gradients(np.sqrt, np.ones(3)).verdict
        'ok'
        """
        return "undecided" if self.ok is None else "ok" if self.ok else "wrong"

    def __str__(self) -> str:
        return "\n".join(filter(None, (f"{self.subject}: {self.verdict}", super().__str__(), self._footing())))

    def _cells(self, row: Findings) -> tuple[str, ...]:
        counts, worst = row.counts, row.worst
        failed = sum(count for verdict, count in counts.items() if verdict.fails)
        numbers = (*(counts[verdict] for verdict in (Verdict.OK, Verdict.KINK, Verdict.NOISE)), failed)
        says = row.diagnosis
        if row.verdict.fails and not (says and row.verdict in (Verdict.WRONG, Verdict.NAN)):
            says = ": ".join(filter(None, (row.verdict, says)))
        where = analytic = numeric = ""
        if worst is not None:
            says = says if row.judged == "elements" else f"{says} (of {row.judged})".lstrip()
            where = "" if worst.index is None else str(worst.index)
            analytic, numeric = f"{worst.analytic:.8g}", f"{worst.numeric:.8g} ± {worst.bound:.1g}"
        return row.name, str(row.shape), str(row.order), *map(str, numbers), where, analytic, numeric, says

    def _footing(self) -> str:
        """Return a line on the function whose slopes failing rows show, if the reader cannot tell; else ""."""
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
