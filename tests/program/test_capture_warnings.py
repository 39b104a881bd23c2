"""Warnings about captured steps: each is given once, names the user's line, and has a reason."""

from __future__ import annotations

import functools
import warnings
from collections import Counter
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from captured import ONES, count_of, leaf
from programs import assert_same, flat

from autograd_spiral import Tensor, capture, grad, primitive

w = leaf(name="w")


def test_keeping_a_tensor_outside_the_step_warns() -> None:
    losses: list[Any] = []
    notes: dict[str, Any] = {}

    def append(x: Any) -> Any:
        losses.append((w * x).sum())
        return w

    def note(x: Any) -> Any:
        notes["loss"] = (w * x).sum()
        return w

    with pytest.warns(UserWarning, match="'losses' holds a tensor .* return the tensor instead") as warned:
        capture(append)(ONES)
    assert warned[0].filename == __file__
    with pytest.warns(UserWarning, match="'notes' holds a tensor"):
        capture(note)(ONES)


class Model:
    def __init__(self) -> None:
        self.W = leaf(name="W")
        self.hidden: Any = None

    def keeps_it(self, x: Any) -> Any:
        self.hidden = self.W * x
        return self.hidden.sum()

    def keeps_it_in_a_list(self, x: Any) -> Any:
        self.hidden = [1.0, self.W * x]
        return self.hidden[1].sum()

    def keeps_its_value(self, x: Any) -> Any:
        hidden = self.W * x
        self.hidden = hidden.detach()
        return hidden.sum()

    def keeps_the_argument(self, x: Any) -> Any:
        self.hidden = x
        return (self.W * x).sum()

    def keeps_the_value_of_a_leaf(self, x: Any) -> Any:
        self.hidden = self.W.detach()
        return (self.W * x).sum()

    def keeps_a_constant(self, x: Any) -> Any:
        self.hidden = Tensor([1.0, 0.0]).detach()
        return (self.W * x).sum()

    def sets_it_aside(self, x: Any) -> Any:
        self.hidden = self.W * x
        loss, self.hidden = self.hidden.sum(), None
        return loss

    def keeps_what_it_was_given(self, x: Any) -> Any:
        self.hidden = self.W
        return (self.W * x).sum()


kept: Any = None


def keeps_a_global(x: Any) -> Any:
    global kept
    kept = w * x
    return kept.sum()


@pytest.mark.parametrize(
    ("step", "name"),
    [
        (Model().keeps_it, "hidden"),
        (Model().keeps_it_in_a_list, "hidden"),
        (Model().keeps_its_value, "hidden"),
        (Model().keeps_the_argument, "hidden"),
        (Model().keeps_the_value_of_a_leaf, "hidden"),
        (keeps_a_global, "kept"),
    ],
)
def test_keeping_a_tensor_in_an_attribute_or_a_global_warns(step: Any, name: str) -> None:
    with pytest.warns(UserWarning, match=f"'{name}' holds a tensor .* return the tensor instead"):
        capture(step)(ONES)


@pytest.mark.parametrize("step", [Model().sets_it_aside, Model().keeps_what_it_was_given, Model().keeps_a_constant])
def test_an_attribute_that_is_as_the_step_left_it_at_replay_does_not_warn(step: Any) -> None:
    captured = capture(step)
    assert float(captured(ONES)) == float(captured(ONES))


COUNT = {"n": 0}
seen = 0


def counts_in_a_dict(x: Any) -> Any:
    COUNT["n"] += 1
    return w * x


def counts_in_a_global(x: Any) -> Any:
    global seen
    seen += 1
    return w * x


def _counting_in(names: Any) -> Any:
    free = 0

    def in_a_variable(x: Any) -> Any:
        nonlocal free
        free += len(x)
        return w * x

    def in_a_list(x: Any) -> Any:
        names.parts[1] += 0.5
        return w * x

    def in_a_helper(x: Any) -> Any:
        add()
        return w * x

    def add() -> None:
        names.total += 1

    def in_a_dict_that_is_empty(x: Any) -> Any:
        names.counter[x.shape[0]] += 1
        return w * x

    def down(x: Any) -> Any:
        names.left -= 1
        return w * x if names.left > -99 else x

    return in_a_variable, in_a_list, in_a_helper, in_a_dict_that_is_empty, down


