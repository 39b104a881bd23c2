"""The command `train`: the case study's two models, trained while you watch, next to the published logs."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.cli.command import Command
from autograd_spiral.cli.draw import graph_of
from autograd_spiral.cli.options import add_problem, add_step_size, count, problem
from autograd_spiral.cli.output import fail, require_writable, show
from autograd_spiral.debug.memory import keep_memory
from autograd_spiral.spiral import TwoLayerNet, accuracy, plots, published, train
from autograd_spiral.spiral.training import Model

__all__ = ["COMMAND"]

_PUBLISHED = {
    "linear": ("softmax linear classifier", published.LINEAR),
    "net": ("two-layer ReLU net", published.TWO_LAYER),
}
"""The title of each model, and its published log."""
_OF_THE_RUN = ("seed", "steps", "points", "classes", "hidden", "step_size", "reg")
"""The options that the published numbers depend on."""


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_problem(parser, model=None)
    steps = "steps for each model (default: 200 linear, 10000 net)"
    parser.add_argument("--steps", metavar="N", type=count(0), help=steps)
    add_step_size(parser)
    parser.add_argument("--eager", action="store_true", help="record every step again, instead of replaying a program")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for pictures (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print losses, accuracies and files written as JSON")


@dataclass
class _Training:
    """The training of one model: the log to compare it with, if the run is the published one, and its results."""

    name: str
    title: str
    model: Model
    steps: int
    log: published.Log | None
    losses: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    accuracy: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the results in the form that `json.dumps` takes; `losses` are those before each update."""
        log = self.log
        return {
            "model": self.name,
            "steps": self.steps,
            "losses": self.losses.tolist(),
            "accuracy": self.accuracy,
            "published": log and {"every": log.print_every, "losses": [*log.losses], "accuracy": log.accuracy},
        }


def _run(options: argparse.Namespace) -> int:
    require_writable(options.out, options.parser)
    keep_memory()
    X, y, models = problem(options)
    as_published = all(getattr(options, name) == options.parser.get_default(name) for name in _OF_THE_RUN)
    trainings = []
    for name in [options.model] if options.model else models:
        title, expected = _PUBLISHED[name]
        steps = expected.steps if options.steps is None else options.steps
        training = _Training(name, title, models[name], steps, expected if as_published else None)
        trainings.append(training)
        log = _Log(training, quiet=options.json)
        log.say(f"{training.title}: {training.steps} steps of size {options.step_size:g}, reg {options.reg:g}")
        try:
            training.losses = train(
                training.model,
                X,
                y,
                steps=training.steps,
                step_size=options.step_size,
                reg=options.reg,
                on_step=log.step,
                eager=options.eager,
            )
        except FloatingPointError as error:
            log.clear()
            return fail(str(error))
        finally:
            log.clear()  # also after an interrupt
        training.accuracy = accuracy(training.model, X, y)
        log.end()

    files = _save_plots(options.out, X, y, trainings)
    if options.model != "linear":
        for stem, backward in (("net-graph", False), ("net-backward", True)):
            picture = graph_of(models["net"], X, y, options.reg, backward=backward)
            files.append(picture.save_as(options.out / f"{stem}.svg"))
    if options.json:
        show(json.dumps({"models": [one.to_json() for one in trainings], "files": [str(path) for path in files]}))
    else:
        for path in files:
            print(f"wrote {path}")
    return 0


class _Log:
    """Prints the training log, the published loss next to each line, and a progress counter on a terminal.

    The log is a result and goes to stdout, unless `quiet`; the counter goes to stderr.
    """

    def __init__(self, training: _Training, *, quiet: bool) -> None:
        self.training = training
        self.quiet = quiet
        lines = 20 if training.name == "linear" else 10
        self.every = max(1, training.steps // lines) if training.log is None else training.log.print_every
        self.gaps: list[float] = []
        self.on_terminal = sys.stderr.isatty()

    def say(self, line: str) -> None:
        """Print a line of the log."""
        if not self.quiet:
            self.clear()
            print(line, flush=True)

    def step(self, i: int, loss: float) -> None:
        """Note the loss before step `i`, and print it if the log shows this step."""
        training = self.training
        if self.on_terminal and i % 100 == 0:
            print(f"\r{training.title}: step {i:,} of {training.steps:,}", end="", file=sys.stderr, flush=True)
        if i % self.every == 0:
            line = f"iteration {i}: loss {loss:.6f}"
            if training.log is not None:
                expected = training.log.losses[i // self.every]
                self.gaps.append(abs(round(loss, 6) - expected))
                line = f"{line:32} published {expected:.6f}"
            self.say(line)

    def end(self) -> None:
        """Print the accuracy, and how the losses compare with the published ones."""
        line = f"training accuracy: {self.training.accuracy:.2f}"
        if self.training.log is not None:
            line = f"{line:32} published {self.training.log.accuracy:.2f}"
            equal = sum(gap < 5e-7 for gap in self.gaps)
            line += f"\n{equal} of {len(self.gaps)} losses equal the published ones to all six decimals"
            if equal < len(self.gaps):
                line += f", the others to within {max(self.gaps):.6f}"
        self.say(line + "\n")

    def clear(self) -> None:
        """Remove the counter from the terminal."""
        if self.on_terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def _save_plots(folder: Path, X: Any, y: Any, trainings: Sequence[_Training]) -> list[Path]:
    if not plots.available():
        print("no pictures: matplotlib is not installed; run pip install 'autograd-spiral[plot]'", file=sys.stderr)
        return []
    written = [folder / "spiral.png"]
    plots.plot_data(written[0], X, y)
    for one in trainings:
        written.append(folder / f"{one.name}-boundary.png")
        plots.plot_regions(written[-1], one.model, X, y, f"Regions of the {one.title}")
        if isinstance(one.model, TwoLayerNet):
            written.append(folder / "net-hidden.png")
            plots.plot_hidden_units(written[-1], one.model, X, y)
    if all(len(one.losses) for one in trainings):
        written.append(folder / "loss.png")
        plots.plot_losses(written[-1], {one.title: one.losses for one in trainings})
    return written


COMMAND = Command(
    name="train",
    description="Train the softmax linear classifier (200 steps) and the two-layer ReLU net (10,000 steps) on the "
    "spiral data, and write pictures. Without options that change the run, this reproduces the published tables.",
    examples=(
        ("", "the published run"),
        ("train --model linear --steps 50", "a short run of one model"),
        ("train --seed 1 --classes 5 --hidden 30 --out pictures", "other data, a smaller net"),
        ("train --eager", "the same, with every step recorded again"),
        ("train --model linear --json", "for a program to read"),
    ),
    add_options=_add_options,
    run=_run,
)
