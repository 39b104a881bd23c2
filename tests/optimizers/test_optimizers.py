"""Optimizers agree with their formulas, in eager and captured steps, and their state can be saved and restored."""

from __future__ import annotations

import copy
import io
import math
import operator
import pickle
import re
from collections import OrderedDict
from typing import Any, NamedTuple

import numpy as np
import pytest
from captured import count_of

from autograd_spiral import (
    SGD,
    Adam,
    CaptureError,
    Tensor,
    batches,
    blame,
    capture,
    clip_by_norm,
    cosine_decay,
    dropout_mask,
    exponential_decay,
    grad,
    linear_warmup,
    named_parameters,
    softmax_cross_entropy,
    value_and_grad,
)
from autograd_spiral.errors import AutogradError, DtypeError, GradientError, InPlaceError, NonFiniteError, ShapeError

SHAPES = {"W": (3, 2), "b": (2,), "scale": ()}


def parameters(dtype: Any = float) -> dict[str, Tensor]:
    rng = np.random.default_rng(0)
    return {n: Tensor(rng.standard_normal(s).astype(dtype), requires_grad=True, name=n) for n, s in SHAPES.items()}


def random_gradients(seed: int, dtype: Any = float) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal(shape).astype(dtype) for name, shape in SHAPES.items()}


# --- oracles: the formulas, for one parameter, in NumPy alone ---------------------------------------------------------


def by_sgd(p: Any, gradients: Any, rates: Any, momentum: float = 0.0, nesterov: bool = False) -> Any:
    velocity = np.zeros_like(p)
    for g, rate in zip(gradients, rates, strict=True):
        velocity = momentum * velocity + g
        p = p - rate * (g + momentum * velocity if nesterov else velocity)
    return p


def by_adam(
    p: Any, gradients: Any, rates: Any, *, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8,
    weight_decay: float = 0.0,
) -> Any:  # fmt: skip
    m, v = np.zeros_like(p), np.zeros_like(p)
    for t, (g, rate) in enumerate(zip(gradients, rates, strict=True), 1):
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
        p = p - rate * weight_decay * p
        p = p - rate * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + epsilon)
    return p


WAYS = [
    pytest.param(SGD, by_sgd, {}, id="SGD"),
    pytest.param(SGD, by_sgd, {"momentum": 0.9}, id="momentum"),
    pytest.param(SGD, by_sgd, {"momentum": 0.8, "nesterov": True}, id="Nesterov"),
    pytest.param(Adam, by_adam, {}, id="Adam"),
    pytest.param(Adam, by_adam, {"beta1": 0.0, "beta2": 0.5, "epsilon": 0.1, "weight_decay": 0.3}, id="AdamW"),
]
every_way = pytest.mark.parametrize(("kind", "oracle", "options"), WAYS)


@every_way
@pytest.mark.parametrize("captured", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_updates_are_those_of_the_formula(kind: Any, oracle: Any, options: Any, captured: bool, dtype: Any) -> None:
    net = parameters(dtype)
    before = {name: p.data.astype(float) for name, p in net.items()}
    optimizer = kind(net, cosine_decay(0.1, steps=9), **options)
    assert float(optimizer.learning_rate) == 0.1  # of the first update
    step = capture(optimizer.update) if captured else optimizer.update
    given = [random_gradients(seed, dtype) for seed in range(12)]
    for gradients in given:
        step(gradients)
    rates = [cosine_decay(0.1, steps=9)(i) for i in range(12)]
    for name, p in net.items():
        expected = oracle(before[name], [g[name].astype(float) for g in given], rates, **options)
        close = 1e-12 if dtype is np.float64 else 1e-6
        np.testing.assert_allclose(p.data, expected, rtol=0, atol=close * np.max(np.abs(expected)))
        assert p.dtype == dtype
    assert float(optimizer.count) == 12
    assert float(optimizer.learning_rate) == rates[-1]
    assert not captured or count_of(step) == 1


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda w: SGD(w, 0.1), [0.9, -2.825]),
        (lambda w: SGD(w, 0.1, momentum=0.9), [0.6795, -2.5055]),
        (lambda w: SGD(w, 0.1, momentum=0.9, nesterov=True), [0.61155, -2.37995]),
        (lambda w: Adam(w, 0.1), [0.7824315106519096, -2.79848945506727]),
        (
            lambda w: Adam(w, 0.05, beta1=0.8, beta2=0.95, epsilon=1e-3, weight_decay=0.2),
            [0.8653664969473115, -2.816061093473835],
        ),
    ],
)
def test_three_updates_equal_those_of_pytorch(make: Any, expected: Any) -> None:
    """The figures are those of torch.optim 2.13: SGD, Adam and AdamW."""
    w = Tensor([1.0, -3.0], requires_grad=True)
    optimizer = make(w)
    for gradient in ([0.5, -2.0], [1.5, 0.25], [-1.0, 0.0]):
        optimizer.update(np.array(gradient))
    np.testing.assert_allclose(w.data, expected, rtol=1e-14)


