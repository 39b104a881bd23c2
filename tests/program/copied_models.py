"""Models with captured steps, to be copied and pickled. Pickle needs classes that a module defines, like these."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from captured import leaf

from autograd_spiral import Tensor, capture, grad


def sgd(w: Tensor, x: Any) -> Tensor:
    """One step of gradient descent towards x."""
    loss = np.square(w - x).sum()
    w.assign(w - 0.25 * grad(loss, w))
    return loss


class ByDecorator:
    def __init__(self) -> None:
        self.w = leaf(1, 2)

    @capture
    def step(self, x: Any) -> Any:
        return sgd(self.w, x)


class ByAttribute:
    def __init__(self) -> None:
        self.w = leaf(1, 2)
        self.step = capture(self._step)

    def _step(self, x: Any) -> Any:
        return sgd(self.w, x)


class ByPartial:
    def __init__(self) -> None:
        self.w = leaf(1, 2)
        self.step = capture(functools.partial(_step_of, self))


def _step_of(model: Any, x: Any) -> Any:
    return sgd(model.w, x)


class ByPartialOfALeaf:
    def __init__(self) -> None:
        self.w = leaf(1, 2)
        self.step = capture(functools.partial(sgd, self.w))


class ByCallableObject:
    def __init__(self) -> None:
        self.w = leaf(1, 2)
        self.step = capture(Stepper(self))


class Stepper:
    def __init__(self, model: Any) -> None:
        self.model = model

    def __call__(self, x: Any) -> Any:
        return sgd(self.model.w, x)


class ByBoundStep(ByDecorator):
    """Keeps the step that the class captured, bound to itself."""

    def __init__(self) -> None:
        super().__init__()
        self.bound = self.step


class Derived(ByDecorator):
    @capture
    def step(self, x: Any) -> Any:
        return super().step(x) * 2.0


@dataclass
class AsDataclass:
    w: Tensor = field(default_factory=lambda: leaf(1, 2))

    @capture
    def step(self, x: Any) -> Any:
        return sgd(self.w, x)


@dataclass(slots=True)
class WithSlots:
    w: Tensor = field(default_factory=lambda: leaf(1, 2))

    @capture
    def step(self, x: Any) -> Any:
        return sgd(self.w, x)


@dataclass(slots=True, weakref_slot=True)
class WithWeakSlots:
    w: Tensor = field(default_factory=lambda: leaf(1, 2))

    @capture
    def step(self, x: Any) -> Any:
        return sgd(self.w, x)


class Nested:
    def __init__(self) -> None:
        self.inner = ByAttribute()
        self.list = [self.inner]

    @property
    def w(self) -> Tensor:
        return self.inner.w

    @capture
    def step(self, x: Any) -> Any:
        return self.list[0].step(x)


class OfAnother:
    """Holds the steps of another model, and that model."""

    def __init__(self) -> None:
        self.other = ByDecorator()
        self.step = self.other.step

    @property
    def w(self) -> Tensor:
        return self.other.w


class WithParent:
    def __init__(self) -> None:
        self.child = Child(self)
        self.step = self.child.step

    @property
    def w(self) -> Tensor:
        return self.child.w


class Child:
    def __init__(self, parent: Any) -> None:
        self.parent, self.w = parent, leaf(1, 2)

    @capture
    def step(self, x: Any) -> Any:
        return sgd(self.parent.child.w, x)


BOTH_WAYS: list[Any] = [
    ByDecorator,
    ByAttribute,
    ByPartial,
    ByPartialOfALeaf,
    ByCallableObject,
    ByBoundStep,
    Derived,
    AsDataclass,
    WithSlots,
    WithWeakSlots,
    Nested,
    OfAnother,
    WithParent,
]


class ByLambda:
    def __init__(self) -> None:
        self.w = leaf(1, 2)
        self.step = capture(lambda x: sgd(self.w, x))


class ByLambdaOverALeaf:
    def __init__(self) -> None:
        w = self.w = leaf(1, 2)
        self.step = capture(lambda x: sgd(w, x))


class ByLambdaWithADefault:
    def __init__(self) -> None:
        self.w = leaf(1, 2)
        self.step = capture(lambda x, model=self: sgd(model.w, x))


class ByLambdaOverAList:
    def __init__(self) -> None:
        self.w = leaf(1, 2)
        parts = [self.w]
        self.step = capture(lambda x: sgd(parts[0], x))


class ByPartialOfALambda:
    def __init__(self) -> None:
        self.w = leaf(1, 2)
        self.step = capture(functools.partial(lambda scale, x: sgd(self.w, x) * scale, 1.0))


class ByWrappedMethod:
    def __init__(self) -> None:
        self.w = leaf(1, 2)
        self.step = capture(_noted(self._step))

    def _step(self, x: Any) -> Any:
        return sgd(self.w, x)


def _noted(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(x: Any) -> Any:
        return function(x)

    return wrapper


class ByHelperOfALambda:
    def __init__(self) -> None:
        self.w = leaf(1, 2)

        def helper(x: Any) -> Any:
            return sgd(self.w, x)

        self.step = capture(lambda x: helper(x))


NEITHER_WAY: list[Any] = [
    ByLambda,
    ByLambdaOverALeaf,
    ByLambdaWithADefault,
    ByLambdaOverAList,
    ByPartialOfALambda,
    ByWrappedMethod,
    ByHelperOfALambda,
]
