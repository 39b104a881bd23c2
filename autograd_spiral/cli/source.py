"""The verb `source`: a model's training step as NumPy."""

from __future__ import annotations

import argparse

from autograd_spiral.cli.common import (
    Verb,
    add_problem,
    add_step_size,
    file_ending,
    problem,
    require_writable,
    show,
    written_by,
)
from autograd_spiral.spiral import descent

__all__ = ["VERB"]


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_problem(parser, model="net")
    add_step_size(parser)
    parser.add_argument("--out", type=file_ending(".py"), help="Python file to write, .py (default: print)")


def _run(options: argparse.Namespace) -> int:
    if options.out is not None:
        require_writable(options.out.parent, options.parser)
    X, y, linear, net = problem(options)
    step = descent(linear if options.model == "linear" else net, step_size=options.step_size, reg=options.reg)
    step(X, y)
    if options.out is None:
        show(step.source.rstrip())
        return 0
    show(f"wrote {written_by(step.program.save, options.out, options.parser)}")
    return 0


VERB = Verb(
    name="source",
    summary="print a model's training step, backward pass and all, as NumPy",
    description="Capture one step of gradient descent on the net, or on the linear classifier, and print it: the "
    "forward pass, the backward pass that the engine derived, and the update, as one function that needs NumPy alone.",
    examples=(
        ("source", "the net's step"),
        ("source --model linear", "the linear classifier's"),
        ("source --out step.py", "a file to import where there is only NumPy"),
    ),
    add_options=_add_options,
    run=_run,
)
