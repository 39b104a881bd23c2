"""Captured steps as functions and methods: calling, nesting, copying, dropping."""

from __future__ import annotations

import copy
import gc
import pickle
import re
import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from captured import ONES, count_of, leaf
from programs import assert_same, flat

from autograd_spiral import CaptureError, Tensor, backward_source, blame, capture, draw, grad, primitive, value_and_grad
from autograd_spiral.errors import GradientError, NonFiniteError
from autograd_spiral.program.executor import interpret
from autograd_spiral.spiral import TwoLayerNet, descent, spiral

w = leaf(name="w")


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
    with pytest.raises(CaptureError, match="the programs of a method belong to its objects"):
        _Model.step.program  # noqa: B018
    assert model.step.source.startswith("import numpy")
    assert "<B>w</B>" in draw(model.step).source
    assert repr(model.step) == "<captured step step, 1 program, of a _Model>"


def test_capture_is_a_decorator_with_and_without_parentheses() -> None:
    @capture
    def plain(x: Any) -> Any:
        return w * x

    @capture()
    def called(x: Any) -> Any:
        return w * x

    @capture(executor=interpret)
    def interpreted(x: Any) -> Any:
        return w * x

    for step in (plain, called, interpreted, capture(plain.eager, executor=interpret)):
        assert_same([step(ONES).data], [w.data], "value")
    assert repr(interpreted) == "<captured step interpreted, 1 program>"


@pytest.mark.parametrize("step", [3, "replay", np.ones(2)])
def test_capture_takes_functions(step: Any) -> None:
    with pytest.raises(TypeError, match=f"capture takes a function, not {type(step).__name__}"):
        capture(step)
    with pytest.raises(TypeError, match="capture takes a function"):
        capture(executor=interpret)(step)


@pytest.mark.parametrize("executor", [0, 3, "replay", np])
def test_capture_says_what_an_executor_is(executor: Any) -> None:
    for make in (lambda: capture(lambda x: x, executor=executor), lambda: capture(executor=executor)(lambda x: x)):
        with pytest.raises(TypeError, match="executor must be a function from a program to a Run, such as interpret"):
            make()


def test_there_is_no_program_before_the_first_call() -> None:
    step = capture(lambda x: w * x)
    with pytest.raises(CaptureError, match="call it first"):
        step.program  # noqa: B018


def test_the_program_for_a_call_is_there_before_the_call_and_changes_nothing() -> None:
    state = leaf(3.0, name="state")

    @capture
    def step(x: Any, scale: Any) -> Tensor:
        state.assign(state * np.sum(x) * scale)
        return state * 1

    program, arrays = step.program_for(ONES, scale=np.array(2.0))
    assert [array.tolist() for array in arrays] == [[1.0, 1.0], 2.0]
    assert state.data.tolist() == [3.0]
    step(ONES, scale=np.array(2.0))
    assert step.program is program
    assert (count_of(step), state.data.tolist()) == (1, [12.0])
    other, _ = step.program_for(np.ones(5), scale=np.array(2.0))
    assert other is not program


def test_captured_steps_are_copied_and_pickled_as_functions_are() -> None:
    assert copy.deepcopy(module_step) is module_step
    assert pickle.loads(pickle.dumps(module_step)) is module_step


@capture
def module_step(x: Any) -> Any:
    return x * 2


def test_steps_nest() -> None:
    inner = capture(lambda x: (w * x).sum())
    outer = capture(lambda x: inner(x) * 2)
    assert float(outer(ONES)) == -2
    assert count_of(inner) == 0


def test_blame_watches_the_step_itself() -> None:
    captured = capture(lambda x: np.log(w * x).sum())
    with np.errstate(invalid="ignore"):
        captured(ONES)
    with blame(), pytest.raises(NonFiniteError, match=r"np\.log returned nan"):
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


def test_a_step_that_is_dropped_takes_its_programs_along() -> None:
    p = leaf(1, 2)
    captured = capture(lambda x: (p * x).sum())
    captured(ONES)
    gone = weakref.ref(captured)
    del captured
    gc.collect()
    assert gone() is None


def test_every_call_returns_what_the_eager_step_does() -> None:
    rng = np.random.default_rng(0)
    X, y = spiral(20, generator=rng)
    nets = [TwoLayerNet.random(np.random.default_rng(5), hidden=7) for _ in range(2)]
    eager, captured = (descent(net) for net in nets)
    for _ in range(20):
        assert_same(flat(captured(X, y)), flat(eager.eager(X, y)), "loss")
    for a, b in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        assert_same([b.data], [a.data], "parameters")