def test_half_precision_is_updated_by_averages_in_single_precision() -> None:
    w = Tensor(np.ones(2, np.float16), requires_grad=True)
    optimizer = Adam(w, 0.125)
    optimizer.update(np.array([1e-4, -1e-4], np.float16))  # whose squares are 0 in float16
    np.testing.assert_array_equal(w.data, np.array([0.875, 1.125], np.float16))
    assert (w.dtype, optimizer.state["Adam.square"].dtype) == (np.float16, np.float32)


def test_parameters_of_several_dtypes_keep_theirs() -> None:
    net = [Tensor(np.ones(2, dtype), requires_grad=True) for dtype in (np.float32, np.float64)]
    Adam(net, 0.1).update([np.ones(2, np.float32), np.ones(2)])
    assert [p.dtype for p in net] == [np.float32, np.float64]
    np.testing.assert_allclose(net[0].data, net[1].data, rtol=1e-7)


# --- containers -------------------------------------------------------------------------------------------------------


class Layer(NamedTuple):
    W: Any
    b: Any


@pytest.mark.parametrize(
    "form",
    [
        lambda a, b: [a, b],
        lambda a, b: (a, b),
        lambda a, b: {"b": b, "a": a},
        lambda a, b: OrderedDict(x=a, y={"z": [b]}),
        lambda a, b: Layer(a, (b,)),
        lambda a, b: [Layer(a, b)],
    ],
)
def test_parameters_and_gradients_come_in_any_container(form: Any) -> None:
    a, b = Tensor([1.0, 2.0], requires_grad=True), Tensor([[3.0]], requires_grad=True)
    SGD(form(a, b), 1.0, momentum=0.5).update(form(np.array([0.5, 0.25]), np.array([[4.0]])))
    np.testing.assert_array_equal(a.data, [0.5, 1.75])
    np.testing.assert_array_equal(b.data, [[-1.0]])


def test_gradients_may_come_in_another_order_and_parameters_too() -> None:
    a, b = (Tensor(np.zeros(2), requires_grad=True) for _ in range(2))
    optimizer, other = SGD({"a": a, "b": b}, 1.0, momentum=0.5), SGD({"b": b, "a": a}, 1.0, momentum=0.5)
    optimizer.update({"b": np.full(2, 2.0), "a": np.full(2, 1.0)})
    assert (a.data[0], b.data[0]) == (-1.0, -2.0)
    for name, tensor in other.state.items():
        tensor.assign(optimizer.state[name])
    other.update({"a": np.zeros(2), "b": np.zeros(2)})
    assert (a.data[0], b.data[0]) == (-1.5, -3.0)


def test_gradients_may_be_tensors_with_graphs() -> None:
    w = Tensor([1.0, 2.0], requires_grad=True)
    optimizer = Adam(w, 0.1)
    optimizer.update(grad(np.sum(w**3), w, create_graph=True))
    assert all(tensor.is_leaf and not tensor.requires_grad for tensor in optimizer.state.values())
    assert w.is_leaf


# --- captured ---------------------------------------------------------------------------------------------------------


def loss_of(net: Any, x: Any) -> Any:
    return np.mean((np.tanh(x @ net["W"] + net["b"]) * net["scale"]) ** 2)


def step_of(net: Any, optimizer: Any) -> Any:
    def step(x: Any) -> Any:
        loss, gradients = value_and_grad(loss_of)(net, x)
        optimizer.update(clip_by_norm(gradients, 0.05))
        return loss

    return step


def test_a_captured_step_trains_as_the_eager_one_does() -> None:
    x = np.random.default_rng(1).standard_normal((5, 3))
    losses = []
    for wrapped in (capture, lambda step: step):
        net = parameters()
        step = wrapped(step_of(net, Adam(net, linear_warmup(3, exponential_decay(0.05, 0.9)), weight_decay=0.1)))
        losses.append([float(step(x)) for _ in range(20)])
    np.testing.assert_allclose(*losses, rtol=1e-12)
    assert losses[0][-1] < losses[0][0]


