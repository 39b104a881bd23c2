"""The command `draw`: draws the computation graph of a model's loss."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from autograd_spiral.cli.command import Command
from autograd_spiral.cli.options import add_problem, file_ending, problem
from autograd_spiral.cli.output import require_writable, save
from autograd_spiral.drawing import Drawing, draw
from autograd_spiral.drawing.export import SUFFIXES
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.spiral.training import Model

__all__ = ["COMMAND", "graph_of"]


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_problem(parser, model="net")
    parser.add_argument("--backward", action="store_true", help="draw the recorded backward pass too")
    out = "file to write, .svg, .png, .pdf or .dot (default: %(default)s)"
    parser.add_argument("--out", type=file_ending(*SUFFIXES), default=Path("graph.svg"), help=out)


def _run(options: argparse.Namespace) -> int:
    require_writable(options.out.parent, options.parser)
    X, y, models = problem(options)
    picture = graph_of(models[options.model], X, y, options.reg, backward=options.backward)
    return save(picture.save_as, options)


def graph_of(model: Model, X: Any, y: Any, reg: float, *, backward: bool) -> Drawing:
    """Return a drawing of the model's loss on X and y; `backward` adds the graph of the gradients next to it."""
    loss = model.loss(Tensor(X, name="X"), Tensor(y, name="y"), reg)
    return draw(loss, gradients_of=model.parameters() if backward else None)


COMMAND = Command(
    name="draw",
    description="Draw the graph of the loss of the net, or of the linear classifier, before training, on the data of "
    "the case study; with --backward, draw the recorded backward pass next to it. Pictures need Graphviz's dot; "
    "without it, the DOT text is written.",
    examples=(
        ("draw", "the net's graph, to graph.svg"),
        ("draw --model linear --backward --out linear.png", "both passes of the linear classifier"),
        ("draw --points 2 --hidden 4 --out small.dot", "the DOT text of a small net's graph"),
    ),
    add_options=_add_options,
    run=_run,
)
