"""Every public function of NumPy that can be called on Tensors is in the vocabulary, or left out with a reason."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from autograd_spiral import Tensor
from autograd_spiral.engine.messages import _WRITERS, name_of
from autograd_spiral.engine.table import COMPOSITIONS, PRIMITIVES, VALUE_FUNCTIONS
from autograd_spiral.errors import AutogradError
from autograd_spiral.vocabulary.left_out import LEFT_OUT, named

MODULES = {"np": np, "np.linalg": np.linalg, "np.fft": np.fft, "np.lib.stride_tricks": np.lib.stride_tricks}


def public() -> Iterator[tuple[str, Any]]:
    """The public functions that ask their arguments: ufuncs, and those that follow `__array_function__`."""
    for prefix, module in MODULES.items():
        for name in dir(module):
            function = getattr(module, name)
            asks = isinstance(function, np.ufunc) or hasattr(function, "_implementation")
            if asks and not name.startswith("_"):
                yield f"{prefix}.{name}", function


LEFT = {function: instead for function, instead, _ in named()}


def test_every_public_function_is_in_the_vocabulary_or_left_out_with_a_reason() -> None:
    found = dict(public())
    assert len(found) > 300
    known = PRIMITIVES.keys() | COMPOSITIONS.keys() | VALUE_FUNCTIONS | _WRITERS | LEFT.keys()
    assert [name for name, function in found.items() if function not in known] == []


def test_nothing_is_both_in_the_vocabulary_and_left_out() -> None:
    assert [name_of(f) for f in LEFT if f in PRIMITIVES or f in COMPOSITIONS] == []


def test_no_function_is_left_out_twice() -> None:
    names = [name for names in LEFT_OUT.values() for name in names.split()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("function", LEFT, ids=name_of)
def test_what_is_left_out_says_why_and_what_to_write(function: Any) -> None:
    t = Tensor([[0.5, 1.0], [1.0, 2.0]], requires_grad=True)
    with pytest.raises(AutogradError, match=r" has no gradient rule: write .*, since .* [a-z]+$"):
        t.__array_function__(function, (Tensor,), (t,), {})