def test_optimizers_of_parts_train_together_on_batches_of_two_sizes_with_dropout() -> None:
    X = np.random.default_rng(1).standard_normal((20, 3))
    y, losses = np.array(X[:, 0] > 0, int), []
    for wrapped in (capture, lambda step: step):
        net = parameters()
        bias, rest = {"b": net["b"]}, {"W": net["W"], "scale": net["scale"]}
        optimizers = Adam(bias, cosine_decay(0.05, 30)), SGD(rest, 0.1, momentum=0.9, nesterov=True)

        def step(X: Any, y: Any, mask: Any, net: Any = net, parts: Any = (bias, rest), both: Any = optimizers) -> Any:
            loss = softmax_cross_entropy(((X * mask) @ net["W"] + net["b"]) * net["scale"], y)
            for part, optimizer in zip(parts, both, strict=True):
                optimizer.update(dict(zip(part, grad(loss, list(part.values())), strict=True)))
            return loss

        step, rng = wrapped(step), np.random.default_rng(0)
        losses.append([
            float(step(*batch, dropout_mask(rng, batch[0].shape, 0.2)))
            for _ in range(4) for batch in batches(rng, 8, X, y)
        ])  # fmt: skip
    np.testing.assert_allclose(*losses, rtol=1e-12)
    assert np.mean(losses[0][-3:]) < np.mean(losses[0][:3])


def test_a_rate_that_is_set_between_calls_makes_no_new_program() -> None:
    w = Tensor([1.0], requires_grad=True)
    optimizer = SGD(w, 0.5)
    step = capture(lambda g: optimizer.update(g))
    for rate in (0.5, 0.25, 0.125, 0.0):
        optimizer.learning_rate = rate
        step(np.ones(1))
    assert w.data.tolist() == [0.125]
    assert count_of(step) == 1


def test_a_step_that_fails_changes_nothing() -> None:
    net = parameters()
    optimizer = Adam(net)

    def step(x: Any) -> Any:
        optimizer.update(value_and_grad(loss_of)(net, x)[1])
        return float(net["scale"])

    before = [t.data for t in (*net.values(), *optimizer.state.values())]
    with pytest.raises(CaptureError, match="reading a value"):
        capture(step)(np.ones((2, 3)))
    assert all(t.data is now or np.array_equal(t.data, now)
               for t, now in zip((*net.values(), *optimizer.state.values()), before, strict=True))  # fmt: skip


def test_a_schedule_that_branches_on_the_step_is_refused_when_captured() -> None:
    optimizer = SGD(Tensor([1.0], requires_grad=True), lambda step: 0.1 if step < 10 else 0.01)
    optimizer.update(np.ones(1))
    assert float(optimizer.learning_rate) == 0.1
    with pytest.raises(CaptureError, match=re.escape("choose with np.where")):
        capture(lambda g: optimizer.update(g))(np.ones(1))


def test_the_source_and_blame_know_the_update() -> None:
    net = parameters()
    step = capture(step_of(net, Adam(net)))
    step(np.ones((2, 3)))
    assert "mean = 0.9 * mean + " in step.source
    with blame(), np.errstate(all="ignore"), pytest.raises(NonFiniteError):
        SGD(net, 1.0).update({name: np.full(shape, np.inf) for name, shape in SHAPES.items()})


# --- state ------------------------------------------------------------------------------------------------------------


def trained(net: Any, optimizer: Any, steps: int = 3) -> Any:
    for seed in range(steps):
        optimizer.update(random_gradients(seed))
    return [p.data for p in net.values()]


@every_way
@pytest.mark.parametrize("way", ["copied", "pickled", "saved"])
def test_training_goes_on_from_state_that_was(way: str, kind: Any, oracle: Any, options: Any) -> None:
    net = parameters()
    optimizer = kind(net, linear_warmup(5, cosine_decay(0.1, steps=9)), **options)
    trained(net, optimizer)
    if way == "copied":
        other = copy.deepcopy((net, optimizer))
    elif way == "pickled":
        other = pickle.loads(pickle.dumps((net, optimizer)))
    else:
        file = io.BytesIO()
        np.savez(file, **{name: tensor.data for name, tensor in {**net, **optimizer.state}.items()})
        new = parameters()
        other = new, kind(new, linear_warmup(5, cosine_decay(0.1, steps=9)), **options)
        saved = np.load(io.BytesIO(file.getvalue()))
        for name, tensor in {**other[0], **other[1].state}.items():
            tensor.assign(saved[name])
    assert other[1].parameters is other[0]
    for p, now in zip(trained(*other), trained(net, optimizer), strict=True):
        np.testing.assert_array_equal(p, now)


