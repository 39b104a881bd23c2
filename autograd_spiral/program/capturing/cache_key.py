"""Cache keys: the parts of a call that select a program."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import math
import types
import weakref
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.engine.pytree import LEAF, flatten, leaf_names
from autograd_spiral.engine.tensor import Tensor

__all__ = [
    "CacheKey",
    "Call",
    "Identity",
    "InputKey",
    "constant_key",
    "digests",
    "is_input",
    "signature_check",
    "taken_apart",
]


class CacheKey(NamedTuple):
    """The parts of a call that select its program."""

    treedef: Any
    leaves: tuple[Any, ...]  # an `InputKey`, or the key of a constant
    recording: bool


class InputKey(NamedTuple):
    """The part of the key for an input. Whether the input is a Tensor matters, since the step may return it."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    is_tensor: bool


class Call:
    """One call of a step: its arguments as they were passed, and flattened."""

    def __init__(
        self, step: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], *, recording: bool
    ) -> None:
        self.step, self.args, self.kwargs, self.recording = step, args, kwargs, recording
        self.leaves, self.treedef = taken_apart((args, kwargs))
        self.constants = [leaf for leaf in self.leaves if not is_input(leaf)]
        self.roots = (step, *self.constants, *dict.fromkeys(_classes_in(self.treedef)))  # where guards start from

    @property
    def step_name(self) -> str:
        """The name of the step in messages."""
        return getattr(self.step, "__name__", "step")

    def input_tensors(self) -> set[Tensor]:
        """Return the tensors among the inputs."""
        return {leaf for leaf in self.leaves if type(leaf) is Tensor and is_input(leaf)}

    def key(self) -> tuple[CacheKey, list[NDArray[Any]]]:
        """Return the key of the call, and the arrays of its inputs."""
        inputs: list[NDArray[Any]] = []
        leaves = tuple(_leaf_key(leaf, inputs) for leaf in self.leaves)
        return CacheKey(self.treedef, leaves, self.recording), inputs

    def arguments(self) -> list[tuple[str, Any]]:
        """Return the arguments in the order of the call, each with the name of its parameter."""
        try:
            by_position = inspect.signature(self.step).bind_partial(*self.args).arguments
        except (TypeError, ValueError):
            by_position = {f"x{i + 1}": arg for i, arg in enumerate(self.args)}
        return [*by_position.items(), *self.kwargs.items()]

    def named_leaves(self) -> list[tuple[str, Any]]:
        """Return each leaf with its name, which comes from its key or attribute, or else its parameter and number."""
        names: list[tuple[str, Any]] = []
        for name, argument in self.arguments():
            leaves, treedef = taken_apart(argument)
            names += zip(leaf_names(treedef, name), leaves, strict=True)
        return names


def taken_apart(arguments: Any) -> tuple[list[Any], Any]:
    """Return the leaves and treedef of arguments. A dataclass without arrays is a leaf, since it may be a model."""
    return flatten(arguments, _is_object)


def _is_object(tree: Any) -> bool:
    if type(tree) in _BUILTIN or not hasattr(type(tree), "__dataclass_fields__"):
        return False
    return not any(isinstance(leaf, np.ndarray) for leaf in flatten(tree)[0])


def _classes_in(treedef: Any) -> list[type]:
    """Return the classes of the named tuples and dataclasses in a container: a step may call their methods."""
    kind, parts = treedef
    found = [] if kind in _BUILTIN else [kind]
    for _, part in parts:
        if part is not LEAF:
            found += _classes_in(part)
    return found


_BUILTIN = frozenset((list, tuple, dict, OrderedDict))


def is_input(leaf: Any) -> bool:
    """Return whether an argument is an input of the program: an array, or a tensor that requires no gradients."""
    return isinstance(leaf, np.ndarray) or (type(leaf) is Tensor and not leaf.requires_grad)


