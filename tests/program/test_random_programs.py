"""Random steps: several operations deep, shared parts, broadcasting, reductions, several outputs and assigned leaves.

Whatever the step, eager = replayed = its printed text executed. Large arrays meet the kernels for large arrays.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from programs import assert_programs_agree

from autograd_spiral import (
    Tensor,
    capture,
    grad,
    log_softmax,
    logsumexp,
    no_grad,
    relu,
    sigmoid,
    softmax,
    softmax_cross_entropy,
)
from autograd_spiral.program.ir import Program
from autograd_spiral.program.passes.pipeline import readable

ONE: Sequence[Callable[[Any], Any]] = (
    np.tanh,
    np.sin,
    np.negative,
    relu,
    sigmoid,
    np.absolute,
    lambda x: np.exp(np.tanh(x)),
    lambda x: np.square(np.tanh(x)),
    lambda x: np.maximum(x, 0),
    lambda x: np.minimum(0.5, x),
    lambda x: np.where(x > 0, x, 0.25 * x),
    lambda x: x * (x > 0.125),
    lambda x: x * 1.0,
    lambda x: x / 1 - 0,
    lambda x: 2 * x / 3,
    lambda x: np.tanh(x) ** 2,
    lambda x: +x,
    lambda x: np.negative(-x),
    lambda x: x.T,
    lambda x: x.reshape(-1),
    lambda x: x[..., ::-1] if x.ndim else x,
    lambda x: x[..., :1] if x.ndim else x,
    lambda x: x.sum() / max(x.size, 1),
    lambda x: np.tanh(x).sum(axis=0) if x.ndim else x,
    lambda x: x.mean(axis=0, keepdims=True) if x.ndim else x,
    lambda x: x.max(axis=-1, keepdims=True) if x.ndim else x,
    lambda x: np.sum(np.square(np.tanh(x))),
    lambda x: softmax(x, axis=-1) if x.ndim else x,
    lambda x: log_softmax(x, axis=-1) if x.ndim else x,
    lambda x: logsumexp(x, axis=-1, keepdims=True) if x.ndim else x,
    lambda x: np.cumsum(np.tanh(x), axis=-1) if x.ndim else x,
    lambda x: x.detach(),
    lambda x: np.broadcast_to(x, (2, *x.shape)).mean(axis=0),
    lambda x: np.pad(x, 1).sum(axis=-1) if x.ndim == 1 else x,
    lambda x: x[np.arange(len(x)), np.arange(len(x)) % x.shape[1]] if x.ndim == 2 else x,
)
TWO: Sequence[Callable[[Any, Any], Any]] = (
    np.add,
    np.subtract,
    np.multiply,
    np.maximum,
    lambda x, y: x / (1 + np.square(y)),
    lambda x, y: x - (-y),
    lambda x, y: np.where(x > y, np.tanh(x), y),
    lambda x, y: np.concatenate([x.reshape(-1), y.reshape(-1)]),
    lambda x, y: np.matmul(np.tanh(x), np.tanh(y)) / max(y.shape[-1], 1),
    lambda x, y: np.matmul(np.tanh(x).mT, np.tanh(y)),
)


def combined(x: Any, y: Any, function: Callable[[Any, Any], Any]) -> Any:
    """`function(x, y)`, or x where the shapes do not fit."""
    try:
        return function(x, y)
    except ValueError:
        return x


@st.composite
def steps(draw: Any) -> tuple[Callable[..., Any], list[Tensor], list[list[np.ndarray]]]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows, inner, columns = draw(st.sampled_from([(3, 2, 4), (2, 3, 2), (1, 1, 1), (3, 1, 3), (400, 2, 3), (60, 40, 5)]))
    # sines of long float32 sums have few digits left, whoever computes them
    dtype = draw(st.sampled_from([np.float64, np.float64, np.float32 if rows < 10 else np.float64]))
    shapes = [(inner, columns), (1, columns), (columns,), (rows, columns), ()]
    leaves = [
        Tensor((0.5 * rng.standard_normal(shape)).astype(dtype), requires_grad=i != 2, name=f"p{i}")
        for i, shape in enumerate(shapes)
    ]
    calls = [
        [(0.5 * rng.standard_normal((rows, inner))).astype(dtype), rng.integers(0, columns, rows)] for _ in range(2)
    ]
    constants = [rng.standard_normal(shape).astype(dtype) for shape in ((rows, inner), (rows, columns))]
    number = st.integers(0, 999)
    script = draw(st.lists(st.tuples(number, number, number, st.booleans()), min_size=1, max_size=10))
    ends = draw(st.lists(number, min_size=1, max_size=3))
    assigned = draw(st.lists(st.integers(0, len(leaves) - 1), max_size=4))
    order = draw(st.sampled_from(["one", "two", "first"]))

    def step(X: Any, y: Any) -> Any:
        outside, made = Tensor(constants[0]), Tensor(constants[1] * 1.0)  # read at each call, and a constant
        pool = [*leaves, X, X @ leaves[0] + leaves[1], np.tanh(outside @ leaves[0] + leaves[1])]
        pool.append(np.tanh(made.T @ X + leaves[1][:, :1]))
        for which, i, j, single in script:
            x, z = pool[-1 - i % len(pool)], pool[-1 - j % len(pool)]
            made = ONE[which % len(ONE)](x) if single else combined(x, z, TWO[which % len(TWO)])
            pool.append(made)
        outputs = [pool[-1 - i % len(pool)] for i in ends]
        losses = [np.sum(out if k % 2 else np.tanh(out)) for k, out in enumerate(outputs)]
        loss = losses[0] + sum(losses[1:]) + 0.5 * np.sum(np.square(leaves[0]))
        if pool[6].shape == (len(y), columns):
            loss = loss + softmax_cross_entropy(pool[6], y)
        trained = [leaf for leaf in leaves if leaf.requires_grad]
        gradients = grad(loss, trained, create_graph=order == "two")
        if order == "two":
            gradients = grad(np.sum(np.tanh(gradients[0])) + loss, trained)
        with no_grad():
            for k, i in enumerate(assigned):
                leaf = leaves[i]
                indices = [i for i, other in enumerate(trained) if other is leaf]
                change = gradients[indices[0]] if indices else np.tanh(leaf)
                leaf.assign(leaf - 0.125 / (k + 1) * change)
        after = np.sum(leaves[0]) + leaves[4]
        return outputs, {"loss": loss, "gradients": list(gradients)}, (after, loss)

    def returned(X: Any, y: Any) -> Any:
        outputs, rest, pair = step(X, y)
        return [*outputs, rest["loss"], *rest["gradients"], *pair]

    return returned, leaves, calls


class Drawn:
    """A random step, its leaves, the arguments of two calls, and the step captured for the first one."""

    def __init__(self, step: Callable[..., Any], leaves: list[Tensor], calls: list[list[np.ndarray]]) -> None:
        self.step, self.leaves, self.calls = step, leaves, calls

    @functools.cached_property
    def captured(self) -> Any:
        captured = capture(self.step)
        captured(*self.calls[0])
        return captured

    @functools.cached_property
    def readable(self) -> Program:
        """Its program after the passes."""
        return readable(self.captured.program)


@functools.cache
def drawn_steps() -> list[Drawn]:
    """The random steps, the same in every run and for all properties: capturing them takes longer than checking."""
    found: list[Drawn] = []

    @settings(max_examples=60, database=None, phases=[Phase.generate])
    @given(steps())
    def collect(drawn: Any) -> None:
        found.append(Drawn(*drawn))

    collect()
    return found


def check_steps(holds: Callable[[Drawn], None], count: int | None = None) -> None:
    """Call `holds` with all random steps, or the first `count`; if it raises, let hypothesis find a smaller one."""
    try:
        for drawn in drawn_steps()[:count]:
            holds(drawn)
    except Exception:

        @given(steps())
        def shrink(drawn: Any) -> None:
            holds(Drawn(*drawn))

        shrink()
        raise


def test_replayed_and_printed_steps_return_what_eager_ones_do() -> None:
    def holds(drawn: Drawn) -> None:
        drawn.captured = assert_programs_agree(drawn.step, drawn.leaves, drawn.calls)

    check_steps(holds)


@pytest.mark.parametrize("shape", [(), (1,), (1, 1), (0, 3), (3, 0)])
def test_steps_on_numbers_and_on_nothing(shape: tuple[int, ...]) -> None:
    w = Tensor(np.full(shape, 0.5), requires_grad=True, name="w")

    def step(x: Any) -> Any:
        loss = np.sum(np.square(np.tanh(w * x) - 0.25))
        (dw,) = grad(loss, [w])
        w.assign(w - dw)
        return [loss, w * 1.0, dw, np.broadcast_to(loss, (2, 2))]

    assert_programs_agree(step, [w], [[np.full(shape, 2.0)], [np.full(shape, -1.0)]])