class Trainer:
    def __init__(self) -> None:
        self.net = parameters()
        self.optimizer = Adam(self.net, 0.05)

    @capture
    def step(self, x: Any) -> Any:
        loss, gradients = value_and_grad(loss_of)(self.net, x)
        self.optimizer.update(gradients)
        return loss


@pytest.mark.parametrize("again", [copy.deepcopy, lambda trainer: pickle.loads(pickle.dumps(trainer))])
def test_a_model_with_its_optimizer_and_step_is_copied_as_a_whole(again: Any) -> None:
    x = np.random.default_rng(1).standard_normal((5, 3))
    one = Trainer()
    for _ in range(3):
        one.step(x)
    other = again(one)
    ahead = [float(one.step(x)) for _ in range(3)]
    assert [float(other.step(x)) for _ in range(3)] == ahead


# --- errors -----------------------------------------------------------------------------------------------------------

W = Tensor([1.0, 2.0], requires_grad=True, name="W")
PAIR = {"W": W, "b": Tensor(0.5, requires_grad=True)}


@pytest.mark.parametrize(
    ("gradients", "error", "message"),
    [
        ((np.ones(2), 1.0), GradientError, "the parameters are 'W', 'b', but the gradients are '0', '1': write grad("),
        ({"W": np.ones(2)}, GradientError, "the parameters are 'W', 'b', but the gradients are 'W': "),
        (np.ones(2), GradientError, "the parameters are 'W', 'b', but the gradients are a single one: "),
        ({"W": None, "b": 1.0}, GradientError, "the gradient of 'W' is None"),
        ({"W": np.ones((2, 1)), "b": 1.0}, ShapeError, "'W' has shape (2,), but its gradient has shape (2, 1)"),
        ({"W": np.ones(2, int), "b": 1.0}, DtypeError, "the gradient of 'W' must be floating-point, not int64"),
        ({"W": "x", "b": 1.0}, DtypeError, "the gradient of 'W' must be floating-point, not <U1"),
        ({"W": np.sum, "b": 1.0}, DtypeError, "the gradient of 'W' must be floating-point, not "),
    ],
)
def test_wrong_gradients_are_refused_before_anything_changes(gradients: Any, error: Any, message: str) -> None:
    optimizer = Adam(PAIR)
    with pytest.raises(error, match=re.escape(f"Adam.update: {message}")) as caught:
        optimizer.update(gradients)
    assert isinstance(caught.value, AutogradError)
    assert W.data.tolist() == [1.0, 2.0]
    assert float(optimizer.count) == 0


