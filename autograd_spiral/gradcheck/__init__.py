"""Gradient checks that give a verdict: gradients held against differences whose error is known.

From the ground up: `differences` (numeric derivatives and their bounds), `rounding` (what rounding can do to a
recorded computation), `report` (verdicts and tables), `diagnoses` (what wrong numbers have in common), `findings`,
`subject` (the function under check), `judging`, `directions` (large inputs), `clues` (what helps a diagnosis), `check`
(the two public functions), then `rule_examples`, `rule_check` and `named_check`, which the command line runs.
"""

from autograd_spiral.gradcheck.check import check_against, check_gradients
from autograd_spiral.gradcheck.report import CheckReport
from autograd_spiral.gradcheck.rule_check import RuleReport, check_rules, checkable

__all__ = [
    "CheckReport",
    "RuleReport",
    "check_against",
    "check_gradients",
    "check_rules",
    "checkable",
]
