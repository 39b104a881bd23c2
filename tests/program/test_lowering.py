"""Lowering: which values a program reads at each call, and the equations of declared primitives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from captured import ONES, count_of, leaf
from programs import assert_same, flat

from autograd_spiral import CaptureError, Tensor, capture, grad, primitive, softmax_cross_entropy
from autograd_spiral.errors import LabelError

w = leaf(name="w")


def test_gradients_through_what_was_computed_before_are_refused() -> None:
    before = w * 2
    with pytest.raises(CaptureError, match=r"compute it inside the step, or detach\(\)"):
        capture(lambda x: (before * x).sum())(ONES)
    for constant in (before.detach(), before):
        step = capture(lambda x, constant=constant: (constant.detach() * x).sum())
        assert float(step(ONES)) == -2


def test_outside_arrays_are_read_at_each_call() -> None:
    factors = np.array([1.0, 2.0])
    captured = capture(lambda x: (w * factors * x).sum() + np.sum(np.arange(3) * 1.0))
    weighted = capture(lambda x: grad(w * x, w, factors))
    assert_same(flat(weighted(ONES)), [[1.0, 2.0]], "gradient")
    assert float(captured(ONES)) == 0
    factors[:] = 10
    assert float(captured(ONES)) == -7
    assert_same(flat(weighted(ONES)), [[10.0, 10.0]], "gradient")
    assert len(captured.program.outside) == 1  # np.arange is made again in each run: a constant


def test_views_of_outside_arrays_are_read_at_each_call() -> None:
    table = np.arange(6.0)
    captured = capture(lambda x: x * table[1:3] + table.reshape(3, 2)[2])
    assert_same(flat(captured(ONES)), [[5.0, 7.0]], "value")
    table[:] = 1
    assert_same(flat(captured(ONES)), [[2.0, 2.0]], "value")


def test_views_of_outside_arrays_in_bodies_and_rules_are_read_at_each_call() -> None:
    table = np.arange(6.0)
    scaled = primitive(lambda ct, out, x: ct * table[1:3])(lambda x: x * table.reshape(3, 2)[1])
    step = capture(lambda x: (scaled(w * x), grad(scaled(w * x).sum(), w)))
    for _ in range(3):
        assert_same(flat(step(ONES)), [w.data * table[2:4], table[1:3]], "value and gradient")
        table += 1
    assert count_of(step) == 1


def test_an_array_that_weights_a_gradient_is_read_at_each_call() -> None:
    weights = np.array([1.0, 10.0])
    p = leaf(1, 2)
    step = capture(lambda x: grad(p * p * x, p, weights))
    for values in ([1.0, 10.0], [2.0, -3.0]):
        weights[...] = values
        assert_same([step(ONES).data], [[2 * values[0], 4 * values[1]]], "weighted gradient")


def test_entries_from_the_end_of_a_row_are_refused_rather_than_wrong() -> None:
    scores = Tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)

    def step(picked: Any) -> Any:
        return grad(np.square(scores[np.arange(2), picked]).sum(), scores)

    captured = capture(step)
    assert_same(flat(captured(np.array([0, 2]))), [[[0, 0, 0], [0, 0, 10.0]]], "gradient")
    with pytest.raises(LabelError, match=r"entry -1 is out of range in row 1: .* write index % 3"):
        captured(np.array([0, -1]))
    with pytest.raises(LabelError, match="entry 3 is out of range in row 0"):
        captured(np.array([3, 0]))
    wrapped = capture(lambda picked: grad(np.square(scores[np.arange(2), picked % 3]).sum(), scores).sum())
    assert wrapped(np.array([0, -1])).item() == 10


def test_opaque_primitives_are_called_at_each_replay_with_frozen_copies() -> None:
    calls = []

    @primitive(lambda ct, out, x: ct * 3)
    def tripled(x: Any) -> Any:
        if not isinstance(x, np.ndarray):
            raise TypeError("arrays alone")
        calls.append(x.flags.writeable)
        return 3 * x

    captured = capture(lambda x: grad((tripled(w * x) * x).sum(), w))
    for k in (1.0, 2.0):
        assert_same(flat(captured(k * ONES)), [3 * k * k * ONES], "gradient")
    before = len(calls)
    value = capture(lambda x: tripled(w * x))
    assert_same(flat(value(ONES)), [3 * w.data], "value")
    assert len(calls) > before
    assert not any(calls)
    with pytest.raises(CaptureError, match="tripled cannot be printed"):
        value.source  # noqa: B018


def test_a_primitive_whose_body_returns_something_else_on_tensors_is_opaque() -> None:
    @primitive(lambda ct, out, x: ct)
    def sly(x: Any) -> Any:
        return x + 1 if isinstance(x, np.ndarray) else x + 2

    assert_same(flat(capture(lambda x: sly(w * x))(ONES)), [w.data + 1], "value")


def test_arrays_among_parameters_of_declared_primitives_are_copied_again_when_they_change() -> None:
    factors = np.array([1.0, 2.0])
    times = primitive(lambda ct, out, x, by: ct * by)(lambda x, by: x * by)
    step = capture(lambda x: times(w * x, by=factors) + factors * x)
    for _ in range(2):
        assert_same(flat(step(ONES)), flat(step.eager(Tensor(ONES))), "value")
        factors *= 3


OUTSIDE = {
    "a product with it": lambda w, a: (w * a).sum(),
    "a matrix product": lambda w, a: ((w @ a) ** 2).sum(),
    "a quotient": lambda w, a: (w / a).sum(),
    "a choice": lambda w, a: np.where(Tensor(a) > 2, w * w, w).sum(),
    "a power": lambda w, a: ((w * w) ** a).sum(),
    "the larger one": lambda w, a: np.maximum(w * w, a).sum(),
    "einsum": lambda w, a: np.einsum("i,i->", w * w, a),
    "labels": lambda w, a: softmax_cross_entropy(np.outer(a, w), LABELS),
    "a part of the labels": lambda w, a: softmax_cross_entropy(np.outer(a, w)[:1], LABELS[:1]),
    "rows": lambda w, a: (w[LABELS] * a).sum(),
}


LABELS = np.array([0, 1])


@pytest.mark.parametrize("name", OUTSIDE)
def test_outside_arrays_are_read_at_each_call_in_the_backward_pass_too(name: str) -> None:
    array = np.array([1.0, 3.0])

    @capture
    def step() -> Any:
        loss = OUTSIDE[name](w, array)
        return loss, grad(loss, w)

    try:
        for _ in range(3):
            assert_same(flat(step()), flat(step.eager()), "loss and gradient")
            array[:] = array[::-1] + 0.5
            if "labels" in name or name == "rows":
                LABELS[:] = 1 - LABELS
        assert count_of(step) == 1
    finally:
        LABELS[:] = 0, 1


def test_numbers_are_arrays_to_functions_and_to_opaque_operations() -> None:
    @primitive(lambda ct, out, x: ct)
    def clipped(x: Any) -> Any:
        out = x.copy()
        out[out < 0] = 0
        return out

    means = capture(lambda x: np.mean(np.sum(x)))
    assert_same(flat(means(np.arange(3))), [3.0], "mean")
    step = capture(lambda x: clipped(np.sum(x) * 2))
    assert_same(flat(step(np.ones(2))), [4.0], "value")


def test_numbers_of_wider_dtypes_are_factors() -> None:
    wide = Tensor(np.ones(3, np.longdouble), requires_grad=True)
    step = capture(lambda x: grad(np.sum(wide * wide * x), wide))
    assert_same(flat(step(np.ones(3, np.longdouble))), [2 * np.ones(3, np.longdouble)], "gradient")


def test_arrays_and_objects_in_parameters_of_declared_primitives() -> None:
    class Scale:
        by = 2.0

    held, array = Scale(), np.array([1.0, 1.0])
    scaled = primitive(lambda ct, out, x, c: ct * c[0].by)(lambda x, c: x * c[0].by)
    assert_same(flat(capture(lambda x: scaled(w * x, c=(held,)))(ONES)), [2 * w.data], "an object in a tuple")
    weighted = primitive(lambda ct, out, x, c: ct * c[-1])(lambda x, c: x * c[-1])
    for wrap in (lambda a: (a,), lambda a: (0, a), lambda a: [a]):
        step = capture(lambda x, wrap=wrap: (x * array, weighted(w * x, c=wrap(array))))
        for entry in (1.0, 5.0):
            array[0] = entry
            assert_same(flat(step(ONES)), [array, w.data * array], "an array in a container")


def test_an_opaque_body_may_return_another_byte_order() -> None:
    swapped = primitive(lambda ct, out, x: ct)(lambda x: np.array([float(v) for v in x]).astype(">f8"))
    step = capture(lambda x: swapped(w * x))
    for k in (1.0, 2.0):
        assert_same(flat(step(k * ONES)), [k * w.data], "value")
