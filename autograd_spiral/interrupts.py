"""Ctrl-C on the command line, from the first moment on: one line and exit status 130, without a traceback.

The package imports this file before all others. In a process that was started as the command line, Ctrl-C then ends the
process at once; only while a command works, it raises KeyboardInterrupt (`cli`). No other process is changed.
"""

import os
import signal
import sys

__all__ = ["STATUS", "end"]

STATUS = 130
"""The exit status of a process that was interrupted."""


def end(*_: object) -> None:
    """End this process with that status: the handler of the signal."""
    try:  # noqa: SIM105  # contextlib would have to be imported first
        os.write(2, b"interrupted\n")
    except OSError:
        pass
    os._exit(STATUS)


def _on_the_command_line() -> bool:
    """Return whether this process was started as `autograd-spiral` or `python -m autograd_spiral`."""
    started = sys.argv[0] if getattr(sys, "argv", None) else ""  # a program that embeds Python may have none
    if started == "-m":  # what sys.argv begins with while the package is imported, before the words after its name
        return sys.orig_argv[-len(sys.argv)].removeprefix("-m") == "autograd_spiral"
    return os.path.basename(started).partition(".")[0] == "autograd-spiral"


if _on_the_command_line() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not ignored, as by nohup
    signal.signal(signal.SIGINT, end)
