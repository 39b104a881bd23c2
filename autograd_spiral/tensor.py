"""Tensor, and recording: the only place where a node is made.

A Tensor is a value together with how it was computed: the primitive, its arguments, and the arrays they held at the
time. A leaf was not computed. Values are frozen when they are recorded, so a graph never changes after the fact.
"""

from __future__ import annotations

import itertools
import operator
import threading
import warnings
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, Never, NoReturn, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from autograd_spiral import refusals
from autograd_spiral.array_methods import ArrayMethods
from autograd_spiral.compositions import COMPOSITIONS
from autograd_spiral.hints import Hints
from autograd_spiral.modes import MODE
from autograd_spiral.primitives import SPELLED_OUT, Primitive, call_again, call_bound, name_of
from autograd_spiral.rules import PRIMITIVES
from autograd_spiral.sweep import sweep

__all__ = [
    "Operand",
    "Tensor",
    "apply",
    "constant",
    "history",
    "record",
    "replayed",
    "seed_cotangent",
    "verify",
]

_next_serial = itertools.count().__next__
_grad_lock = threading.Lock()
_NO_PARAMS: dict[str, Any] = {}
_BOOL = np.dtype(bool)
_WEAK_SCALARS = frozenset((float, int, bool))  # NumPy 2 promotion: they take the dtype of what they meet


def _binary(ufunc: np.ufunc) -> tuple[Callable[[Tensor, Operand], Tensor], Callable[[Tensor, Operand], Tensor]]:
    """The operator that records `ufunc`, and the one for a Tensor on the right."""
    primitive = PRIMITIVES[ufunc]
    return lambda self, other: record(primitive, (self, other)), lambda self, other: record(primitive, (other, self))


def _unary(ufunc: np.ufunc) -> Callable[[Tensor], Tensor]:
    primitive = PRIMITIVES[ufunc]
    return lambda self: record(primitive, (self,))


