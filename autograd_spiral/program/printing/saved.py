"""Programs as users see them: with their source, which can be saved as a file."""

from __future__ import annotations

import contextlib
import functools
import os
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.errors import CaptureError
from autograd_spiral.files import atomic_write
from autograd_spiral.program.ir import Program
from autograd_spiral.program.locks import holding, locks_of
from autograd_spiral.program.passes.pipeline import readable
from autograd_spiral.program.passes.split import rows_of, split
from autograd_spiral.program.printing.names import function_name, given_names
from autograd_spiral.program.printing.source import Source
from autograd_spiral.program.printing.usage import usage

__all__ = ["CapturedProgram"]


class SourceText(str):
    """Python source that notebooks show as code.

    >>> SourceText("y = 2 * x")._repr_markdown_()
    '```python\\ny = 2 * x\\n```'
    """

    __slots__ = ()

    def _repr_markdown_(self) -> str:
        return f"```python\n{self.rstrip()}\n```"


@dataclass(frozen=True, eq=False, repr=False)
class CapturedProgram(Program):
    """A program that can be printed and saved as source code.

    The function in the source has the name of the step, if Python permits that name. `references` are weak references
    to the tensors that hold the state, in the order of `state`.

    >>> from autograd_spiral import capture
    >>> step = capture(lambda x: 2 * x)
    >>> _ = step(np.ones(3)), step(np.ones((4, 2)))
    >>> type(step.program).__name__, step.program.inputs[0].shape  # of the last call
    ('CapturedProgram', (4, 2))
    """

    references: tuple[weakref.ref[Tensor], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", function_name(self.name))
        super().__post_init__()

    def __repr__(self) -> str:
        given, equations = ", ".join(given_names(self).values()), len(self.equations)
        counts = {"equation": equations, "output": len(self.outputs), "new state": len(self.updates)}
        told = ", ".join(f"{n} {what}{'s' * (n != 1 and what != 'new state')}" for what, n in counts.items() if n)
        return f"<program {self.name}({given}): {told}>"

    @property
    def leaves(self) -> tuple[Tensor, ...]:
        """The tensors that hold the state, in the order of `state`.

        Raises `CaptureError` if one of them was deleted.

        >>> from autograd_spiral import capture
        >>> w = Tensor(2.0, requires_grad=True, name="w")
        >>> step = capture(lambda x: w * x)
        >>> _ = step(np.ones(3))
        >>> step.program.leaves[0] is w
        True
        """
        leaves = tuple(leaf for reference in self.references if (leaf := reference()) is not None)
        if len(leaves) < len(self.references):
            raise CaptureError(f"a tensor that held the state of {self.name} was deleted: save the program before that")
        return leaves

    @functools.cached_property
    def _printed(self) -> Source:
        return Source(readable(self))

    @property
    def source(self) -> str:
        """The program as NumPy source: a module with one function.

        The function takes the inputs, the state that the step assigns, and the state that it only reads. It returns the
        outputs, and then the new state, in the order of the arguments. So you can call it in a loop, as in
        `loss, *state = step(X, y, *state)`. Raises `CaptureError` if the step calls an operation that was declared with
        `@primitive`, and the function of this operation does not work with Tensors.

        >>> from autograd_spiral import capture
        >>> step = capture(lambda x: 2 * x)
        >>> _, namespace = step(np.ones(3)), {}
        >>> exec(step.program.source, namespace)
        >>> namespace["step"](np.array([1.0, 2.0, 3.0]))
        array([2., 4., 6.])
        """
        return SourceText(self._printed.text)

    def plan(self) -> None:
        """Print how the program can be computed in blocks of rows.

        A pass goes through all rows, block by block. Each line of the plan is about one value. It shows in which pass,
        or after which pass, the value is computed, and whether it is computed per row or combined over all rows. Large
        programs with a single pass run in blocks; see `blocks`.

        >>> from autograd_spiral import capture
        >>> step = capture(lambda X: np.tanh(X).sum())
        >>> _ = step(np.ones((300, 2)))
        >>> step.program.plan()
        300 rows, in 1 pass
        pass 1  per row           np.tanh (300, 2)
        pass 1  combined          np.sum ()
        """
        parts = split(readable(self), rows_of(self))
        print(f"{parts.rows} rows, in {len(parts.passes)} pass{'es' * (len(parts.passes) != 1)}")
        print(*parts.describe(), sep="\n")

    @property
    def constants(self) -> dict[str, NDArray[Any]]:
        """The large arrays that the function in `source` takes as keyword arguments, by name.

        Raises the errors of `source`.

        >>> from autograd_spiral import capture
        >>> step = capture(lambda x: x + np.arange(100.0))
        >>> _ = step(np.ones(100))
        >>> {name: array.shape for name, array in step.program.constants.items()}
        {'constant': (100,)}
        """
        return self._printed.constants

    def save(self, path: str | os.PathLike[str]) -> Path:
        r"""Write the program to `path`, a Python file that needs only NumPy, and return the path.

        The file contains the function of `source`. In the file, this function also raises ValueError for invalid
        labels, and for arguments that do not have the shapes and dtypes with which the step was captured. The current
        state and large constants are saved next to the file, in a file of the same name that ends in .npz. A comment at
        the beginning of the Python file shows a loop that continues from this state. Missing folders are created.
        Raises ValueError if `path` does not end in .py, OSError if it cannot be written, and the errors of `source`.

        >>> import tempfile
        >>> from autograd_spiral import capture, grad
        >>> w = Tensor([1.0, 2.0], requires_grad=True, name="w")
        >>> @capture
        ... def step(x):
        ...     loss = np.sum((w - x) ** 2)
        ...     w.assign(w - 0.1 * grad(loss, w))
        ...     return loss
        >>> _ = step(np.zeros(2))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     text = step.program.save(Path(folder) / "saved_step.py").read_text()
        >>> print(text[: text.index("\nimport")])
        # To go on from the state in 'saved_step.npz', next to this file:
        #
        #     import numpy as np
        #     from saved_step import step
        #
        #     saved = dict(np.load('saved_step.npz'))
        #     state = [saved.pop(name) for name in ('w',)]
        #
        #     for x in batches:  # x (2,)
        #         loss, *state = step(x, *state)
        #
        """
        target = Path(path)
        if target.suffix.lower() != ".py":
            raise ValueError(f"the suffix must be .py, not as in {target.name!r}: a program is saved as Python")
        program = readable(self)
        source = Source(program, checked=True)
        leaves = self.leaves
        held = holding(locks_of(leaves), lambda: [leaf.data for leaf in leaves])  # while no thread can update them
        state = {source.names[value]: array for value, array in zip(self.state, held, strict=True)}
        arrays: dict[str, Any] = {**state, **source.constants}
        text = (usage(program, source, target) + source.text).encode()
        with contextlib.ExitStack() as files:  # either both files are replaced, or none
            beside = files.enter_context(atomic_write(target.with_suffix(".npz"))) if arrays else None
            files.enter_context(atomic_write(target)).write(text)
            if beside is not None:
                np.savez(beside, **arrays)
        return target
