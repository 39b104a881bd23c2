"""Outside arrays: a program reads them at each call, or is made again when their contents change."""

from __future__ import annotations

import functools
import tracemalloc
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from captured import ONES, count_of, leaf
from programs import assert_same

from autograd_spiral import Tensor, capture, grad, relu, softmax_cross_entropy

w = leaf(name="w")


_FROM_PLAIN_NUMPY: dict[str, Any] = {
    "product": lambda a: lambda x: w * x * (a["mask"] * a["data"]),
    "entries": lambda a: lambda x: w * x * a["data"][a["index"]],
    "quotient": lambda a: lambda x: w * x + a["data"] / 2,
    "number": lambda a: lambda x: w * x * 0.9 ** a["t"],
    "decision": lambda a: lambda x: w * x if a["mask"][0] > 0 else -w * x,
    "float": lambda a: lambda x: w * x * float(a["t"]),
    "tensor": lambda a: lambda x: w * x * Tensor(a["mask"] + 1),
    "read, too": lambda a: lambda x: w * x * a["data"] * (a["data"] - 5),
    "returned": lambda a: lambda x: Tensor(a["data"] + 1),
    "a list": lambda a: functools.partial(lambda arrays, x: w * x * (arrays[0] * 2), [a["data"]]),
}


@pytest.mark.parametrize("name", _FROM_PLAIN_NUMPY)
def test_what_plain_numpy_derives_from_outside_arrays_follows_their_changes_in_place(name: str) -> None:
    arrays = {"mask": np.ones(2), "data": np.array([3.0, 4.0]), "index": np.array([0, 1]), "t": np.array(2.0)}
    step = capture(_FROM_PLAIN_NUMPY[name](arrays))

    def check() -> None:
        for _ in range(2):
            assert_same([step(ONES).data], [step.eager(ONES).data], name)

    check()
    for changed, value in (("mask", [0, 1]), ("data", [5, 6]), ("index", [1, 0]), ("t", 3.0), ("mask", [1, 1])):
        arrays[changed][...] = value
        check()
    made = count_of(step)
    arrays["mask"][...] = [0, 1]
    check()
    arrays["mask"][...] = [1, 1]
    check()
    assert count_of(step) <= made + 1  # a program for what was there before is used again


@pytest.mark.parametrize("use", ["returned", "assigned", "checked"])
def test_what_a_step_derives_without_computing_with_it_follows_changes_in_place_too(use: str) -> None:
    data, p = np.array([0, 1]), Tensor([0.0, 0.0])
    scores = np.array([[1.0, 2.0], [3.0, 5.0]])

    def step(x: Any) -> Any:
        if use == "assigned":
            p.assign(data + 1.0)
        if use == "checked":
            return x * data, softmax_cross_entropy(scores, 1 - data)
        return x * data, Tensor(data + 1) if use == "returned" else p * 1.0

    captured = capture(step)
    for _ in range(3):
        for _ in range(2):
            expected = step(Tensor(ONES))
            assert_same([out.data for out in captured(ONES)], [out.data for out in expected], use)
        data[:] = 1 - data


def test_arrays_that_a_step_only_computes_with_are_not_watched() -> None:
    data, target = np.ones((3, 2)), np.zeros(3)

    def step() -> Any:
        loss = np.mean((data @ w - target) ** 2)
        return loss, grad(loss, w)

    captured = capture(step)
    captured()
    assert captured._programs.last is not None
    assert captured._programs.last.watched == []


def test_arrays_that_the_step_replaces_each_time_it_is_recorded_are_not_watched() -> None:
    model, table = SimpleNamespace(mask=None, parts=[]), np.ones(2)

    def step(x: Any) -> Any:
        model.mask, model.parts = np.tri(2), [np.tri(2)]
        return model.mask @ (x * table) + model.parts[0] @ x

    captured = capture(step)
    for _ in range(3):
        assert_same([captured(ONES).data], [[2.0, 4.0]], "value")
    assert captured._programs.last is not None
    assert [array is table for array in captured._programs.last.watched] == [True]


def test_a_mask_that_was_computed_before_the_step_makes_it_watch_no_array() -> None:
    mask, data = w > 0, np.ones(2)
    captured = capture(lambda x: np.where(mask, w * x, 0.0) * data)
    assert_same([captured(ONES).data], [np.where(mask.data, w.data, 0.0)], "value")
    assert captured._programs.last is not None
    assert captured._programs.last.watched == []


def test_capturing_needs_no_more_memory_than_the_step_itself() -> None:
    W = Tensor(np.full((2, 100), 0.1), requires_grad=True)
    V = Tensor(np.full((100, 3), 0.1), requires_grad=True)
    X, labels = np.ones((10_000, 2)), np.zeros(10_000, int)

    def step(X: Any, labels: Any) -> Any:
        loss = softmax_cross_entropy(relu(X @ W) @ V, labels)
        for parameter, gradient in zip((W, V), grad(loss, (W, V)), strict=True):
            parameter.assign(parameter - gradient)
        return loss

    def peak_of(step: Any) -> int:
        tracemalloc.start()
        step(X, labels)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    eager = peak_of(step)
    assert eager > 2 * 8_000_000  # bytes: the hidden layer before and after its activation
    assert peak_of(capture(step)) <= 1.1 * eager
