"""The command `explore`: writes a page on which to step through a model of the case study and its training."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from autograd_spiral.cli.command import Command
from autograd_spiral.cli.options import add_problem, add_step_size, count, file_ending, problem
from autograd_spiral.cli.output import require_writable, save
from autograd_spiral.debug.memory import keep_memory
from autograd_spiral.explorer import Training, explore
from autograd_spiral.program import CapturedStep
from autograd_spiral.spiral import published, train
from autograd_spiral.spiral.training import Model

__all__ = ["COMMAND", "Watch"]

_STEPS = {"linear": published.LINEAR.steps, "net": published.TWO_LAYER.steps}


class Watch:
    """Makes a record of a model's training; pass it to `train` as `watch`."""

    def __init__(self, model: Model, X: Any, y: Any) -> None:
        self.record: Training | None = None
        self._regions = X, y, model.predict

    def __call__(self, step: CapturedStep) -> Training:
        """Return the record of `step`; call the record in place of the step."""
        self.record = explore.training(step, regions=self._regions)
        return self.record

    def save_as(self, path: Path) -> Path:
        """Write the page of the record to `path` and return it."""
        assert self.record is not None
        return explore(self.record).save_as(path)


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_problem(parser, model="net")
    add_step_size(parser)
    steps = "steps of the training, at least 1 (default: 200 linear, 10000 net)"
    parser.add_argument("--steps", metavar="N", type=count(1), help=steps)
    out = "file to write, .html (default: %(default)s)"
    parser.add_argument("--out", type=file_ending(".html"), default=Path("out") / "explorer.html", help=out)


def _run(options: argparse.Namespace) -> int:
    require_writable(options.out.parent, options.parser)
    keep_memory()
    X, y, models = problem(options)
    model = models[options.model]
    watch = Watch(model, X, y)
    steps = options.steps or _STEPS[options.model]
    train(model, X, y, steps=steps, step_size=options.step_size, reg=options.reg, watch=watch)
    return save(watch.save_as, options)


COMMAND = Command(
    name="explore",
    description="Train the net, or the linear classifier, and write one HTML file on which to step through its "
    "training step, forward, backward and update, and to look at every value at up to 60 moments of the training. It "
    "opens in any browser, from the disk.",
    examples=(
        ("explore", "the net and its 10,000 steps"),
        ("explore --model linear --out linear.html", "the linear classifier"),
        ("explore --steps 500 --hidden 20 --seed 1 --out small.html", "a smaller net on other data"),
    ),
    add_options=_add_options,
    run=_run,
)
