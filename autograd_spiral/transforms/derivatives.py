"""Transforms: they compute derivatives of functions, and have the names that JAX uses.

The function to differentiate is written in NumPy. Its arguments are arrays or Tensors, or lists, tuples, dicts and
dataclasses of these. The results are arrays, unless an argument is a Tensor or a step is being captured: then they are
Tensors, which can be differentiated again. Derivatives are with respect to arguments, and anything that the function
reads from elsewhere counts as a constant. A UserWarning is issued if the function reads a Tensor from elsewhere that it
also gets as an argument.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from itertools import chain
from typing import Any

import numpy as np

from autograd_spiral.engine.calls import explains_keywords
from autograd_spiral.engine.grad import flatten_parameters, grad, note_inputs
from autograd_spiral.engine.messages import name_of, plain_class
from autograd_spiral.engine.modes import MODE, NO_TRACE, entering
from autograd_spiral.engine.pytree import flatten as leaves_of
from autograd_spiral.engine.pytree import leaf_names, unflatten
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.errors import AutogradError, DtypeError, GradientError, LostGraphError, ShapeError
from autograd_spiral.program.history import history
from autograd_spiral.transforms.batching import in_rows

__all__ = ["elementwise_grad", "flatten", "hessian", "hvp", "jacobian", "jvp", "value_and_grad", "vjp"]

Function = Callable[..., Any]


@explains_keywords
def value_and_grad(f: Function, argnums: int | Sequence[int] = 0) -> Function:
    """Return a function that computes both the value and the gradient of `f`, which must return a single number.

    The gradient is with respect to the argument at position `argnums`, counted from 0. It has the form of this
    argument: an array, or a list, tuple, dict or dataclass of arrays. If `argnums` is a tuple of positions, the
    gradients come in a tuple. Raises `GradientError` if `f` returns more than one element, and `DtypeError` for integer
    arguments.

    You can pass the returned function to `scipy.optimize.minimize(…, jac=True)`, for example. If you capture it first,
    it returns Tensors, which most methods of `minimize` do not accept: convert them with `np.asarray`.

    >>> value_and_grad(lambda w, x: np.sum(w * x) ** 2)(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    (np.float64(121.0), array([66., 88.]))
    """
    _check_transform("value_and_grad", f, argnums)

    def value_and_gradient(*args: Any, **kwargs: Any) -> Any:
        inputs = _Inputs("value_and_grad", args, argnums, kwargs)
        value = _one_number(inputs.call(f), "value_and_grad")
        gradients = _grad(value, inputs, create_graph=inputs.recorded)
        return inputs.out(value.reshape(())), inputs.in_form(gradients)

    return value_and_gradient


@explains_keywords
def elementwise_grad(f: Function, argnums: int | Sequence[int] = 0) -> Function:
    """Return a function that computes the derivative of `f` element by element.

    Use it if each element of the result depends only on the same element of the argument, as in `np.tanh`. Unlike with
    `value_and_grad`, the result of `f` need not be a single number. `argnums` is the position of the argument, as in
    `value_and_grad`. Raises `DtypeError` for integer arguments.

    >>> elementwise_grad(np.tanh)(np.array([0.0, 1.0])).round(4)  # the derivative is 1 - tanh(x)**2
    array([1.  , 0.42])
    """
    _check_transform("elementwise_grad", f, argnums)

    def derivative(*args: Any, **kwargs: Any) -> Any:
        inputs = _Inputs("elementwise_grad", args, argnums, kwargs)
        value = inputs.call(f)
        ones = np.ones(value.shape, value.dtype)
        return inputs.in_form(_grad(value, inputs, ones, create_graph=inputs.recorded))

    return derivative


@explains_keywords
def jacobian(f: Function, argnums: int | Sequence[int] = 0) -> Function:
    """Return a function that computes the Jacobian of `f`.

    The Jacobian holds the derivative of every element of the output with respect to every element of the argument. Its
    shape is the shape of the output followed by that of the argument. `argnums` says which argument, as in
    `value_and_grad`. For containers and several arguments, the result has the same form as the gradient that
    `value_and_grad` returns.

    The backward pass is computed for all elements of the output at once. But some operations, such as those that you
    declared with `@primitive`, are computed for one element after another, which takes longer. Raises `DtypeError` for
    integer arguments.

    >>> jacobian(lambda x: np.cumsum(x**2))(np.array([1.0, 2.0]))
    array([[2., 0.],
           [2., 4.]])
    """
    _check_transform("jacobian", f, argnums)

    def all_derivatives(*args: Any, **kwargs: Any) -> Any:
        inputs = _Inputs("jacobian", args, argnums, kwargs)
        output = inputs.call(f)
        return inputs.in_form(_jacobians(output, inputs))

    return all_derivatives


@explains_keywords
def hessian(f: Function, argnums: int | Sequence[int] = 0) -> Function:
    """Return a function that computes the Hessian of `f`, which must return a single number.

    The Hessian holds the second derivatives for all pairs of elements of the argument. Its shape is the shape of the
    argument, twice: for an argument of shape (2, 3), it is (2, 3, 2, 3). If the argument is a dict with W and b,
    `result["W"]["b"]` holds the derivatives with respect to an element of W and an element of b. Other containers and
    several arguments work in the same way. The derivatives are with respect to the arguments at the positions
    `argnums`, as in `value_and_grad`. Raises the errors of `value_and_grad`.

    >>> hessian(lambda x: np.sum(x**3) + x[0] * x[1])(np.array([1.0, 2.0]))
    array([[ 6.,  1.],
           [ 1., 12.]])
    """
    _check_transform("hessian", f, argnums)

    def second_derivatives(*args: Any, **kwargs: Any) -> Any:
        inputs = _Inputs("hessian", args, argnums, kwargs)
        gradients = _grad(_one_number(inputs.call(f), "hessian"), inputs, create_graph=True)
        rows = [_jacobians(g, inputs) if g.requires_grad else _zeros(g.shape, inputs) for g in gradients]
        return inputs.in_form(list(map(inputs.in_form, rows)), out=False)

    return second_derivatives


def vjp(f: Function, *primals: Any) -> tuple[Any, Function]:
    """Return `f(*primals)`, and a function that computes vector-Jacobian products (VJPs).

    `primals` are the arguments of `f`. The returned function takes a cotangent: an array with a weight for each element
    of `f(*primals)`. It returns a tuple with the gradients of the weighted sum with respect to the arguments.

    >>> value, pull_back = vjp(lambda x, y: x * y, np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    >>> pull_back(np.array([1.0, 10.0]))  # the weights times y, and the weights times x
    (array([ 3., 40.]), array([ 1., 20.]))
    """
    inputs = _Inputs("vjp", primals, range(len(primals)))
    output = inputs.call(f)

    def pull_back(cotangent: Any) -> Any:
        recorded = inputs.recorded or type(cotangent) is Tensor
        return inputs.in_form(_grad(output, inputs, cotangent, create_graph=recorded))

    return inputs.out(output), pull_back


def jvp(f: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """Return `f(*primals)`, and its derivative along the `tangents` (a Jacobian-vector product).

    `primals` is a tuple of the arguments of `f`. `tangents` is a tuple with one entry for each argument: it has the
    same form as the argument, and says how fast the argument changes. The derivative says how fast `f(*primals)` then
    changes. Raises `ShapeError` if a tangent does not have the shape of its argument.

    >>> x, dx = np.array([0.0, 1.0]), np.array([1.0, 2.0])
    >>> jvp(np.sin, (x,), (dx,))[1].round(4)  # cos(x) * dx
    array([1.    , 1.0806])
    """
    inputs = _Inputs("jvp", tuple(primals), range(len(primals)))
    directions = inputs.tangents(tangents)
    output = inputs.call(f)
    if not output.requires_grad:
        return inputs.out(output), inputs.out(Tensor(np.zeros(output.shape, output.dtype)))
    cotangent = _some_cotangent(output)
    gradients = grad(output, inputs.leaves, cotangent, create_graph=True)
    tangent = grad(list(gradients), cotangent, directions, create_graph=inputs.recorded)
    return inputs.out(output), inputs.out(tangent)


def hvp(f: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, ...]:
    """Return the Hessian of `f`, multiplied by a vector; `f` must return a single number.

    `primals` is a tuple of the arguments of `f`. `tangents` is the vector, as a tuple: for each argument, an array or
    container of the same form as this argument. The result is such a tuple, too. Computing it takes two backward
    passes, and the whole Hessian is never built. Raises the errors of `jvp` and `value_and_grad`.

    >>> x, dx = np.array([1.0, 2.0]), np.array([1.0, 1.0])
    >>> hvp(lambda x: np.sum(x**3), (x,), (dx,))  # the Hessian is diagonal, with entries 6 * x
    (array([ 6., 12.]),)
    """
    inputs = _Inputs("hvp", tuple(primals), range(len(primals)))
    directions = inputs.tangents(tangents)
    gradients = _grad(_one_number(inputs.call(f), "hvp"), inputs, create_graph=True)
    if any(gradient.requires_grad for gradient in gradients):
        products = grad(list(gradients), inputs.leaves, directions, create_graph=inputs.recorded)
        return tuple(inputs.in_form(products))
    return tuple(inputs.in_form(_zeros((), inputs)))


def flatten(params: Any) -> tuple[Any, Function]:
    """Return all the numbers in a container as one vector, and a function that does the reverse.

    A container is a list, tuple, dict or dataclass of arrays or Tensors.

    >>> vector, unflatten = flatten({"W": np.ones((2, 2)), "b": np.zeros(2)})
    >>> vector, unflatten(2 * vector)["W"]
    (array([1., 1., 1., 1., 0., 0.]), array([[2., 2.],
           [2., 2.]]))
    """
    leaves, treedef = flatten_parameters(params)
    shapes = [np.shape(leaf) for leaf in leaves]
    ends = np.cumsum([np.prod(shape, dtype=int) for shape in shapes]).tolist()

    def restore(vector: Any) -> Any:
        needed = (ends[-1] if ends else 0,)
        if np.shape(vector) != needed:
            raise ShapeError(
                f"flatten: the vector has shape {np.shape(vector)}, but the container needs shape {needed}"
            )
        parts = (vector[end - np.prod(shape, dtype=int) : end] for end, shape in zip(ends, shapes, strict=True))
        return unflatten(treedef, (np.reshape(part, shape) for part, shape in zip(parts, shapes, strict=True)))

    return np.concatenate([np.reshape(leaf, -1) for leaf in leaves] or [np.zeros(0)]), restore


def _check_transform(caller: str, f: Any, argnums: Any) -> None:
    """Raise TypeError unless `f` is a function and `argnums` is the position of an argument, or several."""
    if not callable(f):
        raise TypeError(f"{caller} takes a function, not {type(f).__name__}: write {caller}(f)(x)")
    positions = [argnums] if isinstance(argnums, int | np.integer) else argnums
    if not isinstance(positions, list | tuple | range) or not all(isinstance(i, int | np.integer) for i in positions):
        raise TypeError(
            f"{caller}: argnums must be the position of an argument, or several, not {type(argnums).__name__}: to "
            f"compute the derivative at x, write {caller}(f)(x)"
        )


class _Inputs:
    """The arguments of a function, with leaves in place of those that it is differentiated with respect to."""

    def __init__(
        self, caller: str, args: tuple[Any, ...], argnums: int | Sequence[int], kwargs: Mapping[str, Any] | None = None
    ) -> None:
        self.caller, self._several, self._kwargs = caller, not isinstance(argnums, int), dict(kwargs or {})
        positions = [argnums] if isinstance(argnums, int) else list(argnums)
        if not all(isinstance(i, int) and -len(args) <= i < len(args) for i in positions):
            raise TypeError(f"{caller}: argnums={argnums!r}, but there are {len(args)} positional arguments")
        if len({i % len(args) for i in positions}) < len(positions):
            raise TypeError(f"{caller}: argnums={argnums!r} names an argument twice")
        parts = [flatten_parameters(args[i]) for i in positions]
        self._treedef = tuple, tuple(enumerate(treedef for _, treedef in parts))
        found = list(chain(*(leaves for leaves, _ in parts)))
        tensors = any(type(leaf) is Tensor for leaf in leaves_of((args, self._kwargs))[0])
        self.recorded = tensors and MODE.get().recording  # then the results can be differentiated again
        self.as_arrays = not tensors and MODE.get().trace is NO_TRACE
        others = [arg for i, arg in enumerate(args) if i not in positions and i - len(args) not in positions]
        self._others = {leaf for leaf in leaves_of((others, self._kwargs))[0] if type(leaf) is Tensor}
        self.given = found
        names = [leaf_names(part, f"argument {i}") for i, (_, part) in zip(positions, parts, strict=True)]
        self.leaves = [self._leaf(*named) for named in zip(chain(*names), found, strict=True)]
        self._args = list(args)
        for i, value in zip(positions, unflatten(self._treedef, iter(self.leaves)), strict=True):
            self._args[i] = value

    def _leaf(self, name: str, value: Any) -> Tensor:
        if type(value) is Tensor and value.requires_grad:
            with nullcontext() if MODE.get().recording else entering(recording=True):
                leaf = +value  # a new node, so that tensors that `f` reads from elsewhere do not depend on it
            leaf.name = value.name
            return leaf
        array = value._value if type(value) is Tensor else np.asarray(value)
        if array.dtype.kind != "f":
            if array.dtype == object:
                kind = f"{type(value).__name__}{plain_class(value)}"
                raise TypeError(f"{self.caller}: {name} must be an array, or a container of arrays, not {kind}")
            raise DtypeError(
                f"{self.caller}: {name} must be floating-point, not {array.dtype}: write 3.0 instead of 3, or "
                "array.astype(float)"
            )
        return Tensor(value, requires_grad=True)

    def call(self, f: Function) -> Tensor:
        """Call the function with these leaves, recording even inside `no_grad()`, and return its result.

        Raises TypeError unless the function returns one array or number, and `LostGraphError` if it converts a tensor
        to a plain number, which drops the gradient.
        """
        try:
            with entering(recording=True, transform=self.caller):
                output = f(*self._args, **self._kwargs)
        except ValueError as error:  # NumPy's error for array[i] = t
            if isinstance(error.__cause__, LostGraphError):
                raise error.__cause__.with_traceback(error.__traceback__) from None
            raise
        result = _one_tensor(output, self.caller)
        if not result.requires_grad:
            self._warn_of_constant(f, result)
        elif self.recorded and not MODE.get().transform:
            self._warn_of_reads(f, result)
        return result

    def _warn_of_constant(self, f: Function, output: Tensor) -> None:
        """Warn, at the line that called the transform, that the result of `f` does not depend on its argument."""
        if output.args:  # a comparison, for example, which has no slope
            return
        warnings.warn(
            f"{self.caller} returns zeros: the result of {name_of(f)} does not depend on its argument, or its graph "
            "was cut by .data, detach(), no_grad(), a plain array or a number",
            UserWarning,
            stacklevel=4,
        )

    def _warn_of_reads(self, f: Function, output: Tensor) -> None:
        """Warn if `f` also reads one of these tensors from outside its arguments, where it counts as a constant."""
        passed = {leaf for leaf in self.given if type(leaf) is Tensor and leaf.is_leaf} - self._others
        seen = {output, *self.leaves, *self._others}
        stack = [output]
        while stack:
            for arg in stack.pop().args:
                if type(arg) is Tensor and arg not in seen:
                    seen.add(arg)
                    stack.append(arg)
        read = sorted(tensor.name or "a tensor" for tensor in passed & seen if tensor.requires_grad)
        if read:
            warnings.warn(
                f"{self.caller}: {name_of(f)} also reads {read[0]} from outside its arguments, and there it counts as "
                "a constant: use the argument instead, or write .detach() if you mean a constant",
                UserWarning,
                stacklevel=4,
            )

    def tangents(self, tangents: Sequence[Any]) -> list[Any]:
        """Return the leaves of the tangents. Raises `ShapeError` unless form and shapes agree with the primals."""
        parts = [flatten_parameters(tangent) for tangent in tangents]
        leaves = [leaf for leaves, _ in parts for leaf in leaves]
        treedef = tuple, tuple(enumerate(treedef for _, treedef in parts))
        shapes = [np.shape(leaf) for leaf in leaves]
        if treedef != self._treedef or shapes != [leaf.shape for leaf in self.leaves]:
            needed = [leaf.shape for leaf in self.leaves]
            raise ShapeError(
                f"{self.caller}: the tangents must have the form and the shapes of the primals, {needed}, not {shapes}"
            )
        pairs = zip(leaves, self.leaves, strict=True)
        return [x if type(x) is Tensor else np.asarray(x, leaf.dtype) for x, leaf in pairs]

    def in_form(self, results: Sequence[Any], *, out: bool = True) -> Any:
        """Return the results, one for each leaf, in the form of the arguments; apply `self.out` to each if `out`."""
        arguments = unflatten(self._treedef, map(self.out, results) if out else iter(results))
        return arguments if self._several else arguments[0]

    def out(self, result: Any) -> Any:
        """Return a result for the caller: a Tensor if Tensors were passed, else an array, or a number."""
        if self.as_arrays:
            return np.array(result.data if type(result) is Tensor else result)[()]
        return result if self.recorded else result.detach()


def _grad(output: Tensor, inputs: _Inputs, cotangent: Any = None, *, create_graph: bool = False) -> Any:
    """Return the gradients with respect to the leaves; if the output has no graph, return zeros without a warning."""
    if not (output.requires_grad or output.args):
        return [Tensor(np.zeros(leaf.shape, leaf.dtype)) for leaf in inputs.leaves]
    gradients = grad(output, inputs.leaves, cotangent, create_graph=create_graph)
    if inputs.recorded:
        note_inputs(gradients, inputs.given, output.serial)
    return gradients


def _one_tensor(output: Any, caller: str) -> Tensor:
    if isinstance(output, np.ndarray | np.generic | int | float):  # it depends on no argument
        return Tensor(np.asarray(output, float))
    if type(output) is not Tensor:
        several = isinstance(output, list | tuple)
        remedy = ""
        if several and caller in ("value_and_grad", "hessian", "hvp"):
            remedy = ": for further results, write loss, more = f(x), with a Tensor x, and then grad(loss, x)"
        elif several:
            remedy = ": write np.stack([…]) or np.concatenate([…])"
        kind = type(output).__name__
        raise TypeError(f"{caller}: the function must return one array or number, not a {kind}{remedy}")
    return output


def _one_number(value: Tensor, caller: str) -> Tensor:
    if value._value.size != 1:
        raise GradientError(
            f"{caller}: the function returned shape {value.shape}, but must return one number: sum it, or use "
            "jacobian, vjp or elementwise_grad"
        )
    return value


_MOST = 2**23
"""At most this many numbers are computed at once: a larger Jacobian takes several passes, each for some rows."""


def _some_cotangent(output: Tensor) -> Tensor:
    """Return a cotangent to record a backward pass with; it has no zeros, which some rules treat specially."""
    numbers = np.random.default_rng(0).uniform(0.5, 1.5, output.shape)
    return Tensor(numbers.astype(output.dtype), requires_grad=True)


def _jacobians(output: Tensor, inputs: _Inputs) -> list[Any]:
    """Return the derivatives of `output` with respect to each leaf: all rows at once, if the rules run on Tensors."""
    try:
        return _rows_at_once(output, inputs)
    except AutogradError:
        if not inputs.as_arrays:
            raise
    rows = [_grad(output, inputs, unit) for unit in _units(output)]
    shapes = [(*output.shape, *leaf.shape) for leaf in inputs.leaves]
    return [np.reshape([row[i].data for row in rows], shape) for i, shape in enumerate(shapes)]


def _units(output: Tensor) -> Any:
    """Return a cotangent for each element of the output, which is 1 at that element and 0 elsewhere."""
    return np.eye(output.size, dtype=output.dtype).reshape(output.size, *output.shape)


def _rows_at_once(output: Tensor, inputs: _Inputs) -> list[Any]:
    """Return the derivatives for each leaf: record one backward pass, and compute it for all unit cotangents."""
    cotangent = _some_cotangent(output)
    gradients = _grad(output, inputs, cotangent, create_graph=True)
    linear = {cotangent: None}
    for node in history(gradients):
        if any(type(arg) is Tensor and arg in linear for arg in node.args):
            linear[node] = None
    at_once = max(1, _MOST // sum(node.size for node in linear)) if output.size else 1
    units = _units(output)
    with entering(phase="backward"):
        found = [_in_rows(linear, units[i : i + at_once], inputs) for i in range(0, output.size, at_once)]
        return [
            _stacked([rows[gradient] for rows in found], (*output.shape, *leaf.shape))
            if found and gradient in linear
            else Tensor(np.zeros((*output.shape, *leaf.shape), leaf.dtype))
            for gradient, leaf in zip(gradients, inputs.leaves, strict=True)
        ]


def _in_rows(linear: Iterable[Tensor], cotangents: Any, inputs: _Inputs) -> dict[Tensor, Any]:
    """Return, for each node of a backward pass, its values for all cotangents, along a leading axis of rows."""
    start, *nodes = linear
    found: dict[Any, Any] = {start: cotangents if inputs.as_arrays else Tensor(cotangents)}
    for node in nodes:
        rows = [type(arg) is Tensor and arg in found for arg in node.args]
        given = node.operands if inputs.as_arrays else node.args
        args = [found[node.args[i]] if is_rows else given[i] for i, is_rows in enumerate(rows)]
        found[node] = in_rows(node.primitive, args, rows, node.shape, node.params)  # type: ignore[arg-type]
    return found


def _stacked(parts: list[Any], shape: tuple[int, ...]) -> Any:
    return (parts[0] if len(parts) == 1 else np.concatenate(parts)).reshape(shape)


def _zeros(shape: tuple[int, ...], inputs: _Inputs) -> list[Tensor]:
    """Return derivatives of 0 for an array of this shape that depends on no argument, such as the slope of a line."""
    return [Tensor(np.zeros((*shape, *leaf.shape), leaf.dtype)) for leaf in inputs.leaves]
