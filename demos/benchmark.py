"""Measure how fast the engine is, compared with other libraries and with NumPy code written by hand.

Each contender runs in its own process, and the contenders take turns. The tables show medians of ratios.

    python demos/benchmark.py                    everything, about half an hour
    python demos/benchmark.py --quick            a short run, to see that it works
    python demos/benchmark.py --tables MNIST     the tables with MNIST in their title
    python demos/benchmark.py --threads 2        two cores and two BLAS threads for every contender

All processes may use only one core (`os.sched_setaffinity`), or as many cores as `--threads` says. This matters for
XLA, which ignores the thread settings that BLAS and OpenMP read, and starts a thread for every core that it may use. On
macOS and Windows, processes cannot be limited to a core, and the output says so.

Next to the time, the table shows the number of page faults in a step: how often memory that was given back to the
system had to be requested again. It also shows the largest amount of memory that the contender's process has used, less
what it used before its first step. Contenders that are not installed (torch, jax, autograd, mygrad) are left out. Only
the ratios mean anything, since other work on the machine changes all absolute times.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import itertools
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]  # what it compares, and this project

from contenders import hand_tuned, libraries  # noqa: E402
from contenders.models import MLPS, MODELS, WIDE, Model  # noqa: E402

Step = Callable[[], Any]


# --- one training step of the two-layer net, as each contender would write it ---------------------------------------


points = 100  # of each class
threads = 1  # of each contender


def start() -> tuple[Any, ...]:
    """Return the case study's data, labels and initial weights (with other random numbers)."""
    rng = np.random.default_rng(0)
    radius, turns = np.linspace(0.0, 1.0, points), [np.linspace(4 * j, 4 * j + 4, points) for j in range(3)]
    angle = np.concatenate(turns) + 0.2 * rng.standard_normal(3 * points)
    X = np.tile(radius, 3)[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    y = np.repeat(np.arange(3, dtype=np.uint8), points)
    W1, W2 = 0.01 * rng.standard_normal((2, 100)), 0.01 * rng.standard_normal((100, 3))
    return X, y, W1, np.zeros((1, 100)), W2, np.zeros((1, 3))


def by_hand() -> Step:
    """The case study's own loop in plain NumPy, with its hand-derived gradients; each call makes one step."""

    def loop() -> Iterator[float]:
        X, y, W, b, W2, b2 = start()
        n, reg, step_size = len(X), 1e-3, 1.0
        while True:
            hidden = np.maximum(0, np.dot(X, W) + b)
            scores = np.dot(hidden, W2) + b2
            exps = np.exp(scores)
            probs = exps / np.sum(exps, axis=1, keepdims=True)
            data_loss = np.sum(-np.log(probs[range(n), y])) / n
            loss = data_loss + 0.5 * reg * np.sum(W * W) + 0.5 * reg * np.sum(W2 * W2)
            dscores = probs
            dscores[range(n), y] -= 1
            dscores /= n
            dW2 = np.dot(hidden.T, dscores)
            db2 = np.sum(dscores, axis=0, keepdims=True)
            dhidden = np.dot(dscores, W2.T)
            dhidden[hidden <= 0] = 0
            dW = np.dot(X.T, dhidden)
            db = np.sum(dhidden, axis=0, keepdims=True)
            dW2 += reg * W2
            dW += reg * W
            W += -step_size * dW
            b += -step_size * db
            W2 += -step_size * dW2
            b2 += -step_size * db2
            yield float(loss)

    return loop().__next__


def eager() -> Step:
    """The same loop with the package's own model."""
    from autograd_spiral import Tensor, grad
    from autograd_spiral.spiral import TwoLayerNet

    def loop() -> Iterator[float]:
        X, y, *weights = start()
        X, y = Tensor(X), Tensor(y)
        net = TwoLayerNet(*(Tensor(w, requires_grad=True) for w in weights))
        while True:
            loss = net.loss(X, y, reg=1e-3)
            for p, dp in zip(net.parameters(), grad(loss, net.parameters()), strict=True):
                p.assign(p.data - 1.0 * dp.data)
            yield loss.item()

    return loop().__next__


def replayed(executor: Any = None) -> Step:
    """The same step, captured."""
    from autograd_spiral import Tensor, capture, grad
    from autograd_spiral.spiral import TwoLayerNet

    X, y, *weights = start()
    net = TwoLayerNet(*(Tensor(w, requires_grad=True) for w in weights))

    @capture(executor=executor)
    def step(X: Any, y: Any) -> Any:
        loss = net.loss(X, y, reg=1e-3)
        for p, dp in zip(net.parameters(), grad(loss, net.parameters()), strict=True):
            p.assign(p - 1.0 * dp)
        return loss

    return lambda: step(X, y).item()


def tuned() -> Step:
    """The step by hand, tuned: every result goes to a buffer that is allocated beforehand.

    Each operation is written in the fastest way that we know. Scores are stored column by column. In relu, the 0 is a
    whole array of zeros, and its mask is a factor. BLAS computes sums of columns and sums of squares. The correct score
    of each row is taken from the flat array of all scores.
    """
    X, y, W, b, W2, b2 = start()
    n, reg, step_size = len(X), 1e-3, 1.0
    hidden, dhidden, zeros, mask = np.empty((n, 100)), np.empty((n, 100)), np.zeros((n, 100)), np.empty((n, 100), bool)
    scores, probs, onehot = (np.empty((n, 3), dtype, order="F") for dtype in (float, float, bool))
    top, total, logs, correct, ones = np.empty((n, 1)), np.empty((n, 1)), np.empty((n, 1)), np.empty(n), np.ones((1, n))
    classes, rows, places, flat = (
        np.arange(3, dtype=y.dtype),
        np.arange(n),
        np.empty(n, int),
        scores.reshape(-1, order="F"),
    )
    dW, db, dW2, db2 = (np.empty_like(w) for w in (W, b, W2, b2))
    decay, decay2, W2_by_column = np.empty_like(W), np.empty_like(W2), np.empty((100, 3), order="F")

    def step() -> float:
        np.matmul(X, W, hidden)
        np.add(hidden, b, hidden)
        np.maximum(hidden, zeros, out=hidden)
        W2_by_column[...] = W2
        np.matmul(hidden, W2_by_column, scores)
        np.add(scores, b2, scores)
        np.maximum.reduce(scores, 1, None, top, True)
        np.subtract(scores, top, scores)
        np.multiply(y, np.intp(n), places)
        np.add(places, rows, places)
        flat.take(places, None, correct, "clip")
        np.exp(scores, probs)
        np.add.reduce(probs, 1, None, total, True)
        np.log(total, logs)
        data_loss = (np.add.reduce(logs, None) - np.add.reduce(correct)) / n
        loss = data_loss + 0.5 * reg * (np.vdot(W, W) + np.vdot(W2, W2))
        np.divide(probs, total, probs)
        np.equal(y[:, None], classes, onehot)
        np.subtract(probs, onehot, probs)
        np.multiply(probs, 1 / n, probs)
        np.matmul(hidden.T, probs, dW2)
        np.matmul(ones, probs, db2)
        np.matmul(probs, W2_by_column.T, dhidden)
        np.greater(hidden, 0, mask)
        np.multiply(dhidden, mask, dhidden)
        np.matmul(X.T, dhidden, dW)
        np.matmul(ones, dhidden, db)
        np.add(dW2, np.multiply(W2, reg, decay2), dW2)
        np.add(dW, np.multiply(W, reg, decay), dW)
        for w, dw in ((W, dW), (b, db), (W2, dW2), (b2, db2)):
            np.multiply(dw, step_size, dw)
            np.subtract(w, dw, w)
        return float(loss)

    return step


def torch() -> Step:
    import torch

    torch.set_num_threads(threads)
    X, y, *weights = (torch.tensor(array) for array in start())
    for w in weights:
        w.requires_grad_()
    W1, b1, W2, b2 = weights

    def step() -> float:
        scores = torch.relu(X @ W1 + b1) @ W2 + b2
        loss = torch.nn.functional.cross_entropy(scores, y) + 5e-4 * ((W1 * W1).sum() + (W2 * W2).sum())
        gradients = torch.autograd.grad(loss, weights)
        with torch.no_grad():
            for w, dw in zip(weights, gradients, strict=True):
                w -= dw
        return loss.item()

    return step


def jax() -> Step:
    import jax

    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp

    X, y, *weights = (jnp.asarray(array) for array in start())

    def loss_of(weights: Any) -> Any:
        W1, b1, W2, b2 = weights
        log_p = jax.nn.log_softmax(jnp.maximum(X @ W1 + b1, 0) @ W2 + b2)
        return -log_p[jnp.arange(len(y)), y].mean() + 5e-4 * ((W1 * W1).sum() + (W2 * W2).sum())

    @jax.jit
    def update(weights: Any) -> Any:
        loss, gradients = jax.value_and_grad(loss_of)(weights)
        return loss, [w - dw for w, dw in zip(weights, gradients, strict=True)]

    def step() -> float:
        nonlocal weights
        loss, weights = update(weights)
        return float(loss)

    return step


def autograd() -> Step:
    import autograd.numpy as anp
    from autograd import value_and_grad

    X, y, *weights = start()
    rows = np.arange(len(X))

    def loss_of(weights: Any) -> Any:
        W1, b1, W2, b2 = weights
        exps = anp.exp(anp.dot(anp.maximum(0, anp.dot(X, W1) + b1), W2) + b2)
        probs = exps / anp.sum(exps, axis=1, keepdims=True)
        data_loss = anp.sum(-anp.log(probs[rows, y])) / len(X)
        return data_loss + 5e-4 * (anp.sum(W1 * W1) + anp.sum(W2 * W2))

    gradient = value_and_grad(loss_of)

    def step() -> float:
        nonlocal weights
        loss, gradients = gradient(weights)
        weights = [w - dw for w, dw in zip(weights, gradients, strict=True)]
        return float(loss)

    return step


def mygrad() -> Step:
    import mygrad as mg
    from mygrad.nnet.activations import relu
    from mygrad.nnet.losses import softmax_crossentropy

    X, y, *arrays = start()
    weights = [mg.tensor(array) for array in arrays]

    def step() -> float:
        W1, b1, W2, b2 = weights
        loss = softmax_crossentropy(relu(X @ W1 + b1) @ W2 + b2, y)
        loss = loss + 5e-4 * (mg.sum(W1 * W1) + mg.sum(W2 * W2))
        loss.backward()
        for w in weights:
            w.data -= w.grad
        return loss.item()

    return step


# --- one Adam step on 100 rows of 64 numbers, in float32, as for images of 8 by 8 pixels -----------------------------


def digits() -> tuple[Iterator[Any], dict[str, Any]]:
    """Return batches without end, and the parameters of a net with 100 hidden units and 10 classes."""
    rng = np.random.default_rng(0)
    data = [(rng.standard_normal((100, 64), np.float32), rng.integers(0, 10, 100)) for _ in range(64)]
    shapes = {"W1": (64, 100), "b1": (100,), "W2": (100, 10), "b2": (10,)}
    return itertools.cycle(data), {name: 0.1 * rng.standard_normal(shape, np.float32) for name, shape in shapes.items()}


def adam_tuned(one_vector: bool = False) -> Step:
    """The step by hand, tuned as above; with `one_vector`, parameters are in one array, and gradients in another."""
    batches, net = digits()
    sizes = [w.size for w in net.values()]
    p, g = np.concatenate([w.ravel() for w in net.values()]), np.empty(sum(sizes), np.float32)
    splits = np.cumsum(sizes)[:-1]
    ps, gs = (
        [part.reshape(w.shape) for part, w in zip(np.split(a, splits), net.values(), strict=True)] for a in (p, g)
    )
    if not one_vector:
        ps, gs = [w.copy() for w in ps], [w.copy() for w in gs]
    updated = [(p, g)] if one_vector else list(zip(ps, gs, strict=True))
    updated = [(p, g, *(np.zeros_like(p) for _ in range(4))) for p, g in updated]
    (W1, b1, W2, b2), (dW1, db1, dW2, db2) = ps, gs
    f32 = np.float32
    hidden, dhidden, zeros, mask = (np.zeros((100, 100), dtype) for dtype in (f32, f32, f32, bool))
    scores, probs, onehot = (np.empty((100, 10), dtype, order="F") for dtype in (f32, f32, bool))
    top, total, logs, ones = (np.ones(shape, f32) for shape in ((100, 1), (100, 1), (100, 1), (1, 100)))
    classes, rows, places, correct = np.arange(10), np.arange(100), np.empty(100, int), np.empty(100, f32)
    flat, W2_by_column, t = scores.reshape(-1, order="F"), np.empty((100, 10), f32, order="F"), 0

    def step() -> float:
        nonlocal t
        X, y = next(batches)
        np.matmul(X, W1, hidden)
        np.add(hidden, b1, hidden)
        np.maximum(hidden, zeros, out=hidden)
        W2_by_column[...] = W2
        np.matmul(hidden, W2_by_column, scores)
        np.add(scores, b2, scores)
        np.maximum.reduce(scores, 1, None, top, True)
        np.subtract(scores, top, scores)
        np.multiply(y, np.intp(100), places)
        np.add(places, rows, places)
        flat.take(places, None, correct, "clip")
        np.exp(scores, probs)
        np.add.reduce(probs, 1, None, total, True)
        np.log(total, logs)
        loss = (np.add.reduce(logs, None) - np.add.reduce(correct)) / 100
        np.divide(probs, total, probs)
        np.equal(y[:, None], classes, onehot)
        np.subtract(probs, onehot, probs)
        np.multiply(probs, 0.01, probs)
        np.matmul(hidden.T, probs, dW2)
        np.matmul(ones, probs, db2[None])
        np.matmul(probs, W2_by_column.T, dhidden)
        np.greater(hidden, 0, mask)
        np.multiply(dhidden, mask, dhidden)
        np.matmul(X.T, dhidden, dW1)
        np.matmul(ones, dhidden, db1[None])
        t += 1
        root = (1 - 0.999**t) ** 0.5
        size, epsilon = 0.001 * root / (1 - 0.9**t), 1e-8 * root
        for p, g, m, v, scaled, moved in updated:
            np.multiply(m, 0.9, m)
            np.multiply(g, 0.1, scaled)
            np.add(m, scaled, m)
            np.multiply(v, 0.999, v)
            np.multiply(g, g, scaled)
            np.multiply(scaled, 0.001, scaled)
            np.add(v, scaled, v)
            np.sqrt(v, scaled)
            np.add(scaled, epsilon, scaled)
            np.multiply(m, size, moved)
            np.divide(moved, scaled, moved)
            np.subtract(p, moved, p)
        return float(loss)

    return step


def adam_of_one_vector() -> Step:
    return adam_tuned(one_vector=True)


def adam_eager(captured: bool = False) -> Step:
    from autograd_spiral import Adam, Tensor, capture, grad, relu, softmax_cross_entropy

    batches, arrays = digits()
    net = W1, b1, W2, b2 = [Tensor(array, requires_grad=True, name=name) for name, array in arrays.items()]
    optimizer = Adam(net, 0.001)

    def update(X: Any, y: Any) -> Any:
        loss = softmax_cross_entropy(relu(X @ W1 + b1) @ W2 + b2, y)
        optimizer.update(grad(loss, net))
        return loss

    step = capture(update) if captured else update
    return lambda: step(*next(batches)).item()


def adam_replayed() -> Step:
    return adam_eager(captured=True)


def adam_torch(fused: bool = False) -> Step:
    import torch

    torch.set_num_threads(threads)
    batches, arrays = digits()
    net = {name: torch.tensor(array, requires_grad=True) for name, array in arrays.items()}
    optimizer = torch.optim.Adam(net.values(), lr=0.001, fused=fused)

    def step() -> float:
        X, y = map(torch.from_numpy, next(batches))
        scores = torch.relu(X @ net["W1"] + net["b1"]) @ net["W2"] + net["b2"]
        loss = torch.nn.functional.cross_entropy(scores, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def adam_torch_fused() -> Step:
    return adam_torch(fused=True)


def adam_jax() -> Step:
    import jax
    import jax.numpy as jnp

    batches, arrays = digits()
    net = {name: jnp.asarray(array) for name, array in arrays.items()}
    state = net, *(jax.tree.map(jnp.zeros_like, net) for _ in range(2)), 0

    def loss_of(net: Any, X: Any, y: Any) -> Any:
        log_p = jax.nn.log_softmax(jnp.maximum(X @ net["W1"] + net["b1"], 0) @ net["W2"] + net["b2"])
        return -log_p[jnp.arange(len(y)), y].mean()

    @jax.jit
    def update(state: Any, X: Any, y: Any) -> Any:
        net, mean, square, t = state
        loss, gradients = jax.value_and_grad(loss_of)(net, X, y)
        mean = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, mean, gradients)
        square = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, square, gradients)
        root = jnp.sqrt(1 - 0.999 ** (t + 1))
        size = 0.001 * root / (1 - 0.9 ** (t + 1))
        net = jax.tree.map(lambda p, m, v: p - size * m / (jnp.sqrt(v) + 1e-8 * root), net, mean, square)
        return loss, (net, mean, square, t + 1)

    def step() -> float:
        nonlocal state
        loss, state = update(state, *next(batches))
        return float(loss)

    return step


