"""The command `check`: compares the gradients of the rule table, or of a user's function, with finite differences."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import traceback

from autograd_spiral.cli.command import Command
from autograd_spiral.cli.named_function import UsageError, function_and_inputs, resolve, suggestion
from autograd_spiral.cli.options import count
from autograd_spiral.cli.output import fail, show
from autograd_spiral.errors import LabelError
from autograd_spiral.gradcheck import CheckReport, RuleReport, check_against, check_gradients, check_rules, checkable
from autograd_spiral.gradcheck.report import wants_colours

__all__ = ["COMMAND"]


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", metavar="NAME", help="functions, or one module:function (default: all)")
    shapes = (
        'shapes of the inputs of module:function, as in "(3, 4), (4,)"; "(4,) < 10" draws whole numbers from 0 to 9, '
        "such as labels"
    )
    parser.add_argument("--shapes", help=shapes)
    against = (
        "module:function that returns gradients derived by hand, one array for each input; it takes the same inputs"
    )
    parser.add_argument("--against", metavar="GRADIENT", help=against)
    order = "1 for gradients, 2 for gradients of gradients too (default: 1)"
    parser.add_argument("--order", type=int, choices=[1, 2], help=order)
    parser.add_argument("--dtype", choices=["float64", "float32"], help="dtype of the inputs (default: float64)")
    seed = "random seed for the inputs (default: %(default)s)"
    parser.add_argument("--seed", metavar="N", type=count(0), default=0, help=seed)
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    shown = "show the traceback of an exception raised by module:function"
    parser.add_argument("--traceback", action="store_true", help=shown)


def _run(options: argparse.Namespace) -> int:
    own = next((name for name in options.names if ":" in name), None)
    return _check_table(options) if own is None else _check_function(own, options)


def _check_table(options: argparse.Namespace) -> int:
    known = checkable()
    for name in options.names:
        numpys = name in known or f"np.{name}" in known or name.startswith("numpy.")
        if not numpys and (meant := suggestion(name)):
            options.parser.error(f"no function called {name!r} to check: did you mean {meant}?")
    if options.shapes or options.order or options.dtype or options.against:
        options.parser.error(
            "--shapes, --against, --order and --dtype apply only to module:function; the table is always checked at "
            "both orders, and in float32"
        )
    try:
        report = check_rules(options.names, seed=options.seed)
    except ValueError as error:  # a name that is not in the table; errors of a rule are in the report
        options.parser.error(str(error))
    return _conclude(report, options)


def _check_function(name: str, options: argparse.Namespace) -> int:
    if len(options.names) > 1:
        options.parser.error(f"check one module:function at a time, not {' '.join(options.names)}")
    if options.against and options.order:
        options.parser.error("--order does not apply with --against, which compares only gradients")
    try:
        with contextlib.redirect_stdout(sys.stderr):  # output of the user's code is not our result
            dtype = options.dtype or "float64"
            function, inputs = function_and_inputs(name, options.shapes, dtype=dtype, seed=options.seed)
            if options.against:
                by_hand = resolve(options.against)
                report = check_against(function, by_hand, *inputs, raise_on_mismatch=False)
            else:
                report = check_gradients(function, *inputs, order=options.order or 1, raise_on_mismatch=False)
    except UsageError as error:
        options.parser.error(str(error))
    except (Exception, SystemExit) as error:  # raised by the user's code: a failed check, not bad usage
        first = f"{type(error).__name__}: {error}".splitlines()[0].removesuffix(": ")
        says = ", ".join([first, *getattr(error, "__notes__", [])])
        if options.json:
            show(json.dumps({"subject": name, "ok": False, "verdict": "error", "error": says}, indent=2))
        if options.traceback:
            traceback.print_exception(error)
        hint = "" if options.traceback else "; add --traceback for the full traceback"
        if isinstance(error, LabelError | IndexError) and "integer" in says:
            hint = f'. For whole numbers below 10, write --shapes "(5,) < 10"{hint}'
        return fail(f"{name} raised {says}{_where(error, name)}{hint}")
    return _conclude(report, options)


def _conclude(report: CheckReport | RuleReport, options: argparse.Namespace) -> int:
    if options.json:
        show(json.dumps(report.to_dict(), indent=2))
    else:
        show(report.coloured() if wants_colours(sys.stdout) else report)
    if isinstance(report, CheckReport) and report.unjudged and report.ok is None:
        return fail(f"{report.subject}: nothing could be judged in {', '.join(report.unjudged)}")
    return 1 if report.ok is False else 0


def _where(error: BaseException, name: str) -> str:
    """Return the innermost line of the user's module in the traceback of the exception or its cause, or "" if none."""
    ending = name.partition(":")[0].replace(".", "/")
    for raised in filter(None, (error.__cause__, error)):
        for frame in reversed(traceback.extract_tb(raised.__traceback__)):
            stem = frame.filename.replace("\\", "/").removesuffix("/__init__.py").removesuffix(".py")
            if stem.endswith(ending):
                return f" ({frame.filename}, line {frame.lineno})"
    return ""


COMMAND = Command(
    name="check",
    description="Compare gradients with finite differences, whose error bounds are known. Report what is wrong, where "
    "and by how much. Exit status 1 when something is wrong, when nothing could be judged because no values were "
    "finite, or when your own function raises.",
    examples=(
        ("check", "the whole rule table, at both orders"),
        ("check exp matmul softmax", "some functions of the table"),
        (
            'check mypackage.losses:hinge --shapes "(3, 4), (4,)" --order 2',
            "your own function, at random inputs of these shapes",
        ),
        (
            'check mypackage.losses:cross_entropy --shapes "(5, 3), (5,) < 3"',
            "a loss with labels: the second input holds whole numbers below 3",
        ),
        (
            'check mypackage.losses:hinge --against mypackage.losses:hinge_gradient --shapes "(3, 4), (4,)"',
            "a gradient derived by hand, in plain NumPy; one function may return (value, gradients)",
        ),
    ),
    add_options=_add_options,
    run=_run,
)
