"""Names in a text differ from each other (also as Python reads them) and from Python's and NumPy's names."""

from __future__ import annotations

import builtins
import keyword
import unicodedata
from typing import Any

import numpy as np
import pytest
from captured import leaf
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import assert_same, executed, flat

from autograd_spiral import Tensor, capture, gelu, grad, softmax_cross_entropy
from autograd_spiral.program.printing.names import RESERVED, function_name, identifier, unique

KEYWORDS = [*keyword.kwlist, *keyword.softkwlist]
OF_TEXTS = [*RESERVED, "t1", "t2", "out1", "x1", "w1", "constant", "new_W", "dW", "step", "saved", "state", "batches"]
TWINS = ["ﬁ", "fi", "ﬁnally", "x₂", "x2", "é", "e\u0301", "ª", "a", "µ", "μ", "𝐱", "x", "ſ", "s", "ŉ"]
MISFITS = ["", "_", "__", "2d", "a b", "a\nb", '"""', "'", "#", "\\", "\x00", "\ud800", "\u2028", "⑴", "·", "…", "̈"]
DUNDERS = ["__debug__", "__name__", "__builtins__", "__class__", "__getattr__", "__path__", "__import__", "__spec__"]
NAMES = st.sampled_from([*KEYWORDS, *dir(builtins), *OF_TEXTS, *TWINS, *MISFITS, *DUNDERS]) | st.text(max_size=3)


@given(NAMES)
def test_any_text_becomes_an_identifier_that_python_reads_as_it_stands(text: str) -> None:
    name = identifier(text)
    scope: dict[str, Any] = {}
    exec(f"def f():\n    {name} = 1", scope)
    assert scope["f"].__code__.co_varnames == (name,)
    assert unicodedata.normalize("NFKC", name) == name
    assert identifier(name) == name


@given(st.lists(NAMES, max_size=8))
def test_names_are_unique(texts: list[str]) -> None:
    taken = {"x"}
    names = [unique(identifier(text), taken) for text in texts]
    assert len({*names, "x"}) == len(texts) + 1


@given(NAMES)
def test_a_function_is_called_as_the_step_is_where_that_hides_nothing(text: str) -> None:
    name = function_name(text)
    assert name not in RESERVED
    assert not (name.startswith("__") and name.endswith("__"))
    assert function_name(name) == name
    if text.isidentifier() and text == identifier(text) and text not in RESERVED and not text.startswith("__"):
        assert name == text


def step_of(names: list[str], dtype: Any = float) -> tuple[Any, list[Tensor]]:
    """A step that calls all helpers, whose state and values have these names."""
    p, q = (
        Tensor(np.array(v, dtype), requires_grad=True, name=n) for v, n in (([0.5, 2, -1], names[0]), (3, names[1]))
    )

    def step(X: Any, y: Any) -> Any:
        t1 = (X * p).named(names[2])
        picked = (gelu(t1)[np.array([0, 0, 1])] * q).named(names[3])
        loss = (softmax_cross_entropy(picked, y) + np.sum(t1[:, ::2])).named(names[4])
        dp, dq = grad(loss, [p, q])
        q.assign(q - 0.5 * dq)
        p.assign(p - 0.5 * dp * np.linspace(0, 1, 40)[:3])
        return loss, t1, p, (t1 > 0).astype(bool)

    return step, [p, q]


X, Y = np.random.default_rng(0).standard_normal((3, 3)), np.array([0, 2, 1])


def check(step: Any, leaves: list[Tensor]) -> Any:
    """The text of a step gives what the step gives; the captured step."""
    captured = capture(step)
    before = {leaf: leaf.data for leaf in leaves}
    results = flat(captured(X, Y))
    program = captured.program
    function = executed(program.source)
    assert function.__name__ == program.name
    printed = function(X, Y, *(before[leaf] for leaf in program.leaves), **program.constants)
    assert_same(printed, [*results, *(leaf.data for leaf in program.leaves)], f"executed\n{program.source}")
    return captured


@settings(max_examples=20)
@given(st.lists(NAMES, min_size=6, max_size=6), st.booleans())
def test_steps_with_any_names_print_as_they_compute(names: list[str], alike: bool) -> None:
    step, leaves = step_of(names[:1] * 5 if alike else names[:5])
    step.__name__ = names[5]
    check(step, leaves)


@pytest.mark.parametrize("names", [KEYWORDS, sorted(RESERVED), TWINS, MISFITS, DUNDERS], ids=len)
def test_arguments_and_steps_of_any_name(names: list[str], tmp_path: Any) -> None:
    """Keyword arguments may have any text as a name, and so may functions."""
    for name in names:
        w = leaf(name=name)

        def step(w: Any = w, name: str = name, **arrays: Any) -> Any:
            return np.sum(gelu(w * arrays[name])[np.array([0, 0])])

        step.__name__ = name
        captured = capture(step)
        given_arrays = {name: np.array([0.5, 0.25])}
        results = flat(captured(**given_arrays))
        program = captured.program
        assert_same([executed(program.source)(*given_arrays.values(), w.data)], results, program.source)
        scope: dict[str, Any] = {}
        exec(program.save(tmp_path / "saved.py").read_text(), scope)
        with np.load(tmp_path / "saved.npz") as state:
            assert_same([scope[program.name](*given_arrays.values(), **state)], results, "saved")


def test_results_without_a_name_do_not_take_the_name_of_a_state_that_is_read_later() -> None:
    w = Tensor([1.0, 2.0], requires_grad=True, name="t1")

    @capture
    def step(x: Any) -> Any:
        return np.sum(w * x) * 2.0, np.sum(np.exp(w) * x) * 3.0, np.sin(w)

    x = np.array([1.0, 2.0])
    results = flat(step(x))
    assert_same(executed(step.source)(x, w.data), results, "executed")


@pytest.mark.parametrize(
    ("name", "printed"), [("np", "np_2"), ("scatter", "scatter_2"), ("class", "_class"), ("None", "_None")]
)
def test_a_step_whose_name_is_taken_gets_another_one_and_says_which(name: str, printed: str) -> None:
    step, leaves = step_of(["p", "q", "t1", "picked", "loss"])
    step.__name__ = name
    captured = check(step, leaves)
    assert captured.program.name == printed
    assert f"def {printed}(X, y, p, q, *, " in captured.source or f"def {printed}(X, y, p, q):" in captured.source


def test_a_lambda_is_called_step() -> None:
    captured = capture(lambda x: 2 * x)
    captured(np.ones(2))
    assert captured.program.name == "step"
