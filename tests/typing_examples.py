"""Typical user code for `mypy --strict`: `assert_type` enforces what the package's annotations promise.

Tensor's own operators and methods, and the package's functions, need no annotations. NumPy's stubs know only arrays: on
Tensors, the result of a NumPy function is Any, and is annotated when it gets a name, or it is NDArray, and is cast.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, assert_type, cast

import numpy as np
from numpy.typing import NDArray

from autograd_spiral import (
    SGD,
    Adam,
    CapturedStep,
    CheckReport,
    GradientMismatch,
    Tensor,
    batches,
    blame,
    capture,
    check_against,
    check_gradients,
    clip_by_norm,
    cosine_decay,
    draw,
    dropout_mask,
    explore,
    grad,
    no_grad,
    primitive,
    relu,
    scope,
    softmax_cross_entropy,
)
from autograd_spiral.program.executor import interpret
from autograd_spiral.spiral import LinearClassifier, TwoLayerNet, accuracy, spiral, train

Array = TypeVar("Array", Tensor, NDArray[Any])


# --- tensors --------------------------------------------------------------------------------------------------------


def tensors() -> None:
    x = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True, name="x")
    assert_type(x + 1, Tensor)
    assert_type(2.0 * x, Tensor)
    assert_type(x @ np.ones((2, 3)), Tensor)
    assert_type(x[0, :], Tensor)
    assert_type(x.T.reshape(4).sum(axis=0), Tensor)
    assert_type(x > 2, Tensor)
    assert_type(-x, Tensor)
    assert_type(x.shape, tuple[int, ...])
    assert_type(x.data, NDArray[Any])
    assert_type(x.grad, NDArray[Any] | None)
    assert_type(x.named("y"), Tensor)
    assert_type(float(x.sum()), float)
    assert_type([row for row in x], list[Tensor])
    (x * x).sum().backward()
    if x.grad is not None:
        x.assign(x.data - 0.1 * x.grad)
    with no_grad(), scope("update"), blame():
        x.assign(x * 0.9)


def numpy_functions() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    y: Tensor = np.sum(np.maximum(0, x) ** 2)
    z = cast(Tensor, np.concatenate([x, x]))  # the stubs say NDArray
    assert_type(relu(x), Tensor)
    assert_type(relu(np.ones(2)), NDArray[Any])
    assert_type(grad(y, x), Tensor)
    assert_type(z.size, int)


# --- gradients ------------------------------------------------------------------------------------------------------


def gradients() -> None:
    x, y = Tensor(2.0, requires_grad=True), Tensor(3.0, requires_grad=True)
    assert_type(grad(x * y, x), Tensor)
    assert_type(grad(x * y, [x, y]), list[Tensor])
    assert_type(grad([x * y, x], (x, y), [1.0, 2.0], create_graph=True), tuple[Tensor, Tensor])
    assert_type(grad(x * y, {"x": x, "y": y}), dict[str, Tensor])
    assert_type(grad(x * y, {"x": x, "y": y}.values()), tuple[Tensor, ...])
    dx, dy = grad(x * y, (x, y))
    assert_type(dx, Tensor)
    assert_type(dy.data, NDArray[Any])


# --- your own operations --------------------------------------------------------------------------------------------


@primitive(lambda ct, out, x, scale: ct * scale * (1 - out * out))
def squashed(x: Array, scale: float = 1.0) -> Array:
    """The hyperbolic tangent of scale · x, for arrays and for Tensors."""
    squashed: Array = np.tanh(scale * x)  # type: ignore[assignment]  # the stubs say NDArray, for Tensors too
    return squashed


def _masked_rule(ct: Any, out: Any, x: Any, mask: Any) -> Any:
    return np.where(mask, ct, 0)


@primitive(_masked_rule, None)
def masked(x: Any, mask: Any) -> Any:
    """x where mask is true, else 0."""
    return np.where(mask, x, 0)


def own_operations() -> None:
    x = Tensor([0.5, -0.5], requires_grad=True)
    assert_type(squashed(x, scale=2.0), Tensor)
    assert_type(squashed(x.data), NDArray[Any])
    kept: Tensor = masked(x, np.array([True, False]))
    kept.sum().backward()


# --- checks ---------------------------------------------------------------------------------------------------------


def checks() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 4))
    assert_type(check_gradients(squashed, x, order=2), CheckReport)
    report = check_against(lambda x: np.sum(x**2), 2 * x, x, raise_on_mismatch=False)
    assert_type(report.ok, bool | None)
    assert_type(report.rows[0].shape, tuple[int, ...])
    try:
        check_gradients(lambda x, w: (x @ w).sum(), x, np.ones((4, 2)))
    except GradientMismatch as mismatch:
        print(mismatch.report)


# --- pictures -------------------------------------------------------------------------------------------------------


def pictures(folder: Path) -> None:
    x = Tensor([1.0, 2.0], requires_grad=True, name="x")
    loss = (x * x).sum().named("loss")
    assert_type(draw(loss).save_as(folder / "loss.dot"), Path)
    draw([loss], gradients_of=[x], names={"x": x}, values=False, rankdir="LR").save_as(str(folder / "both.dot"))
    assert_type(explore(loss, gradients_of={"x": x}).save_as(folder / "loss.html"), Path)
    record = explore.training(capture(lambda: x * 2), at=range(3), snapshots=4, budget=10_000)
    record()
    assert_type(record.losses, list[float])
    assert_type(explore(record).html, str)


# --- captured steps -------------------------------------------------------------------------------------------------


def captured_steps() -> None:
    def doubled(x: Any) -> Any:
        return 2 * x

    @capture
    def plain(x: Any) -> Any:
        return doubled(x)

    @capture(executor=interpret)
    def interpreted(x: Any) -> Any:
        return doubled(x)

    for step in (plain, interpreted, capture(doubled), capture(doubled, executor=interpret)):
        assert_type(step, CapturedStep)
        step(np.ones(2))
        assert_type(step.source, str)


# --- optimizers -----------------------------------------------------------------------------------------------------


def optimizers() -> None:
    rng = np.random.default_rng(0)
    net = {"W": Tensor(rng.standard_normal((4, 3)), requires_grad=True)}
    constant = SGD(net, 0.1, momentum=0.9)
    for optimizer in (Adam(net, cosine_decay(0.01, steps=10)), constant):
        for X, y in batches(rng, 5, rng.standard_normal((9, 4)), rng.integers(0, 3, 9)):
            mask = dropout_mask(rng, X.shape, 0.5, np.float32)
            loss: Tensor = softmax_cross_entropy((X * mask) @ net["W"], y)
            optimizer.update(clip_by_norm({"W": grad(loss, net["W"])}, 1.0))
        assert_type(optimizer.state, dict[str, Tensor])
        assert_type(optimizer.count, Tensor)
    constant.learning_rate = 0.5 * constant.learning_rate


# --- models ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Regression:
    """A user's own model, which `train` accepts like those of the case study."""

    w: Tensor

    def parameters(self) -> tuple[Tensor, ...]:
        """The weights."""
        return (self.w,)

    def loss(self, X: Any, y: Any, reg: float) -> Tensor:
        """The cross-entropy of linear scores."""
        scores: Tensor = X @ self.w
        loss: Tensor = softmax_cross_entropy(scores, y) + 0.5 * reg * (self.w * self.w).sum()
        return loss

    def predict(self, X: Any) -> NDArray[np.intp]:
        """The class of the largest score."""
        largest: NDArray[np.intp] = np.argmax(X @ self.w.data, axis=1)
        return largest


def models() -> None:
    rng = np.random.default_rng(0)
    X, y = spiral(20, generator=rng)
    several: Sequence[LinearClassifier | TwoLayerNet | Regression] = [
        LinearClassifier.random(rng),
        TwoLayerNet.random(rng, hidden=5),
        Regression(Tensor(np.zeros((2, 3)), requires_grad=True)),
    ]
    for model in several:
        assert_type(train(model, X, y, steps=2, step_size=0.5), NDArray[np.float64])
        assert_type(accuracy(model, X, y), float)
        assert_type(model.loss(X, y, reg=1e-3), Tensor)
