"""What a gradient check is made of: a function with its inputs, recorded once and evaluated at will."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.engine.grad import grad
from autograd_spiral.engine.messages import name_of
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.errors import InPlaceError, ShapeError
from autograd_spiral.gradcheck.report import InputReport, Verdict

__all__ = ["Subject", "gradients_of"]

Array: TypeAlias = NDArray[Any]


class Subject:
    """A function and its inputs: `arrays` holds copies of them, `floating` the places of those with gradients.

    Those at the places `constants` are passed as they are, and have none.

    Raises `ValueError` when no input is floating.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        inputs: Sequence[Any],
        *,
        values: Callable[..., Any] | None = None,
        name: str | None = None,
        constants: Collection[int] = (),
    ) -> None:
        self._function = function
        self._values = values or function  # what is evaluated where no gradient is asked for
        self._were_tensors = [isinstance(x, Tensor) for x in inputs]
        self.arrays = [np.array(x.data if isinstance(x, Tensor) else x) for x in inputs]
        self.names = [getattr(x, "name", None) or f"input {i}" for i, x in enumerate(inputs)]
        self.floating = [i for i, x in enumerate(self.arrays) if x.dtype.kind == "f" and i not in constants]
        self._constants = constants
        self.name = name or name_of(function)
        if not self.floating:
            dtypes = ", ".join(str(x.dtype) for x in self.arrays) or "there is none"
            raise ValueError(f"{self.name}: no input is floating ({dtypes}), so there is no gradient to check")

    def run(self, arrays: Sequence[Array], *, recorded: bool = False) -> tuple[list[Tensor], list[Tensor]]:
        """The function at `arrays`: the leaves it was given for the floating ones, and its floating outputs."""
        leaves: list[Tensor] = []
        args: list[Any] = []
        for i, (x, was_tensor, name) in enumerate(zip(arrays, self._were_tensors, self.names, strict=True)):
            if i in self.floating:
                leaves.append(Tensor(x, requires_grad=True, name=name))
                args.append(leaves[-1])
            else:
                args.append(Tensor(x) if was_tensor else x)
        result = (self._function if recorded else self._values)(*args)
        return leaves, _floating_outputs(result)

    def faults(self, order: int) -> list[InputReport]:
        """What makes a check impossible: a function that differs between two calls, or overwrites its inputs."""
        given = [x.copy() for x in self.arrays]
        with np.errstate(all="ignore"):
            try:
                _, first = self.run(given)
                _, second = self.run([x.copy() for x in self.arrays])
            except (InPlaceError, ValueError) as error:
                if isinstance(error, InPlaceError) or "read-only" in str(error):
                    return self._fault(order, Verdict.OVERWRITTEN, str(error), self.floating)
                raise
        changed = [i for i, (x, was) in enumerate(zip(given, self.arrays, strict=True)) if not _same(x, was)]
        if changed:
            return self._fault(order, Verdict.OVERWRITTEN, "the function writes into this input", changed)
        if len(first) != len(second) or not all(_same(a.data, b.data) for a, b in zip(first, second, strict=True)):
            return self._fault(order, Verdict.NOT_DETERMINISTIC, "two calls gave different values", self.floating)
        return []

    def _fault(self, order: int, verdict: Verdict, text: str, places: Sequence[int]) -> list[InputReport]:
        rows = []
        for i in places:
            x = self.arrays[i]
            counts = {verdict: max(x.size, 1)}
            rows.append(InputReport(self.names[i], x.shape, str(x.dtype), order, "elements", counts, None, text))
        return rows

    def cotangents(self, given: Any) -> list[Array]:
        """One weight for each element of the outputs: `given` ones, or random ones, or 1 for a single number.

        Raises `ShapeError` when `given` does not fit the outputs.
        """
        with np.errstate(all="ignore"):
            _, outputs = self.run(self.arrays)
        if given is None:
            if len(outputs) == 1 and outputs[0].size == 1:
                return [np.ones(outputs[0].shape, outputs[0].dtype)]
            rng = np.random.default_rng(len(outputs))
            signs = [rng.choice([-1.0, 1.0], out.shape) for out in outputs]
            return [
                np.asarray(sign * rng.uniform(0.5, 1.5, out.shape), dtype=out.dtype)
                for sign, out in zip(signs, outputs, strict=True)
            ]
        several = given if isinstance(given, list | tuple) else [given]
        weights = [np.asarray(ct.data if isinstance(ct, Tensor) else ct) for ct in several]
        if [ct.shape for ct in weights] != [out.shape for out in outputs]:
            shapes = ", ".join(str(out.shape) for out in outputs)
            raise ShapeError(
                f"{self.name}: cotangents of shapes {', '.join(str(ct.shape) for ct in weights)} "
                f"do not fit outputs of shapes {shapes}"
            )
        return [np.asarray(ct, dtype=out.dtype) for ct, out in zip(weights, outputs, strict=True)]

    def gradient(self, cotangents: Sequence[Array]) -> Subject:
        """The gradients of this subject as a subject of their own, to be differentiated in turn."""

        def gradients(create_graph: bool, *args: Any) -> tuple[Tensor, ...]:
            leaves = [arg for arg in args if isinstance(arg, Tensor) and arg.requires_grad]
            outputs = _floating_outputs(self._function(*args))
            weights = [np.asarray(ct, dtype=out.dtype) for ct, out in zip(cotangents, outputs, strict=True)]
            return gradients_of(outputs, leaves, weights, create_graph)

        inputs = [Tensor(x, name=name) for x, name in zip(self.arrays, self.names, strict=True)]
        subject = Subject(
            lambda *args: gradients(True, *args),
            inputs,
            values=lambda *args: gradients(False, *args),
            name=self.name,
            constants=self._constants,
        )
        subject._were_tensors = self._were_tensors
        return subject


def gradients_of(
    outputs: Sequence[Tensor], leaves: Sequence[Tensor], weights: Sequence[Array], create_graph: bool = False
) -> tuple[Tensor, ...]:
    """`grad`; zeros without a warning where all outputs are constants, since a check says itself that a path is cut."""
    if all(out.is_leaf and not out.requires_grad for out in outputs):
        return tuple(Tensor(np.zeros(leaf.shape, leaf.dtype)) for leaf in leaves)
    return grad(outputs, leaves, weights, create_graph=create_graph)


def _floating_outputs(result: Any) -> list[Tensor]:
    several = result if isinstance(result, list | tuple) else [result]
    outputs = [out if isinstance(out, Tensor) else Tensor(out) for out in several]
    return [out for out in outputs if out.dtype.kind == "f"]


def _same(a: Array, b: Array) -> bool:
    return np.array_equal(a, b, equal_nan=a.dtype.kind == "f" and b.dtype.kind == "f")
