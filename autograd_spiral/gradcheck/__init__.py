"""Gradient checks: they compare gradients with finite differences, and return a verdict on each element.

No tolerance is chosen by hand, since the error of each finite difference has a known bound.

The files build on each other in this order:

- `verdicts`: the verdicts, and the record of what a check found.
- `report/`: the table of a report, its colours, and its data.
- `differences`: numeric derivatives and their error bounds.
- `rounding`: what rounding can do to a recorded computation.
- `arguments`: inputs and gradients in containers.
- `function`: the function that is checked.
- `faults`: calls that return different results, and arrays that are overwritten.
- `judging/`: how a derivative gets its verdict.
- `diagnoses/`: what the numbers of a wrong gradient have in common, and `evidence`, which collects such facts.
- `by_hand`: gradients derived by hand.
- `check`: the two public functions, `check_gradients` and `check_against`.
- `rule_check`: the check of the whole rule table, on the calls in `examples/`.
"""

from autograd_spiral.gradcheck.check import check_against, check_gradients
from autograd_spiral.gradcheck.report import CheckReport
from autograd_spiral.gradcheck.rule_check import RuleReport, check_rules, checkable

__all__ = ["CheckReport", "RuleReport", "check_against", "check_gradients", "check_rules", "checkable"]
