"""The text of errors: what was wrong, with which shapes, and what to write instead."""

import math
import re

import numpy as np
import pytest
from leaves import leaf

from autograd_spiral import Tensor, backward_source, draw, grad, no_grad, primitive
from autograd_spiral.engine.messages import name_of
from autograd_spiral.engine.table import PRIMITIVES
from autograd_spiral.errors import (
    AutogradError,
    DtypeError,
    GradientError,
    InPlaceError,
    LostGraphError,
    NoRuleError,
    RuleError,
    ShapeError,
    StaleLeafError,
)
from autograd_spiral.gradcheck.examples.elementwise import BITWISE, OF_INTEGERS


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (np.add, "np.add"),
        (np.sum, "np.sum"),
        (np.linalg.norm, "np.linalg.norm"),
        (np.fft.fft, "np.fft.fft"),
        (np.frompyfunc(len, 1, 1), "len (vectorized)"),
        (PRIMITIVES[np.ndarray.astype].function, "astype"),
    ],
)
def test_functions_have_the_names_that_a_user_writes(function, name):
    assert name_of(function) == name


# --- functions without a rule -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [leaf, Tensor], ids=["leaf", "constant"])
def test_a_function_without_a_rule_raises_and_is_named(make):
    with pytest.raises(NoRuleError, match=r"erf \(vectorized\) has no gradient rule.*t\.data.*@primitive"):
        np.frompyfunc(math.erf, 1, 1)(make([[1.0, 2.0], [3.0, 5.0]]))


@pytest.mark.parametrize(
    ("call", "remedy"),
    [
        (lambda t: np.arctan2.reduce(t), r"np\.arctan2\.reduce .*whole arrays"),
        (lambda t: np.ldexp.outer(t, t), r"broadcasting, as in np\.ldexp\(x\[:, None\], y\)"),
        (lambda t: np.add(t, 1.0, dtype=np.float32), "astype"),
        (lambda t: np.matmul(t, t, axes=[(0,), (0,), ()]), r"axes= .*np\.moveaxis"),
        (lambda t: np.add(t, 1.0, where=t.data > 1), r"np\.where"),
    ],
)
def test_ufunc_methods_and_keywords_name_the_function_to_use(call, remedy):
    with pytest.raises(NoRuleError, match=remedy):
        call(leaf([1, 2]))


@pytest.mark.parametrize(
    "call",
    [
        *(lambda t, f=f: f.accumulate(t) for f in (np.fmax, np.subtract, np.divide, np.power)),
        *(lambda t, f=f: f.reduce(t) for f in (np.divide, np.subtract, np.power, np.fmin)),
        lambda t: np.subtract.reduceat(t, [0, 1]),
        lambda t: np.add(t, 1.0, order="F"),
        lambda t: np.add(t, 1.0, casting="no"),
    ],
)
def test_advice_never_names_a_function_that_computes_something_else(call):
    with pytest.raises(NoRuleError) as caught:
        call(leaf([1, 2]))
    assert not any(other in str(caught.value) for other in ("np.cumsum", "np.sum", "np.prod", "astype"))


MATRIX = np.array([[0.0, 1.0], [1.0, 0.0]]).view(np.matrix)


@pytest.mark.parametrize(
    "call",
    [
        lambda t: MATRIX * t,
        lambda t: t * MATRIX,
        lambda t: t @ MATRIX,
        lambda t: MATRIX + t,
        lambda t: np.where(MATRIX > 0, t, 0),
        lambda t: np.einsum("ij,jk", t, MATRIX),
    ],
)
def test_a_matrix_as_an_operand_raises_since_it_would_multiply_differently(call):
    with pytest.raises(DtypeError, match=r"^np\.\w+: np\.matrix .* pass np\.asarray\(matrix\)"):
        call(leaf([[1, 2], [3, 4]]))


def test_a_tensor_can_be_made_from_a_matrix():
    assert Tensor(MATRIX).data.tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize("other", [1j, np.array([1j, 2]), np.array([1, None]), None, "text"], ids=repr)
