"""`check_gradients` and `check_against`: gradients compared with finite differences, with a verdict on every element.

No tolerance is chosen by hand. A derivative may differ from the numeric one by the error bound of the differences plus
its own rounding error, which is measured by running the recorded computation again (see `rounding`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any

import numpy as np

from autograd_spiral.engine.calls import explains_keywords
from autograd_spiral.engine.table import PRIMITIVES
from autograd_spiral.errors import GradientMismatch
from autograd_spiral.gradcheck.by_hand import ByHand, judged_by_hand, value_of
from autograd_spiral.gradcheck.diagnoses import SCALE
from autograd_spiral.gradcheck.evidence import diagnosed
from autograd_spiral.gradcheck.faults import faults_of
from autograd_spiral.gradcheck.function import NO_TENSOR, CheckedFunction
from autograd_spiral.gradcheck.judging import Judge, beside, whole_gradient
from autograd_spiral.gradcheck.report import CheckReport
from autograd_spiral.gradcheck.verdicts import Array, Findings, Verdict
from autograd_spiral.program.capturing.step import CapturedStep

__all__ = ["check_against", "check_gradients"]


@explains_keywords
def check_gradients(
    function: Callable[..., Any],
    *inputs: Any,
    order: int = 1,
    cotangent: Any = None,
    directions: int | None = None,
    raise_on_mismatch: bool = True,
) -> CheckReport:
    """Compare the gradients of `function` at `inputs` with finite differences; return a `CheckReport`.

    `function` takes the inputs as Tensors, and returns one Tensor or several. `inputs` are arrays or Tensors, or lists,
    tuples, dicts and dataclasses of these. Integers count as constants. An argument of an operation declared with
    `@primitive` also counts as a constant if None was given as its gradient rule. Each input has a row in the report.
    The row has the name of the function's parameter, and inside a container also the key or attribute, as in
    `net['w']`.

    A gradient is always the gradient of a single number. If the function returns more than one number, the check
    multiplies each of them by a weight, and uses the sum. `cotangent` holds the weights, one array for each output; by
    default, they are fixed random numbers. The check also multiplies all weights by a constant: a gradient that does
    not change by the same factor is wrong. Output elements that are NaN or infinite are left out of the sum.

    A derivative is `ok` if its distance from the finite difference is at most the error bound of the difference plus
    the rounding error of the derivative itself. It is a `kink` if the slopes on the two sides differ and the derivative
    lies between them. The finite differences of a float32 function are computed in float64 if possible.

    `order=2` also checks the gradients of the gradients, with respect to the inputs and to `cotangent`. (The report has
    a row for `cotangent` only if the gradient with respect to it is wrong.) An input of more than 1000 elements is
    checked along some random directions instead of element by element. If that fails, the check searches for a wrong
    element. With `directions`, all inputs are checked like this, along the given number of directions.

    Raises `GradientMismatch`, an AssertionError that holds the report, if a gradient is wrong. The same error is raised
    if no output is finite, so that none of an input's elements could be judged. With `raise_on_mismatch=False`, the
    report is returned instead. Raises ValueError for an order other than 1 and 2, and `DtypeError` if the function
    returns no floating-point numbers. Raises TypeError if the function is not callable, or if it is a captured step,
    since no gradient flows back through the results of a captured step.

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
    rows = faults_of(checked)
    if not rows:
        checked.use_arrays_for_values()
        judge = Judge(checked, cotangent)
        rows = _against_differences(judge, directions)
        if not judge.values.has_record:
            lost = f"zero: {NO_TENSOR}"
            rows = [replace(row, diagnosis=lost) if row.verdict is Verdict.WRONG else row for row in rows]
        if order == 2:
            gradient = checked.gradient(judge.cotangents)
            second = faults_of(gradient) or _against_differences(Judge(gradient, before=judge), directions)
            of_weights = [gradient.names[at] for at in gradient.weights]
            second = [row for row in second if row.name not in of_weights or row.verdict.fails]
            first = {row.name: row for row in rows}
            rows += [_noted(row, first.get(row.name), "only at second order") for row in second]
        how = {"order": order, "cotangent": cotangent, "directions": directions, "raise_on_mismatch": False}
        rows = _compared_with_float64(checked, rows, lambda *wide: check_gradients(function, *wide, **how))
    return _conclude(CheckReport(checked.name, tuple(rows)), raise_on_mismatch)


