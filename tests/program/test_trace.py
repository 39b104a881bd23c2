"""What a step may do while it is recorded. If it does anything else, an error names the line and a remedy."""

from __future__ import annotations

import contextlib
import contextvars
import importlib
import math
import signal
import statistics
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from captured import ONES, count_of, leaf
from programs import assert_same, flat

from autograd_spiral import CaptureError, Tensor, capture, grad, no_grad, primitive

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
        (lambda x: w * int((w * x).sum()), "int"),
        (lambda x: w * (w * x).sum().item(), "reading a value"),
        (lambda x: w * (w * x).data, "reading .data"),
        (lambda x: w * (w * x).numpy(), "reading a value"),
        (lambda x: w * (w * x).tolist(), "reading a value"),
        (lambda x: w * np.asarray(w), "np.asarray"),
        (lambda x: w * np.array([(w * x).sum()]), "np.array"),
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
        (_store, r"array\[index\] = value with a tensor"),
    ],
)
def test_operations_that_depend_on_values_are_refused_with_the_line_and_a_remedy(step: Any, word: str) -> None:
    with pytest.raises(CaptureError, match=word) as error:
        capture(step)(ONES)
    assert "test_trace.py:" in str(error.value)
    assert len(str(error.value).splitlines()[-1]) > 40  # the remedy
    assert_same([w.data], [[1.0, -2.0]], "the state")


TABLE = np.arange(4.0)


def _moving_mean(x: Any) -> Any:
    TABLE[:2] = 0.9 * TABLE[:2] + 0.1 * w * x
    return w


def _update(x: Any) -> Any:
    w.data -= 0.1 * x.detach()  # type: ignore[misc]
    return w


def _set(x: Any) -> Any:
    w.data = w - 0.1 * x  # type: ignore[misc]
    return w


LIST = r"would read the value of a tensor in a captured step"


@pytest.mark.parametrize(
    ("step", "act", "remedy"),
    [
        (lambda x: w + 0.9 * w.data, "reading .data", "compute with the tensor itself, without .data"),
        (lambda x: w * w.data.mean().item(), "reading .data", "t.detach() is a constant"),
        (lambda x: w * TABLE[int(w[0])], "int(…) of a tensor", "index a tensor, as in Tensor(X)[i]"),
        (lambda x: w[int(abs(w[1])) - 1], "int(…) of a tensor", "leave out int()"),
        (lambda x: sum(w[i] for i in range(w[0].astype(int))), "range(…) of a tensor", "pass a length or a count"),
        (lambda x: w * np.asarray(x), "np.asarray(…) of a tensor", "leave it out and compute with the tensor"),
        (lambda x: w * np.array([x[0], x[1]]), "np.array(…) of a tensor", "write np.stack([t, …]) for several tensors"),
        (lambda x: w * np.sum([x[0], x[1]]), f"np.sum of a list {LIST}", "pass np.stack([t, …]) instead of the list"),
        (lambda x: w * np.mean((x, x)), f"np.mean of a list {LIST}", "pass np.stack([t, …]) instead of the list"),
        (lambda x: w * np.full(2, x[0]), f"np.full {LIST}", "write np.broadcast_to(t, shape)"),
        (lambda x: w * np.linalg.matrix_rank([x]), f"np.linalg.matrix_rank of a list {LIST}", "np.stack([t, …])"),
        (lambda x: w * min(1.0, (w * x).sum()), "min(…) of a tensor", "write np.minimum(x, y)"),
        (lambda x: w * max((w * x)[0], 0.0), "max(…) of a tensor", "write np.maximum(x, y)"),
        (lambda x: w * math.exp(-(w * x).sum() / 10), "math.exp(…) of a tensor", "write np.exp(…)"),
        (lambda x: w * sqrt(2 + "·".count("·") * w[0]), "sqrt(…) of a tensor", "write np.sqrt(…)"),
        (lambda x: w * max((w * x).sum(), -9.0).item(), "max(…) of a tensor", "write np.maximum(x, y)"),
        (lambda x: w * max([w.sum()]).item(), "reading a value", "or run step.eager(…), which is not captured"),
        (lambda x: max(3, 2) * w.sum().item(), "reading a value", "or run step.eager(…), which is not captured"),
        (lambda x: w * np.maximum(w, 0.0).tolist(), "reading a value", "or run step.eager(…), which is not captured"),
        (lambda x: w if w[0] > max(0, 1) else x, "reading a value", "or run step.eager(…), which is not captured"),
        (lambda x: w * np.take(TABLE, w.astype(int)), "indexing a plain array", "index outside the step and pass X[i]"),
        (lambda x: w * TABLE.take(w.astype(int), 0), "indexing a plain array", "index outside the step and pass X[i]"),
        (_moving_mean, "array[index] = value with a tensor", "np.stack([t, …])"),
        (_moving_mean, "array[index] = value with a tensor", "write array.assign(…) in place of array[index] = …"),
    ],
)
def test_a_refusal_names_what_the_line_does_with_the_value_and_what_does_the_same_for_tensors(
    step: Any, act: str, remedy: str
) -> None:
    for _ in range(20):  # until Python has specialized the instructions
        with no_grad():
            step(Tensor(ONES))
    TABLE[:2] = [0.0, 1.0]
    with pytest.raises(CaptureError) as error:
        capture(step)(ONES)
    said = str(error.value).splitlines()[1]
    assert said.startswith(act)
    assert remedy in said