def test_a_parameter_that_was_replaced_is_noticed() -> None:
    net = parameters()
    optimizer = SGD(net, 0.1)
    net["b"] = Tensor(np.zeros(2), requires_grad=True)
    with pytest.raises(GradientError, match=r"use assign\(\) to give the old ones new values"):
        optimizer.update(random_gradients(0))


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (
            np.ones(2),
            TypeError,
            "the parameters must be Tensors, in a list, tuple, dict or dataclass, but the parameter",
        ),
        (
            [np.ones(2)],
            TypeError,
            "the parameters must be Tensors, in a list, tuple, dict or dataclass, but '0' is of",
        ),
        ({"W": Tensor(1.0)}, GradientError, "'W' requires no gradients: leave it out. "),
        ({"W": 2 * W}, GradientError, "'W' was computed. Parameters are tensors made by Tensor(data, requires_grad="),
        ([], GradientError, "there are no parameters"),
        ({"a": W, "b": [W]}, GradientError, "'a' and 'b.0' are the same tensor: pass it once, and take its gradient"),
    ],
)
def test_wrong_parameters_are_refused(given: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=re.escape(f"SGD: {message}")):
        SGD(given, 0.1)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: SGD(W, -0.1), ValueError, "SGD: learning_rate must be at least 0 and finite, not -0.1"),
        (lambda: Adam(W, math.nan), ValueError, "Adam: learning_rate must be at least 0 and finite, not nan"),
        (lambda: Adam(W, "0.1"), TypeError, "Adam: learning_rate must be a number, not str"),
        (lambda: SGD(W, 0.1, momentum=1.0), ValueError, "SGD: momentum must be at least 0 and below 1, not 1.0"),
        (lambda: SGD(W, 0.1, nesterov=True), ValueError, "SGD: nesterov=True needs a momentum, such as 0.9"),
        (lambda: Adam(W, beta2=1), ValueError, "Adam: beta2 must be at least 0 and below 1, not 1"),
        (lambda: Adam(W, epsilon=0), ValueError, "Adam: epsilon must be positive and finite, not 0"),
        (lambda: Adam(W, weight_decay=-1), ValueError, "Adam: weight_decay must be at least 0 and finite, not -1"),
        (lambda: cosine_decay(0.1, 0), ValueError, "cosine_decay: steps must be positive and finite, not 0"),
        (lambda: exponential_decay(0.1, -1), ValueError, "exponential_decay: factor must be positive and finite"),
        (lambda: linear_warmup(-3, 0.1), ValueError, "linear_warmup: steps must be positive and finite, not -3"),
        (lambda: clip_by_norm([np.ones(2)], 0.0), ValueError, "clip_by_norm: max_norm must be positive and finite"),
        (lambda: clip_by_norm([], 1.0), GradientError, "clip_by_norm: there are no gradients"),
        (lambda: clip_by_norm({"W": None}, 1.0), GradientError, "clip_by_norm: the gradient of 'W' is None"),
        (lambda: clip_by_norm({"W": W}, 1.0), GradientError, "what was passed as the gradient of 'W' is a leaf"),
        (lambda: clip_by_norm({}.values(), 1.0), DtypeError, "not dict_values: pass gradients in a list, tuple, dict"),
        (
            lambda: SGD({"W": W}, 0.1).update({"W": W}),
            GradientError,
            "what was passed as the gradient of 'W' is a leaf",
        ),
        (lambda: SGD({"W": W}, 0.1).update({"W": None}), GradientError, "to freeze a parameter, leave it out"),
        (
            lambda: SGD({"W": W}, 0.1).update({}),
            GradientError,
            "To freeze a parameter, leave it out of both SGD(…) and grad(…)",
        ),
        (lambda: SGD(W, 0.1).update(np.ones(2), 0.05), TypeError, "to change the rate, write optimizer.learning_rate"),
        (
            lambda: dropout_mask(np.random.default_rng(0), 3, 1.0),
            ValueError,
            "dropout_mask: rate must be at least 0 an",
        ),
        (lambda: dropout_mask(0, 3, 0.5), TypeError, "dropout_mask: rng must be a generator, such as np.random.defaul"),  # type: ignore[arg-type]
        (
            lambda: batches(0, 3, np.ones(3)),
            TypeError,
            "batches: rng must be a generator, such as np.random.default_rn",
        ),  # type: ignore[arg-type]
        (
            lambda: batches(np.random.default_rng(0), 0, np.ones(3)),
            ValueError,
            "batches: the size must be a number of ",
        ),
        (
            lambda: batches(np.random.default_rng(0), 2),
            ShapeError,
            "batches: the arrays must have equal numbers of row",
        ),
        (lambda: batches(np.random.default_rng(0), 2, 1.0), ShapeError, "but their lengths are [None]"),
        (lambda: batches(np.random.default_rng(0), 2, [1, 2], [1]), ShapeError, "but their lengths are [2, 1]"),
    ],
)
def test_wrong_arguments_are_refused(make: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        make()


def test_the_rate_is_set_to_a_number_and_only_without_a_schedule() -> None:
    optimizer = Adam(W, 0.1)
    for rate in (-0.5, Tensor(-0.5)):
        with pytest.raises(ValueError, match=re.escape("learning_rate must be at least 0")):
            optimizer.learning_rate = rate
    assert float(optimizer.learning_rate) == 0.1
    with pytest.raises(GradientError, match="follows a schedule"):
        SGD(W, cosine_decay(0.1, 10)).learning_rate = 0.1


@pytest.mark.parametrize("captured", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", [Adam, SGD])
@pytest.mark.parametrize("form", [np.asarray, lambda rate: np.asarray(rate, np.float32), Tensor])
def test_the_rate_may_be_an_array_or_a_tensor_without_axes(form: Any, kind: Any, dtype: Any, captured: bool) -> None:
    by_number, by_array = parameters(dtype), parameters(dtype)
    optimizer, other = kind(by_number, 0.5), kind(by_array, form(0.5))

    def set_and_update(rate: Any, gradients: Any) -> None:
        other.learning_rate = rate
        other.update(gradients)

    step = capture(set_and_update) if captured else set_and_update
    for seed, rate in enumerate([0.1, 0.01, 0.02]):
        optimizer.learning_rate = float(form(rate))
        optimizer.update(random_gradients(seed, dtype))
        step(form(rate), random_gradients(seed, dtype))
        assert float(other.learning_rate) == float(form(rate))
    for name, p in by_number.items():
        assert by_array[name].dtype == dtype
        np.testing.assert_allclose(by_array[name].data, p.data, rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("captured", [False, True])
@pytest.mark.parametrize("change", [operator.imul, operator.itruediv, operator.isub])
def test_a_rate_that_is_changed_in_place_says_what_to_write(change: Any, captured: bool) -> None:
    optimizer = Adam(W, 0.1)

    def decay() -> None:
        optimizer.learning_rate = change(optimizer.learning_rate, 0.5)  # as optimizer.learning_rate *= 0.5 does

    with pytest.raises(InPlaceError, match=r"write optimizer\.learning_rate = 0\.5 \* optimizer\.learning_rate, or"):
        (capture(decay) if captured else decay)()
    with pytest.raises(InPlaceError, match=r"'count' cannot be changed in place, .*write t = t \+ … for a new value"):
        optimizer.count += 1
    assert float(optimizer.learning_rate) == 0.1


@pytest.mark.parametrize("captured", [False, True])
@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        (np.ones(1), r"\w+ of shape \(1,\)"),
        (Tensor([0.1]), r"Tensor of shape \(1,\)"),
        (np.ones((2, 3)), r"\w+ of shape \(2, 3\)"),
        ([0.1], "list"),
        ("0.1", "str"),
        (None, "NoneType"),
    ],
)
def test_nothing_else_is_a_rate_or_a_norm(wrong: Any, what: str, captured: bool) -> None:
    optimizer, run = Adam(W, 0.1), capture if captured else lambda function: function
    with pytest.raises(TypeError, match=f"Adam: learning_rate must be a number, not {what}$"):
        run(lambda rate: setattr(optimizer, "learning_rate", rate))(wrong)
    with pytest.raises(TypeError, match=f"clip_by_norm: max_norm must be a number, not {what}$"):
        run(lambda norm: clip_by_norm([np.ones(2)], norm))(wrong)
    assert float(optimizer.learning_rate) == 0.1


def test_numbers_in_arrays_have_the_same_range() -> None:
    for form in (np.asarray, Tensor):
        for rate in (-0.5, math.nan, math.inf):
            with pytest.raises(ValueError, match="learning_rate must be at least 0 and finite, not"):
                Adam(W, form(rate))
            with pytest.raises(ValueError, match="max_norm must be positive and finite, not"):
                clip_by_norm([np.ones(2)], form(rate))
    assert SGD(W, 0.1, momentum=np.asarray(0.9)).state["SGD.velocity"].shape == (2,)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["step", "zero_grad", "state_dict", "load_state_dict", "param_groups", "lr"])
