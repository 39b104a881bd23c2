"""The properties that every example call must have. Each is an assertion about one example."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from examples import Example
from finite_differences import directional, gradients, listed

from autograd_spiral import Tensor, grad

CLOSE = 1e-7  # finite differences keep nine digits or more on the domains of the cases


def tensors_of(example: Example) -> list[Any]:
    """The arguments: those with gradients as leaves, the others unchanged."""
    return [Tensor(a, requires_grad=True) if i in example.argnums else a for i, a in enumerate(example.arrays)]


def assert_close(actual: Any, expected: Any, tolerance: float, what: str) -> None:
    """Assert equality up to `tolerance` times the largest entry or 1: entries of that size may have cancelled."""
    actual, expected = np.asarray(actual, float), np.asarray(expected, float)
    atol = tolerance * np.max(np.abs(expected), initial=1, where=np.isfinite(expected))
    with np.errstate(invalid="ignore"):  # of infinities
        close = actual.shape == expected.shape and np.all(np.abs(actual - expected) <= atol)
    if not close:  # tells more, and takes much longer
        np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=atol, err_msg=what)


def assert_value(example: Example) -> None:
    """Assert that the value is NumPy's, with all or some arguments Tensors, and that no argument changes."""
    before = [a.copy() for a in example.arrays]
    expected = listed(example.oracle(*example.arrays))
    wrapped = [Tensor(a) for a in example.arrays]
    for args in (tensors_of(example), wrapped, [wrapped[0], *example.arrays[1:]]):
        outputs = listed(example.call(*args))
        assert len(outputs) == len(expected)
        for output, value in zip(outputs, expected, strict=True):
            if not any(isinstance(arg, Tensor) for arg in args):
                continue  # no argument is floating
            assert isinstance(output, Tensor)
            value = np.asarray(value)
            assert output.shape == value.shape
            assert output.dtype == value.dtype
            assert not output.data.flags.writeable
            precision = [a.dtype for a in (*example.arrays, value) if a.dtype.kind == "f"]
            tolerance = 64 * max((np.finfo(dtype).eps for dtype in precision), default=0)
            assert_close(output.data, value, tolerance, "value")
    for array, copy in zip(example.arrays, before, strict=True):
        assert array.tobytes() == copy.tobytes()


def assert_recorded_without_gradient(example: Example) -> None:
    """Assert that no output requires gradients, although the arguments do."""
    args = [Tensor(a, requires_grad=a.dtype.kind == "f") for a in example.arrays]
    for output in listed(example.call(*args)):
        assert not output.requires_grad


def assert_gradients(example: Example) -> None:
    """Assert that the gradient with respect to every argument matches finite differences of NumPy's function."""
    tensors, point, function = _smooth(example)
    outputs = listed(example.call(*tensors))
    rng = np.random.default_rng(0)
    cotangents = [rng.uniform(0.5, 2, out.shape) * rng.choice([-1, 1], out.shape) for out in outputs]
    found = grad(outputs, [tensors[i] for i in example.argnums], cotangents)
    for piece, x, expected in zip(found, point, gradients(function, point, cotangents), strict=True):
        assert piece.shape == x.shape
        assert piece.dtype == x.dtype
        assert_close(piece.data, expected, CLOSE, "first order")


def assert_second_order(example: Example) -> None:
    """Assert that gradients of the gradients, along a random direction, match finite differences.

    With respect to the arguments this is the second derivative times the direction, compared with differences of the
    first-order gradient; with respect to the cotangents it is the derivative of the outputs along the direction,
    compared with differences of NumPy's function.
    """
    tensors, point, function = _smooth(example)
    rng = np.random.default_rng(1)
    outputs = listed(example.call(*tensors))
    cotangents = [Tensor(rng.uniform(0.5, 2, out.shape), requires_grad=True) for out in outputs]
    leaves = [tensors[i] for i in example.argnums]
    directions = [rng.uniform(-1, 1, x.shape) for x in point]
    firsts = grad(outputs, leaves, cotangents, create_graph=True)
    seconds = grad(firsts, [*leaves, *cotangents], directions)

    def gradient(*arrays: np.ndarray) -> list[np.ndarray]:
        moved = Example(example.call, _replaced(example, arrays))
        args = tensors_of(moved)
        pieces = grad(listed(moved.call(*args)), [args[i] for i in example.argnums], [ct.data for ct in cotangents])
        return [piece.data for piece in pieces]

    for first, expected in zip(firsts, gradient(*point), strict=True):
        assert_close(first.data, expected, 1e-14, "first order, recorded")
    expected = [*directional(gradient, point, directions), *directional(function, point, directions)]
    for piece, value in zip(seconds, expected, strict=True):
        assert piece.shape == value.shape
        assert_close(piece.data, value, CLOSE, "second order")


def assert_precision(example: Example, dtype: Any) -> None:
    """Assert that, in a narrower `dtype`, the value is NumPy's, and gradients have the dtype and its precision.

    Where NumPy refuses the dtype, as its linear algebra does float16, assert that tensors raise the same error.
    """
    narrow = example.cast(dtype)
    try:
        narrow.oracle(*narrow.arrays)
    except TypeError as error:
        with pytest.raises(TypeError, match=re.escape(str(error))):
            narrow.call(*tensors_of(narrow))
        return
    assert_value(narrow)
    wide = narrow.cast(np.float64)
    args, wide_args = tensors_of(narrow), tensors_of(wide)
    outputs, wide_outputs = listed(narrow.call(*args)), listed(wide.call(*wide_args))
    if not example.argnums:
        return
    rng = np.random.default_rng(2)
    cotangents = [rng.uniform(0.5, 2, out.shape).astype(out.dtype) for out in outputs]
    found = grad(outputs, [args[i] for i in example.argnums], cotangents)
    expected = grad(wide_outputs, [wide_args[i] for i in example.argnums], [ct.astype(np.float64) for ct in cotangents])
    for piece, value in zip(found, expected, strict=True):
        assert piece.dtype == dtype
        assert_close(piece.data, value.data, 64 * np.finfo(dtype).eps, f"gradient in {np.dtype(dtype)}")


def _replaced(example: Example, arrays: tuple[np.ndarray, ...]) -> tuple[Any, ...]:
    remaining = iter(arrays)
    return tuple(next(remaining) if i in example.argnums else a for i, a in enumerate(example.arrays))


def _smooth(example: Example) -> tuple[list[Any], list[np.ndarray], Any]:
    """The arguments as Tensors, those with gradients as arrays, and NumPy's function of only these."""
    point = [example.arrays[i] for i in example.argnums]
    return tensors_of(example), point, lambda *arrays: example.oracle(*_replaced(example, arrays))
