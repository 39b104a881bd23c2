"""A step that always computes the same thing never raises at a call, whatever its inputs, state and containers."""

from __future__ import annotations

import functools
import logging
import pickle
import random
import time
import warnings
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import pytest
from captured import ONES, count_of, leaf
from programs import assert_same, flat
from test_never_silent import RandomStep, Watched

from autograd_spiral import (
    Adam,
    Tensor,
    capture,
    gelu,
    grad,
    log_softmax,
    logsumexp,
    no_grad,
    primitive,
    relu,
    sigmoid,
    softmax,
    softmax_cross_entropy,
    softplus,
)

CALLS = 20
STEPS: dict[str, Callable[[], tuple[Any, Any]]] = {}
"""Each makes a step and a function from the number of a call to its arguments, which may change arrays on the way."""


def _step(make: Any) -> Any:
    STEPS[make.__name__.strip("_").replace("_", " ")] = make
    return make


def _rng(k: int) -> np.random.Generator:
    return np.random.default_rng(k)


def _ones(k: int) -> tuple[Any, ...]:
    return (np.full(3, 1.0 + k),)


@_step
def _dropout_masks() -> Any:
    w = leaf(1, 2, 3)

    def step(x: Any, mask: Any, *, keep: float = 0.5) -> Any:
        loss = (relu(w * x) * mask / keep).sum()
        w.assign(w - 0.1 * grad(loss, w))
        return loss

    return step, lambda k: (_rng(k).normal(size=3), _rng(k).random(3) < 0.5)


@_step
def _an_outside_array_that_changes() -> Any:
    table = np.ones(3)

    def arguments(k: int) -> Any:
        table[:] = k
        return _ones(k)

    return lambda x: x * table + table.T, arguments


@_step
def _an_outside_array_that_plain_numpy_reads() -> Any:
    table, rows = np.arange(12.0).reshape(4, 3), [0, 2]

    def arguments(k: int) -> Any:
        table[:] = k // 10
        return _ones(k)

    return lambda x: x * table[rows].sum(axis=0) + table.max(), arguments


@_step
def _views_of_an_outside_array() -> Any:
    table = np.arange(12.0).reshape(4, 3)

    def arguments(k: int) -> Any:
        table[:] = k
        return _ones(k)

    return (
        lambda x: x * table[1] + table[:3, 1] + table.reshape(-1)[3:6] + np.broadcast_to(table[0], 3),
        arguments,
    )


@_step
def _cached_constants() -> Any:
    @functools.lru_cache(1)
    def mask(n: int) -> Any:
        return np.tril(np.ones((n, n)))

    def arguments(k: int) -> Any:
        if k % 3 == 0:
            mask.cache_clear()
        return _ones(k)

    return lambda x: mask(3) @ x, arguments


@_step
def _lazily_built() -> Any:
    model = SimpleNamespace(table=None, seen=set())

    def step(x: Any) -> Any:
        if model.table is None:
            model.table = np.linspace(0, 1, 3)
        model.seen.add(len(model.seen))
        return x * model.table

    return step, _ones


@_step
def _lazily_kept_leaf() -> Any:
    cache: dict[str, Tensor] = {}

    def step(x: Any) -> Any:
        if "w" not in cache:
            cache["w"] = w
        return x * cache["w"]

    w = leaf(1, 2, 3)
    return step, _ones


class Logging:
    def __init__(self) -> None:
        self.calls, self.log, self.w = mock.Mock(), deque(maxlen=3), leaf(1, 2, 3)  # type: ignore[var-annotated]

    def __call__(self, x: Any) -> Any:
        self.calls()
        self.log.append(x.shape)
        loss = (self.w * x).sum()
        self.w.assign(0.9 * self.w)
        return loss


@_step
def _test_doubles_and_logs() -> Any:
    return Logging(), _ones


@_step
def _numbers_that_the_step_changes_without_counting() -> Any:
    cache: dict[Any, Any] = {"misses": 0}
    stack, noted = [0, 0, 0], SimpleNamespace(started=0.0, latest=0, hits=0, on=False, largest=0, doubled=1)

    def length(x: Any) -> int:
        if x.shape in cache:
            noted.hits += 1  # not in the first run
        else:
            cache["misses"] += 1  # only in the first run
            cache[x.shape] = len(x)
        return int(cache[x.shape])

    def step(x: Any) -> Any:
        noted.started, noted.latest, noted.on = time.perf_counter(), id(x), not noted.on
        noted.largest, noted.doubled = max(noted.largest, len(x)), 2 * noted.doubled
        for i in range(3):
            stack[i] += i  # a scratch list
        stack[:] = [0, 0, 0]
        noted.depth = 1
        noted.depth -= 1
        return x * length(x)

    return step, _ones