# --- 500 times y = y * x + x on vectors of three, sum, and backward -------------------------------------------------


def chain_bare() -> Step:
    x = np.array([0.5, 0.2, 0.1])

    def step() -> Any:
        y = x
        for _ in range(500):
            y = y * x + x
        return y

    return step


def chain_eager() -> Step:
    from autograd_spiral import Tensor

    x = Tensor([0.5, 0.2, 0.1], requires_grad=True)

    def step() -> None:
        y = x
        for _ in range(500):
            y = y * x + x
        y.sum().backward()
        x.grad = None

    return step


def chain_torch() -> Step:
    import torch

    torch.set_num_threads(threads)
    x = torch.tensor([0.5, 0.2, 0.1], dtype=torch.float64, requires_grad=True)

    def step() -> None:
        y = x
        for _ in range(500):
            y = y * x + x
        y.sum().backward()
        x.grad = None

    return step


def chain_autograd() -> Step:
    import autograd.numpy as anp
    from autograd import grad

    def function(x: Any) -> Any:
        y = x
        for _ in range(500):
            y = y * x + x
        return anp.sum(y)

    gradient = grad(function)
    return lambda: gradient(np.array([0.5, 0.2, 0.1]))


def chain_mygrad() -> Step:
    import mygrad as mg

    x = mg.tensor([0.5, 0.2, 0.1])

    def step() -> None:
        y = x
        for _ in range(500):
            y = y * x + x
        y.sum().backward()

    return step


