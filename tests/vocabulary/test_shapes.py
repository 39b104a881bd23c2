"""Joining, splitting and windows: what they cost, and what else is the same as in NumPy."""

from __future__ import annotations

import re
import sys
from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from autograd_spiral import Tensor, capture, grad
from autograd_spiral.engine.modes import Observer, entering
from autograd_spiral.errors import NoRuleError, ShapeError
from autograd_spiral.vocabulary.compositions.arguments import available

# --- many parts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "join",
    [np.stack, np.concatenate, lambda parts: np.concatenate(parts, axis=None)],
    ids=["stack", "concatenate", "ravelled"],
)
@pytest.mark.parametrize("create_graph", [False, True])
def test_the_gradient_of_joined_parts_takes_time_in_proportion_to_their_number(join, create_graph):
    def calls(count):
        parts = [Tensor([float(i)], requires_grad=True) for i in range(count)]
        out = np.sum(join(parts) * np.arange(1.0, count + 1).reshape(join([part.data for part in parts]).shape))
        made = 0

        def counted(frame, event, argument):
            nonlocal made
            made += 1

        sys.setprofile(counted)
        try:
            found = grad(out, parts, create_graph=create_graph)
        finally:
            sys.setprofile(None)
        assert [float(slope) for slope in found] == list(range(1, count + 1))
        return made

    assert calls(80) < 2.2 * calls(40)


class Written(Observer):
    """Counts the entries of the arrays that a sweep makes."""

    def __init__(self) -> None:
        self.entries = 0

    def swept(self, node: Any, argument: int, ct: Any, piece: Any) -> None:
        self.entries += piece.size


SPLITS = {
    "split": np.split,
    "array_split": lambda x, count: np.array_split(x, count),
    "at places": lambda x, count: np.split(x, list(range(1, count))),
    **{f.__name__: lambda x, count, f=f: f(x) for f in available("unstack")},
}


@pytest.mark.parametrize("split", SPLITS.values(), ids=SPLITS)
@pytest.mark.parametrize("create_graph", [False, True])
def test_the_gradient_of_n_parts_writes_n_log_n_entries(split: Any, create_graph: bool) -> None:
    def entries(count: int) -> int:
        x = Tensor(np.arange(2.0 * count).reshape(count, 2), requires_grad=True)
        out = sum(i * np.sum(part) for i, part in enumerate(split(x, count)))
        with entering(observer=Written()) as mode:
            found = grad(out, x, create_graph=create_graph)
        np.testing.assert_array_equal(found.data, np.arange(count)[:, None] * np.ones(2))
        return mode.observer.entries

    assert entries(512) < 2 * (1 + 1 / np.log2(256)) * entries(256) * 1.05


def test_the_second_gradient_of_joined_parts_writes_n_log_n_entries() -> None:
    def entries(count: int) -> int:
        parts = [Tensor([1.0 + i], requires_grad=True) for i in range(count)]
        weights = Tensor(np.ones(count), requires_grad=True)
        pieces = grad(np.concatenate(parts), parts, weights, create_graph=True)
        with entering(observer=Written()) as mode:
            found = grad(pieces, weights, [np.full(1, float(i)) for i in range(count)])
        np.testing.assert_array_equal(found.data, np.arange(count))
        return mode.observer.entries

    assert entries(512) < 2 * (1 + 1 / np.log2(256)) * entries(256) * 1.05


# --- windows ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray, lambda x: x[::-1], lambda x: x[:, ::2]])
def test_windows_are_a_view_that_nobody_can_write_to(layout: Any) -> None:
    x = Tensor(layout(np.arange(24.0).reshape(4, 6)), requires_grad=True)
    found = sliding_window_view(x, (2, 2)).data
    assert found.base is not None
    assert np.ptp([found[0, 0].ctypes.data, found[0, 1].ctypes.data]) == x.data.itemsize  # not copied
    with pytest.raises(ValueError, match="WRITEABLE"):
        found.setflags(write=True)


def test_windows_in_a_program_see_new_values() -> None:
    weights = Tensor(np.ones((2, 2)), requires_grad=True)

    @capture
    def step(x: Any) -> Any:
        windows = sliding_window_view(np.exp(x), (2, 2))
        out = np.einsum("ijkl,kl->ij", windows, weights, optimize=True)
        return out, grad(np.sum(out * out), weights)

    for seed in range(4):
        x = np.random.default_rng(seed).standard_normal((4, 5))
        windows = sliding_window_view(np.exp(x), (2, 2))
        out = windows.sum(axis=(2, 3))
        found, piece = step(x)
        np.testing.assert_allclose(found.data, out)
        np.testing.assert_allclose(piece.data, 2 * np.einsum("ij,ijkl->kl", out, windows))


def test_a_convolution_is_an_einsum_of_windows() -> None:
    rng = np.random.default_rng(0)
    x, w = (Tensor(rng.standard_normal(shape), requires_grad=True) for shape in ((2, 6, 7), (3, 3, 2)))
    found = np.einsum("nijkl,klc->nijc", sliding_window_view(x, (3, 3), axis=(1, 2)), w, optimize=True)
    expected = sum(x[:, i : i + 4, j : j + 5, None] * w[i, j] for i in range(3) for j in range(3))
    np.testing.assert_allclose(found.data, expected.data)
    ct = rng.standard_normal(found.shape)
    for piece, other in zip(grad(found, [x, w], ct), grad(expected, [x, w], ct), strict=True):
        np.testing.assert_allclose(piece.data, other.data)


