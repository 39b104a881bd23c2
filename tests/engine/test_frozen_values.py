"""A recorded value never changes: neither through the arrays it came from, nor in place, nor through its gradients."""

import itertools
import operator

import numpy as np
import pytest
from leaves import leaf

from autograd_spiral import Tensor, grad, primitive
from autograd_spiral.engine.frozen import frozen_result
from autograd_spiral.engine.table import PRIMITIVES
from autograd_spiral.errors import GradientError, InPlaceError, NoRuleError, ShapeError, StaleLeafError

# --- results that are views ------------------------------------------------------------------------------------------


def test_a_result_that_is_a_new_array_in_another_shape_is_not_copied():
    reshape = PRIMITIVES[np.reshape]
    kept, new = np.zeros(6), np.zeros(6).reshape(2, 3)
    address = new.ctypes.data
    frozen = frozen_result(new, reshape)
    assert frozen.ctypes.data == address
    with pytest.raises(ValueError, match="WRITEABLE"):
        frozen.setflags(write=True)
    for view in (kept.reshape(2, 3), kept[::-1], np.zeros(6)[:3], memoryview(bytearray(8)), [kept.reshape(3, 2)][0].T):
        frozen = frozen_result(np.asarray(view), reshape)
        assert not np.shares_memory(frozen, np.asarray(view))
    assert kept.flags.writeable


# --- arrays that are overwritten after they were recorded -----------------------------------------------------------


def test_overwriting_the_array_that_a_tensor_was_made_from_changes_nothing():
    data = np.array([1.0, 2.0])
    x = Tensor(data, requires_grad=True)
    y = (x * x).sum()
    data[:] = 100
    y.backward()
    assert x.data.tolist() == [1, 2]
    assert x.grad.tolist() == [2, 4]


@pytest.mark.parametrize(
    "call",
    [
        lambda x, a: x * a,
        lambda x, a: a * x,
        lambda x, a: x * a[::-1][::-1],
        lambda x, a: np.multiply(a, x),
        lambda x, a: np.einsum("i,i->i", x, a),
        lambda x, a: np.concatenate([x * a, a])[:2],
    ],
)
def test_overwriting_an_array_operand_leaves_the_gradient_of_the_recorded_values(call):
    x, a = leaf([1, 2]), np.array([3.0, 5.0])
    y = call(x, a).sum()
    a[:] = 100
    y.backward()
    assert x.grad.tolist() == [3, 5]


def test_overwriting_a_matrix_or_a_0d_operand_changes_nothing():
    x, w, scale = leaf([[1, 2]]), np.array([[3.0], [5.0]]), np.array(2.0)
    y = ((x @ w) * scale).sum()
    w[:] = 100
    scale[...] = 100
    y.backward()
    assert x.grad.tolist() == [[6, 10]]


def test_overwriting_an_index_or_a_condition_changes_nothing():
    x = leaf([1, 2, 3])
    index, mask, chosen = np.array([0, 0]), np.array([True, False, True]), np.array([False, True, False])
    y = x[index].sum() + 10 * x[mask].sum() + 100 * np.where(chosen, x, 0).sum()
    index[:] = 2
    mask[:] = chosen[:] = ~mask
    y.backward()
    assert x.grad.tolist() == [12, 100, 10]


def test_assigning_to_a_tensor_that_was_a_slice_bound_changes_nothing():
    x, start = leaf([1, 2, 3]), Tensor(1)
    y = x[start:].sum()
    start.assign(2)
    y.backward()
    assert x.grad.tolist() == [0, 1, 1]


@pytest.mark.parametrize("container", [np.array, list])
def test_overwriting_a_parameter_of_a_declared_primitive_changes_nothing(container):
    @primitive(lambda ct, out, x, scale: ct * np.asarray(scale))
    def scaled(x, scale):
        return x * np.asarray(scale)

    x, scale = leaf([1, 2]), container([3.0, 5.0])
    y = scaled(x, scale=scale).sum()
    scale[0] = 100
    y.backward()
    assert x.grad.tolist() == [3, 5]


def test_a_list_operand_is_read_once():
    x, a = leaf([1, 2]), [3.0, 5.0]
    y = (x * a).sum()
    a[0] = 100
    y.backward()
    assert x.grad.tolist() == [3, 5]


