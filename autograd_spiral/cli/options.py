"""The types of options, and the options that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from autograd_spiral.spiral import published
from autograd_spiral.spiral.training import Model

__all__ = ["add_problem", "add_step_size", "count", "file_ending", "problem"]


def count(least: int) -> Callable[[str], int]:
    """Return the type of an option that is a whole number of at least `least`.

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
    """Return `text` as a finite number, 0 or more; this function is the type of such options.

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
    """Return the type of an option that is a file to write, with one of these suffixes.

    >>> file_ending(".py")("step.py").name
    'step.py'
    """

    def file(text: str) -> Path:
        path = Path(text)
        if path.suffix.lower() not in suffixes:
            which = suffixes[0] if len(suffixes) == 1 else f"one of {', '.join(suffixes)}"
            raise argparse.ArgumentTypeError(f"the file name must end in {which}, unlike {path.name!r}")
        return path

    return file


# --- the data and the models of the case study ----------------------------------------------------------------------


def add_problem(parser: argparse.ArgumentParser, *, model: str | None) -> None:
    """Add the options that choose data and models; `model` is the default model, or None for both models."""
    which = f"which of the two models (default: {model or 'both'})"
    parser.add_argument("--model", choices=["linear", "net"], default=model, help=which)
    seed = "random seed for data and weights (default: as published)"
    parser.add_argument("--seed", metavar="N", type=count(0), help=seed)
    _add_number(parser, "--points", 100, "points per class")
    _add_number(parser, "--classes", 3, "number of classes")
    _add_number(parser, "--hidden", 100, "hidden units of the net")
    _add_number(parser, "--reg", published.REG, "L2 strength")


def add_step_size(parser: argparse.ArgumentParser) -> None:
    """Add the option for the step size of gradient descent."""
    _add_number(parser, "--step-size", published.STEP_SIZE, "step size of gradient descent")


def _add_number(parser: argparse.ArgumentParser, name: str, default: float, says: str) -> None:
    """Add an option for a number: a count if the default is an int, any nonnegative number if it is a float."""
    kind, letter = (count(1), "N") if isinstance(default, int) else (nonnegative, "X")
    parser.add_argument(name, metavar=letter, type=kind, default=default, help=f"{says} (default: {default})")


def problem(options: argparse.Namespace) -> tuple[Any, Any, dict[str, Model]]:
    """Return the data X and y that the options of `add_problem` choose, and a dict of both models, untrained."""
    X, y, linear, net = published.start(options.seed, options.points, options.classes, options.hidden)
    return X, y, {"linear": linear, "net": net}