# --- many rows -------------------------------------------------------------------------------------------------------


def replayed_without_blocks() -> Step:
    """The net's step, captured, but never run in blocks of rows."""
    from autograd_spiral.program.running.replay import replay

    return replayed(replay)


def replayed_by_threads() -> Step:
    """The net's step, captured, in blocks of rows that are divided among the threads."""
    from autograd_spiral import blocks

    return replayed(blocks(threads=threads))


# --- taking turns -----------------------------------------------------------------------------------------------------


class Contender(NamedTuple):
    """A function that builds a step, the module that it needs, and whether its process keeps freed memory."""

    build: Callable[[], Step]
    module: str = "autograd_spiral"
    keep: bool = False


class Table(NamedTuple):
    """A title, contenders by name, the number of steps in a turn, the number of turns, and the points of each class."""

    title: str
    contenders: dict[str, Contender]
    steps: int
    rounds: int = 40
    points: int = 100


TRAINING = {
    "the case study's step by hand": Contender(by_hand, "numpy"),
    "the same, after keep_memory()": Contender(by_hand, "numpy", True),
    "autograd_spiral, eager": Contender(eager),
    "autograd_spiral, eager, after keep_memory()": Contender(eager, keep=True),
    "autograd_spiral, replayed": Contender(replayed),
    "the step by hand, tuned with buffers": Contender(tuned, "numpy"),
    "PyTorch, eager": Contender(torch, "torch"),
    "jax.jit": Contender(jax, "jax"),
    "HIPS autograd": Contender(autograd, "autograd"),
    "MyGrad": Contender(mygrad, "mygrad"),
}
MANY_ROWS = {
    "the step by hand, tuned with buffers": Contender(tuned, "numpy"),
    "autograd_spiral, replayed in blocks of rows": Contender(replayed),
    "the same, divided among the threads": Contender(replayed_by_threads),
    "autograd_spiral, replayed without blocks": Contender(replayed_without_blocks),
    "PyTorch, eager": Contender(torch, "torch"),
    "jax.jit": Contender(jax, "jax"),
}
CHAIN = {
    "bare NumPy, forward only": Contender(chain_bare, "numpy"),
    "autograd_spiral": Contender(chain_eager),
    "PyTorch": Contender(chain_torch, "torch"),
    "HIPS autograd": Contender(chain_autograd, "autograd"),
    "MyGrad": Contender(chain_mygrad, "mygrad"),
}
ADAM = {
    "the step by hand, tuned with buffers": Contender(adam_tuned, "numpy"),
    "the same, with all parameters in one vector": Contender(adam_of_one_vector, "numpy"),
    "autograd_spiral, eager": Contender(adam_eager),
    "autograd_spiral, replayed": Contender(adam_replayed),
    "PyTorch, eager": Contender(adam_torch, "torch"),
    "PyTorch, eager, with its fused Adam": Contender(adam_torch_fused, "torch"),
    "jax.jit": Contender(adam_jax, "jax"),
}


