"""What a captured step takes, keeps, refuses and gives back."""

from __future__ import annotations

import contextvars
import copy
import functools
import gc
import pickle
import random
import threading
import time
import warnings
import weakref
from argparse import Namespace
from collections import OrderedDict, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
from programs import assert_same, flat

from autograd_spiral import (
    CaptureError,
    Tensor,
    blame,
    capture,
    draw,
    grad,
    no_grad,
    primitive,
    softmax_cross_entropy,
)
from autograd_spiral.errors import LabelError, NonFiniteError, StaleLeafError
from autograd_spiral.program.capturing.step import replayed
from autograd_spiral.spiral import TwoLayerNet, descent, spiral

ONES = np.ones(2)


def leaf(*values: float, **how: Any) -> Tensor:
    return Tensor(np.array(values or (1.0, -2.0), float), requires_grad=True, **how)


def count_of(step: Any) -> int:
    return len(step._prepared)


# --- refusals -----------------------------------------------------------------------------------------------------

w = leaf(name="w")


def _branch(x: Any) -> Any:
    return w if (w * x).sum() > 0 else -w


def _print(x: Any) -> Any:
    print(w * x)
    return w


def _backward(x: Any) -> Any:
    loss = (w * x).sum()
    loss.backward()
    return loss


def _store(x: Any) -> Any:
    values = np.zeros(2)
    values[0] = (w * x)[0]  # of which NumPy says that it sets an element with a sequence
    return w * values


def _clear(x: Any) -> Any:
    w.grad = None
    return w * x


@pytest.mark.parametrize(
    ("step", "word"),
    [
        (lambda x: w * float((w * x).sum()), "reading a value"),
        (lambda x: w * int((w * x).sum()), "reading a value"),
        (lambda x: w * (w * x).sum().item(), "reading a value"),
        (lambda x: w * (w * x).data, "reading a value"),
        (lambda x: w * (w * x).numpy(), "reading a value"),
        (lambda x: w * (w * x).tolist(), "reading a value"),
        (lambda x: w * np.asarray(w), "reading a value"),
        (lambda x: w * np.array([(w * x).sum()]), "reading a value"),
        (lambda x: w * (1.0 in w), "reading a value"),
        (lambda x: f"{(w * x).sum():.3f}" and w, "reading a value"),
        (lambda x: repr(w) and w, "reading a value"),
        (lambda x: np.arange(4)[w.sum().astype(int)] * w, "indexing a plain array"),
        (lambda x: np.arange(4)[w.astype(int)] * w, "indexing a plain array"),
        (lambda x: [1, 2][w.sum().astype(int)] * w, "indexing a plain array"),
        (_branch, "reading a value"),
        (_print, "reading a value"),
        (_backward, "backward"),
        (_clear, "setting .grad"),
        (lambda x: w * w.grad, "reading .grad"),
        (lambda x: w[w > 0], "boolean mask"),
        (lambda x: w[np.array([True, False])], "boolean mask"),
        (lambda x: w[np.ones(7, bool)], "boolean mask"),  # and not what NumPy says of the shape
        (lambda x: w[[True, False]], "boolean mask"),
        (_store, "reading a value"),
    ],
)
def test_what_depends_on_values_is_refused_with_the_line_and_a_remedy(step: Any, word: str) -> None:
    with pytest.raises(CaptureError, match=word) as error:
        capture(step)(ONES)
    assert "test_capture.py:" in str(error.value)
    assert len(str(error.value).splitlines()[-1]) > 40  # the remedy
    assert_same([w.data], [[1.0, -2.0]], "the state")


def test_a_rule_that_reads_a_value_is_refused_with_its_line() -> None:
    def storing(ct: Any, out: Any, x: Any) -> Any:
        piece = np.zeros(2)
        piece[0] = x[0]  # the line
        return piece

    @primitive(storing)
    def same(x: Any) -> Any:
        return x * 1

    with pytest.raises(CaptureError, match=r"piece\[0\] = x\[0\]  # the line\nreading a value"):
        capture(lambda x: grad((same(w) * x).sum(), w))(ONES)


def test_a_refusal_leaves_no_mode_behind() -> None:
    with pytest.raises(CaptureError):
        capture(_branch)(ONES)
    assert float(w.sum()) == -1


@pytest.mark.parametrize("draw", [lambda rng: rng.standard_normal(2), lambda rng: rng.standard_normal()])
def test_random_numbers_inside_are_refused_with_the_line(draw: Any) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(
        CaptureError, match=r"test_capture.py:\d+[\s\S]*a constant of np.multiply differed between two runs"
    ):
        capture(lambda x: w * draw(rng))(ONES)


def test_constants_that_differ_are_shown() -> None:
    numbers = iter([0.3, 0.7])
    with pytest.raises(
        CaptureError, match=r"a constant of np.divide differed between two runs of the step: 0\.3 and 0\.7"
    ):
        capture(lambda x: w / next(numbers))(ONES)
    arrays = iter([np.zeros(3), np.arange(1000.0)[:3]])
    with pytest.raises(CaptureError, match=r"np.add differed .*: \[0. 0. 0.\] and \[0. 1. 2.\]"):
        capture(lambda x: w.sum() + next(arrays))(ONES)


