"""Saved programs: their state, the loop that continues from it, and the checks of their arguments."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from captured import leaf
from programs import assert_same, executed, flat

from autograd_spiral import Tensor, capture, grad, softmax, softmax_cross_entropy
from autograd_spiral.errors import LabelError
from autograd_spiral.spiral import TwoLayerNet, descent, spiral

X, Y = spiral(20, generator=np.random.default_rng(0))


def loop_at_the_head(text: str) -> str:
    """The code in the comment that a saved program begins with."""
    comment = itertools.takewhile(lambda line: line.startswith("#"), text.splitlines())
    return "\n".join(line[6:] for line in comment if line.startswith("#     "))


def go_on(path: Path, batches: Sequence[Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run the loop at the head of a saved program over `batches`; its variables."""
    monkeypatch.chdir(path.parent)
    monkeypatch.syspath_prepend(str(path.parent))
    scope: dict[str, Any] = {"batches": batches}
    sys.modules.pop(path.stem, None)
    exec(loop_at_the_head(path.read_text()), scope)
    sys.modules.pop(path.stem, None)
    return scope


def momentum(order: str) -> tuple[Any, dict[str, Tensor]]:
    """A step with two arrays of one shape, updated in the order of the letters, and two that it only reads."""
    leaves = {
        "W": leaf(1, 2, name="W"),
        "v": leaf(0, 0, name="v"),
        "s": leaf(3, 4, name="s"),
        "r": Tensor(0.1, name="r"),
    }

    @capture
    def step(x: Any) -> Any:
        W, v, s, r = leaves.values()
        loss = np.sum((W - x) ** 2 * s)
        new = {"v": 0.9 * v + grad(loss, W)}
        new["W"] = W - r * new["v"]
        for name in order:
            leaves[name].assign(new[name])
        return loss

    return step, leaves


# --- the order of the state -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["Wv", "vW"])
def test_the_new_state_comes_back_in_the_order_in_which_it_is_passed(order: str) -> None:
    step, leaves = momentum(order)
    x, state = np.array([0.5, -1.0]), [leaves["W"].data, leaves["v"].data]
    step(x)
    assert "def step(x, W, v, s, r):" in step.source or "def step(x, W, v, r, s):" in step.source
    function, fixed = executed(step.source), {name: leaves[name].data for name in "sr"}
    loss, *state = function(x, *state, **fixed)
    for _ in range(5):
        expected = step(x)
        loss, *state = function(x, *state, **fixed)
        assert_same([loss, *state], [expected.data, leaves["W"].data, leaves["v"].data], "trained")


@pytest.mark.parametrize("order", ["Wv", "vW"])
def test_state_that_is_only_read_is_passed_after_what_comes_back(order: str) -> None:
    step, _ = momentum(order)
    x = np.array([0.5, -1.0])
    step(x)
    (doc,) = re.findall(r'^    """(.*)"""', step.source, re.M)
    assert doc in (
        "Return loss and the new W, v; s, r stay as given.",
        "Return loss and the new W, v; r, s stay as given.",
    )
    state = [tensor.data for tensor in step.program.leaves]
    function = executed(step.source)
    _, *state = function(x, *state)
    with pytest.raises(TypeError, match="missing 2 required positional arguments"):
        function(x, *state)  # rather than s in the place of W


@pytest.mark.parametrize("names", [*itertools.permutations("abc")])
def test_any_order_of_assignments_gives_the_order_of_the_arguments(names: Any) -> None:
    leaves = {name: leaf(i, -i, name=name) for i, name in enumerate("abcd")}

    @capture
    def step(x: Any) -> Any:
        total = sum(np.sum(w * x * (i + 1)) for i, w in enumerate(leaves.values()))
        for name in names:
            leaves[name].assign(leaves[name] * ord(name) + x)
        return total

    before = {name: w.data for name, w in leaves.items()}
    step(np.ones(2))
    program = step.program
    assert [state for state, _ in program.updates] == list(program.state[:3])
    assert "def step(x, a, b, c, d):" in step.source
    assert "return total, a, b, c" in step.source
    assert_same(executed(step.source)(np.ones(2), **before)[1:], [leaves[name].data for name in "abc"], "state")


def test_an_executor_gets_state_in_the_order_of_the_new_state() -> None:
    step, _ = momentum("vW")
    step(np.ones(2))
    assert [tensor.name for tensor in step.program.leaves][:2] == ["W", "v"]
    assert [step.program.call(state) for state, _ in step.program.updates] == ["W", "v"]


# --- the present state and the loop ---------------------------------------------------------------------------------


def test_a_saved_step_goes_on_where_it_stood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = TwoLayerNet.random(np.random.default_rng(1), hidden=5)
    step = descent(model)
    for _ in range(3):
        step(X, Y)
    path = step.program.save(tmp_path / "saved_step.py")
    assert set(np.load(tmp_path / "saved_step.npz")) == {"W1", "b1", "W2", "b2"}
    found = go_on(path, [(X, Y)] * 4, monkeypatch)
    for _ in range(4):
        loss = step(X, Y)
    assert_same([found["loss"], *found["state"]], [loss.data, *(p.data for p in model.parameters())], "went on")
    assert "for X, y in batches:  # X (60, 2), y (60,) int64\n" in path.read_text()