def test_names_of_pytorch_say_what_to_write(name: str) -> None:
    optimizer = Adam(W)
    with pytest.raises(AttributeError, match=f"Adam has no '{name}': write .*optimizer"):
        getattr(optimizer, name)
    with pytest.raises(AttributeError):  # it would have no effect
        setattr(optimizer, name, 0.1)


def test_other_names_are_missing_as_anywhere() -> None:
    with pytest.raises(AttributeError, match=r"^Adam has no 'updat'$"):
        Adam(W).updat  # noqa: B018
    assert repr(Adam(PAIR)) == "<Adam of 'W', 'b'>"


# --- names, and calls that are written in another way -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "names"),
    [
        (lambda a, b, c: {"W": a, "rest": [b, c]}, ["W", "rest.0", "rest.1"]),
        (lambda a, b, c: [Layer(a, b), c], ["0.W", "0.b", "1"]),
        (lambda a, b, c: (a, {"x": {"y": b}, "z": c}), ["0", "1.x.y", "1.z"]),
    ],
)
def test_a_net_of_any_form_is_saved_and_restored_by_names(form: Any, names: list[str]) -> None:
    def tensors() -> list[Tensor]:
        return [Tensor(np.full(n, n, float), requires_grad=True) for n in (1, 2, 3)]

    net, file = form(*tensors()), io.BytesIO()
    assert list(named_parameters(net)) == names
    np.savez(file, **named_parameters(net))
    for p in named_parameters(net).values():
        p.assign(0 * p.data)
    file.seek(0)
    for name, array in np.load(file).items():
        named_parameters(net)[name].assign(array)
    assert [p.data.tolist() for p in named_parameters(net).values()] == [[1], [2, 2], [3, 3, 3]]


