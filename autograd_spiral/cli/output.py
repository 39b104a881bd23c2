"""How commands print results and report failures."""

from __future__ import annotations

import argparse
import io
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from autograd_spiral.cli.command import PROGRAM

__all__ = ["fail", "flush", "open_streams", "require_writable", "save", "say", "show"]


def open_streams() -> None:
    """Prepare stdout and stderr, so that printing to them raises no error except OSError.

    Output to a closed stream is dropped; a character that stdout cannot encode becomes "?".
    """
    for name in ("stdout", "stderr"):  # in the order of their descriptors: each open takes the lowest free one
        if getattr(sys, name) is None:
            nothing = os.open(os.devnull, os.O_WRONLY)
            setattr(sys, name, open(nothing, "w", encoding="utf-8", errors="replace", closefd=False))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors in ("strict", "surrogateescape"):
        sys.stdout.reconfigure(errors="replace")


def show(result: object) -> None:
    """Print the result of finished work. If stdout was closed early, as by `head`, the exit status stays the same."""
    with _printing(sys.stdout, BrokenPipeError):
        print(result, flush=True)


def say(line: str) -> None:
    """Print a line on stderr, if it can be printed."""
    with _printing(sys.stderr, OSError):
        print(line, file=sys.stderr, flush=True)


def fail(message: str) -> int:
    """Report a failed run in one line on stderr; return its exit status."""
    say(f"{PROGRAM}: {' '.join(message.split())}")
    return 1


def flush() -> None:
    """Write out everything that was printed. Raises OSError if stdout cannot be written, as on a full disk."""
    with _printing(sys.stderr, OSError):
        sys.stderr.flush()
    with _printing(sys.stdout, BrokenPipeError):
        sys.stdout.flush()


@contextmanager
def _printing(stream: TextIO, ignored: type[OSError]) -> Iterator[None]:
    """If an OSError occurs, discard what is not yet written; otherwise, Python would try to write it again at exit."""
    try:
        yield
    except OSError as error:
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), stream.fileno())
        if not isinstance(error, ignored):
            raise


def require_writable(folder: Path, parser: argparse.ArgumentParser) -> None:
    """Exit with a usage error, before any work, unless files can be created in `folder`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        parser.error(f"cannot write to the folder {str(folder)!r}: {error.strerror or error}")


def save(write: Callable[[Path], Path], options: argparse.Namespace) -> int:
    """Save a result with `write(options.out)` and print the path of the new file; return the exit status.

    Exits with a usage error if `options.out` is a folder or write-protected.
    """
    try:
        written = write(options.out)
    except OSError as error:
        says = f"cannot write {str(options.out)!r}: {error.strerror or error}"
        if isinstance(error, IsADirectoryError | PermissionError):
            options.parser.error(f"argument --out: {says}")
        return fail(says)
    show(f"wrote {written}")
    return 0
