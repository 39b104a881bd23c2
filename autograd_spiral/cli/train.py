"""The verb `train`: the case study's two models, trained before the reader's eyes beside the published logs."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from autograd_spiral.cli.common import Verb, add_problem, add_step_size, count, fail, problem, require_writable, show
from autograd_spiral.cli.draw import graph_of
from autograd_spiral.debug.memory import keep_memory
from autograd_spiral.spiral import accuracy, plots, published, train
from autograd_spiral.spiral.models import LinearClassifier, TwoLayerNet

__all__ = ["VERB"]


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_problem(parser, model=None)
    parser.add_argument(
        "--steps", metavar="N", type=count(0), help="steps for each model (default: 200 linear, 10000 net)"
    )
    add_step_size(parser)
    parser.add_argument("--eager", action="store_true", help="record every step anew, instead of replaying a program")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for pictures (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print losses, accuracies and files written as JSON")


@dataclass
class _Run:
    """One model's training: what it is called, what it should give if the run is as published, what it gave."""

    key: str
    title: str
    model: LinearClassifier | TwoLayerNet
    steps: int
    log: published.Log | None
    losses: NDArray[Any] | None = None
    accuracy: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """What `json.dumps` takes: `losses` has one for each step, before its update."""
        assert self.losses is not None
        published_log = self.log and {
            "every": self.log.print_every,
            "losses": list(self.log.losses),
            "accuracy": self.log.accuracy,
        }
        return {
            "model": self.key,
            "steps": self.steps,
            "losses": self.losses.tolist(),
            "accuracy": self.accuracy,
            "published": published_log,
        }


def _run(options: argparse.Namespace) -> int:
    require_writable(options.out, options.parser)
    keep_memory()
    X, y, linear, net = problem(options)
    runs = [
        _Run(key, title, model, log.steps if options.steps is None else options.steps, log)
        for key, title, model, log in (
            ("linear", "softmax linear classifier", linear, published.LINEAR),
            ("net", "two-layer ReLU net", net, published.TWO_LAYER),
        )
        if options.model in (None, key)
    ]
    for run in runs:
        if not _as_published(options):
            run.log = None
        report = _Report(run, quiet=options.json)
        report.start(f"{run.title}: {run.steps} steps of size {options.step_size:g}, reg {options.reg:g}")
        try:
            run.losses = train(
                run.model,
                X,
                y,
                steps=run.steps,
                step_size=options.step_size,
                reg=options.reg,
                on_step=report.step,
                eager=options.eager,
            )
        except FloatingPointError as error:
            report.clear()
            return fail(str(error))
        finally:
            report.clear()  # an interrupt, too, leaves no counter behind
        run.accuracy = accuracy(run.model, X, y)
        report.end()

    files = _save_plots(options.out, X, y, runs)
    if options.model != "linear":
        for stem, backward in (("net-graph", False), ("net-backward", True)):
            picture = graph_of(net, X, y, options.reg, backward=backward)
            files.append(picture.save_as(options.out / f"{stem}.svg"))
    if options.json:
        show(json.dumps({"models": [run.to_json() for run in runs], "files": [str(path) for path in files]}))
    else:
        for path in files:
            print(f"wrote {path}")
    return 0


def _as_published(options: argparse.Namespace) -> bool:
    """Whether nothing is changed that the published numbers depend on."""
    return (options.seed, options.steps, options.points, options.classes, options.hidden) == (
        *(None, None, 100, 3, 100),
    ) and (options.step_size, options.reg) == (published.STEP_SIZE, published.REG)


class _Report:
    """Prints the training log, the published loss beside each line, and a progress counter on a terminal.

    The log is a result and goes to stdout, unless `quiet`; the counter goes to stderr.
    """

    def __init__(self, run: _Run, *, quiet: bool) -> None:
        self.run = run
        self.quiet = quiet
        lines = 20 if run.key == "linear" else 10
        self.every = max(1, run.steps // lines) if run.log is None else run.log.print_every
        self.gaps: list[float] = []
        self.on_terminal = sys.stderr.isatty()

    def start(self, line: str) -> None:
        """Print the heading."""
        self._say(line)

    def step(self, i: int, loss: float) -> None:
        """Note the loss before step `i`, and print it if it is one of those that the log shows."""
        run = self.run
        if self.on_terminal and i % 100 == 0:
            print(f"\r{run.title}: step {i:,} of {run.steps:,}", end="", file=sys.stderr, flush=True)
        if i % self.every == 0:
            line = f"iteration {i}: loss {loss:.6f}"
            if run.log is not None:
                expected = run.log.losses[i // self.every]
                self.gaps.append(abs(round(loss, 6) - expected))
                line = f"{line:32} published {expected:.6f}"
            self._say(line)

    def end(self) -> None:
        """Print the accuracy, and how the losses compare with the published ones."""
        line = f"training accuracy: {self.run.accuracy:.2f}"
        if self.run.log is not None:
            line = f"{line:32} published {self.run.log.accuracy:.2f}"
            equal = sum(gap < 5e-7 for gap in self.gaps)
            line += f"\n{equal} of {len(self.gaps)} losses equal the published ones to all six decimals"
            if equal < len(self.gaps):
                line += f", the others to within {max(self.gaps):.6f}"
        self._say(line + "\n")

    def clear(self) -> None:
        """Take the counter off the terminal."""
        if self.on_terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    def _say(self, line: str) -> None:
        if not self.quiet:
            self.clear()
            print(line, flush=True)


def _save_plots(folder: Path, X: Any, y: Any, runs: Sequence[_Run]) -> list[Path]:
    if not plots.available():
        print(
            "no pictures: matplotlib is not installed; pip install 'autograd-spiral[plot]' adds them", file=sys.stderr
        )
        return []
    written = [folder / "spiral.png"]
    plots.plot_data(written[0], X, y)
    for run in runs:
        written.append(folder / f"{run.key}-boundary.png")
        plots.plot_regions(written[-1], run.model, X, y, f"Regions of the {run.title}")
        if isinstance(run.model, TwoLayerNet):
            written.append(folder / "net-hidden.png")
            plots.plot_hidden_units(written[-1], run.model, X, y)
    losses = {run.title: run.losses for run in runs if run.losses is not None and len(run.losses)}
    if len(losses) == len(runs):
        written.append(folder / "loss.png")
        plots.plot_losses(written[-1], losses)
    return written


VERB = Verb(
    name="train",
    summary="retrain the case study beside its published losses (default)",
    description="Train the softmax linear classifier (200 steps) and the two-layer ReLU net (10,000 steps) on the "
    "spiral data, and write pictures. Without options that change the run, the published tables come out again.",
    examples=(
        ("", "the published run"),
        ("train --model linear --steps 50", "a short run of one model"),
        ("train --seed 1 --classes 5 --hidden 30 --out pictures", "other data, a smaller net"),
        ("train --eager", "the same, every step recorded anew"),
        ("train --model linear --json", "for a program to read"),
    ),
    add_options=_add_options,
    run=_run,
)
