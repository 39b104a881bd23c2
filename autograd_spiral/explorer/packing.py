"""Packs the numbers of a page as text: 24 bits of each float, sorted by byte position, compressed, in base64."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["packed", "rounded"]


def rounded(numbers: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return float32 numbers rounded to 24 bits: the error is at most 1 in 65,000, so four digits are right.

    >>> rounded(np.array([1 / 3, np.inf], np.float32))
    array([0.33333588,        inf], dtype=float32)
    """
    return (_bits(numbers) << np.uint32(8)).view(np.float32)


def _bits(numbers: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Return the upper 24 bits of each number, after rounding."""
    bits = np.ascontiguousarray(numbers, np.float32).view(np.uint32)
    finite = np.isfinite(numbers)
    near = np.where(
        finite & (np.abs(numbers) < 3.4e38), bits + np.uint32(0x7F) + ((bits >> np.uint32(8)) & np.uint32(1)), bits
    )
    return near >> np.uint32(8)


def packed(numbers: Iterable[NDArray[np.float32]], octets: Iterable[NDArray[np.uint8]]) -> tuple[str, int]:
    """Return the text for all `numbers` followed by all `octets`, and how many numbers there are.

    Each array of numbers has one row for each moment. Each row is stored as its difference (exclusive or) from the row
    before. If little changes from row to row, the differences compress well.
    """
    bits = [np.zeros(0, np.uint32)]
    for rows in numbers:
        row_bits = _bits(rows)
        row_bits[1:] ^= row_bits[:-1].copy()
        bits.append(row_bits.ravel())
    whole = np.concatenate(bits)
    planes: list[NDArray[Any]] = [(whole >> np.uint32(shift)).astype(np.uint8) for shift in (16, 8, 0)]
    tail = np.concatenate([np.zeros(0, np.uint8), *(part.ravel() for part in octets)])
    data = b"".join(plane.tobytes() for plane in planes) + tail.tobytes()
    return base64.b64encode(zlib.compress(data, 9)).decode("ascii"), whole.size
