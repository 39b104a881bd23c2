"""Tensor, and recording: the only module that makes nodes.

A Tensor is a value together with how it was computed: the primitive, its arguments, and the arrays that these held at
that time. A leaf has no such history. Values are frozen when they are recorded, so a recorded graph never changes.

Start reading at `record`. While a step is captured, `MODE.get().trace` stands between a tensor and its value; otherwise
it is `NO_TRACE`, which permits everything and keeps nothing.
"""

from __future__ import annotations

import inspect
import itertools
import operator
import threading
import warnings
from collections.abc import Callable
from typing import Any, Never, NoReturn, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from autograd_spiral.engine import messages
from autograd_spiral.engine.array_methods import ArrayMethods
from autograd_spiral.engine.calls import NUMPY_DEFAULTS, call_bound
from autograd_spiral.engine.frozen import frozen, frozen_copy, frozen_result
from autograd_spiral.engine.messages import (
    INSTEAD_OF_BACKWARD,
    INSTEAD_OF_DATA,
    INSTEAD_OF_READING,
    MissingNames,
    NeverInPlace,
    called,
    name_of,
)
from autograd_spiral.engine.modes import MODE, NO_TRACE
from autograd_spiral.engine.pytree import flatten, unflatten
from autograd_spiral.engine.sweep import sweep
from autograd_spiral.engine.table import COMPOSITIONS, PRIMITIVES, VALUE_FUNCTIONS, Primitive

__all__ = ["Tensor", "TensorLike", "apply", "as_leaf", "record", "seed_cotangent"]

_next_serial = itertools.count().__next__
_grad_lock = threading.Lock()
_NO_PARAMS: dict[str, Any] = {}
_WEAK_SCALARS = frozenset((float, int, bool))  # as in NumPy 2, they take the dtype of the array


def _binary(ufunc: np.ufunc) -> tuple[Callable[[Tensor, TensorLike], Tensor], Callable[[Tensor, TensorLike], Tensor]]:
    """Return the operator that records `ufunc`, and the reflected operator, for when the Tensor is on the right."""
    return (
        lambda self, other: record(PRIMITIVES[ufunc], (self, other)),
        lambda self, other: record(PRIMITIVES[ufunc], (other, self)),
    )


def _unary(ufunc: np.ufunc) -> Callable[[Tensor], Tensor]:
    return lambda self: record(PRIMITIVES[ufunc], (self,))


