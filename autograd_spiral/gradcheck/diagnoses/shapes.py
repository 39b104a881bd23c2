"""What is wrong with the shape of a gradient. This module imports nothing."""

from __future__ import annotations

__all__ = ["broadcasts_to", "diagnose_shape"]


def diagnose_shape(given: tuple[int, ...], shape: tuple[int, ...]) -> str:
    """Return what is wrong with a gradient of shape `given` for an input of `shape`.

    >>> diagnose_shape((300, 3), (1, 3))
    'gradient of a broadcast not summed: shape (300, 3) for an input of shape (1, 3)'
    >>> diagnose_shape((3, 2), (2, 3))
    'transposed: shape (3, 2) for an input of shape (2, 3)'
    """
    shapes = f"shape {given} for an input of shape {shape}"
    if len(shape) > 1 and given == shape[::-1]:
        return f"transposed: {shapes}"
    return f"gradient of a broadcast not summed: {shapes}" if broadcasts_to(shape, given) else shapes


def broadcasts_to(shape: tuple[int, ...], larger: tuple[int, ...]) -> bool:
    """Return whether an array of this shape broadcasts to the `larger` one.

    >>> broadcasts_to((1, 3), (4, 2, 3)), broadcasts_to((2, 3), (1, 3))
    (True, False)
    """
    pairs = zip(shape[::-1], larger[::-1], strict=False)
    return len(shape) <= len(larger) and all(n in (1, m) for n, m in pairs)
