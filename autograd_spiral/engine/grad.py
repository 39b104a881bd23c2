"""`grad`: the gradients of outputs with respect to inputs, as values or with a graph of their own."""

from __future__ import annotations

import functools
import warnings
import weakref
from collections.abc import Iterable, Iterator, Sequence, ValuesView
from typing import Any, Never, TypeVar, overload

import numpy as np

from autograd_spiral.engine import messages
from autograd_spiral.engine.frozen import taken
from autograd_spiral.engine.modes import MODE, NO_TRACE, entering
from autograd_spiral.engine.pytree import LEAF, called_in, flatten, unflatten, with_settings
from autograd_spiral.engine.sweep import sweep
from autograd_spiral.engine.tensor import Tensor, as_leaf, seed_cotangent
from autograd_spiral.errors import ShapeError

__all__ = ["flatten_parameters", "grad", "note_inputs", "parameters_in", "tensors_in"]

Parameters = TypeVar("Parameters")


@overload
def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Iterator[Tensor] | ValuesView[Tensor],
    cotangents: Any = None,
    create_graph: bool = False,
) -> tuple[Tensor, ...]: ...
@overload
def grad(
    outputs: Tensor | Sequence[Tensor], inputs: Parameters, cotangents: Any = None, create_graph: bool = False
) -> Parameters: ...
def grad(outputs: Any, inputs: Any = None, cotangents: Any = None, create_graph: bool = False, **others: Never) -> Any:
    """Return the gradients of `outputs` with respect to `inputs`: for each input, a Tensor of the same shape.

    `outputs` is a Tensor or a sequence of Tensors, whose sum is differentiated. `inputs` is a Tensor, or a list, tuple,
    dict or dataclass of Tensors, nested as you like. The gradients come back in the same form. A container may also
    hold settings, such as strings, numbers, functions and None; these come back unchanged. An input that the outputs do
    not depend on gets zeros. The `.grad` of the tensors does not change.

    If an output has more than one element, `cotangents` is needed: for each output, an array with a weight for each
    element (a single array, if `outputs` is a single Tensor). The results are then the gradients of the weighted sum of
    all elements. (They are vector-Jacobian products.) With `create_graph=True`, the results can themselves be
    differentiated, as in the example.

    Issues a UserWarning if no output was computed from a tensor that requires gradients, since all gradients are then
    zeros. Also issues one if an input is the result of ten updates such as `w = w - 0.1 * grad(loss, w)`, since each of
    them makes the record longer. Raises `DtypeError` for integer tensors, and `GradientError` if `cotangents` is
    missing or if an input does not require gradients. Raises `StaleLeafError` if `create_graph` needs the old value of
    a tensor that `assign` has changed.

    >>> x = Tensor(3.0, requires_grad=True)
    >>> first = grad(x**3, x, create_graph=True)
    >>> second = grad(first, x)
    >>> float(first), float(second)  # 3 * x**2 and 6 * x
    (27.0, 18.0)
    >>> net = {"w": x, "b": Tensor(1.0, requires_grad=True)}
    >>> grad(net["w"] ** 2 + net["b"], net)
    {'w': Tensor(6.), 'b': Tensor(1.)}
    """
    if others:
        raise messages.unknown_keyword("grad", *others)
    if inputs is None and not callable(outputs):
        raise TypeError(
            "grad takes the parameters too: write grad(loss, parameters), or loss.backward() for all leaves"
        )
    (ends, ends_def), (starts, treedef) = tensors_in(outputs, "grad: output"), parameters_in(inputs, "grad: input")
    if starts and ends and all(end.is_leaf and end._requires_grad for end in ends) and not starts[0].is_leaf:
        raise messages.swapped(starts[0])
    for i, end in enumerate(ends):
        if end._value.dtype.kind != "f":
            raise messages.integer_in_grad(called_in(ends_def, i, "output"), end)
    for i, start in enumerate(starts):
        if not start._requires_grad:
            role, captured = called_in(treedef, i, "input"), MODE.get().trace is not NO_TRACE
            if start._value.dtype.kind != "f":
                raise messages.integer_in_grad(role, start)
            raise messages.input_without_gradient(role, start, captured=captured)
        if start.args and not create_graph:
            warning = messages.many_updates(called_in(treedef, i, "input"), start, _ASKED)
            _ASKED[start.serial] = start
            if warning:
                warnings.warn(warning, UserWarning, stacklevel=2)
    given: Sequence[Any] = [None] * len(ends)
    if cotangents is not None:
        given = [cotangents] if isinstance(outputs, Tensor) else list(cotangents)
    if len(given) != len(ends):
        raise ShapeError(f"grad: {len(ends)} outputs but {len(given)} cotangents")
    if ends and not any(end._requires_grad or end.args for end in ends):
        warnings.warn(f"grad returns zeros, because {messages.no_gradient(ends[0])}", UserWarning, stacklevel=2)

    seeds = [seed_cotangent(end, ct) for end, ct in zip(ends, given, strict=True)]
    mode = MODE.get()
    if create_graph or mode.trace is not NO_TRACE:
        results = _recorded(ends, starts, seeds, given, create_graph)
    else:
        found = sweep(zip(ends, seeds, strict=True), set(starts), observer=mode.observer)
        arrays = {start: taken([found.pop(start)]) for start in dict.fromkeys(starts) if start in found}
        results = [as_leaf(arrays[start]) if start in arrays else _zeros(start) for start in starts]
    note_inputs(results, starts, max([end.serial for end in ends], default=0))
    return unflatten(treedef, iter(results))


