"""If anything that a step reads by name changes, the next call uses the new value."""

from __future__ import annotations

import functools
import random
from argparse import Namespace
from collections import OrderedDict, defaultdict
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from captured import ONES, count_of, leaf
from programs import assert_same, flat
from ways_to_read import SEEN_HOLDERS, SEEN_WRAPPERS

from autograd_spiral import Tensor, capture, grad, primitive
from autograd_spiral.program.capturing.search import Search
from autograd_spiral.spiral import TwoLayerNet, spiral

w = leaf(name="w")


def test_scalars_in_the_closure_and_among_globals_select_it(monkeypatch: pytest.MonkeyPatch) -> None:
    rate = 1.0

    def step(x: Any) -> Any:
        return sum(v * rate * GLOBAL_RATE for v in (w * x, x))  # within a generator, too

    captured = capture(step)
    for inner, outer in [(1.0, 3.0), (2.0, 3.0), (2.0, 5.0), (1.0, 3.0), (1.0, 5.0)]:
        rate = inner
        monkeypatch.setitem(globals(), "GLOBAL_RATE", outer)
        assert_same(flat(captured(ONES)), [rate * outer * (w.data + 1)], "value")
    assert count_of(captured) == 4


GLOBAL_RATE = 1.0


def test_another_object_in_the_closure_is_another_program() -> None:
    rng = np.random.default_rng(0)
    net = TwoLayerNet.random(rng, hidden=4)
    X, y = spiral(5, generator=rng)
    captured = capture(lambda X, y: net.loss(X, y, 1e-3))
    first = float(captured(X, y))
    old = net
    net = TwoLayerNet.random(rng, hidden=4)
    assert float(captured(X, y)) == pytest.approx(float(net.loss(X, y, 1e-3)), abs=1e-12)
    net = old
    assert float(captured(X, y)) == first


def test_objects_that_answer_for_their_own_attributes_are_not_asked_for_others() -> None:
    class Settings:
        def __init__(self) -> None:
            self.values = {"rate": 2.0}

        def __getattr__(self, name: str) -> Any:
            return self.values[name]  # KeyError for any other

    settings = Settings()
    assert_same([capture(lambda x: x * settings.rate)(ONES).data], [2 * ONES], "value")


SCALE = 2.0


def scaled(x: Any) -> Any:
    return x * SCALE


class Layer:
    kind_factor = 1.0

    def __init__(self) -> None:
        self.w = leaf(1, 2)
        self.rate = 1.0
        self.settings = {"power": 1}
        self.parts = [leaf(1, 1)]

    def __call__(self, x: Any) -> Any:
        return self.forward(x) * self.kind_factor

    def forward(self, x: Any) -> Any:
        return scaled(x) * self.w * self.rate ** self.settings["power"] + self.parts[0]


class Slotted:
    __slots__ = ("rate",)

    def __init__(self) -> None:
        self.rate = 1.0


def wrapping(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any) -> Any:
        return function(*args)

    return wrapper


def calling(inner: Any) -> Any:
    return lambda x: inner(x)


def steps_that_call(layer: Layer) -> dict[str, Any]:
    return {
        "closure": lambda x: layer.forward(x),
        "object": layer,
        "bound method": layer.forward,
        "partial": functools.partial(Layer.forward, layer),
        "wrapped": wrapping(layer.forward),
        "captured": calling(capture(layer)),
        "list": lambda x, layers=[layer]: layers[0](x),
    }