class Epochs:
    done = 0

    def __init__(self) -> None:
        self.t = 0

    def run(self, x: Any) -> Any:
        self.t += 1
        return w * x

    def run_all(self, x: Any) -> Any:
        Epochs.done += 1
        return w * x


_names = SimpleNamespace(parts=[0, 0.0], total=0, counter=Counter(), left=9)
_steps = (counts_in_a_dict, counts_in_a_global, Epochs().run, Epochs().run_all, *_counting_in(_names))
_counters = (
    "COUNT['n']",
    "seen",
    "t",
    "done",
    "free",
    "names.parts[1]",
    "names.total",
    "names.counter[2]",
    "names.left",
)


@pytest.mark.parametrize(("step", "counter"), [*zip(_steps, _counters, strict=True)])
def test_counting_in_a_step_warns_once(step: Any, counter: str) -> None:
    captured = capture(step)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(9):
            captured(ONES)
            captured(ONES.astype(np.float32))
    (warning,) = caught
    assert str(warning.message) == (
        f"{step.__name__} changes {counter!r}, but Python code runs only when the step is recorded, not at each call: "
        "count outside the step, or keep the count in a Tensor, with count = Tensor(0.0) outside and "
        "count.assign(count + 1) in the step"
    )
    assert warning.filename == __file__


def test_a_count_in_a_tensor_is_right() -> None:
    count = Tensor(0.0)
    step = capture(lambda x: count.assign(count + 1))
    for _ in range(9):
        step(ONES)
    assert float(count) == 9.0


def step_of(x: Any, rate: float = 1.0, *, mode: str = "", more: Any = ()) -> Any:
    return (w * x * rate).sum()


@pytest.mark.parametrize(
    ("call", "called", "code"),
    [
        (lambda step, i: step(ONES, 0.5**i), "the number 'rate'", "np.asarray(rate)"),
        (lambda step, i: step(rate=i, x=ONES), "the number 'rate'", "np.asarray(rate)"),
        (lambda step, i: step(ONES, np.float32(i), mode="a"), "the number 'rate'", "np.asarray(rate)"),
        (lambda step, i: step(ONES, more={"a": ONES, "b": [1, i]}), "a number in 'more'", "np.asarray(number)"),
    ],
)
def test_a_number_that_makes_many_programs_warns(call: Any, called: str, code: str) -> None:
    step = capture(step_of)
    for i in range(7):
        call(step, i)  # without a word: warnings are errors in these tests
    with pytest.warns(UserWarning, match="has made 8 programs") as caught:
        call(step, 7)
    assert str(caught[0].message) == (
        f"step_of has made 8 programs, one for each value of {called}. "
        f"If the number changes from call to call, pass it as an array: {code}"
    )
    assert caught[0].filename == __file__
    for i in range(20):
        call(step, i)  # and once only


@pytest.mark.parametrize(
    "call",
    [
        lambda step, i: step(ONES, np.array(0.5**i)),
        lambda step, i: step(np.ones((i + 1, 2)), 0.5),
        lambda step, i: step(np.ones((i % 3 + 1, 2)), i // 3),
        lambda step, i: step(ONES, i % 7),
    ],
)
def test_other_arguments_that_make_programs_do_not_warn(call: Any) -> None:
    step = capture(step_of)
    for i in range(12):
        call(step, i)


@dataclass
class Mutable:
    rate: float = 2.0


@dataclass(frozen=True)
class Frozen:
    rate: float = 2.0
    rows: range = range(2)


@pytest.mark.parametrize(
    ("make", "cause", "remedy"),
    [
        (lambda i: f"mode {i}", "str passed as 'rate'", "Pass the same object at each call, or arrays"),
        (lambda i: Mutable(), "Mutable passed as 'rate'", "Pass the same object at each call, or arrays"),
        (lambda i: slice(i), "slice passed as 'rate'", "Pass the same object at each call, or arrays"),
        (lambda i: functools.partial(abs), "function passed as 'rate'", "Define the function once"),
        (lambda i: leaf(i, 1), "tensor passed as 'rate'", "Make the tensor once, and assign() new values to it"),
        (lambda i: [1.0] * i, "form of 'rate'", "Pass lists of numbers as arrays"),
        (lambda i: [0, i, 1], "value of the numbers in 'rate'", "If they change from call to call, pass them as an ar"),
        (lambda i: (i, -i), "value of the numbers in 'rate'", "If they change from call to call, pass them as an ar"),
    ],
)
def test_whatever_makes_a_program_at_every_call_is_named(make: Any, cause: str, remedy: str) -> None:
    step = capture(lambda x, rate: (w * x).sum())
    for i in range(7):
        step(ONES, make(i))
    with pytest.warns(UserWarning, match="has made 8 programs, one for each") as caught:
        step(ONES, make(7))
    assert f"one for each {cause}. {remedy}" in str(caught[0].message)
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    "make",
    [
        lambda: slice(0, 2),
        lambda: (slice(None), range(3)),
        lambda: Frozen(),
        lambda: lambda x: x * 2.0,
        lambda: lambda x, rate=float("2"): x * rate,
        lambda: [1.5, "mean", None],
    ],
)
def test_equal_arguments_that_cannot_change_share_a_program(make: Any) -> None:
    step = capture(lambda x, thing: (w * x).sum())
    for _ in range(12):
        step(ONES, make())
    assert count_of(step) == 1