def test_names_must_tell_tensors_apart() -> None:
    with pytest.raises(ValueError, match="two keys of the container have the same name"):
        named_parameters({0: np.ones(1), "0": np.ones(1)})
    with pytest.raises(TypeError, match=r"takes a list, tuple, dict or dataclass.*write np.savez\(file, W=W\)"):
        named_parameters(np.ones(2))


class Plain:
    def __init__(self) -> None:
        self.W = Tensor(np.ones(2), requires_grad=True)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Adam(W), "not Adam: write optimizer.state, "),
        (lambda: SGD(W, 0.1), "not SGD: write optimizer.state, "),
        (Plain, "not Plain: write @dataclass above class Plain"),
        (lambda: np.random.default_rng(0), "not Generator"),
    ],
)
def test_objects_with_tensors_of_their_own_have_no_names(make: Any, message: str) -> None:
    with pytest.raises(
        TypeError, match=f"^named_parameters takes a list, tuple, dict or dataclass of tensors, {message}"
    ):
        named_parameters(make())
    for container in ({"net": {"W": W}, "more": make()}, {"net": np.ones(2), "more": make()}):
        with pytest.raises(TypeError, match=f"^named_parameters: 'more' must be a tensor or an array, {message}"):
            named_parameters(container)


def test_an_optimizer_that_is_saved_as_a_whole_says_what_to_write() -> None:
    optimizer, file = Adam({"W": W}), io.BytesIO()
    with pytest.raises(
        TypeError, match=re.escape("write np.savez(file, **net)") + ".*" + re.escape("**optimizer.state")
    ):
        np.savez(file, optimizer=optimizer)  # type: ignore[arg-type]
    np.savez(file, **named_parameters({"net": [W], "optimizer": optimizer.state}))
    file.seek(0)
    assert list(np.load(file)) == ["net.0", *(f"optimizer.{name}" for name in optimizer.state)]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda w: Adam(w, lr=0.1),
            "Adam() got an unexpected keyword argument 'lr': write learning_rate= instead of lr=",
        ),
        (lambda w: Adam(w, 0.1, betas=(0.9, 0.99)), "write beta1= and beta2= instead of betas="),
        (lambda w: SGD(w, 0.1, b1=0.5), "got an unexpected keyword argument 'b1': the first arguments are parameters"),
        (lambda w: SGD(w), "the first arguments are parameters, learning_rate; pass the others by name"),
        (lambda w: SGD(w, 0.1, 0.9), "SGD: too many positional arguments: the first"),
        (lambda w: Adam(w).update(), "Adam.update takes the gradients: write optimizer.update(grad(loss, parameters))"),
        (lambda w: clip_by_norm(1.0, [w]), "write clip_by_norm(gradients, max_norm)"),
        (lambda w: dropout_mask((3, 4), np.random.default_rng(0), 0.5), "write dropout_mask(rng, shape, rate)"),
        (lambda w: batches(w, w, 2), "write batches(rng, size, X, y)"),  # type: ignore[arg-type]
        (lambda w: batches(w, X=w, batch_size=2), "argument 'batch_size': write size= instead of batch_size="),
        (lambda w: exponential_decay(0.1, gamma=0.9), "argument 'gamma': write factor= instead of gamma="),
        (lambda w: cosine_decay(0.1, T_max=9), "argument 'T_max': write steps= instead of T_max="),
        (lambda w: dropout_mask(w, 2, p=0.5), "argument 'p': write rate= instead of p="),
        (lambda w: dropout_mask(w, 2, 0.5, training=True), "'training': multiply by a mask in training only"),
        (
            lambda w: batches(w, 2, w, drop_last=True),
            "'drop_last': to skip a smaller last batch, write if len(y) < size:",
        ),
        (lambda w: cosine_decay(0.1, 9, alpha=0.1), "argument 'alpha': write final=alpha * initial"),
        (
            lambda w: exponential_decay(0.1, 0.5, staircase=True),
            "write lambda count: initial * factor ** (count // steps)",
        ),
        (lambda w: linear_warmup(peak_value=0.1), "argument 'peak_value': write schedule= instead of peak_value="),
        (lambda w: SGD(w, 0.1, weight_decay=0.1), "write a penalty in the loss, such as 0.5 * decay * np.sum(W**2)"),
        (
            lambda w: Adam(w, 0.1, weight_decay=0.1, b1=0.5),
            "Adam() got an unexpected keyword argument 'b1': write beta1= instead of b1=",
        ),
    ],
)
def test_calls_in_the_manner_of_others_say_what_to_write(call: Any, message: str) -> None:
    with pytest.raises(TypeError, match=re.escape(message)):
        call(Tensor(np.ones(2), requires_grad=True))


