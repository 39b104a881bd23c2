"""The function that is checked, with its inputs: evaluated on arrays, or recorded with gradients."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Sequence
from copy import copy
from itertools import chain
from typing import Any

import numpy as np

from autograd_spiral.engine.grad import grad
from autograd_spiral.engine.messages import is_refused_write, name_of
from autograd_spiral.engine.pytree import flatten, leaf_names, unflatten
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.errors import DtypeError, InPlaceError, RuleError, ShapeError
from autograd_spiral.gradcheck.steadiness import Wobble, wobble_of
from autograd_spiral.gradcheck.verdicts import Array, Findings, Verdict

__all__ = ["CheckedFunction", "gradients_of", "not_finite"]


NAMED = 3  # at most this many non-finite outputs are listed with their indices


class CheckedFunction:
    """A function and its inputs: `arrays` holds copies of them, `floating` the indices of those with gradients.

    Containers among the inputs are taken apart: each array in them is an input. Inputs at the indices `constants` are
    passed unchanged, and have no gradient. `order` is 1, or 2 for the gradients of such a function,
    whose inputs are those of the function and then, at the indices `weights`, the weights of its outputs. `wobble` says
    how far calls lie apart, if they differ by rounding.

    Raises ValueError if no input is floating.
    """

    def __init__(self, function: Callable[..., Any], inputs: Sequence[Any], *, constants: Collection[int] = ()) -> None:
        self.name, self.order = name_of(function), 1
        # called with `recorded` and the arguments: if that is False, the results need no graph
        self._call: Callable[..., Any] = lambda recorded, *args: function(*self.in_form(args))
        places = [leaf_names(flatten(x, _is_data)[1], f"input {i}") for i, x in enumerate(inputs)]
        inputs, self._treedef = flatten(tuple(inputs), _is_data)
        self.arrays = [np.array(x.data if isinstance(x, Tensor) else x) for x in inputs]
        self._others = {i: inputs[i] for i, x in enumerate(self.arrays) if x.dtype.kind in "OUS"}  # such as names
        self.names = [getattr(x, "name", None) or place for x, place in zip(inputs, chain(*places), strict=True)]
        self.floating = [i for i, x in enumerate(self.arrays) if x.dtype.kind == "f" and i not in constants]
        self._given = inputs
        self.weights = range(0)
        self.wobble: Wobble | None = None
        self._tensors = [i for i, x in enumerate(inputs) if i in self.floating or isinstance(x, Tensor)]
        if not self.floating:
            dtypes = ", ".join(str(x.dtype) for x in self.arrays) or "there is none"
            raise ValueError(f"{self.name}: no input is floating ({dtypes}), so there is no gradient to check")

    def in_form(self, leaves: Iterable[Any]) -> Any:
        """Return one thing for each array in the form of the inputs, a tuple."""
        return unflatten(self._treedef, (self._others.get(i, leaf) for i, leaf in enumerate(leaves)))

    def gradients_in(self, given: Any) -> list[Any]:
        """Return the gradients in `given`, in the form of the inputs, or without what in these is not floating."""
        items = [flatten(item, _is_data) for item in (given if isinstance(given, list | tuple) else [given])]
        leaves = [leaf for found, _ in items for leaf in found]
        alike = [treedef for _, treedef in items] == [treedef for _, treedef in self._treedef[1]]
        return [leaves[i] for i in self.floating] if alike else leaves

    @np.errstate(all="ignore")
    def run(self, arrays: Sequence[Array], *, recorded: bool = False) -> tuple[list[Tensor], list[Tensor]]:
        """Return the leaves that the function was given for its floating inputs, and its floating outputs.

        Raises `DtypeError` if there are none of the latter.
        """
        args: list[Any] = list(arrays)
        for i in self._tensors:
            args[i] = Tensor(args[i], requires_grad=i in self.floating, name=self.names[i])
        return [args[i] for i in self.floating], self._outputs(self._call(recorded, *args))

    def _outputs(self, result: Any) -> list[Tensor]:
        """Return the floating outputs, as Tensors."""
        several = result if isinstance(result, list | tuple) else [result]
        outputs = [out if isinstance(out, Tensor) else Tensor(out) for out in several]
        floating = [out for out in outputs if out.dtype.kind == "f"]
        if not floating:
            dtypes = ", ".join(str(out.dtype) for out in outputs) or "nothing"
            raise DtypeError(
                f"{self.name} returned no floating number ({dtypes}), so there is nothing to differentiate: "
                "was a result cast?"
            )
        return floating

    def findings(self, at: int, **found: Any) -> Findings:
        """Return the record of what was `found` of the gradient with respect to input `at`."""
        return Findings(self.names[at], self.arrays[at], self.order, **found)

    def faults(self) -> list[Findings]:
        """Return the faults that make a check impossible: two calls differ, or something is overwritten.

        Two calls of the function are compared, and two sweeps of one call, with another call between them: rules must
        compute from what they are given alone, not from what the last call left. Neither may write into it, nor into
        the arrays of the caller. Calls may differ by rounding, which `wobble` then holds.
        """
        given = [x.copy() for x in self.arrays]
        try:
            _, first = self.run(given)
            _, second = self.run([x.copy() for x in self.arrays])
            changed = [i for i, (x, was) in enumerate(zip(given, self.arrays, strict=True)) if not _same(x, was)]
            if changed:
                return self._faults(Verdict.OVERWRITTEN, "the function writes into this input", changed)
            if overwritten := self._overwritten():
                return overwritten
            if not _all_same(first, second) and not self._steady():
                return self._faults(Verdict.NOT_DETERMINISTIC, "two calls returned different values", self.floating)
            gradients, again = self._swept_twice()
        except (InPlaceError, RuleError, ValueError) as error:
            if is_refused_write(error):
                return self._faults(Verdict.OVERWRITTEN, f"the function writes into an input: {error}", self.floating)
            if isinstance(error, InPlaceError) or is_refused_write(error.__cause__):
                return self._faults(Verdict.OVERWRITTEN, str(error).splitlines()[-1], self.floating)
            raise
        if overwritten := self._overwritten():
            return overwritten
        changed = [at for at, a, b in zip(self.floating, gradients, again, strict=True) if not _same(a.data, b.data)]
        if changed and self._steady([gradients, again]):
            return []
        text = "two sweeps returned different gradients: a rule must compute from its arguments alone"
        return self._faults(Verdict.NOT_DETERMINISTIC, text, changed)

    @np.errstate(all="ignore")
    def _swept_twice(self) -> list[tuple[Tensor, ...]]:
        cotangents = self.cotangents(None)
        leaves, outputs = self.run(self.arrays, recorded=True)
        found = []
        for _ in range(2):
            found.append(gradients_of(outputs, leaves, cotangents))
            with contextlib.suppress(Exception):  # so near, differences will be taken as well
                self.run([x - x / 256 if i in self.floating else x for i, x in enumerate(self.arrays)])
        return found

    def _overwritten(self) -> list[Findings]:
        """Return the fault of inputs that the caller holds and the function has changed."""
        given = [x.data if isinstance(x, Tensor) else x for x in self._given]
        pairs = enumerate(zip(given, self.arrays, strict=True))
        changed = [i for i, (x, was) in pairs if isinstance(x, np.ndarray) and not _same(x, was)]
        text = "the function writes into the caller's array of this input, which it knows by another name"
        return self._faults(Verdict.OVERWRITTEN, text, changed)

    def _steady(self, sweeps: Sequence[Sequence[Tensor]] = ()) -> bool:
        """Measure how far calls and `sweeps` lie apart; return whether that is no more than rounding."""
        cotangents = self.cotangents(None)

        def call() -> tuple[Sequence[Tensor], Sequence[Tensor]]:
            leaves, outputs = self.run(self.arrays, recorded=True)
            return outputs, gradients_of(outputs, leaves, cotangents)

        self.wobble = wobble_of(call, sweeps)
        return self.wobble is not None

    def _faults(self, verdict: Verdict, text: str, inputs: Sequence[int]) -> list[Findings]:
        return [self.findings(at, fault=verdict, diagnosis=text) for at in inputs]

    def cotangents(self, given: Any) -> list[Array]:
        """Return a weight for each element of the outputs: those `given`, else 1 for a single number, else random ones.

        Raises `ShapeError` if those given do not fit the outputs.
        """
        _, outputs = self.run(self.arrays)
        if given is None:
            if len(outputs) == 1 and outputs[0].size == 1:
                return [np.ones(outputs[0].shape, outputs[0].dtype)]
            rng = np.random.default_rng(len(outputs))
            signs = [rng.choice([-1.0, 1.0], out.shape) for out in outputs]
            given = [sign * rng.uniform(0.5, 1.5, sign.shape) for sign in signs]
        several = given if isinstance(given, list | tuple) else [given]
        weights = [np.asarray(ct.data if isinstance(ct, Tensor) else ct) for ct in several]
        if [ct.shape for ct in weights] != [out.shape for out in outputs]:
            raise ShapeError(
                f"{self.name}: cotangents of shapes {', '.join(str(ct.shape) for ct in weights)} "
                f"do not fit outputs of shapes {', '.join(str(out.shape) for out in outputs)}"
            )
        return [np.asarray(ct, dtype=out.dtype) for ct, out in zip(weights, outputs, strict=True)]

    def gradient(self, cotangents: Sequence[Array]) -> CheckedFunction:
        """Return the gradients of this function as a function, of its inputs and of the weights of its outputs."""
        count = len(self.arrays)

        def gradients(recorded: bool, *args: Any) -> tuple[Tensor, ...]:
            leaves = [arg for arg in args[:count] if isinstance(arg, Tensor) and arg.requires_grad]
            outputs = self._outputs(self._call(True, *args[:count]))
            weights = [ct.astype(out.dtype) for ct, out in zip(args[count:], outputs, strict=True)]
            return gradients_of(outputs, leaves, weights, create_graph=recorded)

        derivative = copy(self)
        derivative.order, derivative.wobble = 2, None
        derivative._call = gradients
        derivative.arrays = [*self.arrays, *(np.array(ct) for ct in cotangents)]
        derivative.weights = weights = range(count, len(derivative.arrays))
        names = ["cotangent"] if len(cotangents) == 1 else [f"cotangent {i}" for i in range(len(cotangents))]
        derivative.names = [*self.names, *names]
        derivative.floating, derivative._tensors = [*self.floating, *weights], [*self._tensors, *weights]
        derivative._given = [*self._given, *(None for _ in weights)]
        return derivative


def gradients_of(
    outputs: Sequence[Tensor], leaves: Sequence[Tensor], weights: Sequence[Any], create_graph: bool = False
) -> tuple[Tensor, ...]:
    """Return what `grad` does; zeros, without a warning, if all outputs are constants: a check says that itself."""
    if all(out.is_leaf and not out.requires_grad for out in outputs):
        return tuple(Tensor(np.zeros(leaf.shape, leaf.dtype)) for leaf in leaves)
    return grad(outputs, tuple(leaves), weights, create_graph=create_graph)


def not_finite(outputs: Sequence[Array]) -> str:
    """Return where the outputs of a function are not finite, in words; "" if they all are.

    >>> not_finite([np.array([1.0, np.nan, np.nan])]), not_finite([np.ones(2), np.array(np.inf)])
    ('the function is nan at (1,), (2,)', 'output 1 is inf')
    """
    says = []
    for i, out in enumerate(outputs):
        lost = np.argwhere(~np.isfinite(out)).tolist()
        if not lost:
            continue
        values = dict.fromkeys("nan" if nan else "inf" for nan in np.isnan(out[~np.isfinite(out)]).tolist())
        text = f"{'the function' if len(outputs) == 1 else f'output {i}'} is {' or '.join(values)}"
        if out.size > 1 and len(lost) == out.size:
            text += " everywhere"
        elif out.size > 1:
            more = f" and {len(lost) - NAMED} more" if len(lost) > NAMED else ""
            text += f" at {', '.join(str(tuple(index)) for index in lost[:NAMED])}{more}"
        says.append(text)
    return ", ".join(says)


def _all_same(first: Sequence[Tensor], second: Sequence[Tensor]) -> bool:
    return len(first) == len(second) and all(_same(a.data, b.data) for a, b in zip(first, second, strict=True))


def _is_data(tree: Any) -> bool:
    """Whether NumPy makes an array of a list, because there are numbers alone in it."""
    return isinstance(tree, list | tuple) and all(isinstance(leaf, int | float) for leaf in flatten(tree)[0])


def _same(a: Array, b: Array) -> bool:
    return np.array_equal(a, b, equal_nan=a.dtype.kind == "f" and b.dtype.kind == "f")