def test_a_captured_step_in_the_body_of_a_declared_primitive() -> None:
    inner = capture(lambda c: np.tanh(c))
    bent = primitive(lambda ct, out, x: ct * (1 - out * out))(lambda x: np.asarray(inner(x)))
    assert_same(flat(capture(lambda x: bent(w * x))(ONES)), [np.tanh(w.data)], "value")


def test_programs_are_forgotten_when_there_are_many() -> None:
    step = capture(lambda x, c: w * x * c)
    with pytest.warns(UserWarning, match="'c'"):
        _ = [step(ONES, c) for c in range(80)]
    assert count_of(step) == 64
    assert_same(flat(step(ONES, 0)), [np.zeros(2)], "value")


def test_a_program_that_is_used_is_kept() -> None:
    step = capture(lambda x, c: w * x * c)
    step(ONES, 0.5)
    first = step.program
    with pytest.warns(UserWarning, match="'c'"):
        _ = [(step(ONES, c), step(ONES, 0.5)) for c in range(70)]
    assert step.program is first
    assert count_of(step) == 64


def test_notebooks_show_a_step_with_its_text_and_a_program_in_one_line() -> None:
    p = leaf(1, 2, name="p")

    @capture
    def step(x: Any) -> Any:
        p.assign(p - grad((p * x * x).sum(), p))
        return p.sum(), x * x

    assert step._repr_markdown_() == "`<captured step step, 0 programs>`"
    step(ONES)
    shown = step.source._repr_markdown_()  # type: ignore[attr-defined]
    assert shown == f"```python\n{step.source.rstrip()}\n```"
    assert step._repr_markdown_() == f"`<captured step step, 1 program>`\n\n{shown}"
    assert re.fullmatch(r"<program step\(x, p\): \d+ equations, 2 outputs, 1 new state>", repr(step.program))
    text = backward_source((p * p).sum(), p)
    assert text._repr_markdown_().startswith("```python\nimport numpy as np")  # type: ignore[attr-defined]


def test_notebooks_show_a_step_without_a_text_in_one_line() -> None:
    @primitive(lambda ct, out, x: ct)
    def opaque(x: Any) -> Any:
        return x * float(x[0])

    step = capture(lambda x: opaque(x * w))
    step(ONES)
    assert step._repr_markdown_() == "`<captured step <lambda>, 1 program>`"


@pytest.mark.parametrize(
    ("keyword", "message"),
    [
        ("static_argnums", "leave it out, since numbers and strings are constants already"),
        ("donate_argnums", "leave it out, since a program computes in buffers"),
        ("input_signature", "leave it out, since each combination of shapes and dtypes gets a program"),
        ("fullgraph", "leave it out, since a step is always recorded as a whole"),
        ("backend", "write executor=xla()"),
    ],
)
def test_keywords_of_other_libraries_say_what_to_write(keyword: str, message: str) -> None:
    for arguments in ((np.sin,), ()):
        with pytest.raises(TypeError, match=rf"^capture\(\) got .* {keyword!r}: {re.escape(message)}"):
            capture(*arguments, **{keyword: 1})  # type: ignore[call-overload]


def test_parameters_that_a_step_returned_say_how_to_pass_them_again() -> None:
    def loss_of(net: Any, x: Any) -> Any:
        return np.square(net["W"] - x).sum()

    def by_grad(net: Any, x: Any) -> Any:
        return {"W": net["W"] - 0.25 * grad(loss_of(net, x), net)["W"]}

    def by_value_and_grad(net: Any, x: Any) -> Any:
        return {"W": net["W"] - 0.25 * value_and_grad(loss_of)(net, x)[1]["W"]}

    step, net = capture(by_grad), {"W": leaf(1.0, 3.0)}
    net = step(net, ONES)
    with pytest.raises(GradientError) as error:
        step(net, ONES)
    assert str(error.value) == (
        "grad: input 'W' does not require gradients; make it with requires_grad=True. Results of a captured step never "
        "require gradients: to pass them to the step again, write value_and_grad(f)(parameters) in the step, or keep "
        "the parameters outside and update them as in W.assign(W - 0.1 * dW)"
    )
    with pytest.raises(GradientError, match=r"make it with requires_grad=True$"):
        by_grad(net, ONES)  # not in a captured step
    step = capture(by_value_and_grad)
    assert_same(flat(step(step(net, ONES), ONES)["W"]), [[1.0, 1.25]], "the parameters after three updates")
