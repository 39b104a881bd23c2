"""A captured step keeps nothing in memory that its objects, arguments and variables would not keep."""

from __future__ import annotations

import copy
import functools
import gc
import pickle
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from captured import ONES, count_of, leaf
from programs import assert_same

from autograd_spiral import CaptureError, capture, grad


class Model:
    def __init__(self) -> None:
        self.w = leaf(1, 2, name="w")
        self.settings = {"rate": {"first": 0.5}}
        self.parts = [SimpleNamespace(scale=1.0)]
        self.long = [1.0] * 100
        self.hidden = deque([1.0])

    def loss(self, x: Any) -> Any:
        return (self.w * x).sum() * self.parts[0].scale * self.long[0] * self.hidden[0]

    @capture
    def step(self, x: Any) -> Any:
        loss = self.loss(x)
        self.w.assign(self.w - self.settings["rate"]["first"] * grad(loss, self.w))
        return loss


@pytest.fixture
def _without_gc() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


KEPT: dict[str, Any] = {}  # the latest step that takes a model as an argument, and outlives it


def _call(step: Any, *args: Any) -> weakref.ref[Any]:
    """Call a step often enough to verify it, and return a reference to its program with its buffers."""
    for _ in range(5):
        step(*args, ONES)
    return weakref.ref(step._programs.kept[0])


def _as_method(model: Any) -> list[Any]:
    return [_call(model.step)]


def _as_argument(model: Any) -> list[Any]:
    step = KEPT["step"] = capture(lambda model, x: model.loss(x))
    return [_call(step, model)]


def _in_a_list(model: Any) -> list[Any]:
    step = KEPT["step"] = capture(lambda models, x: models[0].loss(x) + models[1].loss(x))
    return [_call(step, [model, Model()])]


def _in_a_closure(model: Any) -> list[Any]:
    step = capture(lambda x: model.loss(x))
    return [_call(step), weakref.ref(step)]


def _as_bound_method(model: Any) -> list[Any]:
    step = capture(model.loss)
    return [_call(step), weakref.ref(step)]


def _as_partial(model: Any) -> list[Any]:
    step = capture(functools.partial(Model.loss, model))
    return [_call(step), weakref.ref(step)]


def _as_a_fresh_function(model: Any) -> list[Any]:
    def function(x: Any) -> Any:
        return model.loss(x)

    step = KEPT["step"] = capture(lambda function, x: function(x))
    _call(step, function)
    return [weakref.ref(function)]


def _copied(model: Any) -> list[Any]:
    model.step(ONES)
    twin = copy.deepcopy(model)
    return [_call(twin.step), weakref.ref(twin), weakref.ref(twin.w)]


def _pickled(model: Any) -> list[Any]:
    model.step(ONES)
    twin = pickle.loads(pickle.dumps(model))
    return [_call(twin.step), weakref.ref(twin), weakref.ref(twin.w)]


def _found_to_be_stale(model: Any) -> list[Any]:
    kept = _call(model.step)
    model.hidden[0] = 2.0
    with pytest.raises(CaptureError, match=r"at call 8"):
        _call(model.step)
    return [kept, _call(model.step)]


def _with_another_leaf(model: Any) -> list[Any]:
    step = KEPT["step"] = capture(lambda model, x: model.loss(x))
    references = [_call(step, model), weakref.ref(model.w)]
    model.w = leaf(3, 4)
    return [*references, _call(step, model)]


USES: list[Callable[[Any], list[Any]]] = [
    _as_method,
    _as_argument,
    _in_a_list,
    _in_a_closure,
    _as_bound_method,
    _as_partial,
    _as_a_fresh_function,
    _copied,
    _pickled,
    _found_to_be_stale,
    _with_another_leaf,
]


@pytest.mark.usefixtures("_without_gc")
@pytest.mark.parametrize("use", USES)
def test_a_dropped_model_is_freed_at_once_with_its_state_and_buffers(use: Any) -> None:
    model = Model()
    references = [weakref.ref(model), weakref.ref(model.w), weakref.ref(model.hidden), *use(model)]
    if use is _as_a_fresh_function:  # whose program serves an equal one, and is dropped at the next call
        del references[1]
    del model
    assert [reference() is None for reference in references] == [True] * len(references)


class Slotted:
    __slots__ = ("model", "scale")

    def __init__(self, model: Any) -> None:
        self.model, self.scale = model, 1.0


class Child:
    def __init__(self, model: Any) -> None:
        self.model, self.scale = model, 1.0


@pytest.mark.parametrize("make", [Child, Slotted, lambda m: SimpleNamespace(model=m, scale=1.0)])
@pytest.mark.parametrize("count", [1, 100])
@pytest.mark.parametrize("use", [_as_method, _as_argument, _as_bound_method, _in_a_closure, _copied])
def test_a_model_whose_parts_know_it_is_freed_as_garbage(make: Any, count: int, use: Any) -> None:
    model = Model()
    model.parts = [make(model) for _ in range(count)]
    references = [weakref.ref(model), weakref.ref(model.w), *use(model)]
    del model
    gc.collect()
    assert [reference() is None for reference in references] == [True] * len(references)


def test_a_leaf_that_nothing_holds_any_more_takes_its_program_along() -> None:
    model = SimpleModel()
    step = capture(lambda model, x: (model.hidden[0] * x).sum())
    for k in range(5):
        model.hidden[0] = leaf(k, 1)
        assert float(step(model, ONES)) == k + 1
        assert count_of(step) == 1


class SimpleModel:
    def __init__(self) -> None:
        self.hidden = deque([leaf(1, 2)])


def test_programs_of_many_models_functions_and_copies_go_with_them() -> None:
    of_a_function = capture(lambda function, x: function(x))

    class Many(Model):
        @capture
        def step(self, x: Any) -> Any:
            self.w.assign(self.w - grad(self.loss(x), self.w))

    model = Many()
    model.step(ONES)
    for k in range(30):
        twin = copy.deepcopy(model)
        twin.step(ONES)
        assert_same([model.w.data, twin.w.data], [[0.0, 1.0], [-1.0, 0.0]], "the states")
        _call(capture(lambda x, k=k: x * k))
    for twin in map(copy.deepcopy, [model] * 7):
        _call(of_a_function, lambda x, model=twin: model.loss(x))
    del twin
    gc.collect()
    assert len(vars(Many)["step"]._of_objects) == 1
    assert count_of(of_a_function) <= 1


@pytest.mark.usefixtures("_without_gc")
@pytest.mark.parametrize("another", [Model, lambda: None])
def test_a_variable_that_holds_another_model_frees_the_one_before(another: Any) -> None:
    model = Model()
    step = capture(lambda x: model.loss(x))
    references = [_call(step), weakref.ref(model), weakref.ref(model.hidden), weakref.ref(model.w)]
    model = another()
    if model is None:  # then the program stays, for its model might come back in another call
        with pytest.raises(AttributeError):
            step(ONES)
        references = references[1:3]
    else:
        step(ONES)
    assert [reference() is None for reference in references] == [True] * len(references)
