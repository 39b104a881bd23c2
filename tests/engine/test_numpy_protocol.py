"""NumPy's functions on Tensors: what is refused, which arguments are read, and arrays of every shape and layout."""

import inspect
from functools import partial

import numpy as np
import pytest

from autograd_spiral import Tensor, grad
from autograd_spiral.engine.table import COMPOSITIONS, PRIMITIVES
from autograd_spiral.errors import DtypeError, NoRuleError, ShapeError


def leaf(data):
    return Tensor(np.array(data, dtype=float), requires_grad=True)


# --- what has no rule is refused when it is recorded ----------------------------------------------------------------

NO_RULE = {
    "np.sort": lambda t: np.sort(t),
    "np.linalg.svd": lambda t: np.linalg.svd(t),
    "np.fft.fft": lambda t: np.fft.fft(t),
    "np.floor_divide": lambda t: np.floor_divide(t, 2),
    "np.modf": lambda t: np.modf(t),
    "np.nan_to_num": lambda t: np.nan_to_num(t),
}


@pytest.mark.parametrize("name", NO_RULE)
@pytest.mark.parametrize("make", [leaf, Tensor], ids=["leaf", "constant"])
def test_a_function_without_a_rule_is_refused_by_name(name, make):
    with pytest.raises(NoRuleError, match=rf"{name} has no gradient rule.*t\.data.*@primitive"):
        NO_RULE[name](make([[1.0, 2.0], [3.0, 5.0]]))


@pytest.mark.parametrize(
    ("call", "remedy"),
    [
        (lambda t: np.add.reduce(t), r"np\.add\.reduce .*np\.sum"),
        (lambda t: np.multiply.reduce(t), r"np\.prod"),
        (lambda t: np.maximum.reduce(t), r"np\.max"),
        (lambda t: np.add.accumulate(t), r"np\.cumsum"),
        (lambda t: np.multiply.outer(t, t), "broadcasting"),
    ],
)
def test_ufunc_methods_name_the_function_to_use(call, remedy):
    with pytest.raises(NoRuleError, match=remedy):
        call(leaf([1, 2]))


@pytest.mark.parametrize("other", [1j, np.array([1j, 2]), np.array([1, None]), None, "text"], ids=repr)
@pytest.mark.parametrize("call", [np.multiply, np.add, lambda t, o: o * t, lambda t, o: np.where([True, False], t, o)])
def test_operands_that_are_no_real_numbers_are_refused_by_name(call, other):
    with pytest.raises(DtypeError, match=r"np\.\w+: the dtype must be floating, integer or bool"):
        call(leaf([1, 2]), other)


# --- keywords and positions -----------------------------------------------------------------------------------------

SQUARE = [[1.0, 2.0], [3.0, 4.0]]
UNHONOURED = [
    (np.sum, {"initial": 3.0}),
    (np.sum, {"where": np.array(True)}),
    (np.sum, {"dtype": np.float32}),
    (np.sum, {"out": np.zeros(())}),
    (np.mean, {"dtype": np.float32}),
    (np.mean, {"where": np.array(True)}),
    (np.max, {"initial": 0.0}),
    (np.min, {"out": np.zeros(())}),
    (np.prod, {"initial": 2.0}),
    (np.var, {"mean": 0.0}),
    (np.std, {"dtype": np.float32}),
    (np.cumsum, {"dtype": np.float32}),
    (np.argmax, {"out": np.zeros((), int)}),
    (np.ravel, {"order": "F"}),
    (np.copy, {"order": "F"}),
    (np.trace, {"dtype": np.float32}),
    (np.zeros_like, {"order": "F"}),
    (np.ones_like, {"shape": (3,)}),
    (np.exp, {"dtype": np.float32}),
    (np.exp, {"casting": "no"}),
    (partial(np.clip, a_min=0, a_max=1), {"casting": "no"}),
]


