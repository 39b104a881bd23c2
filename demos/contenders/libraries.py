"""The libraries that train the models: each with its layers, and with a loop that makes one step at a time."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from contenders.models import RATE, Model

Step = Callable[[], Any]

threads = 1  # of each contender

# --- this project -----------------------------------------------------------------------------------------------------


def _numpy_layers() -> SimpleNamespace:
    from autograd_spiral import relu, softmax, softmax_cross_entropy

    return SimpleNamespace(np=np, relu=relu, cross_entropy=softmax_cross_entropy, **_in_numpy(np, softmax))


def _in_numpy(np: Any, softmax: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    """Return the layers that are written in NumPy, for NumPy or for a module with the same functions."""

    def batch_norm(x: Any, gain: Any, shift: Any) -> Any:
        centred = x - x.mean(axis=0)
        return gain * centred / np.sqrt((centred**2).mean(axis=0) + 1e-5) + shift

    def attention(queries: Any, keys: Any, values: Any) -> Any:
        scores = queries @ np.swapaxes(keys, -1, -2) / queries.shape[-1] ** 0.5
        return softmax(scores, axis=-1) @ values

    def windows_product(images: Any, filters: Any) -> Any:
        windows = np.lib.stride_tricks.sliding_window_view(images, filters.shape[:2], axis=(1, 2))
        return np.einsum("nijab,abk->nijk", windows, filters, optimize=True)

    def indexed_product(images: Any, filters: Any) -> Any:
        (height, width), (a, b, k) = images.shape[1:], filters.shape
        rows, columns = np.arange(height - a + 1), np.arange(width - b + 1)
        i, j = rows[:, None, None, None] + np.arange(a)[:, None], columns[:, None, None] + np.arange(b)
        patches = images[:, i, j]  # (n, rows, columns, a, b)
        return patches.reshape(len(images), len(rows), len(columns), a * b) @ filters.reshape(a * b, k)

    def squares(maps: Any) -> Any:
        n, height, width, k = maps.shape
        return maps.reshape(n, height // 2, 2, width // 2, 2, k)

    return {
        "batch_norm": batch_norm,
        "attention": attention,
        "windows_product": windows_product,
        "indexed_product": indexed_product,
        "max_pool": lambda maps: np.max(squares(maps), axis=(2, 4)),
        "mean_pool": lambda maps: np.mean(squares(maps), axis=(2, 4)),
    }


def eager(model: Model, prepare: Callable[[Any], Any] = lambda step: step) -> Step:
    """Return a step of gradient descent with this project. To capture it, pass `capture` as `prepare`."""
    from autograd_spiral import Tensor, grad

    arrays, batches = model.start()
    net, layers = (
        {name: Tensor(array, requires_grad=True, name=name) for name, array in arrays.items()},
        _numpy_layers(),
    )
    tensors = list(net.values())

    def update(X: Any, y: Any) -> Any:
        loss = model.loss(layers, net, X, y)
        for p, dp in zip(tensors, grad(loss, tensors), strict=True):
            p.assign(p - RATE * dp)
        return loss

    step = prepare(update)
    return lambda: step(*next(batches)).item()


def replayed(model: Model) -> Step:
    """Return the same step, captured."""
    from autograd_spiral import capture

    return eager(model, capture)


def unsplit(model: Model) -> Step:
    """Return the same step, captured and never run in blocks of rows."""
    from autograd_spiral import capture
    from autograd_spiral.program.running.replay import replay

    return eager(model, functools.partial(capture, executor=replay))


def shared(model: Model) -> Step:
    """Return the same step in blocks of rows that the threads share."""
    from autograd_spiral import blocks, capture

    return eager(model, functools.partial(capture, executor=blocks(threads=threads)))


def own_text(model: Model) -> Step:
    """Return the text that the captured step prints, as a step of its own."""
    from autograd_spiral import capture

    programs = []

    def captured(update: Any) -> Any:
        programs.append(capture(update))
        return programs[0]

    eager(model, captured)()
    (step,) = programs
    names: dict[str, Any] = {}
    exec(step.program.source, names)
    function = names["update"]
    arrays, batches = model.start()
    state = [arrays[name] for name in list(inspect.signature(function).parameters)[2:] if name in arrays]

    def run() -> float:
        nonlocal state
        loss, *state = function(*next(batches), *state, **step.program.constants)
        return float(loss)

    return run


# --- PyTorch ----------------------------------------------------------------------------------------------------------


def torch(model: Model) -> Step:
    import torch

    torch.set_num_threads(threads)
    F = torch.nn.functional

    def convolution(images: Any, filters: Any) -> Any:  # maps are (n, k, height, width), as PyTorch has them
        return F.conv2d(images[:, None], filters.permute(2, 0, 1)[:, None])

    layers = SimpleNamespace(
        np=torch,
        relu=torch.relu,
        cross_entropy=F.cross_entropy,
        batch_norm=lambda x, gain, shift: F.batch_norm(x, None, None, gain, shift, training=True),
        attention=F.scaled_dot_product_attention,
        windows_product=convolution,
        indexed_product=convolution,
        max_pool=lambda maps: F.max_pool2d(maps, 2),
        mean_pool=lambda maps: F.avg_pool2d(maps, 2),
    )
    arrays, batches = model.start()
    net = {name: torch.tensor(array, requires_grad=True) for name, array in arrays.items()}
    tensors = list(net.values())

    def step() -> float:
        X, y = map(torch.from_numpy, next(batches))
        loss = model.loss(layers, net, X, y)
        gradients = torch.autograd.grad(loss, tensors)
        with torch.no_grad():
            for w, dw in zip(tensors, gradients, strict=True):
                w -= RATE * dw
        return loss.item()

    return step


# --- JAX --------------------------------------------------------------------------------------------------------------


def jax(model: Model) -> Step:
    import jax

    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp

    def cross_entropy(scores: Any, y: Any) -> Any:
        return -jax.nn.log_softmax(scores)[jnp.arange(len(y)), y].mean()

    def convolution(images: Any, filters: Any) -> Any:
        dimensions = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(
            images[..., None], filters[:, :, None], (1, 1), "VALID", dimension_numbers=dimensions
        )

    layers = SimpleNamespace(np=jnp, relu=jax.nn.relu, cross_entropy=cross_entropy, **_in_numpy(jnp, jax.nn.softmax))
    layers.windows_product = layers.indexed_product = convolution
    net, batches = model.start()

    @jax.jit
    def update(net: Any, X: Any, y: Any) -> Any:
        loss, gradients = jax.value_and_grad(lambda net: model.loss(layers, net, X, y))(net)
        return loss, jax.tree.map(lambda w, dw: w - RATE * dw, net, gradients)

    def step() -> float:
        nonlocal net
        loss, net = update(net, *next(batches))
        return float(loss)

    return step
