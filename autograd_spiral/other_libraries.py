"""What to write instead of names that arrays or other libraries have, but a Tensor or this package lacks."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from autograd_spiral.engine.messages import INSTEAD, add_missing, name_of
from autograd_spiral.engine.table import COMPOSITIONS, PRIMITIVES
from autograd_spiral.vocabulary import functions

__all__ = ["instead_on_the_package"]


def _call(function: Callable[..., Any], called: str, source: str = "") -> str:
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


# --- on a Tensor: t.unsqueeze(0) --------------------------------------------------------------------------------------

for function in (*PRIMITIVES, *COMPOSITIONS):
    if (full := name_of(function)).startswith("np."):
        add_missing(full.rpartition(".")[2], partial(_call, function, full))
for name, value in vars(np).items():  # aliases, too, such as np.abs
    if callable(value) and (value in PRIMITIVES or value in COMPOSITIONS):
        add_missing(name, partial(_call, value, f"np.{name}"))
for name in functions.__all__:
    add_missing(name, partial(_call, getattr(functions, name), name, ", from autograd_spiral"))

_CALLS = {
    "bincount": "np.bincount(…, weights=t)",
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
    "nonzero": "np.nonzero(t.data), which has no gradient, outside captured steps",
    "numel": "t.size",
    "partition": "np.partition(t, …), which is a new tensor",
    "permute": "t.transpose(…)",
    "requires_grad_": "Tensor(data, requires_grad=True)",
    "retain_grad": "grad(loss, t)",
    "sort": "np.sort(t), which is a new tensor",
    "stack": "np.stack([t, …])",
    "t": "t.T",
    "type": "t.astype(dtype)",
    "unsqueeze": "np.expand_dims(t, axis)",
    "view": "t.reshape(…)",
    "where": "np.where(condition, t, other)",
    "zero_grad": "t.grad = None",
}
_IN_MEMORY = "leave it out; values are always NumPy arrays in main memory"
_IN_PLACE = "a recorded value never changes: write t = t + … for a new value, or t.assign(…) to update a leaf"

for name, call in _CALLS.items():
    add_missing(name, f"write {call}")
for name in ("contiguous", "cpu", "cuda", "device"):
    add_missing(name, _IN_MEMORY)
add_missing("to", f"{_IN_MEMORY}; t.astype(dtype) converts")
for name in ("add_", "clamp_", "copy_", "div_", "fill", "fill_", "mul_", "put", "sub_", "zero_"):
    add_missing(name, _IN_PLACE)


# --- on the package: autograd_spiral.nn -------------------------------------------------------------------------------

_LAYER = "write X @ W + b, where W and b are Tensor(data, requires_grad=True)"
_MODEL = (
    "a model is a dict, list or dataclass of tensors: write functions of it, as in autograd_spiral.spiral.TwoLayerNet"
)
_STEP = "write p.assign(p - step_size * dp) for p, dp in zip(parameters, grad(loss, parameters))"
_SCHEDULE = "which Adam and SGD take as their learning rate"
_LEAF = "write Tensor(data, requires_grad=True)"
_RULE = "declare an operation and its gradient rules with @primitive(lambda ct, out, x: …)"
_SAVE = "write np.savez(file, W=W, b=b), or np.savez(file, **net) for a dict; to restore, W.assign(np.load(file)['W'])"

_ON_THE_PACKAGE = {
    **dict.fromkeys(("Dense", "Linear"), _LAYER),
    **dict.fromkeys(("Module", "Sequential", "nn"), _MODEL),
    **dict.fromkeys(("adam", "optim", "optimizer"), "write Adam(parameters) or SGD(parameters, learning_rate)"),
    **dict.fromkeys(("AdamW", "adamw"), "write Adam(parameters, learning_rate, weight_decay=0.01)"),
    **dict.fromkeys(("Adagrad", "RMSprop"), f"keep the averages in Tensors, and {_STEP}"),
    **dict.fromkeys(
        ("CosineAnnealingLR", "cosine_decay_schedule"), f"write cosine_decay(learning_rate, steps), {_SCHEDULE}"
    ),
    **dict.fromkeys(
        ("ExponentialLR", "StepLR", "lr_scheduler"), f"write exponential_decay(learning_rate, 0.5, steps), {_SCHEDULE}"
    ),
    **dict.fromkeys(("clip_by_global_norm", "clip_grad_norm_"), "write clip_by_norm(gradients, max_norm)"),
    **dict.fromkeys(("DataLoader", "TensorDataset"), "write batches(rng, size, X, y), and loop over it"),
    **dict.fromkeys(
        ("Dropout", "dropout"),
        "write x * dropout_mask(rng, x.shape, rate), with a mask that is made outside a captured step",
    ),
    **dict.fromkeys(("Parameter", "Variable", "tensor"), _LEAF),
    **dict.fromkeys(("Function", "custom_jvp", "custom_vjp", "defjvp", "defvjp"), _RULE),
    **dict.fromkeys(("BCELoss", "binary_cross_entropy"), "write np.mean(softplus(scores) - labels * scores)"),
    **dict.fromkeys(("CrossEntropyLoss", "cross_entropy"), "write softmax_cross_entropy(scores, labels)"),
    **dict.fromkeys(("MSELoss", "mse_loss"), "write mean_squared_error(prediction, target)"),
    **dict.fromkeys(("compile", "jit"), "write capture(step), which records a step once and replays it"),
    **dict.fromkeys(("load", "save"), _SAVE),
    **dict.fromkeys(
        ("manual_seed", "rand", "randn"), "write Tensor(np.random.default_rng(seed).standard_normal(shape))"
    ),
    **dict.fromkeys(("F", "functional", "numpy", "np"), "write import numpy as np; its functions take Tensors"),
    "ReLU": "write relu(x)",
    "check_grads": "write check_gradients(function, x)",
    **dict.fromkeys(("jacrev", "jacfwd"), "write jacobian(function)(x)"),
    "egrad": "write elementwise_grad(function)(x)",
    "stop_gradient": "write t.detach()",
    "backward": "write loss.backward()",
    "enable_grad": "leave it out; operations are recorded outside `with no_grad():`",
    "testing": "write from autograd_spiral import testing; it needs hypothesis",
    "vmap": "leave it out; NumPy's functions broadcast over leading axes, and sums take axis=-1",
}


def instead_on_the_package(name: str) -> str | None:
    """Return what to write instead of `autograd_spiral.name` if another library has that name, else None.

    >>> instead_on_the_package("tanh"), instead_on_the_package("cross_entropy"), instead_on_the_package("gard")
    ('write np.tanh(t)', 'write softmax_cross_entropy(scores, labels)', None)
    """
    if name in _ON_THE_PACKAGE:
        return _ON_THE_PACKAGE[name]
    if name in _CALLS:
        return f"write {_CALLS[name]}"
    value = getattr(np, name, None)
    if isinstance(value, float) or (isinstance(value, type) and issubclass(value, np.generic)):
        return f"write np.{name}"  # a constant, or a dtype
    if not callable(value) or not hasattr(value, "__name__") or name.startswith("_"):
        return None
    if value in INSTEAD:
        return f"write {INSTEAD[value]}"
    return _call(value, f"np.{name}") if value in PRIMITIVES or value in COMPOSITIONS else f"write np.{name}"
