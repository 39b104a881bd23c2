"""The gradient check of the whole rule table.

The raw results of rules are looked at too: the sweep sums what was broadcast and restores the dtype, so that a rule
that gets these wrong would go unnoticed but for the time it takes.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from autograd_spiral.engine.messages import name_of
from autograd_spiral.engine.modes import Observer, entering
from autograd_spiral.engine.table import COMPOSITIONS, PRIMITIVES
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.gradcheck.check import check_gradients
from autograd_spiral.gradcheck.report import Verdict, table
from autograd_spiral.gradcheck.rule_examples import EXAMPLES, Example
from autograd_spiral.vocabulary import functions

__all__ = ["RuleReport", "RuleRow", "check_rules", "checkable"]


@dataclass(frozen=True)
class RuleRow:
    """What was found of one argument of one example call.

    `order1`, `order2` and `float32` (order 1 on float32 inputs) are verdicts, or "no gradient"; `error` is the worst
    relative error in float64 with its `bound`; `kinks` counts the elements that lay on one; `says` is the diagnosis.

    >>> (row,) = check_rules(["tanh"]).rows
    >>> row.primitive, row.argument, row.order2, row.error <= row.bound
    ('np.tanh', '0 (2, 3)', 'ok', True)
    """

    primitive: str
    argument: str
    order1: str
    order2: str
    float32: str
    error: float
    bound: float
    kinks: int
    says: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong, or too noisy to tell.

        >>> RuleRow("np.exp", "0 (2, 3)", "ok", "wrong", "ok", 0.5, 1e-10, kinks=0).ok
        False
        """
        return {self.order1, self.order2, self.float32} <= {Verdict.OK, Verdict.KINK, "no gradient"}


@dataclass(frozen=True)
class RuleReport:
    """The rows of a run over the rule table; prints as a table.

    >>> row = RuleRow("np.exp", "0 (2, 3)", "ok", "ok", "ok", 1e-12, 1e-10, kinks=0)
    >>> print(RuleReport((row,)))
    primitive  argument  order 1  order 2  float32  worst error ± bound  kinks  says
    np.exp     0 (2, 3)  ok       ok       ok       1e-12 ± 1e-10
    1 rows: all ok
    """

    rows: tuple[RuleRow, ...]

    @property
    def ok(self) -> bool:
        """Whether all rows are.

        >>> check_rules(["sin", "cos"]).ok
        True
        """
        return all(row.ok for row in self.rows)

    def __str__(self) -> str:
        head = ("primitive", "argument", "order 1", "order 2", "float32", "worst error ± bound", "kinks", "says")
        cells: list[tuple[str, ...]] = [
            (
                *(row.primitive, row.argument, row.order1, row.order2, row.float32),
                f"{row.error:.0e} ± {row.bound:.0e}" if row.order1 != "no gradient" else "",
                str(row.kinks or ""),
                row.says,
            )
            for row in self.rows
        ]
        bad = sum(not row.ok for row in self.rows)
        return f"{table(head, cells)}\n{len(self.rows)} rows: {f'{bad} not ok' if bad else 'all ok'}"

    def to_json(self) -> dict[str, Any]:
        """The report as what `json.dumps` takes.

        Dicts, lists, strings and numbers; None for what is not finite.

        >>> row = RuleRow("np.exp", "", "error", "error", "error", np.nan, np.nan, kinks=0, says="ValueError: no")
        >>> RuleReport((row,)).to_json()["rows"][0]["error"] is None
        True
        """
        rows = [
            {
                **{k: v if not isinstance(v, float) or np.isfinite(v) else None for k, v in asdict(row).items()},
                "ok": row.ok,
            }
            for row in self.rows
        ]
        return {"ok": self.ok, "rows": rows}


def checkable() -> dict[str, Callable[..., Any]]:
    """What a run covers, by name: the rows of the rule table, the compositions, and the functions that NumPy lacks.

    Primitives that were declared elsewhere are not among them.

    >>> checkable()["np.exp"]
    <ufunc 'exp'>
    """
    own = [*PRIMITIVES, *COMPOSITIONS, *(getattr(functions, name) for name in functions.__all__)]
    return {name_of(function).lstrip("_"): function for function in dict.fromkeys(own) if _ours(function)}