@_step
def _counters_in_bodies_that_run_at_each_call() -> Any:
    seen = SimpleNamespace(calls=0)

    @primitive(lambda ct, out, x: ct * (2.0 if seen.calls else 1.0))
    def doubled(x: Any) -> Any:
        seen.calls += 1
        return np.array([2.0 * float(entry) for entry in x])

    w = leaf(1, 2, 3)
    return lambda x: grad(doubled(w * x).sum(), w), _ones


class Averaged:
    """An optimizer of the user's that counts in a tensor, and keeps what it sets once."""

    def __init__(self) -> None:
        self.w, self.count, self.rate = leaf(1, 2, 3), Tensor(0.0), 0.0

    def step(self, x: Any) -> Any:
        self.rate = 0.1
        self.count.assign(self.count + 1)
        self.w.assign(self.w - self.rate / self.count * grad((self.w * x).sum(), self.w))
        return self.w.sum(), self.count


@_step
def _optimizers_that_count_in_tensors() -> Any:
    return Averaged().step, _ones


@_step
def _an_optimizer_of_the_package() -> Any:
    w = leaf(1, 2, 3)
    optimizer = Adam({"w": w}, 0.1)

    def step(x: Any) -> Any:
        loss = np.square(w - x).sum()
        optimizer.update(grad(loss, {"w": w}))
        return loss

    return step, _ones


@_step
def _log_messages() -> Any:
    logger, records = logging.Logger("steps"), deque(maxlen=2)  # type: ignore[var-annotated]
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign]
    logger.addHandler(handler)

    def step(x: Any) -> Any:
        logger.warning("shape %s", x.shape)
        return x * 2.0

    return step, _ones


@_step
def _orders_of_sets_and_dicts() -> Any:
    names, weights = {"a", "b", "c"}, {"a": 1.0, "b": 2.0, "c": 3.0}

    def arguments(k: int) -> Any:
        weights["a"] = weights.pop("a")
        names.discard("d")
        return _ones(k)

    return lambda x: sum(x * weights[name] for name in sorted(names)), arguments


@_step
def _state_that_changes_outside() -> Any:
    w, b = leaf(1, 2, 3), Tensor(np.zeros(3))

    def arguments(k: int) -> Any:
        w.assign(np.full(3, float(k)))
        b.assign(np.full(3, float(-k)))
        return _ones(k)

    return lambda x: (w * x + b, grad((w * x).sum(), w)), arguments


@_step
def _other_shapes_and_dtypes() -> Any:
    w = leaf(2)
    dtypes = [np.float32, np.float64, np.int64, np.float16, bool]
    return lambda x: w * x, lambda k: (np.ones((1 + k % 3, k % 2)).astype(dtypes[k % 5]),)


@_step
def _opaque_primitives() -> Any:
    notes: list[int] = []

    @primitive(lambda ct, out, x, *, scale: ct * scale)
    def noted(x: Any, *, scale: float) -> Any:
        notes.append(len(notes))
        return np.asarray(x) * scale

    w = leaf(1, 2, 3)
    return lambda x: (noted(w * x, scale=2.0), grad(noted(w * x, scale=3.0).sum(), w)), _ones


@_step
def _declared_primitives_with_arrays() -> Any:
    table = np.array([1.0, 2.0, 3.0])

    @primitive(lambda ct, out, x, *, power, shift: ct * table * power)
    def scaled(x: Any, *, power: float, shift: Any) -> Any:
        return x * table * power + np.asarray(shift)

    def arguments(k: int) -> Any:
        table[:] = k // 4
        return _ones(k)

    w = leaf(1, 2, 3)
    return lambda x: grad(scaled(w * x, power=2.0, shift=(1.0, 2.0, float("nan"))).sum(), w), arguments


@_step
def _functions_of_the_package() -> Any:
    w = leaf(*np.linspace(-1, 1, 12)).reshape(3, 4).detach()
    w = Tensor(w.data, requires_grad=True)

    def step(x: Any, labels: Any) -> Any:
        h = gelu(x @ w) + softplus(x @ w) * sigmoid(x @ w)
        h = np.where(h > 0, h, 0.1 * h) + softmax(h) + logsumexp(h, axis=1, keepdims=True) + log_softmax(h)
        loss = softmax_cross_entropy(h, labels)
        w.assign(w - 0.1 * grad(loss, w))
        return {"loss": loss, "name": "net", "rest": [None, 3, h.max(axis=0), np.cumsum(h, axis=1)]}

    return step, lambda k: (_rng(k).normal(size=(5, 3)), _rng(k).integers(0, 4, 5))


@_step
def _constants_that_are_not_numbers() -> Any:
    return lambda x: np.maximum(x, np.array([np.nan, np.inf, -0.0])) * float("nan") + np.float32(-0.0), _ones