CHANGES: dict[str, Any] = {
    "attribute": lambda layer, patch: setattr(layer, "rate", 3.0),
    "leaf": lambda layer, patch: setattr(layer, "w", leaf(5, 6)),
    "item of a dictionary": lambda layer, patch: layer.settings.update(power=2) or setattr(layer, "rate", 2.0),
    "item of a list": lambda layer, patch: layer.parts.__setitem__(0, leaf(7, 7)),
    "global of a callee": lambda layer, patch: patch.setitem(globals(), "SCALE", 5.0),
    "method": lambda layer, patch: setattr(layer, "forward", lambda x: x * 11.0),
    "attribute of a class": lambda layer, patch: patch.setattr(Layer, "kind_factor", 4.0),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("way", steps_that_call(Layer()))
def test_changes_in_what_called_functions_read_are_noticed(
    way: str, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = Layer()
    step = steps_that_call(layer)[way]
    captured = capture(step)
    captured(ONES)
    captured(ONES)
    assert count_of(captured) == 1
    CHANGES[change](layer, monkeypatch)
    assert_same(flat(captured(ONES)), flat(step(Tensor(ONES))), "value")


def test_guards_hold_until_something_that_the_step_reads_changes() -> None:
    layer = Layer()
    roots = (lambda x: layer.forward(x),)
    search = Search(roots)
    assert search.guards.changed(roots) is None
    layer.epoch = 1  # type: ignore[attr-defined]  # which the step does not read
    assert search.guards.changed(roots) is None
    layer.rate = 2.0
    assert search.guards.changed(roots) == ("rate", 2.0)
    assert Search(roots).guards.changed(roots) is None
    layer.rate = float("1.0")  # another object that is equal
    assert search.guards.changed(roots) is None
    assert {"layer", "rate", "w", "SCALE"} <= {name for name, _ in search.found}
    assert search.tensor_names()[layer.w] == "w"


def test_pinned_guards_start_from_what_closure_variables_hold() -> None:
    net = {"W": Tensor(ONES, requires_grad=True), "layers": [Layer()]}
    roots = (lambda x: net["layers"][0].forward(x) @ net["W"],)
    guards = Search(roots).guards
    guards.pin(roots)
    direct, others, _ = guards._plan
    assert {"net", "layers", "rate"} <= {name for *_, name in direct}
    assert not others
    guards.unpin()
    assert guards._plan[0] == []


def test_objects_as_arguments_are_identified_by_the_attributes_that_the_step_reads() -> None:
    captured = capture(lambda layer, x: layer(x) * 1.0)
    slotted = capture(lambda thing, x: x * thing.rate)
    layer, other, thing = Layer(), Layer(), Slotted()
    for rate in (1.0, 2.0, 1.0):
        layer.rate = thing.rate = rate
        assert_same(flat(captured(layer, ONES)), flat(layer(Tensor(ONES))), "value")
        assert_same(flat(captured(other, ONES)), flat(other(Tensor(ONES))), "value")
        assert_same(flat(slotted(thing, ONES)), [rate * ONES], "value")
    assert (count_of(captured), count_of(slotted)) == (3, 2)


def test_namespaces_and_dicts_of_any_kind_are_watched() -> None:
    for settings, change in (
        (SimpleNamespace(rate=1.0), lambda s: setattr(s, "rate", 2.0)),
        (Namespace(rate=1.0), lambda s: setattr(s, "rate", 2.0)),
        (OrderedDict(rate=1.0), lambda s: s.update(rate=2.0)),
        (defaultdict(float, rate=1.0), lambda s: s.update(rate=2.0)),
    ):
        captured = capture(lambda x, s=settings: x * (s["rate"] if isinstance(s, dict) else s.rate))
        assert_same(flat(captured(ONES)), [ONES], "value")
        change(settings)
        assert_same(flat(captured(ONES)), [2 * ONES], "value")


def test_methods_of_base_classes_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Deeper(Layer):
        def forward(self, x: Any) -> Any:
            return super().forward(x) * 1.0

    layer = Deeper()
    captured = capture(lambda x: layer(x))
    captured(ONES)
    monkeypatch.setitem(globals(), "SCALE", 7.0)
    assert_same(flat(captured(ONES)), flat(layer(Tensor(ONES))), "value")


def test_guards_follow_bodies_and_rules_of_declared_primitives(monkeypatch: pytest.MonkeyPatch) -> None:
    times_scale = primitive(lambda ct, out, x: scaled(ct))(lambda x: x * SCALE)
    gradient = capture(lambda x: [times_scale(w * x), grad(times_scale(w * x).sum(), w)])
    for scale in (2.0, 3.0, 2.0):
        monkeypatch.setitem(globals(), "SCALE", scale)
        assert_same(flat(gradient(ONES)), [scale * w.data, scale * ONES], "value and gradient")


def reading(array: Any, of: Any, items: Any) -> dict[str, Any]:
    """Declared primitives that read these, one way each."""

    def inner(x: Any) -> Any:
        return x * array

    return {
        "array": primitive(lambda ct, out, x: ct * array)(lambda x: x * array),
        "made of an array": primitive(lambda ct, out, x: ct * (2 * array))(lambda x: x * (2 * array)),
        "number": primitive(lambda ct, out, x: ct * array.sum())(lambda x: x * array.sum()),
        "entry": primitive(lambda ct, out, x: ct * array[0])(lambda x: x * array[0]),
        "item of a dictionary": primitive(lambda ct, out, x: ct * of["k"])(lambda x: x * of["k"]),
        "item of a list": primitive(lambda ct, out, x: ct * items[0])(lambda x: x * items[0]),
        "function": primitive(lambda ct, out, x: inner(ct))(lambda x: inner(x)),
        "primitive": primitive(lambda ct, out, x: ct * of["k"])(
            primitive(lambda ct, out, x: ct)(lambda x: x * of["k"]),
        ),
    }


@pytest.mark.parametrize("name", reading(ONES, {}, []))
@pytest.mark.parametrize("company", ["alone", "with the array"])
def test_changes_in_what_bodies_and_rules_read_are_noticed(name: str, company: str) -> None:
    array, of, items = np.array([1.0, 2.0]), {"k": 2.0}, [3.0]
    declared = reading(array, of, items)[name]
    if company == "alone":
        value = capture(lambda x: declared(w * x))
        gradient = capture(lambda x: grad(declared(w * x).sum(), w))
    else:
        value = capture(lambda x: declared(w * x) * array)
        gradient = capture(lambda x: grad(declared(w * x).sum(), w) * array)
    for _ in range(3):
        for step in (value, gradient, value, gradient):
            assert_same(flat(step(ONES)), flat(step.eager(Tensor(ONES))), name)
            assert step.source
        array += 1
        of["k"] += 1
        items[0] += 1
    read_at_each_call = name in ("array", "function")
    assert max(count_of(value), count_of(gradient)) == (1 if read_at_each_call else 3)


def test_only_the_array_that_a_declared_primitive_derives_from_is_watched() -> None:
    table, data = np.array([1.0, 2.0]), np.ones(2)
    declared = primitive(lambda ct, out, x: ct * table)(lambda x: x * (2 * table))
    step = capture(lambda: grad((declared(w) * data).sum(), w))
    step()
    assert step._programs.last is not None
    assert len(step._programs.last.watched) == 1
    assert step._programs.last.watched[0] is table


def test_side_effects_of_an_opaque_body_make_no_new_program() -> None:
    notes: list[Any] = []
    factor = {"k": 2.0}

    @primitive(lambda ct, out, x: ct * factor["k"])
    def noted(x: Any) -> Any:
        notes.append(len(notes))
        return np.asarray(x) * factor["k"]

    step = capture(lambda x: noted(w * x))
    for k in (2.0, 2.0, 3.0):
        factor["k"] = k
        assert_same(flat(step(ONES)), [k * w.data], "value")
        made = count_of(step)
        step(ONES)
        assert count_of(step) == made


def test_changes_of_default_arguments_are_noticed() -> None:
    def step(x: Any, c: float = 2.0) -> Any:
        return x * c

    captured = capture(step)
    captured(ONES)
    step.__defaults__ = (3.0,)
    assert_same(flat(captured(ONES)), [3 * ONES], "value")


def test_changes_that_a_step_does_not_read_make_no_new_program() -> None:
    layer = Layer()
    history: list[Any] = []

    def step(x: Any) -> Any:
        history.append(len(history))
        return layer(x)

    captured = capture(step)
    for k in range(5):
        layer.epoch = k  # type: ignore[attr-defined]
        captured(k * ONES)
    assert count_of(captured) == 1
    assert len(history) == 4  # it ran twice while it was captured, and once more at calls 2 and 4


def test_an_array_that_a_body_and_a_rule_read_unchanged_is_not_watched() -> None:
    matrix = np.array([[1.0, 2.0], [3.0, 4.0]])
    product = primitive(lambda ct, out, x: matrix.T @ ct)(lambda x: matrix @ x)
    step = capture(lambda x: (product(w * x), grad(np.sum(product(w * x)), w)))
    for _ in range(3):
        assert_same(flat(step(ONES)), [matrix @ w.data, matrix.sum(axis=0)], "value")
        matrix *= 2
    assert step._programs.last is not None
    assert step._programs.last.watched == []
    assert count_of(step) == 1


def answering_for_itself() -> dict[str, Any]:
    """Objects that answer for their own attributes and items, and a step that reads each."""

    class Rates:
        __slots__ = ("values",)

        def __getattr__(self, name: str) -> Any:
            return {"rate": 2.0}[name]  # KeyError for any other, such as __dict__

    class Anything:
        __slots__ = ()

        def __getattr__(self, name: str) -> Any:
            return 2.0

    class Items(list[Any]):
        def __getitem__(self, index: Any) -> Any:
            raise RuntimeError("asked for an item")

        __len__ = __iter__ = __getitem__  # type: ignore[assignment]

        def first(self) -> Any:
            return list.__getitem__(self, 0)

    class Values(dict[str, Any]):
        def values(self) -> Any:
            raise RuntimeError("asked for the values")

        __len__ = __iter__ = values  # type: ignore[assignment]

    @dataclass(frozen=True)
    class Late:
        rate: float = 2.0
        late: float = field(init=False)

    rates, anything, items, values, late = (
        Rates(),
        Anything(),
        Items([SimpleNamespace(rate=2.0)]),
        Values(r=2.0),
        Late(),
    )
    return {
        "attributes, or KeyError": lambda x: x * rates.rate,
        "all attributes": lambda x: x * anything.rate,
        "items of a list": lambda x: x * items.first().rate,
        "values of a dictionary": lambda x: x * values["r"],
        "a field that is not set": lambda x: x * late.rate,
    }


@pytest.mark.parametrize("name", answering_for_itself())
def test_objects_that_answer_for_themselves_are_not_asked(name: str) -> None:
    step = capture(answering_for_itself()[name])
    for _ in range(5):
        assert_same([step(ONES).data], [2 * ONES], "value")
    assert count_of(step) == 1


def test_a_variable_that_is_not_yet_there() -> None:
    step = capture(lambda x: x * 2 if x.shape == (2,) else later(x))  # noqa: F821
    assert_same([step(ONES).data], [2 * ONES], "value")

    def later(x: Any) -> Any:
        return x * 3

    for _ in range(3):
        assert_same([step(ONES).data, step(np.ones(3)).data], [2 * ONES, 3 * np.ones(3)], "value")
    del later
    assert_same([step(ONES).data], [2 * ONES], "value")
    with pytest.raises(NameError):
        step(np.ones(3))


def test_a_step_that_counts_in_an_array_keeps_its_program() -> None:
    counts, table = np.zeros(1), np.ones(2)

    def step(x: Any) -> Any:
        counts[0] += 1
        return x * (table / 2)

    captured = capture(step)
    for _ in range(40):
        assert_same([captured(ONES).data], [ONES / 2], "value")
    assert count_of(captured) == 1
    table[:] = 4
    assert_same([captured(ONES).data], [2 * ONES], "value")


def making(k: float) -> Any:
    def times(x: Any) -> Any:
        return x * k

    return times


@dataclass(frozen=True)
class Holding:
    function: Any


@pytest.mark.parametrize("held", [lambda f: f, lambda f: (f,), lambda f: [f], Holding])
@pytest.mark.parametrize("calls", [1, 3, 5])
def test_another_function_with_the_same_code_is_asked_what_it_reads(held: Any, calls: int) -> None:
    variable = held(making(2.0))

    def function() -> Any:
        value = variable
        if isinstance(value, Holding):
            value = value.function
        return value[0] if isinstance(value, list | tuple) else value

    step = capture(lambda x: function()(x))
    if callable(variable):
        step = capture(lambda x: variable(x))
    for k in (2.0, 2.0, 3.0, 2.0):
        variable = held(making(k))
        for _ in range(calls):
            assert_same([step(ONES).data], [k * ONES], "value")
    assert count_of(step) <= 2


def test_an_argument_with_the_same_code_is_asked_what_it_reads() -> None:
    functions = []
    for k in (1.0, 2.0):
        namespace: dict[str, Any] = {"k": k}
        exec("def times(x): return x * k", namespace)
        functions.append(namespace["times"])
    step = capture(lambda function, x: function(x))
    for k in (1.0, 2.0, 1.0):
        for _ in range(5):
            assert_same([step(functions[int(k) - 1], ONES).data], [k * ONES], "value")
    assert count_of(step) == 2


def follow_changes_in_plain_sight(seed: int) -> None:
    """Change a number that a step reads in a random way that guards see, again and again."""
    rng = random.Random(seed)
    get, put = rng.choice(SEEN_HOLDERS)()
    for _ in range(rng.choice([0, 1, 2, 3])):
        get = rng.choice(SEEN_WRAPPERS)(get)
    step = capture(lambda x: x * get())
    for v in [1.0, *(rng.choice([1.0, 2.0, 3.0]) for _ in range(5))]:
        put(v)
        for _ in range(rng.choice([1, 2, 3, 5])):
            assert_same([step(ONES).data], [step.eager(Tensor(ONES)).data], f"seed {seed}")


@pytest.mark.parametrize("start", range(0, 90, 30))
def test_a_change_in_plain_sight_is_followed_at_once(start: int) -> None:
    for seed in range(start, start + 30):
        follow_changes_in_plain_sight(seed)