class Tensor(ArrayMethods, Hints):
    """An array that remembers how it was computed, so that gradients can be taken through it.

    `Tensor(data)` copies `data`, anything NumPy makes an array of numbers from; `requires_grad=True` (floating
    dtypes only) makes it a leaf that collects gradients; `name` appears in pictures, programs and errors. NumPy's
    functions and Python's operators on Tensors record a graph; `.data` is the array, read-only. Raises `DtypeError`
    for complex, object and string data, and for gradients of integers.

    >>> import numpy as np
    >>> W = Tensor([[1.0, -2.0], [3.0, 0.5]], requires_grad=True, name="W")
    >>> loss = np.sum(np.maximum(0, W) ** 2)
    >>> loss.backward()
    >>> W.grad
    array([[2., 0.],
           [6., 1.]])
    """

    __slots__ = (
        "__weakref__",
        "_grad",
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

    def __init__(self, data: Operand, requires_grad: bool = False, name: str | None = None) -> None:
        self._value = _frozen_copy(data, "Tensor(data)")
        if type(data) is Tensor and (trace := MODE.get().trace) is not None:
            self._value = trace.value_of(data)
            trace.aliased(self, data)
        if requires_grad and self._value.dtype.kind != "f":
            raise refusals.integer_gradient(self._value.dtype)
        self._requires_grad = bool(requires_grad)
        if name is not None and not isinstance(name, str):
            raise TypeError(f"Tensor: the name must be a string, not {type(name).__name__}")
        self._make_leaf(name)

    def _make_leaf(self, name: str | None) -> None:
        self.name = name
        self._grad: NDArray[Any] | None = None
        self.primitive: Primitive | None = None
        self.args: tuple[Any, ...] = ()
        self.operands: tuple[Any, ...] = ()
        self.params = _NO_PARAMS
        self.serial: int = _next_serial()
        self.scope: tuple[str, ...] = ()  # those of operations alone: pictures put a leaf where it is used
        self.place: str | None = None  # file and line of the user's code, where an observer asked for it

    def __init_subclass__(cls) -> NoReturn:
        raise TypeError("Tensor is not meant to be subclassed: hold a Tensor in a class of your own")

    # --- value ---------------------------------------------------------------------------------------------------

    @property
    def data(self) -> NDArray[Any]:
        """The value, as a read-only array. Raises `CaptureError` while a step is captured.

        >>> Tensor([1.0, 2.0]).data[0] = 5.0
        Traceback (most recent call last):
          ...
        ValueError: assignment destination is read-only
        """
        if (trace := MODE.get().trace) is not None:
            trace.refuse("reading a value", refusals.READING)
        return self._value

    @data.setter
    def data(self, value: Never) -> NoReturn:
        raise refusals.set_data(self)

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to or through this tensor; fixed when it is made.

        >>> w = Tensor([1.0, 2.0], requires_grad=True)
        >>> (2 * w).requires_grad, (w > 1.5).requires_grad
        (True, False)
        """
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: Never) -> NoReturn:
        raise refusals.set_requires_grad(self)

    @property
    def is_leaf(self) -> bool:
        """Whether this tensor was made from data instead of being computed from tensors.

        What is computed from constants alone is not recorded, and so is a leaf too.

        >>> w = Tensor([1.0, 2.0], requires_grad=True)
        >>> w.is_leaf, (2 * w).is_leaf, (2 * w.detach()).is_leaf
        (True, False, True)
        """
        return self.primitive is None

    def named(self, name: str) -> Tensor:
        """Name this tensor, for pictures, programs and errors, and return it.

        >>> x = Tensor([1.0, 2.0], requires_grad=True)
        >>> (x * x).named("squares").name
        'squares'
        """
        self.name = name
        return self

    def detach(self) -> Tensor:
        """A leaf with this value and no history, through which no gradient flows.

        >>> x = Tensor(3.0, requires_grad=True)
        >>> (x * x.detach()).backward()
        >>> x.grad
        array(3.)
        """
        return _alias(self, False)

    def assign(self, value: Operand) -> None:
        """Give this leaf a new value of the same shape, in its own dtype; graphs already recorded keep the old one.

        Raises `InPlaceError` for a tensor that was computed, `ShapeError` for another shape, `DtypeError` for a dtype
        that does not convert within its kind (float into integer).

        >>> w = Tensor([1.0, 2.0], requires_grad=True)
        >>> w.assign(w - 0.5)
        >>> w.data
        array([0.5, 1.5])
        """
        if self.primitive is not None:
            raise refusals.assigned_result(self)
        old, trace = self._value, MODE.get().trace
        if type(value) is Tensor:
            new = value._value if trace is None else trace.value_of(value)
        elif trace is None and type(value) is np.ndarray and value.dtype is old.dtype:  # a dtype that needs no checks
            new = _frozen(np.array(value))
        else:
            new = _frozen_copy(value, "assign(value)")
        if new.shape != old.shape:
            raise refusals.assigned_shape(self, new.shape)
        if new.dtype is not old.dtype and new.dtype != old.dtype:
            weak = type(value) in _WEAK_SCALARS or isinstance(value, list | tuple)
            if not np.can_cast(new.dtype, self.dtype, "same_kind") and not (weak and self.dtype.kind == "f"):
                raise refusals.assigned_dtype(self, new.dtype)
            if trace is not None and type(value) is Tensor:
                value = value.astype(self.dtype)
            new = _frozen(new.astype(self.dtype))
        if trace is None:
            self._value = new
        else:
            trace.assigned(self, value if type(value) is Tensor else _leaf(new, False, None))

    # --- gradients -----------------------------------------------------------------------------------------------

    @property
    def grad(self) -> NDArray[Any] | None:
        """The gradient that `backward()` has added up in this leaf, a plain array; None before.

        It is None in all other tensors, too, where reading it is a UserWarning that says how to get the gradient. Set
        it to None to start afresh, or to an array of the leaf's shape, which is copied. Raises `GradientError` where
        there is none to set, `ShapeError` for another shape, `CaptureError` while a step is captured.

        >>> w = Tensor(3.0, requires_grad=True)
        >>> (w * w).backward()
        >>> (w * w).backward()
        >>> w.grad
        array(12.)
        """
        if (trace := MODE.get().trace) is not None:
            trace.refuse("reading .grad", refusals.GRADIENTS)
        if self._grad is None and (self.primitive is not None or not self._requires_grad):
            warnings.warn(refusals.no_collected_gradient(self), UserWarning, stacklevel=2)
        return self._grad

    @grad.setter
    def grad(self, value: ArrayLike | None) -> None:
        if (trace := MODE.get().trace) is not None:
            trace.refuse("setting .grad", refusals.GRADIENTS)
        if value is None:
            self._grad = None
            return
        if not (self.is_leaf and self._requires_grad):
            raise refusals.grad_of_no_leaf(self)
        new = np.array(value, dtype=self.dtype)
        if new.shape != self.shape:
            raise refusals.grad_shape(self, new.shape)
        self._grad = new

    def backward(self, cotangent: Operand | None = None) -> None:
        """Add the gradient of this tensor to `.grad` of every leaf it depends on that requires gradients.

        `cotangent`, of this tensor's shape and dtype, weighs the elements and is needed unless there is just one:
        each leaf gets its vector-Jacobian product. An error during the sweep leaves every `.grad` as it was.
        Raises `GradientError` when this tensor does not depend on a leaf that requires gradients, or needs a cotangent;
        `ShapeError` and `DtypeError` for a cotangent that does not fit.

        >>> x = Tensor([1.0, 2.0], requires_grad=True)
        >>> (x * x).backward([1.0, 10.0])
        >>> x.grad
        array([ 2., 40.])
        """
        if (trace := MODE.get().trace) is not None:
            trace.refuse("backward()", refusals.GRADIENTS)
        if not self._requires_grad:
            raise refusals.no_gradient(self)
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
        if method != "__call__":
            raise refusals.ufunc_method(ufunc, method)
        for key, value in kwargs.items():
            if value is not SPELLED_OUT.get(key):
                raise refusals.keyword(ufunc, key)
        return apply(ufunc, inputs, _NO_PARAMS)

    def __array_function__(
        self, function: Callable[..., Any], types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        return apply(function, args, kwargs)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        values = self.data
        if self._requires_grad:
            raise refusals.plain_array(self)
        return np.array(values, dtype=dtype, copy=copy)

    # --- Python's protocols --------------------------------------------------------------------------------------

    __hash__ = object.__hash__  # by identity: a C function, since the sweep hashes every node

    def __repr__(self) -> str:
        text = np.array2string(self.data, threshold=20, edgeitems=2, separator=", ", prefix="Tensor(")
        facts = [] if self.dtype in (np.float64, np.int64, np.bool) else [f"dtype={self.dtype}"]
        if text.count("\n") > 4:
            text = f"<array of shape {self.shape}>"
        elif "..." in text or (self.size == 0 and self.ndim > 1):
            facts.insert(0, f"shape={self.shape}")
        if self.name is not None:
            facts.append(f"name={self.name!r}")
        if self._requires_grad:
            facts.append("requires_grad=True")
        if self.primitive is not None:
            facts.append(f"from {self.primitive.name}")
        return f"Tensor({', '.join([text, *facts])})"

    def __copy__(self) -> Tensor:
        return _alias(self, self._requires_grad and self.is_leaf)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        return self.__copy__()

    def __reduce__(self) -> Any:
        return Tensor, (self.data, self._requires_grad and self.is_leaf, self.name)

    # --- operators -----------------------------------------------------------------------------------------------

    __add__, __radd__ = _binary(np.add)
    __sub__, __rsub__ = _binary(np.subtract)
    __mul__, __rmul__ = _binary(np.multiply)
    __truediv__, __rtruediv__ = _binary(np.divide)
    __pow__, __rpow__ = _binary(np.power)
    __and__, __rand__ = _binary(np.bitwise_and)
    __or__, __ror__ = _binary(np.bitwise_or)
    __xor__, __rxor__ = _binary(np.bitwise_xor)
    __lt__, __gt__ = _binary(np.less)[0], _binary(np.greater)[0]
    __le__, __ge__ = _binary(np.less_equal)[0], _binary(np.greater_equal)[0]
    __eq__, __ne__ = _binary(np.equal)[0], _binary(np.not_equal)[0]  # type: ignore[assignment]
    __neg__, __pos__ = _unary(np.negative), _unary(np.positive)
    __abs__, __invert__ = _unary(np.absolute), _unary(np.invert)

    def __matmul__(self, other: Operand) -> Tensor:
        if type(other) is Tensor and other._value.ndim > 1 < self._value.ndim:
            return record(_MATMUL, (self, other))
        return apply(np.matmul, (self, other), _NO_PARAMS)

    def __rmatmul__(self, other: Operand) -> Tensor:
        return apply(np.matmul, (other, self), _NO_PARAMS)

    def __getitem__(self, index: Any) -> Tensor:
        if (trace := MODE.get().trace) is not None and _has_mask(index):
            trace.refuse("indexing by a boolean mask", refusals.MASKS)
        return apply(operator.getitem, (self, index), _NO_PARAMS)

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        raise refusals.set_item()

    def _refuse_in_place(self, other: Any) -> NoReturn:
        raise refusals.changed_in_place(self)

    __iadd__ = __isub__ = __imul__ = __itruediv__ = __imatmul__ = __ipow__ = _refuse_in_place
    __iand__ = __ior__ = __ixor__ = __ifloordiv__ = __imod__ = _refuse_in_place

    # --- methods that arrays have; those that are not here are in ArrayMethods --------------------------------------

    def sum(self, axis: Any = None, *, keepdims: bool = False) -> Tensor:
        """`np.sum` over `axis` (an int, a tuple, or None for all).

        The shape loses `axis`, or keeps it at length 1 with `keepdims`; AxisError where there is no such axis.

        >>> x = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
        >>> x.sum(axis=0, keepdims=True)
        Tensor([[4., 6.]], requires_grad=True, from np.sum)
        """
        return _reduce(_SUM, self, axis, keepdims)

    def mean(self, axis: Any = None, *, keepdims: bool = False) -> Tensor:
        """`np.mean` over `axis` (an int, a tuple, or None for all).

        Each of n entries gets 1/n of the gradient. Shape and errors as for `sum`.

        >>> x = Tensor([1.0, 5.0, 2.0, 4.0], requires_grad=True)
        >>> x.mean().backward()
        >>> x.grad
        array([0.25, 0.25, 0.25, 0.25])
        """
        return _reduce(_MEAN, self, axis, keepdims)

    def max(self, axis: Any = None, *, keepdims: bool = False) -> Tensor:
        """`np.max` over `axis`; entries that tie share the gradient equally.

        Shape and errors as for `sum`; `ShapeError` where there is no entry.

        >>> x = Tensor([1.0, 5.0, 5.0], requires_grad=True)
        >>> x.max().backward()
        >>> x.grad
        array([0. , 0.5, 0.5])
        """
        return _reduce(_MAX, self, axis, keepdims)

    def min(self, axis: Any = None, *, keepdims: bool = False) -> Tensor:
        """`np.min` over `axis`; entries that tie share the gradient equally.

        Shape and errors as for `max`.

        >>> x = Tensor([[3.0, 1.0], [2.0, 4.0]], requires_grad=True)
        >>> x.min(axis=1).backward([1.0, 10.0])
        >>> x.grad
        array([[ 0.,  1.],
               [10.,  0.]])
        """
        return _reduce(_MIN, self, axis, keepdims)

    def astype(self, dtype: DTypeLike) -> Tensor:
        """The same values in another dtype; the gradient comes back in this one.

        No gradient flows through integers and booleans. Raises `DtypeError` for complex, object and string dtypes.

        >>> x = Tensor([1.0, 2.0], requires_grad=True)
        >>> x.astype(np.float32).sum().backward()
        >>> x.grad.dtype
        dtype('float64')
        """
        return apply(np.ndarray.astype, (self, dtype), _NO_PARAMS)


Operand: TypeAlias = Tensor | ArrayLike

# --- recording ------------------------------------------------------------------------------------------------------

_MATMUL = PRIMITIVES[np.matmul]
_SUM, _MEAN, _MAX, _MIN = (PRIMITIVES[function] for function in (np.sum, np.mean, np.max, np.min))
_new = Tensor.__new__


def apply(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a NumPy function, or a declared primitive, with Tensors among its arguments."""
    composition = COMPOSITIONS.get(function)
    if composition is not None:
        try:
            result = call_bound(function, composition, args, kwargs)
        except (ValueError, IndexError) as error:
            refusals.explain_call(error, name_of(function), args, kwargs)
            raise
        if result is not NotImplemented:
            return result
    primitive = PRIMITIVES.get(function)
    if primitive is None:
        raise refusals.no_rule(function)
    if primitive.bind is not None:
        try:  # as in call_bound, without its frame
            args, kwargs = primitive.bind(*args, **kwargs)
        except TypeError:
            args, kwargs = call_again(function, primitive.bind, args, kwargs)
    return record(primitive, args, kwargs)


def _reduce(primitive: Primitive, x: Tensor, axis: Any, keepdims: bool) -> Tensor:
    """Record a reduction of `x`; over all axes, the usual case, without the detour of binding it."""
    if axis is None:
        return record(primitive, (x,), {"axis": tuple(range(x._value.ndim)), "keepdims": bool(keepdims)})
    return apply(primitive.function, (x, axis), {"keepdims": keepdims})


def record(primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any] = _NO_PARAMS) -> Tensor:
    """Evaluate `primitive` on the values of `args` and make the node that remembers it.

    A node is kept when a gradient may be asked through it, or it depends on such a node; otherwise the result is a
    leaf. Arrays among `args` are frozen copies from here on. Raises `ShapeError` when shapes do not fit, and
    `DtypeError` when the result is not an array of real numbers.
    """
    mode = MODE.get()
    tracked = mode.constants
    requires_grad = foreign = False
    operands: list[Any] = []
    for arg in args:
        if type(arg) is Tensor:
            operands.append(arg._value)
            if arg._requires_grad:
                tracked = requires_grad = True
            elif arg.primitive is not None:
                tracked = True
        else:
            operands.append(arg)
            if type(arg) not in _WEAK_SCALARS:
                foreign = True
    if requires_grad and (primitive.constant_in or len(args) != primitive.arity):
        requires_grad = _flows(primitive, args)
    if mode.trace is not None:
        operands = [mode.trace.value_of(arg) if type(arg) is Tensor else arg for arg in args]
    if foreign:
        operands = [
            operand if type(arg) is Tensor or type(arg) in _WEAK_SCALARS else _frozen_copy(arg, primitive.name)
            for arg, operand in zip(args, operands, strict=True)
        ]
        args = tuple(arg if type(arg) is Tensor else operand for arg, operand in zip(args, operands, strict=True))
    try:
        value = primitive.evaluate(*operands, **params) if params else primitive.evaluate(*operands)
    except (ValueError, IndexError) as error:
        refusals.explain_call(error, primitive.name, operands, params)
        raise
    if type(value) is not np.ndarray:
        if type(value) is tuple:
            raise refusals.several_outputs(primitive, len(value))
        value = np.asarray(value)
    if value.base is not None:
        value = _own(value)
    value.setflags(False)
    kind = value.dtype.kind
    if kind not in "fiub":
        raise refusals.result_dtype(primitive, value.dtype)

    result = _new(Tensor)
    result._value = value
    result._requires_grad = requires_grad and mode.recording and kind == "f"
    result.name = None
    result._grad = None
    result.serial = _next_serial()
    result.scope = mode.scope
    result.place = None
    if (tracked and mode.recording) or mode.constants:
        result.primitive = primitive
        result.args = args
        result.operands = tuple(operands)
        result.params = params
    else:
        result.primitive = None
        result.args = result.operands = ()
        result.params = _NO_PARAMS
    if mode.observer is not None:
        mode.observer.recorded(result)
    return result