@pytest.mark.parametrize(("function", "keywords"), UNHONOURED, ids=lambda case: str(case)[:40])
def test_keywords_that_are_not_honoured_are_refused_by_name(function, keywords):
    with pytest.raises(NoRuleError, match="|".join(keywords)):
        function(leaf(SQUARE), **keywords)


@pytest.mark.parametrize(
    "call",
    [
        lambda t: np.reshape(t, (4,), order="F"),
        lambda t: np.reshape(t, (4,), "F"),
        lambda t: np.take(t, [0], mode="clip"),
        lambda t: np.concatenate([t, t], dtype=np.float32),
        lambda t: np.stack([t, t], casting="no"),
        lambda t: np.einsum("ij->i", t, dtype=np.float32),
        lambda t: np.sum(t, 0, np.float32),
        lambda t: np.pad(t, 1, mode="edge"),
        lambda t: np.where(t),
    ],
)
def test_other_arguments_that_are_not_honoured(call):
    with pytest.raises(TypeError, match=r"np\.|mode='edge'"):
        call(leaf(SQUARE))


def test_defaults_spelled_out_are_let_through():
    t = leaf(SQUARE)
    assert np.sum(t, axis=None, dtype=None, out=None).item() == 10
    assert np.sum(t, where=True).item() == 10
    assert np.add(t, 1, out=None).data[0, 0] == 2


def test_every_signature_is_a_prefix_of_numpys():
    checked = 0
    binds = {function: row.bind for function, row in PRIMITIVES.items() if row.bind is not None}
    for function, ours in [*COMPOSITIONS.items(), *binds.items()]:
        if isinstance(function, np.ufunc) or not str(getattr(function, "__module__", "")).startswith("numpy"):
            continue
        if function is np.einsum:  # its first operand is the subscripts
            continue
        checked += 1
        try:
            theirs = list(inspect.signature(function).parameters.values())
        except ValueError:  # of functions written in C, older NumPys know none
            continue
        names = {p.name for p in theirs}
        positional = [p for p in theirs if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        index = 0
        for parameter in inspect.signature(ours).parameters.values():
            where = f"{function.__name__}: {parameter}"
            if parameter.kind is parameter.KEYWORD_ONLY:
                assert parameter.name in names or any(p.kind is p.VAR_KEYWORD for p in theirs), where
                continue
            assert parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD), where
            assert index < len(positional), where
            if positional[index].kind is not parameter.POSITIONAL_ONLY:
                assert positional[index].name.replace("newshape", "shape") == parameter.name, where  # before NumPy 2.1
            if isinstance(positional[index].default, int | str) and parameter.default is not parameter.empty:
                assert positional[index].default == parameter.default, where
            index += 1
    assert checked > 30


# --- shapes that do not fit -----------------------------------------------------------------------------------------

PAIRWISE = [row for row in PRIMITIVES.values() if row.arity >= 2 and isinstance(row.function, np.ufunc)]
MISFITS = {
    "np.where": lambda x, y: np.where(x > 0, x, y),
    "np.concatenate": lambda x, y: np.concatenate([x, y]),
    "np.stack": lambda x, y: np.stack([x, y]),
    "np.einsum": lambda x, y: np.einsum("ij,jk->ik", x, y),
    "np.dot": np.dot,
    "np.inner": np.inner,
    "np.tensordot": lambda x, y: np.tensordot(x, y, 1),
    "np.vdot": np.vdot,
}


@pytest.mark.parametrize("row", PAIRWISE, ids=lambda row: row.name)
def test_shapes_that_do_not_fit_name_the_function_and_both_shapes(row):
    bits = row.name.startswith("np.bitwise")
    x, y = (np.ones(shape, bool if bits else float) for shape in ((2, 3), (2, 4)))
    for call in ((Tensor(x), Tensor(y)), (x, Tensor(y)), (Tensor(x), y)):
        with pytest.raises(ShapeError, match=rf"{row.name} of shapes \(2, 3\), \(2, 4\)"):
            row.function(*call)


