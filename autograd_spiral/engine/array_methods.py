"""The methods and attributes that a Tensor shares with arrays: shapes, Python's protocols, and NumPy's methods.

A class that inherits them holds an array as `_value`, makes it readable as `data`, and implements NumPy's protocols.
The methods here only call NumPy's functions, so they need not know how operations are recorded.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any, Never, Self

import numpy

from autograd_spiral.engine import messages
from autograd_spiral.engine.modes import MODE
from autograd_spiral.errors import ShapeError

__all__ = ["ArrayMethods"]

np: Any = numpy  # its type stubs know only arrays, not other classes that implement its protocols


class ArrayMethods:
    """The base class that gives a Tensor the methods of arrays, such as `sum` and `reshape`.

    Most of the methods call the NumPy function of the same name. So a class can inherit them if it implements NumPy's
    protocols, such as `__array_function__`. The results, gradients and errors that are described here are those of a
    Tensor.

    >>> class Shown(ArrayMethods):
    ...     def __array_function__(self, function, types, args, kwargs):  # shows the call instead of computing it
    ...         return f"np.{function.__name__}", args[1:]
    >>> Shown().swapaxes(0, -1)
    ('np.swapaxes', (0, -1))
    """

    __slots__ = ()

    _value: numpy.ndarray[Any, Any]
    data: Any
    name: str | None
    requires_grad: Any
    primitive: Any

    # --- shape and dtype --------------------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes.

        >>> from autograd_spiral import Tensor
        >>> Tensor(np.ones((300, 2))).shape
        (300, 2)
        """
        return self._value.shape

    @property
    def dtype(self) -> numpy.dtype[Any]:
        """The dtype of the elements.

        >>> from autograd_spiral import Tensor
        >>> (0.5 * Tensor(np.ones(3, np.float32))).dtype  # a Python number takes the dtype of the array
        dtype('float32')
        """
        return self._value.dtype

    @property
    def ndim(self) -> int:
        """The number of axes.

        >>> from autograd_spiral import Tensor
        >>> Tensor([[1.0, 2.0]]).ndim
        2
        """
        return self._value.ndim

    @property
    def size(self) -> int:
        """The number of elements.

        >>> from autograd_spiral import Tensor
        >>> Tensor(np.ones((300, 2))).size
        600
        """
        return self._value.size

    @property
    def T(self) -> Self:
        """The tensor with its axes in reverse order.

        >>> from autograd_spiral import Tensor
        >>> Tensor(np.ones((2, 3, 4))).T.shape
        (4, 3, 2)
        """
        return np.transpose(self)

    @property
    def mT(self) -> Self:
        """The tensor with its last two axes swapped; raises `ShapeError` for fewer than two axes.

        >>> from autograd_spiral import Tensor
        >>> Tensor(np.ones((2, 3, 4))).mT.shape
        (2, 4, 3)
        """
        if self.ndim < 2:
            raise ShapeError(f".mT needs two axes or more, not shape {self.shape}")
        return np.swapaxes(self, -1, -2)

    @property
    def real(self) -> Self:
        """The real part: the tensor's own values, since there are no complex tensors.

        >>> from autograd_spiral import Tensor
        >>> Tensor([1.0, 2.0]).real.data
        array([1., 2.])
        """
        return np.real(self)

    @property
    def imag(self) -> Self:
        """The imaginary part: all zeros, since there are no complex tensors.

        >>> from autograd_spiral import Tensor
        >>> Tensor([1.0, 2.0]).imag
        Tensor([0., 0.])
        """
        return np.imag(self)

    # --- as values: numbers, lists, text ---------------------------------------------------------------------------

    def numpy(self) -> numpy.ndarray[Any, Any]:
        """Return the value as a read-only array, the same as `.data`.

        >>> from autograd_spiral import Tensor
        >>> t = Tensor([1.0, 2.0])
        >>> np.shares_memory(t.numpy(), t.data)
        True
        """
        return self.data

    def item(self) -> Any:
        """Return the value of a tensor with one element, as a Python number.

        Raises `ShapeError` if the tensor has another number of elements, and `CaptureError` while `capture` records a
        step. In a function that is differentiated by `value_and_grad` or a similar function, it raises
        `LostGraphError` if the tensor requires gradients, since its gradient would be lost.

        >>> from autograd_spiral import Tensor
        >>> Tensor([[2.5]]).item()
        2.5
        """
        return self._one("item()")

    def _one(self, use: str) -> Any:
        """Return the value of a one-element tensor; raise `ShapeError`, naming `use`, for any other size."""
        if self.size != 1:
            raise ShapeError(f"{use} needs a tensor of one element, not of shape {self.shape}")
        value = self.data
        mode = MODE.get()
        loses = mode.transform and mode.recording and self.requires_grad and use != "int(t)"
        if loses and not messages.formats_text():
            raise messages.lost_number(self, use, mode.transform)
        return value.item()

    def tolist(self) -> Any:
        """Return the value as nested lists of Python numbers.

        Raises `CaptureError` while `capture` records a step.

        >>> from autograd_spiral import Tensor
        >>> Tensor([[1, 2], [3, 4]]).tolist()
        [[1, 2], [3, 4]]
        """
        return self.data.tolist()

    def __float__(self) -> float:
        return float(self._one("float(t)"))

    def __int__(self) -> int:
        return int(self._one("int(t)"))

    def __round__(self, digits: int | None = None) -> Self:
        return np.round(self, digits or 0)

    def __index__(self) -> int:
        return operator.index(self.data)

    def __bool__(self) -> bool:
        if self.size != 1:
            raise messages.ambiguous(self)
        return bool(self.data)

    def __len__(self) -> int:
        return len(self._value)

    def __iter__(self) -> Iterator[Self]:
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        indexed: Any = self
        return (indexed[i] for i in range(len(self)))

    def __contains__(self, value: Any) -> bool:
        return (value.data if isinstance(value, ArrayMethods) else value) in self.data

    def __repr__(self) -> str:
        text = np.array2string(self.data, threshold=20, edgeitems=2, separator=", ", prefix="Tensor(")
        facts = [] if self.dtype in (np.float64, np.int64, np.bool) else [f"dtype={self.dtype}"]
        if text.count("\n") > 4:
            text = f"<array of shape {self.shape}>"
        elif "..." in text or (self.size == 0 and self.ndim > 1):
            facts.insert(0, f"shape={self.shape}")
        if self.name is not None:
            facts.append(f"name={self.name!r}")
        if self.requires_grad:
            facts.append("requires_grad=True")
        if self.primitive is not None:
            facts.append(f"from {self.primitive.name}")
        return f"Tensor({', '.join([text, *facts])})"

    def __str__(self) -> str:
        return str(self.data) if self.ndim == 0 else repr(self)

    def __format__(self, spec: str) -> str:
        if self.ndim == 0:
            return format(self.data.item(), spec)
        if spec:
            raise TypeError(f"format {spec!r} needs a tensor of no axes, not shape {self.shape}")
        return str(self)

    # --- methods that call NumPy's functions ------------------------------------------------------------------------

    # `settings and …` costs no time in a call without settings.

    def sum(self, axis: Any = None, *, keepdims: bool = False, **settings: Any) -> Self:
        """Return the sum over `axis` (an int, a tuple of ints, or None for all axes), like `np.sum`.

        The axes that are summed over are removed; with `keepdims=True`, they stay, with length 1. NumPy's keywords
        `dtype`, `initial` and `where` work, too. Raises AxisError if the tensor has no such axis.

        >>> from autograd_spiral import Tensor
        >>> x = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
        >>> x.sum(axis=0, keepdims=True)
        Tensor([[4., 6.]], requires_grad=True, from np.sum)
        """
        return np.sum(self, axis, keepdims=keepdims, **settings and messages.in_numpys_names(settings))

    def mean(self, axis: Any = None, *, keepdims: bool = False, **settings: Any) -> Self:
        """Return the mean over `axis` (an int, a tuple of ints, or None for all axes), like `np.mean`.

        The derivative of a mean of n entries with respect to each of them is 1/n. NumPy's keywords `dtype` and `where`
        work, too. For `keepdims` and errors, see `sum`.

        >>> from autograd_spiral import Tensor
        >>> x = Tensor([1.0, 5.0, 2.0, 4.0], requires_grad=True)
        >>> x.mean().backward()
        >>> x.grad
        array([0.25, 0.25, 0.25, 0.25])
        """
        return np.mean(self, axis, keepdims=keepdims, **settings and messages.in_numpys_names(settings))

    def max(self, axis: Any = None, *, keepdims: bool = False, **settings: Any) -> Self:
        """Return the largest entry along `axis`, like `np.max`; entries that tie share the gradient equally.

        NumPy's keywords `initial` and `where` work, too. For `axis`, `keepdims` and errors, see `sum`. Also raises
        `ShapeError` if there are no entries.

        >>> from autograd_spiral import Tensor
        >>> x = Tensor([1.0, 5.0, 5.0], requires_grad=True)
        >>> x.max().backward()
        >>> x.grad
        array([0. , 0.5, 0.5])
        """
        return np.max(self, axis, keepdims=keepdims, **settings and messages.in_numpys_names(settings))

    def min(self, axis: Any = None, *, keepdims: bool = False, **settings: Any) -> Self:
        """Return the smallest entry along `axis`, like `np.min`; entries that tie share the gradient equally.

        For the keywords and errors, see `max`.

        >>> from autograd_spiral import Tensor
        >>> x = Tensor([[3.0, 1.0], [2.0, 4.0]], requires_grad=True)
        >>> x.min(axis=1).backward([1.0, 10.0])
        >>> x.grad
        array([[ 0.,  1.],
               [10.,  0.]])
        """
        return np.min(self, axis, keepdims=keepdims, **settings and messages.in_numpys_names(settings))

    def prod(self, axis: Any = None, *, keepdims: bool = False, **settings: Any) -> Self:
        """Return the product over `axis` (an int, a tuple of ints, or None for all axes), like `np.prod`.

        The derivative with respect to an entry is the product of the other entries. It is exact even if some entries
        are 0. For the keywords and errors, see `sum`.

        >>> from autograd_spiral import Tensor
        >>> x = Tensor([2.0, 0.0, 5.0], requires_grad=True)
        >>> x.prod().backward()
        >>> x.grad
        array([ 0., 10.,  0.])
        """
        return np.prod(self, axis, keepdims=keepdims, **settings and messages.in_numpys_names(settings))

    def var(self, axis: Any = None, *, ddof: float = 0, keepdims: bool = False, **settings: Any) -> Self:
        """Return the variance over `axis`, like `np.var`.

        The variance is the sum of (x − mean)², divided by the number of entries minus `ddof`. NumPy's keywords `dtype`,
        `where` and `correction` (another name for `ddof`) work, too. For `axis`, `keepdims` and errors, see `sum`.

        >>> from autograd_spiral import Tensor
        >>> x = Tensor([1.0, 2.0, 6.0], requires_grad=True)
        >>> x.var(ddof=1).backward()
        >>> x.grad
        array([-2., -1.,  3.])
        """
        return np.var(self, axis, ddof=ddof, keepdims=keepdims, **settings and messages.in_numpys_names(settings))

    def std(self, axis: Any = None, *, ddof: float = 0, keepdims: bool = False, **settings: Any) -> Self:
        """Return the standard deviation over `axis`, like `np.std`; it is the square root of the variance.

        If all entries are equal, the gradient is 0. For the keywords, see `var`. For the errors, see `sum`.

        >>> from autograd_spiral import Tensor
        >>> x = Tensor([[1.0, 3.0], [2.0, 2.0]], requires_grad=True)
        >>> x.std(axis=1).sum().backward()
        >>> x.grad
        array([[-0.5,  0.5],
               [ 0. ,  0. ]])
        """
        return np.std(self, axis, ddof=ddof, keepdims=keepdims, **settings and messages.in_numpys_names(settings))

    def all(self, axis: Any = None, *, keepdims: bool = False, **settings: Any) -> Self:
        """Return whether all entries along `axis` are true, like `np.all`; the result has no gradient.

        NumPy's keyword `where` works, too. For `axis`, `keepdims` and errors, see `sum`.

        >>> from autograd_spiral import Tensor
        >>> (Tensor([[1.0, 2.0], [0.0, 3.0]]) > 0).all(axis=1)
        Tensor([ True, False])
        """
        return np.all(self, axis, keepdims=keepdims, **settings and messages.in_numpys_names(settings))

    def any(self, axis: Any = None, *, keepdims: bool = False, **settings: Any) -> Self:
        """Return whether at least one entry along `axis` is true, like `np.any`; the result has no gradient.

        NumPy's keyword `where` works, too. For `axis`, `keepdims` and errors, see `sum`.

        >>> from autograd_spiral import Tensor
        >>> np.isnan(Tensor([[1.0, np.nan], [3.0, 4.0]])).any(axis=1, keepdims=True)
        Tensor([[ True],
                [False]])
        """
        return np.any(self, axis, keepdims=keepdims, **settings and messages.in_numpys_names(settings))

    def argmax(self, axis: int | None = None, *, keepdims: bool = False, **others: Never) -> Self:
        """Return the index of the largest entry along `axis`, like `np.argmax`; the result has no gradient.

        If several entries are largest, it is the index of the first one. Without `axis`, it is an index into the
        flattened tensor. Raises AxisError if the tensor has no such axis, and ValueError if there are no entries.

        >>> from autograd_spiral import Tensor
        >>> Tensor([[1.0, 5.0, 5.0], [2.0, 0.0, 1.0]]).argmax(axis=1)
        Tensor([1, 0])
        """
        return np.argmax(self, axis, keepdims=keepdims, **others and messages.in_numpys_names(others))

    def argmin(self, axis: int | None = None, *, keepdims: bool = False, **others: Never) -> Self:
        """Return the index of the smallest entry along `axis`, like `np.argmin`; the result has no gradient.

        If several entries are smallest, it is the index of the first one. Without `axis`, it is an index into the
        flattened tensor. For the errors, see `argmax`.

        >>> from autograd_spiral import Tensor
        >>> Tensor([[3.0, 2.0], [1.0, 4.0]]).argmin()  # the third of the four entries
        Tensor(2)
        """
        return np.argmin(self, axis, keepdims=keepdims, **others and messages.in_numpys_names(others))

    def argsort(self, axis: int | None = -1, **settings: Any) -> Self:
        """Return the indices that sort the tensor along `axis`, like `np.argsort`; the result has no gradient.

        If `axis` is None, the tensor is flattened first. NumPy's keywords `kind` and `stable` work, too. Raises
        AxisError if the tensor has no such axis.

        >>> from autograd_spiral import Tensor
        >>> Tensor([3.0, 1.0, 2.0]).argsort()
        Tensor([1, 2, 0])
        """
        return np.argsort(self, axis, **settings and messages.in_numpys_names(settings))

    def cumsum(self, axis: int | None = None, **settings: Any) -> Self:
        """Return the cumulative sums along `axis`, like `np.cumsum`.

        The result has the shape of the tensor. If `axis` is None, the tensor is flattened first. NumPy's keyword
        `dtype` works, too. Raises AxisError if the tensor has no such axis.

        >>> from autograd_spiral import Tensor
        >>> x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
        >>> x.cumsum().sum().backward()  # an entry is part of its own sum and of all later sums
        >>> x.grad
        array([3., 2., 1.])
        """
        return np.cumsum(self, axis, **settings and messages.in_numpys_names(settings))

    def cumprod(self, axis: int | None = None, **settings: Any) -> Self:
        """Return the cumulative products along `axis`, like `np.cumprod`.

        The gradient is exact even if some entries are 0. For the shape, the keywords and errors, see `cumsum`.

        >>> from autograd_spiral import Tensor
        >>> x = Tensor([2.0, 0.0, 5.0], requires_grad=True)
        >>> x.cumprod().sum().backward()
        >>> x.grad
        array([ 1., 12.,  0.])
        """
        return np.cumprod(self, axis, **settings and messages.in_numpys_names(settings))

    def dot(self, other: Any) -> Self:
        """Return the dot product of this tensor and `other`, like `np.dot`.

        The products are summed over the last axis of this tensor and the second-to-last axis of `other` (its only axis,
        if it is a vector). Raises `ShapeError` if these two axes have different lengths. If one of the two is a single
        number, it is multiplied by the other.

        >>> from autograd_spiral import Tensor
        >>> x = Tensor([1.0, 2.0], requires_grad=True)
        >>> x.dot([3.0, 4.0]).backward()
        >>> x.grad
        array([3., 4.])
        """
        return np.dot(self, other)

    def trace(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Self:
        """Return the sum along a diagonal, like `np.trace`.

        The diagonal runs along `axis1` and `axis2`, `offset` columns to the right of the main diagonal. The result has
        the remaining axes. Raises AxisError if the tensor does not have these two axes, and ValueError if they are the
        same.

        >>> from autograd_spiral import Tensor
        >>> x = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
        >>> x.trace().backward()
        >>> x.grad
        array([[1., 0.],
               [0., 1.]])
        """
        return np.trace(self, offset, axis1, axis2)

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Self:
        """Return the entries along a diagonal, like `np.diagonal`; they form the last axis of the result.

        The diagonal runs along `axis1` and `axis2`, `offset` columns to the right of the main diagonal. For the errors,
        see `trace`.

        >>> from autograd_spiral import Tensor
        >>> Tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]).diagonal(offset=1)
        Tensor([2., 6.])
        """
        return np.diagonal(self, offset, axis1, axis2)

    def clip(self, min: Any = None, max: Any = None) -> Self:
        """Return the entries limited to the interval from `min` to `max`, like `np.clip`.

        The derivative is 1 between the bounds, 0 outside, and ½ at a bound. The bounds are numbers or arrays. Raises
        `ShapeError` if their shapes and the tensor's do not broadcast together.

        >>> from autograd_spiral import Tensor
        >>> x = Tensor([-2.0, 0.0, 0.5, 3.0], requires_grad=True)
        >>> x.clip(0.0, 1.0).sum().backward()
        >>> x.grad
        array([0. , 0.5, 1. , 0. ])
        """
        return np.clip(self, min, max)

    def round(self, decimals: int = 0) -> Self:
        """Return the entries rounded to `decimals` places, like `np.round`; the gradient is 0.

        If an entry is exactly halfway between two rounded numbers, the result is the one whose last digit is even.
        `round(t, decimals)` does the same.

        >>> from autograd_spiral import Tensor
        >>> Tensor([0.125, 1.5, 2.5]).round(2), round(Tensor([0.125, 1.5, 2.5]))
        (Tensor([0.12, 1.5 , 2.5 ]), Tensor([0., 2., 2.]))
        """
        return np.round(self, decimals)

    def conj(self) -> Self:
        """Return the complex conjugate: the same values, since there are no complex tensors.

        >>> from autograd_spiral import Tensor
        >>> Tensor([1.0, 2.0]).conj()
        Tensor([1., 2.])
        """
        return np.conjugate(self)

    def conjugate(self) -> Self:
        """Return the complex conjugate, the same as `conj`.

        >>> from autograd_spiral import Tensor
        >>> Tensor([1.0, 2.0]).conjugate()
        Tensor([1., 2.])
        """
        return np.conjugate(self)

    def choose(self, choices: Any, mode: str = "raise") -> Self:
        """Return a tensor whose entries come from several arrays, the `choices`, like `np.choose`.

        The entries of this tensor are integers: where an entry is k, the result has the entry of `choices[k]`. The
        choices and this tensor broadcast together. Raises ValueError if an integer is out of range, except with
        `mode="wrap"` or `mode="clip"`, which bring it into range.

        >>> from autograd_spiral import Tensor
        >>> Tensor([0, 1, 1]).choose([[1.0, 2.0, 3.0], 10.0])  # 10.0 is broadcast
        Tensor([ 1., 10., 10.])
        """
        return np.choose(self, choices, mode=mode)

    def compress(self, condition: Any, axis: int | None = None) -> Self:
        """Return the entries for which `condition` is True, like `np.compress`.

        The condition selects along `axis`. If `axis` is None, the tensor is flattened first.

        >>> from autograd_spiral import Tensor
        >>> x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
        >>> x.compress([True, False, True]).sum().backward()
        >>> x.grad
        array([1., 0., 1.])
        """
        return np.compress(condition, self, axis)

    def reshape(self, *shape: Any) -> Self:
        """Return the tensor in another shape, like `np.reshape`.

        The shape is a tuple or separate integers. One length may be -1: it is then computed from the others. Raises
        `ShapeError` if the new shape has another number of elements.

        >>> from autograd_spiral import Tensor
        >>> Tensor(np.arange(6)).reshape(3, -1)
        Tensor([[0, 1],
                [2, 3],
                [4, 5]])
        """
        return np.reshape(self, shape[0] if len(shape) == 1 else shape)

    def ravel(self) -> Self:
        """Return all elements in a tensor with one axis, like `np.ravel`.

        >>> from autograd_spiral import Tensor
        >>> Tensor([[1.0, 2.0], [3.0, 4.0]]).ravel()
        Tensor([1., 2., 3., 4.])
        """
        return np.ravel(self)

    def flatten(self) -> Self:
        """Return all elements in a tensor with one axis, the same as `ravel`.

        >>> from autograd_spiral import Tensor
        >>> x = Tensor([[1.0, 2.0]], requires_grad=True)
        >>> x.flatten().backward([3.0, 4.0])
        >>> x.grad
        array([[3., 4.]])
        """
        return np.ravel(self)

    def transpose(self, *axes: Any) -> Self:
        """Return the tensor with its axes in another order, like `np.transpose`.

        The order is a tuple or separate integers. If it is left out, the axes are reversed. Raises ValueError if the
        order does not have each axis exactly once.

        >>> from autograd_spiral import Tensor
        >>> Tensor(np.ones((2, 3, 4))).transpose(1, 0, 2).shape
        (3, 2, 4)
        """
        order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes or None
        return np.transpose(self, order)

    def swapaxes(self, axis1: int, axis2: int) -> Self:
        """Return the tensor with two axes swapped, like `np.swapaxes`.

        Raises AxisError if the tensor does not have these axes.

        >>> from autograd_spiral import Tensor
        >>> Tensor(np.ones((2, 3, 4))).swapaxes(0, -1).shape
        (4, 3, 2)
        """
        return np.swapaxes(self, axis1, axis2)

    def squeeze(self, axis: Any = None, **others: Never) -> Self:
        """Return the tensor without its axes of length 1, like `np.squeeze`.

        With `axis` (an int or a tuple of ints), only these axes are removed. Raises `ShapeError` if one of them does
        not have length 1.

        >>> from autograd_spiral import Tensor
        >>> Tensor(np.ones((1, 3, 1))).squeeze(axis=0).shape
        (3, 1)
        """
        return np.squeeze(self, axis, **others and messages.in_numpys_names(others))

    def repeat(self, repeats: Any, axis: int | None = None) -> Self:
        """Return the tensor with each entry repeated along `axis`, like `np.repeat`.

        If `axis` is None, the tensor is flattened first. `repeats` is one count for all entries, or one count per
        entry. Raises `ShapeError` if there is another number of counts.

        >>> from autograd_spiral import Tensor
        >>> x = Tensor([1.0, 2.0], requires_grad=True)
        >>> x.repeat([1, 3]).sum().backward()
        >>> x.grad
        array([1., 3.])
        """
        return np.repeat(self, repeats, axis)

    def take(self, indices: Any, axis: int | None = None) -> Self:
        """Return the entries at `indices` along `axis`, like `np.take`.

        If `axis` is None, the tensor is flattened first. If an entry is taken twice, its gradient is the sum of both
        contributions. Raises IndexError if an index is out of range.

        >>> from autograd_spiral import Tensor
        >>> x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
        >>> x.take([2, 0, 2]).sum().backward()
        >>> x.grad
        array([1., 0., 2.])
        """
        return np.take(self, indices, axis)

    def copy(self) -> Self:
        """Return a new tensor with the same values; gradients flow back through it to this tensor.

        >>> from autograd_spiral import Tensor
        >>> Tensor([1.0, 2.0], requires_grad=True).copy()  # recorded as np.positive, which changes no value
        Tensor([1., 2.], requires_grad=True, from np.positive)
        """
        return np.copy(self)


for _name, _member in vars(ArrayMethods).items():
    if callable(_member):
        _member.__qualname__ = f"Tensor.{_name}"  # Python's errors for wrong arguments print this name