def seed_cotangent(output: Tensor, cotangent: Operand | None, caller: str = "grad") -> NDArray[Any]:
    """The cotangent to start a sweep of `output` with: ones for one element, or what the caller gave, checked."""
    if cotangent is None:
        value = output._value
        if value.size != 1:
            raise refusals.no_cotangent(output, caller)
        return np.array(1, value.dtype, ndmin=value.ndim)
    given = cotangent._value if type(cotangent) is Tensor else np.asarray(cotangent)
    weak = type(cotangent) in _WEAK_SCALARS or isinstance(cotangent, list | tuple)
    if given.shape != output.shape:
        raise refusals.cotangent_shape(output, given.shape)
    if given.dtype != output.dtype and not (weak and given.dtype.kind in "iuf"):
        raise refusals.cotangent_dtype(output, given.dtype)
    return np.array(given, dtype=output.dtype)


def _flows(primitive: Primitive, args: tuple[Any, ...]) -> bool:
    """Whether a gradient flows to some of `args`: it requires one, and the primitive has a rule for it."""
    for arg, vjp in zip(args, primitive.vjps_for(len(args)), strict=True):
        if vjp is not None and type(arg) is Tensor and arg._requires_grad:
            return True
    return False


def constant(array: NDArray[Any]) -> Tensor:
    """A leaf that holds a copy of `array` and requires no gradients."""
    return _leaf(_frozen(np.array(array)), False, None)


