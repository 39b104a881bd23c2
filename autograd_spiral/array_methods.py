"""Methods that arrays have, each calling the NumPy function of the same name. Imports numpy alone.

What they are called on answers NumPy's protocols, so nothing here knows how.
"""

from __future__ import annotations

from typing import Any, Self

import numpy

__all__ = ["ArrayMethods"]

np: Any = numpy  # its stubs know nothing of what answers its protocols


class ArrayMethods:
    """What a class that answers NumPy's protocols inherits to have the methods of arrays."""

    __slots__ = ()

    def prod(self, axis: Any = None, *, keepdims: bool = False) -> Self:
        """`np.prod` over `axis` (an int, a tuple, or None for all)."""
        return np.prod(self, axis, keepdims=keepdims)

    def var(self, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Self:
        """`np.var` over `axis`, dividing by the count less `ddof`."""
        return np.var(self, axis, ddof=ddof, keepdims=keepdims)

    def std(self, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Self:
        """`np.std` over `axis`, dividing by the count less `ddof`."""
        return np.std(self, axis, ddof=ddof, keepdims=keepdims)

    def all(self, axis: Any = None, *, keepdims: bool = False) -> Self:
        """`np.all` over `axis`; no gradient."""
        return np.all(self, axis, keepdims=keepdims)

    def any(self, axis: Any = None, *, keepdims: bool = False) -> Self:
        """`np.any` over `axis`; no gradient."""
        return np.any(self, axis, keepdims=keepdims)

    def argmax(self, axis: int | None = None, *, keepdims: bool = False) -> Self:
        """`np.argmax` over `axis`; no gradient."""
        return np.argmax(self, axis, keepdims=keepdims)

    def argmin(self, axis: int | None = None, *, keepdims: bool = False) -> Self:
        """`np.argmin` over `axis`; no gradient."""
        return np.argmin(self, axis, keepdims=keepdims)

    def cumsum(self, axis: int | None = None) -> Self:
        """`np.cumsum` along `axis`, or of the ravelled tensor."""
        return np.cumsum(self, axis)

    def dot(self, other: Any) -> Self:
        """`np.dot(self, other)`."""
        return np.dot(self, other)

    def trace(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Self:
        """`np.trace`: the sum along a diagonal."""
        return np.trace(self, offset, axis1, axis2)

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Self:
        """`np.diagonal`: the entries along a diagonal, as the last axis."""
        return np.diagonal(self, offset, axis1, axis2)

    def clip(self, min: Any = None, max: Any = None) -> Self:
        """`np.clip` to between `min` and `max`."""
        return np.clip(self, min, max)

    def reshape(self, *shape: Any) -> Self:
        """`np.reshape` to `shape`, given as a tuple or as separate integers."""
        return np.reshape(self, shape[0] if len(shape) == 1 else shape)

    def ravel(self) -> Self:
        """All elements along one axis."""
        return np.ravel(self)

    def flatten(self) -> Self:
        """All elements along one axis: the same as `ravel`."""
        return np.ravel(self)

    def transpose(self, *axes: Any) -> Self:
        """`np.transpose`: the axes in the order given, as a tuple or separately, or reversed."""
        order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes or None
        return np.transpose(self, order)

    def swapaxes(self, axis1: int, axis2: int) -> Self:
        """`np.swapaxes`: two axes exchanged."""
        return np.swapaxes(self, axis1, axis2)

    def squeeze(self, axis: Any = None) -> Self:
        """`np.squeeze`: axes of length 1 left out."""
        return np.squeeze(self, axis)

    def repeat(self, repeats: Any, axis: int | None = None) -> Self:
        """`np.repeat`: each element repeated."""
        return np.repeat(self, repeats, axis)

    def take(self, indices: Any, axis: int | None = None) -> Self:
        """`np.take`: the entries at `indices` along `axis`."""
        return np.take(self, indices, axis)

    def copy(self) -> Self:
        """A new tensor of the same values, through which gradients flow."""
        return np.copy(self)
