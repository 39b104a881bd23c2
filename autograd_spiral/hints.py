"""What to write instead of names that arrays, and the tensors of other libraries, have and ours do not.

The names are attributes that raise, in a base class: `hasattr` is False for them, and they cost nothing. A
`__getattr__` on Tensor would do the same in fewer lines, but Python then finds all other attributes more slowly.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from autograd_spiral.compositions import COMPOSITIONS
from autograd_spiral.primitives import name_of
from autograd_spiral.refusals import INSTEAD
from autograd_spiral.rules import PRIMITIVES

__all__ = ["Hints", "hint_at"]


class Hints:
    """What Tensor inherits to answer names that it does not have with what to write instead.

    >>> from autograd_spiral import Tensor
    >>> Tensor([1.0, 2.0]).unsqueeze
    Traceback (most recent call last):
      ...
    AttributeError: Tensor has no 'unsqueeze': write np.expand_dims(t, axis)
    """

    __slots__ = ()

    def __dir__(self) -> list[str]:
        kind = type(self)
        return [name for name in super().__dir__() if type(inspect.getattr_static(kind, name, None)) is not _Hint]


class _Hint:
    """Stands for an attribute that is not there."""

    __slots__ = ("_instead", "_name")

    def __init__(self, name: str, instead: str) -> None:
        self._name, self._instead = name, instead

    def __get__(self, instance: object, owner: type) -> NoReturn:
        # With the name alone, Python adds no guess of its own at another attribute that might be meant.
        raise AttributeError(f"{owner.__name__} has no {self._name!r}: {self._instead}", name=self._name)

    def __repr__(self) -> str:
        return f"<no attribute: {self._instead}>"


def _hint(name: str, instead: str) -> None:
    """Let the error for `t.name` say what to do instead."""
    setattr(Hints, name, _Hint(name, instead))


def hint_at(name: str, function: Callable[..., Any], called: str, source: str = "") -> None:
    """Let the error for `t.name` say how `function`, which a user writes as `called`, is called on t."""
    primitive = PRIMITIVES.get(function)
    takes: Callable[..., Any] = COMPOSITIONS.get(function) or (primitive and primitive.bind) or function
    if primitive is not None and takes is function:
        several = primitive.arity > 1
    else:
        empty = inspect.Parameter.empty
        several = sum(parameter.default is empty for parameter in inspect.signature(takes).parameters.values()) > 1
    _hint(name, f"write {called}({'t, …' if several else 't'}){source}")


for function in (*PRIMITIVES, *COMPOSITIONS):
    if (full := name_of(function)).startswith("np."):
        hint_at(full.rpartition(".")[2], function, full)
for name, value in vars(np).items():  # aliases, too, such as np.abs
    if callable(value) and (value in PRIMITIVES or value in COMPOSITIONS):
        hint_at(name, value, f"np.{name}")

_CALLS = {
    "argsort": "np.argsort(t.data), which has no gradient",
    "bmm": "t @ other",
    "cat": "np.concatenate([t, …])",
    "clamp": "t.clip(min, max)",
    "clone": "t.copy()",
    "concat": "np.concatenate([t, …])",
    "concatenate": "np.concatenate([t, …])",
    "detach_": "t.detach()",
    "dim": "t.ndim",
    "double": "t.astype(np.float64)",
    "einsum": 'np.einsum("ij,jk->ik", t, other)',
    "expand": "np.broadcast_to(t, shape)",
    "float": "t.astype(np.float32), or float(t) for one number",
    "gather": "np.take_along_axis(t, indices, axis)",
    "grad_fn": "t.primitive",
    "int": "t.astype(int), or int(t) for one number",
    "long": "t.astype(int)",
    "masked_fill": "np.where(mask, value, t)",
    "mm": "t @ other",
    "nonzero": "np.nonzero(t.data), which has no gradient",
    "numel": "t.size",
    "permute": "t.transpose(…)",
    "requires_grad_": "Tensor(data, requires_grad=True)",
    "retain_grad": "grad(loss, t)",
    "sort": "np.sort(t.data), which has no gradient",
    "stack": "np.stack([t, …])",
    "t": "t.T",
    "type": "t.astype(dtype)",
    "unsqueeze": "np.expand_dims(t, axis)",
    "view": "t.reshape(…)",
    "where": "np.where(condition, t, other)",
    "zero_grad": "t.grad = None",
}
_HERE = "leave it out, since values are always arrays in this machine's memory"
_IN_PLACE = "a recorded value never changes: write t = t + … for a new value, or t.assign(…) to update a leaf"

for name, call in _CALLS.items():
    _hint(name, f"write {call}")
_hint("round", f"write {INSTEAD[np.round]}")
for name in ("contiguous", "cpu", "cuda", "device"):
    _hint(name, _HERE)
_hint("to", f"{_HERE}; t.astype(dtype) converts")
for name in ("add_", "clamp_", "copy_", "div_", "fill", "fill_", "mul_", "put", "sub_", "zero_"):
    _hint(name, _IN_PLACE)
