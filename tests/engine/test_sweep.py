"""The sweep: it sums over every path, leaves nothing behind, and after an error changes nothing."""

import copy
import itertools
import pickle
import threading

import numpy as np
import pytest
from leaves import leaf

from autograd_spiral import Tensor, capture, draw, grad, no_grad, primitive
from autograd_spiral.engine.sweep import sweep, unbroadcast
from autograd_spiral.errors import (
    CaptureError,
    DtypeError,
    GradientError,
    RuleError,
    ShapeError,
)

# --- every path counts, once ----------------------------------------------------------------------------------------

A = np.array([[1.0, 2.0], [3.0, 4.0]])

PATHS = {
    "square": (lambda x: x * x, 2 * A),
    "cube": (lambda x: x * x * x, 3 * A**2),
    "gram": (lambda x: x @ x.T, np.ones((2, 2)) @ A + (np.ones((2, 2)) @ A)),
    "same twice": (lambda x: x + x, np.full((2, 2), 2.0)),
    "cancelling": (lambda x: x - x, np.zeros((2, 2))),
    "quotient": (lambda x: x / x, np.zeros((2, 2))),
    "diamond": (lambda x: (x * 2) * (x * 3), 12 * A),
    "unequal arms": (lambda x: x * 2 + ((x + 1) * 3 - 1) * 5, np.full((2, 2), 17.0)),
    "rows repeated": (lambda x: x[[0, 0, 1, 0]], np.array([[3.0, 3.0], [1.0, 1.0]])),
    "elements repeated": (lambda x: x[[0, 1, 0], [1, 1, 1]], np.array([[0.0, 2.0], [0.0, 1.0]])),
    "negative repeats": (lambda x: x[[0, -2]], np.array([[2.0, 2.0], [0.0, 0.0]])),
    "taken and masked": (lambda x: x[A > 2].sum() + x[1:] * 10, np.array([[0.0, 0.0], [12.0, 12.0]])),
    "concatenated with itself": (lambda x: np.concatenate([x, x, 2 * x]), np.full((2, 2), 4.0)),
    "einsum with itself": (lambda x: np.einsum("ij,ij->", x, x), 2 * A),
    "where of itself": (lambda x: np.where(x > 2, x, x), np.ones((2, 2))),
    "maximum of itself": (lambda x: np.maximum(x, x), np.ones((2, 2))),
}


@pytest.mark.parametrize("name", PATHS)
def test_all_paths_add_up(name):
    call, expected = PATHS[name]
    x = leaf(A)
    out = call(x)
    out.backward(np.ones(out.shape))
    np.testing.assert_array_equal(x.grad, expected)


@pytest.mark.parametrize("depth", [1, 10, 60])
def test_a_ladder_of_diamonds_is_swept_once_per_node(depth):
    x = leaf(1.0)
    y = x
    for _ in range(depth):
        y = y + y  # 2**depth paths
    y.backward()
    assert x.grad == 2.0**depth


def test_a_node_is_complete_before_it_is_swept_whatever_the_order_of_use():
    x = leaf([1, 2])
    h = x * 3
    uses = [h * 2, h.sum(), h[0] * h[1], np.exp(h * 0)]
    expected = None
    for order in itertools.permutations(range(4)):
        total = 0
        for i in order:
            total = total + uses[i].sum()
        got = grad(total, x).data
        expected = got if expected is None else expected
        np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(expected, 3 * (2 + 1 + np.array([6, 3])))


# --- what is stored -------------------------------------------------------------------------------------------------


def test_backward_twice_adds_the_same_twice_to_leaves_and_to_nothing_else():
    x = leaf([1, 2])
    h = x * x
    y = (h * 3).sum()
    for times in (1, 2, 3):
        y.backward()
        assert x.grad.tolist() == [6 * times, 12 * times]
        assert h._grad is None
        assert y._grad is None


def test_two_losses_that_share_a_node():
    x = leaf([1, 2])
    shared = x * x
    (shared * 3).sum().backward()
    shared.sum().backward()
    assert x.grad.tolist() == [8, 16]
    assert shared._grad is None


def test_leaves_that_do_not_require_gradients_get_none():
    x, constant = leaf([1, 2]), Tensor([3.0, 5.0])
    (x * constant).sum().backward()
    assert x.grad.tolist() == [3, 5]
    assert constant._grad is None


def test_reading_grad_of_other_tensors_warns_and_says_what_to_write():
    x, data = leaf([1, 2]), Tensor([3.0, 5.0], name="data")
    assert x.grad is None  # None before `backward`, without a warning
    h = (x * data).named("h")
    h.sum().backward()
    computed = (
        "has no .grad: only leaves with requires_grad=True collect one; "
        "use grad(loss, {}) for the gradient of a tensor that was computed"
    )
    with no_grad():
        untracked = x * 2
    for tensor, called, message in (
        (h, "'h'", computed.format("h")),
        (h.sum(), "a tensor", computed.format("t")),
        (data, "'data'", "make such a leaf with Tensor(data, requires_grad=True)"),
        (untracked, "a tensor", "make such a leaf with Tensor(data, requires_grad=True)"),
    ):
        with pytest.warns(UserWarning, match=f"^{called} has no .grad: only leaves with requires_grad=True") as caught:
            assert tensor.grad is None
        assert message in str(caught[0].message)
        assert caught[0].filename == __file__


