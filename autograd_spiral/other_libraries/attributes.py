"""What to write instead of attributes of arrays or other libraries' tensors that a Tensor lacks: `t.unsqueeze`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from autograd_spiral.engine.messages import add_missing, name_of
from autograd_spiral.engine.table import COMPOSITIONS, PRIMITIVES
from autograd_spiral.vocabulary import functions

__all__ = ["CALLS", "IN_MEMORY", "call_of"]


def call_of(function: Callable[..., Any], called: str, source: str = "") -> str:
    """Return advice on how to call `function` on a tensor t, such as "write np.exp(t)"; `called` is its name."""
    primitive = PRIMITIVES.get(function)
    takes: Callable[..., Any] = COMPOSITIONS.get(function) or (primitive and primitive.bind) or function
    if primitive is not None and takes is function:
        given = "t, …" if primitive.arity > 1 else "t"
    else:
        empty = inspect.Parameter.empty
        required = [name for name, each in inspect.signature(takes).parameters.items() if each.default is empty]
        given = "[t, …]" if required[0] in ("arrays", "tup") else "t, …" if len(required) > 1 else "t"
    return f"write {called}({given}){source}"


for function in (*PRIMITIVES, *COMPOSITIONS):
    if (full := name_of(function)).startswith("np."):
        add_missing(full.rpartition(".")[2], partial(call_of, function, full))
for name, value in vars(np).items():  # aliases, too, such as np.abs
    if callable(value) and (value in PRIMITIVES or value in COMPOSITIONS):
        add_missing(name, partial(call_of, value, f"np.{name}"))
for name in functions.__all__:
    add_missing(name, partial(call_of, getattr(functions, name), name, ", from autograd_spiral"))

CALLS = {
    "addmm": "t + x @ y",
    "allclose": "np.allclose(t, other)",
    "argwhere": "np.argwhere(t.data), which has no gradient, outside captured steps",
    "bernoulli": "rng.random(t.shape) < t.data, outside captured steps",
    "bincount": "np.bincount(…, weights=t)",
    "bmm": "t @ other",
    "bool": "t.astype(bool)",
    "cat": "np.concatenate([t, …])",
    "cdist": "np.linalg.norm(t[:, None] - other, axis=-1)",
    "chunk": "np.array_split(t, sections)",
    "clamp": "t.clip(min, max)",
    "clamp_max": "np.minimum(t, max)",
    "clamp_min": "np.maximum(t, min)",
    "clone": "t.copy()",
    "concat": "np.concatenate([t, …])",
    "concatenate": "np.concatenate([t, …])",
    "cummax": "np.maximum.accumulate(t)",
    "cummin": "np.minimum.accumulate(t)",
    "det": "np.linalg.det(t)",
    "detach_": "t.detach()",
    "digamma": "scipy.special.digamma(t)",
    "dim": "t.ndim",
    "dist": "np.linalg.norm(t - other)",
    "div": "t / other",
    "double": "t.astype(np.float64)",
    "einsum": 'np.einsum("ij,jk->ik", t, other)',
    "eq": "t == other",
    "erfc": "scipy.special.erfc(t)",
    "erfinv": "scipy.special.erfinv(t)",
    "expand": "np.broadcast_to(t, shape)",
    "expand_as": "np.broadcast_to(t, other.shape)",
    "flags": "t.data.flags",
    "flat": "t.ravel()",
    "float": "t.astype(np.float32), or float(t) for one number",
    "gather": "np.take_along_axis(t, indices, axis)",
    "ge": "t >= other",
    "grad_fn": "t.primitive",
    "gt": "t > other",
    "half": "t.astype(np.float16)",
    "index_add": "t + np.eye(len(t))[indices].T @ values, which adds row i of the values to row indices[i] of t",
    "index_select": "np.take(t, indices, axis)",
    "int": "t.astype(int), or int(t) for one number",
    "inverse": "np.linalg.inv(t)",
    "is_floating_point": 't.dtype.kind == "f"',
    "itemsize": "t.dtype.itemsize",
    "kthvalue": "np.sort(t)[..., k - 1]",
    "le": "t <= other",
    "lerp": "t + weight * (other - t)",
    "lgamma": "scipy.special.gammaln(t)",
    "logcumsumexp": "np.logaddexp.accumulate(t)",
    "logdet": "np.linalg.slogdet(t)[1]",
    "logit": "scipy.special.logit(t)",
    "long": "t.astype(int)",
    "lt": "t < other",
    "masked_fill": "np.where(mask, value, t)",
    "masked_select": "np.where(mask, t, 0), or t[mask] outside captured steps",
    "mm": "t @ other",
    "movedim": "np.moveaxis(t, source, destination)",
    "mul": "t * other",
    "mv": "t @ other",
    "narrow": "t[start : start + length]",
    "nbytes": "t.data.nbytes",
    "ndimension": "t.ndim",
    "ne": "t != other",
    "neg": "-t",
    "nelement": "t.size",
    "new_ones": "np.ones(shape)",
    "new_tensor": "Tensor(data)",
    "new_zeros": "np.zeros(shape)",
    "nonzero": "np.nonzero(t.data), which has no gradient, outside captured steps",
    "numel": "t.size",
    "partition": "np.partition(t, …), which is a new tensor",
    "permute": "t.transpose(…)",
    "pinverse": "np.linalg.pinv(t)",
    "register_hook": "grad(loss, t), which returns the gradient of any tensor, and change it before you use it",
    "repeat_interleave": "np.repeat(t, repeats, axis)",
    "requires_grad_": (
        "Tensor(data, requires_grad=True), or leave a tensor out of grad(loss, …) and of the optimizer to freeze it"
    ),
    "reshape_as": "t.reshape(other.shape)",
    "retain_grad": "grad(loss, t)",
    "rsqrt": "1 / np.sqrt(t)",
    "scatter": "np.where(mask, value, t)",
    "scatter_add": "t + np.eye(len(t))[indices].T @ values, which adds row i of the values to row indices[i] of t",
    "select": "t[index]",
    "sgn": "np.sign(t)",
    "sort": "np.sort(t), which is a new tensor",
    "split": "np.split(t, sections), with the number of parts, or with the positions where they begin",
    "stack": "np.stack([t, …])",
    "strides": "t.data.strides",
    "sub": "t - other",
    "swapdims": "np.swapaxes(t, axis, other_axis)",
    "t": "t.T",
    "take_along_dim": "np.take_along_axis(t, indices, axis)",
    "tensor_split": "np.array_split(t, sections)",
    "tobytes": "t.data.tobytes()",
    "tofile": "np.save(file, t)",
    "topk": "np.sort(t)[..., -k:], or np.argsort(t)[..., -k:] for the positions, in ascending order",
    "type": "t.astype(dtype)",
    "type_as": "t.astype(other.dtype)",
    "unbind": "list(t)",
    "unique": "np.unique(t.data), outside captured steps",
    "unflatten": "t.reshape(shape)",
    "unfold": "np.lib.stride_tricks.sliding_window_view(t, size, axis)",
    "unsqueeze": "np.expand_dims(t, axis)",
    "view": "t.reshape(…)",
    "view_as": "t.reshape(other.shape)",
    "where": "np.where(condition, t, other)",
    "xlogy": "scipy.special.xlogy(t, other)",
    "zero_grad": "t.grad = None",
}
IN_MEMORY = "leave it out; values are always NumPy arrays in main memory"
_IN_PLACE = "a recorded value never changes: write t = t + … for a new value, or t.assign(…) to update a leaf"
_WRITERS = """
    abs add addcdiv addcmul addmm bernoulli ceil clamp clip copy cos div exp fill floor index_add index_copy index_fill
    log masked_fill mul neg normal pow reciprocal relu round scatter scatter_add sigmoid sin sqrt squeeze sub t tanh
    transpose uniform unsqueeze zero"""

for name, call in CALLS.items():
    add_missing(name, f"write {call}")
for name in ("contiguous", "cpu", "cuda", "device", "get_device", "is_contiguous", "is_cuda", "pin_memory"):
    add_missing(name, IN_MEMORY)
add_missing("to", f"{IN_MEMORY}; t.astype(dtype) converts")
for name in ("fill", "put", *(f"{name}_" for name in _WRITERS.split())):
    add_missing(name, _IN_PLACE)
