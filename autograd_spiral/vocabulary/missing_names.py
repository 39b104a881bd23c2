"""Hints for attributes that arrays or other libraries' tensors have and ours lack: what to write instead."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from autograd_spiral.engine.messages import INSTEAD, name_of
from autograd_spiral.engine.missing import hint
from autograd_spiral.engine.table import COMPOSITIONS, PRIMITIVES
from autograd_spiral.vocabulary import compositions, functions

__all__ = ["call_of"]

_ENTERED = compositions, functions  # imported for the rows that they enter, which the loops below read


def call_of(function: Callable[..., Any], called: str, source: str = "") -> str:
    """Return how to call `function`, named `called`, on a tensor t: "write np.exp(t)" or "write np.power(t, …)"."""
    primitive = PRIMITIVES.get(function)
    takes: Callable[..., Any] = COMPOSITIONS.get(function) or (primitive and primitive.bind) or function
    if primitive is not None and takes is function:
        several = primitive.arity > 1
    else:
        empty = inspect.Parameter.empty
        several = sum(parameter.default is empty for parameter in inspect.signature(takes).parameters.values()) > 1
    return f"write {called}({'t, …' if several else 't'}){source}"


for function in (*PRIMITIVES, *COMPOSITIONS):
    if (full := name_of(function)).startswith("np."):
        hint(full.rpartition(".")[2], partial(call_of, function, full))
for name, value in vars(np).items():  # aliases too, such as np.abs
    if callable(value) and (value in PRIMITIVES or value in COMPOSITIONS):
        hint(name, partial(call_of, value, f"np.{name}"))
for name in functions.__all__:
    hint(name, partial(call_of, getattr(functions, name), name, ", from autograd_spiral"))

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
    "float": "t.astype(np.float32), or float(t) for a single number",
    "gather": "np.take_along_axis(t, indices, axis)",
    "grad_fn": "t.primitive",
    "int": "t.astype(int), or int(t) for a single number",
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
_HERE = "leave it out; values are always NumPy arrays in main memory"
_IN_PLACE = "a recorded value never changes: write t = t + … for a new value, or t.assign(…) to update a leaf"

for name, call in _CALLS.items():
    hint(name, f"write {call}")
hint("round", f"write {INSTEAD[np.round]}")
for name in ("contiguous", "cpu", "cuda", "device"):
    hint(name, _HERE)
hint("to", f"{_HERE}; t.astype(dtype) converts")
for name in ("add_", "clamp_", "copy_", "div_", "fill", "fill_", "mul_", "put", "sub_", "zero_"):
    hint(name, _IN_PLACE)
