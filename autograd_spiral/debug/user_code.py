"""Where in the user's code we are: the innermost line outside the engine and NumPy. Imports numpy alone."""

from __future__ import annotations

import contextlib
import dis
import functools
import linecache
import os
import sys
from pathlib import Path
from types import FrameType

import numpy as np

__all__ = ["in_engine", "users_line", "users_line_indexes"]

_ENGINE = str(Path(__file__).parents[1]) + os.sep
_MODELS = os.path.join(_ENGINE, "spiral") + os.sep  # the case study is a user of the engine
_NUMPY = str(Path(np.__file__).parent) + os.sep
_CONTEXTS = contextlib.__file__  # which enters what the engine writes as generators


@functools.cache
def in_engine(file: str) -> bool:
    """Whether `file`, a code object's file name, belongs to the engine or to NumPy."""
    return (file.startswith(_ENGINE) and not file.startswith(_MODELS)) or file.startswith(_NUMPY)


def _users_frame() -> FrameType:
    frame: FrameType = sys._getframe(1)
    while frame.f_back is not None and (in_engine(file := frame.f_code.co_filename) or file == _CONTEXTS):
        frame = frame.f_back
    return frame


def users_line() -> str:
    """The innermost line outside the engine and NumPy: file, number and text."""
    frame = _users_frame()
    file, line = frame.f_code.co_filename, frame.f_lineno
    return f"{file}:{line}: {linecache.getline(file, line).strip()}".rstrip(": ")


def users_line_indexes() -> bool:
    """Whether that line is just taking `something[index]`."""
    frame = _users_frame()
    steps = (step for step in dis.get_instructions(frame.f_code) if step.offset == frame.f_lasti)
    return any(step.opname == "BINARY_SUBSCR" or step.argrepr == "[]" for step in steps)  # "[]" from Python 3.14 on
