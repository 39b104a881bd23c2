"""`check_gradients` and `check_against`: gradients held against differences, with a verdict on every element.

Nothing is compared with a tolerance that somebody chose. A derivative may differ from the numeric one by the bound
that the differences gave, plus what rounding did to it, which is measured on the record (see `rounding`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.engine.table import PRIMITIVES
from autograd_spiral.errors import GradientMismatch, ShapeError
from autograd_spiral.gradcheck.diagnoses import SCALE, Clues, diagnose, diagnose_shape
from autograd_spiral.gradcheck.directions import along_directions
from autograd_spiral.gradcheck.evidence import clues_of
from autograd_spiral.gradcheck.function import Subject
from autograd_spiral.gradcheck.judging import Judge
from autograd_spiral.gradcheck.report import CheckReport, InputReport, Verdict
from autograd_spiral.gradcheck.results import Findings

__all__ = ["check_against", "check_gradients"]

Array: TypeAlias = NDArray[Any]
Hand: TypeAlias = Any  # an array, a sequence of arrays or None, or a function of the inputs that returns these

ELEMENT_LIMIT = 1000  # inputs with more elements are checked along random directions
DIRECTIONS = 3
DISPUTED_LIMIT = 200  # so many elements that are in doubt are held against differences


def check_gradients(
    function: Callable[..., Any],
    *inputs: Any,
    order: int = 1,
    cotangent: Any = None,
    directions: int | None = None,
    raise_on_mismatch: bool = True,
) -> CheckReport:
    """Hold the gradients of `function` at `inputs` against differences of its values; return a `CheckReport`.

    `function` takes the inputs, as Tensors, and returns a Tensor or several; `inputs` are arrays or Tensors, those of
    integers being constants, and those for which a declared operation has None in place of a VJP. The outputs are
    weighed with `cotangent` (one array for each output, by default fixed random numbers, and 1 for a single number),
    and the slopes in the report are those of the weighed sum. A gradient that does not grow in proportion with the
    weights is wrong, too. `order=2` checks the gradients of gradients too. Inputs of more than 1000 elements are
    checked along random directions, and a failure is narrowed down to its element; `directions=` sets their number
    for all inputs.

    A float32 function is evaluated in float64 for the differences, unless it insists on float32. A derivative `ok`
    differs from the numeric one by no more than the numeric bound plus its own rounding; a `kink` lies between
    one-sided slopes that differ. Outputs that are nan or infinite at the inputs are left out of the sum. Raises
    `GradientMismatch`, an AssertionError that carries the report, when something is wrong, or nothing in some input
    could be judged for want of finite outputs, and `raise_on_mismatch`; ValueError for an order other than 1 and 2;
    TypeError for what is no function, and for a captured step, whose results have no graph.

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
    subject = Subject(function, inputs, constants=_constants_of(function))
    rows = subject.faults(1)
    if not rows:
        cotangents = subject.cotangents(cotangent)
        judge = Judge(subject, cotangents, drawn=cotangent is None)
        rows = _against_differences(judge, 1, directions)
        if order == 2:
            gradient = subject.gradient(judge.cotangents)
            rows += gradient.faults(2) or _against_differences(
                Judge(gradient, gradient.cotangents(None), drawn=True, before=judge), 2, directions
            )
    return _conclude(CheckReport(subject.name, tuple(rows)), raise_on_mismatch)


def check_against(
    function: Callable[..., Any],
    hand_gradients: Hand,
    *inputs: Any,
    cotangent: Any = None,
    raise_on_mismatch: bool = True,
) -> CheckReport:
    """Hold gradients derived by hand against those that the engine gives; return a `CheckReport`.

    `hand_gradients` is one array for each floating input (None to leave it out; a single array for a single one), or
    a function that computes these from the inputs as arrays. They must have the shape and the dtype of their inputs.
    Elements that differ by more than rounding are held against differences too, which settles who is right, and
    accepts either convention at a kink. `function`, `inputs`, `cotangent`, errors: as for `check_gradients`;
    `ShapeError` when there are not as many gradients as floating inputs.

    >>> import numpy as np
    >>> x = np.array([1.0, 2.0, 3.0])
    >>> check_against(lambda x: np.sum(x**2), 2 * x, x).ok
    True
    >>> print(check_against(lambda x: np.sum(x**2), x, x, raise_on_mismatch=False).rows[0].diagnosis)
    2.00 × too small
    """
    _refuse("check_against", function)
    subject = Subject(function, inputs)
    given = hand_gradients(*(np.array(x) for x in subject.arrays)) if callable(hand_gradients) else hand_gradients
    if len(subject.floating) == 1 and not isinstance(given, list | tuple):
        given = [given]
    if len(given) != len(subject.floating):
        raise ShapeError(f"check_against: {len(given)} gradients but {len(subject.floating)} floating inputs")
    rows = subject.faults(1)
    if not rows:
        judge = Judge(subject, subject.cotangents(cotangent), drawn=cotangent is None)
        hands = {at: np.asarray(hand) for at, hand in zip(subject.floating, given, strict=True) if hand is not None}
        misfits = {at: _misfit(judge, at, hand) for at, hand in hands.items()}
        found = {at: _by_hand(judge, at, hand) for at, hand in hands.items() if misfits[at] is None}
        clues = clues_of(judge, found)
        for at in hands:
            rows.append(misfits[at] or _row(judge, at, 1, "elements", found[at], clues.get(at)))
    return _conclude(CheckReport(subject.name, tuple(rows)), raise_on_mismatch)


