"""The command `source`: prints a model's training step as NumPy."""

from __future__ import annotations

import argparse

from autograd_spiral.cli.command import Command
from autograd_spiral.cli.options import add_problem, add_step_size, file_ending, problem
from autograd_spiral.cli.output import require_writable, save, show
from autograd_spiral.spiral import descent

__all__ = ["COMMAND"]


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_problem(parser, model="net")
    add_step_size(parser)
    parser.add_argument("--out", type=file_ending(".py"), help="Python file to write, .py (default: print)")


def _run(options: argparse.Namespace) -> int:
    if options.out is not None:
        require_writable(options.out.parent, options.parser)
    X, y, models = problem(options)
    step = descent(models[options.model], step_size=options.step_size, reg=options.reg)
    step(X, y)
    if options.out is not None:
        return save(step.program.save, options)
    show(step.source.rstrip())
    return 0


COMMAND = Command(
    name="source",
    description="Capture one step of gradient descent on the net, or on the linear classifier, and print it: the "
    "forward pass, the backward pass that the engine derived, and the update, as one function that needs only NumPy.",
    examples=(
        ("source", "the net's step"),
        ("source --model linear", "the linear classifier's step"),
        ("source --out step.py", "a file that can be imported where there is only NumPy"),
    ),
    add_options=_add_options,
    run=_run,
)