def history(outputs: Iterable[Tensor]) -> list[Tensor]:
    """All tensors that `outputs` were computed from, themselves included, in the order in which they were made."""
    seen = set(outputs)
    stack = list(seen)
    while stack:
        for arg in stack.pop().args:
            if type(arg) is Tensor and arg not in seen:
                seen.add(arg)
                stack.append(arg)
    return sorted(seen, key=attrgetter("serial"))


def replayed(results: Sequence[NDArray[Any]], updated: Sequence[Tensor]) -> list[Tensor]:
    """Leaves that hold the first of `results`; the last ones become the values of `updated`. All are frozen arrays."""
    count = len(results) - len(updated)
    before = [leaf._value for leaf in updated]
    try:
        for leaf in updated:
            leaf._value = results[count]
            count += 1
    except BaseException:  # an interrupt between two leaves
        for leaf, value in zip(updated, before, strict=True):
            leaf._value = value
        raise
    return [_leaf(array, False, None) for array in results[: len(results) - len(updated)]]


def verify(check: Callable[..., None], values: Any, *details: Any) -> None:
    """Run `check(array, *details)` on the array behind `values`; in a captured step, again before each replay."""
    trace = MODE.get().trace
    if type(values) is not Tensor:
        check(values, *details)
    else:
        check(values._value if trace is None else trace.value_of(values), *details)
    if trace is not None:
        trace.verified(check, values, details)


