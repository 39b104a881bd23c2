"""The gradient check of the whole rule table.

The dtypes of what rules return are checked too: the sweep restores the dtype of the argument, so a rule that returns
float64 where all is float32 would otherwise pass unnoticed, and only cost time.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from autograd_spiral.engine.messages import name_of
from autograd_spiral.engine.modes import Observer, entering
from autograd_spiral.engine.table import COMPOSITIONS, PRIMITIVES
from autograd_spiral.errors import DtypeError
from autograd_spiral.gradcheck.check import check_gradients
from autograd_spiral.gradcheck.examples import EXAMPLES
from autograd_spiral.gradcheck.examples.special import enter_examples
from autograd_spiral.gradcheck.examples.table import Example
from autograd_spiral.gradcheck.function import CheckedFunction
from autograd_spiral.gradcheck.report import Report
from autograd_spiral.gradcheck.report.display import Paint, Styled
from autograd_spiral.gradcheck.verdicts import Verdict
from autograd_spiral.vocabulary import functions

__all__ = ["RuleReport", "RuleRow", "check_rules", "checkable"]


_PASSING = {Verdict.OK, Verdict.KINK, "no gradient"}


@dataclass(frozen=True)
class RuleRow:
    """What `check_rules` found for one argument of one example call.

    `argument` is its number and its shape, as in "0 (2, 3)". There are three verdicts: `order1` is on the gradient,
    `order2` on the gradient of the gradient, and `float32` on the gradient with float32 inputs. They are "no gradient"
    if the function has none. `error` is the largest relative error in float64, and `bound` is its bound. `kinks` is the
    number of elements on a kink, and `says` is the diagnosis.

    >>> (row,) = check_rules(["tanh"]).rows
    >>> row.primitive, row.argument, row.order2, row.error <= row.bound
    ('np.tanh', '0 (2, 3)', 'ok', True)
    """

    JSON: ClassVar = ("primitive", "argument", "order1", "order2", "float32", "error", "bound", "kinks", "says", "ok")

    primitive: str
    argument: str
    order1: str
    order2: str
    float32: str
    error: float = 0.0
    bound: float = 0.0
    kinks: int = 0
    says: str = ""

    @property
    def ok(self) -> bool:
        """Whether all three verdicts are harmless: nothing is wrong, and nothing is too noisy to tell.

        >>> RuleRow("np.exp", "0 (2, 3)", "ok", "wrong", "ok", 0.5, 1e-10).ok
        False
        """
        return {self.order1, self.order2, self.float32} <= _PASSING


@dataclass(frozen=True)
class RuleReport(Report):
    """The result of `check_rules`, with one row for each argument of each example call; it prints as a table.

    >>> row = RuleRow("np.exp", "0 (2, 3)", "ok", "ok", "ok", 1e-12, 1e-10)  # argument 0, of shape (2, 3)
    >>> print(RuleReport((row,)))
    primitive  argument  order 1  order 2  float32  worst error ± bound  kinks  says
    np.exp     0 (2, 3)  ok       ok       ok       1e-12 ± 1e-10
    1 row: all ok
    """

    COLUMNS: ClassVar = (
        *("primitive", "argument", "order 1", "order 2", "float32"),
        *("worst error ± bound", "kinks", "says"),
    )
    JSON: ClassVar = {"ok": "ok", "rows": "rows"}

    rows: tuple[RuleRow, ...]

    @property
    def ok(self) -> bool:
        """Whether all rows are ok.

        >>> check_rules(["sin", "cos"]).ok
        True
        """
        return all(row.ok for row in self.rows)

    def _cells(self, row: RuleRow) -> tuple[str, ...]:
        error = f"{row.error:.0e} ± {row.bound:.0e}" if row.order1 != "no gradient" else ""
        found = row.order1, row.order2, row.float32
        verdicts = (Styled(text, "good" if text in _PASSING else "bad") for text in found)
        return row.primitive, row.argument, *verdicts, error, str(row.kinks or ""), row.says

    def _below(self, paint: Paint) -> list[str]:
        count, bad = len(self.rows), sum(not row.ok for row in self.rows)
        all_ok = paint(f"{bad} not ok", "bad") if bad else paint("all ok", "good")
        return [f"{count} {'row' if count == 1 else 'rows'}: {all_ok}"]


def checkable() -> dict[str, Callable[..., Any]]:
    """Return the functions that `check_rules` can check, by name.

    They are the functions with gradient rules and the functions composed of these, from NumPy and from this package.
    Operations that were declared elsewhere are not included.

    >>> checkable()["np.exp"]
    <ufunc 'exp'>
    """
    enter_examples()  # of SciPy's functions, which a user may have imported since
    own = [*PRIMITIVES, *COMPOSITIONS, *(getattr(functions, name) for name in functions.__all__)]
    return {name_of(function).lstrip("_"): function for function in dict.fromkeys(own) if _ours(function)}


def _ours(function: Callable[..., Any]) -> bool:
    """Return whether `function` belongs to NumPy, Python or this package, and was not declared by somebody else."""
    module = getattr(function, "__module__", None) or "numpy"  # some ufuncs have no module
    if not module.startswith("autograd_spiral"):
        return module.split(".")[0] in ("numpy", "_operator")
    name = getattr(function, "__name__", "")
    holder = sys.modules.get(module)
    return any(getattr(holder, known, None) is function for known in (name, name.lstrip("_")))


def check_rules(names: Iterable[str] = (), *, seed: int = 0) -> RuleReport:
    """Check the gradients of the functions in the rule table on example calls.

    `names` are the names of the functions, by default all; `seed` is for the random numbers in the example calls. Each
    function is checked at orders 1 and 2 in float64, and at order 1 in float32. A function without an example call gets
    a row that is not ok. Raises ValueError, with suggestions, for a name that is not in `checkable()`.

    >>> print(check_rules(["exp", "relu"]))  # the examples for relu contain its kink, 0
    primitive  argument  order 1  order 2  float32  worst error ± bound  kinks  says
    np.exp     0 (2, 3)  ok       ok       ok       ...
    relu       0 (2, 3)  kink     kink     kink     ...
    2 rows: all ok
    """
    known = checkable()
    rows: list[RuleRow] = []
    for name in names or known:
        full = name if name in known else f"np.{name}"
        if full not in known:
            close = difflib.get_close_matches(name, known) or difflib.get_close_matches(full, known)
            hint = f": did you mean {', '.join(close)}?" if close else ""
            raise ValueError(f"no function called {name!r} to check{hint}")
        rows += _rows_of(full, known[full], seed)
    return RuleReport(tuple(rows))


def _rows_of(name: str, function: Callable[..., Any], seed: int) -> list[RuleRow]:
    rows: list[RuleRow] = []
    for i, draw in enumerate(EXAMPLES.get(function, ())):
        try:
            rows += _checked(name, draw(np.random.default_rng((seed, i))))
        except Exception as error:  # a rule that raises must not hide the others
            text = f"{type(error).__name__}: {error}"
            rows.append(_without_verdict(name, "error", text.splitlines()[0]))
    return rows or [_without_verdict(name, "no example", "has no example call: add one to gradcheck/examples/")]


def _without_verdict(name: str, why: str, says: str) -> RuleRow:
    return RuleRow(name, "", why, why, why, np.nan, np.nan, says=says)


def _checked(name: str, example: Example) -> list[RuleRow]:
    """Return one row for each floating input of `example`."""
    call = CheckedFunction(example.function, example.inputs)
    places = [f"{i} {call.arrays[i].shape}" for i in call.floating]
    none = "no gradient"
    try:
        _, outputs = call.run(call.arrays, recorded=True)
    except DtypeError:  # it returns integers or booleans
        return [RuleRow(name, place, none, none, none) for place in places]
    narrow = [x.astype(np.float32) if x.dtype.kind == "f" else x for x in example.inputs]
    raw = _RawResults()
    with entering(observer=raw):
        double = check_gradients(example.function, *example.inputs, order=2, raise_on_mismatch=False)
        single = check_gradients(example.function, *narrow, raise_on_mismatch=False)
    if not any(out.requires_grad for out in outputs):
        found = none if double.ok and single.ok else "wrong"
        return [RuleRow(name, place, found, found, found) for place in places]
    first, second = ([row for row in double.rows if row.order == order] for order in (1, 2))
    rows = []
    for place, one, two, three in zip(places, first, second[: len(first)], single.rows, strict=True):
        # Faults of raw results belong to the whole call: any of its rules may have returned them.
        narrow_verdict = Verdict.WRONG_DTYPE if raw.faults else three.verdict
        verdicts = str(one.verdict), str(two.verdict), str(narrow_verdict)
        says = dict.fromkeys([one.diagnosis, two.diagnosis, three.diagnosis, *raw.faults])
        worst = max((w for w in (one.worst, two.worst) if w), key=lambda w: w.error, default=None)
        error, bound = (worst.error, worst.error_bound) if worst else (0.0, 0.0)
        kinks = max(row.counts[Verdict.KINK] for row in (one, two))
        rows.append(RuleRow(name, place, *verdicts, error, bound, kinks, "; ".join(filter(None, says))))
    for row in second[len(first) :]:  # the rules depend wrongly on their cotangents
        rows.append(RuleRow(name, f"{row.name} {row.shape}", none, str(row.verdict), none, says=row.diagnosis))
    return rows


class _RawResults(Observer):
    """Watches the results of rules before the sweep casts them: float32 arguments must not give float64."""

    def __init__(self) -> None:
        self.faults: dict[str, None] = {}

    def swept(self, node: Any, argument: int, ct: Any, piece: Any) -> None:
        """Check the cotangent `piece` that the rule of `node` returned for `argument`."""
        if piece.dtype.itemsize <= ct.dtype.itemsize:
            return
        floats = [x.dtype for x in node.operands if getattr(x, "dtype", np.dtype(int)).kind == "f"]
        if piece.dtype.itemsize > np.result_type(ct.dtype, *floats).itemsize:
            text = f"returned {piece.dtype} for argument {argument}, a {node.operands[argument].dtype}"
            self.faults[f"the rule of {node.primitive.name} {text}"] = None
