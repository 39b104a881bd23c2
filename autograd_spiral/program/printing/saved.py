"""Programs as users see them: with a text, and a file to save it in."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.program.ir import Program
from autograd_spiral.program.passes.pipeline import readable
from autograd_spiral.program.printing.source import Source

__all__ = ["CapturedProgram"]


@dataclass(frozen=True, eq=False)
class CapturedProgram(Program):
    """A program with its text.

    >>> from autograd_spiral import capture
    >>> step = capture(lambda x: 2 * x)
    >>> _ = step(np.ones(3)), step(np.ones((4, 2)))
    >>> type(step.program).__name__, step.program.inputs[0].shape  # of the last call
    ('CapturedProgram', (4, 2))
    """

    @functools.cached_property
    def _printed(self) -> Source:
        return Source(readable(self))

    @property
    def source(self) -> str:
        """The program as NumPy: a module with one function, from inputs and state to outputs and new state.

        Raises `CaptureError` if it calls a declared primitive whose body cannot run on Tensors.

        >>> from autograd_spiral import capture
        >>> step = capture(lambda x: 2 * x)
        >>> _, namespace = step(np.ones(3)), {}
        >>> exec(step.program.source, namespace)
        >>> namespace["step"](np.array([1.0, 2.0, 3.0]))
        array([2., 4., 6.])
        """
        return self._printed.text

    @property
    def constants(self) -> dict[str, NDArray[Any]]:
        """The large arrays that the function in `source` takes as keyword arguments.

        The keys are their names. Raises `CaptureError` as `source` does.

        >>> from autograd_spiral import capture
        >>> step = capture(lambda x: x + np.arange(100.0))
        >>> _ = step(np.ones(100))
        >>> {name: array.shape for name, array in step.program.constants.items()}
        {'constant': (100,)}
        """
        return self._printed.constants

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write `source` to `path`, a file that can be imported where there is only NumPy, and return the path.

        Large constants are saved next to it, in a file of the same name that ends in .npz. Pass them to the function,
        as the head of the text says: `step(…, **np.load("step.npz"))`. Missing folders are made. Raises ValueError if
        `path` does not end in .py, OSError if it cannot be written, `CaptureError` as `source` does.

        >>> import tempfile
        >>> from autograd_spiral import capture
        >>> step = capture(lambda x: 2 * x)
        >>> _ = step(np.ones(3))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     step.program.save(Path(folder) / "step.py").name
        'step.py'
        """
        target = Path(path)
        if target.suffix.lower() != ".py":
            raise ValueError(f"the suffix must be .py, not as in {target.name!r}: a program is saved as Python")
        text = self.source
        target.parent.mkdir(parents=True, exist_ok=True)
        if self.constants:
            arrays: dict[str, Any] = dict(self.constants)
            beside = target.with_suffix(".npz")
            np.savez(beside, **arrays)
            shown = beside.name if beside.name.isprintable() else repr(beside.name)  # a line end would end the comment
            text = (
                f"# The large constants ({', '.join(arrays)}) are in {shown}, beside this file:\n"
                f"#     constants = np.load({beside.name!r})\n#     {self.name}(..., **constants)\n{text}"
            )
        target.write_text(text, encoding="utf-8")
        return target
