"""The text of programs: what it looks like, and that it runs with NumPy alone, and with JAX."""

from __future__ import annotations

import ast
import operator as op
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from captured import ONES, leaf
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import assert_same, executed, flat

from autograd_spiral import Tensor, backward_source, capture, draw, grad, relu, softmax_cross_entropy
from autograd_spiral.engine.tensor import Tensor as T
from autograd_spiral.errors import GradientError, StaleLeafError
from autograd_spiral.program.passes.pipeline import readable
from autograd_spiral.program.printing.source import Source
from autograd_spiral.spiral import LinearClassifier, TwoLayerNet, by_hand, descent, spiral

X, Y = spiral(20, generator=np.random.default_rng(0))


def models() -> list[Any]:
    rng = np.random.default_rng(1)
    return [LinearClassifier.random(rng), TwoLayerNet.random(rng, hidden=5)]


def lines_of(source: str) -> list[str]:
    """The statements, without comments and indentation."""
    return [line.split("  #")[0].strip() for line in source.splitlines() if " = " in line or "return" in line]


# --- what it looks like ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("checked", [False, True])
def test_lines_have_the_number_of_the_line_that_computes_each_value(checked: bool) -> None:
    for model in models():
        step = descent(model)
        step(X, Y)
        program = readable(step.program)
        source = Source(program, checked=checked)
        text = source.text.splitlines()
        given = {*program.inputs, *program.state}
        for value, line in source.lines.items():
            begins = "def " if value in given else f"    {source.names[value]} = "
            assert text[line - 1].startswith(begins)
        computed = {line for value, line in source.lines.items() if value not in given}
        assert len(computed) == sum(
            " = " in line and not line.startswith("def") for line in text[text.index("    # forward") :]
        )


def test_the_backward_pass_of_the_net_reads_like_the_derived_one() -> None:
    step = descent(models()[1])
    step(X, Y)
    lines = lines_of(step.source)
    for derived in (
        "h = np.maximum(X @ W1 + b1, 0)",
        "scores = h @ W2 + b2",
        "dscores = (probs - (y[:, None] == np.arange(3))) / 60",
        "dW2 = 0.001 * W2 + h.T @ dscores",
        "db2 = np.sum(dscores, axis=0, keepdims=True)",
        "dh = dscores @ W2.T",
        "W1 = W1 - dW1",
        "return loss, W1, b1, W2, b2",
    ):
        assert derived in lines


def test_every_line_says_its_shape_under_the_heading_of_its_phase() -> None:
    step = descent(models()[1])
    step(X, Y)
    body = step.source.splitlines()[5:]
    assert [line for line in body if line.startswith("    # ")] == ["    # forward", "    # backward", "    # update"]
    (dh,) = (line for line in body if line.strip().startswith("dh = "))
    assert dh.endswith("# (60, 5)")
    assert max(map(len, body)) <= 120


def test_the_documents_own_forward_pass_prints_their_backward_pass() -> None:
    W, b = (Tensor(a, requires_grad=True) for a in (np.ones((2, 3)), np.zeros((1, 3))))
    n, reg = len(X), 1e-3

    @capture
    def step(X: Any, y: Any) -> Any:
        scores = np.dot(X, W) + b
        exp_scores = np.exp(scores)
        probs = exp_scores / np.sum(exp_scores, axis=1, keepdims=True)
        corect_logprobs = -np.log(probs[range(n), y])
        data_loss = np.sum(corect_logprobs) / n
        reg_loss = 0.5 * reg * np.sum(W * W)
        loss = data_loss + reg_loss
        dW, db = grad(loss, [W, b])
        W.assign(W - dW)
        b.assign(b - db)
        return loss

    step(X, Y)
    source = step.source
    lines = lines_of(source)
    for line in (
        "exp_scores = np.exp(scores)",
        "corect_logprobs = -np.log(t2)",
        "dprobs = (-1 / 60 / t2)[:, None] * (y[:, None] == np.arange(3))",
        "dscores = dexp_scores * exp_scores",
        "dW = 0.001 * W + X.T @ dscores",
        "W = W - dW",
    ):
        assert line in lines
    assert "scatter" not in source


