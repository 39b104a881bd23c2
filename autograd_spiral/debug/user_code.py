"""The line of the user's code that is running: the innermost one outside the package and other libraries."""

from __future__ import annotations

import contextlib
import functools
import linecache
import os
import signal
import sys
import sysconfig
from pathlib import Path
from types import CodeType, FrameType

import numpy as np

from autograd_spiral.engine.messages import operation_in

__all__ = ["in_package", "is_running", "is_users", "signal_handlers", "users_line", "users_operation"]

_PACKAGE = str(Path(__file__).parents[1]) + os.sep
_MODELS = os.path.join(_PACKAGE, "spiral") + os.sep  # the case study counts as the user's code
_NUMPY = str(Path(np.__file__).parent) + os.sep
_INSTALLED = tuple({sysconfig.get_paths()[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")})
_CONTEXTS = contextlib.__file__  # its frames stand between the user and the package's context managers


@functools.cache
def in_package(file: str) -> bool:
    """Return whether `file`, the file name of a code object, belongs to the package or to NumPy."""
    return (file.startswith(_PACKAGE) and not file.startswith(_MODELS)) or file.startswith(_NUMPY)


@functools.cache
def is_users(file: str) -> bool:
    """Return whether a file belongs neither to the engine, nor to Python's library, nor to an installed package."""
    installed = file.startswith(_INSTALLED) or "site-packages" in Path(file).parts
    return file.startswith(_MODELS) or not (in_package(file) or installed)


def _users_frame() -> FrameType:
    frame: FrameType = sys._getframe(1)
    while frame.f_back is not None and (in_package(file := frame.f_code.co_filename) or file == _CONTEXTS):
        frame = frame.f_back
    innermost = frame
    while not is_users(file := frame.f_code.co_filename):  # another library's, which the user's code may have called
        if frame.f_back is None or file.startswith(_PACKAGE):
            return innermost
        frame = frame.f_back
    return frame


@functools.cache
def _signals() -> tuple[int, ...]:
    return tuple(map(int, signal.valid_signals()))


def signal_handlers() -> frozenset[CodeType]:
    """Return the code of the handlers that were set with `signal.signal`."""
    codes = (getattr(signal.getsignal(number), "__code__", None) for number in _signals())
    return frozenset(code for code in codes if code is not None)


def is_running(codes: frozenset[CodeType], within: CodeType) -> bool:
    """Return whether one of `codes` is running, called from inside the function with the code `within`."""
    frame: FrameType | None = sys._getframe(1) if codes else None
    while frame is not None and frame.f_code is not within:
        if frame.f_code in codes:
            return True
        frame = frame.f_back
    return False


def users_line() -> str:
    """Return the innermost line outside the package and other libraries: file, number and text.

    If a library has recorded the operation for itself, the line is the library's.
    """
    frame = _users_frame()
    file, line = frame.f_code.co_filename, frame.f_lineno
    return f"{file}:{line}: {linecache.getline(file, line).strip()}".rstrip(": ")


def users_operation() -> str:
    """Return what the user's line is evaluating, such as "math.exp" for a call of it; see `operation_in`."""
    return operation_in(_users_frame())