@pytest.mark.parametrize(("step", "act"), [(_update, "reading .data"), (_set, "setting .data")])
def test_an_update_of_data_says_assign(step: Any, act: str) -> None:
    with pytest.raises(CaptureError, match=rf"\n{act} is not possible .* write w\.assign\(w - 0\.1 \* dw\);"):
        capture(step)(ONES)


TABLES = """
import numpy as np
class Frame:
    __array_ufunc__ = None
    def __matmul__(self, other):
        return np.asarray(other)
def of_its_own(x):
    return [float(x[0])]
"""


def test_the_line_is_the_users_and_not_one_of_a_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site-packages" / "pandas").mkdir(parents=True)
    (tmp_path / "site-packages" / "pandas" / "__init__.py").write_text(TABLES)
    monkeypatch.syspath_prepend(tmp_path / "site-packages")
    monkeypatch.setitem(sys.modules, "pandas", None)  # so that what is imported here is gone afterwards
    del sys.modules["pandas"]
    pandas = importlib.import_module("pandas")
    frame = pandas.Frame()
    with pytest.raises(CaptureError, match=r"^.*test_trace\.py:\d+: capture\(lambda x: frame @ w\)\(ONES\)\n") as error:
        capture(lambda x: frame @ w)(ONES)
    assert str(error.value).splitlines()[1] == (
        "pandas would read the value of 'w' in a captured step, since it takes only arrays: write df.to_numpy() for a "
        "table that is used with a tensor, or t.data outside the step for the value alone"
    )
    with pytest.raises(CaptureError, match=r"test_trace\.py:\d+: capture\(lambda x: statistics"):
        capture(lambda x: statistics.fmean(x))(ONES)
    with pytest.raises(CaptureError, match=r"pandas/__init__\.py:8: return \[float\(x\[0\]\)\]\nreading a value"):
        capture(pandas.of_its_own)(ONES)  # a step of the library itself


def test_a_refusal_does_without_the_text_of_the_line() -> None:
    names: dict[str, Any] = {"w": w}
    exec(compile("def step(x):\n    return w * max(w[0], 0.0)", "<no such file>", "exec"), names)
    with pytest.raises(CaptureError, match=r"^<no such file>:2\nreading a value"):
        capture(names["step"])(ONES)


def test_a_rule_that_reads_a_value_is_refused_with_its_line() -> None:
    def storing(ct: Any, out: Any, x: Any) -> Any:
        piece = np.zeros(2)
        piece[0] = x[0]  # the line
        return piece

    @primitive(storing)
    def same(x: Any) -> Any:
        return x * 1

    with pytest.raises(CaptureError, match=r"piece\[0\] = x\[0\]  # the line\narray\[index\] = value"):
        capture(lambda x: grad((same(w) * x).sum(), w))(ONES)


def test_a_refusal_leaves_no_mode_behind() -> None:
    with pytest.raises(CaptureError):
        capture(_branch)(ONES)
    assert float(w.sum()) == -1


def test_what_the_message_on_indices_says_to_write_works() -> None:
    table = np.arange(6.0).reshape(3, 2)
    step = capture(lambda i: w * Tensor(table)[i])
    for i in (0, 2):
        assert_same([step(np.array(i)).data], [w.data * table[i]], "entries")
    assert count_of(step) == 1


def test_an_argument_by_value_cannot_be_assigned() -> None:
    def step(x: Any) -> Any:
        x.assign(x * 2)
        return x

    with pytest.raises(CaptureError, match="gets only its value"):
        capture(step)(ONES)