def test_given_names_come_before_gradients_and_those_before_local_variables() -> None:
    w = Tensor(np.ones(3), requires_grad=True, name="weight")
    other = Tensor(np.ones(3), requires_grad=True)

    def inner(x: Any) -> Any:
        from_callee = np.sin(x * w)
        return from_callee * other

    @capture
    def step(x: Any) -> Any:
        h = inner(x)
        given = np.exp(h).named("my name!")
        loss = (given * h).sum()
        slope, change = grad(loss, [w, other])
        return loss, slope, change

    step(np.ones(3))
    names = [line.split(" = ")[0] for line in lines_of(step.source)]
    assert {"from_callee", "h", "my_name_", "loss", "dweight", "dother"} <= set(names)
    assert step.source.startswith("import numpy as np\n\n\ndef step(x, weight, other):")


def test_names_are_identifiers_and_each_is_given_once() -> None:
    tensors = [
        Tensor(np.ones(2), requires_grad=True, name=name) for name in ("W", "W", "np", "lambda", "2d", "a-b", "step")
    ]

    @capture
    def step(x: Any) -> Any:
        total = sum((t * x).sum().named("W") for t in tensors)
        return [total, *grad(total, tensors)]

    results = flat(step(np.ones(2)))
    source = step.source
    (function,) = ast.parse(source).body[1:]
    names = [argument.arg for argument in function.args.args]
    assert len(set(names)) == len(names) == 8
    assert names[1:] == ["W", "W_2", "np_2", "_lambda", "_2d", "a_b", "step_2"]
    assert_same(executed(source)(np.ones(2), *(t.data for t in tensors)), results, "executed")


@pytest.mark.parametrize(
    "name", ["x₂", "__debug__", "ﬁ", "ª", "é", "t1", "out1", "scatter", "constant", "None", "bool", ""]
)
def test_any_name_makes_a_program_that_runs(name: str) -> None:
    p, q = (Tensor(np.ones(3), requires_grad=True, name=name) for _ in range(2))

    @capture
    def step(x: Any) -> Any:
        a = (x * p).named(name)
        picked = a[np.array([0, 0, 1])] * q
        return a, grad(picked.sum(), p), (x > 0).astype(bool), np.exp(a) + np.cumsum(np.exp(a)) * np.linspace(0, 1, 3)

    results = flat(step(np.arange(3.0)))
    given = [np.arange(3.0), *(leaf.data for leaf in step._programs.last.lowered().state)]
    assert_same(executed_step(step.source)(*given), results, "executed")


def test_results_without_a_name_do_not_take_that_of_a_value() -> None:
    w = Tensor([1.0, 2.0], requires_grad=True, name="t2")

    @capture
    def step(x: Any) -> Any:
        t1 = np.exp(x)
        return 2 * t1, t1 + w, np.sin(w) * x, np.sum(w * x) * 3.0

    results = flat(step(np.array([0.0, 1.0])))
    assert_same(executed(step.source)(np.array([0.0, 1.0]), w.data), results, "executed")


def test_a_value_called_bool_does_not_hide_the_dtype() -> None:
    mask = Tensor([1.0, 0.0, 2.0], requires_grad=True, name="bool")
    step = capture(lambda x: np.where(mask.astype(np.bool_), x, 0.0))
    results = flat(step(np.ones(3)))
    assert "def step(x, bool_2):" in step.source
    assert_same([executed(step.source)(np.ones(3), mask.data)], results, "executed")


def test_numbers_that_a_narrow_dtype_cannot_hold_do_not_become_divisors() -> None:
    step = capture(lambda x: [x * (1 / 70000), x * (1 / 300)])
    x = np.array([100.0, 30000.0], np.float16)
    results = flat(step(x))
    assert "x / 300" in step.source
    assert_same(executed(step.source)(x), results, "executed")


