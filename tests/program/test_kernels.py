"""Kernels replace the expressions that they compute faster, and compute the same values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import assert_same, flat, leaf, program_of

from autograd_spiral import Tensor, capture, grad, relu, softmax_cross_entropy
from autograd_spiral.engine.table import PRIMITIVES
from autograd_spiral.program.evaluate import evaluate
from autograd_spiral.program.ir import Equation, Program, Value
from autograd_spiral.program.passes.pipeline import readable
from autograd_spiral.program.running.kernels.table import AFFINE, KERNELS, with_kernels
from autograd_spiral.program.running.replay import generate

X = np.random.default_rng(1).uniform(0.5, 1, (3, 4))


def kernels_in(step: Any, *args: Any) -> list[str]:
    program = with_kernels(readable(program_of(step, *args)))
    return [equation.primitive.name.removeprefix("np.") for equation in program.equations]


LARGE = np.random.default_rng(2).standard_normal((64, 32))

# --- the table ------------------------------------------------------------------------------------------------------

VALUES = {
    "affine": lambda x, W, b: x @ W + b,
    "product_and_sums": lambda x, y: np.vstack([x.T @ y, y.sum(axis=0)]),
    "masked_product_and_sums": lambda x, a, b, m: np.vstack([x.T @ ((a @ b) * m), ((a @ b) * m).sum(axis=0)]),
    "sum_of_squares": lambda x: (x * x).sum(),
    "column_sums": lambda x: x.sum(axis=0)[None],
    "vector_of_column_sums": lambda x: x.sum(axis=0),
    "pick": lambda x, rows, index: np.array([row[i] for row, i in zip(x, index, strict=True)]),
    "less_one_hot": lambda x, index, columns: x - np.eye(x.shape[1], dtype=x.dtype)[index],
}
"""What each kernel computes."""

ARGUMENTS = {
    "affine": "nd dh 1h",
    "product_and_sums": "nd nh",
    "masked_product_and_sums": "nd nk kh nh",
    "sum_of_squares": "nd",
    "column_sums": "nh",
    "vector_of_column_sums": "nh",
    "pick": "nd N n",
    "less_one_hot": "nd n D",
}
"""The shapes of its arguments: "n" is an index of the columns of the first one, "N" counts rows, "D" columns."""


def _net(x: Any, y: Any) -> Any:
    """The loss of a small net on two columns of x, and its gradients."""
    weights = W, b, W2, b2 = leaf((2, 40)), leaf((1, 40)), leaf((40, 3)), leaf((1, 3))
    loss = softmax_cross_entropy(relu(np.sin(x[:, :2]) @ W + b) @ W2 + b2, y)
    return [loss, *grad(loss, weights)]


STEPS = {
    "affine": lambda x, y: x @ LARGE.T + np.ones(64),
    "product_and_sums": _net,
    "masked_product_and_sums": _net,
    "sum_of_squares": lambda x, y: np.sum(np.square(x)) * 2,
    "column_sums": lambda x, y: np.sum(x, axis=0, keepdims=True) * 2,
    "vector_of_column_sums": lambda x, y: np.sum(x, axis=0) * 2,
    "pick": _net,
    "less_one_hot": _net,
}
"""A step whose program has it."""


def test_every_kernel_is_tested() -> None:
    names = [kernel.name for kernel in KERNELS]
    assert set(names) == VALUES.keys() == ARGUMENTS.keys() == STEPS.keys()
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_some_program_has_the_kernel(kernel: Any) -> None:
    y = np.random.default_rng(0).integers(0, 3, 64)
    names = kernels_in(STEPS[kernel.name], LARGE, y)
    assert kernel.name in names, names


def _program_of_kernel(kernel: Any, arrays: list[Any], computed: bool) -> Program:
    """The kernel on its arguments, given or in buffers, and an affine map of the first one."""
    given = tuple(Value(array.shape, array.dtype) for array in arrays)
    copies = tuple(Value(value.shape, value.dtype) for value in given)
    equations = [Equation(PRIMITIVES[np.positive], (x,), {}, y) for x, y in zip(given, copies, strict=True) if computed]
    operands = copies if computed else given
    x, n, dtype = operands[0], len(arrays[0]), arrays[0].dtype
    expected = np.asarray(VALUES[kernel.name](*arrays))
    mapped, output, doubled = Value((n, 2), dtype), Value(expected.shape, dtype), Value(expected.shape, dtype)
    weights = np.ones((x.shape[1], 2), dtype), np.ones((1, 2), dtype)
    equations += [
        Equation(AFFINE, (x, *weights), {}, mapped),
        Equation(kernel, operands, {}, output),
        Equation(PRIMITIVES[np.multiply], (output, 2.0), {}, doubled),
    ]
    return Program("kernel", given, (), tuple(equations), (doubled, mapped))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
@settings(max_examples=25)
@given(
    n=st.integers(1, 40),
    d=st.integers(1, 20),
    h=st.integers(1, 30),
    k=st.integers(1, 4),
    seed=st.integers(0, 2**32 - 1),
)
def test_bodies_and_code_compute_the_kernel(kernel: Any, dtype: Any, n: int, d: int, h: int, k: int, seed: int) -> None:
    rng, sizes = np.random.default_rng(seed), {"n": n, "d": d, "h": h, "k": k, "1": 1}
    known = {"n": rng.integers(0, d, n), "N": np.arange(n), "D": np.arange(d)}
    arrays = [
        known[letters] if letters in known else rng.standard_normal([sizes[c] for c in letters]).astype(dtype)
        for letters in ARGUMENTS[kernel.name].split()
    ]
    expected = np.asarray(VALUES[kernel.name](*arrays))
    assert_same([kernel.function(*arrays)], [expected], "body")
    for computed in (False, True):
        program = _program_of_kernel(kernel, arrays, computed)
        run = generate(program).function([f"x{i}" for i, _ in enumerate(arrays)])
        wanted = evaluate(program, *arrays)
        assert_same([wanted[0]], [2 * expected], "evaluated")
        for _ in range(2):
            assert_same(run(*arrays), wanted, "replayed")


# --- where kernels apply --------------------------------------------------------------------------------------------

REPLACED = [
    (lambda x, w: x @ w + np.ones(24), ["affine"]),
    (lambda x, w: np.ones((1, 24)) + x @ w, ["affine"]),
    (lambda x, w: x @ w + np.ones((64, 24)), ["matmul", "add"]),
    (lambda x, w: x @ w[:, :3] + np.ones(3), ["getitem", "matmul", "add"]),  # x has more columns than its image
    (lambda x, w: np.sin(x) @ w[:, :3] + np.ones(3), ["sin", "getitem", "affine"]),  # here it need not be copied
    (lambda x, w: x.sum(axis=0, keepdims=True) * 2, ["column_sums", "multiply"]),
    (lambda x, w: np.square(x).sum() * 2, ["sum_of_squares", "multiply"]),
    (lambda x, w: x.mean(axis=1), ["sum", "divide"]),
    (lambda x, w: np.sin(x) * (x > 0), ["sin", "greater", "astype", "multiply"]),
    (lambda x, w: w[:4].sum(axis=0, keepdims=True) * 2, ["getitem", "sum", "multiply"]),  # too small to gain
]


@pytest.mark.parametrize(("step", "names"), REPLACED)
def test_kernels_replace_what_they_compute(step: Any, names: Any) -> None:
    assert kernels_in(step, LARGE, LARGE[:32, :24].copy()) == names


@pytest.mark.parametrize(
    ("shape", "full"), [((10, 8), False), ((40, 32), True), ((300, 800), True), ((300, 900), False)]
)
def test_a_bound_becomes_a_full_array_where_that_is_faster(shape: Any, full: bool) -> None:
    program = with_kernels(readable(program_of(lambda x: np.maximum(0, x), np.zeros(shape))))
    bound = program.equations[0].inputs[0]
    assert isinstance(bound, np.ndarray) == full
    assert np.shape(bound) == (shape if full else ())


def test_the_gradients_of_an_affine_map_are_one_product() -> None:
    w, b = leaf((32, 20)), leaf((1, 20))

    def step(x: Any) -> Any:
        return grad(np.square(np.tanh(x @ w + b)).sum(), [w, b])

    names = kernels_in(step, LARGE)
    assert names.count("product_and_sums") == 1
    assert "matmul" not in names


MASKED = [  # columns of x, columns of a, columns of m, dtype of all, whether a @ b is needed besides: is it worth it?
    (2, 3, 40, float, False, True),
    (3, 3, 48, float, False, True),
    (3, 4, 48, float, False, False),  # more columns of products than it pays for
    (2, 3, 32, float, False, False),  # m is hardly wider than those
    (2, 3, 40, np.float32, False, False),
    (2, 3, 40, float, True, False),
]


@pytest.mark.parametrize(("columns", "inner", "width", "dtype", "needed", "expected"), MASKED)
def test_a_masked_product_of_narrow_matrices_is_not_made(
    columns: int, inner: int, width: int, dtype: Any, needed: bool, expected: bool
) -> None:
    rng = np.random.default_rng(0)
    x, w, a, b = (
        rng.standard_normal(shape).astype(dtype)
        for shape in ((60, columns), (columns, width), (60, inner), (inner, width))
    )

    def step(x: Any, w: Any, a: Any, b: Any) -> Any:
        h = relu(x @ w + b[0])
        product = a @ b
        masked = product * (h > 0)
        return x.T @ masked, masked.sum(axis=0, keepdims=True), np.tanh(h), *([product] if needed else [])

    assert ("masked_product_and_sums" in kernels_in(step, x, w, a, b)) == expected


ONE_HOTS = [
    (lambda x, y: x - (y[:, None] == np.arange(4)), True),
    (lambda x, y: x - (y[:, None] == np.arange(1, 5)), False),
    (lambda x, y: (y[:, None] == np.arange(4)) - x, False),
    (lambda x, y: x - (x[:, :1] == np.arange(4)), False),
    (lambda x, y: x[:, :1] - (y[:, None] == np.arange(4)), False),
]


@pytest.mark.parametrize(("step", "expected"), ONE_HOTS)
def test_one_hot_rows_are_subtracted_at_one_place_of_each_row(step: Any, expected: bool) -> None:
    x, y = np.random.default_rng(0).standard_normal((6, 4)), np.array([0, 3, 1, 2, 0, 1])
    names = kernels_in(lambda x, y: (step(np.sin(x), y) * 2, softmax_cross_entropy(x, y)), x, y)
    assert ("less_one_hot" in names) == expected
    matrix = np.array([[0, 3], [1, 2]])
    assert "less_one_hot" not in kernels_in(
        lambda x, y: np.sin(x) - (y[:, None] == np.arange(2)), np.ones((2, 1, 2)), matrix
    )
    assert "less_one_hot" not in kernels_in(lambda x, y: step(np.sin(x), y) * 2, x, y)  # nothing is known of y


def test_a_product_that_is_broadcast_against_a_row_is_no_affine_map() -> None:
    w, b = leaf((4, 1)), leaf((1, 5))
    assert_same(flat(capture(lambda x: np.tanh(x @ w + b))(X)), [np.tanh(X @ w.data + b.data)], "value")


def test_column_sums_that_a_matrix_is_computed_from_come_before_it() -> None:
    w, b = leaf((4, 4)), leaf((1, 4))

    def step(x: Any) -> Any:
        y = np.sin(x)
        sums = y.sum(axis=0)
        h = np.tanh(y + sums)
        return (h @ w + b).sum(), h.T @ y, sums * 2

    x = np.random.default_rng(0).standard_normal((40, 4))
    assert_same(flat(capture(step)(x)), flat(step(Tensor(x))), "value")


def test_a_product_with_a_stack_of_matrices_is_left_alone() -> None:
    w, b = leaf((4, 4)), leaf((1, 4))

    def step(x: Any, stack: Any) -> Any:
        y, h = np.sin(stack), np.tanh(x @ w + b)
        return (h @ w + b).sum(), (h.T @ y) * 2, y.sum(axis=0) * 2

    rng = np.random.default_rng(0)
    x, stack = rng.standard_normal((40, 4)), rng.standard_normal((3, 40, 4))
    assert_same(flat(capture(step)(x, stack)), flat(step(Tensor(x), Tensor(stack))), "value")


def test_a_product_of_matrices_of_two_dtypes_keeps_the_wider_one() -> None:
    w, b = leaf((4, 4)), leaf((1, 4))

    def step(x: Any) -> Any:
        y = np.sin(x).astype(np.float32)
        h = np.tanh(x @ w + b)
        return (h @ w + b).sum(), (h.T @ y) * 2, y.sum(axis=0) * 2

    x = np.random.default_rng(0).standard_normal((40, 4))
    assert_same(flat(capture(step)(x)), flat(step(Tensor(x))), "value")


@pytest.mark.parametrize("computed", [True, False])
@settings(max_examples=50)
@given(st.integers(40, 90), st.integers(1, 5), st.integers(1, 4), st.integers(48, 60), st.integers(0, 2**32 - 1))
def test_masked_products_and_sums(computed: bool, n: int, d: int, k: int, h: int, seed: int) -> None:
    """`x.T @ ((a @ b) * mask)` and column sums, whatever order they are computed in; with a in a buffer or not."""
    rng = np.random.default_rng(seed)
    arrays = [rng.standard_normal(shape) for shape in ((n, d), (d, h), (1, h), (n, k), (k, h))]

    def step(x: Any, W: Any, b: Any, a: Any, c: Any) -> Any:
        hidden = relu(x @ W + b)
        masked = ((np.sin(a) if computed else a) @ c) * (hidden > 0)
        return x.T @ masked * 2, masked.sum(axis=0, keepdims=True), hidden.sum()

    captured = capture(step)
    for scale in (1.0, 2.0):
        now = [scale * array for array in arrays]
        assert_same(flat(captured(*now)), flat(captured.eager(*map(Tensor, now))), "value")


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, np.uint64])
@pytest.mark.parametrize("computed", [True, False])
@settings(max_examples=30)
@given(st.integers(1, 40), st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_one_entry_of_each_row(dtype: Any, computed: bool, n: int, k: int, seed: int) -> None:
    """Picked, and made less by 1 as in the gradient of a softmax-cross-entropy, of matrices kept in either order."""
    rng = np.random.default_rng(seed)

    def step(x: Any, y: Any) -> Any:
        if computed:
            x = np.sin(x)
        loss = softmax_cross_entropy(x, y)
        return loss, np.exp(x - (y[:, None] == np.arange(k))), x - (y[:, None] == np.arange(k)), x[np.arange(n), y]

    captured = capture(step)
    for _ in range(2):
        x, y = rng.standard_normal((n, k)), rng.integers(0, k, n).astype(dtype)
        assert_same(flat(captured(x, y)), flat(captured.eager(Tensor(x), Tensor(y))), "value")


@pytest.mark.parametrize("constant", [0, 1, 2, (0, 1), (1, 2), (0, 2)])
def test_parts_of_an_affine_map_may_be_constants(constant: Any) -> None:
    chosen = constant if isinstance(constant, tuple) else (constant,)
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape) for shape in ((30, 3), (3, 8), (1, 8))]
    leaves = [Tensor(array, requires_grad=True) for i, array in enumerate(arrays) if i not in chosen]

    def step(scale: Any) -> Any:
        remaining = iter(leaves)
        x, W, b = (Tensor(a) if i in chosen else next(remaining) for i, a in enumerate(arrays))
        y = np.tanh(x @ W + b)
        return [y, *grad(np.sum(y * y) * scale, leaves)]

    captured = capture(step)
    for scale in (np.array(1.0), np.array(2.0)):
        assert_same(flat(captured(scale)), flat(captured.eager(Tensor(scale))), "value and gradients")


def test_long_sums_of_squares_of_single_precision_are_added_up_in_pairs() -> None:
    step = capture(lambda x: np.sum(np.square(x)))
    x = np.full(2**18, 0.1, np.float32)
    exact = np.sum(np.square(x.astype(float)))
    assert abs(step(x).item() - exact) <= 8 * np.finfo(np.float32).eps * exact