@pytest.mark.parametrize("order", ["Wv", "vW"])
def test_what_a_step_only_reads_is_saved_too(order: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step, leaves = momentum(order)
    x = np.array([0.5, -1.0])
    step(x)
    found = go_on(step.program.save(tmp_path / "m.py"), [x], monkeypatch)
    step(x)
    assert_same(found["state"], [leaves["W"].data, leaves["v"].data], "went on")


def saved_forms() -> dict[str, Any]:
    w, v, large = leaf(1, 2, name="w"), leaf(3, 4, name="v"), np.sin(np.arange(100.0))

    def update(*tensors: Tensor) -> None:
        for tensor in tensors:
            tensor.assign(tensor * 2.0)

    return {
        "nothing": lambda: None,
        "a number": lambda x: np.sum(x),
        "two results": lambda x: (np.sum(x), np.exp(x)),
        "one result twice, and an input": lambda x: [*(np.exp(x),) * 2, x],
        "state that is only read": lambda x: np.sum(w * x),
        "one new state": lambda: update(w),
        "two new states": lambda: update(w, v),
        "a new state as a result": lambda x: (update(w), w)[1],
        "a large constant": lambda x: np.sum(x) + large,
        "everything": lambda x, y: (update(w), np.sum(w * x + y * v) + large)[1],
        "names of the loop": lambda state, saved: (update(w), (np.sum(state) + np.sum(saved)).named("batches"))[1],
    }


@pytest.mark.parametrize("form", saved_forms())
def test_the_loop_fits_any_arguments_and_results(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    function = saved_forms()[form]
    step, count = capture(function), function.__code__.co_argcount
    arrays = [np.array([0.5, 2.0])] * count
    step(*arrays)
    path = step.program.save(tmp_path / "form.py")
    code = loop_at_the_head(path.read_text())
    (name,) = re.findall(r" in (batches\w*):", code) or ["_"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    scope: dict[str, Any] = {name: [arrays[0] if count == 1 else arrays] * 2}
    exec(code.replace("range(100)", "range(2)"), scope)
    sys.modules.pop("form", None)
    step(*arrays)
    results = step(*arrays)
    state = next((scope[n] for n in ("state", "state_2") if isinstance(scope.get(n), list | tuple)), [])
    assert_same(state, [tensor.data for tensor in step.program.leaves[: len(step.program.updates)]], "new state")
    if form == "everything":
        assert_same([scope["t1"]], flat(results), "result")  # as in the text


def test_a_program_of_arguments_alone_is_saved_in_one_file(tmp_path: Path) -> None:
    step = capture(lambda x: 2 * x)
    step(np.ones(3))
    step.program.save(tmp_path / "step.py")
    assert os.listdir(tmp_path) == ["step.py"]


NUMPY_ALONE = """
import sys, numpy as np, saved_step
inputs, expected = (list(np.load(f).values()) for f in ("inputs.npz", "expected.npz"))
results = saved_step.step(*inputs)
for a, b in zip(results, expected, strict=True): np.testing.assert_allclose(a, b, atol=1e-13)
assert not any("spiral" in name for name in sys.modules)
"""


def test_a_saved_program_runs_where_there_is_only_numpy(tmp_path: Path) -> None:
    model = TwoLayerNet.random(np.random.default_rng(1), hidden=5)
    step = descent(model)
    before = [p.data for p in model.parameters()]
    expected = [flat(step(X, Y))[0], *(p.data for p in model.parameters())]
    path = step.program.save(tmp_path / "saved_step.py")
    assert path == tmp_path / "saved_step.py"
    assert "autograd" not in path.read_text()
    np.savez(tmp_path / "inputs.npz", *[X, Y, *before])
    np.savez(tmp_path / "expected.npz", *expected)
    subprocess.run([sys.executable, "-c", NUMPY_ALONE], cwd=tmp_path, check=True)


def test_saving_adds_to_the_source_and_leaves_its_lines_as_they_are(tmp_path: Path) -> None:
    step = descent(TwoLayerNet.random(np.random.default_rng(1), hidden=5))
    step(X, Y)
    text = step.program.save(tmp_path / "step.py").read_text()
    head, body = step.source.split("    # forward\n")
    assert text.endswith("    # forward\n" + body)
    assert head.splitlines()[-2:] == text.split("    # checks\n")[0].splitlines()[-2:]  # def, and what it returns
    assert "check_" not in step.source


def test_large_constants_are_saved_beside_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = capture(lambda x: x @ (np.sin(np.arange(100.0)).reshape(10, 10) * 1.0))
    expected = flat(step(np.ones(10)))
    folder = tmp_path / "missing" / "folder"  # which is made
    path = step.program.save(folder / "step.py")
    constants = dict(np.load(folder / "step.npz"))
    assert_same([executed(path.read_text())(np.ones(10), **constants)], expected, "executed")
    assert_same([go_on(path, [np.ones(10)], monkeypatch)["t1"]], expected, "the loop")


@pytest.mark.skipif(os.name == "nt", reason="file names on Windows have no line ends, quotes or colons")
@pytest.mark.parametrize(
    "stem", ["x\nraise SystemExit\n#", "a'b", 'a"b', "\\", "class", "ﬁ", "2 steps", "\u2028x", "a.b"]
)
def test_the_name_of_the_file_is_never_code(stem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    w = leaf(1, 2, name="w")
    large = np.sin(np.arange(100.0))

    @capture
    def step(x: Any) -> Any:
        w.assign(w + x)
        return np.sum(large) * x

    step(np.ones(2))
    path = step.program.save(tmp_path / f"{stem}.py")
    executed(path.read_text())
    assert_same(go_on(path, [np.ones(2)], monkeypatch)["state"], [[3.0, 4.0]], "went on")


@pytest.mark.parametrize("name", ["s", "step.txt", "step.npz"])
def test_a_program_is_saved_as_python_alone(name: str, tmp_path: Path) -> None:
    step = capture(lambda x: 2 * x)
    step(np.ones(3))
    with pytest.raises(ValueError, match=re.escape(f"the suffix must be .py, not as in {name!r}")):
        step.program.save(tmp_path / "new" / name)
    assert not (tmp_path / "new").exists()


# --- checks ---------------------------------------------------------------------------------------------------------


def saved(step: Any, folder: Path) -> Any:
    """The function of a step that is saved."""
    return executed(step.program.save(folder / "step.py").read_text())


def test_labels_and_shapes_are_checked_by_the_saved_step(tmp_path: Path) -> None:
    model = TwoLayerNet.random(np.random.default_rng(1), hidden=5)
    step = descent(model)
    step(X, Y)
    function, state = saved(step, tmp_path), [p.data for p in model.parameters()]
    function(X, Y, *state)
    for bad in (3, -1, 99):
        y = np.where(np.arange(60) == 7, bad, Y)
        with pytest.raises(ValueError, match=f"^the label at row 7 is {bad}, but 3 classes are numbered 0 to 2$"):
            function(X, y, *state)
        with pytest.raises(LabelError, match=f"^the label at row 7 is {bad}, but 3 classes are numbered 0 to 2"):
            step(X, y)
    for name, args in {
        "X": (X[:5], Y, *state),
        "y": (X, Y[:, None], *state),
        "W1": (X, Y, state[0].T, *state[1:]),
        "b2": (X, Y, *state[:3], state[3].astype(np.float32)),
    }.items():
        with pytest.raises(ValueError, match=f"^{name} must be an array of shape "):
            function(*args)


def test_labels_that_the_step_computes_are_checked_where_they_are_known(tmp_path: Path) -> None:
    w = leaf(*range(6), name="w")
    step = capture(lambda y: grad(softmax_cross_entropy(w.reshape(2, 3), y - 1), w))
    step(np.array([1, 3]))
    function = saved(step, tmp_path)
    function(np.array([1, 3]), w.data)
    with pytest.raises(ValueError, match="the label at row 1 is 3, but 3 classes"):
        function(np.array([1, 4]), w.data)


def test_picked_entries_and_probabilities_are_checked(tmp_path: Path) -> None:
    w = leaf(*range(6), name="w")
    pick = capture(lambda rows: grad(softmax(w.reshape(2, 3))[np.arange(2), rows].sum(), w))
    pick(np.array([0, 2]))
    with pytest.raises(ValueError, match="entry -1 is out of range in row 1"):
        saved(pick, tmp_path)(np.array([0, -1]), w.data)
    soft = capture(lambda p: softmax_cross_entropy(w.reshape(2, 3), p))
    soft(np.full((2, 3), 1 / 3))
    with pytest.raises(ValueError, match=re.escape("but row 1 is [0.5, 0.5, 0.5]")):
        saved(soft, tmp_path)(np.array([[1.0, 0, 0], [0.5, 0.5, 0.5]]), w.data)


def test_labels_from_outside_are_constants_of_the_text(tmp_path: Path) -> None:
    w, few, many = leaf(*range(120), name="w"), np.array([0, 2, 1]), np.arange(40) % 3
    step = capture(
        lambda: softmax_cross_entropy(w[:9].reshape(3, 3), few) + softmax_cross_entropy(w.reshape(40, 3), many)
    )
    expected = flat(step())
    function = saved(step, tmp_path)
    (constant,) = step.program.constants
    assert_same([function(w.data, **step.program.constants)], expected, "executed")
    with pytest.raises(ValueError, match="the label at row 0 is 5"):
        function(w.data, **{constant: many + 5})
