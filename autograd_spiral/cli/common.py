"""What the verbs have in common: how one is declared, types of options, how results and failures are printed."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from autograd_spiral.spiral import published
from autograd_spiral.spiral.models import LinearClassifier, TwoLayerNet

__all__ = [
    "PROGRAM",
    "Parser",
    "Verb",
    "add_problem",
    "add_step_size",
    "count",
    "examples",
    "fail",
    "file_ending",
    "filled",
    "forget_stdout",
    "nonnegative",
    "problem",
    "require_writable",
    "show",
    "written_by",
]

PROGRAM = "autograd-spiral"


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line on stderr that says where the help is, and exit status 2."""

    def error(self, message: str) -> NoReturn:
        """End with that line."""
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


@dataclass(frozen=True)
class Verb:
    """One verb: its `summary` in the list of verbs, its own help text, its options, and what it does.

    `examples` are pairs of a command, without the program's name, and what it does; the first one is in the help of
    the top level too. `run` takes the parsed options, which have the `parser` among them, and returns the exit status.
    """

    name: str
    summary: str
    description: str
    examples: Sequence[tuple[str, str]]
    add_options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]

    def add_to(self, subparsers: Any) -> None:
        """Add this verb to those of the top level."""
        parser = subparsers.add_parser(
            self.name,
            help=self.summary,
            description=filled(self.description),
            epilog=examples(self.examples),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self.add_options(parser)
        parser.set_defaults(run=self.run, parser=parser)


def filled(text: str) -> str:
    """`text` in lines of a terminal's usual width.

    >>> filled("two   words")
    'two words'
    """
    return textwrap.fill(" ".join(text.split()), 79)


def examples(pairs: Sequence[tuple[str, str]]) -> str:
    """The part of a help text that shows example commands, each under what it does.

    >>> print(examples([("check exp", "one function")]))
    examples:
      # one function
      autograd-spiral check exp
    """
    return "examples:" + "".join(f"\n  # {does}\n  {PROGRAM} {command}".rstrip() for command, does in pairs)


# --- types of options -----------------------------------------------------------------------------------------------


def count(least: int) -> Callable[[str], int]:
    """The type of an option that is a whole number, `least` or more: it raises ArgumentTypeError for other text.

    >>> count(1)("12")
    12
    """

    def whole_number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"must be a whole number, not {text!r}") from None
        if value < least:
            raise argparse.ArgumentTypeError(f"must be {least} or more, not {value}")
        return value

    return whole_number


def nonnegative(text: str) -> float:
    """The type of an option that is a finite number, 0 or more: it raises ArgumentTypeError for other text.

    >>> nonnegative("1e-3")
    0.001
    """
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number, not {text!r}") from None
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a finite number, 0 or more, not {text}")
    return value


def file_ending(*suffixes: str) -> Callable[[str], Path]:
    """The type of an option that is a file to write: it raises ArgumentTypeError for one with another suffix.

    >>> file_ending(".py")("step.py").name
    'step.py'
    """

    def file(text: str) -> Path:
        path = Path(text)
        if path.suffix.lower() not in suffixes:
            which = suffixes[0] if len(suffixes) == 1 else f"one of {', '.join(suffixes)}"
            raise argparse.ArgumentTypeError(f"the suffix must be {which}, not as in {path.name!r}")
        return path

    return file


# --- the case study's data and models, for each verb that works on them ---------------------------------------------


def add_problem(parser: argparse.ArgumentParser, *, model: str | None) -> None:
    """Add the options that choose data and models; `model` is the default model, None for both."""
    default = "both" if model is None else model
    parser.add_argument(
        "--model", choices=["linear", "net"], default=model, help=f"which of the two models (default: {default})"
    )
    parser.add_argument(
        "--seed", metavar="N", type=count(0), help="draw data and weights from this seed, not as published"
    )
    positive = count(1)
    parser.add_argument(
        "--points", metavar="N", type=positive, default=100, help="points per class (default: %(default)s)"
    )
    parser.add_argument(
        "--classes", metavar="N", type=positive, default=3, help="number of classes (default: %(default)s)"
    )
    parser.add_argument(
        "--hidden", metavar="N", type=positive, default=100, help="hidden units of the net (default: %(default)s)"
    )
    parser.add_argument(
        "--reg", metavar="X", type=nonnegative, default=published.REG, help="L2 strength (default: %(default)s)"
    )


def add_step_size(parser: argparse.ArgumentParser) -> None:
    """Add the option for the size of the steps of gradient descent."""
    parser.add_argument(
        "--step-size",
        metavar="X",
        type=nonnegative,
        default=published.STEP_SIZE,
        help="of gradient descent (default: %(default)s)",
    )


def problem(options: argparse.Namespace) -> tuple[Any, Any, LinearClassifier, TwoLayerNet]:
    """The data X and y that the options of `add_problem` ask for, and both models before training."""
    return published.start(options.seed, options.points, options.classes, options.hidden)


# --- results and failures -------------------------------------------------------------------------------------------


def show(result: object) -> None:
    """Print a result of work that is done; a reader who has left takes nothing from its exit status."""
    try:
        print(result, flush=True)
    except BrokenPipeError:
        forget_stdout()


def forget_stdout() -> None:
    """Send to nowhere what is still to be printed: the reader of stdout has left."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def fail(message: str) -> int:
    """Say on stderr, in one line, that the run failed; return the exit status of that."""
    print(f"{PROGRAM}: {' '.join(message.split())}", file=sys.stderr)
    return 1


def require_writable(folder: Path, parser: argparse.ArgumentParser) -> None:
    """End with a usage error, before any work, unless files can be made in `folder`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        parser.error(f"cannot write to the folder {str(folder)!r}: {error.strerror or error}")


def written_by(save: Callable[[Path], Path], path: Path, parser: argparse.ArgumentParser) -> Path:
    """The file that `save(path)` writes; a usage error about --out where `path` is none that it can write."""
    try:
        return save(path)
    except OSError as error:  # a folder of that name
        parser.error(f"argument --out: cannot write {str(path)!r}: {error.strerror or error}")
