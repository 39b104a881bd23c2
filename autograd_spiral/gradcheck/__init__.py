"""Gradient checks with a verdict: they compare gradients with finite differences whose error is known.

From the ground up: `verdicts` (and the record of what was found), `report/` (its table, its colours, its data),
`differences` (numeric derivatives and their bounds), `rounding` (what rounding can do to a recorded computation),
`arguments` (inputs and gradients in containers), `function` (the function that is checked), `faults` (calls that
differ, and arrays that are overwritten), `judging/` (verdicts on derivatives), `diagnoses/` (what wrong numbers have in
common), `evidence` (what helps a diagnosis), `by_hand` (gradients derived by hand), `check` (the two public functions),
and `rule_check`, the check of the whole rule table, on the calls in `examples/`.
"""

from autograd_spiral.gradcheck.check import check_against, check_gradients
from autograd_spiral.gradcheck.report import CheckReport
from autograd_spiral.gradcheck.rule_check import RuleReport, check_rules, checkable

__all__ = ["CheckReport", "RuleReport", "check_against", "check_gradients", "check_rules", "checkable"]