def test_a_leaf_that_is_an_argument_and_reached_by_name_cannot_be_assigned() -> None:
    state, other = Tensor(1.0), Tensor(5.0)

    def step(x: Any) -> Any:
        state.assign(state + 1)
        return x * 1

    refused = r"a captured step cannot assign\(\) to an argument .* gets only its value"
    with pytest.raises(CaptureError, match=rf"state.assign\(state \+ 1\)\n{refused}"):
        capture(step)(state)
    captured = capture(step)
    assert float(captured(other)) == 5
    with pytest.raises(CaptureError, match=rf"captured\(state\)  # a call of the same kind\n{refused}"):
        captured(state)  # a call of the same kind
    assert (float(state), float(captured(other)), float(state)) == (2, 5, 3)
    reading = capture(lambda x: x * state)
    assert float(reading(state)) == 9


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
def test_computing_in_other_threads_and_contexts_raises(way: str) -> None:
    run = ELSEWHERE[way]
    run(lambda: None)
    with pytest.raises(CaptureError, match=r"test_trace.py:\d+: .* # the line\nthe result of np.multiply"):
        capture(lambda x: run(lambda: w * 2) * x)(ONES)  # the line
    for lost in (lambda x: run(lambda: w * 2) * x, lambda x: run(lambda: w * 2), lambda x: [w, run(lambda: w > 0)]):
        with pytest.raises(
            CaptureError, match=r"the result of np\.\w+, of shape \(2,\), was computed .* thread that calls"
        ):
            capture(lost)(ONES)
    step = capture(lambda x: run(lambda: x * 2) + w)  # which leaves no trace, but a constant in the program
    assert_same(flat(step(ONES)), [2 + w.data], "value")
    with pytest.raises(CaptureError, match=r"a constant of np.add was \[2. 2.\] when .*, and \[6. 6.\] at call 2"):
        step(3 * ONES)


def test_a_copied_context_and_threads_of_a_declared_primitive_are_fine() -> None:
    copied = capture(lambda x: contextvars.copy_context().run(lambda: w * x))
    doubled = primitive(lambda ct, out, x: 2 * ct)(lambda x: in_a_new_thread(lambda: np.multiply(x, 2)))
    called = capture(lambda x: doubled(w * x))
    for k in (1.0, 3.0):
        assert_same(flat(copied(k * ONES)), [k * w.data], "copied context")
        assert_same(flat(called(k * ONES)), [2 * k * w.data], "declared")


def _swallowing(x: Any) -> Any:
    try:
        scale = float((w * x).sum())
    except Exception:
        scale = 1.0
    return w * scale


def _swallowing_everything(x: Any) -> Any:
    with contextlib.suppress(BaseException):
        w.backward()
    return w * x


@pytest.mark.parametrize(
    ("step", "word"), [(_swallowing, "reading a value"), (_swallowing_everything, r"backward\(\)")]
)
def test_a_refusal_that_the_step_catches_is_raised_all_the_same(step: Any, word: str) -> None:
    captured = capture(step)
    for _ in range(2):
        with pytest.raises(CaptureError, match=rf"test_trace.py:\d+: .*\n{word} is not possible"):
            captured(ONES)
    assert count_of(captured) == 0


class _Rebinding:
    def __init__(self) -> None:
        self.w, self.parts, self.named = leaf(name="w"), [leaf()], {"b": leaf()}

    def attribute(self, x: Any) -> Any:
        self.w = self.w - 0.1 * grad((self.w * x).sum(), self.w)
        return self.w

    def item(self, x: Any) -> Any:
        self.parts[0] = self.parts[0] * x
        return self.parts[0]

    def value(self, x: Any) -> Any:
        self.named["b"] = self.named["b"] * x
        return self.named["b"]


@pytest.mark.parametrize(("way", "name"), [("attribute", "w"), ("item", "parts[0]"), ("value", "named['b']")])
def test_a_step_that_binds_a_new_tensor_to_the_name_of_a_leaf_is_told_to_assign(way: str, name: str) -> None:
    step = getattr(_Rebinding(), way)
    with pytest.raises(CaptureError) as error:
        capture(step)(ONES)
    assert f"binds {name!r}, which was a leaf, to a new tensor" in str(error.value)
    assert f"write {name}.assign(…) in place of {name} = …" in str(error.value)


def test_a_leaf_that_a_step_replaces_is_named_as_the_user_writes_it() -> None:
    model = _Rebinding()

    def attribute(x: Any) -> Any:
        model.w = model.w * x
        return model.w

    def the_whole_list(x: Any) -> Any:
        model.parts = [part * x for part in model.parts]
        return model.parts[0]

    for step, name in ((attribute, "model.w"), (the_whole_list, "model.parts[0]")):
        with pytest.raises(CaptureError) as error:
            capture(step)(ONES)
        assert f"write {name}.assign(…) in place of {name} = …" in str(error.value)


