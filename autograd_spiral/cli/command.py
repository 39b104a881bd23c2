"""The parts of a command: a help text, options, and a function that runs."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

__all__ = ["PROGRAM", "Command", "Parser", "examples"]

PROGRAM = "autograd-spiral"


class Parser(argparse.ArgumentParser):
    """A parser that prints an error as one line on stderr, says how to get help, and exits with status 2."""

    def __init__(self, prog: str, description: str, epilog: str) -> None:
        super().__init__(
            prog=prog,
            description=textwrap.fill(" ".join(description.split()), 79),
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        """Print the error in one line, and exit with status 2."""
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


@dataclass(frozen=True)
class Command:
    """One command: its help text, its options and what it does.

    `examples` are pairs of a command line, without the program's name, and what it does. `run` takes the parsed
    options, with the `parser` among them, and returns the exit status.
    """

    name: str
    description: str
    examples: Sequence[tuple[str, str]]
    add_options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]

    def parser(self) -> Parser:
        """Return the parser of the command's options.

        >>> hello = Command("hello", "Say hello.", [], lambda parser: None, lambda options: 0)
        >>> hello.parser().prog
        'autograd-spiral hello'
        """
        parser = Parser(f"{PROGRAM} {self.name}", self.description, examples(self.examples))
        parser.set_defaults(parser=parser)
        self.add_options(parser)
        return parser


def examples(pairs: Sequence[tuple[str, str]]) -> str:
    """Return the part of a help text that lists example commands, with a line above each that says what it does.

    >>> print(examples([("check exp", "one function")]))
    examples:
      # one function
      autograd-spiral check exp
    """
    return "examples:" + "".join(f"\n  # {does}\n  {PROGRAM} {command}".rstrip() for command, does in pairs)