def test_pictures_and_copies_do_not_warn_about_grad():
    x, data = leaf([1, 2]), Tensor([3.0, 5.0])
    y = (x * data).sum()
    y.backward()
    for use in (repr, draw, copy.copy, copy.deepcopy, pickle.dumps):  # a warning is an error in these tests
        use(y)
        use(data)
    y.grad = None


def test_backward_of_a_leaf_adds_the_cotangent_itself():
    x = leaf(5)
    x.backward()
    x.backward(2.0)
    assert x.grad == 3


def test_each_leaf_of_the_same_value_gets_its_own_gradient():
    x, y = leaf([1, 2]), leaf([1, 2])
    (x * 2 + y * 3).sum().backward()
    assert (x.grad.tolist(), y.grad.tolist()) == ([2, 2], [3, 3])


# --- cotangents -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [lambda y, ct: y.backward(ct), lambda y, ct: grad(y, y.args[0], ct)])
@pytest.mark.parametrize("shape", [(3,), (1, 2), (2, 1), (), (1,)])
def test_a_cotangent_of_the_wrong_shape_raises(seed, shape):
    with pytest.raises(ShapeError, match=r"cotangent has shape .* but 'y' has shape \(2,\)"):
        seed((leaf([1, 2]) * 2).named("y"), np.ones(shape))


@pytest.mark.parametrize("seed", [lambda y, ct: y.backward(ct), lambda y, ct: grad(y, y.args[0], ct)])
@pytest.mark.parametrize("dtype", [np.float32, np.int64, bool])
def test_a_cotangent_of_another_dtype_raises(seed, dtype):
    with pytest.raises(DtypeError, match=r"cotangent has dtype .* has dtype float64.*astype\(np\.float64\)"):
        seed(leaf([1, 2]) * 2, np.ones(2, dtype))


@pytest.mark.parametrize("seed", [lambda y, ct: y.backward(ct), lambda y, ct: grad(y, y.args[0], ct)])
def test_a_cotangent_without_real_numbers_raises(seed):
    for ct in (np.ones(2, complex), ["1", "2"], [None, None]):
        with pytest.raises(DtypeError, match="the cotangent of 'y': the dtype must be floating, integer or bool, "):
            seed((leaf([1, 2]) * 2).named("y"), ct)


@pytest.mark.parametrize("cotangent", [3, 3.0])
def test_python_scalars_and_lists_are_weak_cotangents(cotangent):
    x = Tensor(np.float32(2), requires_grad=True)
    (x * x).backward(cotangent)
    assert x.grad == 12
    assert x.grad.dtype == np.float32
    row = Tensor(np.float32([1, 2]), requires_grad=True)
    (row * 2).backward([1, cotangent])
    assert row.grad.tolist() == [2, 6]


def test_a_missing_cotangent_or_gradient_raises():
    with pytest.raises(GradientError) as caught:
        (leaf([1, 2]) * 2).named("h").backward()
    assert str(caught.value) == (
        "backward() needs a single number, such as a loss, but 'h' has shape (2,): reduce it, as in t.sum().backward() "
        "or t.mean().backward(), or pass cotangent=, an array of that shape with a weight for each element"
    )
    with pytest.raises(GradientError, match="'c' does not require gradients"):
        Tensor(1.0, name="c").backward()
    with pytest.raises(GradientError, match="does not require gradients"):
        (leaf([1, 2]) > 1).sum().backward()


# --- all or nothing -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "raised"),
    [(ValueError("no"), RuleError), (KeyboardInterrupt(), KeyboardInterrupt), (MemoryError(), MemoryError)],
)
def test_a_failed_sweep_leaves_every_grad_unchanged_and_a_retry_is_right(error, raised):
    failing = [False]

    def rule(ct, out, x):
        if failing[0]:
            raise error
        return ct * 2

    @primitive(rule)
    def fragile(x):
        return 2 * x

    x, late = leaf([1, 2]), leaf([3, 4])
    y = (fragile(x) * late).sum() + late.sum()
    y.backward()
    before = (x.grad.copy(), late.grad.copy())
    held = (x.grad, late.grad)
    failing[0] = True
    with pytest.raises(raised):
        y.backward()
    assert (x.grad is held[0], late.grad is held[1]) == (True, True)
    np.testing.assert_array_equal(held, before)
    failing[0] = False
    y.backward()
    np.testing.assert_array_equal((x.grad, late.grad), 2 * np.array(before))


def test_gradients_of_leaves_shared_by_threads_add_up():
    shared, own = leaf(np.ones(50)), [leaf(np.ones(50)) for _ in range(4)]
    losses = [(shared * x * (i + 1)).sum() for i, x in enumerate(own)]
    start = threading.Barrier(4)

    def work(loss):
        start.wait()
        for _ in range(200):
            loss.backward()

    threads = [threading.Thread(target=work, args=(loss,)) for loss in losses]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(shared.grad, np.full(50, 200.0 * (1 + 2 + 3 + 4)))
    assert [x.grad[0] for x in own] == [200, 400, 600, 800]


