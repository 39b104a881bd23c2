"""Functions computed for many rows at once return what they return for each row."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np
import pytest
from cases import CASES
from examples import Example, Examples

from autograd_spiral import CaptureError, Tensor, capture, grad, jacobian, jvp, primitive, relu, softmax
from autograd_spiral.engine.messages import name_of
from autograd_spiral.engine.table import PRIMITIVES
from autograd_spiral.gradcheck.examples import EXAMPLES
from autograd_spiral.gradcheck.examples.elementwise import FACTS, PREDICATES, RELATIONS
from autograd_spiral.gradcheck.examples.order import SEARCHES
from autograd_spiral.gradcheck.examples.reductions import TRUTHS
from autograd_spiral.program.history import history
from autograd_spiral.transforms import derivatives
from autograd_spiral.transforms.batching import _RULES, in_rows

NO_GRADIENT = {*PREDICATES, *RELATIONS, *SEARCHES, *TRUTHS, *FACTS}
SCALES = (1.0, -0.5, 2.0)
"""Of the rows: linear functions take any numbers."""


def assert_row_by_row(node: Tensor) -> None:
    """Compare with one call for each row, for any choice of arguments with rows, as arrays and as Tensors."""
    primitive = node.primitive
    assert primitive is not None
    floating = [i for i, x in enumerate(node.operands) if isinstance(x, np.ndarray) and x.dtype.kind == "f"]
    for count in range(1, len(floating) + 1):
        for chosen in itertools.combinations(floating, count):
            rows = [i in chosen for i in range(len(node.args))]
            each = [[np.asarray(k * x) if r else x for x, r in zip(node.operands, rows, strict=True)] for k in SCALES]
            expected = [primitive.evaluate(*args, **node.params) for args in each]
            together = [np.stack(x) if r else x[0] for x, r in zip(zip(*each, strict=True), rows, strict=True)]
            for kind in (np.asarray, Tensor):
                args = [kind(x) if isinstance(x, np.ndarray) else x for x in together]
                found = in_rows(primitive, args, rows, node.shape, node.params)
                assert type(found) is (Tensor if kind is Tensor else np.ndarray)
                assert found.dtype == node.dtype
                assert found.shape == (len(SCALES), *node.shape)
                np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("function", _RULES, ids=name_of)
def test_rows_are_computed_as_if_one_by_one(function: Any) -> None:
    def holds(example: Example) -> None:
        tensors = [Tensor(x, requires_grad=x.dtype.kind == "f") for x in example.arrays]
        for node in history([example.call(*tensors)]):
            if node.primitive is PRIMITIVES[function]:
                assert_row_by_row(node)

    Examples(function, CASES[function], 30).check(holds)


@pytest.mark.parametrize("function", [f for f in EXAMPLES if f not in NO_GRADIENT], ids=name_of)
def test_jacobians_have_the_gradient_of_each_element_as_a_row(function: Any) -> None:
    for draw in EXAMPLES[function]:
        example = draw(np.random.default_rng(0))
        at = [i for i, x in enumerate(example.inputs) if x.dtype.kind == "f"]
        leaves = [Tensor(x, requires_grad=True) if i in at else x for i, x in enumerate(example.inputs)]
        chosen = [leaves[i] for i in at]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of gradients that are 0
            output = example.function(*leaves)
            if not isinstance(output, Tensor) or output.dtype.kind != "f":
                continue
            blocks = jacobian(example.function, at)(*example.inputs)
            for i, index in enumerate(np.ndindex(output.shape)):
                unit = np.eye(output.size)[i].reshape(output.shape)
                for block, row in zip(blocks, grad(output, chosen, unit), strict=True):
                    np.testing.assert_allclose(block[index], row.data, rtol=1e-12, atol=1e-12)


def batched_size(f: Any, x: Any) -> int:
    """The number of equations of a captured Jacobian, after a check of its values."""
    step = capture(jacobian(f))
    np.testing.assert_allclose(step(x).data, jacobian(f)(x), rtol=1e-12, atol=1e-12)
    return len(step.program.equations)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.tanh(np.outer(x, x)).sum(axis=0) * x,
        lambda x: softmax(x[::2]) @ np.reshape(x, (2, -1)).T[: x.size // 2],
        lambda x: np.cumsum(np.concatenate([x, x**2])),
        lambda x: np.einsum("i,i->i", x, np.sin(x)),
        lambda x: np.take(x, [0, 1, 0]) * np.linalg.norm(x),
        lambda x: relu(np.pad(x, 1)) + np.max(x),
    ],
)
def test_a_captured_jacobian_has_as_many_equations_for_any_number_of_rows(f: Any) -> None:
    rng = np.random.default_rng(0)
    assert len({batched_size(f, rng.standard_normal(n)) for n in (4, 8, 12)}) == 1


def test_an_operation_of_the_users_own_is_computed_row_by_row_and_all_else_at_once() -> None:
    @primitive(lambda ct, out, x: doubled(ct))
    def doubled(x: Any) -> Any:
        return np.add(x, x)

    step = capture(jacobian(lambda x: np.sin(doubled(np.tanh(x)))))
    for x in (np.array([0.5, 1.0, -2.0]), np.array([1.0, 2.0, 3.0])):
        expected = np.diag(2 * np.cos(2 * np.tanh(x)) * (1 - np.tanh(x) ** 2))
        np.testing.assert_allclose(step(x).data, expected, atol=1e-12)
        np.testing.assert_allclose(jacobian(lambda x: np.sin(doubled(np.tanh(x))))(x), expected, atol=1e-12)
    names = [equation.primitive.name for equation in step.program.equations]
    assert names.count("doubled") == 2 + 3  # forward, in the pass that is recorded, and for each row
    assert names.count("np.cos") == 1


def test_rules_that_run_on_arrays_alone_give_jacobians_row_by_row() -> None:
    @primitive(lambda ct, out, x: np.array([2 * c for c in ct.tolist()]))
    def doubled(x: Any) -> Any:
        return 2 * np.asarray(x)

    x = np.array([0.5, 1.0, -2.0])
    np.testing.assert_array_equal(jacobian(doubled)(x), 2 * np.eye(3))
    with pytest.raises(CaptureError, match=r"\.tolist|reading a value"):
        capture(jacobian(doubled))(x)


def test_rules_that_look_for_zeros_find_those_alone_that_are_there() -> None:
    @primitive(lambda ct, out, x: ct * 2 if np.any(ct.data if isinstance(ct, Tensor) else ct) else np.zeros(x.shape))
    def doubled(x: Any) -> Any:
        return 2 * x

    def f(x: Any) -> Any:
        h = doubled(np.sin(x))
        return np.stack([h, -h])

    x = np.array([0.5, 1.0])
    each = np.diag(2 * np.cos(x))
    np.testing.assert_allclose(jacobian(f)(x), [each, -each])
    tangent = jvp(f, (x,), (np.ones(2),))[1]
    np.testing.assert_allclose(tangent, [2 * np.cos(x), -2 * np.cos(x)])


def test_large_jacobians_take_several_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    f, x = (lambda x: np.cumsum(np.sin(np.outer(x, x)))), np.arange(5.0)
    whole = jacobian(f)(x)
    monkeypatch.setattr(derivatives, "_MOST", 600)
    np.testing.assert_allclose(jacobian(f)(x), whole, atol=1e-12)
    np.testing.assert_allclose(capture(jacobian(f))(x).data, whole, atol=1e-12)
