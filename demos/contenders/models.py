"""The models of the benchmark, each written once, in functions that all libraries have."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

Arrays = dict[str, Any]

RATE = 0.01  # of gradient descent


@dataclass(frozen=True)
class Model:
    """A model to train: its loss, the shapes of its parameters and of a batch, and the number of classes.

    `loss(lib, net, X, y)` gets the functions of a library, the parameters by name, and the rows and labels of a batch.
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
    hidden = lib.relu(lib.batch_norm(X @ net["W1"], net["gain"], net["shift"]))
    return lib.cross_entropy(hidden @ net["W2"] + net["b2"], y)


NORMALISED = Model(
    normalised_loss, {"W1": (64, 100), "gain": (100,), "shift": (100,), "W2": (100, 10), "b2": (10,)}, (100, 64)
)


def attention_loss(lib: Any, net: Arrays, X: Any, y: Any) -> Any:
    attended = lib.attention(X @ net["Q"], X @ net["K"], X @ net["V"])
    return lib.cross_entropy((X + attended).mean(axis=1) @ net["W"] + net["b"], y)


ATTENTION = Model(
    attention_loss, {"Q": (32, 32), "K": (32, 32), "V": (32, 32), "W": (32, 10), "b": (10,)}, (32, 24, 32)
)

MODELS = {
    "convolution over windows, max-pooling": convolutional("windows_product", "max_pool"),
    "convolution over windows, mean-pooling": convolutional("windows_product", "mean_pool"),
    "convolution by index arrays, max-pooling": convolutional("indexed_product", "max_pool"),
    "convolution by index arrays, mean-pooling": convolutional("indexed_product", "mean_pool"),
    "an RNN of 20 steps": RNN,
    "batch normalisation": NORMALISED,
    "attention of one head": ATTENTION,
}
MLPS = {
    "an MLP for digits, 64-100-10": mlp(100, 64, 100, 10),
    "an MLP for MNIST, 784-128-10": mlp(100, 784, 128, 10),
    "an MLP of five layers, 64-128-128-128-128-10": mlp(100, 64, 128, 128, 128, 128, 10),
}
WIDE = {
    "an MLP for digits, 60,000 rows": mlp(60_000, 64, 100, 10, batches=1),
    "an MLP for MNIST, 60,000 rows": mlp(60_000, 784, 128, 10, batches=1),
}
"""What a step on many rows, shared by threads, is measured with."""
