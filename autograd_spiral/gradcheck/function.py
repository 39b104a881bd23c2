"""The function that is checked, with its inputs: evaluated on arrays, or recorded with gradients."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Sequence
from copy import copy
from typing import Any, NamedTuple

import numpy as np

from autograd_spiral.engine.frozen import frozen
from autograd_spiral.engine.grad import grad
from autograd_spiral.engine.messages import name_of
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.errors import DtypeError, ShapeError
from autograd_spiral.gradcheck.arguments import Arguments, leaves_of
from autograd_spiral.gradcheck.differences import typical_scale
from autograd_spiral.gradcheck.rounding import at_least, joined
from autograd_spiral.gradcheck.verdicts import Array, Findings, Verdict

__all__ = ["CheckedFunction", "Swept", "Wobble", "all_same", "gradients_of", "is_recorded", "not_finite", "same"]


NO_TENSOR = "no Tensor came back that depends on an input: float(t), t.item() and t.data drop the graph"
DISTANCE = 2.0**-7  # of a point beside the inputs, relative to their size
LONGEST_REASON = 120  # characters of an error message that a report repeats
NAMED = 3  # at most this many non-finite outputs are listed with their indices


class Swept(NamedTuple):
    """A recorded run: the leaf and the gradient of each floating input, by its index, and the outputs."""

    leaves: dict[int, Tensor]
    outputs: list[Tensor]
    gradients: dict[int, Array]


class Wobble(NamedTuple):
    """How much the outputs and the gradients of several calls differ, element by element."""

    outputs: list[Array]
    gradients: list[Array]


class CheckedFunction:
    """A function and its inputs: `arrays` holds copies of all leaves, `floating` the indices of those with gradients.

    The inputs may be in containers: see `arguments`. The arguments with the numbers `constants` have no gradient.
    `order` is 1 for a function itself, and 2 for its gradients. These are a function of the same inputs, and of the
    weights of the outputs, which are at the indices `weights`. `wobble` says by how much calls differ, if they differ
    by rounding.

    Raises ValueError if no input is floating.
    """

    def __init__(self, function: Callable[..., Any], inputs: Sequence[Any], *, constants: Collection[int] = ()) -> None:
        self.name, self.order = name_of(function), 1
        self.takes_tensors, self._values_by_arrays = True, False
        self.arguments = Arguments(function, inputs)
        # Called with `recorded` and all leaves: if `recorded` is False, the results need no graph.
        self._call: Callable[[bool, list[Any]], Any] = lambda recorded, leaves: function(
            *self.arguments.with_leaves(leaves)
        )
        self._given, self.names = list(self.arguments.leaves), list(self.arguments.names)
        self.arrays = [np.array(x.data if isinstance(x, Tensor) else x) for x in self._given]
        self.weights = range(0)
        self.wobble: Wobble | None = None
        settings = self.arguments.settings
        constant = [i in constants or at in settings for at, i in enumerate(self.arguments.positions)]
        self.floating = [i for i, x in enumerate(self.arrays) if x.dtype.kind == "f" and not constant[i]]
        self._tensors = [i for i, x in enumerate(self._given) if i in self.floating or isinstance(x, Tensor)]
        if not self.floating:
            dtypes = ", ".join(str(x.dtype) for x in self.arrays) or "there is none"
            raise ValueError(f"{self.name}: no input is floating ({dtypes}), so there is no gradient to check")

    def as_arrays(self) -> CheckedFunction:
        """Return the same function, to be called with arrays, so that its outputs have no graph."""
        plain = copy(self)
        plain.takes_tensors = False
        return plain

    @property
    def narrowest(self) -> np.dtype[Any]:
        """The narrowest dtype of a floating input."""
        return min((self.arrays[at].dtype for at in self.floating), key=lambda dtype: dtype.itemsize)

    def in_float64(self) -> list[Any]:
        """Return the arguments with all floating arrays in float64, or an empty list if they all are in float64."""
        if all(self.arrays[at].itemsize >= 8 for at in self.floating):
            return []
        return self.with_arrays([at_least(x, float) for x in self.arrays])

    def use_arrays_for_values(self) -> None:
        """Switch to calls with arrays, which are faster, where no gradients are needed.

        This is done only if the function then returns the same numbers, to the last bit, at the inputs and beside them.
        The arrays are read-only, as those of Tensors are.
        """
        by_arrays = copy(self)
        by_arrays._values_by_arrays = True
        points = self.arrays, self.beside()
        with contextlib.suppress(Exception):
            self._values_by_arrays = all(all_same(self.run(x)[1], by_arrays.run(x)[1]) for x in points)

    def beside(self) -> list[Array]:
        """Return arrays near the inputs, about as far away as the points that differences use."""
        rng, arrays = np.random.default_rng(0), list(self.arrays)
        for at in self.floating:
            x = arrays[at]
            arrays[at] = np.asarray(x + typical_scale(x) * rng.uniform(DISTANCE / 2, DISTANCE, x.shape), x.dtype)
        return arrays

    def with_arrays(self, arrays: Sequence[Array]) -> list[Any]:
        """Return the arguments of a call with `arrays` in place of all numbers and arrays."""
        return self.arguments.with_leaves([self._leaf(i, x) for i, x in enumerate(arrays)])

    def _leaf(self, i: int, x: Array) -> Any:
        """Return what the function gets in place of leaf `i`, given the array `x`."""
        given = self._given[i]
        if i in self.arguments.settings:
            return given
        if isinstance(given, float | np.generic):
            return x[()]
        # Anything that is not an array, such as the number of an axis or None, is passed on unchanged.
        return x if isinstance(given, np.ndarray | Tensor | list | tuple) else given

    def why_not_recorded(self) -> str:
        """Return why a call with Tensors has no graph, in a few words; "" if it has one.

        If a call with arrays raises the error, too, this method raises it.
        """
        try:
            _, outputs = self.run([x.copy() for x in self.arrays], recorded=True)
        except Exception as error:
            self.as_arrays().run([x.copy() for x in self.arrays])
            first, _, _ = (str(error).splitlines() or [""])[0].partition(": ")  # the rest says what to write instead
            return f"{type(error).__name__}: {first[:LONGEST_REASON]}"
        return "" if any(out.requires_grad for out in outputs) else NO_TENSOR

    @np.errstate(all="ignore")
    def values(self, arrays: Sequence[Array]) -> Array:
        """Return the floating outputs, all elements in a row."""
        return joined([out.data if isinstance(out, Tensor) else out for out in self._results(False, arrays)[1]])

    def complex_values(self, arrays: Sequence[Array]) -> Array:
        """Return the outputs at complex arrays, all in a row; a function that cannot take them may raise any error."""
        outputs = leaves_of(self._call(False, [self._leaf(i, x) for i, x in enumerate(arrays)]))
        return np.concatenate([out for out in map(np.asarray, outputs) if out.dtype.kind in "fc"], axis=None)

    @np.errstate(all="ignore")
    def run(self, arrays: Sequence[Array], *, recorded: bool = False) -> tuple[list[Tensor], list[Tensor]]:
        """Return the leaves that the function was given for its floating inputs, if recorded, and its floating outputs.

        Raises `DtypeError` if no output is floating.
        """
        leaves, outputs = self._results(recorded, arrays)
        return leaves, _tensors(outputs)

    def _results(self, recorded: bool, arrays: Sequence[Array]) -> tuple[list[Tensor], list[Any]]:
        """Return what `run` returns, with outputs that can also be arrays."""
        by_arrays = self._values_by_arrays and not recorded
        if by_arrays:
            arrays = [frozen(x.view()) for x in arrays]
        given = [self._leaf(i, x) for i, x in enumerate(arrays)]
        if self.takes_tensors and not by_arrays:
            for i in self._tensors:
                given[i] = Tensor(arrays[i], requires_grad=i in self.floating, name=self.names[i])
        outputs = self._outputs(self._call(recorded, given))
        return _tensors(given[i] for i in self.floating if recorded), outputs

    def _outputs(self, result: Any) -> list[Any]:
        """Return the floating outputs: Tensors, or arrays of real numbers."""
        if result is None:
            what = "no Tensor came back" if self.takes_tensors else "nothing came back"
            raise DtypeError(f"{self.name} returned None: {what}: was `return` forgotten?")
        outputs = [out if _is_real(out) else Tensor(out) for out in leaves_of(result)]
        floating = [out for out in outputs if out.dtype.kind == "f"]
        if not floating:
            dtypes = ", ".join(str(out.dtype) for out in outputs) or "nothing"
            raise DtypeError(
                f"{self.name} returned no floating number ({dtypes}), so there is nothing to differentiate: "
                "was a result cast?"
            )
        return floating

    def findings(self, at: int, **found: Any) -> Findings:
        """Return the findings on the gradient with respect to input `at`; `found` holds their fields."""
        return Findings(self.names[at], self.arrays[at], self.order, **found)

    def changed(self, given: Sequence[Any] | None = None) -> list[int]:
        """Return the indices of those arrays `given`, by default the caller's, that no longer equal the inputs."""
        given = given or [x.data if isinstance(x, Tensor) else x for x in self._given]
        pairs = enumerate(zip(given, self.arrays, strict=True))
        return [i for i, (x, was) in pairs if isinstance(x, np.ndarray) and not same(x, was)]

    @np.errstate(all="ignore")
    def swept(self, cotangents: Sequence[Array]) -> Swept:
        """Record the function, and take the gradients of its outputs with these cotangents."""
        leaves, outputs = self.run(self.arrays, recorded=True)
        gradients = [g.data for g in gradients_of(outputs, leaves, cotangents)]
        at = self.floating
        return Swept(dict(zip(at, leaves, strict=True)), outputs, dict(zip(at, gradients, strict=True)))

    def refused(self, verdict: Verdict, text: str, inputs: Sequence[int]) -> list[Findings]:
        """Return findings for each of these inputs, which all have the same fault."""
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
        """Return the function that maps the inputs, and weights for the outputs, to the gradients of this function."""
        count = len(self.arrays)

        def gradients(recorded: bool, leaves: list[Any]) -> tuple[Tensor, ...]:
            inner, weights = leaves[:count], leaves[count:]
            outputs = _tensors(self._outputs(self._call(True, inner)))
            pairs = zip(weights, outputs, strict=True)
            weights = [ct if ct.dtype == out.dtype else ct.astype(out.dtype) for ct, out in pairs]
            return gradients_of(outputs, [inner[i] for i in self.floating], weights, create_graph=recorded)

        derivative = copy(self)
        derivative.order, derivative.wobble, derivative._values_by_arrays = 2, None, False
        derivative._call = gradients
        derivative.arrays = [*self.arrays, *(np.array(ct) for ct in cotangents)]
        derivative.weights = weights = range(len(self.arrays), len(derivative.arrays))
        names = ["cotangent"] if len(cotangents) == 1 else [f"cotangent {i}" for i in range(len(cotangents))]
        derivative.names = [*self.names, *names]
        derivative.floating, derivative._tensors = [*self.floating, *weights], [*self._tensors, *weights]
        derivative._given = [*self._given, *(None for _ in weights)]
        return derivative