DTYPES = [
    "f2",
    "f4",
    "f8",
    np.longdouble,
    "i1",
    "u1",
    "i2",
    "u2",
    "i4",
    "u4",
    "i8",
    "u8",
    "?",
    ">f8",
    ">f4",
    ">i2",
    ">u8",
]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_constants_of_every_dtype_and_byte_order_print_as_the_array_that_they_are(dtype: Any) -> None:
    dtype = np.dtype(dtype)
    numbers = {"f": [0.1, -0.0, 1 / 3, np.inf, np.nan, 5e-324], "b": [True, False]}.get(dtype.kind)
    if numbers is None:
        numbers = [0, 1, np.iinfo(dtype).min, np.iinfo(dtype).max]
    with np.errstate(all="ignore"):
        values = np.array(numbers, dtype.newbyteorder("=")).astype(dtype)
    arrays = [
        values,
        values[::-1],
        values[:1],
        values[:0],
        values[0, ...],
        values[:2].reshape(2, 1),
        np.arange(2).astype(dtype),
    ]
    for array in [*arrays, np.ones((2, 2), dtype), np.full(3, values[0]), np.resize(values, 40)]:
        step = capture(lambda x, array=array: (Tensor(array), x * 2))
        result = step(np.ones(3))[0].data
        printed, _ = executed(step.source)(np.ones(3), **step.program.constants)
        assert (printed.shape, printed.dtype.str) == (result.shape, result.dtype.str) == (array.shape, array.dtype.str)
        assert printed.tobytes() == array.tobytes() or np.array_equal(printed, array, equal_nan=True)
        assert np.array_equal(np.signbit(printed), np.signbit(array)) if dtype.kind == "f" else True


def test_powers_and_paddings_print_what_they_compute() -> None:
    step = capture(lambda x, mask: [x**0.5, mask**2, np.pad(x, 1, constant_values=-0.0)])
    x, mask = np.array([-np.inf, -0.0, 4.0]), np.array([True, False])
    with np.errstate(invalid="ignore"):
        results = flat(step(x, mask))
        again = executed(step.source)(x, mask)
    assert_same(again, results, "executed")
    for a, b in zip(again, results, strict=True):
        assert np.array_equal(np.signbit(a.astype(float)), np.signbit(b.astype(float)))


@pytest.mark.parametrize("filling", [1, 2.5, (1.0, -0.0), ((1, 2),), np.array([0.0, 3.0]), np.float32(0.1), np.inf])
def test_paddings_print_with_what_they_are_filled(filling: Any) -> None:
    step = capture(lambda x: np.pad(x, 2, constant_values=filling))
    results = flat(step(np.ones(3)))
    assert_same([executed(step.source)(np.ones(3))], results, "executed")


LEAVES = st.sampled_from(["x", "y", "w", 2, 3.0, -0.5, 1 / 3, -1 / 300, 1e-320])


SINGLE = [op.neg, op.pos, np.square, np.tanh, np.transpose, lambda a: a**3, lambda a: a[::-1], lambda a: 2.0**a]
SINGLE += [lambda a: a[0], lambda a: a.astype(np.float32), lambda a: np.sum(a, axis=-1) if a.ndim else a]


def nested(parts: Any) -> Any:
    operators = st.sampled_from([op.add, op.sub, op.mul, op.truediv, op.matmul, op.gt, op.eq])
    single = st.sampled_from(SINGLE)
    return st.tuples(operators, parts, parts) | st.tuples(single, parts)


def value_of(tree: Any, names: dict[str, Any]) -> Any:
    """What a nested expression of functions, names and numbers gives; the first operand alone where shapes refuse."""
    if not isinstance(tree, tuple):
        return names.get(tree, tree) if isinstance(tree, str) else tree
    function, *operands = tree
    values = [value_of(operand, names) for operand in operands]
    try:
        if not any(isinstance(value, Tensor) for value in values):
            values[0] = names["x"] * values[0]
        return function(*values)
    except (ValueError, IndexError, TypeError):
        return values[0]


@settings(max_examples=200)
@given(st.recursive(LEAVES, nested, max_leaves=12))
def test_any_nesting_of_operators_prints_as_it_computes(tree: Any) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0.5, 1.5, (2, 3, 3))
    w = Tensor(rng.uniform(0.5, 1.5, (3, 3)), requires_grad=True, name="w")
    step = capture(lambda x, y: x * value_of(tree, {"x": x, "y": y, "w": w}))
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = step.eager(Tensor(x), Tensor(y)).data
        step(x, y)
        given_arrays = [x, y, *(leaf.data for leaf in step._programs.last.lowered().state)]
        text = executed(step.source)(*given_arrays, **step.program.constants)
    assert (text.shape, text.dtype) == (expected.shape, expected.dtype), step.source
    np.testing.assert_allclose(text, expected, rtol=1e-5 if "float32" in step.source else 1e-11, err_msg=step.source)


