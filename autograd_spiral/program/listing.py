"""A program that people use: its text, and the file it is saved in."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.program.equations import Program
from autograd_spiral.program.optimise import readable
from autograd_spiral.program.source import large_constants, source

__all__ = ["CapturedProgram"]


@dataclass(frozen=True, eq=False)
class CapturedProgram(Program):
    """A program with its text."""

    @functools.cached_property
    def source(self) -> str:
        """The program as NumPy: a module with one function, from inputs and state to outputs and new state.

        Raises `CaptureError` where it calls a declared primitive whose body cannot run on Tensors.
        """
        return source(readable(self))

    @functools.cached_property
    def constants(self) -> dict[str, NDArray[Any]]:
        """The large arrays that the function in `source` takes as keyword arguments."""
        return large_constants(readable(self))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write `source` to `path`, a file that can be imported where there is only NumPy, and return the path.

        Large constants go to a file beside it, of the same name ending in .npz. Folders on the way to it are made.
        """
        target = Path(path)
        if target.suffix == ".npz":
            raise ValueError(f"{target}: a program is text; its large constants go to the .npz file, so use .py here")
        text = self.source
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        if self.constants:
            arrays: dict[str, Any] = dict(self.constants)
            np.savez(target.with_suffix(".npz"), **arrays)
        return target
