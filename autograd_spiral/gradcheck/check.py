"""`check_gradients` and `check_against`: gradients compared with finite differences, with a verdict on every element.

No tolerance is chosen by hand. A derivative may differ from the numeric one by the error bound of the differences,
plus what rounding did to it, which is measured on the record (see `rounding`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from autograd_spiral.engine.table import PRIMITIVES
from autograd_spiral.errors import GradientMismatch, ShapeError
from autograd_spiral.gradcheck.diagnoses import SCALE, diagnose, diagnose_shape
from autograd_spiral.gradcheck.evidence import evidence_of
from autograd_spiral.gradcheck.function import CheckedFunction
from autograd_spiral.gradcheck.judging import Judge, Swept, along_directions, beside
from autograd_spiral.gradcheck.report import CheckReport
from autograd_spiral.gradcheck.verdicts import Array, Findings, Verdict
from autograd_spiral.program.capturing.step import CapturedStep

__all__ = ["check_against", "check_gradients"]

ELEMENT_LIMIT = 1000  # inputs with more elements are checked along random directions
DIRECTIONS = 3
DISPUTED_LIMIT = 200  # at most this many disputed elements are compared with differences


def check_gradients(
    function: Callable[..., Any],
    *inputs: Any,
    order: int = 1,
    cotangent: Any = None,
    directions: int | None = None,
    raise_on_mismatch: bool = True,
) -> CheckReport:
    """Compare the gradients of `function` at `inputs` with finite differences; return a `CheckReport`.

    `function` takes the inputs, as Tensors, and returns a Tensor or several. `inputs` are arrays or Tensors, or lists,
    tuples, dicts and dataclasses of these, whose keys and attributes are names in the report; integers are constants,
    and so are arguments for which a declared operation has None in place of a VJP. The slopes in the report are those
    of one number: the sum of the outputs weighted with `cotangent`, one array for each output (by default fixed random
    numbers, and 1 for a single number). A gradient that does not grow in proportion to the weights is wrong, too.
    `order=2` checks the gradients of gradients too, also with respect to the weights: a row `cotangent` stands in the
    report if these are wrong. Inputs of more than 1000 elements are checked along random directions, and a failure is
    narrowed down to its element; `directions=` sets their number for all inputs.

    A float32 function is evaluated in float64 for the differences, unless it insists on float32. A derivative is `ok`
    if it differs from the numeric one by no more than the numeric bound plus its own rounding; a `kink` lies between
    one-sided slopes that differ. Outputs that are nan or infinite at the inputs are left out of the sum.

    Raises `GradientMismatch`, an AssertionError that carries the report, when something is wrong, or when nothing in
    some input could be judged because no outputs were finite (unless `raise_on_mismatch=False`). Raises ValueError for
    an order other than 1 and 2; TypeError for anything that is not callable, and for a captured step, whose results
    have no graph; `DtypeError` if the function returns nothing floating.

    >>> import numpy as np
    >>> from autograd_spiral import relu
    >>> report = check_gradients(lambda x, w: np.sum(relu(x @ w)), np.eye(2, 3), np.ones((3, 2)))
    >>> report.ok, report.verdict
    (True, 'ok')
    >>> counts = check_gradients(lambda x: relu(x), np.array([-1.0, 0.0, 2.0])).rows[0].counts
    >>> counts["ok"], counts["kink"]
    (2, 1)
    """
    _refuse("check_gradients", function)
    if order not in (1, 2):
        raise ValueError(f"check_gradients: order must be 1 or 2, not {order!r}")
    checked = CheckedFunction(function, inputs, constants=_constants_of(function))
    rows = checked.faults()
    if not rows:
        judge = Judge(checked, cotangent)
        rows = _against_differences(judge, directions)
        if order == 2:
            gradient = checked.gradient(judge.cotangents)
            second = gradient.faults() or _against_differences(Judge(gradient, before=judge), directions)
            of_weights = [gradient.names[at] for at in gradient.weights]
            rows += [row for row in second if row.name not in of_weights or row.verdict.fails]
    return _conclude(CheckReport(checked.name, tuple(rows)), raise_on_mismatch)


def check_against(
    function: Callable[..., Any],
    hand_gradients: Any,
    *inputs: Any,
    cotangent: Any = None,
    raise_on_mismatch: bool = True,
) -> CheckReport:
    """Compare gradients derived by hand with the engine's gradients; return a `CheckReport`.

    `hand_gradients` is one array for each floating input (None to leave it out; a single array for a single one), also
    in containers like those of the inputs, or a function that computes these from the inputs as arrays. They must have
    the shape and the dtype of their inputs. Elements that differ by more than rounding are compared with differences
    too, which settles who is right, and accepts either convention at a kink. `function`, `inputs`, `cotangent` and
    errors are those of `check_gradients`. Raises `ShapeError` when the numbers of gradients and floating inputs differ.

    >>> import numpy as np
    >>> x = np.array([1.0, 2.0, 3.0])
    >>> check_against(lambda x: np.sum(x**2), 2 * x, x).ok
    True
    >>> print(check_against(lambda x: np.sum(x**2), x, x, raise_on_mismatch=False).rows[0].diagnosis)
    2.00 × too small
    """
    _refuse("check_against", function)
    checked = CheckedFunction(function, inputs)
    given = hand_gradients
    if callable(given):
        given = given(*checked.in_form(np.array(x) for x in checked.arrays))
    given = checked.gradients_in(given)
    if len(given) != len(checked.floating):
        raise ShapeError(f"check_against: {len(given)} gradients but {len(checked.floating)} floating inputs")
    rows = checked.faults()
    if not rows:
        judge = Judge(checked, cotangent)
        hands = zip(checked.floating, given, strict=True)
        found = {at: _by_hand(judge, at, np.asarray(hand)) for at, hand in hands if hand is not None}
        rows = _diagnosed(judge, found)
    return _conclude(CheckReport(checked.name, tuple(rows)), raise_on_mismatch)


def _refuse(check: str, function: Any) -> None:
    """Raise TypeError for anything that cannot be differentiated, whatever the inputs."""
    if not callable(function):
        raise TypeError(f"{check} takes a function, as in {check}(np.sin, x), not {function!r}")
    if isinstance(function, CapturedStep):
        name = getattr(function, "__name__", "step")
        raise TypeError(
            f"{check}: the captured step {name} returns tensors without a graph, so there is no gradient to check: "
            f"pass {name}.eager, the original function"
        )


def _constants_of(function: Callable[..., Any]) -> tuple[int, ...]:
    """Return the arguments for which a declared operation has no gradient, if it has one for others."""
    row = PRIMITIVES.get(function) if isinstance(function, Hashable) else None
    if row is None or row.body is None or not any(row.vjps):
        return ()
    return tuple(i for i, vjp in enumerate(row.vjps) if vjp is None)


def _against_differences(judge: Judge, directions: int | None) -> list[Findings]:
    scaled = judge.swept([np.asarray(SCALE * ct, ct.dtype) for ct in judge.cotangents])
    found = {}
    for at, gradient in judge.gradients.items():
        if at in judge.function.weights:  # the gradients are linear in them
            findings = along_directions(judge, at, 1)
        elif directions is None and gradient.size <= ELEMENT_LIMIT:
            findings = judge.findings(at, gradient, judge.elements(at, gradient, range(gradient.size)))
        else:
            findings = along_directions(judge, at, DIRECTIONS if directions is None else directions)
        found[at] = _in_proportion(judge, at, findings, scaled.gradients[at])
    rows = dict(zip(found, _diagnosed(judge, found, scaled), strict=True))
    for at, findings in found.items():
        if near := beside(judge, at, findings):
            (row,) = _diagnosed(near[0], {at: near[1]})
            rows[at] = replace(row, diagnosis=f"right at these numbers alone; beside them: {row.diagnosis}")
    return [*rows.values()]


def _in_proportion(judge: Judge, at: int, findings: Findings, scaled: Array) -> Findings:
    """Return the findings with elements wrong that do not grow with the cotangent, though they are right for this one.

    The cotangent is 1 in many checks, so a rule that forgets it would pass.
    """
    gradient = judge.gradients[at]
    with np.errstate(all="ignore"):
        rounding = 4 * judge.rounding[at] + np.finfo(gradient.dtype).tiny
        bent = np.flatnonzero(np.isfinite(scaled) & (np.abs(scaled - SCALE * gradient) > rounding))
    if not bent.size or findings.wrong.any():
        return findings
    slopes = judge.elements(at, gradient, _some(bent))
    return findings.overruled(replace(slope, verdict=Verdict.WRONG) for slope in slopes)


def _by_hand(judge: Judge, at: int, hand: Array) -> Findings:
    x = judge.function.arrays[at]
    if hand.shape != x.shape:
        return judge.function.findings(at, fault=Verdict.WRONG_SHAPE, diagnosis=diagnose_shape(hand.shape, x.shape))
    if hand.dtype != x.dtype:
        text = f"a {hand.dtype} gradient for a {x.dtype} input"
        return judge.function.findings(at, fault=Verdict.WRONG_DTYPE, diagnosis=text)
    findings = judge.findings(at, hand, judge.compared(at, hand))
    disputed = np.flatnonzero(findings.wrong)
    return findings.overruled(judge.elements(at, hand, _some(disputed)))


def _some(indices: Array) -> list[int]:
    """Return some of `indices`, evenly spread, if there are too many to compare each with differences."""
    count = min(indices.size, DISPUTED_LIMIT)
    return [int(i) for i in indices[np.linspace(0, indices.size - 1, count).astype(int)]]


def _diagnosed(judge: Judge, found: Mapping[int, Findings], scaled: Swept | None = None) -> list[Findings]:
    """Return the findings with their diagnoses."""
    rows = []
    for at, findings in found.items():
        says = [findings.diagnosis]
        if findings.wrong.any():
            says = [diagnose(findings, judge.sizes, evidence_of(judge, found, at, scaled))]
        if not findings.fault and judge.leading[at].any():
            says.append(_not_judged(findings, judge.left_out))
        rows.append(replace(findings, diagnosis="; ".join(filter(None, says))))
    return rows


def _not_judged(findings: Findings, left_out: str) -> str:
    """Return what to say of an input with elements that lead to outputs that are not finite."""
    total, count = findings.counts.total(), findings.counts[Verdict.UNJUDGED]
    if not count:
        return f"checked with the remaining outputs only: {left_out}"
    some = "" if count == total else f"{count} of {total} {findings.judged} "
    return f"{some}not judged: {left_out}"


def _conclude(report: CheckReport, raise_on_mismatch: bool) -> CheckReport:
    if raise_on_mismatch and (report.ok is False or report.unjudged):
        raise GradientMismatch(report, _headline(report))
    return report


def _headline(report: CheckReport) -> str:
    """Return what is wrong with the first input that fails, or that could not be judged, in one line."""
    row = next((row for row in report.rows if row.verdict.fails or row.unjudged), report.rows[0])
    order = "" if row.order == 1 else f", order {row.order}"
    return f"{report.subject}, {row.name}{order}: {row.diagnosis or row.verdict}"