def _leaf_key(leaf: Any, inputs: list[NDArray[Any]]) -> Any:
    """Return what a leaf contributes to the key; if it is an input, append its array to `inputs`."""
    if not is_input(leaf):
        return constant_key(leaf)
    if isinstance(leaf, np.matrix):
        raise TypeError("a captured step takes no np.matrix, which multiplies differently: pass np.asarray(matrix)")
    array = leaf._value if type(leaf) is Tensor else leaf
    if type(array) is not np.ndarray or not array.dtype.isnative:
        array = Tensor(array)._value
    inputs.append(array)
    return InputKey(array.shape, array.dtype, type(leaf) is Tensor)


def constant_key(value: Any, identity: Callable[[Any], Any] | None = None) -> Any:
    """Return a key for a constant: a tuple, which is the same for equal constants, or the `identity` of another object.

    Numbers are equal if they have the same type, value and sign of zero. Slices, ranges, tuples and frozen dataclasses
    are equal if their parts are. Functions are equal if their code and defaults are, since guards watch everything else
    that functions read.
    """
    kind = type(value)
    if kind in (int, bool, str, type(None), bytes):
        return kind, value
    if kind is float:
        return kind, "nan" if value != value else value, math.copysign(1.0, value)
    if isinstance(value, np.generic):
        return kind, value.tobytes()
    parts = None
    if kind is tuple:
        parts = value
    elif kind is slice or kind is range:
        parts = (value.start, value.stop, value.step)
    elif kind is types.FunctionType:
        parts = (value.__defaults__, *(value.__kwdefaults__ or {}).items())
        return kind, value.__code__, tuple(constant_key(part, identity) for part in parts)
    elif (params := getattr(kind, "__dataclass_params__", None)) is not None and params.frozen and params.eq:
        parts = [getattr(value, field.name, None) for field in dataclasses.fields(value)]
    if parts is None:
        return (identity or Identity)(value)
    return kind, tuple(constant_key(part, identity) for part in parts)


class Identity:
    """The key of an object that equals no other object. The key does not keep the object alive."""

    __slots__ = ("_hash", "_object")

    def __init__(self, value: Any) -> None:
        self._hash = id(value)
        try:
            self._object = weakref.ref(value)
        except TypeError:
            self._object = lambda: value  # type: ignore[assignment]  # a list, for example, has no weak references

    def __eq__(self, other: object) -> bool:
        mine = self._object()
        return isinstance(other, Identity) and mine is not None and mine is other._object()

    def __hash__(self) -> int:
        return self._hash


def digests(arrays: Sequence[NDArray[Any]]) -> tuple[Any, ...]:
    """Return the shape, dtype and a hash of the contents of each array."""
    return tuple((a.shape, a.dtype, hashlib.blake2b(a.tobytes(), digest_size=16).digest()) for a in arrays)


def signature_check(call: Call) -> Callable[[tuple[Any, ...], bool], bool]:
    """Return a function that says whether a call has the signature of `call`, in which all arguments must be arrays.

    The function takes the arguments, and whether gradients are recorded. It is generated code, since every call of a
    captured step begins with it.

    >>> check = signature_check(Call(np.sin, (np.zeros(3),), {}, recording=True))
    >>> check((np.ones(3),), True), check((np.ones(4),), True), check((np.ones(3), np.ones(3)), True)
    (True, False, False)
    """
    if call.kwargs or not all(type(arg) is np.ndarray and arg.dtype.isnative for arg in call.args):
        return lambda args, recording: False
    names: dict[str, Any] = {"Array": np.ndarray}
    conditions = [f"recording is {call.recording} and len(args) == {len(call.args)}"]
    for i, arg in enumerate(call.args):
        names |= {f"shape{i}": arg.shape, f"dtype{i}": arg.dtype}
        conditions.append(f"type(x := args[{i}]) is Array and x.shape == shape{i} and x.dtype is dtype{i}")
    check: Callable[[tuple[Any, ...], bool], bool] = eval(f"lambda args, recording: {' and '.join(conditions)}", names)
    return check
