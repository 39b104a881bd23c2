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
    *(np.sort, np.partition, np.median, np.einsum, np.linalg.solve, np.linalg.cholesky),
)


@pytest.mark.parametrize("function", SAMPLE, ids=name_of)
def test_the_text_of_a_function_and_its_gradient_runs_under_jax(function: Any, jax: Any) -> None:
    example = EXAMPLES[function][0](np.random.default_rng(0))
    leaves = [Tensor(x, x.dtype.kind == "f", f"x{i}") for i, x in enumerate(example.inputs)]
    floating = [leaf for leaf in leaves if leaf.requires_grad]

    def step() -> Any:
        outputs = listed(example.function(*leaves))
        smooth = [out for out in outputs if out.requires_grad]
        cotangents = [Tensor(np.linspace(0.5, 2, out.size).reshape(out.shape)) for out in smooth]
        return outputs, grad(smooth, floating, cotangents)

    captured = capture(step)
    expected = [result.data for results in captured() for result in results]
    names: dict[str, Any] = {}
    exec(captured.source.replace("import numpy as np", "import jax.numpy as np"), names)
    known = {**captured.program.constants, **{leaf.name: leaf.data for leaf in leaves}}
    given = [jax.numpy.asarray(known[name]) for name in inspect.signature(names["step"]).parameters]
    found = listed(names["step"](*given))
    assert len(found) == len(expected)
    for result, value in zip(found, expected, strict=True):
        np.testing.assert_allclose(np.asarray(result), value, rtol=1e-10, atol=1e-12)