def _refuse(check: str, function: Any) -> None:
    """Raise TypeError for what cannot be differentiated, whatever the inputs."""
    if not callable(function):
        raise TypeError(f"{check} takes a function, as in {check}(np.sin, x), not {function!r}")
    if {"eager", "program"} <= set(dir(type(function))):  # `program` is above this room, and cannot be asked
        name = getattr(function, "__name__", "step")
        raise TypeError(
            f"{check}: what the captured step {name} returns has no graph, so no gradient can be checked: "
            f"check {name}.eager, the step as it was written"
        )


def _constants_of(function: Callable[..., Any]) -> tuple[int, ...]:
    """The places of the arguments in which a declared operation has no gradient, if it has one in others."""
    row = PRIMITIVES.get(function) if isinstance(function, Hashable) else None
    if row is None or row.body is None or not any(row.vjps):
        return ()
    return tuple(i for i, vjp in enumerate(row.vjps) if vjp is None)


def _against_differences(judge: Judge, order: int, directions: int | None) -> list[InputReport]:
    subject = judge.subject
    found, judged = {}, {}
    for at in subject.floating:
        x = subject.arrays[at]
        if directions is None and x.size <= ELEMENT_LIMIT:
            found[at], judged[at] = judge.elements(at, judge.gradients[at], range(x.size)), "elements"
        else:
            found[at] = along_directions(judge, at, DIRECTIONS if directions is None else directions)
            judged[at] = "directions"
    scaled = judge.swept([np.asarray(SCALE * ct, ct.dtype) for ct in judge.cotangents])
    for at, findings in found.items():
        _hold_to_scale(judge, at, findings, scaled[2][at])
    clues = clues_of(judge, found, scaled)
    return [_row(judge, at, order, judged[at], found[at], clues.get(at)) for at in subject.floating]


def _hold_to_scale(judge: Judge, at: int, findings: Findings, scaled: Array) -> None:
    """Find wrong what does not grow with the cotangent, though it is right for this one: it is 1 in many a check."""
    gradient = judge.gradients[at]
    with np.errstate(all="ignore"):
        rounding = 4 * judge.rounding[at] + np.finfo(gradient.dtype).tiny
        bent = np.flatnonzero(np.isfinite(scaled) & (np.abs(scaled - SCALE * gradient) > rounding))
    if bent.size and not findings.wrong.any():
        chosen = _some(bent)
        findings.along = None
        findings.overrule(judge.elements(at, gradient, chosen), chosen)
        findings.verdicts |= dict.fromkeys(chosen, Verdict.WRONG)
        findings.wrong.flat[chosen] = True


def _row(judge: Judge, at: int, order: int, judged: str, findings: Findings, clues: Clues | None) -> InputReport:
    x = judge.subject.arrays[at]
    says = [diagnose(findings.analytic, findings.numeric, findings.bound, findings.wrong, judge.sizes, clues)]
    if judge.leading[at].any():
        says.append(_not_judged(findings, judged, judge.left_out))
    return InputReport(
        judge.subject.names[at],
        x.shape,
        str(x.dtype),
        order,
        judged,
        dict(findings.counts),
        findings.worst,
        "; ".join(filter(None, says)),
        judge.random_weights,
    )


def _not_judged(findings: Findings, judged: str, left_out: str) -> str:
    """What to say of an input with elements that lead to outputs that are not finite."""
    total, count = sum(findings.counts.values()), findings.counts.get(Verdict.UNJUDGED, 0)
    if not count:
        return f"judged by the other outputs: {left_out}"
    return f"not judged: {left_out}" if count == total else f"{count} of {total} {judged} not judged: {left_out}"


def _misfit(judge: Judge, at: int, hand: Array) -> InputReport | None:
    """The row of a gradient by hand that has not the shape and the dtype of its input; None if it has."""
    x = judge.subject.arrays[at]
    place = (judge.subject.names[at], x.shape, str(x.dtype), 1, "elements")
    if hand.shape != x.shape:
        return InputReport(*place, {Verdict.WRONG_SHAPE: x.size}, None, diagnose_shape(hand.shape, x.shape))
    if hand.dtype != x.dtype:
        text = f"a {hand.dtype} gradient for a {x.dtype} input"
        return InputReport(*place, {Verdict.WRONG_DTYPE: x.size}, None, text)
    return None


def _by_hand(judge: Judge, at: int, hand: Array) -> Findings:
    findings = judge.compared(at, hand)
    disputed = np.flatnonzero(findings.wrong)
    if disputed.size:
        chosen = _some(disputed)
        findings.overrule(judge.elements(at, hand, chosen), chosen)
    return findings


def _some(places: Array) -> list[int]:
    """Some of `places`, evenly spread, where there are too many to hold each against differences."""
    chosen: list[int] = places[np.linspace(0, places.size - 1, min(places.size, DISPUTED_LIMIT)).astype(int)].tolist()
    return chosen


def _conclude(report: CheckReport, raise_on_mismatch: bool) -> CheckReport:
    if raise_on_mismatch and (report.ok is False or report.unjudged):
        raise GradientMismatch(report)
    return report
