"""The command line: `python -m autograd_spiral`, also installed as `autograd-spiral`.

Results go to stdout, everything else to stderr. Exit status: 0 fine, 1 a run or a check failed, 2 bad usage.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import autograd_spiral
from autograd_spiral.drawing import Drawing, draw
from autograd_spiral.gradcheck import CheckReport, RuleReport, check_named, check_rules
from autograd_spiral.memory import keep_memory
from autograd_spiral.spiral import accuracy, plots, published, train
from autograd_spiral.spiral.models import LinearClassifier, TwoLayerNet
from autograd_spiral.tensor import Tensor

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (without the program's name) and return its exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] not in ("train", "check", "draw", "-h", "--help", "--version"):
        words.insert(0, "train")
    options = _parser().parse_args(words)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line on stderr and exit status 2."""
        self.exit(2, f"{self.prog}: error: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="autograd-spiral", description=autograd_spiral.__doc__, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"autograd-spiral {autograd_spiral.__version__}")
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    _add_train(verbs)
    _add_check(verbs)
    _add_draw(verbs)
    return parser


def _add_verb(verbs: Any, name: str, run: Callable[[argparse.Namespace], int], **texts: str) -> Any:
    parser = verbs.add_parser(name, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **texts)
    parser.set_defaults(run=run, parser=parser)
    return parser


def _count(least: int) -> Callable[[str], int]:
    def whole_number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"must be a whole number, not {text!r}") from None
        if value < least:
            raise argparse.ArgumentTypeError(f"must be {least} or more, not {value}")
        return value

    return whole_number