def _alias(tensor: Tensor, requires_grad: bool) -> Tensor:
    """A leaf that holds the value of `tensor`, without its history."""
    trace = MODE.get().trace
    if trace is None:
        return _leaf(tensor._value, requires_grad, tensor.name)
    leaf = _leaf(trace.value_of(tensor), requires_grad, tensor.name)
    trace.aliased(leaf, tensor)
    return leaf


def _has_mask(index: Any) -> bool:
    items = index if isinstance(index, tuple) else (index,)
    lists = (item for item in items if isinstance(item, list) and item)
    return any(getattr(item, "dtype", None) == _BOOL for item in items) or any(
        all(isinstance(entry, bool) for entry in entries) for entries in lists
    )


def _leaf(value: NDArray[Any], requires_grad: bool, name: str | None) -> Tensor:
    leaf = _new(Tensor)
    leaf._value = value
    leaf._requires_grad = requires_grad
    leaf._make_leaf(name)
    return leaf


def _frozen_copy(data: Any, use: str) -> Any:
    """A read-only copy of `data` as an array of numbers, for `use`, which errors name."""
    if type(data) is Tensor:
        if data._requires_grad:
            raise refusals.lost_graph(use)
        return data._value  # which nobody can change
    if isinstance(data, np.ma.MaskedArray):
        raise refusals.masked_array(use)
    array = np.array(data)
    if array.dtype.kind not in "fiub":
        raise refusals.data_dtype(use, array.dtype)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if (trace := MODE.get().trace) is not None and isinstance(data, np.ndarray):
        trace.froze(data, array)
    return _frozen(array)


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.setflags(False)  # type: ignore[call-arg]  # by position: three times faster than by keyword
    return array


def _own(view: NDArray[Any]) -> NDArray[Any]:
    """`view` itself if what it views is frozen, else a copy, since somebody could still write to that."""
    base = view.base
    while isinstance(base, np.ndarray):
        if base.flags.writeable:
            return view.copy()
        base = base.base
    return view if base is None else view.copy()