class Tensor(ArrayMethods, NeverInPlace, MissingNames):
    """An array that remembers how it was computed, so that gradients can be computed from this record.

    `Tensor(data)` copies `data`: a number, a list, an array, or anything else that NumPy turns into an array of
    numbers. `.data` is the value, a read-only array. NumPy's functions and Python's operators on Tensors return
    Tensors, and record how these were computed. The record is called the graph.

    A tensor that was made from data is a leaf. If it was made with `requires_grad=True` (only for floating-point data),
    `backward()` adds its gradient to its `.grad`. A `name` appears in pictures, programs and errors.

    `copy.copy`, `copy.deepcopy` and `pickle` turn a leaf into another leaf with the same value, `requires_grad` and
    name. For a computed tensor, `copy.copy` keeps the graph, as `t.copy()` does; `copy.deepcopy` and `pickle` keep only
    the value, in a leaf that requires no gradients.

    Raises `DtypeError` for complex numbers, objects and strings, and for integers with `requires_grad=True`. Raises
    TypeError if `requires_grad` is not a bool or `name` is not a string.

    >>> import numpy as np
    >>> W = Tensor([[1.0, -2.0], [3.0, 0.5]], requires_grad=True, name="W")
    >>> loss = np.sum(np.maximum(0, W) ** 2)
    >>> loss.backward()
    >>> W.grad
    array([[2., 0.],
           [6., 1.]])
    """

    _away: Any  # empty, except in leaves whose value an executor keeps elsewhere
    _gradient_of: Any  # empty, except in gradients: a weak reference to the input, and the serial of the output

    __slots__ = (
        "__weakref__",
        "_away",
        "_grad",
        "_gradient_of",
        "_requires_grad",
        "_value",
        "args",
        "name",
        "operands",
        "params",
        "place",
        "primitive",
        "scope",
        "serial",
    )

    def __init__(self, data: TensorLike, requires_grad: bool = False, name: str | None = None, **others: Never) -> None:
        if others:
            raise messages.unknown_keyword("Tensor", *others)
        if type(data) is not Tensor:
            self._value = frozen_copy(data, "Tensor(data)")
        elif data.requires_grad:
            raise messages.lost_graph()
        else:
            self._value = MODE.get().trace.value_of(data)
        if not isinstance(requires_grad, bool | np.bool_):
            raise messages.no_flag(requires_grad)
        if requires_grad and self._value.dtype.kind != "f":
            raise messages.integer_gradient(self._value.dtype)
        self._requires_grad = bool(requires_grad)
        if name is not None and not isinstance(name, str):
            raise TypeError(f"Tensor: the name must be a string, not {type(name).__name__}")
        self._make_leaf(name)
        if type(data) is Tensor:
            MODE.get().trace.aliased(self, data)

    def _make_leaf(self, name: str | None) -> None:
        self.name = name
        self._grad: NDArray[Any] | None = None
        self.primitive: Primitive | None = None
        self.args: tuple[Any, ...] = ()
        self.operands: tuple[Any, ...] = ()
        self.params = _NO_PARAMS
        self.serial: int = _next_serial()
        self.scope: tuple[str, ...] = ()  # of operations only: pictures draw a leaf where it is used
        self.place: str | None = None  # the line of the user's code, if an observer noted it

    def __init_subclass__(cls) -> NoReturn:
        raise TypeError("Tensor cannot be subclassed: write a class that holds a Tensor")

    # --- value ---------------------------------------------------------------------------------------------------

    @property
    def data(self) -> NDArray[Any]:
        """The value, as a read-only array.

        Writing to it, as in `t.data[0] = …`, raises NumPy's error for read-only arrays. To give a tensor a new value,
        write `t.assign(t.data - …)`. Reading `.data` raises `CaptureError` while `capture` records a step.

        >>> Tensor([1.0, 2.0]).data[0] = 5.0
        Traceback (most recent call last):
          ...
        ValueError: assignment destination is read-only
        """
        MODE.get().trace.permit("reading a value", INSTEAD_OF_READING)
        return self._value.view()  # which NumPy refuses to make writable

    @data.setter
    def data(self, value: Never) -> NoReturn:
        MODE.get().trace.permit("setting .data", INSTEAD_OF_DATA)
        raise messages.set_data(self)

    @property
    def requires_grad(self) -> bool:
        """Whether this tensor gets a gradient, or passes one on to the tensors that it was computed from.

        This cannot be changed later. A computed tensor requires gradients if one of the tensors that it was computed
        from does. The results of comparisons and other functions without gradients never do.

        >>> w = Tensor([1.0, 2.0], requires_grad=True)
        >>> (2 * w).requires_grad, (w > 1.5).requires_grad
        (True, False)
        """
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: Never) -> NoReturn:
        raise messages.set_requires_grad(self)

    @property
    def is_leaf(self) -> bool:
        """Whether this tensor was made from data instead of being computed from tensors.

        A result that was computed only from tensors that require no gradients is not recorded, so it is a leaf, too.

        >>> w = Tensor([1.0, 2.0], requires_grad=True)
        >>> w.is_leaf, (2 * w).is_leaf
        (True, False)
        >>> (2 * w.detach()).is_leaf
        True
        """
        return self.primitive is None

    def named(self, name: str) -> Tensor:
        """Name this tensor, and return it; the name appears in pictures, programs and errors.

        >>> x = Tensor([1.0, 2.0], requires_grad=True)
        >>> (x * x).named("squares").name
        'squares'
        """
        self.name = name
        return self

    def detach(self) -> Tensor:
        """Return a constant tensor with the same value: no gradient flows back through it.

        >>> x = Tensor(3.0, requires_grad=True)
        >>> (x * x.detach()).backward()  # the second factor counts as the constant 3
        >>> x.grad
        array(3.)
        """
        return _alias(self, False)

    def assign(self, value: TensorLike) -> None:
        """Give this tensor a new value of the same shape.

        This is only for tensors that were not computed from others (leaves), such as parameters. The value is converted
        to the tensor's dtype. What was recorded before keeps the old value, so its gradients stay right. Raises
        `InPlaceError` for a tensor that was computed, `ShapeError` for another shape, and `DtypeError` for a conversion
        that NumPy does not allow with `casting="same_kind"` (such as float to integer).

        >>> w = Tensor([1.0, 2.0], requires_grad=True)
        >>> w.assign(w - 0.5)
        >>> w.data
        array([0.5, 1.5])
        """
        if self.primitive is not None:
            raise messages.assigned_result(self)
        old, trace = self._value, MODE.get().trace
        if trace is NO_TRACE and type(value) is np.ndarray and value.dtype is old.dtype and value.shape == old.shape:
            self._value = frozen(np.array(value))  # a shortcut for the usual case, several times faster
            return
        tensor = value if type(value) is Tensor else as_leaf(frozen_copy(value, "assign(value)"))
        new = trace.value_of(tensor)
        if new.shape != old.shape:
            raise messages.assigned_shape(self, new.shape)
        if new.dtype != old.dtype:
            weak = _is_weak(value) and old.dtype.kind == "f"
            if not weak and not np.can_cast(new.dtype, old.dtype, "same_kind"):
                raise messages.assigned_dtype(self, new.dtype)
            tensor = as_leaf(frozen(new.astype(old.dtype))) if trace is NO_TRACE else tensor.astype(old.dtype)
        trace.assigned(self, tensor)

    # --- gradients -----------------------------------------------------------------------------------------------

    @property
    def grad(self) -> NDArray[Any] | None:
        """The sum of the gradients that `backward()` has computed for this tensor; None before the first call.

        It is a plain array. Set it to None to start again from zero, or to an array of the tensor's shape, which is
        copied. An array of another shape raises `ShapeError`. Only tensors with `requires_grad=True` that were not
        computed from others have a `.grad`. For any other tensor, it is always None: reading it issues a UserWarning
        that says how to get the gradient, and setting it to an array raises `GradientError`. While `capture` records a
        step, reading and setting it both raise `CaptureError`.

        >>> w = Tensor(3.0, requires_grad=True)
        >>> (w * w).backward()
        >>> (w * w).backward()  # each of the two calls adds 2 * w
        >>> w.grad
        array(12.)
        """
        MODE.get().trace.permit("reading .grad", INSTEAD_OF_BACKWARD)
        if self._grad is None and (self.primitive is not None or not self._requires_grad):
            warnings.warn(messages.no_collected_gradient(self), UserWarning, stacklevel=2)
        return self._grad

    @grad.setter
    def grad(self, value: ArrayLike | None) -> None:
        MODE.get().trace.permit("setting .grad", INSTEAD_OF_BACKWARD)
        if value is not None:
            if not (self.is_leaf and self._requires_grad):
                raise messages.grad_of_no_leaf(self)
            value = frozen_copy(value, ".grad = value").astype(self.dtype)
            if value.shape != self.shape:
                raise messages.grad_shape(self, value.shape)
        self._grad = value

    def backward(self, cotangent: TensorLike | None = None, **others: Never) -> None:
        """Compute the gradients of this tensor, and add them to the `.grad` of the leaves that it was computed from.

        Only leaves with `requires_grad=True` get a gradient. A leaf is a tensor that was not computed from others, such
        as a parameter. If this tensor has more than one element, `cotangent` is needed: an array of the tensor's shape
        and dtype, with a weight for each element. Each leaf then gets the gradient of the weighted sum of the elements.
        (This is a vector-Jacobian product.) If an error occurs, every `.grad` stays unchanged.

        Raises `GradientError` if there is no leaf that gets a gradient, or if `cotangent` is missing. Raises
        `ShapeError` or `DtypeError` for a cotangent of another shape or dtype.

        >>> x = Tensor([1.0, 2.0], requires_grad=True)
        >>> (x * x).backward([1.0, 10.0])  # the gradient of 1 * x[0]**2 + 10 * x[1]**2
        >>> x.grad
        array([ 2., 40.])
        """
        if others:
            raise messages.unknown_keyword("backward", *others)
        MODE.get().trace.permit("backward()", INSTEAD_OF_BACKWARD)
        if not self._requires_grad:
            raise messages.no_gradient(self)
        seed = seed_cotangent(self, cotangent, "backward")
        found = sweep([(self, seed)], observer=MODE.get().observer)
        with _grad_lock:
            sums = [(leaf, np.array(ct if leaf._grad is None else leaf._grad + ct)) for leaf, ct in found.items()]
            before = [(leaf, leaf._grad) for leaf in found]
            try:
                for leaf, total in sums:
                    leaf._grad = total
            except BaseException:  # an interrupt between two leaves
                for leaf, old in before:
                    leaf._grad = old
                raise

    # --- NumPy's protocols ---------------------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method == "__call__":
            given = {key: value for key, value in kwargs.items() if value is not NUMPY_DEFAULTS.get(key)}
            for key in given:
                if ufunc not in COMPOSITIONS or key not in inspect.signature(COMPOSITIONS[ufunc]).parameters:
                    raise messages.keyword(ufunc, key)
            return apply(ufunc, inputs, given)
        if kwargs.pop("out", None) is not None:
            raise messages.keyword(ufunc, "out")
        if method == "reduceat" and len(inputs) > 1:
            kwargs.pop("indices", None)  # which NumPy passes a second time if it was a keyword
        function = getattr(ufunc, method)  # a new object each time, but equal to the earlier ones
        if function not in COMPOSITIONS and function not in PRIMITIVES:
            raise messages.ufunc_method(ufunc, method)
        return apply(function, inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if function in VALUE_FUNCTIONS:
            leaves, treedef = flatten((args, kwargs))
            args, kwargs = unflatten(treedef, (leaf.data if type(leaf) is Tensor else leaf for leaf in leaves))
            return function(*args, **kwargs)
        return apply(function, args, kwargs)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        MODE.get().trace.permit("reading a value", INSTEAD_OF_READING, self)
        if self._requires_grad:
            raise messages.plain_array(self)
        return np.array(self._value.view(), dtype=dtype, copy=copy)

    # --- Python's protocols --------------------------------------------------------------------------------------

    __hash__ = object.__hash__  # by identity, and in C, since the sweep hashes every node

    def __copy__(self) -> Any:
        return self.__deepcopy__({}) if self.is_leaf else apply(np.copy, (self,), _NO_PARAMS)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        return _alias(self, self._requires_grad and self.is_leaf)

    def __reduce__(self) -> Any:
        messages.refuse_pickling_by_save()
        return Tensor, (self.data, self._requires_grad and self.is_leaf, self.name)

    # --- operators -----------------------------------------------------------------------------------------------

    __add__, __radd__ = _binary(np.add)
    __sub__, __rsub__ = _binary(np.subtract)
    __mul__, __rmul__ = _binary(np.multiply)
    __truediv__, __rtruediv__ = _binary(np.divide)
    __floordiv__, __rfloordiv__ = _binary(np.floor_divide)
    __mod__, __rmod__ = _binary(np.remainder)
    __and__, __rand__ = _binary(np.bitwise_and)
    __or__, __ror__ = _binary(np.bitwise_or)
    __xor__, __rxor__ = _binary(np.bitwise_xor)
    __lt__, __gt__ = _binary(np.less)[0], _binary(np.greater)[0]
    __le__, __ge__ = _binary(np.less_equal)[0], _binary(np.greater_equal)[0]
    __eq__, __ne__ = _binary(np.equal)[0], _binary(np.not_equal)[0]  # type: ignore[assignment]
    __neg__, __pos__ = _unary(np.negative), _unary(np.positive)
    __abs__, __invert__ = _unary(np.absolute), _unary(np.invert)

    def __pow__(self, other: TensorLike, modulus: Any = None) -> Tensor:
        if modulus is not None:
            raise messages.modular_power()
        return record(PRIMITIVES[np.power], (self, other))

    def __rpow__(self, other: TensorLike) -> Tensor:
        return record(PRIMITIVES[np.power], (other, self))

    def __divmod__(self, other: TensorLike) -> Any:
        return apply(np.divmod, (self, other), _NO_PARAMS)

    def __rdivmod__(self, other: TensorLike) -> Any:
        return apply(np.divmod, (other, self), _NO_PARAMS)

    def __matmul__(self, other: TensorLike) -> Tensor:
        if type(other) is Tensor and other._value.ndim > 1 < self._value.ndim:
            return record(PRIMITIVES[np.matmul], (self, other))
        return apply(np.matmul, (self, other), _NO_PARAMS)

    def __rmatmul__(self, other: TensorLike) -> Tensor:
        return apply(np.matmul, (other, self), _NO_PARAMS)

    def __getitem__(self, index: Any) -> Tensor:
        MODE.get().trace.permit_index(index)
        return apply(operator.getitem, (self, index), _NO_PARAMS)

    def astype(self, dtype: DTypeLike) -> Tensor:
        """Return the same values in another dtype.

        Gradients flow through the conversion, and are converted back to the dtype of this tensor. But no gradient flows
        through integers and booleans. Raises `DtypeError` for complex numbers, objects and strings.

        >>> x = Tensor([1.0, 2.0], requires_grad=True)
        >>> x.astype(np.float32).sum().backward()
        >>> x.grad.dtype
        dtype('float64')
        """
        return apply(np.ndarray.astype, (self, dtype), _NO_PARAMS)


TensorLike: TypeAlias = Tensor | ArrayLike

# --- recording ------------------------------------------------------------------------------------------------------

_new = Tensor.__new__
_ndarray = np.ndarray  # looking up a global is faster than an attribute of a module


def apply(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a NumPy function, or a declared primitive, that has Tensors among its arguments."""
    composition = COMPOSITIONS.get(function)
    if kwargs.get("out") is not None and (composition or PRIMITIVES[function]):
        raise messages.keyword(function, "out")
    if composition is not None:
        try:
            result = call_bound(function, composition, args, kwargs)
        except (ValueError, IndexError, TypeError, ZeroDivisionError) as error:
            messages.explain_call(error, name_of(function), args, kwargs)
            raise
        if result is not NotImplemented:
            return result
    primitive = PRIMITIVES[function]
    if primitive.bind is not None:
        given = args, kwargs
        try:
            args, kwargs = call_bound(function, primitive.bind, args, kwargs)
        except (ValueError, IndexError, TypeError) as error:
            messages.explain_call(error, primitive.name, *given)
            raise
    return record(primitive, args, kwargs)


def record(primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any] = _NO_PARAMS) -> Tensor:
    """Evaluate `primitive` on the values of `args`, and return the node that records it.

    The result is a node if gradients may flow through it, or if it depends on a node; otherwise it is a leaf. The node
    keeps frozen copies of the arrays among `args`. Raises `ShapeError` when shapes do not fit, and `DtypeError` when
    the result is not an array of real numbers.
    """
    mode = MODE.get()
    has_history = requires_grad = has_arrays = False
    operands: list[Any] = []
    for arg in args:
        if type(arg) is Tensor:
            operands.append(arg._value)
            if arg._requires_grad:
                has_history = requires_grad = True
            elif arg.primitive is not None:
                has_history = True
        elif type(arg) in _WEAK_SCALARS:
            operands.append(arg)
        elif isinstance(arg, np.matrix):
            raise messages.matrix(primitive.name)
        else:
            operands.append(frozen_copy(arg, primitive.name))
            has_arrays = True
    if has_arrays:
        args = tuple(arg if type(arg) is Tensor else operand for arg, operand in zip(args, operands, strict=True))
    if requires_grad and len(args) != primitive.differentiable_arity:
        pairs = zip(args, primitive.vjps_for(len(args)), strict=True)
        requires_grad = any(vjp and type(arg) is Tensor and arg._requires_grad for arg, vjp in pairs)
    if mode.trace is not NO_TRACE:  # a trace knows what assigned leaves hold now
        operands = [mode.trace.value_of(arg) if type(arg) is Tensor else arg for arg in args]
    try:
        value = primitive.evaluate(*operands, **params) if params else primitive.evaluate(*operands)
    except (ValueError, IndexError, TypeError) as error:
        if primitive.body is not None:
            messages.explain_body(error, primitive, operands, params)
        messages.explain_call(error, primitive.name, operands, params, primitive.isolated)
        raise
    if type(value) is _ndarray and value.base is None and value.dtype.kind == "f" and not primitive.isolated:
        value.setflags(False)  # type: ignore[call-arg]  # the usual case; by position as in `frozen`
    else:
        value = frozen_result(value, primitive)
        requires_grad = requires_grad and value.dtype.kind == "f"

    if (has_history and mode.recording) or mode.constants:
        result = _new(Tensor)
        result._value = value
        result._requires_grad = requires_grad and mode.recording
        result._grad = None
        result.name = None
        result.primitive = primitive
        result.args = args
        result.operands = tuple(operands)
        result.params = params
        result.serial = _next_serial()
        result.scope = mode.scope
        result.place = None
    else:
        result = as_leaf(value)
    if mode.observer is not None:
        mode.observer.recorded(result)
    return result


def seed_cotangent(output: Tensor, cotangent: TensorLike | None, caller: str = "grad") -> NDArray[Any]:
    """Return the cotangent that a sweep of `output` starts from: `cotangent`, checked, or 1 for a single element."""
    if cotangent is None:
        value = output._value
        if value.size != 1:
            raise messages.no_cotangent(output, caller)
        return np.array(1, value.dtype, ndmin=value.ndim)
    use = f"the cotangent of {called(output)}"
    given = cotangent._value if type(cotangent) is Tensor else frozen_copy(cotangent, use)
    if given.shape != output.shape:
        raise messages.cotangent_shape(output, given.shape)
    if given.dtype != output.dtype and not (_is_weak(cotangent) and given.dtype.kind in "iuf"):
        raise messages.cotangent_dtype(output, given.dtype)
    return given.astype(output.dtype, copy=False)


def _is_weak(value: Any) -> bool:
    return type(value) in _WEAK_SCALARS or isinstance(value, list | tuple)


def _alias(tensor: Tensor, requires_grad: bool) -> Tensor:
    """Return a leaf that holds the value of `tensor`, without its history."""
    trace = MODE.get().trace
    leaf = as_leaf(trace.value_of(tensor), requires_grad, tensor.name)
    trace.aliased(leaf, tensor)
    return leaf


def as_leaf(value: NDArray[Any], requires_grad: bool = False, name: str | None = None) -> Tensor:
    """Return a leaf that holds `value` itself, a frozen array."""
    leaf = _new(Tensor)
    leaf._value = value
    leaf._requires_grad = requires_grad
    leaf._make_leaf(name)
    return leaf