def _nonnegative(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number, not {text!r}") from None
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a finite number, 0 or more, not {text}")
    return value


# --- train ----------------------------------------------------------------------------------------------------------


def _add_train(verbs: Any) -> None:
    parser = _add_verb(
        verbs,
        "train",
        _train,
        help="retrain the case study and print its losses beside the published ones (the default)",
        description="Train the softmax linear classifier (200 steps) and the two-layer ReLU net (10,000 steps) on the "
        "spiral data. Without options that change the run, the published tables come out again.",
        epilog="examples:\n  autograd-spiral\n  autograd-spiral train --model linear --steps 50\n"
        "  autograd-spiral train --seed 1 --classes 5 --hidden 30 --out pictures",
    )
    whole, positive = _count(0), _count(1)
    parser.add_argument("--model", choices=["linear", "net"], help="train only this model")
    parser.add_argument("--steps", type=whole, help="steps for each model (default: 200 linear, 10000 net)")
    parser.add_argument("--seed", type=whole, help="draw data and weights from this seed, not as published")
    parser.add_argument("--points", type=positive, default=100, help="points per class (default: %(default)s)")
    parser.add_argument("--classes", type=positive, default=3, help="number of classes (default: %(default)s)")
    parser.add_argument("--hidden", type=positive, default=100, help="hidden units of the net (default: %(default)s)")
    parser.add_argument("--step-size", type=_nonnegative, default=published.STEP_SIZE, help="(default: %(default)s)")
    parser.add_argument("--reg", type=_nonnegative, default=published.REG, help="L2 strength (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for pictures (default: %(default)s)")


def _train(options: argparse.Namespace) -> int:
    _require_writable(options.out, options.parser)
    as_published = (options.seed, options.steps, options.points, options.classes, options.hidden) == (
        *(None, None, 100, 3, 100),
    ) and (options.step_size, options.reg) == (published.STEP_SIZE, published.REG)
    keep_memory()
    X, y, linear, net = published.start(options.seed, options.points, options.classes, options.hidden)
    chosen: list[tuple[str, LinearClassifier | TwoLayerNet, published.Log]] = []
    if options.model != "net":
        chosen.append(("softmax linear classifier", linear, published.LINEAR))
    if options.model != "linear":
        chosen.append(("two-layer ReLU net", net, published.TWO_LAYER))

    losses = {}
    for name, model, log in chosen:
        steps = log.steps if options.steps is None else options.steps
        print(f"{name}: {steps} steps of size {options.step_size:g}, reg {options.reg:g}")
        report = _Report(name, steps, log if as_published else None)
        try:
            losses[name] = train(
                model, X, y, steps=steps, step_size=options.step_size, reg=options.reg, on_step=report.step
            )
        except FloatingPointError as error:
            report.clear()
            print(f"autograd-spiral: {error}", file=sys.stderr)
            return 1
        report.end(accuracy(model, X, y))

    for path in _save_plots(options.out, X, y, chosen, losses):
        print(f"wrote {path}")
    if options.model != "linear":
        for stem, backward in (("net-graph", False), ("net-backward", True)):
            print(f"wrote {_graph_of(net, X, y, backward=backward).save_as(options.out / f'{stem}.svg')}")
    return 0


class _Report:
    """Prints the training log, the published loss beside each line, and a progress counter on a terminal."""

    def __init__(self, name: str, steps: int, log: published.Log | None) -> None:
        self.name = name
        self.steps = steps
        self.log = log
        lines = 20 if "linear" in name else 10
        self.every = max(1, steps // lines) if log is None else log.print_every
        self.gaps: list[float] = []
        self.on_terminal = sys.stderr.isatty()

    def step(self, i: int, loss: float) -> None:
        if self.on_terminal and i % 100 == 0:
            print(f"\r{self.name}: step {i:,} of {self.steps:,}", end="", file=sys.stderr, flush=True)
        if i % self.every == 0:
            self.clear()
            line = f"iteration {i}: loss {loss:.6f}"
            if self.log is not None:
                expected = self.log.losses[i // self.every]
                self.gaps.append(abs(round(loss, 6) - expected))
                line = f"{line:32} published {expected:.6f}"
            print(line, flush=True)

    def end(self, fraction: float) -> None:
        self.clear()
        line = f"training accuracy: {fraction:.2f}"
        if self.log is not None:
            line = f"{line:32} published {self.log.accuracy:.2f}"
            equal = sum(gap < 5e-7 for gap in self.gaps)
            line += f"\n{equal} of {len(self.gaps)} losses equal the published ones to all six decimals"
            if equal < len(self.gaps):
                line += f", the others to within {max(self.gaps):.6f}"
        print(line + "\n", flush=True)

    def clear(self) -> None:
        if self.on_terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def _require_writable(folder: Path, parser: argparse.ArgumentParser) -> None:
    """End with a usage error, before any work, unless files can be made in `folder`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        parser.error(f"cannot write to the folder {str(folder)!r}: {error.strerror or error}")


def _save_plots(
    folder: Path,
    X: Any,
    y: Any,
    chosen: Sequence[tuple[str, LinearClassifier | TwoLayerNet, published.Log]],
    losses: dict[str, Any],
) -> list[Path]:
    if not plots.available():
        print(
            "no pictures: matplotlib is not installed; pip install 'autograd-spiral[plot]' adds them", file=sys.stderr
        )
        return []
    written = [folder / "spiral.png"]
    plots.plot_data(written[0], X, y)
    for name, model, _ in chosen:
        path = folder / ("net-boundary.png" if isinstance(model, TwoLayerNet) else "linear-boundary.png")
        plots.plot_regions(path, model, X, y, f"Regions of the {name}")
        written.append(path)
        if isinstance(model, TwoLayerNet):
            written.append(folder / "net-hidden.png")
            plots.plot_hidden_units(written[-1], model, X, y)
    if all(map(len, losses.values())):
        written.append(folder / "loss.png")
        plots.plot_losses(written[-1], losses)
    return written


# --- check ----------------------------------------------------------------------------------------------------------


def _add_check(verbs: Any) -> None:
    parser = _add_verb(
        verbs,
        "check",
        _check,
        help="check gradients: of the whole rule table, of some functions, or of your own",
        description="Hold gradients against finite differences whose error is known, and say what is wrong, where and "
        "by how much. Exit status 1 when something is wrong.",
        epilog="examples:\n  autograd-spiral check\n  autograd-spiral check exp matmul softmax\n"
        '  autograd-spiral check mypackage.losses:hinge --shapes "(3, 4), (4,)" --order 2',
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="functions, or one module:function (default: all)")
    parser.add_argument("--shapes", help='shapes of the inputs of module:function, as in "(3, 4), (4,)"')
    parser.add_argument(
        "--order", type=int, choices=[1, 2], help="gradients, or gradients of gradients too (default: 1)"
    )
    parser.add_argument("--dtype", choices=["float64", "float32"], help="of the inputs (default: float64)")
    parser.add_argument("--seed", type=_count(0), default=0, help="of the drawn inputs (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def _check(options: argparse.Namespace) -> int:
    own = [name for name in options.names if ":" in name]
    try:
        report: CheckReport | RuleReport
        if own:
            if len(options.names) > 1:
                raise ValueError(f"check one module:function at a time, not {' '.join(options.names)}")
            if options.shapes is None:
                raise ValueError(f'the shapes of the inputs of {own[0]} are needed, as in --shapes "(3, 4), (4,)"')
            dtype, order = options.dtype or "float64", options.order or 1
            report = check_named(own[0], options.shapes, dtype=dtype, order=order, seed=options.seed)
        else:
            if options.shapes or options.order or options.dtype:
                raise ValueError("--shapes, --order and --dtype go with module:function; the table is checked at both")
            report = check_rules(options.names, seed=options.seed)
    except ValueError as error:
        options.parser.error(str(error))
    print(json.dumps(report.to_json(), indent=2) if options.json else report)
    return 1 if report.ok is False else 0


# --- draw -----------------------------------------------------------------------------------------------------------


def _add_draw(verbs: Any) -> None:
    parser = _add_verb(
        verbs,
        "draw",
        _draw,
        help="draw the computation graph of a model's loss",
        description="Draw the graph of the loss of the net, or of the linear classifier, before training, on the data "
        "of the case study; with --backward the recorded backward pass beside it.",
        epilog="examples:\n  autograd-spiral draw\n  autograd-spiral draw --model linear --backward --out linear.png",
    )
    parser.add_argument("--model", choices=["linear", "net"], default="net", help="(default: %(default)s)")
    parser.add_argument("--backward", action="store_true", help="draw the backward pass too")
    parser.add_argument(
        "--out", type=Path, default=Path("graph.svg"), help=".svg, .png, .pdf or .dot file (default: %(default)s)"
    )


def _draw(options: argparse.Namespace) -> int:
    X, y, linear, net = published.start()
    model = linear if options.model == "linear" else net
    picture = _graph_of(model, X, y, backward=options.backward)
    try:
        written = picture.save_as(options.out)
    except (ValueError, OSError) as error:
        options.parser.error(str(error))
    print(f"wrote {written}")
    return 0


def _graph_of(model: LinearClassifier | TwoLayerNet, X: Any, y: Any, *, backward: bool) -> Drawing:
    loss = model.loss(Tensor(X, name="X"), Tensor(y, name="y"), published.REG)
    return draw(loss, gradients_of=model.parameters() if backward else None)
