"""The contract of executors: each of them trains every model as the eager step does.

The functions of the vocabulary and random programs run on all executors in their own tests, by `assert_programs_agree`.
What holds of state, results, checks, threads and interrupts is tested with all executors in test_state.py,
test_executor.py and test_threads.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
from executors import every_executor
from programs import assert_same, eagerly, flat
from test_blocks import LEAVES, STEPS, S, inputs

from autograd_spiral import Adam, Tensor, capture, gelu, grad, relu, softmax, softmax_cross_entropy
from autograd_spiral.program.executor import Executor
from autograd_spiral.spiral import TwoLayerNet, spiral

RNG = np.random.default_rng(11)


class Model(NamedTuple):
    """A training step, the leaves that it reads or updates, and the arguments of some calls."""

    step: Callable[..., Any]
    leaves: Sequence[Tensor]
    calls: Sequence[Sequence[Any]]


def weights(*shape: int, dtype: Any = float) -> Tensor:
    return Tensor((0.3 * RNG.standard_normal(shape)).astype(dtype), requires_grad=True)


def model(loss: Callable[..., Any], leaves: Sequence[Tensor], *shapes: tuple[int, ...]) -> Model:
    """Gradient descent on a loss of random inputs."""

    def step(*arrays: Any) -> Any:
        value = loss(*arrays)
        gradients = grad(value, leaves)
        for leaf, gradient in zip(leaves, gradients, strict=True):
            leaf.assign(leaf - 0.1 * gradient)
        return [value, *gradients]

    dtype = leaves[0].dtype
    return Model(step, leaves, [[RNG.standard_normal(shape).astype(dtype) for shape in shapes] for _ in range(2)])


def case_study() -> Model:
    X, y = spiral(20, generator=np.random.default_rng(0))
    net = TwoLayerNet.random(np.random.default_rng(1))
    made = model(lambda X, y: net.loss(X, y, 1e-3), net.parameters())
    return made._replace(calls=[[X, y]] * 4)


def with_adam() -> Model:
    first, second = weights(4, 6), weights(6, 3)
    optimizer = Adam([first, second])

    def step(X: Any, y: Any) -> Any:
        loss = softmax_cross_entropy(gelu(X @ first) @ second, y)
        optimizer.update(grad(loss, [first, second]))
        return [loss]

    calls = [[RNG.standard_normal((9, 4)), RNG.integers(0, 3, 9)] for _ in range(3)]
    return Model(step, [first, second, optimizer.count, *optimizer._averages.values()], calls)


def attention() -> Model:
    query, key, value = (weights(5, 4) for _ in range(3))

    def loss(x: Any) -> Any:
        scores = (x @ query) @ (x @ key).mT / 2
        return np.mean(np.square(softmax(scores, axis=-1) @ (x @ value)))

    return model(loss, [query, key, value], (2, 6, 5))


def pooled() -> Model:
    kernel, out = weights(3, 3, 1, 2), weights(8, 1)

    def loss(images: Any) -> Any:
        windows = np.lib.stride_tricks.sliding_window_view(images, (3, 3), axis=(1, 2))
        maps = relu(np.einsum("nijckl,klcd->nijd", windows, kernel))
        return np.mean((maps.reshape(-1, 2, 2, 2, 2, 2).max(axis=(2, 4)).reshape(-1, 8) @ out) ** 2)

    return model(loss, [kernel, out], (3, 6, 6, 1))


def gaussian() -> Model:
    root, mean = weights(3, 3), weights(3)

    def loss(x: Any) -> Any:
        covariance = root @ root.T + np.eye(3)
        lower = np.linalg.cholesky(covariance)
        whitened = np.linalg.solve(lower, (x - mean).T)
        return np.linalg.slogdet(covariance)[1] * len(x) + np.sum(whitened**2)

    return model(loss, [root, mean], (7, 3))


def penalised() -> Model:
    first, second = weights(3, 4), weights(4, 1)

    def loss(x: Any) -> Any:
        value = np.mean(np.tanh(x @ first) @ second)
        return value + np.sum(np.square(grad(value, first, create_graph=True)))

    return model(loss, [first, second], (5, 3))


def narrow() -> Model:
    first, second = weights(3, 4, dtype=np.float32), weights(4, 2, dtype=np.float32)
    return model(lambda x: np.sum(np.logaddexp(np.sin(x @ first) @ second, 0)), [first, second], (5, 3))


MODELS: dict[str, Callable[[], Model]] = {
    made.__name__: made for made in (case_study, with_adam, attention, pooled, gaussian, penalised, narrow)
} | {step.__name__: lambda step=step: Model(step, [*LEAVES, S], [inputs()] * 2) for step in STEPS}


@pytest.mark.parametrize("name", MODELS)
@every_executor
def test_every_executor_trains_every_model_as_the_eager_step_does(name: str, executor: Executor) -> None:
    step, leaves, calls = MODELS[name]()
    start = [leaf.data for leaf in leaves]
    expected = eagerly(step, leaves, calls)
    captured = capture(step, executor=executor)
    try:
        for args, (results, state) in zip(calls, expected, strict=True):
            assert_same([*flat(captured(*args)), *(leaf.data for leaf in leaves)], [*results, *state], name)
    finally:
        for leaf, value in zip(leaves, start, strict=True):
            leaf.assign(value)
