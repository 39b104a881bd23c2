"""Memory for the values of a program: aligned arrays, in blocks that values share if not needed at the same time.

All buffers are allocated once, aligned to cache lines, and live as long as the program.
"""

from __future__ import annotations

import bisect
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.program.ir import Value

__all__ = ["Array", "Block", "Memory", "aligned"]

Array: TypeAlias = NDArray[Any]

_LINE = 64
"""The size of a cache line in bytes: loads of vectors that cross from one line to the next take longer."""


def aligned(shape: tuple[int, ...], dtype: np.dtype[Any], order: str = "C") -> Array:
    """Return an uninitialised array that begins at a cache line; `order` is the order of its axes, as in NumPy."""
    size = int(np.prod(shape)) * dtype.itemsize
    raw = np.empty(size + _LINE, np.uint8)
    start = -raw.ctypes.data % _LINE
    array: Array = raw[start : start + size].view(dtype)
    return array.reshape(shape, order=order)  # type: ignore[call-overload, no-any-return]


class Block:
    """A piece of memory that holds different values at different times."""

    __slots__ = ("raw",)

    def __init__(self, size: int) -> None:
        self.raw = aligned((size,), np.dtype(np.uint8))

    def array(self, value: Value, order: str) -> Array:
        """Return the memory as an array for `value`."""
        flat = self.raw[: value.nbytes].view(value.dtype)
        return flat.reshape(value.shape, order=order)  # type: ignore[call-overload, no-any-return]


def _size(block: Block) -> int:
    return block.raw.nbytes


class Memory:
    """The blocks of a program: `take` one for a value, `free` it after the value's last use."""

    def __init__(self) -> None:
        self._free: list[Block] = []  # sorted by size; blocks of equal size are in the order in which they were freed
        self.allocated = 0

    def take(self, value: Value) -> Block:
        """Return the smallest free block that is large enough and not far larger, or a new one."""
        i = bisect.bisect_left(self._free, value.nbytes, key=_size)
        if i < len(self._free) and _size(self._free[i]) <= 4 * value.nbytes + 4096:
            return self._free.pop(i)
        self.allocated += value.nbytes
        return Block(value.nbytes)

    def free(self, block: Block) -> None:
        """Make a block free for other values."""
        bisect.insort(self._free, block, key=_size)
