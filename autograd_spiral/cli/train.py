"""The command `train`: trains the two models of the case study, and prints their losses next to the published ones."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.cli.command import Command
from autograd_spiral.cli.draw import graph_of
from autograd_spiral.cli.explore import Watch
from autograd_spiral.cli.options import add_problem, add_step_size, count, problem
from autograd_spiral.cli.output import fail, require_writable, say, show
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


@dataclass(frozen=True)
class _Training:
    """The results of training one model, and the log to compare them with if the run is the published one."""

    name: str
    title: str
    model: Model
    log: published.Log | None
    losses: NDArray[np.float64]
    accuracy: float

    def to_json(self) -> dict[str, Any]:
        """Return the results in a form for `json.dumps`; `losses` holds the loss before each update."""
        log = self.log
        return {
            "model": self.name,
            "steps": len(self.losses),
            "losses": self.losses.tolist(),
            "accuracy": self.accuracy,
            "published": log and {"every": log.print_every, "losses": [*log.losses], "accuracy": log.accuracy},
        }

    def summary(self) -> str:
        """Return the accuracy, and how the losses compare with the published ones."""
        line = f"training accuracy: {self.accuracy:.2f}"
        if self.log is None:
            return line
        gaps = np.abs(np.round(self.losses[:: self.log.print_every], 6) - self.log.losses)
        equal = np.sum(gaps < 5e-7)
        line = f"{line:32} published {self.log.accuracy:.2f}"
        line += f"\n{equal} of {len(gaps)} losses equal the published ones to all six decimals"
        return line if equal == len(gaps) else f"{line}, the others to within {max(gaps):.6f}"


def _run(options: argparse.Namespace) -> int:
    require_writable(options.out, options.parser)
    if plots.available():
        try:
            import matplotlib  # noqa: F401  # before the training, whose results might otherwise be lost
        except (ImportError, ValueError) as error:
            return fail(f"cannot import matplotlib: {error} (MPLBACKEND is {os.environ.get('MPLBACKEND')!r})")
    keep_memory()
    X, y, models = problem(options)
    names = [options.model] if options.model else models
    watches = {} if options.eager else {"net": Watch(models["net"], X, y)}  # an eager run has no program to explore
    trainings = [_training(name, models[name], X, y, options, watches.get(name)) for name in names]
    files = _save_plots(options.out, X, y, trainings)
    if options.model != "linear":
        for stem, backward in (("net-graph", False), ("net-backward", True)):
            picture = graph_of(models["net"], X, y, options.reg, backward=backward)
            files.append(picture.save_as(options.out / f"{stem}.svg"))
    watched = [watch for watch in watches.values() if watch.record is not None and watch.record.losses]
    pages = [watch.save_as(options.out / "explorer.html") for watch in watched]
    files += pages
    if options.json:
        show(json.dumps({"models": [one.to_json() for one in trainings], "files": [str(path) for path in files]}))
    else:
        for path in files:
            print(f"wrote {path}")
        for page in pages:
            print(f"open {page} in a browser to step through the net, its gradients and its training")
    return 0


def _training(name: str, model: Model, X: Any, y: Any, options: argparse.Namespace, watch: Watch | None) -> _Training:
    """Train a model, and print a training log, with the published losses if there are any, and a progress counter.

    The log is a result, so it goes to stdout, unless JSON is to be printed. The counter goes to stderr, if that is a
    terminal.
    """
    title, expected = _PUBLISHED[name]
    steps = expected.steps if options.steps is None else options.steps
    every = max(1, steps // len(expected.losses))
    as_published = all(getattr(options, key) == options.parser.get_default(key) for key in _OF_THE_RUN)
    log = expected if as_published else None

    def say(line: str) -> None:
        if not options.json:
            _show_progress()
            print(line, flush=True)

    def on_step(i: int, loss: float) -> None:
        if i % 100 == 0:
            _show_progress(f"{title}: step {i:,} of {steps:,}")
        if i % every == 0:
            line = f"iteration {i}: loss {loss:.6f}"
            say(line if log is None else f"{line:32} published {log.losses[i // every]:.6f}")

    step_size, reg = options.step_size, options.reg
    say(f"{title}: {steps} steps of size {step_size:g}, reg {reg:g}")
    try:
        losses = train(
            model, X, y, steps=steps, step_size=step_size, reg=reg, on_step=on_step, eager=options.eager, watch=watch
        )
    finally:
        _show_progress()  # also after an interrupt
    training = _Training(name, title, model, log, losses, accuracy(model, X, y))
    say(f"{training.summary()}\n")
    return training


def _show_progress(counter: str = "\033[K") -> None:
    """Write `counter` at the start of the line on stderr, if that is a terminal; without an argument, clear it."""
    if sys.stderr.isatty():
        print(f"\r{counter}", end="", file=sys.stderr, flush=True)


def _save_plots(folder: Path, X: Any, y: Any, trainings: Sequence[_Training]) -> list[Path]:
    if not plots.available():
        say("no pictures: matplotlib is not installed; run pip install 'autograd-spiral[plot]'")
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