def test_a_state_whose_old_value_is_still_read_gets_another_name() -> None:
    a, b = (Tensor(np.full(2, float(v)), requires_grad=True, name=n) for n, v in (("a", 1), ("b", 2)))

    @capture
    def step(x: Any) -> Any:
        before = a.detach()
        a.assign(a * x)
        b.assign(b * before)
        return before

    step(np.full(2, 3.0))
    assert "new_a = a * x" in lines_of(step.source)
    assert_same(executed(step.source)(np.full(2, 3.0), np.ones(2), np.full(2, 2.0)), [[1.0, 1], [3.0, 3], [2.0, 2]], "")


def test_constants_are_literals_and_large_ones_keyword_arguments() -> None:
    large = np.random.default_rng(0).standard_normal((10, 10))

    @capture
    def step(x: Any) -> Any:
        return [
            x[np.array([2, 0])] * np.array([0.5, -1.5]),
            x + np.arange(3),
            x * np.array([1, 2, 4], np.float32),
            np.where(x > np.inf, np.nan, x) * -0.5,
            (np.outer(x, x) @ np.ones((3, 10))) @ (large * 1.0),
            x + np.full(100, 7.0)[:1],
            np.concatenate([x, np.zeros(50)]),
        ]

    results = flat(step(np.array([1.0, 2.0, 3.0])))
    source = step.source
    for literal in ("np.array([0.5, -1.5])", "np.arange(3)", "np.array([1.0, 2.0, 4.0], dtype=np.float32)"):
        assert literal in source
    for literal in ("np.inf", "np.nan", "np.ones((3, 10))", "np.zeros((50,))"):
        assert literal in source
    (name,) = step.program.constants
    assert f"def step(x, *, {name}):" in source
    assert_same(executed(source)(np.array([1.0, 2.0, 3.0]), **step.program.constants), results, "executed")


def test_indexing_prints_what_it_takes() -> None:
    w = Tensor(np.arange(12.0).reshape(3, 4), requires_grad=True, name="w")
    indices = [
        np.s_[1],
        np.s_[-1:, ::-1],
        np.s_[..., 2],
        np.s_[None, 1:3, :2],
        np.s_[::2],
        np.s_[:, [0, 0, 1]],
        np.s_[()],
        np.s_[2:2],
    ]

    @capture
    def step(x: Any) -> Any:
        parts = [w[index] for index in indices]
        return [*parts, *(grad(np.square(part).sum() * x, w) for part in parts)]

    results = flat(step(np.array(3.0)))
    source = step.source
    assert source.count("def ") == 3  # steps over entries, and repeated entries, need functions that put them in place
    assert "np.pad(" in source
    assert_same(executed_step(source)(np.array(3.0), w.data), results, "executed")


def executed_step(source: str) -> Any:
    names: dict[str, Any] = {}
    exec(source, names)
    return names["step"]


def test_a_step_that_returns_nothing_prints() -> None:
    step = capture(lambda x: None)
    step(X)
    assert executed(step.source)(X) is None
    assert "Return nothing" in step.source


# --- that it runs -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", [0, 1])
def test_the_text_trains_as_the_step_does(which: int) -> None:
    model, other = models()[which], models()[which]
    step, eager = descent(model), descent(other)
    step(X, Y)
    train = executed(step.source)
    state = [p.data for p in models()[which].parameters()]
    for _ in range(30):
        loss, *state = train(X, Y, *state)
        assert_same([loss], flat(eager.eager(X, Y)), "loss")
    assert_same(state, [p.data for p in other.parameters()], "state")