@pytest.mark.parametrize("name", MISFITS)
def test_other_functions_name_themselves_and_both_shapes(name):
    with pytest.raises(ShapeError, match=rf"^{name} of shapes .*\(2, 3\), \(2, 4\)"):
        MISFITS[name](leaf(np.ones((2, 3))), leaf(np.ones((2, 4))))


def test_shapes_of_vectors_are_those_that_were_given():
    with pytest.raises(ShapeError, match=r"^np\.matmul of shapes \(3,\), \(2, 4\)"):
        leaf([1, 2, 3]) @ np.ones((2, 4))


def test_indices_that_do_not_fit_name_the_shapes():
    x = leaf(np.ones((2, 3)))
    for index in (5, [5], (0, 0, 0), ([0, 1], [0, 1, 2]), [True, False, True], 1.0):
        with pytest.raises(IndexError, match=r"^getitem of shapes \(2, 3\)"):
            x[index]


def test_errors_that_are_not_about_shapes_stay_what_they_are():
    with pytest.raises(ValueError, match="negative integer powers") as caught:
        Tensor([2]) ** Tensor([-1])
    assert not isinstance(caught.value, ShapeError)
    assert caught.value.__notes__ == ["in np.power of shapes (1,), (1,)"]
    with pytest.raises(np.exceptions.AxisError, match="axis 5 is out of bounds"):
        leaf([1, 2]).sum(axis=5)


# --- arrays of every shape and layout -------------------------------------------------------------------------------

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


def test_empty_reductions_are_numpys():
    empty = leaf(np.zeros((0, 3)))
    assert np.sum(empty).item() == 0
    assert np.prod(empty).item() == 1
    assert np.max(empty, axis=1).shape == (0,)
    with pytest.raises(ValueError, match=r"np\.max of shapes \(0, 3\).*zero-size"):
        np.max(empty)


@pytest.mark.parametrize("mask", [np.zeros((0, 3), bool), np.zeros(0, bool), [], np.zeros(0, int)], ids=str)
def test_empty_indices_are_numpys(mask):
    array = np.zeros((0, 3))
    x = leaf(array)
    assert x[mask].shape == array[mask].shape
    x[mask].sum().backward()
    assert x.grad.shape == (0, 3)


def test_no_row_and_no_column_in_a_product():
    x, w = leaf(np.zeros((0, 3))), leaf(np.ones((3, 2)))
    (x @ w).sum().backward()
    assert (x.grad.shape, w.grad.tolist()) == ((0, 3), [[0, 0]] * 3)
    thin, flat = leaf(np.zeros((2, 0))), leaf(np.zeros((0, 4)))
    out = thin @ flat
    out.sum().backward()
    assert (out.data.tolist(), thin.grad.shape, flat.grad.shape) == ([[0] * 4] * 2, (2, 0), (0, 4))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            lambda t: t @ np.ones((4, 2)),
            r"np\.matmul of shapes \(4, 3\), \(4, 2\): the rows .* 3 entries, but .* second have 4",
        ),
        (
            lambda t: np.dot(t, np.ones(2)),
            r"np\.dot of shapes \(4, 3\), \(2,\): the rows .* 3 entries, but .* second have 2",
        ),
        (
            lambda t: np.ones((5, 4, 2)) @ t,
            r"np\.matmul of shapes .*: the rows .* 2 entries, but .* second have 4$",
        ),
        (lambda t: np.hstack([t, t]), r"np\.hstack has no gradient rule: write np\.concatenate\(…, axis=1\)"),
        (lambda t: np.round(t), r"np\.round has no gradient rule: write np\.rint\(t\)"),
        (lambda t: Tensor(1.0, name=3), r"the name must be a string, not int"),
    ],
)
def test_errors_say_what_does_not_fit_and_what_to_write(call, says):
    with pytest.raises((ShapeError, NoRuleError, TypeError), match=says):
        call(Tensor(np.ones((4, 3)), requires_grad=True))
