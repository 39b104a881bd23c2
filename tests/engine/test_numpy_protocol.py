"""NumPy's functions on Tensors of every shape and memory layout, including empty Tensors."""

import io

import numpy as np
import pytest
from leaves import leaf

from autograd_spiral import Tensor, capture, grad
from autograd_spiral.errors import CaptureError

BASE = np.arange(1.0, 13).reshape(3, 4)


def read_only(array):
    array.flags.writeable = False
    return array


def mapped(path):
    array = np.memmap(path / "values", np.float64, "w+", shape=(3, 4))
    array[:] = BASE
    return array


LAYOUTS = {
    "0-d": lambda path: np.array(3.0),
    "size 1": lambda path: np.array([[3.0]]),
    "empty": lambda path: np.zeros((0, 3)),
    "empty inside": lambda path: np.zeros((2, 0, 3)),
    "strided": lambda path: BASE[::2, 1::2],
    "negative strides": lambda path: BASE[::-1, ::-1],
    "Fortran order": lambda path: np.asfortranarray(BASE),
    "transposed": lambda path: BASE.T,
    "broadcast": lambda path: np.broadcast_to(np.array([1.0, 2.0]), (3, 2)),
    "read-only": lambda path: read_only(BASE.copy()),
    "memory-mapped": mapped,
    "big-endian": lambda path: BASE.astype(">f8"),
}
CALLS = {
    "square": (lambda x: x * x, lambda a: 2 * a),
    "array operand": (lambda x: x * x.data[...], lambda a: a),
    "sum": (lambda x: np.sum(x), lambda a: np.ones(a.shape)),
    "ravel": (lambda x: np.ravel(x) * 2, lambda a: np.full(a.shape, 2.0)),
    "transpose": (lambda x: x.T * 3, lambda a: np.full(a.shape, 3.0)),
    "flip": (lambda x: np.flip(x) * np.flip(x), lambda a: 2 * a),
    "scalar added": (lambda x: x + np.float64(1), lambda a: np.ones(a.shape)),
    "masked": (lambda x: x[x > 2] * 1, lambda a: (a > 2) * 1.0),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", CALLS)
def test_values_shapes_and_gradients_in_every_layout(layout, name, tmp_path):
    array = LAYOUTS[layout](tmp_path)
    before = np.array(array)
    call, gradient = CALLS[name]
    x = Tensor(array, requires_grad=True)
    assert (x.shape, x.dtype) == (array.shape, np.float64)
    out = call(x)
    out.backward(np.ones(out.shape, out.dtype))
    assert (x.grad.shape, x.grad.dtype) == (array.shape, np.float64)
    np.testing.assert_array_equal(x.grad, gradient(before))
    np.testing.assert_array_equal(array, before)
    assert x.grad.flags.writeable


@pytest.mark.parametrize("layout", LAYOUTS)
def test_array_operands_in_every_layout(layout, tmp_path):
    array = LAYOUTS[layout](tmp_path)
    x = leaf(np.full(array.shape, 2.0))
    for out in (x * array, array * x):
        assert isinstance(out, Tensor)
        np.testing.assert_array_equal(out.data, 2 * np.array(array))
        np.testing.assert_array_equal(grad(out, x, np.ones(out.shape, out.dtype)).data, array)


def test_empty_reductions_are_as_in_numpy():
    empty = leaf(np.zeros((0, 3)))
    assert np.sum(empty).item() == 0
    assert np.prod(empty).item() == 1
    assert np.max(empty, axis=1).shape == (0,)
    with pytest.raises(ValueError, match=r"np\.max of shapes \(0, 3\).*zero-size"):
        np.max(empty)


@pytest.mark.parametrize("mask", [np.zeros((0, 3), bool), np.zeros(0, bool), [], np.zeros(0, int)], ids=str)
def test_empty_indices_are_as_in_numpy(mask):
    array = np.zeros((0, 3))
    x = leaf(array)
    assert x[mask].shape == array[mask].shape
    x[mask].sum().backward()
    assert x.grad.shape == (0, 3)


def test_products_of_matrices_without_rows_or_columns():
    x, w = leaf(np.zeros((0, 3))), leaf(np.ones((3, 2)))
    (x @ w).sum().backward()
    assert (x.grad.shape, w.grad.tolist()) == ((0, 3), [[0, 0]] * 3)
    thin, flat = leaf(np.zeros((2, 0))), leaf(np.zeros((0, 4)))
    out = thin @ flat
    out.sum().backward()
    assert (out.data.tolist(), thin.grad.shape, flat.grad.shape) == ([[0] * 4] * 2, (2, 0), (0, 4))


VALUES = {
    "allclose": lambda x, y: (np.allclose(x, y + 1e-12), np.allclose(y, x, atol=0.5), np.allclose(2 * x, y)),
    "array_equal": lambda x, y: (np.array_equal(x, y), np.array_equal(x, y + 1), np.array_equiv(y, x)),
    "array2string": lambda x, y: (np.array2string(x, precision=1), np.array_repr(x), np.array_str(2 * x)),
}


@pytest.mark.parametrize("name", VALUES)
def test_functions_that_can_only_mean_the_value_take_it(name):
    x = leaf(BASE / 3)
    assert VALUES[name](x, x.data) == VALUES[name](x.data, x.data)
    assert VALUES[name](x, x) == VALUES[name](x.data, x.data)
    with pytest.raises(CaptureError, match="reading a value is not possible while a step is being captured"):
        capture(lambda: VALUES[name](x, x))()


def test_files_of_parameters_hold_their_values(tmp_path):
    net = {"W": leaf(BASE), "b": Tensor([1, 2]), "out": leaf(2.0)}
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "net.npz", **net)
        with np.load(tmp_path / "net.npz") as file:
            restored = {name: Tensor(array) for name, array in file.items()}
        assert all(np.array_equal(restored[name], p) and restored[name].dtype == p.dtype for name, p in net.items())
        assert list(restored) == list(net)
    np.save(tmp_path / "W.npy", net["W"])
    assert np.array_equal(np.load(tmp_path / "W.npy"), net["W"])
    text = io.StringIO()
    np.savetxt(text, net["W"])
    assert np.array_equal(np.loadtxt(io.StringIO(text.getvalue())), BASE)