def test_a_size_that_is_an_array_is_not_printed() -> None:
    message = r"not an array of shape \(500, 2\): write batches\(rng, size, X, y\)$"
    with pytest.raises(ValueError, match=message):
        batches(np.random.default_rng(0), np.ones((500, 2)), np.ones(500), 8)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("lr", ": write optimizer.learning_rate"),
        ("param_groups", ": write optimizer.learning_rate, and an optimizer for each group of parameters"),
    ],
)
def test_attributes_of_others_cannot_be_set(name: str, instead: str) -> None:
    class Own(SGD):  # has no slots, so that other attributes can be set
        pass

    own = Own(Tensor(1.0, requires_grad=True), 0.1)
    own.note = "mine"  # type: ignore[attr-defined]
    assert own.note == "mine"  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match=f"^Own has no {name!r}{re.escape(instead)}$"):
        setattr(own, name, 0.01)
    with pytest.raises(AttributeError, match=f"^Own has no {name!r}{re.escape(instead)}$"):
        getattr(own, name)


# --- updates that would train nothing ---------------------------------------------------------------------------------

FOREIGN = "gradients of tensors that this optimizer does not update, such as 'W'"
OUT_OF_DATE = "the gradient of 'W' is out of date"


def loss_on_ones(net: Any) -> Any:
    return np.sum(np.tanh(np.ones((4, 3)) @ net["W"] + net["b"]) ** 2) * net["scale"] ** 2


def updating(net: Any, optimizer: Any) -> Any:
    def step() -> Any:
        loss = loss_on_ones(net)
        optimizer.update(clip_by_norm(grad(loss, net), 10.0))
        return loss

    return step


@pytest.mark.parametrize("make", [Adam, lambda net: SGD(net, 0.1)])
def test_a_new_net_with_the_old_optimizer_warns_at_the_second_update(make):
    optimizer, net = make(parameters()), parameters()
    step = updating(net, optimizer)
    step()
    with pytest.warns(UserWarning, match=FOREIGN):
        step()
    with pytest.warns(UserWarning, match="make a new optimizer for a new net"):
        optimizer.update(value_and_grad(loss_on_ones)(net)[1])


def test_a_captured_step_with_a_new_net_and_the_old_optimizer_warns():
    optimizer, net = Adam(parameters()), parameters()
    step = capture(updating(net, optimizer))
    step()
    with pytest.warns(UserWarning, match=FOREIGN):
        step()


def test_gradients_of_copies_that_follow_the_parameters_are_no_reason_to_warn():
    net = parameters()
    optimizer, copies = SGD(net, 0.1), parameters()
    inside, outside = (capture(updating(copies, optimizer)) for _ in range(2))

    @capture
    def following() -> Any:
        for name, p in copies.items():
            p.assign(net[name])
        return inside.eager()

    losses = []
    for _ in range(9):  # copies that are assigned outside the step, inside it, and made again for each update
        for name, p in copies.items():
            p.assign(net[name])
        losses.append(float(outside()))
        losses.append(float(following()))
        losses.append(
            float(updating({name: Tensor(p.data, requires_grad=True) for name, p in net.items()}, optimizer)())
        )
    assert losses == sorted(losses, reverse=True)


@pytest.mark.parametrize("once", ["the loss", "the gradients"])
def test_a_loss_or_gradients_from_before_the_loop_warn_at_the_second_update(once):
    net = parameters()
    optimizer, loss = SGD(net, 0.1), loss_on_ones(net)
    gradients = grad(loss, net)
    optimizer.update(gradients)
    with pytest.warns(UserWarning, match=OUT_OF_DATE):
        optimizer.update(gradients if once == "the gradients" else grad(loss, net))


def test_two_optimizers_may_update_after_the_forward_passes_of_both():
    nets = parameters(), parameters()
    optimizers = [SGD(net, 0.1) for net in nets]
    for _ in range(3):
        losses = [loss_on_ones(net) for net in nets]
        for loss, net, optimizer in zip(losses, nets, optimizers, strict=True):
            optimizer.update(grad(loss, net))


def test_what_an_optimizer_remembers_of_gradients_is_neither_copied_nor_saved():
    optimizer, net = Adam(parameters()), parameters()
    updating(net, optimizer)()
    for other in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        updating(net, other)()
