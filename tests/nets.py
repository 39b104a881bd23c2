"""Models whose pictures are tested: recurrent and convolutional nets, and training steps with an optimizer."""

from __future__ import annotations

import contextlib

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from autograd_spiral import Adam, Tensor, capture, grad, relu, scope, softmax_cross_entropy


def parameters(**shapes):
    rng = np.random.default_rng(0)
    made = {name: 0.3 * rng.standard_normal(shape) for name, shape in shapes.items()}
    return {name: Tensor(value, requires_grad=True, name=name) for name, value in made.items()}


def data(*shape):
    return np.random.default_rng(1).standard_normal(shape)


def recurrent(steps, *, scoped=True, every=False):
    """The loss of a recurrent net, after its last step or added up over `every` one, and its parameters."""
    net = parameters(Wx=(3, 8), Wh=(8, 8), b=(8,), Wy=(8, 2))
    X, y = Tensor(data(5, steps, 3), name="X"), Tensor(np.array([0, 1, 0, 1, 1]), name="y")
    h, total = Tensor(np.zeros((5, 8)), name="h0"), 0
    for t in range(steps):
        with scope(f"step {t}") if scoped else contextlib.nullcontext():
            h = np.tanh(X[:, t] @ net["Wx"] + h @ net["Wh"] + net["b"]).named("h")
            total = total + softmax_cross_entropy(h @ net["Wy"], y) if every else total
    loss = total if every else softmax_cross_entropy((h @ net["Wy"]).named("scores"), y)
    return loss.named("loss"), list(net.values())


def lstm(steps, *, scoped=True):
    """The loss of a net with memory cells, and its parameters."""
    net = parameters(W=(7, 16), b=(16,))
    h = c = Tensor(np.zeros((5, 4)), name="start")
    for t in range(steps):
        with scope(f"cell {t}") if scoped else contextlib.nullcontext():
            gates = np.concatenate([data(5, 3) + t, h], axis=1) @ net["W"] + net["b"]
            i, f, o = (1 / (1 + np.exp(-gates[:, 4 * n : 4 * n + 4])) for n in range(3))
            c = (f * c + i * np.tanh(gates[:, 12:])).named("c")
            h = (o * np.tanh(c)).named("h")
    return np.mean(h**2).named("loss"), list(net.values())


def convolutional(X, y, net):
    """The loss of a convolutional net."""
    with scope("convolution"):
        windows = sliding_window_view(X, (3, 3), axis=(1, 2))
        h = relu(np.einsum("nijab,cab->ncij", windows, net["K"]) + net["b"][:, None, None])
    with scope("max-pooling"):
        pooled = h.reshape(6, 4, 3, 2, 3, 2).max(axis=(3, 5))
    with scope("linear"):
        scores = pooled.reshape(6, -1) @ net["W"]
    return softmax_cross_entropy(scores, y)


def convolutional_step():
    """A training step of a convolutional net, called once."""
    net = parameters(K=(4, 3, 3), b=(4,), W=(36, 10))

    @capture
    def step(X, y):
        loss = convolutional(X, y, net)
        for parameter, gradient in zip(net.values(), grad(loss, list(net.values())), strict=True):
            parameter.assign(parameter - 0.1 * gradient)
        return loss

    step(data(6, 8, 8), np.arange(6))
    return step


def step_with(make=Adam, **settings):
    """A training step of a net for digits with an optimizer, called once."""
    net = parameters(W1=(64, 32), b1=(32,), W2=(32, 10), b2=(10,))
    optimizer = make(net, **settings)

    @capture
    def step(X, y):
        with scope("layer 1"):
            h = relu(X @ net["W1"] + net["b1"])
        with scope("layer 2"):
            scores = h @ net["W2"] + net["b2"]
        loss = softmax_cross_entropy(scores, y)
        optimizer.update(grad(loss, net))
        return loss

    step(data(20, 64), np.arange(20) % 10)
    return step


def adam_by_hand():
    """A training step whose Adam is written out, called once."""
    net = parameters(W1=(2, 4), b1=(4,), W2=(4, 3), b2=(3,))
    mean = {name: Tensor(0 * p.data, name=f"m_{name}") for name, p in net.items()}
    square = {name: Tensor(0 * p.data, name=f"v_{name}") for name, p in net.items()}
    count = Tensor(0.0, name="t")

    @capture
    def step(X, y):
        h = relu(X @ net["W1"] + net["b1"])
        loss = softmax_cross_entropy(h @ net["W2"] + net["b2"], y)
        count.assign(count + 1)
        for name, g in grad(loss, net).items():
            m, v = mean[name], square[name]
            m.assign(0.9 * m + 0.1 * g)
            v.assign(0.999 * v + 0.001 * g * g)
            move = (m / (1 - 0.9**count)) / (np.sqrt(v / (1 - 0.999**count)) + 1e-8)
            net[name].assign(net[name] - 0.01 * move)
        return loss

    step(data(5, 2), np.array([0, 1, 2, 0, 1]))
    return step