def contenders_of(model: Model, tuned: bool = False) -> dict[str, Contender]:
    """Return the contenders for one of the models; with `tuned`, also the step written by hand."""

    def built(build: Callable[[Model], Step], *needs: str) -> Contender:
        return Contender(functools.partial(build, model), *needs)

    by_hand = {"the step by hand, tuned with buffers": built(hand_tuned.mlp, "numpy")} if tuned else {}
    return {
        "autograd_spiral, eager": built(libraries.eager),
        "autograd_spiral, replayed": built(libraries.replayed),
        "the text that it prints": built(libraries.own_text),
        **by_hand,
        "PyTorch, eager": built(libraries.torch, "torch"),
        "jax.jit": built(libraries.jax, "jax"),
    }


def shared_rows_of(model: Model) -> dict[str, Contender]:
    """Return the ways of replaying a step on many rows."""
    return {
        "autograd_spiral, replayed": Contender(functools.partial(libraries.replayed, model)),
        "the same, without blocks": Contender(functools.partial(libraries.unsplit, model)),
        "the same, in blocks divided among the threads": Contender(functools.partial(libraries.shared, model)),
    }


DIGITS = "one Adam step on 100 rows of 64 numbers (100 hidden units, 10 classes, float32)"
TABLES = [
    Table("one training step of the two-layer net (300 points, 100 hidden units)", TRAINING, 200),
    Table(DIGITS, ADAM, 100),
    Table("500 times y = y * x + x on 3 numbers, sum and backward", CHAIN, 20),
    *(Table(f"one training step of {title}", contenders_of(model), 30) for title, model in MODELS.items()),
    *(Table(f"one training step of {title}", contenders_of(model, tuned=True), 50) for title, model in MLPS.items()),
    Table("one training step of the two-layer net, 30,000 points", MANY_ROWS, 5, 20, 10_000),
    Table("one training step of the two-layer net, 300,000 points", MANY_ROWS, 1, 10, 100_000),
    *(Table(f"one training step of {title}", shared_rows_of(model), 1, 10) for title, model in WIDE.items()),
]
QUICK = TABLES[:4]
"""The tables of a short run: one of each kind."""