@pytest.mark.parametrize("call", [np.multiply, np.add, lambda t, o: o * t, lambda t, o: np.where([True, False], t, o)])
def test_operands_without_real_numbers_raise_and_name_the_function(call, other):
    with pytest.raises(DtypeError, match=r"np\.\w+: the dtype must be floating, integer or bool"):
        call(leaf([1, 2]), other)


# --- shapes that do not fit -------------------------------------------------------------------------------------------


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
    whole = row.function in (*BITWISE, *OF_INTEGERS, np.ldexp)
    x, y = (np.ones(shape, int if whole else float) for shape in ((2, 3), (2, 4)))
    for call in ((Tensor(x), Tensor(y)), (x, Tensor(y)), (Tensor(x), y)):
        with pytest.raises(ShapeError, match=rf"{row.name} of shapes \(2, 3\), \(2, 4\)"):
            row.function(*call)


@pytest.mark.parametrize("name", MISFITS)
def test_other_functions_name_themselves_and_both_shapes(name):
    with pytest.raises(ShapeError, match=rf"^{name} of shapes .*\(2, 3\), \(2, 4\)"):
        MISFITS[name](leaf(np.ones((2, 3))), leaf(np.ones((2, 4))))


def test_shapes_of_vectors_are_those_that_the_user_passed():
    with pytest.raises(ShapeError, match=r"^np\.matmul of shapes \(3,\), \(2, 4\)"):
        leaf([1, 2, 3]) @ np.ones((2, 4))


def test_indices_that_do_not_fit_name_the_shapes():
    x = leaf(np.ones((2, 3)))
    for index in (5, [5], (0, 0, 0), ([0, 1], [0, 1, 2]), [True, False, True], 1.0):
        with pytest.raises(IndexError, match=r"^getitem of shapes \(2, 3\)"):
            x[index]


WRONG = {
    "integers": (lambda t: Tensor([2]) ** Tensor([-1]), ValueError, r"np\.power of shapes \(1,\), \(1,\): .*negative"),
    "an axis twice": (lambda t: np.mean(t, axis=(0, 0)), ValueError, r"np\.mean of shapes \(2,\), axis=\(0, 0\): "),
    "no such axis": (lambda t: t.sum(axis=5), np.exceptions.AxisError, r"np\.sum of shapes \(2,\).*: axis 5 is out of"),
    "an axis of 0.0": (lambda t: np.cumsum(t, 0.0), TypeError, r"np\.cumsum of dtypes float64: .*must be integers"),
    "an axis of 1.0": (lambda t: np.argmax(t, axis=1.0), TypeError, r"np\.argmax .*axis=1\.0.* must be integers"),
    "an axis of 2.0": (lambda t: np.sum(t, axis=2.0), TypeError, r"np\.sum of dtypes float64, axis=2\.0: .*integers"),
    "an axis of a str": (lambda t: np.sum(t, axis="0"), TypeError, r"np\.sum .* must be integers"),
    "a mask of floats": (lambda t: ~t, TypeError, r"np\.invert of dtypes float64: "),
    "minus a mask": (lambda t: -(t > 0), TypeError, r"np\.negative of dtypes bool: "),
    "an index": (lambda t: np.take(t, 9), IndexError, r"np\.take of shapes \(2,\): index 9 is out of bounds"),
    "a choice": (lambda t: np.choose(np.array([2]), [t, t]), ValueError, r"np\.choose of shapes .*: invalid entry"),
    "a power of three": (lambda t: pow(t, 2, 3), TypeError, r"write t\*\*y % n"),
    "None": (lambda t: t == None, TypeError, "write t is None"),  # noqa: E711
    "truth": (bool, ValueError, r"write t\.any\(\) or t\.all\(\)"),
    "number": (float, ValueError, r"float\(t\) needs a tensor of one element, not of shape \(2,\)"),
}