def test_what_the_message_on_indices_says_to_write_works() -> None:
    table = np.arange(6.0).reshape(3, 2)
    step = capture(lambda i: w * Tensor(table)[i])
    for i in (0, 2):
        assert_same([step(np.array(i)).data], [w.data * table[i]], "entries")
    assert count_of(step) == 1


class _Model:
    def __init__(self, rate: float) -> None:
        self.rate, self.w = rate, leaf(1, 2, name="w")

    @capture
    def step(self, x: Any) -> Any:
        loss = (self.w * x).sum()
        self.w.assign(self.w - self.rate * grad(loss, self.w))
        return loss


def test_a_captured_method_has_what_a_captured_function_has() -> None:
    model = _Model(0.5)
    assert float(model.step(ONES)) == 3
    assert float(model.step.eager(ONES)) == 2
    assert_same([model.w.data], [[0.0, 1.0]], "state")
    assert model.step.program is _Model.step.program
    assert model.step.source.startswith("import numpy")
    assert "<B>w</B>" in draw(model.step).source
    assert repr(model.step) == f"<captured step step, {count_of(_Model.step)} program, of a _Model>"


def test_tensors_that_a_step_keeps_outside_are_worth_a_warning() -> None:
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


def test_capture_with_parentheses_says_how_to_write_it() -> None:
    with pytest.raises(TypeError, match="write @capture, without parentheses"):
        capture()


class _Drawing:
    def __init__(self, rng: Any) -> None:
        self.rng = rng

    def step(self, x: Any) -> Any:
        return w * x * (0 if self.rng.random() < 0.01 else 1)


@pytest.mark.parametrize("seed", range(20))
def test_random_numbers_that_seldom_change_anything_are_refused(seed: int) -> None:
    rng, old, python = np.random.default_rng(seed), np.random.RandomState(seed), random.Random(seed)
    draw = rng.random
    steps: dict[str, Any] = {
        "rng": lambda x: w * x * (rng.random(2) > 0.001),
        "old": lambda x: w * x * (0 if old.rand() < 0.01 else 1),
        "python": lambda x: w * x * (0 if python.random() < 0.01 else 1),
        "draw": lambda x: w * x * (0 if draw() < 0.01 else 1),
        "np.random": lambda x: w * x * (0 if np.random.rand() < 0.01 else 1),  # noqa: NPY002
        "the module random": lambda x: w * x * (0 if random.random() < 0.01 else 1),
    }
    for name, step in steps.items():
        with pytest.raises(CaptureError, match=f"random numbers from {name}, .*|two runs|one run of the step"):
            capture(step)(ONES)
    with pytest.raises(CaptureError, match=r"from rng, [\s\S]* as arrays|two runs|one run of the step"):
        capture(_Drawing(rng).step)(ONES)
    with pytest.raises(CaptureError, match=r"from a generator among its arguments|two runs|one run of the step"):
        capture(lambda x, source: w * x * (0 if source.random() < 0.01 else 1))(ONES, rng)
    with pytest.raises(CaptureError, match=r"without a seed|two runs|one run of the step"):
        capture(lambda x: w * x * (0 if np.random.default_rng().random() < 0.01 else 1))(ONES)


def test_a_generator_that_is_not_drawn_from_or_made_anew_from_a_seed_is_fine() -> None:
    rng = np.random.default_rng(0)
    step = capture(lambda x: w * x * (np.random.default_rng(1).random(2) > 0.5) if rng is not None else w)
    for _ in range(3):
        assert_same([step(ONES).data], [step.eager(ONES).data], "the mask of a seed")
    assert count_of(step) == 1


def test_a_step_that_does_more_the_second_time_is_refused() -> None:
    seen: list[int] = []

    def step(x: Any) -> Any:
        seen.append(1)
        return w * x if len(seen) % 2 else w * x + 1

    with pytest.raises(CaptureError, match="in one run of the step, and not in another"):
        capture(step)(ONES)


@pytest.mark.parametrize("change", [lambda seen: w.assign(w * seen), lambda seen: seen > 1 and w.assign(w)])
def test_a_step_that_assigns_something_else_the_second_time_is_refused(change: Any) -> None:
    seen: list[int] = []

    def step(x: Any) -> Any:
        seen.append(1)
        change(len(seen))
        return (w * x).sum()

    with pytest.raises(CaptureError, match=r"one run|two runs"):
        capture(step)(ONES)
    assert_same([w.data], [[1.0, -2.0]], "the state")


def test_a_step_that_returns_something_else_the_second_time_is_refused() -> None:
    seen: list[int] = []

    def step(x: Any) -> Any:
        seen.append(1)
        return (w * x).sum(), len(seen)

    with pytest.raises(CaptureError, match="returned one thing in one run"):
        capture(step)(ONES)


def test_an_array_is_not_a_result() -> None:
    with pytest.raises(CaptureError, match="return a Tensor"):
        capture(lambda x: np.ones(2))(ONES)