# --- writing into tensors -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda x: x,
        lambda x: x + 1,
        lambda x: x.reshape(1, 2),
        lambda x: x[:1],
        lambda x: np.broadcast_to(x, (3, 2)),
        lambda x: x.detach(),
        lambda x: x.sum(),
    ],
)
def test_data_is_read_only(make):
    t = make(leaf([1, 2]))
    with pytest.raises(ValueError, match="read-only"):
        t.data[...] = 0
    with pytest.raises(ValueError, match="read-only"):
        t.numpy()[...] = 0


@pytest.mark.parametrize("read", [lambda t: t.data, lambda t: t.numpy(), lambda t: np.asarray(t.detach())])
@pytest.mark.parametrize("make", [lambda x: x, lambda x: x * 1, lambda x: x[:1], lambda x: x.T, lambda x: x.sum()])
def test_a_value_cannot_be_made_writable(make, read):
    x = leaf([[1, 2]])
    t = make(x)
    y = (t * t).sum()
    for array in (read(t), read(t)[...], read(t).T):
        with pytest.raises(ValueError, match="WRITEABLE"):
            array.setflags(write=True)
        with pytest.raises(ValueError, match="WRITEABLE"):
            array.flags.writeable = True
    y.backward()
    expected = leaf([[1, 2]])
    (make(expected) ** 2).sum().backward()
    assert x.grad.tolist() == expected.grad.tolist()


class Sensor:
    """An object that NumPy takes for an array, and that goes on writing into the array it returned."""

    def __init__(self):
        self.values = np.array([3.0, 5.0])

    def __array__(self, dtype=None, copy=None):
        return self.values


@pytest.mark.parametrize("use", [lambda x, s: x * s, lambda x, s: s * x, lambda x, s: x * Tensor(s)])
def test_an_object_that_returns_its_own_array_is_read_once_and_stays_writable(use):
    x, sensor = leaf([1, 2]), Sensor()
    y = use(x, sensor).sum()
    sensor.values[:] = 100
    y.backward()
    assert x.grad.tolist() == [3, 5]


@pytest.mark.parametrize(
    ("tensor", "called", "t"),
    [(Tensor([1.0], requires_grad=True, name="W"), "'W'", "W"), (Tensor(2.0) * 3, "a tensor", "t")],
)
def test_setting_data_names_assign(tensor, called, t):
    before = tensor.data.copy()
    with pytest.raises(InPlaceError) as caught:
        tensor.data = tensor.data - 0.1
    assert str(caught.value) == (
        f".data of {called} cannot be set, since a recorded value must not change: "
        f"write {t}.assign(…) to update a leaf, as in {t}.assign({t}.data - 0.1 * {t}.grad)"
    )
    with pytest.raises(ValueError, match="read-only"):  # raised by NumPy, before `data` is set
        tensor.data -= 0.1
    assert np.array_equal(tensor.data, before)


@pytest.mark.parametrize("value", [True, False])
def test_setting_requires_grad_names_what_to_make(value):
    x = leaf([1, 2]).named("x")
    with pytest.raises(GradientError, match=r"Tensor\(x\.data, requires_grad=True\) .*, or x\.detach\(\) for one"):
        x.requires_grad = value
    assert x.requires_grad


IN_PLACE = ["add", "sub", "mul", "truediv", "matmul", "pow", "floordiv", "mod", "and", "or", "xor"]


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place_operators_name_the_remedy(name):
    operate = getattr(operator, "i" + name if name not in ("and", "or") else f"i{name}")
    with pytest.raises(InPlaceError, match=r"'w'.*t = t \+ … .*t\.assign"):
        operate(Tensor([1.0], name="w"), 2)


@pytest.mark.parametrize(
    "write",
    [
        lambda t, a: np.add(a, a, out=t),
        lambda t, a: np.add(t, a, out=a),
        lambda t, a: operator.iadd(a, t),
        lambda t, a: np.add.at(t, 0, 1.0),
        lambda t, a: np.add.at(a, 0, t[0]),
        lambda t, a: operator.setitem(t, 0, 1.0),
        lambda t, a: np.copyto(t, a),
        lambda t, a: np.put(t, 0, 1.0),
        lambda t, a: np.fill_diagonal(t, 1.0),
    ],
)
def test_writing_into_a_tensor_or_from_one_names_the_remedy(write):
    t, a = leaf([1, 2]), np.array([3.0, 4.0])
    with pytest.raises(InPlaceError, match=r"assign\(|t \+ changes"):
        write(t, a)
    assert t.data.tolist() == [1, 2]
    assert a.tolist() == [3, 4]