@pytest.mark.parametrize("which", [0, 1])
def test_the_text_of_a_loss_alone_gives_the_hand_derived_gradients(which: int) -> None:
    model = models()[which]
    source = backward_source(model.loss(T(X, name="X"), T(Y, name="y"), 1e-3), model.parameters())
    arrays = [p.data for p in model.parameters()]
    hand = (by_hand.linear_gradients, by_hand.two_layer_gradients)[which]
    loss, gradients = hand(X, Y, *arrays, 1e-3)
    assert_same(executed(source)(X, Y, *arrays), [loss, *gradients], "gradients")


def test_the_text_of_a_loss_takes_names_from_local_variables() -> None:
    W = Tensor(np.ones((2, 3)), requires_grad=True)
    data = Tensor(X)
    loss = np.square(relu(data @ W)).sum()
    source = backward_source(loss, [W], names=locals())
    assert "def loss_and_gradients(data, W):" in source
    assert "dW = " in source


@dataclass
class Layer:
    W: Any
    b: Any


def test_the_text_of_a_loss_takes_names_from_the_form_of_its_parameters() -> None:
    net = {"hidden": Layer(leaf(1.0, 2.0), leaf(3.0, 4.0)), "out": leaf(5.0, 6.0)}
    loss = np.sum(np.tanh(ONES * net["hidden"].W + net["hidden"].b) * net["out"])
    source = backward_source(loss, net)
    assert "def loss_and_gradients(hidden_W, hidden_b, out):" in source
    assert "return t1, dhidden_W, dhidden_b, dout" in source
    first = net["hidden"].W
    assert "def loss_and_gradients(first, hidden_b, out):" in backward_source(loss, net, names=locals())


def test_variables_in_which_notebooks_keep_results_are_no_names() -> None:
    w = leaf(1.0, 2.0)
    loss = np.sum(w * w)
    kept = dict.fromkeys(("_", "__", "___", "_1", "_12", "_i", "_ii", "_iii", "_i1", "_i12"), w)
    assert "(w1)" in backward_source(loss, w, names=kept)
    assert "(_w)" in backward_source(loss, w, names=kept | {"_w": w, "w": w})
    picture = draw(np.sum(w * ONES), names=kept | {"_3": ONES})
    assert "<B>_" not in picture.source


def test_the_text_of_a_loss_refuses_what_grad_refuses() -> None:
    w = Tensor(np.ones(2), requires_grad=True)
    loss = (w * w).sum()
    with pytest.raises(GradientError):
        backward_source(loss, Tensor(np.ones(2)))
    w.assign(w * 2)
    with pytest.raises(StaleLeafError):
        backward_source(loss, w)


def test_equal_large_constants_are_one() -> None:
    step = capture(lambda x: x * np.sin(np.arange(100.0)) + np.exp(x) - np.sin(np.arange(100.0)))
    step(np.ones(100))
    assert list(step.program.constants) == ["constant"]


@pytest.mark.parametrize("which", [0, 1])
def test_the_text_runs_under_jax(which: int, jax: Any) -> None:
    model = models()[which]
    step = descent(model)
    before = [p.data for p in model.parameters()]
    expected = [flat(step(X, Y))[0], *(p.data for p in model.parameters())]
    names: dict[str, Any] = {}
    exec(step.source.replace("import numpy as np", "import jax.numpy as np"), names)
    assert_same([np.asarray(a) for a in jax.jit(names["step"])(X, Y, *before)], expected, "under jax.jit")


def test_the_documents_pass_runs_under_jax(jax: Any) -> None:
    W = Tensor(np.random.default_rng(0).standard_normal((2, 3)), requires_grad=True, name="W")

    def loss_of(X: Any, y: Any) -> Any:
        exps = np.exp(np.dot(X, W))
        probs = exps / np.sum(exps, axis=1, keepdims=True)
        loss = np.sum(-np.log(probs[range(len(X)), y])) / len(X)
        return loss, grad(loss, W), grad(softmax_cross_entropy(X @ W, y), W)

    step = capture(loss_of)
    expected = flat(step(X, Y))
    names: dict[str, Any] = {}
    exec(step.source.replace("import numpy as np", "import jax.numpy as np"), names)
    assert_same([np.asarray(a) for a in jax.jit(names["loss_of"])(X, Y, W.data)], expected, "under jax.jit")