def test_gradients_through_what_was_computed_before_are_refused() -> None:
    before = w * 2
    with pytest.raises(CaptureError, match=r"compute it inside the step, or detach\(\)"):
        capture(lambda x: (before * x).sum())(ONES)
    for constant in (before.detach(), before):
        step = capture(lambda x, constant=constant: (constant.detach() * x).sum())
        assert float(step(ONES)) == -2


def test_an_argument_by_value_cannot_be_assigned() -> None:
    def step(x: Any) -> Any:
        x.assign(x * 2)
        return x

    with pytest.raises(CaptureError, match="reads by value"):
        capture(step)(ONES)


def test_a_leaf_that_is_an_argument_and_reached_by_name_cannot_be_assigned() -> None:
    state, other = Tensor(1.0), Tensor(5.0)

    def step(x: Any) -> Any:
        state.assign(state + 1)
        return x * 1

    with pytest.raises(CaptureError, match=r"state.assign\(state \+ 1\)\nassign\(\) to an argument .* reads by value"):
        capture(step)(state)
    captured = capture(step)
    assert float(captured(other)) == 5
    with pytest.raises(
        CaptureError, match=r"captured\(state\)  # a call of the same kind\nassign\(\) to an argument .* reads by value"
    ):
        captured(state)  # a call of the same kind
    assert (float(state), float(captured(other)), float(state)) == (2, 5, 3)
    reading = capture(lambda x: x * state)
    assert float(reading(state)) == 9


def test_capture_takes_functions() -> None:
    with pytest.raises(TypeError, match="takes a function"):
        capture(3)  # type: ignore[arg-type]


def test_there_is_no_program_before_the_first_call() -> None:
    step = capture(lambda x: w * x)
    with pytest.raises(CaptureError, match="call it first"):
        step.program  # noqa: B018


# --- what selects a program -----------------------------------------------------------------------------------------


def test_shapes_and_dtypes_select_the_program() -> None:
    step = capture(lambda x: (w * x).sum())
    for x in (np.ones(2), np.zeros(2), np.ones((3, 2)), np.ones(2, np.float32), np.ones(2, int), np.zeros(2)):
        assert_same(flat(step(x)), [(w.data * x).sum()], "value")
    assert count_of(step) == 4


def test_other_arguments_select_it_by_value_type_and_sign_of_zero() -> None:
    def step(x: Any, c: Any = 1, *, flag: bool = True) -> Any:
        return np.copysign(1.0, c) * (w * x).sum() if flag else w * c

    captured = capture(step)
    for args, kwargs in [
        ((1,), {}),
        ((1.0,), {}),
        ((True,), {}),
        ((0.0,), {}),
        ((-0.0,), {}),
        ((0.0,), {"flag": False}),
        ((float("nan"),), {"flag": False}),
        ((np.float32(2),), {"flag": False}),
    ]:
        for _ in range(2):
            result, expected = captured(ONES, *args, **kwargs), step(ONES, *args, **kwargs)
            assert_same(flat(result), flat(expected), "value")
    assert count_of(captured) == 8


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


def test_no_grad_around_the_call_selects_it() -> None:
    captured = capture(lambda x: grad((w * w * x).sum(), w))
    assert_same(flat(captured(ONES)), [2 * w.data], "gradient")
    with no_grad(), pytest.warns(UserWarning, match="grad gives zeros"):
        assert_same(flat(captured(ONES)), flat(captured.eager(ONES)), "gradient")
    assert_same(flat(captured(ONES)), [2 * w.data], "gradient")


def test_programs_are_forgotten_when_there_are_many() -> None:
    step = capture(lambda x, c: w * x * c)
    with pytest.warns(UserWarning, match="'c'"):
        _ = [step(ONES, c) for c in range(80)]
    assert count_of(step) == 64
    assert_same(flat(step(ONES, 0)), [np.zeros(2)], "value")


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
def test_a_number_that_makes_many_programs_is_a_warning(call: Any, called: str, code: str) -> None:
    step = capture(step_of)
    for i in range(7):
        call(step, i)  # without a word: warnings are errors in these tests
    with pytest.warns(UserWarning, match="has made 8 programs") as caught:
        call(step, 7)
    assert str(caught[0].message) == (
        f"step_of has made 8 programs that differ only in {called}, one for each of its values. "
        f"To compute with a number that changes, pass it as an array, {code}"
    )
    assert caught[0].filename == __file__
    for i in range(20):
        call(step, i)  # and once only