def test_where_of_a_recorded_ufunc_names_the_remedy():
    with pytest.raises(NoRuleError, match=r"np\.add with where= .*np\.where\(condition"):
        np.add(leaf([1, 2]), 1, where=np.array([True, False]))


# --- assign ---------------------------------------------------------------------------------------------------------


def test_assign_between_forward_and_backward_leaves_the_gradient_of_the_recorded_values():
    x, w = leaf([1, 2]), leaf([3, 5])
    y = (x * w).sum()
    w.assign([100.0, 100.0])
    y.backward()
    assert x.grad.tolist() == [3, 5]
    assert w.grad.tolist() == [1, 2]
    assert w.data.tolist() == [100, 100]


def test_create_graph_raises_for_a_leaf_assigned_after_it_was_recorded():
    x = Tensor([1.0, 2.0], requires_grad=True, name="x")
    y = (x**3).sum()
    x.assign(x * 2)
    with pytest.raises(StaleLeafError, match=r"x of shape \(2,\) was assigned after np\.power recorded it"):
        grad(y, x, create_graph=True)
    assert grad(y, x).data.tolist() == [3, 12]


def test_assign_keeps_dtype_and_shape_and_is_for_leaves():
    w = Tensor(np.ones(2, np.float32), requires_grad=True, name="w")
    w.assign(np.array([0.5, 2.0]))
    assert w.dtype == np.float32
    assert w.data.tolist() == [0.5, 2]
    with pytest.raises(ShapeError, match=r"shape \(3,\) to 'w' of shape \(2,\)"):
        w.assign(np.ones(3))
    with pytest.raises(TypeError, match="cannot assign float64 to a tensor of dtype int64"):
        Tensor([1, 2]).assign(np.array([0.5, 1.0]))
    with pytest.raises(InPlaceError, match=r"computed by np\.multiply"):
        (w * 2).assign([1.0, 2.0])


def test_assigned_arrays_are_copied():
    w, new = leaf([1, 2]), np.array([3.0, 4.0])
    w.assign(new)
    new[:] = 100
    assert w.data.tolist() == [3, 4]


# --- gradients share memory with nothing ----------------------------------------------------------------------------

SHARING = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "reshape": lambda x, y: np.concatenate([x.reshape(2, 1), y.reshape(2, 1)], axis=1).reshape(4)[:2],
    "transpose": lambda x, y: (x.reshape(1, 2).T + y.reshape(1, 2).T).ravel(),
    "broadcast": lambda x, y: np.broadcast_to(x, (2,)) + np.broadcast_to(y, (2,)),
    "copies": lambda x, y: +x + y.copy(),
}


@pytest.mark.parametrize("name", SHARING)
def test_gradients_never_share_memory(name):
    x, y, cotangent = leaf([1, 2]), leaf([3, 5]), np.array([7.0, 11.0])
    out = SHARING[name](x, y)
    out.backward(cotangent)
    returned = grad(out, (x, y), cotangent)
    arrays = [x.grad, y.grad, cotangent, x.data, y.data, out.data, *(t.data for t in returned)]
    for a, b in itertools.combinations(arrays, 2):
        assert not np.shares_memory(a, b) or b is out.data  # an output may be a view of a frozen input
    x.grad[...] = 0
    assert cotangent.tolist() == [7, 11]
    assert not np.any(x.grad)


@pytest.mark.parametrize("call", [lambda x: x.sum(), lambda x: np.mean(x), lambda x: x.T.sum(axis=0).sum()])
def test_the_gradient_of_a_reduction_is_writable(call):
    x = leaf(np.ones((2, 3)))
    call(x).backward()
    first = x.grad.copy()
    x.grad *= 2
    x.grad[0, 0] = -1
    assert x.grad[0, 0] == -1
    assert x.grad[1, 2] == 2 * first[1, 2]


def test_changing_a_cotangent_later_changes_no_gradient():
    x, cotangent = leaf([1, 2]), np.array([1.0, 1.0])
    for _ in range(2):
        (+x).backward(cotangent)
        cotangent *= 10
    assert x.grad.tolist() == [11, 11]


def test_setting_grad_copies_and_checks():
    x, given = leaf([1, 2]), np.array([3.0, 4.0])
    x.grad = given
    given[:] = 100
    assert x.grad.tolist() == [3, 4]
    with pytest.raises(ShapeError, match=r"shape \(2,\) to shape \(3,\)"):
        x.grad = np.zeros(3)
    with pytest.raises(GradientError, match="only leaves"):
        (x * 2).grad = np.zeros(2)
    x.grad = None
    assert x.grad is None
