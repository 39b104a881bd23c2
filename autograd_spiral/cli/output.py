"""How commands print results and report failures."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from autograd_spiral.cli.command import PROGRAM

__all__ = ["fail", "forget_stdout", "require_writable", "save", "show"]


def show(result: object) -> None:
    """Print the result of finished work; a closed stdout does not change the exit status."""
    try:
        print(result, flush=True)
    except BrokenPipeError:
        forget_stdout()


def forget_stdout() -> None:
    """Discard further output: the reader of stdout has closed it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def fail(message: str) -> int:
    """Report a failed run in one line on stderr; return its exit status."""
    print(f"{PROGRAM}: {' '.join(message.split())}", file=sys.stderr)
    return 1


def require_writable(folder: Path, parser: argparse.ArgumentParser) -> None:
    """Exit with a usage error, before any work, unless files can be created in `folder`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        parser.error(f"cannot write to the folder {str(folder)!r}: {error.strerror or error}")


def save(write: Callable[[Path], Path], options: argparse.Namespace) -> int:
    """Save a result with `write(options.out)` and print the file that this wrote; return the exit status.

    Exits with a usage error if `options.out` cannot be written.
    """
    try:
        written = write(options.out)
    except OSError as error:  # a folder of that name
        options.parser.error(f"argument --out: cannot write {str(options.out)!r}: {error.strerror or error}")
    show(f"wrote {written}")
    return 0
