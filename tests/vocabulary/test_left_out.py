"""Every public function of NumPy that can be called on Tensors is in the vocabulary, or left out with a reason."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from autograd_spiral import CaptureError, Tensor, capture
from autograd_spiral.engine.messages import _WRITERS, name_of
from autograd_spiral.engine.table import COMPOSITIONS, PRIMITIVES, VALUE_FUNCTIONS
from autograd_spiral.errors import AutogradError, InPlaceError
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


def test_what_is_said_of_values_is_true_in_captured_steps_too() -> None:
    labels = np.array([0, 2, 2])
    assert np.unique(Tensor(labels).data).tolist() == [0, 2]
    with pytest.raises(AutogradError, match=r"write np\.unique\(t\.data\), outside captured steps, since the shape"):
        capture(np.unique)(labels)
    with pytest.raises(CaptureError, match=r"read values outside the step"):
        capture(lambda labels: np.unique(labels.data))(labels)
    every = [instead for instead in LEFT.values() if ".data" in instead]
    assert all(instead.endswith(" outside captured steps") for instead in every)


def test_an_array_that_would_be_filled_is_made_of_its_rows() -> None:
    h = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    made = r"write np\.stack\(\[row, …\]\) or np\.concatenate\(\[part, …\]\) for an array made part by part"
    with pytest.raises(AutogradError, match=made):
        np.empty_like(h)
    with pytest.raises(InPlaceError, match=r"np\.stack\(\[row, …\]\) for an array made row by row"):
        np.zeros_like(h)[0] = h[1]
    assert np.stack([h[1], h[0]]).data.tolist() == [[3, 4], [1, 2]]