@pytest.mark.parametrize("name", WRONG)
def test_every_error_is_the_packages_and_the_builtin_one_too(name):
    call, builtin, says = WRONG[name]
    with pytest.raises(builtin, match=says) as caught:
        call(leaf([1, 2]))
    assert isinstance(caught.value, AutogradError)
    assert not isinstance(caught.value, ShapeError) or name in ("truth", "number")


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
        (lambda t: Tensor(1.0, name=3), r"the name must be a string, not int"),
    ],
)
def test_errors_say_what_does_not_fit_and_what_to_write(call, says):
    with pytest.raises((ShapeError, NoRuleError, TypeError), match=says):
        call(Tensor(np.ones((4, 3)), requires_grad=True))


# --- errors in rules --------------------------------------------------------------------------------------------------


def test_an_error_in_a_rule_says_which_rule_and_what_it_was_called_with():
    @primitive(None, lambda ct, out, x, weights, scale, mode: ct * scale * np.ones(3))
    def scaled(x, weights, scale=1.0, mode="all"):
        return x * weights

    message = (
        "the rule of scaled for argument 1 (weights) raised ValueError: "
        "operands could not be broadcast together with shapes (2,) (3,)\n"
        "it was called with ct of shape (2,), out of shape (2,), argument 0 (x) = 2.0, argument 1 (weights) of shape "
        "(2,), scale of shape (1,), mode = 'all'"
    )
    weights = leaf([1, 2])
    with pytest.raises(RuleError) as caught:
        scaled(2.0, weights, scale=np.ones(1)).sum().backward()
    assert str(caught.value) == message
    assert type(caught.value.__cause__) is ValueError
    assert weights.grad is None
    with pytest.raises(
        RuleError, match=r"argument 1 \(weights\) raised ShapeError: np\.multiply of shapes \(2,\), \(3,\)"
    ):
        grad(scaled(2.0, weights).sum(), weights, create_graph=True)


def test_an_error_in_a_rule_of_numpys_functions_numbers_the_arguments(monkeypatch):
    def broken(ct, out, x, y):
        raise KeyError("gone")

    monkeypatch.setattr(PRIMITIVES[np.multiply], "vjps", (broken, broken))
    x = leaf([1, 2])
    with pytest.raises(RuleError) as caught:
        (x * 3.0).sum().backward()
    assert str(caught.value) == (
        "the rule of np.multiply for argument 0 raised KeyError: 'gone'\n"
        "it was called with ct of shape (2,), out of shape (2,), argument 0 of shape (2,), argument 1 = 3.0"
    )


def raising(error):
    def rule(ct, out, x):
        raise error

    return rule


def divided(ct, out, x):
    with np.errstate(divide="raise"):
        return ct / np.zeros(2)


PASSING = {
    "an interrupt": (raising(KeyboardInterrupt()), KeyboardInterrupt),
    "no memory": (raising(MemoryError()), MemoryError),
    "floating point": (divided, FloatingPointError),
    "a warning": (lambda ct, out, x: ct / np.zeros(2), RuntimeWarning),
    "no rule": (lambda ct, out, x: np.unique(x), NoRuleError),
    "in place": (lambda ct, out, x: ct.__iadd__(1), InPlaceError),
    "a lost graph": (lambda ct, out, x: np.asarray(x), LostGraphError),
    "a mismatch of dtypes": (lambda ct, out, x: ct * 1j, DtypeError),
    "no gradient": (lambda ct, out, x: x.backward(), GradientError),
    "a rule of a rule": (raising(RuleError("mine")), RuleError),
}


@pytest.mark.parametrize("name", PASSING)
def test_errors_that_are_not_the_rules_fault_keep_their_class_and_get_a_note(name):
    rule, error = PASSING[name]

    @primitive(rule)
    def same(x):
        return x * 1

    x = leaf([1, 2])
    with pytest.raises(error) as caught:
        grad(same(x), x, np.ones(2), create_graph=True)
    assert type(caught.value) is error
    if name != "an interrupt":
        assert caught.value.__notes__[-1] == "in the rule of same for argument 0 (x), sweeping backward"


