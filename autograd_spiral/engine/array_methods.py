"""What a Tensor has because arrays have it: shapes, Python's protocols, and the methods of NumPy's functions.

What inherits it holds an array as `_value`, lets it be read as `data`, and answers NumPy's protocols, so no method here
knows how anything is recorded. Imports numpy and errors alone.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any, Self

import numpy

from autograd_spiral.errors import ShapeError

__all__ = ["ArrayMethods"]

np: Any = numpy  # its stubs know nothing of what answers its protocols


class ArrayMethods:
    """What a class that answers NumPy's protocols inherits to be used as arrays are.

    What they give, and their errors, are up to the class; what is said here of gradients and errors is of a Tensor.

    >>> class Told(ArrayMethods):
    ...     def __array_function__(self, function, types, args, kwargs):
    ...         return f"np.{function.__name__}", args[1:]
    >>> Told().swapaxes(0, -1)
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
        >>> (0.5 * Tensor(np.ones(3, np.float32))).dtype  # Python's numbers take the dtype of what they meet
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
        """The axes in reverse order.

        >>> from autograd_spiral import Tensor
        >>> Tensor(np.ones((2, 3, 4))).T.shape
        (4, 3, 2)
        """
        return np.transpose(self)

    @property
    def mT(self) -> Self:
        """The last two axes exchanged; ValueError for fewer than two.

        >>> from autograd_spiral import Tensor
        >>> Tensor(np.ones((2, 3, 4))).mT.shape
        (2, 4, 3)
        """
        if self.ndim < 2:
            raise ShapeError(f".mT needs two axes or more, not shape {self.shape}")
        return np.swapaxes(self, -1, -2)

    # --- as values: numbers, lists, text ---------------------------------------------------------------------------

    def numpy(self) -> numpy.ndarray[Any, Any]:
        """The value, as a read-only array: the same as `.data`.

        >>> from autograd_spiral import Tensor
        >>> t = Tensor([1.0, 2.0])
        >>> t.numpy() is t.data
        True
        """
        return self.data

    def item(self) -> Any:
        """The number that a tensor of one element holds, of Python's type; ValueError for any other size.

        Raises `CaptureError` while a step is captured.

        >>> from autograd_spiral import Tensor
        >>> Tensor([[2.5]]).item()
        2.5
        """
        return self.data.item()

    def tolist(self) -> Any:
        """The value as nested lists of Python numbers.

        Raises `CaptureError` while a step is captured.

        >>> from autograd_spiral import Tensor
        >>> Tensor([[1, 2], [3, 4]]).tolist()
        [[1, 2], [3, 4]]
        """
        return self.data.tolist()

    def __float__(self) -> float:
        return float(self.data.item())

    def __int__(self) -> int:
        return int(self.data.item())

    def __round__(self, digits: int | None = None) -> Any:
        return round(self.item(), digits)

    def __index__(self) -> int:
        return operator.index(self.data)

    def __bool__(self) -> bool:
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
            return format(self.item(), spec)
        if spec:
            raise TypeError(f"format {spec!r} needs a tensor of no axes, not shape {self.shape}")
        return str(self)

    # --- methods, by NumPy's functions ------------------------------------------------------------------------------

    def sum(self, axis: Any = None, *, keepdims: bool = False) -> Self:
        """`np.sum` over `axis` (an int, a tuple, or None for all).

        The shape loses `axis`, or keeps it at length 1 with `keepdims`; AxisError where there is no such axis.

        >>> from autograd_spiral import Tensor
        >>> x = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
        >>> x.sum(axis=0, keepdims=True)
        Tensor([[4., 6.]], requires_grad=True, from np.sum)
        """
        return np.sum(self, axis, keepdims=keepdims)

    def mean(self, axis: Any = None, *, keepdims: bool = False) -> Self:
        """`np.mean` over `axis` (an int, a tuple, or None for all).

        Each of n entries gets 1/n of the gradient. Shape and errors as for `sum`.

        >>> from autograd_spiral import Tensor
        >>> x = Tensor([1.0, 5.0, 2.0, 4.0], requires_grad=True)
        >>> x.mean().backward()
        >>> x.grad
        array([0.25, 0.25, 0.25, 0.25])
        """
        return np.mean(self, axis, keepdims=keepdims)

    def max(self, axis: Any = None, *, keepdims: bool = False) -> Self:
        """`np.max` over `axis`; entries that tie share the gradient equally.

        Shape and errors as for `sum`; `ShapeError` where there is no entry.

        >>> from autograd_spiral import Tensor
        >>> x = Tensor([1.0, 5.0, 5.0], requires_grad=True)
        >>> x.max().backward()
        >>> x.grad
        array([0. , 0.5, 0.5])
        """
        return np.max(self, axis, keepdims=keepdims)

    def min(self, axis: Any = None, *, keepdims: bool = False) -> Self:
        """`np.min` over `axis`; entries that tie share the gradient equally.

        Shape and errors as for `max`.

        >>> from autograd_spiral import Tensor
        >>> x = Tensor([[3.0, 1.0], [2.0, 4.0]], requires_grad=True)
        >>> x.min(axis=1).backward([1.0, 10.0])
        >>> x.grad
        array([[ 0.,  1.],
               [10.,  0.]])
        """
        return np.min(self, axis, keepdims=keepdims)

    def prod(self, axis: Any = None, *, keepdims: bool = False) -> Self:
        """`np.prod` over `axis` (an int, a tuple, or None for all).

        Each entry gets the product of the others times the gradient, also where one of them is 0.

        >>> from autograd_spiral import Tensor
        >>> x = Tensor([2.0, 0.0, 5.0], requires_grad=True)
        >>> x.prod().backward()
        >>> x.grad
        array([ 0., 10.,  0.])
        """
        return np.prod(self, axis, keepdims=keepdims)

    def var(self, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Self:
        """`np.var` over `axis`, dividing by the count less `ddof`.

        The sum of (x − mean)² over that count; shape and errors as for `sum`.

        >>> from autograd_spiral import Tensor
        >>> x = Tensor([1.0, 2.0, 6.0], requires_grad=True)
        >>> x.var(ddof=1).backward()
        >>> x.grad
        array([-2., -1.,  3.])
        """
        return np.var(self, axis, ddof=ddof, keepdims=keepdims)

    def std(self, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Self:
        """`np.std` over `axis`, dividing by the count less `ddof`.

        The square root of `var`, with its shape and errors; the gradient is 0 where all entries are equal.

        >>> from autograd_spiral import Tensor
        >>> x = Tensor([[1.0, 3.0], [2.0, 2.0]], requires_grad=True)
        >>> x.std(axis=1).sum().backward()
        >>> x.grad
        array([[-0.5,  0.5],
               [ 0. ,  0. ]])
        """
        return np.std(self, axis, ddof=ddof, keepdims=keepdims)

    def all(self, axis: Any = None, *, keepdims: bool = False) -> Self:
        """`np.all` over `axis`; no gradient.

        Shape and errors as for `sum`.

        >>> from autograd_spiral import Tensor
        >>> (Tensor([[1.0, 2.0], [0.0, 3.0]]) > 0).all(axis=1)
        Tensor([ True, False])
        """
        return np.all(self, axis, keepdims=keepdims)

    def any(self, axis: Any = None, *, keepdims: bool = False) -> Self:
        """`np.any` over `axis`; no gradient.

        Shape and errors as for `sum`.

        >>> from autograd_spiral import Tensor
        >>> np.isnan(Tensor([[1.0, np.nan], [3.0, 4.0]])).any(axis=1, keepdims=True)
        Tensor([[ True],
                [False]])
        """
        return np.any(self, axis, keepdims=keepdims)

    def argmax(self, axis: int | None = None, *, keepdims: bool = False) -> Self:
        """`np.argmax` over `axis`; no gradient.

        The first place of the largest entry, counted along `axis`; AxisError where there is no such axis, ValueError
        where there is no entry.

        >>> from autograd_spiral import Tensor
        >>> Tensor([[1.0, 5.0, 5.0], [2.0, 0.0, 1.0]]).argmax(axis=1)
        Tensor([1, 0])
        """
        return np.argmax(self, axis, keepdims=keepdims)

    def argmin(self, axis: int | None = None, *, keepdims: bool = False) -> Self:
        """`np.argmin` over `axis`; no gradient.

        Without `axis` the place is that in the ravelled tensor; errors as for `argmax`.

        >>> from autograd_spiral import Tensor
        >>> Tensor([[3.0, 2.0], [1.0, 4.0]]).argmin()
        Tensor(2)
        """
        return np.argmin(self, axis, keepdims=keepdims)

    def cumsum(self, axis: int | None = None) -> Self:
        """`np.cumsum` along `axis`, or of the ravelled tensor.

        The shape stays, or is that of the ravelled tensor; AxisError where there is no such axis.

        >>> from autograd_spiral import Tensor
        >>> x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
        >>> x.cumsum().sum().backward()  # an entry is in all sums from its place on
        >>> x.grad
        array([3., 2., 1.])
        """
        return np.cumsum(self, axis)

    def dot(self, other: Any) -> Self:
        """`np.dot(self, other)`.

        Sums over the last axis of this and the last but one, or only one, of `other`; `ShapeError` where they differ.

        >>> from autograd_spiral import Tensor
        >>> x = Tensor([1.0, 2.0], requires_grad=True)
        >>> x.dot([3.0, 4.0]).backward()
        >>> x.grad
        array([3., 4.])
        """
        return np.dot(self, other)

    def trace(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Self:
        """`np.trace`: the sum along a diagonal.

        The shape loses `axis1` and `axis2`; AxisError where there are no such axes, ValueError where they are the same.

        >>> from autograd_spiral import Tensor
        >>> x = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
        >>> x.trace().backward()
        >>> x.grad
        array([[1., 0.],
               [0., 1.]])
        """
        return np.trace(self, offset, axis1, axis2)

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Self:
        """`np.diagonal`: the entries along a diagonal, as the last axis.

        `offset` is how far right of the main one it lies; errors as for `trace`.

        >>> from autograd_spiral import Tensor
        >>> Tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]).diagonal(offset=1)
        Tensor([2., 6.])
        """
        return np.diagonal(self, offset, axis1, axis2)

    def clip(self, min: Any = None, max: Any = None) -> Self:
        """`np.clip` to between `min` and `max`.

        The gradient is 1 between the bounds, 0 outside, half at a bound; `ShapeError` for bounds that do not broadcast.

        >>> from autograd_spiral import Tensor
        >>> x = Tensor([-2.0, 0.0, 0.5, 3.0], requires_grad=True)
        >>> x.clip(0.0, 1.0).sum().backward()
        >>> x.grad
        array([0. , 0.5, 1. , 0. ])
        """
        return np.clip(self, min, max)

    def reshape(self, *shape: Any) -> Self:
        """`np.reshape` to `shape`, given as a tuple or as separate integers.

        One of them may be -1, for what is left; `ShapeError` where the sizes differ.

        >>> from autograd_spiral import Tensor
        >>> Tensor(np.arange(6)).reshape(3, -1)
        Tensor([[0, 1],
                [2, 3],
                [4, 5]])
        """
        return np.reshape(self, shape[0] if len(shape) == 1 else shape)

    def ravel(self) -> Self:
        """All elements along one axis.

        >>> from autograd_spiral import Tensor
        >>> Tensor([[1.0, 2.0], [3.0, 4.0]]).ravel()
        Tensor([1., 2., 3., 4.])
        """
        return np.ravel(self)

    def flatten(self) -> Self:
        """All elements along one axis: the same as `ravel`.

        >>> from autograd_spiral import Tensor
        >>> x = Tensor([[1.0, 2.0]], requires_grad=True)
        >>> x.flatten().backward([3.0, 4.0])
        >>> x.grad
        array([[3., 4.]])
        """
        return np.ravel(self)

    def transpose(self, *axes: Any) -> Self:
        """`np.transpose`: the axes in the order given, as a tuple or separately, or reversed.

        ValueError unless each axis is given once, or none.

        >>> from autograd_spiral import Tensor
        >>> Tensor(np.ones((2, 3, 4))).transpose(1, 0, 2).shape
        (3, 2, 4)
        """
        order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes or None
        return np.transpose(self, order)

    def swapaxes(self, axis1: int, axis2: int) -> Self:
        """`np.swapaxes`: two axes exchanged.

        AxisError where there is no such axis.

        >>> from autograd_spiral import Tensor
        >>> Tensor(np.ones((2, 3, 4))).swapaxes(0, -1).shape
        (4, 3, 2)
        """
        return np.swapaxes(self, axis1, axis2)

    def squeeze(self, axis: Any = None) -> Self:
        """`np.squeeze`: axes of length 1 left out.

        All of them, or `axis` alone (an int or a tuple); `ShapeError` where that has another length.

        >>> from autograd_spiral import Tensor
        >>> Tensor(np.ones((1, 3, 1))).squeeze(axis=0).shape
        (3, 1)
        """
        return np.squeeze(self, axis)

    def repeat(self, repeats: Any, axis: int | None = None) -> Self:
        """`np.repeat`: each element repeated.

        Along `axis`, or of the ravelled tensor; `repeats` is one count or one for each entry, else `ShapeError`.

        >>> from autograd_spiral import Tensor
        >>> x = Tensor([1.0, 2.0], requires_grad=True)
        >>> x.repeat([1, 3]).sum().backward()
        >>> x.grad
        array([1., 3.])
        """
        return np.repeat(self, repeats, axis)

    def take(self, indices: Any, axis: int | None = None) -> Self:
        """`np.take`: the entries at `indices` along `axis`.

        Without `axis`, of the ravelled tensor; IndexError for an index out of range. An entry taken twice gets both
        gradients.

        >>> from autograd_spiral import Tensor
        >>> x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
        >>> x.take([2, 0, 2]).sum().backward()
        >>> x.grad
        array([1., 0., 2.])
        """
        return np.take(self, indices, axis)

    def copy(self) -> Self:
        """A new tensor of the same values, through which gradients flow.

        >>> from autograd_spiral import Tensor
        >>> Tensor([1.0, 2.0], requires_grad=True).copy()
        Tensor([1., 2.], requires_grad=True, from np.positive)
        """
        return np.copy(self)


for _name, _member in vars(ArrayMethods).items():
    if callable(_member):
        _member.__qualname__ = f"Tensor.{_name}"  # Python's errors of calls say this name
