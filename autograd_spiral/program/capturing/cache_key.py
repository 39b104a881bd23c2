"""The kind of a call: what of its arguments, and of what the step reaches, selects a program."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.engine.tensor import Tensor

__all__ = ["contents", "fits", "identity", "input_tensors", "is_input", "token"]


def fits(args: Sequence[NDArray[Any]]) -> Callable[[tuple[Any, ...]], bool]:
    """A function that says whether arguments are arrays of the same shapes and dtypes, as code for these alone."""
    names: dict[str, Any] = {"Array": np.ndarray}
    conditions = [f"len(args) == {len(args)}"]
    for i, arg in enumerate(args):
        names |= {f"shape{i}": arg.shape, f"dtype{i}": arg.dtype}
        conditions.append(f"type(x := args[{i}]) is Array and x.shape == shape{i} and x.dtype is dtype{i}")
    check: Callable[[tuple[Any, ...]], bool] = eval(f"lambda args: {' and '.join(conditions)}", names)
    return check


def is_input(leaf: Any) -> bool:
    """Whether an argument is an input of the program: arrays, and tensors through which no gradient flows."""
    return isinstance(leaf, np.ndarray) or (type(leaf) is Tensor and not leaf.requires_grad)


def input_tensors(leaves: Sequence[Any]) -> set[Tensor]:
    """The tensors among the inputs."""
    return {leaf for leaf in leaves if type(leaf) is Tensor and is_input(leaf)}


def contents(arrays: Sequence[NDArray[Any]]) -> tuple[Any, ...]:
    """What is in some arrays, in short."""
    return tuple((a.shape, a.dtype, hashlib.blake2b(a.tobytes(), digest_size=16).digest()) for a in arrays)


def token(leaf: Any, inputs: list[Any]) -> Any:
    """What of an argument selects the program; its array, if it is an input, is appended to `inputs`."""
    kind = type(leaf)
    if kind is np.ndarray and leaf.dtype.isnative:
        inputs.append(leaf)
        return leaf.shape, leaf.dtype
    if kind is Tensor and not leaf._requires_grad:
        inputs.append(leaf._value)
        return leaf.shape, leaf.dtype, Tensor
    if isinstance(leaf, np.ndarray):
        if isinstance(leaf, np.matrix):
            raise TypeError("a captured step takes arrays, and np.matrix multiplies otherwise: pass np.asarray(matrix)")
        plain = Tensor(leaf)._value
        inputs.append(plain)
        return plain.shape, plain.dtype
    return identity(leaf)


def identity(value: Any) -> Any:
    """A key for what is constant: numbers and strings by type, value and sign of zero, other objects by identity."""
    kind = type(value)
    if kind in (int, bool, str, type(None), bytes):
        return kind, value
    if kind is float:
        return kind, "nan" if value != value else value, math.copysign(1.0, value)
    if isinstance(value, np.generic):
        return kind, value.tobytes()
    if kind is tuple:
        return kind, tuple(map(identity, value))
    return id(value)
