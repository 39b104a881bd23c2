"""Every function of the vocabulary in a captured step, with its gradients, as drawn for the eager tests."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest
from cases import CASES
from composition_cases import COMPOSITION_CASES
from examples import Example, Examples, from_table
from finite_differences import listed
from function_cases import FUNCTION_CASES
from programs import assert_programs_agree

from autograd_spiral import Tensor, grad
from autograd_spiral.engine.messages import name_of
from autograd_spiral.vocabulary.rules.indexing import scatter

ALL = CASES | COMPOSITION_CASES | FUNCTION_CASES
INDEXING = {operator.getitem, scatter}
EXAMPLES = {f: Examples(f, case, 8 if f in INDEXING else 2 if case is from_table else 4) for f, case in ALL.items()}


def captured_and_eager(example: Example) -> None:
    leaves = [Tensor(a, requires_grad=True) for i, a in enumerate(example.arrays) if i in example.argnums]
    rest = [a for i, a in enumerate(example.arrays) if i not in example.argnums]
    outputs = listed(example.oracle(*example.arrays))
    rng = np.random.default_rng(3)
    weights = [rng.uniform(0.5, 2, np.shape(out)) for out in outputs]

    def step(*constants: Any) -> Any:
        given_leaves, given_constants = iter(leaves), iter(constants)
        args = [next(given_leaves if i in example.argnums else given_constants) for i in range(len(example.arrays))]
        outputs = listed(example.call(*args))
        if not leaves:
            return outputs
        cotangents = [Tensor(weight) for weight in weights]
        pieces = grad(
            [o for o in outputs if o.requires_grad],
            leaves,
            [c for o, c in zip(outputs, cotangents, strict=True) if o.requires_grad],
        )
        for leaf, piece in zip(leaves, pieces, strict=True):
            leaf.assign(leaf - 2.0**-20 * piece)
        return outputs, pieces

    assert_programs_agree(step, leaves, [rest, rest])


@pytest.mark.parametrize("function", EXAMPLES, ids=name_of)
def test_programs_of_every_function_agree(function: Any) -> None:
    def holds(example: Example) -> None:
        if function in INDEXING and any(a.dtype == bool for a in example.arrays[1:]):
            return  # that is refused
        captured_and_eager(example)

    EXAMPLES[function].check(holds)