# --- habits from other libraries --------------------------------------------------------------------------------------


def test_a_parameter_that_was_replaced_instead_of_updated_says_assign():
    W = Tensor([1.0, 2.0], requires_grad=True, name="W")
    (W * W).sum().backward()
    computed = W - 0.1 * W.grad
    with no_grad():
        constant = W - 0.1 * W.grad
    for replaced in (computed, constant):
        with pytest.warns(
            UserWarning, match=r"to update a leaf, write W\.assign\(W - 0\.1 \* W\.grad\) instead of W ="
        ):
            assert replaced.grad is None
    with pytest.raises(
        GradientError, match=r"new tensor has replaced a parameter, write W\.assign\(W - 0\.1 \* W\.grad\) instead"
    ):
        (constant * constant).sum().backward()


@pytest.mark.parametrize("name", ["W", None])
def test_a_result_is_not_assigned_and_a_parameter_that_it_replaced_says_so(name):
    W = Tensor([1.0, 2.0], requires_grad=True, name=name)
    w = name or "w"
    remedy = (
        f"has replaced a parameter, write {w}.assign({w} - 0.1 * d{w}) from the start instead of {w} = {w} - 0.1 * d{w}"
    )
    for updates in (1, 3):
        replaced = W
        for _ in range(updates):
            replaced = replaced - 0.1 * grad(np.sum(replaced**2), replaced)
            replaced.name = name if updates > 1 else None
        with pytest.raises(
            InPlaceError, match=r"assign\(\) is for leaves, .* computed by np\.subtract.*" + re.escape(remedy)
        ):
            replaced.assign(replaced - 0.1)
    with pytest.raises(
        InPlaceError, match=r"'y' was computed by np\.sum: .*; if not, give the new value a name of its own$"
    ):
        np.sum(W * W).named("y").assign(3.0)


@pytest.mark.parametrize("function", [math.sin, float])
def test_the_gradient_of_a_plain_number_says_what_to_write(function):
    w = leaf([1.0, 2.0])
    with pytest.raises(
        TypeError, match=r"not float, .*write np\.exp\(t\) instead of math\.exp\(t\), and np\.stack\(\[t, …\]\)"
    ):
        grad(function(w[0]), w)


@pytest.mark.parametrize(
    ("flag", "remedy"),
    [
        ("W", r"not 'W': write Tensor\(data, name='W'\), or Tensor\(data, True, 'W'\)"),
        (1, r"not 1: write Tensor\(data, requires_grad=True\)"),
        (None, "not None: write"),
        (np.float32, "not <class 'numpy.float32'>: write"),
    ],
)
def test_a_flag_that_is_no_bool_says_what_to_write(flag, remedy):
    with pytest.raises(TypeError, match=f"requires_grad must be True or False, {remedy}"):
        Tensor([1.0], flag)
    assert Tensor([1.0], np.True_).requires_grad is True


def test_one_hot_rows_written_into_a_tensor_say_what_to_write():
    Y, y = Tensor(np.zeros((3, 2))), np.array([0, 1, 0])
    with pytest.raises(
        InPlaceError,
        match=r"before Tensor\(array\) copies it; for one-hot rows, write Tensor\(np\.eye\(classes\)\[labels\]\)",
    ):
        Y[np.arange(3), y] = 1
    assert Tensor(np.eye(2)[y]).data.tolist() == [[1, 0], [0, 1], [1, 0]]


@pytest.mark.parametrize("use", [lambda loss, W: draw(loss, gradients_of=W), backward_source])
def test_the_gradient_of_a_loss_from_before_a_step_says_what_to_write(use):
    W = Tensor([1.0, 2.0], requires_grad=True, name="W")
    loss = np.sum(W * W)
    W.assign(W - 0.1 * grad(loss, W))
    with pytest.raises(
        StaleLeafError, match=r"W of shape \(2,\) was assigned .*draw.*compute the outputs again, as in loss"
    ):
        use(loss, W)