def test_fresh_functions_with_other_closures_are_told_apart() -> None:
    def times(rate: float) -> Any:
        return lambda x: x * rate

    step = capture(lambda x, function: function(w * x))
    for rate in (2.0, 3.0, 2.0, 3.0):
        assert_same(flat(step(ONES, times(rate))), [rate * w.data], "value")
    assert count_of(step) == 2


def test_a_variable_that_is_rebound_at_every_call_is_named() -> None:
    step = capture(lambda x: w * x * len(things))
    for _ in range(7):
        things = {1, 2}
        step(ONES)
    things = {1, 2}
    with pytest.warns(
        UserWarning, match=r"8 programs, one for each object that it reads as 'things'\. Make the object"
    ):
        step(ONES)


def test_a_rate_passed_as_an_array_makes_one_program() -> None:
    step = capture(step_of)
    for i in range(12):
        assert float(step(ONES, np.asarray(0.5**i))) == -(0.5**i)
    assert count_of(step) == 1


def test_many_programs_for_the_contents_of_an_array_warn() -> None:
    mask = np.ones(2)
    step = capture(lambda x: w * x * (mask * 2))
    for i in range(7):
        mask[0] = i
        step(ONES)
    mask[0] = 7
    with pytest.warns(UserWarning, match=r"8 programs[\s\S]*\(mask\)"):
        step(ONES)


def test_comparing_large_arrays_at_each_call_warns() -> None:
    large, rows = np.ones((2**17, 9)), np.arange(3)
    step = capture(lambda: (w * large[rows, 0].sum()).sum())
    with pytest.warns(UserWarning, match=r"<lambda> compares 9 MB of outside arrays at each call") as warned:
        step()
    assert warned[0].filename == __file__
    large[0] = 2
    assert_same(flat(step()), [4 * np.sum(w.data)], "value")


def test_many_programs_for_a_number_that_is_read_by_name_warn_once() -> None:
    class Schedule:
        rate = 1.0

    schedule = Schedule()
    step = capture(lambda x: w * x * schedule.rate)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for i in range(12):
            schedule.rate = 0.5**i
            assert_same(flat(step(ONES)), [w.data * 0.5**i], "value")
    (warning,) = seen
    assert "has made 8 programs, one for each value of 'rate', a number that it reads by name" in str(warning.message)
    assert warning.filename == __file__


def test_what_the_step_itself_counts_makes_no_programs() -> None:
    class Counted:
        calls = 0

        def body(self, x: Any) -> Any:
            self.calls += 1
            return np.array([2.0 * float(entry) for entry in x])

        def rule(self, ct: Any, out: Any, x: Any) -> Any:
            return 2 * ct if self.calls else ct

    counted, seen = Counted(), []
    doubled = primitive(counted.rule)(counted.body)

    @capture
    def step(x: Any) -> Any:
        seen.append(len(seen))
        return doubled(w * x), grad(np.sum(doubled(w * x)), w)

    for _ in range(9):
        assert_same(flat(step(ONES)), [2 * w.data, 2 * ONES], "value and gradient")
        assert_same(flat(step(ONES.astype(np.float32))), [2 * w.data, 2 * ONES], "the same in another program")
    assert count_of(step) == 2  # though each verification changes what both have read
