"""The report of a gradient check: its verdict, its table, and the lines below."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from autograd_spiral.gradcheck.report.display import Paint, Styled, picture
from autograd_spiral.gradcheck.report.tables import Report
from autograd_spiral.gradcheck.verdicts import Findings, Verdict

__all__ = ["CheckReport"]


@dataclass(frozen=True)
class CheckReport(Report):
    """The result of a gradient check, which prints as a table: one row for each input and each order of derivative.

    The column `order` is 1 for gradients, and 2 for gradients of gradients. The column `ok` counts the elements of the
    input whose derivative is right, `kink` those at a kink, where the slope jumps (such as 0 for relu), `noise` those
    whose finite difference is too inaccurate, and `wrong` those whose derivative is wrong. For the worst element, the
    table shows its index (`worst at`), its `value`, the derivative that was checked (`analytic`), and the finite
    difference with its error bound (`numeric ± bound`).

    The attribute `rows` holds a `Findings` object for each row. In a report of `check_against`, the attribute `method`
    says what the hand-derived gradients were compared with. In the example, they were compared with the engine's
    gradients, which agree with finite differences; the last line says so.

    >>> import numpy as np
    >>> from autograd_spiral import check_against
    >>> x = np.array([1.0, 2.0])
    >>> report = check_against(np.square, 3 * x, x, cotangent=np.ones(2), raise_on_mismatch=False)
    >>> report.ok
    False
    >>> print(report)
    np.square: wrong
    input    shape  order  ok  kink  noise  wrong  worst at  value  analytic  numeric ± bound  says
    input 0  (2,)   1      0   0     0      2      (0,)      1      3         2 ± 1e-11        1.50 × too large
    judged by the engine's gradients, which finite differences confirm
    """

    COLUMNS: ClassVar = (
        *("input", "shape", "order", "ok", "kink", "noise", "wrong"),
        *("worst at", "value", "analytic", "numeric ± bound", "says"),
    )
    JSON: ClassVar = {"subject": "subject", "ok": "ok", "verdict": "verdict", "method": "method", "inputs": "rows"}

    subject: str
    rows: tuple[Findings, ...]
    method: str = ""

    @property
    def ok(self) -> bool | None:
        """True if no gradient is wrong, False if one is wrong, None if the check could not decide.

        It is None if, for most elements, the finite differences are too inaccurate or not finite. It is also None if
        none of an input's elements could be judged.

        >>> import numpy as np
        >>> from autograd_spiral import check_gradients
        >>> print(check_gradients(np.sqrt, np.zeros(3)).ok)  # at 0, the slope of the square root is infinite
        None
        """
        if any(row.verdict.fails for row in self.rows):
            return False
        total = sum(row.counts.total() for row in self.rows)
        unanswered = sum(row.unanswered for row in self.rows)
        return None if 2 * unanswered > total or self.unjudged else True

    @property
    def unjudged(self) -> tuple[str, ...]:
        """The names of the inputs of which no element could be judged, because the function is NaN or infinite.

        `check_gradients` raises `GradientMismatch` if there are such inputs.

        >>> import numpy as np
        >>> from autograd_spiral import check_gradients
        >>> check_gradients(np.log, np.array([-1.0, -2.0]), raise_on_mismatch=False).unjudged
        ('input 0',)
        """
        return tuple(dict.fromkeys(row.name for row in self.rows if row.unjudged))

    @property
    def verdict(self) -> str:
        """The verdict in one word: "ok" if `ok` is True, "wrong" if it is False, "undecided" if it is None.

        >>> import numpy as np
        >>> from autograd_spiral import check_gradients
        >>> check_gradients(np.sqrt, np.ones(3)).verdict
        'ok'
        """
        return "undecided" if self.ok is None else "ok" if self.ok else "wrong"

    def _above(self, paint: Paint) -> list[str]:
        style = {"ok": "good", "wrong": "bad", "undecided": "doubtful"}[self.verdict]
        return [f"{paint(self.subject, '')}: {paint(self.verdict, style)}"]

    def _below(self, paint: Paint) -> list[str]:
        pictures = [line for row in self.rows if row.verdict.fails for line in picture(row, paint)]
        return [*pictures, *(paint(line, "quiet") for line in (self.method, self._footing()) if line)]

    def _cells(self, row: Findings) -> tuple[str, ...]:
        counts, worst = row.counts, row.worst
        failed = sum(count for verdict, count in counts.items() if verdict.fails)
        numbers = (counts[Verdict.OK], counts[Verdict.KINK], counts[Verdict.NOISE], failed)
        styles = ("good", "doubtful", "doubtful", "bad")
        cells = [Styled(str(n), style if n else "") for n, style in zip(numbers, styles, strict=True)]
        says = row.diagnosis
        if row.verdict.fails and not (says and row.verdict in (Verdict.WRONG, Verdict.NAN)):
            says = ": ".join(filter(None, (row.verdict, says)))
        where = value = analytic = numeric = ""
        if worst is not None:
            says = says if row.judged == "elements" else f"{says} (of {row.judged})".lstrip()
            where = "" if worst.index is None else str(worst.index)
            value = "" if row.value is None else f"{row.value:.6g}"
            analytic, numeric = f"{worst.analytic:.8g}", f"{worst.numeric:.8g} ± {worst.bound:.1g}"
        said = Styled(says, "bad" if row.verdict.fails else "")
        return row.name, str(row.shape), str(row.order), *cells, where, value, analytic, numeric, said

    def _footing(self) -> str:
        """Return a line that says what the slopes in failing rows are slopes of; "" if no random weights hide that."""
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