@explains_keywords
def check_against(
    function: Callable[..., Any],
    gradients: Any,
    *inputs: Any,
    cotangent: Any = None,
    raise_on_mismatch: bool = True,
) -> CheckReport:
    """Compare gradients derived by hand with those of `function` at `inputs`; return a `CheckReport`.

    `function` may be plain NumPy. If it also works with Tensors, the hand-derived gradients are compared with the
    engine's, and the engine's with finite differences. Otherwise, the hand-derived gradients are compared with finite
    differences alone. `report.method` says which of the two was done.

    `gradients` holds an array for each floating-point input, of the same shape and dtype. It has the form of the
    inputs: a single array for a single input, or a dict for a dict. It may also be a dict whose keys are the names of
    the function's parameters. To leave an input out, pass None instead of its array. If the function returns more than
    one number, the gradients must be those of the sum of all output elements, each multiplied by its weight in
    `cotangent`. Instead of a gradient, you can pass a Jacobian: its shape is the shape of the output followed by that
    of the input.

    Instead of arrays, `gradients` can also be a function that computes them from the inputs. It returns the gradients,
    or a tuple `(value, gradients)`. If `function` itself returns such a tuple, pass `gradients=True`, like `jac=True`
    in SciPy.

    If an element of a hand-derived gradient differs from the engine's by more than rounding, a finite difference
    decides which of the two is right. At a kink, such as 0 for relu, any value between the slopes on the two sides is
    accepted. For `inputs`, `cotangent` and errors, see `check_gradients`. Also raises `ShapeError` if the number or
    form of the gradients does not match the inputs.

    >>> import numpy as np
    >>> x = np.array([1.0, 2.0, 3.0])
    >>> check_against(lambda x: np.sum(x**2), 2 * x, x).ok
    True
    >>> def loss_and_gradient(x):
    ...     return np.sum(x**2), x  # the factor 2 is missing
    >>> print(check_against(loss_and_gradient, True, x, raise_on_mismatch=False).rows[0].diagnosis)
    2.00 × too small
    """
    _refuse("check_against", function)
    together = gradients is True or gradients == function if callable(gradients) else gradients is True
    checked = CheckedFunction(value_of(function) if together else function, inputs)
    hand = ByHand(checked, function if together else gradients, after_value=together)
    rows, method = judged_by_hand(checked, hand, cotangent)
    if callable(gradients) or together:
        how = {"cotangent": cotangent, "raise_on_mismatch": False}
        rows = _compared_with_float64(checked, rows, lambda *wide: check_against(function, gradients, *wide, **how))
    return _conclude(CheckReport(checked.name, tuple(rows), method), raise_on_mismatch)


def _noted(row: Findings, other: Findings | None, note: str) -> Findings:
    """Return the row, with `note` in its diagnosis if the row is wrong and `other`, its counterpart, is right."""
    if row.verdict is not Verdict.WRONG or other is None or other.verdict not in (Verdict.OK, Verdict.KINK):
        return row
    return replace(row, diagnosis="; ".join(filter(None, (row.diagnosis, note))))


def _compared_with_float64(
    checked: CheckedFunction, rows: list[Findings], check: Callable[..., CheckReport]
) -> list[Findings]:
    """Return the rows; note which of the wrong ones are right in float64, where `check` checks them again."""
    wide = checked.in_float64()
    if not wide or not any(row.verdict is Verdict.WRONG for row in rows):
        return rows
    others = {(row.name, row.order): row for row in check(*wide).rows}
    note = f"only in {checked.narrowest}: right in float64"
    return [_noted(row, others.get((row.name, row.order)), note) for row in rows]


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
    """Return the findings on all gradients of the engine, at the inputs and beside them."""
    scaled = judge.function.swept([np.asarray(SCALE * ct, ct.dtype) for ct in judge.cotangents])
    found = {}
    for at in judge.gradients:
        found[at] = _in_proportion(judge, at, whole_gradient(judge, at, directions), scaled.gradients[at])
    rows = dict(zip(found, diagnosed(judge, found, scaled), strict=True))
    for at, findings in found.items():
        if near := beside(judge, at, findings):
            (row,) = diagnosed(near[0], {at: near[1]})
            rows[at] = replace(row, diagnosis=f"right only at these numbers; beside them: {row.diagnosis}")
    return [*rows.values()]


def _in_proportion(judge: Judge, at: int, findings: Findings, scaled: Array) -> Findings:
    """Return the findings; elements that do not grow in proportion to the cotangent are wrong.

    This is needed because the cotangent is 1 in many checks, so that a rule that forgets it would pass.
    """
    gradient = judge.gradients[at]
    with np.errstate(all="ignore"):
        rounding = 4 * judge.rounding[at] + np.finfo(gradient.dtype).tiny
        bent = np.flatnonzero(np.isfinite(scaled) & (np.abs(scaled - SCALE * gradient) > rounding))
    if not bent.size or findings.wrong.any():
        return findings
    return findings.overruled(replace(slope, verdict=Verdict.WRONG) for slope in judge.some_elements(at, bent))


def _conclude(report: CheckReport, raise_on_mismatch: bool) -> CheckReport:
    if raise_on_mismatch and (report.ok is False or report.unjudged):
        raise GradientMismatch(report, _headline(report))
    return report


def _headline(report: CheckReport) -> str:
    """Return, in one line, what is wrong with the first input that fails or could not be judged."""
    row = next((row for row in report.rows if row.verdict.fails or row.unjudged), report.rows[0])
    order = "" if row.order == 1 else f", order {row.order}"
    return f"{report.subject}, {row.name}{order}: {row.diagnosis or row.verdict}"
