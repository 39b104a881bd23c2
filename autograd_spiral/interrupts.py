"""Makes Ctrl-C on the command line print one line and exit with status 130, from the first moment on.

The package imports this file before all others. In a process that runs the package's command line, Ctrl-C then ends the
process at once, except while a command is working: then it raises KeyboardInterrupt (see `cli`). In any other process,
nothing changes.
"""

import os
import signal
import sys

__all__ = ["STATUS", "end"]

STATUS = 130
"""The exit status of a process that was interrupted."""


def end(*_: object) -> None:
    """Handle Ctrl-C: end this process with exit status `STATUS`."""
    try:  # noqa: SIM105  # contextlib would have to be imported first
        os.write(2, b"interrupted\n")
    except OSError:
        pass
    os._exit(STATUS)


def _on_the_command_line() -> bool:
    """Return whether this process was started as `autograd-spiral` or `python -m autograd_spiral`."""
    started = sys.argv[0] if getattr(sys, "argv", None) else ""  # a program that embeds Python may have none
    if started == "-m":  # while the package is imported, sys.argv has this instead of a path, then the arguments
        return sys.orig_argv[-len(sys.argv)].removeprefix("-m") == "autograd_spiral"
    return os.path.basename(started).partition(".")[0] == "autograd-spiral"


if _on_the_command_line() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not ignored, as by nohup
    signal.signal(signal.SIGINT, end)
