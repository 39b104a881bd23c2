"""The reports of checks: as text, in colours on a terminal, as HTML in a notebook, and as data.

`display` colours text and draws verdicts, `tables` has what all reports share, and `check_report` has the report of one
check.
"""

from autograd_spiral.gradcheck.report.check_report import CheckReport
from autograd_spiral.gradcheck.report.display import wants_colours
from autograd_spiral.gradcheck.report.tables import Report, table

__all__ = ["CheckReport", "Report", "table", "wants_colours"]