@_step
def _indices_and_slices() -> Any:
    rows = np.array([2, 0])
    w = leaf(1, 2, 3)

    def arguments(k: int) -> Any:
        rows[:] = k % 3, (k + 1) % 3
        return (np.ones(3), np.array([k % 2]))

    return lambda x, i: (w[rows], x[::-1] * w[..., None][:, 0], np.take(w, i)), arguments


@_step
def _numbers_from_a_seed() -> Any:
    return lambda x: x * np.random.default_rng(3).normal(size=3) * random.Random(1).random(), _ones


@_step
def _generators_that_cannot_be_pickled() -> Any:
    class Local(random.Random): ...

    class Numbers(np.random.Generator): ...

    local, numbers = Local(0), Numbers(np.random.PCG64(0))
    return lambda x: x * isinstance(local, random.Random) * (numbers.bit_generator is not None), _ones


@_step
def _a_buffer_of_its_own() -> Any:
    buffer, table = np.empty(3), np.ones(3)

    def arguments(k: int) -> Any:
        table[:] = k // 4
        return _ones(k)

    def step(x: Any) -> Any:
        np.multiply(table, 2.0, out=buffer)
        return x * buffer

    return step, arguments


@_step
def _functions_made_anew() -> Any:
    def step(x: Any, f: Any) -> Any:
        return f(x) * (lambda v: v + 1)(x)

    return step, lambda k: (*_ones(k), lambda v: v * 2)


@_step
def _tensors_and_containers_as_arguments() -> Any:
    def step(batch: Any, scale: Any = 2.0, **options: Any) -> Any:
        return batch["x"][0] * scale + options.get("shift", 0.0) * batch["t"]

    return step, lambda k: ({"x": [np.full(3, k)], "t": Tensor(np.full(3, float(k)))},)


@_step
def _with_no_gradients_inside() -> Any:
    w = leaf(1, 2, 3)

    def step(x: Any) -> Any:
        with no_grad():
            norm = np.sqrt(np.square(w).sum())
        return w * x / norm

    return step, _ones


@_step
def _tensors_made_inside() -> Any:
    def step(x: Any) -> Any:
        inner = Tensor(np.zeros(3), requires_grad=True)
        for _ in range(3):
            inner.assign(inner - 0.1 * grad(np.square(inner - x).sum(), inner))
        return inner

    return step, _ones


@pytest.mark.parametrize("name", STEPS)
def test_a_steady_step_agrees_at_every_call(name: str) -> None:
    step, arguments = STEPS[name]()
    twin, others = STEPS[name]()
    captured = capture(step)
    for k in range(CALLS):
        with np.errstate(invalid="ignore"):
            found, expected = captured(*arguments(k)), capture(twin).eager(*_tensors(others(k)))
        assert_same(_numbers(found), _numbers(expected), f"call {k} of {name}")
    assert count_of(captured) < 8 or "shapes" in name


def _tensors(tree: Any) -> Any:
    """Return `tree` with a tensor in place of each array, as inputs arrive in a captured step."""
    if isinstance(tree, dict):
        return {key: _tensors(value) for key, value in tree.items()}
    if isinstance(tree, tuple | list):
        return type(tree)(map(_tensors, tree))
    return Tensor(tree) if isinstance(tree, np.ndarray) else tree


def _numbers(tree: Any) -> list[Any]:
    if isinstance(tree, dict):
        return [part for value in tree.values() for part in _numbers(value)]
    if isinstance(tree, tuple | list):
        return [part for value in tree for part in _numbers(value)]
    return flat(tree) if isinstance(tree, Tensor) else []


def test_a_steady_step_agrees_in_every_thread() -> None:
    for make in STEPS.values():
        step, arguments = make()
        captured, given = capture(step), arguments(0)
        with ThreadPoolExecutor(4) as pool:
            for result in [pool.submit(captured, *given) for _ in range(20)]:
                result.result()


@pytest.mark.parametrize("start", range(0, 60, 20))
def test_random_steps_without_a_change(start: int) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "invalid value|divide by zero|overflow", RuntimeWarning)
        for seed in range(start, start + 20):
            call_a_random_step_that_stays_the_same(seed)


def call_a_random_step_that_stays_the_same(seed: int) -> None:
    """Make calls of a random step, between which numbers are replaced by equal ones."""
    made = RandomStep(seed)
    watched = Watched(made.step)
    for k in range(9):
        if k % 3 == 2:
            made.rng.choice(made.puts)(float("1.0"))
        assert not watched.call(), f"seed {seed}"
    watched.captured(ONES)


def test_a_dtype_that_was_pickled_is_the_same_dtype() -> None:
    w = pickle.loads(pickle.dumps(leaf(1, 2)))
    step = capture(lambda x: w.assign(w - grad(np.square(w - x).sum(), w)))
    for _ in range(9):
        step(ONES)
        w.assign([5.0, 5.0])
    assert count_of(step) == 1
    assert all(equation.primitive.name != "astype" for equation in step.program.equations)