_ASKED: weakref.WeakValueDictionary[int, Tensor] = weakref.WeakValueDictionary()
"""The computed tensors for which gradients were computed, by serial number."""


def _recorded(
    ends: list[Tensor], starts: list[Tensor], seeds: list[Any], given: Sequence[Any], create_graph: bool
) -> list[Tensor]:
    """Return the gradients from a recorded sweep: a new Tensor for each of `starts`, even if one is given twice."""
    mode = MODE.get()
    pairs = zip(seeds, given, strict=True)
    cotangents = [ct if isinstance(ct, Tensor) else Tensor(seed) for seed, ct in pairs]
    operands_of = functools.partial(mode.trace.operands_of, create_graph=create_graph)
    results = []
    taken = {*cotangents, *starts}
    with entering(recording=create_graph, phase="backward"):
        found = sweep(zip(ends, cotangents, strict=True), set(starts), operands_of=operands_of, observer=mode.observer)
        for start in starts:
            ct = found[start] if start in found else _zeros(start)
            if ct in taken or ct.is_leaf:  # each input gets its own node, even for a constant gradient
                with entering(constants=True):
                    ct = +ct
            taken.add(ct)
            results.append(ct)
            mode.trace.named(ct, start)
    return results


def note_inputs(gradients: Iterable[Tensor], inputs: Iterable[Tensor], serial: int) -> None:
    """Store in each gradient a weak reference to its input, and the serial number of the differentiated output.

    An optimizer compares these with its own parameters and with its latest update.
    """
    for gradient, start in zip(gradients, inputs, strict=True):
        gradient._gradient_of = weakref.ref(start), serial


def _zeros(like: Tensor) -> Tensor:
    return Tensor(np.zeros(like.shape, like.dtype))


_TENSORS = {Tensor}


def flatten_parameters(tree: Any) -> tuple[list[Any], Any]:
    """Return the leaves of a container of parameters or arrays, and its treedef, which also holds its settings.

    In a container of Tensors, numbers count as settings. In a container of arrays, numbers are parameters.

    >>> flatten_parameters({"W": Tensor(1.0), "rate": 0.5, "b": None})[0], flatten_parameters([1.0, 2.0, None])[0]
    ([Tensor(1.)], [1.0, 2.0])
    """
    leaves, treedef = flatten(tree)
    if {*map(type, leaves)} == _TENSORS:  # the usual case, as fast as possible
        return leaves, treedef
    return with_settings(leaves, treedef, numbers=any(type(leaf) is Tensor for leaf in leaves))


def parameters_in(tree: Any, role: str) -> tuple[list[Tensor], Any]:
    """Return the Tensors in a container, and its treedef, which also holds its settings; see `tensors_in`."""
    if type(tree) is not Tensor:
        leaves, treedef = flatten_parameters(tree)
        if treedef is not LEAF and {*map(type, leaves)} <= _TENSORS:
            return leaves, treedef
    return tensors_in(tree, role)


def tensors_in(tree: Any, role: str) -> tuple[list[Tensor], Any]:
    """Return the Tensors in a container or another iterable, and its treedef; error messages call them `role`.

    Raises TypeError for anything other than Tensors.
    """
    if type(tree) is Tensor:
        return [tree], LEAF
    leaves, treedef = flatten(tree)
    if treedef is LEAF:
        if not isinstance(tree, Iterable):
            function = "; for a function, write value_and_grad(f)(x) or grad(f(x), x)" if callable(tree) else ""
            remedy = messages.plain_class(tree) or messages.plain_number(tree, role) or function
            kinds = "a Tensor, or a list, tuple, dict or dataclass of Tensors"
            raise TypeError(f"{role} must be {kinds}, not {type(tree).__name__}{remedy}")
        leaves, treedef = flatten(tuple(tree))  # such as the values of a dict
    for i, leaf in enumerate(leaves):
        if not isinstance(leaf, Tensor):
            kind = f"{type(leaf).__name__}{messages.plain_class(leaf) or messages.plain_number(leaf, role)}"
            raise TypeError(f"{called_in(treedef, i, role)} must be a Tensor, not {kind}")
    return leaves, treedef