def pin(cores: int) -> str:
    """Pin this process, and those that it will start, to this number of cores; return a line that says so.

    Raises ValueError if there are fewer cores.
    """
    if not hasattr(os, "sched_setaffinity"):
        return "processes are not pinned to cores, since this system has no way to do that; XLA may use all cores"
    available = sorted(os.sched_getaffinity(0))
    if cores > len(available):
        raise ValueError(f"there are {len(available)} cores to use, not {cores}")
    chosen = available[:cores]
    os.sched_setaffinity(0, chosen)
    return f"every process is pinned to {'core' if cores == 1 else 'cores'} {', '.join(map(str, chosen))}"


def environment(threads: int) -> dict[str, str]:
    """Return the environment of contenders: this project first, this number of threads, no tuning of OpenBLAS."""
    root = str(Path(__file__).resolve().parents[1])
    tuning = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
    libraries = ("OPENBLAS", "OMP", "MKL", "BLIS", "NUMEXPR", "NUMBA")
    variables = {name: value for name, value in os.environ.items() if name not in tuning}
    variables |= {f"{library}_NUM_THREADS": str(threads) for library in libraries}
    variables["VECLIB_MAXIMUM_THREADS"] = str(threads)  # Apple's BLAS
    variables["PYTHONPATH"] = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    return variables


