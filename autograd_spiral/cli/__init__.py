"""The command line: `python -m autograd_spiral`, also installed as `autograd-spiral`.

One file per verb, each ending in its `VERB`; what verbs have in common is in `common`. A new verb is a new file and its
name in `VERBS` below. Results go to stdout, everything else to stderr. Exit status: 0 fine, 1 a run or a check failed,
2 bad usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence

import autograd_spiral
from autograd_spiral.cli import check, draw, source, train
from autograd_spiral.cli.common import PROGRAM, Parser, Verb, examples, fail, filled, forget_stdout

__all__ = ["VERBS", "main"]

VERBS: tuple[Verb, ...] = (train.VERB, check.VERB, draw.VERB, source.VERB)
"""In the order in which the help lists them. The first is what runs when no verb is given."""


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
    try:
        try:
            status = _run(list(sys.argv[1:] if argv is None else argv))
        finally:
            sys.stdout.flush()  # here, where a pipe that was closed can still be told from a failure
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has left, as `head` does: nothing went wrong
        forget_stdout()
    except (OSError, MemoryError) as error:  # a full disk, a thousand million points
        return fail(str(error) or type(error).__name__)
    return status


def _run(words: list[str]) -> int:
    parser = _parser()
    names = [verb.name for verb in VERBS]
    if not words or (words[0].startswith("-") and words[0] not in ("-h", "--help", "--version")):
        words.insert(0, VERBS[0].name)
    elif not words[0].startswith("-") and words[0] not in names:
        close = difflib.get_close_matches(words[0], names, 1)
        hint = f"did you mean {close[0]}?" if close else f"the verbs are {', '.join(names)}"
        parser.error(f"no verb {words[0]!r}: {hint}")
    options, unknown = parser.parse_known_args(words)
    if unknown:  # here, so that the line names the help of the verb and not that of the top level
        options.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    status: int = options.run(options)
    return status


def _parser() -> Parser:
    parser = Parser(
        prog=PROGRAM,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        description=filled(autograd_spiral.__doc__ or ""),
        epilog=examples([verb.examples[0] for verb in VERBS])
        + f"\n\nWithout a verb, {VERBS[0].name} runs. `{PROGRAM} VERB --help` has the options and more examples."
        "\nExit status: 0 fine, 1 a run or a check failed, 2 bad usage, 130 interrupted.",
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {autograd_spiral.__version__}")
    subparsers = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for verb in VERBS:
        verb.add_to(subparsers)
    return parser