class _Keeping:
    def __init__(self, mean: Any) -> None:
        self.mean, self.means = mean, {"w": mean}

    def attribute(self, x: Any) -> Any:
        self.mean = 0.9 * self.mean + 0.1 * w
        return w * x

    def detached(self, x: Any) -> Any:
        self.mean = 0.9 * self.mean + 0.1 * w.detach()
        return w * x

    def detached_at_the_end(self, x: Any) -> Any:
        self.mean = (0.9 * self.mean + 0.1 * w).detach()
        return w * x

    def argument(self, x: Any) -> Any:
        change, self.mean = x - self.mean, x
        return w * change

    def copied(self, x: Any) -> Any:
        change = self.means["w"] * x
        self.means["w"] = w.detach()
        return w * change

    def value(self, x: Any) -> Any:
        for key in self.means:
            self.means[key] = 0.9 * self.means[key] + 0.1 * w
        return w * x


@pytest.mark.parametrize(("old", "was"), [(np.zeros(2), "an array"), (0.0, "a number"), (Tensor([0.0, 0.0]), "a leaf")])
@pytest.mark.parametrize("way", [name for name in vars(_Keeping) if not name.startswith("_")])
def test_a_step_that_keeps_a_tensor_for_its_next_call_is_told_to_assign_it(old: Any, was: str, way: str) -> None:
    keeping = _Keeping(old)
    name = "means['w']" if way in ("copied", "value") else "mean"
    with pytest.raises(CaptureError) as error:
        capture(getattr(keeping, way))(ONES)
    *lines, said = str(error.value).split("\n")
    computed = was != "a leaf" or way not in ("argument", "copied")  # or read, which has a line, too
    assert ["test_trace.py:" in line for line in lines] == [True] * computed
    assert said.startswith(f"{way} binds {name!r}, which was {was}, to a new tensor. A program would not do that")
    assert ("make it a Tensor before the first call" in said) is (was != "a leaf")
    assert said.endswith(f"write {name}.assign(…) in place of {name} = …")


def test_a_result_that_is_kept_among_very_many_is_refused_at_the_line_that_reads_it() -> None:
    means = dict.fromkeys(range(1000), 0.0)

    def step(x: Any) -> Any:
        means[0] = 0.9 * means[0] + 0.1 * w
        return w * x

    with pytest.raises(CaptureError, match=r"means\[0\] = .*\n.* by an earlier run .* in a Tensor that it assigns$"):
        capture(step)(ONES)


def test_a_moving_mean_in_a_tensor_is_what_a_step_on_arrays_keeps() -> None:
    means, expected = {"w": Tensor([0.0, 0.0])}, np.zeros(2)

    @capture
    def step(x: Any) -> Any:
        means["w"].assign(0.9 * means["w"] + 0.1 * w * x)
        return w * x

    for i in range(4):
        step(ONES * i)
        expected = 0.9 * expected + 0.1 * w.data * i
        assert_same([means["w"].data], [expected], "mean")


def test_a_step_may_keep_tensors_under_the_names_of_leaves_elsewhere() -> None:
    params, kept = {"W": leaf()}, {"W": None}

    @capture
    def step(x: Any) -> Any:
        kept["W"] = grad((params["W"] * x).sum(), params["W"])
        return kept["W"] * 1.0

    with pytest.warns(UserWarning, match="'kept' holds a tensor"):
        assert_same([step(ONES).data], [ONES], "value")


mean: Any = None


def test_a_step_may_bind_a_global_that_has_the_name_of_a_leaf_elsewhere() -> None:
    class Model:
        def __init__(self) -> None:
            self.mean = leaf()

        def step(self, x: Any) -> Any:
            global mean
            mean = w * x
            return mean * self.mean

    with pytest.warns(UserWarning, match="'mean' holds a tensor"):
        assert_same([capture(Model().step)(ONES).data], [w.data**2], "value")


def test_a_step_that_a_signal_handler_calls_while_it_is_recorded_is_not_recorded_with_it() -> None:
    results: list[float] = []
    step = capture(lambda x: slow((w * x).sum()))
    other = capture(lambda x: (w * x).sum())

    def handler(*_: Any) -> None:
        results.append(float(other(ONES)))

    def slow(total: Any) -> Any:
        signal.raise_signal(signal.SIGUSR1)
        return total * 2.0

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        for _ in range(4):
            assert float(step(ONES)) == -2
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert results == [-1.0] * 4  # twice in the first call, and in the second and fourth
    assert [equation.primitive.name for equation in step.program.equations] == ["np.multiply", "np.sum", "np.multiply"]