@pytest.mark.parametrize(
    "call",
    [
        lambda step, i: step(ONES, np.array(0.5**i)),
        lambda step, i: step(np.ones((i + 1, 2)), 0.5),
        lambda step, i: step(ONES, mode=f"{i}"),
        lambda step, i: step(ONES, more=(i, -i)),  # two numbers, of which neither alone makes programs
        lambda step, i: step(np.ones((i % 3 + 1, 2)), i // 3),
        lambda step, i: step(ONES, i % 7),
    ],
)
def test_what_is_no_number_that_changes_is_no_warning(call: Any) -> None:
    step = capture(step_of)
    for i in range(12):
        call(step, i)


def test_tensors_that_require_no_gradients_are_inputs_though_they_were_recorded() -> None:
    p = leaf(1, 3)
    step = capture(lambda mask, whole: grad(np.where(mask, p * whole, p * p).sum(), p))
    for i in range(4):
        mask, whole = p > i, (p * i).astype(int)
        assert not mask.is_leaf
        assert not whole.is_leaf
        assert_same(flat(step(mask, whole)), flat(step.eager(mask, whole)), "gradient")
    assert count_of(step) == 1


def test_a_rate_passed_as_an_array_makes_one_program() -> None:
    step = capture(step_of)
    for i in range(12):
        assert float(step(ONES, np.asarray(0.5**i))) == -(0.5**i)
    assert count_of(step) == 1


# --- inputs, state, results -----------------------------------------------------------------------------------------


def test_arrays_and_tensors_in_containers_are_inputs() -> None:
    def step(batch: Any, *rest: Any, scale: Any) -> Any:
        return {"sum": batch["x"][0] * w + rest[0], "more": [rest[0], (scale, None, "text", 3)]}

    captured = capture(step)
    for k in (1.0, 2.0):
        args = ({"x": [k * ONES]}, Tensor(k * ONES))
        result = captured(*args, scale=np.array(k))
        expected = step({"x": [Tensor(k * ONES)]}, Tensor(k * ONES), scale=Tensor(k))
        assert_same(flat(result["sum"]), flat(expected["sum"]), "sum")
        assert result["more"][1][1:] == (None, "text", 3)
        assert float(result["more"][1][0]) == k
    assert count_of(captured) == 1
    assert [captured.program.names[value].text for value in captured.program.inputs] == ["batch_0", "rest_0", "scale"]


def test_inputs_have_the_names_of_their_parameters_whatever_the_order_of_the_keywords() -> None:
    def step(X: Any, *rest: Any, y: Any, **more: Any) -> Any:
        return (w * X - 2 * y + more["z"]).sum()

    captured = capture(step)
    arrays = {"z": np.array([1.0, 5.0]), "y": np.array([3.0, 4.0])}
    expected = captured(ONES, **arrays)
    assert [captured.program.names[value].text for value in captured.program.inputs] == ["X", "z", "y"]
    namespace: dict[str, Any] = {}
    exec(captured.source, namespace)
    assert_same(flat(expected), [namespace["step"](X=ONES, w=w.data, **arrays)], "value")


class Pair(NamedTuple):
    left: Any
    right: Any


def test_named_tuples_and_ordered_dicts_come_back_as_such() -> None:
    captured = capture(lambda pair: OrderedDict(pair=Pair(pair.left * w, pair.right.sum())))
    for k in (1.0, 2.0):
        result = captured(Pair(k * ONES, k * ONES))
        assert type(result) is OrderedDict
        assert type(result["pair"]) is Pair
        assert_same(flat(list(result["pair"])), [k * w.data, 2 * k], "value")
    assert count_of(captured) == 1


def test_what_a_program_cannot_return_is_named() -> None:
    for thing, kind in (({1, 2}, "set"), (object(), "object"), ((i for i in ()), "generator")):
        with pytest.raises(CaptureError, match=f"returns a {kind}"):
            capture(lambda x, thing=thing: (x, thing))(ONES)


def test_arrays_of_other_kinds_are_inputs_or_refused() -> None:
    captured = capture(lambda scores, y: softmax_cross_entropy(scores * 1.0, y))
    scores, y = np.array([[1.0, 2.0], [3.0, 5.0]]), np.array([0, 1])
    expected = captured(scores, y).data
    for _ in range(2):
        assert_same(flat(captured(scores.astype(">f8"), y.astype(">i8"))), [expected], "value")
    assert count_of(captured) == 1
    with pytest.raises(TypeError, match=r"np\.asarray\(matrix\)"):
        captured(scores.view(np.matrix), y)


def test_captured_steps_are_copied_and_pickled_as_functions_are() -> None:
    assert copy.deepcopy(module_step) is module_step
    assert pickle.loads(pickle.dumps(module_step)) is module_step


@capture
def module_step(x: Any) -> Any:
    return x * 2


def test_leaves_that_require_gradients_are_state_as_arguments_too() -> None:
    p, q = leaf(1, 2), leaf(3, 4)

    def step(p: Any, x: Any) -> Any:
        p.assign(p - grad((p * p * x).sum(), p))
        return p

    captured = capture(step)
    for t in (p, q, p):
        captured(t, 0.25 * ONES)
    assert_same([p.data, q.data], [[0.25, 0.5], [1.5, 2]], "state")


def test_a_change_of_state_made_outside_is_honoured() -> None:
    p = leaf(1, 2)
    captured = capture(lambda x: (p * x).sum())
    assert float(captured(ONES)) == 3
    p.assign([10.0, 20.0])
    assert float(captured(ONES)) == 30


def test_arrays_from_outside_are_read_at_each_call() -> None:
    factors = np.array([1.0, 2.0])
    captured = capture(lambda x: (w * factors * x).sum() + np.sum(np.arange(3) * 1.0))
    weighted = capture(lambda x: grad(w * x, w, factors))
    assert_same(flat(weighted(ONES)), [[1.0, 2.0]], "gradient")
    assert float(captured(ONES)) == 0
    factors[:] = 10
    assert float(captured(ONES)) == -7
    assert_same(flat(weighted(ONES)), [[10.0, 10.0]], "gradient")
    assert len(captured.program.outside) == 1  # np.arange is made anew in each run: a constant


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
def test_what_plain_numpy_makes_of_arrays_from_outside_is_made_anew_when_they_change_in_place(name: str) -> None:
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


def test_many_programs_for_the_contents_of_an_array_are_worth_a_warning() -> None:
    mask = np.ones(2)
    step = capture(lambda x: w * x * (mask * 2))
    for i in range(7):
        mask[0] = i
        step(ONES)
    mask[0] = 7
    with pytest.warns(UserWarning, match=r"8 programs[\s\S]*\(mask\)"):
        step(ONES)


def test_arrays_that_are_only_computed_with_are_not_looked_at() -> None:
    data, target = np.ones((3, 2)), np.zeros(3)

    def step() -> Any:
        loss = np.mean((data @ w - target) ** 2)
        return loss, grad(loss, w)

    captured = capture(step)
    captured()
    assert captured._last is not None
    assert captured._last.watched == ()


def test_objects_that_answer_for_their_own_attributes_are_not_asked_for_others() -> None:
    class Settings:
        def __init__(self) -> None:
            self.values = {"rate": 2.0}

        def __getattr__(self, name: str) -> Any:
            return self.values[name]  # KeyError for any other

    settings = Settings()
    assert_same([capture(lambda x: x * settings.rate)(ONES).data], [2 * ONES], "value")


def test_views_of_arrays_from_outside_are_read_at_each_call() -> None:
    table = np.arange(6.0)
    captured = capture(lambda x: x * table[1:3] + table.reshape(3, 2)[2])
    assert_same(flat(captured(ONES)), [[5.0, 7.0]], "value")
    table[:] = 1
    assert_same(flat(captured(ONES)), [[2.0, 2.0]], "value")


def test_an_interrupt_between_two_leaves_changes_neither() -> None:
    p, q = leaf(1, 2), leaf(3, 4)

    class Interrupted(list[Any]):
        def __getitem__(self, index: Any) -> Any:
            if index == 1:
                raise KeyboardInterrupt
            return super().__getitem__(index)

    with pytest.raises(KeyboardInterrupt):
        replayed(Interrupted([ONES, ONES]), [p, q])
    assert_same([p.data, q.data], [[1.0, 2.0], [3.0, 4.0]], "state")


def test_tensors_made_inside_are_constants() -> None:
    def step(x: Any) -> Any:
        inner = Tensor([2.0, 3.0], requires_grad=True)
        (d,) = grad((inner * inner * x).sum(), [inner])
        inner.assign(inner - d)
        return inner, d

    captured = capture(step)
    for _ in range(2):
        assert_same(flat(captured(ONES)), [[-2.0, -3.0], [4.0, 6.0]], "value")


def test_results_are_fresh_and_stay_distinct() -> None:
    p = leaf(1, 2, name="p")

    def step(x: Any) -> Any:
        y = p * x
        p.assign(x)
        return p, x, y, y.T, y.reshape(1, 2), y[:1], p.detach(), x.T

    captured = capture(step)
    inputs = [np.array([1.0, 2.0]), np.array([3.0, 4.0]), np.array([5.0, 6.0])]
    results = [flat(captured(x)) for x in inputs]
    copies = [[array.copy() for array in arrays] for arrays in results]
    held = p.data
    for x in inputs:
        x[:] = -1
    captured(np.zeros(2))
    for arrays, before in zip(results, copies, strict=True):
        assert_same(arrays, before, "results of earlier calls")
        assert not any(array.flags.writeable for array in arrays)
    assert_same([held], [[5.0, 6.0]], "the array that the state held")


def test_swaps_and_repeated_assignments_see_what_was_before() -> None:
    a, b = leaf(1, 1), leaf(2, 2)

    def step(x: Any) -> Any:
        before = a.detach()
        a.assign(b)
        b.assign(before)
        a.assign(a * x)
        return a + b

    captured = capture(step)
    assert_same(flat(captured(3 * ONES)), [[7.0, 7.0]], "value")
    assert_same([a.data, b.data], [[6.0, 6.0], [1.0, 1.0]], "state")
    captured(ONES)
    assert_same([a.data, b.data], [[1.0, 1.0], [6.0, 6.0]], "state")


def test_an_array_of_another_dtype_that_a_step_assigns_is_read_at_each_call() -> None:
    outside = np.array([1.5, 2.5])
    p = Tensor(np.float32([0, 0]))

    @capture
    def step(x: Any) -> Any:
        p.assign(outside)
        return p * x

    for values in ([1.5, 2.5], [3.5, 4.5], [5.0, 6.0]):
        outside[...] = values
        assert step(np.float32([2, 2])).data.tolist() == [2 * value for value in values]
        assert p.data.tolist() == values
        assert p.dtype == np.float32
    assert repr(step) == "<captured step step, 1 program>"
    assert step.source.count(".astype(np.float32)") == 1


def test_an_array_that_weighs_a_gradient_is_read_at_each_call() -> None:
    weights = np.array([1.0, 10.0])
    p = leaf(1, 2)
    step = capture(lambda x: grad(p * p * x, p, weights))
    for values in ([1.0, 10.0], [2.0, -3.0]):
        weights[...] = values
        assert_same([step(ONES).data], [[2 * values[0], 4 * values[1]]], "weighed gradient")


def test_gradients_of_what_was_recorded_before_an_assignment() -> None:
    p, q = leaf(1, 2), leaf(3, 4)

    def step(x: Any) -> Any:
        loss = (p * p * q * x).sum()
        p.assign(p - grad(loss, p))
        q.assign(q - grad(loss, q))  # at the old p
        return loss

    eager_p, eager_q = leaf(1, 2), leaf(3, 4)
    loss = (eager_p * eager_p * eager_q).sum()
    expected = [eager_p.data - grad(loss, eager_p).data, eager_q.data - grad(loss, eager_q).data]
    capture(step)(ONES)
    assert_same([p.data, q.data], expected, "state")


def test_a_graph_of_gradients_at_an_old_value_is_refused_as_it_is_eagerly() -> None:
    p = leaf(1, 2)

    def step(x: Any) -> Any:
        loss = (p * p * x).sum()
        p.assign(p * 2)
        return grad(loss, p, create_graph=True)

    with pytest.raises(StaleLeafError, match="was assigned"):
        capture(step)(ONES)


def test_dtypes_of_state_are_kept() -> None:
    p = Tensor(np.ones(2, np.float32), requires_grad=True)

    def step(x: Any) -> Any:
        p.assign(p - x)
        return p

    assert capture(step)(np.full(2, 0.1)).dtype == np.float32
    assert p.dtype == np.float32


def test_an_exception_leaves_no_state_changed() -> None:
    p = leaf(1, 2)

    def step(x: Any, labels: Any) -> Any:
        p.assign(p * 2)
        return softmax_cross_entropy(p * x, labels)

    captured = capture(step)
    captured(np.ones((2, 2)), np.array([0, 1]))
    for labels, message in [([0, 2], "row 1 is 2"), ([-1, 0], "row 0 is -1")]:
        with pytest.raises(LabelError, match=message):
            captured(np.ones((2, 2)), np.array(labels))
        assert_same([p.data], [[2.0, 4.0]], "state")

    def failing(x: Any) -> Any:
        p.assign(p * 2)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        capture(failing)(ONES)
    assert_same([p.data], [[2.0, 4.0]], "state")


def test_checks_on_what_is_computed_run_too() -> None:
    def step(x: Any) -> Any:
        return softmax_cross_entropy(w * np.ones((2, 2)), (x + 1).astype(int))

    captured = capture(step)
    captured(np.array([0.0, -1.0]))
    with pytest.raises(LabelError, match="row 1 is 6"):
        captured(np.array([0.0, 5.0]))


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
    with pytest.raises(TypeError):  # np.remainder has no rule, so the remedy is for outside the step
        wrapped(np.array([0, -1]))


# --- around a captured step -----------------------------------------------------------------------------------------


def test_steps_nest() -> None:
    inner = capture(lambda x: (w * x).sum())
    outer = capture(lambda x: inner(x) * 2)
    assert float(outer(ONES)) == -2
    assert count_of(inner) == 0


def test_blame_watches_the_step_itself() -> None:
    captured = capture(lambda x: np.log(w * x).sum())
    with np.errstate(invalid="ignore"):
        captured(ONES)
    with blame(), pytest.raises(NonFiniteError, match=r"np\.log gave nan"):
        captured(ONES)


def test_eager_runs_without_the_program() -> None:
    p = leaf(1, 2)

    def step(x: Any) -> Any:
        loss = (p * x).sum()
        assert float(loss) > 0  # which reads a value
        return loss

    captured = capture(step)
    loss = captured.eager(ONES)
    assert loss.requires_grad
    with pytest.raises(CaptureError):
        captured(ONES)


def test_methods_can_be_captured() -> None:
    @dataclass(frozen=True, eq=False)
    class Model:
        p: Tensor

        @capture
        def step(self, x: Any) -> Any:
            self.p.assign(self.p - grad((self.p * x).sum(), self.p))
            return self.p

    one, two = Model(leaf(1, 2)), Model(leaf(5, 6))
    for _ in range(2):
        one.step(ONES)
    two.step(ONES)
    assert_same([one.p.data, two.p.data], [[-1.0, 0.0], [4.0, 5.0]], "state")
    assert_same(flat(capture(lambda m, x: m.p * x)(one, ONES)), [[-1.0, 0.0]], "value")


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


def test_a_primitive_whose_body_gives_something_else_on_tensors_is_opaque() -> None:
    @primitive(lambda ct, out, x: ct)
    def sly(x: Any) -> Any:
        return x + 1 if isinstance(x, np.ndarray) else x + 2

    assert_same(flat(capture(lambda x: sly(w * x))(ONES)), [w.data + 1], "value")


def test_replay_from_several_threads() -> None:
    p = leaf(0, 0)

    def step(x: Any) -> Any:
        h = np.tanh(np.outer(x, x) @ np.ones((x.size, 2)))
        p.assign(p + 1)
        return h.sum(axis=0)

    captured = capture(step)
    inputs = [np.full(40, k / 10) for k in range(4)]
    expected = [flat(captured(x))[0] for x in inputs]
    wrong: list[int] = []

    def work(k: int) -> None:
        for _ in range(100):
            if not np.array_equal(flat(captured(inputs[k]))[0], expected[k]):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert_same([p.data], [[404.0, 404.0]], "no update is lost")


def test_replay_of_several_programs_from_several_threads_loses_no_update() -> None:
    p = leaf(0, 0)

    @primitive(lambda ct, out, x: ct)
    def slow(x: Any) -> Any:
        if not isinstance(x, np.ndarray):
            raise TypeError
        time.sleep(1e-4)  # between reading the state and writing it
        return x

    captured = capture(lambda x: p.assign(slow(p) + 1))
    sizes = (1, 2, 3)
    for n in sizes:
        captured(np.ones(n))

    def work(n: int) -> None:
        for _ in range(50):
            captured(np.ones(n))

    threads = [threading.Thread(target=work, args=(n,)) for n in sizes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_same([p.data], [[153.0, 153.0]], "state")


def test_capturing_in_one_thread_does_not_disturb_another() -> None:
    inside, done = threading.Event(), threading.Event()
    p = leaf(1, 2)

    def step(x: Any) -> Any:
        p.assign(p * 2)
        inside.set()
        done.wait(5)
        return p * x

    thread = threading.Thread(target=lambda: capture(step)(ONES))
    thread.start()
    inside.wait(5)
    assert_same([p.data], [[1.0, 2.0]], "the state is untouched while a step is captured")
    done.set()
    thread.join()
    assert_same([p.data], [[2.0, 4.0]], "and changed once it has run")


def test_a_step_that_is_dropped_takes_its_programs_along() -> None:
    p = leaf(1, 2)
    captured = capture(lambda x: (p * x).sum())
    captured(ONES)
    gone = weakref.ref(captured)
    del captured
    gc.collect()
    assert gone() is None


def test_the_first_call_gives_what_later_ones_give() -> None:
    rng = np.random.default_rng(0)
    X, y = spiral(20, generator=rng)
    nets = [TwoLayerNet.random(np.random.default_rng(5), hidden=7) for _ in range(2)]
    eager, captured = (descent(net) for net in nets)
    for _ in range(20):
        assert_same(flat(captured(X, y)), flat(eager.eager(X, y)), "loss")
    for a, b in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        assert_same([b.data], [a.data], "parameters")


# --- what a step reaches --------------------------------------------------------------------------------------------

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
def test_what_functions_reach_that_a_step_calls_is_honoured(
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


def test_objects_as_arguments_are_known_by_what_the_step_reads_of_them() -> None:
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


def test_bodies_and_rules_of_declared_primitives_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
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
@pytest.mark.parametrize("beside", ["alone", "beside the array"])
def test_what_bodies_and_rules_of_declared_primitives_read_is_honoured(name: str, beside: str) -> None:
    array, of, items = np.array([1.0, 2.0]), {"k": 2.0}, [3.0]
    declared = reading(array, of, items)[name]
    if beside == "alone":
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


def test_what_a_declared_primitive_reads_makes_other_arrays_no_contents_to_compare() -> None:
    table, data = np.array([1.0, 2.0]), np.ones(2)
    declared = primitive(lambda ct, out, x: ct * table)(lambda x: x * (2 * table))
    step = capture(lambda: grad((declared(w) * data).sum(), w))
    step()
    assert step._last is not None
    assert len(step._last.watched) == 1
    assert step._last.watched[0] is table


def test_arrays_among_parameters_of_declared_primitives_are_copied_anew_when_they_change() -> None:
    factors = np.array([1.0, 2.0])
    times = primitive(lambda ct, out, x, by: ct * by)(lambda x, by: x * by)
    step = capture(lambda x: times(w * x, by=factors) + factors * x)
    for _ in range(2):
        assert_same(flat(step(ONES)), flat(step.eager(Tensor(ONES))), "value")
        factors *= 3


def test_what_an_opaque_body_writes_down_makes_no_new_program() -> None:
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


def in_a_new_thread(function: Any) -> Any:
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join()
    return results[0]


POOL = ThreadPoolExecutor(1)
ELSEWHERE: dict[str, Any] = {
    "a new thread": in_a_new_thread,
    "a new pool": lambda function: next(ThreadPoolExecutor(1).map(lambda _: function(), [0])),
    "a pool of before": lambda function: POOL.submit(function).result(),
    "a context of its own": lambda function: contextvars.Context().run(function),
}


@pytest.mark.parametrize("way", ELSEWHERE)
def test_what_is_computed_in_other_threads_and_contexts_is_refused_or_warned_of(way: str) -> None:
    run = ELSEWHERE[way]
    run(lambda: None)
    with pytest.raises(CaptureError, match=r"test_capture.py:\d+: .* # the line\nwhat np.multiply gave"):
        capture(lambda x: run(lambda: w * 2) * x)(ONES)  # the line
    for lost in (lambda x: run(lambda: w * 2) * x, lambda x: run(lambda: w * 2), lambda x: [w, run(lambda: w > 0)]):
        with pytest.raises(
            CaptureError, match=r"what np\.\w+ gave, of shape \(2,\), was computed .* thread that calls"
        ):
            capture(lost)(ONES)
    with pytest.warns(UserWarning, match=r"<lambda> gave work to another thread, or to a context") as warned:
        capture(lambda x: run(lambda: x * 2) + w)(ONES)
    assert warned[0].filename == __file__


def test_a_copied_context_and_threads_of_a_declared_primitive_are_fine() -> None:
    copied = capture(lambda x: contextvars.copy_context().run(lambda: w * x))
    doubled = primitive(lambda ct, out, x: 2 * ct)(lambda x: in_a_new_thread(lambda: np.multiply(x, 2)))
    called = capture(lambda x: doubled(w * x))
    for k in (1.0, 3.0):
        assert_same(flat(copied(k * ONES)), [k * w.data], "copied context")
        assert_same(flat(called(k * ONES)), [2 * k * w.data], "declared")


def test_defaults_of_parameters_are_honoured() -> None:
    def step(x: Any, c: float = 2.0) -> Any:
        return x * c

    captured = capture(step)
    captured(ONES)
    step.__defaults__ = (3.0,)
    assert_same(flat(captured(ONES)), [3 * ONES], "value")


def test_what_a_step_does_not_read_makes_no_new_program() -> None:
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
    assert len(history) == 2  # it ran twice, while it was captured


def test_comparing_large_arrays_at_each_call_is_a_warning() -> None:
    large, rows = np.ones((2**17, 9)), np.arange(3)
    step = capture(lambda: (w * large[rows, 0].sum()).sum())
    with pytest.warns(UserWarning, match=r"<lambda> compares 9 MB of arrays from outside at each call") as warned:
        step()
    assert warned[0].filename == __file__
    large[0] = 2
    assert_same(flat(step()), [4 * np.sum(w.data)], "value")


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
def test_arrays_from_outside_are_read_at_each_call_in_the_backward_pass_too(name: str) -> None:
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


def test_many_programs_for_a_number_that_is_read_by_name_are_warned_of_once() -> None:
    class Counted:
        calls = 0

        def body(self, x: Any) -> Any:
            self.calls += 1
            return np.array([2.0 * float(entry) for entry in x])

        def rule(self, ct: Any, out: Any, x: Any) -> Any:
            return 2 * ct if self.calls else ct

    counted = Counted()
    doubled = primitive(counted.rule)(counted.body)
    step = capture(lambda x: (doubled(w * x), grad(np.sum(doubled(w * x)), w)))
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for _ in range(12):
            assert_same(flat(step(ONES)), [2 * w.data, 2 * ONES], "value")
    (warning,) = seen
    assert "has made 8 programs that differ only in 'calls', a number that it reads by name" in str(warning.message)
    assert warning.filename == __file__


def test_arrays_and_objects_in_parameters_of_declared_primitives() -> None:
    class Scale:
        by = 2.0

    held, array = Scale(), np.array([1.0, 1.0])
    scaled = primitive(lambda ct, out, x, c: ct * c[0].by)(lambda x, c: x * c[0].by)
    assert_same(flat(capture(lambda x: scaled(w * x, c=(held,)))(ONES)), [2 * w.data], "an object in a tuple")
    weighed = primitive(lambda ct, out, x, c: ct * c[-1])(lambda x, c: x * c[-1])
    for wrap in (lambda a: (a,), lambda a: (0, a), lambda a: [a]):
        step = capture(lambda x, wrap=wrap: (x * array, weighed(w * x, c=wrap(array))))
        for entry in (1.0, 5.0):
            array[0] = entry
            assert_same(flat(step(ONES)), [array, w.data * array], "an array in a container")


def test_a_captured_step_in_the_body_of_a_declared_primitive() -> None:
    inner = capture(lambda c: np.tanh(c))
    bent = primitive(lambda ct, out, x: ct * (1 - out * out))(lambda x: np.asarray(inner(x)))
    assert_same(flat(capture(lambda x: bent(w * x))(ONES)), [np.tanh(w.data)], "value")


def test_an_opaque_body_may_give_another_byte_order() -> None:
    swapped = primitive(lambda ct, out, x: ct)(lambda x: np.array([float(v) for v in x]).astype(">f8"))
    step = capture(lambda x: swapped(w * x))
    for k in (1.0, 2.0):
        assert_same(flat(step(k * ONES)), [k * w.data], "value")


def test_an_array_that_a_body_and_a_rule_read_as_it_is_needs_no_contents_compared() -> None:
    matrix = np.array([[1.0, 2.0], [3.0, 4.0]])
    product = primitive(lambda ct, out, x: matrix.T @ ct)(lambda x: matrix @ x)
    step = capture(lambda x: (product(w * x), grad(np.sum(product(w * x)), w)))
    for _ in range(3):
        assert_same(flat(step(ONES)), [matrix @ w.data, matrix.sum(axis=0)], "value")
        matrix *= 2
    assert step._last is not None
    assert step._last.watched == ()
    assert count_of(step) == 1
