"""Printed texts with `jax.numpy` for `np`: a sample of the vocabulary, forward and backward."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
from finite_differences import listed

from autograd_spiral import Tensor, capture, grad, softmax
from autograd_spiral.engine.messages import name_of
from autograd_spiral.gradcheck.examples import EXAMPLES

SAMPLE: tuple[Any, ...] = (
    *(np.logaddexp, np.where, softmax, np.prod, np.cov, np.gradient, np.take, np.repeat, np.roll, np.pad),
    *(np.sort, np.partition, np.median, np.einsum, np.linalg.solve, np.linalg.cholesky, np.hypot.accumulate),
)
PATH = ["einsum_path", (0, 1), (0, 1)]


@pytest.mark.parametrize("function", SAMPLE, ids=name_of)
def test_the_text_of_a_function_and_its_gradient_runs_under_jax(function: Any, jax: Any) -> None:
    example = EXAMPLES[function][0](np.random.default_rng(0))
    check_text(example.function, example.inputs, jax)


def test_the_text_of_an_einsum_in_a_given_order_runs_under_jax(jax: Any) -> None:
    inputs = [np.linspace(-1, 2, 6).reshape(shape) for shape in ((2, 3), (3, 2), (2, 3))]
    check_text(lambda *xs: np.einsum("ij,jk,kl", *xs, optimize=PATH), inputs, jax)


def test_the_text_of_log_expit_runs_under_jax(jax: Any) -> None:
    special = pytest.importorskip("scipy.special")
    check_text(special.log_expit, [np.linspace(-50, 50, 7)], jax)


def check_text(function: Any, inputs: Any, jax: Any) -> None:
    leaves = [Tensor(x, x.dtype.kind == "f", f"x{i}") for i, x in enumerate(inputs)]
    floating = [leaf for leaf in leaves if leaf.requires_grad]

    def step() -> Any:
        outputs = listed(function(*leaves))
        smooth = [out for out in outputs if out.requires_grad]
        cotangents = [Tensor(np.linspace(0.5, 2, out.size).reshape(out.shape)) for out in smooth]
        return outputs, grad(smooth, floating, cotangents)

    captured = capture(step)
    expected = [result.data for results in captured() for result in results]
    names: dict[str, Any] = {}
    exec(captured.source.replace("import numpy as np", "import jax.numpy as np").replace("scipy", "jax.scipy"), names)
    known = {**captured.program.constants, **{leaf.name: leaf.data for leaf in leaves}}
    given = [jax.numpy.asarray(known[name]) for name in inspect.signature(names["step"]).parameters]
    found = listed(names["step"](*given))
    assert len(found) == len(expected)
    for result, value in zip(found, expected, strict=True):
        np.testing.assert_allclose(np.asarray(result), value, rtol=1e-10, atol=1e-12)