def serve(number: int, name: str, given_threads: int) -> None:
    """Run in a contender's process: for each count that is read from stdin, make so many steps and print the figures.

    The figures are the mean time, the page faults of a step, and the growth of the process's memory in MB. Before these
    steps, a fifth as many steps run that are not measured.
    """
    global points, threads
    table = TABLES[number]
    points, threads, libraries.threads = table.points, given_threads, given_threads
    contender = table.contenders[name]
    if contender.keep:
        from autograd_spiral import keep_memory

        keep_memory()
    step = contender.build()
    _, first = used()
    for line in sys.stdin:
        count = int(line)
        for _ in range(-(-count // 5)):  # since the turns of the others have filled the caches
            step()
        faults, _ = used()
        began = time.perf_counter()
        for _ in range(count):
            step()
        seconds = (time.perf_counter() - began) / count
        after, held = used()
        print(seconds, (after - faults) / count, held - first, flush=True)


def used() -> tuple[float, float]:
    """Return this process's page faults so far and its largest memory in MB, or zeros if the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return 0, 0
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_minflt, usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def measure(number: int, only: str, rounds: int, steps: int) -> None:
    """Print the times of all installed contenders in a table, divided by the time of the first one."""
    contenders = TABLES[number].contenders
    first, *others = (name for name, contender in contenders.items() if importlib.util.find_spec(contender.module))
    names = [first, *(name for name in others if only in name)]
    processes = {
        name: subprocess.Popen(
            [sys.executable, __file__, "--serve", str(number), name, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(threads),
        )
        for name in names
    }
    turns: dict[str, list[list[float]]] = {name: [] for name in names}
    try:
        for turn in range(rounds + 1):
            for name, process in processes.items():
                assert process.stdin is not None
                assert process.stdout is not None
                process.stdin.write(f"{steps}\n")
                process.stdin.flush()
                figures = [float(word) for word in process.stdout.readline().split()]
                if turn:  # the first turn warms up
                    turns[name].append(figures)
    finally:
        for process in processes.values():
            process.communicate()
    print(f"  {'':45} {'time':>6}   {'':14} {'faults':>7} {'memory':>8}")
    for name in names:
        ratios = sorted(a[0] / b[0] for a, b in zip(turns[name], turns[names[0]], strict=True))
        low, high = ratios[len(ratios) // 10], ratios[-1 - len(ratios) // 10]
        faults, memory = statistics.median(turn[1] for turn in turns[name]), turns[name][-1][2]
        spread = f"({low:.2f} to {high:.2f})"
        print(f"  {name:45} {statistics.median(ratios):6.2f}   {spread:14} {faults:7.0f} {memory:5.0f} MB")


def capture_time() -> float:
    """Return the milliseconds that the first call of the net's step takes: capture, compilation and one replay."""
    from autograd_spiral.spiral import TwoLayerNet, descent

    X, y, *_ = start()
    times = []
    for _ in range(9):
        step = descent(TwoLayerNet.random(np.random.default_rng(0)))
        began = time.perf_counter()
        step(X, y)
        times.append(1e3 * (time.perf_counter() - began))
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter turns")
    parser.add_argument("--only", metavar="WORD", default="", help="the first line and those with WORD in their name")
    parser.add_argument("--tables", metavar="WORD", default="", help="the tables with WORD in their title")
    parser.add_argument("--threads", type=int, default=1, help="cores and BLAS threads (default: %(default)s)")
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        number, name, count = options.serve
        serve(int(number), name, int(count))
        return
    global threads
    threads = options.threads
    if threads < 1:
        parser.error("--threads must be 1 or more")
    chosen = [table for table in (QUICK if options.quick else TABLES) if options.tables in table.title]
    if not chosen:
        parser.error(f"--tables {options.tables}: no table has this word in its title")
    try:
        print(f"{pin(threads)}; BLAS threads: {threads}")
    except ValueError as error:
        parser.error(f"--threads {threads}: {error}")
    for table in chosen:
        print(f"\n{table.title}, ratio to the first line:")
        rounds, steps = (3, 2) if options.quick else (table.rounds, table.steps)
        measure(TABLES.index(table), options.only, rounds, steps)
        if table.contenders is TRAINING:
            print(f"  capturing and compiling the net's step: {capture_time():.0f} ms")
    print("\ntime: the median of the turns' ratios (and the range of the middle four fifths)")


if __name__ == "__main__":
    main()