# --- the sweep itself -----------------------------------------------------------------------------------------------


def test_sweep_is_a_pure_function_of_its_seeds():
    x = leaf([1, 2])
    y = x * x
    found = sweep([(y, np.ones(2)), (y, np.ones(2))])
    assert list(found) == [x]
    assert found[x].tolist() == [4, 8]
    assert x.grad is None


def test_sweep_visits_only_nodes_between_inputs_and_outputs():
    visited = []

    @primitive(lambda ct, out, x, y: visited.append("x") or ct, lambda ct, out, x, y: visited.append("y") or ct)
    def plus(x, y):
        return x + y

    x, y, unrelated = leaf([1, 2]), leaf([3, 4]), leaf(5)
    h = plus(x, x)
    out = plus(h, y)
    found = sweep([(out, np.ones(2)), (unrelated * 2, np.ones(()))], {h})
    assert list(found) == [h]
    assert found[h].tolist() == [1, 1]
    assert visited == ["x"]  # the rule of the outer plus, for h


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ((2, 3), (3,)),
        ((2, 3), (1, 3)),
        ((2, 3), (2, 1)),
        ((2, 3), (1, 1)),
        ((2, 3), (1,)),
        ((2, 3), ()),
        ((4, 2, 3), (2, 1)),
        ((4, 2, 3), (3,)),
        ((0, 3), (1, 3)),
        ((0, 3), (3,)),
        ((2, 0), (2, 1)),
        ((2, 1), (1, 1)),
        ((2, 3), (2, 3)),
        ((2,), (2,)),
    ],
)
def test_unbroadcast_is_the_adjoint_of_broadcasting(wide, narrow):
    rng = np.random.default_rng(0)
    ct, x = rng.normal(size=wide), rng.normal(size=narrow)
    back = unbroadcast(ct, narrow)
    assert back.shape == narrow
    np.testing.assert_allclose(np.sum(back * x), np.sum(ct * np.broadcast_to(x, wide)), atol=1e-12)


@pytest.mark.parametrize(("shape", "target"), [((2,), (3,)), ((2,), (2, 2)), ((3, 2), (3,)), ((1,), (0,))])
def test_unbroadcast_raises_unless_the_shape_broadcasts(shape, target):
    with pytest.raises(ValueError, match="does not broadcast"):
        unbroadcast(np.ones(shape), target)


@pytest.mark.parametrize(
    ("piece", "got"),
    [
        (lambda ct: ct[:1], r"shape \(1,\)"),
        (lambda ct: np.ones((3, 2)).T, r"shape \(2, 3\)"),
        (lambda ct: None, "a NoneType"),
        (lambda ct: 2.0, "a float"),
        (lambda ct: [1.0, 2.0], "a list"),
    ],
)
def test_a_rule_that_returns_the_wrong_shape_raises(piece, got):
    @primitive(None, lambda ct, out, c, x: piece(ct))
    def odd(c, x):
        return x * 1

    x = leaf([1, 2])
    with pytest.raises(RuleError, match=rf"rule of odd for argument 1 \(x\) returned {got}, .* has shape \(2,\)"):
        odd(0.0, x).sum().backward()
    assert x.grad is None


def test_a_rule_may_return_a_shape_that_its_argument_broadcasts_to():
    @primitive(lambda ct, out, x: np.ones((5, 2), np.float64))
    def wide(x):
        return x * 1

    x = Tensor(np.float32([1, 2]), requires_grad=True)
    wide(x).sum().backward()
    assert x.grad.tolist() == [5, 5]
    assert x.grad.dtype == np.float32


def test_a_rule_that_returns_an_array_raises_while_gradients_are_recorded():
    """What the array was computed from is lost, and second derivatives would lack a part."""

    @primitive(lambda ct, out, x: np.array([2.0 * c * v for c, v in zip(ct.tolist(), x.tolist(), strict=True)]))
    def square(x):
        return x * x

    x = Tensor([1.0, 2.0], requires_grad=True)
    assert grad(square(x * x).sum(), x).data.tolist() == [4, 32]
    with pytest.raises(RuleError, match=r"the rule of square for argument 0 \(x\) returned a plain array while the"):
        grad(square(x * x).sum(), x, create_graph=True)
    with pytest.raises(CaptureError, match="reading a value is not possible while a step is being captured"):
        capture(lambda: grad(square(x * x).sum(), x))()


def test_a_rule_may_return_an_array_of_zeros_while_gradients_are_recorded():
    @primitive(lambda ct, out, x: np.zeros(x.shape))
    def stairs(x):
        return np.floor(x)

    x = Tensor([1.5, 2.5], requires_grad=True)
    first = grad((x * stairs(x)).sum(), x, create_graph=True)
    assert first.data.tolist() == [1, 2]
    assert grad(first.sum(), x).data.tolist() == [0, 0]