def _ours(function: Callable[..., Any]) -> bool:
    """Whether `function` is one of NumPy's, Python's, or of this package, and not declared by somebody else."""
    module = getattr(function, "__module__", None)
    if module is None or not module.startswith("autograd_spiral"):
        return module is None or module.split(".")[0] in ("numpy", "_operator")
    name = getattr(function, "__name__", "")
    holder = sys.modules.get(module)
    return any(getattr(holder, known, None) is function for known in (name, name.lstrip("_")))


def check_rules(names: Iterable[str] = (), *, seed: int = 0) -> RuleReport:
    """Check the gradients of the functions called `names` (by default all) on example calls drawn with `seed`.

    Each at orders 1 and 2 in float64, and at order 1 in float32. A function without an example is a row that is not
    ok. Raises ValueError for a name that is none of `checkable()`, naming those that are close.

    >>> print(check_rules(["exp", "relu"]))
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
    draws = EXAMPLES.get(function)
    if draws is None:
        text = "has no example call: add one to rule_examples"
        return [RuleRow(name, "", "no example", "no example", "no example", np.nan, np.nan, 0, text)]
    rows = []
    for i, draw in enumerate(draws):
        example = draw(np.random.default_rng((seed, i)))
        try:
            rows += _checked(name, example)
        except Exception as error:  # a rule that raises must not hide the others
            text = f"{type(error).__name__}: {error}"
            rows.append(RuleRow(name, "", "error", "error", "error", np.nan, np.nan, 0, text.splitlines()[0]))
    return rows


def _checked(name: str, example: Example) -> list[RuleRow]:
    """One row for each floating input of `example`."""
    narrow = [x.astype(np.float32) if x.dtype.kind == "f" else x for x in example.inputs]
    raw = _RawResults()
    with entering(observer=raw):
        double = check_gradients(example.function, *example.inputs, order=2, raise_on_mismatch=False)
        single = check_gradients(example.function, *narrow, raise_on_mismatch=False)
    if not _has_gradient(example):
        places = [i for i, x in enumerate(example.inputs) if x.dtype.kind == "f"]
        found = "no gradient" if double.ok and single.ok else "wrong"
        return [RuleRow(name, f"{i} {example.inputs[i].shape}", found, found, found, 0.0, 0.0, 0) for i in places]
    first = [row for row in double.rows if row.order == 1]
    second = [row for row in double.rows if row.order == 2]
    rows = []
    for one, two, three in zip(first, second, single.rows, strict=True):
        # Faults of raw results belong to the call as a whole: any of its rules may have given them.
        narrow_verdict = Verdict.WRONG_DTYPE if raw.faults else three.verdict
        says = dict.fromkeys([one.diagnosis, two.diagnosis, three.diagnosis, *raw.faults])
        worst = max((w for w in (one.worst, two.worst) if w), key=lambda w: w.error, default=None)
        rows.append(
            RuleRow(
                name,
                f"{one.name.removeprefix('input ')} {one.shape}",
                str(one.verdict),
                str(two.verdict),
                str(narrow_verdict),
                worst.error if worst else 0.0,
                worst.error_bound if worst else 0.0,
                max(row.counts.get(Verdict.KINK, 0) for row in (one, two)),
                "; ".join(filter(None, says)),
            )
        )
    return rows


def _has_gradient(example: Example) -> bool:
    from_floats = [x for x in example.inputs if x.dtype.kind == "f"]
    with entering(recording=True):
        leaves = [Tensor(x, requires_grad=x.dtype.kind == "f") for x in example.inputs]
        result = example.function(*leaves)
    several = result if isinstance(result, list | tuple) else [result]
    return bool(from_floats) and any(getattr(out, "requires_grad", False) for out in several)


class _RawResults(Observer):
    """Watches what rules return before the sweep repairs it: no float64 for a float32 argument and cotangent."""

    def __init__(self) -> None:
        self.faults: dict[str, None] = {}

    def swept(self, node: Any, argument: int, ct: Any, piece: Any) -> None:
        """Look at the cotangent `piece` that the rule of `node` gave for `argument`."""
        operand, primitive = node.operands[argument], node.primitive
        floats = [x.dtype for x in node.operands if getattr(x, "dtype", np.dtype(int)).kind == "f"]
        widest = np.result_type(ct.dtype, *floats)
        if piece.dtype.itemsize > widest.itemsize:
            self.faults[
                f"the rule of {primitive.name} gave {piece.dtype} for argument {argument}, a {operand.dtype}"
            ] = None