def gradients_of(
    outputs: Sequence[Tensor], leaves: Sequence[Tensor], weights: Sequence[Any], create_graph: bool = False
) -> tuple[Tensor, ...]:
    """Return the result of `grad`, or zeros without a warning if all outputs are constants, which a check reports."""
    if not is_recorded(outputs):
        return tuple(Tensor(np.zeros(leaf.shape, leaf.dtype)) for leaf in leaves)
    return grad(outputs, tuple(leaves), weights, create_graph=create_graph)


def is_recorded(outputs: Sequence[Tensor]) -> bool:
    """Return whether at least one of the outputs of a function has a graph."""
    return any(out.requires_grad or out.args for out in outputs)


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


def same(a: Array, b: Array) -> bool:
    """Return whether arrays are the same, to the last bit; NaN is the same as NaN."""
    return np.array_equal(a, b, equal_nan=a.dtype.kind == "f" and b.dtype.kind == "f")


def all_same(first: Sequence[Tensor], second: Sequence[Tensor]) -> bool:
    """Return whether outputs are the same, to the last bit."""
    if [x.dtype for x in first] != [x.dtype for x in second]:
        return False
    return all(same(a.data, b.data) for a, b in zip(first, second, strict=True))


def _tensors(values: Iterable[Any]) -> list[Tensor]:
    return [value if isinstance(value, Tensor) else Tensor(value) for value in values]


def _is_real(out: Any) -> bool:
    """Return whether `out` is a Tensor or an array of real numbers. Making a Tensor of anything else may raise."""
    return isinstance(out, Tensor) or (type(out) is np.ndarray and out.dtype.kind in "fiub")
