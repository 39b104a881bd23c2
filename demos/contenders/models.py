"""The models of the benchmark, each written once, with the functions that the libraries share."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

Arrays = dict[str, Any]


@dataclass(frozen=True)
class Model:
    """A model to train: `loss(lib, net, X, y)`, the shapes of its parameters, and of its batches.

    `lib` has the functions of a library, `net` the parameters by name. `X` is the shape of a batch, `classes` are the
    possible labels, one for each row of the batch, or for each step of it if there are `labels`.
    """

    loss: Callable[..., Any]
    shapes: dict[str, tuple[int, ...]]
    X: tuple[int, ...]
    classes: int = 10
    dtype: type = np.float32
    batches: int = 16

    def start(self) -> tuple[Arrays, Iterator[tuple[Any, Any]]]:
        """Return the parameters, and batches without end."""
        rng = np.random.default_rng(0)
        net = {name: self.scale(shape) * rng.standard_normal(shape) for name, shape in self.shapes.items()}
        data = [(rng.standard_normal(self.X), rng.integers(0, self.classes, self.X[0])) for _ in range(self.batches)]
        return (
            {name: array.astype(self.dtype) for name, array in net.items()},
            itertools.cycle([(X.astype(self.dtype), y) for X, y in data]),
        )

    @staticmethod
    def scale(shape: tuple[int, ...]) -> float:
        """Return the standard deviation of a parameter of this shape."""
        return float(np.prod(shape[:-1], dtype=float)) ** -0.5 if len(shape) > 1 else 0.1


# --- multi-layer perceptrons ------------------------------------------------------------------------------------------


def mlp(rows: int, *widths: int, **more: Any) -> Model:
    """Return a net of relu layers for `rows` rows of `widths[0]` numbers."""
    depth = len(widths) - 1
    shapes: dict[str, tuple[int, ...]] = {}
    for i in range(depth):
        shapes |= {f"W{i}": (widths[i], widths[i + 1]), f"b{i}": (widths[i + 1],)}

    def loss(lib: Any, net: Arrays, X: Any, y: Any) -> Any:
        for i in range(depth):
            X = X @ net[f"W{i}"] + net[f"b{i}"]
            if i < depth - 1:
                X = lib.relu(X)
        return lib.cross_entropy(X, y)

    return Model(loss, shapes, (rows, widths[0]), widths[-1], **more)


# --- convolutional nets, for images of 8 by 8 pixels ------------------------------------------------------------------


def convolutional(product: str, pool: str) -> Model:
    """Return a net with 12 filters of 3 by 3 pixels and pooling of 2 by 2, for 100 images."""
    shapes = {"filters": (3, 3, 12), "shifts": (12,), "W": (9 * 12, 10), "b": (10,)}

    def loss(lib: Any, net: Arrays, X: Any, y: Any) -> Any:
        maps = getattr(lib, product)(X, net["filters"])
        shifts = net["shifts"] if maps.shape[-1] == 12 else net["shifts"][:, None, None]
        pooled = getattr(lib, pool)(lib.relu(maps + shifts))
        return lib.cross_entropy(pooled.reshape(len(X), -1) @ net["W"] + net["b"], y)

    return Model(loss, shapes, (100, 8, 8), dtype=np.float64)


# --- an RNN, batch normalisation, attention ---------------------------------------------------------------------------


def rnn_loss(lib: Any, net: Arrays, X: Any, y: Any) -> Any:
    hidden = lib.np.tanh(X[:, 0] @ net["W"] + net["b"])
    for t in range(1, X.shape[1]):
        hidden = lib.np.tanh(X[:, t] @ net["W"] + hidden @ net["U"] + net["b"])
    return lib.cross_entropy(hidden @ net["V"] + net["c"], y)


RNN = Model(rnn_loss, {"W": (16, 64), "U": (64, 64), "b": (64,), "V": (64, 10), "c": (10,)}, (32, 20, 16))


def normalised_loss(lib: Any, net: Arrays, X: Any, y: Any) -> Any:
    for i in range(2):
        X = lib.relu(lib.batch_norm(X @ net[f"W{i}"], net[f"gain{i}"], net[f"shift{i}"]))
    return lib.cross_entropy(X @ net["W2"] + net["b2"], y)


NORMALISED = Model(
    normalised_loss,
    {
        "W0": (64, 128),
        "gain0": (128,),
        "shift0": (128,),
        "W1": (128, 128),
        "gain1": (128,),
        "shift1": (128,),
        "W2": (128, 10),
        "b2": (10,),
    },
    (128, 64),
)


def attention_loss(lib: Any, net: Arrays, X: Any, y: Any) -> Any:
    attended = lib.attention(X @ net["Q"], X @ net["K"], X @ net["V"])
    return lib.cross_entropy((X + attended).mean(axis=1) @ net["W"] + net["b"], y)


ATTENTION = Model(
    attention_loss, {"Q": (32, 32), "K": (32, 32), "V": (32, 32), "W": (32, 10), "b": (10,)}, (32, 24, 32)
)

MODELS = {
    "conv-windows-max": convolutional("windows_product", "max_pool"),
    "conv-windows-mean": convolutional("windows_product", "mean_pool"),
    "conv-index-max": convolutional("indexed_product", "max_pool"),
    "conv-index-mean": convolutional("indexed_product", "mean_pool"),
    "rnn": RNN,
    "batch-norm": NORMALISED,
    "attention": ATTENTION,
    "mlp-digits": mlp(100, 64, 100, 10),
    "mlp-mnist": mlp(100, 784, 128, 10),
    "mlp-deep": mlp(100, 64, 128, 128, 128, 128, 10),
}