def test_an_entry_of_many_float16_windows_gets_the_sum_of_all() -> None:
    x = Tensor(np.ones(8191, np.float16), requires_grad=True)
    piece = grad(sliding_window_view(x, 4096), x, np.ones((4096, 4096), np.float16))
    assert piece.data[4095] == 4096


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda t: sliding_window_view(t, 2), r"sliding_window_view of shapes \(2, 3\).*[Mm]ust provide"),
        (lambda t: sliding_window_view(t, (3, 3)), r"sliding_window_view of shapes \(2, 3\).*larger than input"),
    ],
)
def test_windows_that_do_not_fit_say_so(call: Any, says: str) -> None:
    with pytest.raises(ShapeError, match=says):
        call(Tensor(np.ones((2, 3))))


# --- as in NumPy ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.hstack([1.5, x[0], x[1]]),
        lambda x: np.vstack([x, [1, 2, 3]]),
        lambda x: np.column_stack([x, [1, 2]]),
        lambda x: np.append(x, 4),
        lambda x: np.append([[1, 2, 3]], x, axis=0),
        lambda x: np.block([x, np.ones((2, 1))]),
        lambda x: np.block([[1.0, x[0, 0]], [2, 3]]),
        lambda x: np.block(x),
        lambda x: np.insert(x, [0, 2], [7, 8]),
        lambda x: np.insert([1.0, 2.0], 1, x[0]),
        lambda x: np.delete(x, [], axis=0),
        lambda x: np.pad(x, 0, "edge"),
        lambda x: np.resize(x[:, :0], (2, 2)),
        lambda x: np.rot90(x, 2, axes=(-1, 0)),
        lambda x: np.take(x, [-7, 9], mode="wrap"),
        lambda x: np.take(x, 9, axis=1, mode="clip"),
    ],
)
def test_numbers_lists_and_corner_cases_are_taken_as_in_numpy(call: Any) -> None:
    x = np.arange(1.0, 7.0).reshape(2, 3)
    found = call(Tensor(x, requires_grad=True))
    assert found.requires_grad
    np.testing.assert_array_equal(found.data, call(x))
    assert found.dtype == call(x).dtype


def test_positions_may_be_a_tensor() -> None:
    x, at = np.arange(6.0).reshape(2, 3), Tensor([0, -1])
    for call in (lambda x, at: np.delete(x, at, axis=1), lambda x, at: np.insert(x, at, 9.0, axis=1)):
        np.testing.assert_array_equal(call(Tensor(x), at).data, call(x, at.data))


def test_what_is_returned_with_a_tensor_is_a_tensor() -> None:
    t = Tensor([1.0, 2.0], requires_grad=True)
    for found in (np.broadcast_arrays(t, np.ones(2)), np.meshgrid([1, 2], t, sparse=True), np.atleast_1d(3, t)):
        assert type(found) is tuple
        assert all(isinstance(part, Tensor) for part in found)


def test_pad_takes_a_dict_of_axes() -> None:
    x = np.arange(6.0).reshape(2, 3)
    for mode in ("constant", "wrap"):
        found = np.pad(Tensor(x), {-1: (1, 2), 0: 1}, mode)
        np.testing.assert_array_equal(found.data, np.pad(x, ((1, 1), (1, 2)), mode))
    with pytest.raises(np.exceptions.AxisError):
        np.pad(Tensor(x), {2: 1})


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda t: np.block([[t, t], t]), ValueError, "depths are mismatched"),
        (lambda t: np.block([t, []]), ValueError, "mismatched"),
        (lambda t: np.hstack([t, t[0]]), ShapeError, "dimension"),
        (lambda t: np.array_split(t, 0), ValueError, "must be one or more"),
        (lambda t: np.pad(t, 1, "mean"), NoRuleError, r"mode='mean'.*use 'constant', 'edge'"),
        (lambda t: np.pad(t[:, :0], 1, "edge"), ValueError, "empty axis"),
        (lambda t: np.take(t, 0, mode="mirror"), ValueError, "'raise', 'wrap' or 'clip'"),
        (lambda t: np.diag(t[None]), ShapeError, re.escape("np.diag of shapes (1, 2, 3)")),
        (lambda t: np.meshgrid(t, t, indexing="xz"), ValueError, "indexing"),
    ],
)
def test_what_cannot_be_done_says_why(call: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        call(Tensor(np.ones((2, 3))))


def test_functions_that_numpy_does_not_have_are_left_out() -> None:
    assert available("stack", "no_such_function") == (np.stack,)


@pytest.mark.parametrize("function", [np.concatenate, np.stack, np.hstack, np.vstack])
@pytest.mark.parametrize("settings", [{"dtype": np.float32}, {"dtype": int, "casting": "unsafe"}])
def test_joining_converts_to_a_dtype(function: Any, settings: Any) -> None:
    x, y = Tensor([[1.5, 2.5]], requires_grad=True), np.array([[3, 4]])
    found = function([x, y], **settings)
    expected = function([x.data, y], **settings)
    np.testing.assert_array_equal(found.data, expected)
    assert found.dtype == expected.dtype
    if found.requires_grad:
        assert grad(found, x, np.ones(found.shape, np.float32)).data.tolist() == [[1, 1]]
    with pytest.raises(TypeError, match="Cannot cast"):
        function([x, y], dtype=int)


def test_entries_at_positions_that_a_step_computes_are_recorded() -> None:
    step = capture(lambda i: (np.take_along_axis(np.arange(6.0), i, 0), np.interp(i, [0, 1], [3.0, 5.0])))
    for i in (np.array([0, 2]), np.array([1, 5])):
        np.testing.assert_array_equal(step(i)[0].data, i)
        np.testing.assert_array_equal(step(i)[1].data, np.interp(i, [0, 1], [3, 5]))
