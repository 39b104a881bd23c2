"""The command line: `python -m autograd_spiral`, also installed as `autograd-spiral`.

Each command has its own file, which defines it as `COMMAND` and is imported only when the command runs. To add a
command, add a file, and a row in `COMMANDS`. Results go to stdout, and everything else goes to stderr. The exit status
is 0 if all went well, 1 if a run or a check failed, 2 for wrong usage, and 130 after an interrupt.
"""

from __future__ import annotations

import difflib
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module

import autograd_spiral
from autograd_spiral import interrupts
from autograd_spiral.cli.command import PROGRAM, Command, Parser, examples
from autograd_spiral.cli.output import fail, flush, open_streams, say

__all__ = ["COMMANDS", "main"]

COMMANDS = {
    "train": "retrain the case study and print the published losses next to its own (default)",
    "check": "check the gradients of the rule table or of your own function",
    "draw": "draw the computation graph of a model's loss",
    "explore": "write a page on which to step through a model's training step and its training",
    "source": "print a model's training step, including its backward pass, as NumPy",
}
"""What each command does, in the order of the help text. The first one runs if no command is given."""

_EXAMPLES = (
    ("", "the published run"),
    ("check", "the whole rule table, at both orders"),
    ("draw", "the net's graph, to graph.svg"),
    ("explore", "the net and its training, to out/explorer.html"),
    ("source", "the net's step"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (without the program's name) and return its exit status.

    Raises SystemExit, as argparse does, after printing a help text or a usage error.

    >>> main(["check", "exp"])
    primitive  argument  order 1  order 2  float32  worst error ± bound  kinks  says
    np.exp     0 (2, 3)  ok       ok       ok       ...
    1 row: all ok
    0
    """
    status = 0
    open_streams()
    try:
        with _interruptible():
            try:
                status = _run(list(sys.argv[1:] if argv is None else argv))
            finally:
                flush()  # here, a closed pipe can still be distinguished from a failure
    except KeyboardInterrupt:
        say("interrupted")
        return interrupts.STATUS
    except BrokenPipeError:  # the reader of our output has stopped reading, as `head` does: nothing went wrong
        pass
    except (OSError, MemoryError, FloatingPointError) as error:  # a full disk, too many points, a step size too large
        return fail(str(error) or type(error).__name__)
    return status


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C raise KeyboardInterrupt inside the block, instead of ending the process at once."""
    before = signal.getsignal(signal.SIGINT)
    try:
        if before is interrupts.end:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        yield
    finally:
        if before is interrupts.end:
            signal.signal(signal.SIGINT, before)


def _run(words: list[str]) -> int:
    first = words[0] if words else ""
    if first in ("-h", "--help", "--version"):
        _parser().parse_args([first])  # prints the help or the version, and exits
    if not words or first.startswith("-"):
        words.insert(0, next(iter(COMMANDS)))
    elif first not in COMMANDS:
        close = difflib.get_close_matches(first, COMMANDS, 1)
        hint = f"did you mean {close[0]}?" if close else f"the commands are {', '.join(COMMANDS)}"
        _parser().error(f"no command {first!r}: {hint}")
    command: Command = import_module(f"{__name__}.{words[0]}").COMMAND
    return command.run(command.parser().parse_args(words[1:]))


def _parser() -> Parser:
    """Return the parser for a command line without a command: it has the options for help and version."""
    listed = "".join(f"\n  {name:8}{summary}" for name, summary in COMMANDS.items())
    parser = Parser(
        PROGRAM,
        (autograd_spiral.__doc__ or "").partition("\n\n")[0],
        f"commands:{listed}\n\n{examples(_EXAMPLES)}\n\n"
        f"Without a command, train runs. `{PROGRAM} COMMAND --help` lists options and more examples.\n"
        "Exit status: 0 fine, 1 a run or a check failed, 2 bad usage, 130 interrupted.",
    )
    parser.usage = "%(prog)s [-h] [--version] COMMAND ..."
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {autograd_spiral.__version__}")
    return parser
