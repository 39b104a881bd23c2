"""`@primitive`: which declarations, bodies and rules are accepted, and which raise."""

import contextlib
import functools
import gc
import weakref

import numpy as np
import pytest
from leaves import leaf

from autograd_spiral import Tensor, capture, check_gradients, draw, grad, primitive
from autograd_spiral.engine.messages import name_of
from autograd_spiral.engine.table import PRIMITIVES
from autograd_spiral.errors import DtypeError, InPlaceError, LostGraphError, NoRuleError, RuleError
from autograd_spiral.program.evaluate import evaluate


def passing(ct, out, *args, **params):
    return ct


# --- declarations ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vjps", [(), (3,), (passing, "rule")])
def test_a_declaration_needs_at_least_one_rule_each_a_function_or_none(vjps):
    with pytest.raises(RuleError, match="one VJP per array argument"):
        primitive(*vjps)


def test_more_rules_than_parameters_raise():
    with pytest.raises(RuleError, match=r"f\(x\) has 1 parameters but 2 VJPs were given"):

        @primitive(passing, passing)
        def f(x):
            return x


@pytest.mark.parametrize(
    ("body", "culprit"),
    [
        (lambda *xs: xs[0], r"\*xs"),
        (lambda x, *more: x, r"\*more"),
        (lambda x, **settings: x, r"\*\*settings"),
        (lambda *, x: x, "x"),
        (lambda x, scale=1.0, /: x, "scale=1.0"),
    ],
)
def test_parameters_of_the_wrong_kind_raise(body, culprit):
    with pytest.raises(RuleError, match=f"but '{culprit}' cannot be"):
        primitive(passing)(body)


def test_primitive_without_parentheses_raises():
    @primitive
    def cubed(x):
        return x**3

    with pytest.raises(RuleError, match=r"@primitive\(…\) must decorate a function, not a Tensor: write the rules"):
        cubed(Tensor([1.0, 2.0]))


MALFORMED = {
    "no parameter": (lambda ct, out, x, y: ct, "got an unexpected keyword argument 'scale'"),
    "no out": (lambda ct, x, y, scale: ct, "multiple values for argument 'scale'"),
    "one too few": (lambda ct, out, x, scale: ct, "multiple values for argument 'scale'"),
    "another name": (lambda ct, out, x, y, factor: ct, "missing a required argument: 'factor'"),
    "one too many": (lambda ct, out, x, y, z, scale: ct, "missing a required argument: 'z'"),
    "keywords alone": (lambda ct, out, *, x, y, scale: ct, "too many positional arguments"),
}


@pytest.mark.parametrize(("vjp", "reason"), MALFORMED.values(), ids=MALFORMED)
@pytest.mark.parametrize("argument", [0, 1])
def test_a_rule_that_cannot_be_called_raises_when_it_is_declared(vjp, reason, argument):
    def scaled(x, y, scale=1.0):
        return scale * x * y

    vjps = [passing, passing]
    vjps[argument] = vjp
    with pytest.raises(RuleError, match=reason) as caught:
        primitive(*vjps)(scaled)
    message = str(caught.value)
    assert message.startswith(f"scaled: the VJP for {'xy'[argument]} takes (ct, ")
    assert "called as vjp(ct, out, *arrays, **params), here vjp(ct, out, x, y, scale=scale): " in message
    assert message.endswith("Write it as lambda ct, out, x, y, scale: …")


class Unsigned:
    """Callable, without a known signature, like some functions in C."""

    @property
    def __signature__(self):
        raise ValueError

    def __call__(self, ct, out, x, scale):
        return ct * scale


@pytest.mark.parametrize(
    "vjp",
    [
        passing,
        lambda *args, **params: args[0],
        lambda ct, out, *arrays, scale: ct,
        lambda ct, out, x, /, scale: ct,
        lambda cotangent, output, array, scale=3.0, more=None: cotangent,
        functools.partial(lambda factor, ct, out, x, scale: ct * factor, 2),
        Unsigned(),
    ],
)
def test_rules_that_can_be_called_are_accepted(vjp):
    @primitive(vjp)
    def scaled(x, scale=1.0):
        return scale * x

    x = leaf([1, 2])
    scaled(x, scale=2.0).sum().backward()
    assert x.grad.shape == (2,)


def test_a_parameter_named_ct_or_out_raises():
    with pytest.raises(RuleError, match=r"here vjp\(ct, out, x, out=out\): multiple values for argument 'out'"):

        @primitive(lambda ct, out, x: ct)
        def f(x, out=None):
            return x


def test_arguments_without_a_rule_are_parameters_and_take_no_tensors():
    @primitive(lambda ct, out, x, y: ct * y)
    def times(x, y):
        return x * y

    x = leaf([1, 2])
    times(x, 3.0).sum().backward()
    assert x.grad.tolist() == [3, 3]
    for y in (leaf([3, 4]), Tensor([3.0, 4.0])):
        for first in (x, x.data):
            with pytest.raises(LostGraphError, match=r"times: y is a parameter.*y=t\.data"):
                times(first, y)
            with pytest.raises(LostGraphError):
                times(first, y=y)


def test_the_decorated_function_keeps_its_name_and_works_on_arrays():
    @primitive(lambda ct, out, x, power: ct * power * x ** (power - 1))
    def raised(x, power=2):
        """Powers."""
        return x**power

    assert (raised.__name__, raised.__doc__, name_of(raised)) == ("raised", "Powers.", "raised")
    assert raised(np.array([1.0, 3.0])).tolist() == [1, 9]
    assert raised(3.0, power=3) == 27
    assert repr(PRIMITIVES[raised]) == "<primitive raised>"


# --- calls ----------------------------------------------------------------------------------------------------------


@primitive(lambda ct, out, x, y, slope, mode: ct * slope, lambda ct, out, x, y, slope, mode: ct * (mode == "both"))
def blend(x, y=1.0, slope=2.0, *, mode="both"):
    return slope * x + (y if mode == "both" else 0)


@pytest.mark.parametrize(
    ("call", "value", "slopes"),
    [
        (lambda x, y: blend(x, y), 8, (2, 1)),
        (lambda x, y: blend(x, y, 3.0), 11, (3, 1)),
        (lambda x, y: blend(x, y, slope=3.0), 11, (3, 1)),
        (lambda x, y: blend(y=y, x=x), 8, (2, 1)),
        (lambda x, y: blend(x, y=y, slope=3.0, mode="both"), 11, (3, 1)),
        (lambda x, y: blend(x, y, mode="first"), 6, (2, 0)),
        (lambda x, y: blend(x) + 0 * y, 7, (2, 0)),
        (lambda x, y: blend(x, mode="both", slope=4.0) + y, 15, (4, 1)),
        (lambda x, y: blend(3.0, y) + 0 * x, 8, (0, 1)),
    ],
)
def test_arguments_by_position_by_keyword_and_by_default(call, value, slopes):
    x, y = leaf(3), leaf(2)
    out = call(x, y)
    assert out.item() == value
    out.backward()
    assert (x.grad, y.grad) == slopes


def test_calls_with_wrong_arguments_raise_with_the_signature():
    x = leaf(3)
    for call in (
        lambda: blend(x, scale=3),
        lambda: blend(x, 1.0, 2.0, "both"),
        lambda: blend(x, x=x),
        lambda: blend(y=x),
    ):
        with pytest.raises(NoRuleError, match=r"blend\(x, y=1\.0, slope=2\.0, \*, mode='both'\)"):
            call()


def test_a_missing_required_parameter_raises():
    @primitive(lambda ct, out, x, scale: ct * scale)
    def scaled(x, scale):
        return x * scale

    x = leaf([1, 2])
    with pytest.raises(TypeError, match="missing a required argument: 'scale'"):
        scaled(x)
    scaled(x, scale=np.array([3.0, 4.0])).sum().backward()
    assert x.grad.tolist() == [3, 4]


@pytest.mark.parametrize("wrap", [lambda a: (a,), lambda a: [a], lambda a: {"k": (1, [a])}])
def test_arrays_in_containers_that_are_parameters_are_copied(wrap):
    def only(k):
        while not isinstance(k, np.ndarray):
            k = next(iter(k.values())) if isinstance(k, dict) else k[-1]
        return k

    scaled = primitive(lambda ct, out, x, k: ct * only(k))(lambda x, k: x * only(k))
    scale, x = np.array([1.0, 2.0]), leaf([1, 1])
    y = scaled(x, k=wrap(scale))
    scale[:] = 100
    y.sum().backward()
    assert x.grad.tolist() == [1, 2]
    with pytest.raises(LostGraphError, match=r"k is a parameter.*a tensor was passed"):
        scaled(x, k=wrap(leaf([1, 2])))


def test_an_argument_with_rule_none_gets_no_gradient():
    @primitive(None, lambda ct, out, mask, x: ct * mask)
    def masked(mask, x):
        return mask * x

    mask, x = leaf([0, 1]), leaf([3, 4])
    masked(mask, x).sum().backward()
    assert x.grad.tolist() == [0, 1]
    assert mask.grad is None
    assert not masked(mask, Tensor([3.0, 4.0])).requires_grad


def test_declared_rules_are_differentiable():
    @primitive(lambda ct, out, x: ct * 3 * x**2)
    def cube(x):
        return x * x * x

    x = leaf(2)
    first = grad(cube(x), x, create_graph=True)
    second = grad(first, x, create_graph=True)
    assert (first.item(), second.item(), grad(second, x).item()) == (12, 12, 6)


# --- bodies ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", [lambda b: b[:], lambda b: b[::-1], lambda b: b.reshape(1, 2), lambda b: b.T])
def test_a_view_of_a_reused_buffer_is_copied(view):
    buffer = np.zeros(2)

    @primitive(lambda ct, out, x: 2 * out.ravel() * ct.ravel())
    def buffered(x):
        buffer[:] = x
        return view(buffer)

    x = leaf([3, 3])
    first = buffered(x)
    second = buffered(leaf([5, 5]))
    assert first.data.ravel().tolist() == [3, 3]
    assert second.data.ravel().tolist() == [5, 5]
    first.sum().backward()
    assert x.grad.tolist() == [6, 6]
    assert buffer.flags.writeable


class Keeping:
    """A function that computes, in one of the ways that keep its result, three times its last argument."""

    def __init__(self, how):
        self.how, self.kept, self.buffer = how, [], np.zeros(2)

    def __call__(self, *args):
        values = 3 * args[-1] if len(args) == 1 else 3 * args[0]  # of a body, or of a rule
        if self.how == "buffer":
            self.buffer[:] = values
            return self.buffer
        if self.how == "view of a buffer":
            self.buffer[:] = values
            return self.buffer[:]
        if self.how == "another name":
            self.kept.append(values.reshape(1, 2))
            return values
        if self.how == "the base":
            self.kept.append(values)
            return values[:]
        if self.how == "memory":
            self.kept.append(np.frombuffer(bytearray(values.tobytes())))
            return self.kept[-1]
        if self.how == "read-only for now":
            self.kept.append(values)
            values.setflags(write=False)
            return values
        self.kept.append(values)
        return values

    def overwrite(self):
        for array in (self.buffer, *self.kept):
            array.setflags(write=True)
            array[...] = 100


HOW = ["buffer", "view of a buffer", "another name", "the base", "memory", "read-only for now", "result"]


@pytest.mark.parametrize("how", HOW)
def test_a_rule_may_keep_and_overwrite_what_it_returned(how):
    rule = Keeping(how)
    triple = primitive(lambda ct, out, x: rule(ct, out, x))(lambda x: 3 * x)
    overwriting = primitive(lambda ct, out, x: (rule.overwrite(), ct)[1])(lambda x: x + 0)
    x = leaf([1, 2])
    h = overwriting(x) * 1
    (triple(h) * 1 + triple(h) * 5).backward([1.0, 10.0])
    assert x.grad.tolist() == [18, 180]
    returned = grad(triple(x), x, [1.0, 2.0])
    rule.overwrite()
    assert returned.data.tolist() == [3, 6]
    assert x.grad.tolist() == [18, 180]


@pytest.mark.parametrize("how", HOW)
def test_a_body_may_keep_and_overwrite_what_it_returned(how):
    body = Keeping(how)
    triple = primitive(lambda ct, out, x: ct * out / x)(lambda x: body(x))
    x = leaf([1, 2])
    first = triple(x)
    second = triple(x * 2)
    body.overwrite()
    assert first.data.tolist() == [3, 6]
    (first + second).backward([1.0, 10.0])
    assert x.grad.tolist() == [9, 90]
    assert triple(x).data.tolist() == [3, 6]


def test_a_cached_result_is_shared_with_nobody():
    @functools.cache
    def ones():
        return np.ones(2)

    constant = primitive(lambda ct, out, x: ones())(lambda x: ones())
    x = leaf([1, 2])
    y = constant(x) * 1 + constant(x) * 2
    y.sum().backward()
    ones()[:] = 100
    assert y.data.tolist() == [3, 3]
    assert x.grad.tolist() == [2, 2]


@pytest.mark.parametrize("which", ["ct", "out", "x"])
def test_a_rule_may_return_what_it_was_given(which):
    same = primitive(lambda ct, out, x: {"ct": ct, "out": out, "x": x}[which])(lambda x: x)
    x = leaf([1, 2])
    same(same(x)).backward([3.0, 4.0])
    assert x.grad.tolist() == ([3, 4] if which == "ct" else [1, 2])
    x.grad[:] = 100
    assert x.data.tolist() == [1, 2]


def test_a_new_result_is_not_copied():
    addresses = []

    def noted(values):
        addresses.append(values.ctypes.data)
        return values

    doubled = primitive(lambda ct, out, x: noted(ct * 2))(lambda x: noted(x * 2))
    x, y = leaf(np.ones(1000)), None
    for _ in range(100):  # also when the interpreter has specialised the code
        y = doubled(x)
        assert y.data.ctypes.data == addresses[-1]


def test_a_rule_and_a_body_cannot_change_a_parameter_for_later():
    def emptied(k):
        while len(k) > 1:
            k.pop()
        return k[0]

    scaled = primitive(lambda ct, out, x, k: ct * k.pop())(lambda x, k: x * k[-1] + 0 * emptied(k))
    x = leaf([1, 2])
    y = scaled(x, k=[2.0, 3.0])
    for _ in range(2):
        x.grad = None
        y.sum().backward()
        assert x.grad.tolist() == [3, 3]


@pytest.mark.parametrize(
    "write",
    [
        lambda x: x.__setitem__(0, 100.0),
        lambda x: np.multiply(x, 2, out=x),
        lambda x: x.__iadd__(1),
        lambda x: (x.setflags(write=True), x.fill(0)),
        lambda x: x[::-1].sort(),
    ],
)
def test_a_body_cannot_write_into_its_input(write):
    @primitive(passing, passing)
    def clobber(scale, x):
        write(x)
        return scale * x

    x = leaf([1, 2])
    with pytest.raises(InPlaceError, match=r"clobber writes into argument 1 \(x\), but a recorded value never changes"):
        clobber(3.0, x)
    assert x.data.tolist() == [1, 2]


def test_an_error_about_an_array_of_the_body_s_own_blames_no_argument():
    own = np.zeros(2)
    own.setflags(write=False)

    @primitive(passing)
    def careless(x):
        own[:] = x
        return own

    with pytest.raises(ValueError, match="read-only") as caught:
        careless(leaf([5, 5]))
    assert caught.value.__notes__ == ["in careless of shapes (2,)"]


def test_a_body_may_return_its_input():
    @primitive(lambda ct, out, x: 3 * ct)
    def same(x):
        return x

    x = leaf([1, 2])
    same(same(x)).sum().backward()
    assert x.grad.tolist() == [9, 9]
    assert not np.shares_memory(x.grad, x.data)


@pytest.mark.parametrize("result", [None, "text", 1j, np.array([1 + 1j]), np.array([None]), np.array(["a"])])
def test_a_body_that_returns_other_than_real_numbers_raises(result):
    @primitive(passing)
    def strange(x):
        return result

    with pytest.raises(DtypeError, match="strange returned dtype"):
        strange(leaf([1, 2]))


@pytest.mark.parametrize("result", [2.0, np.float64(2), np.array(2.0), [2.0, 2.0]])
def test_a_body_may_return_anything_that_numpy_turns_into_an_array(result):
    @primitive(lambda ct, out, x: np.broadcast_to(np.sum(ct), x.shape))
    def given(x):
        return result

    x = leaf([1, 2])
    out = given(x)
    assert out.shape == np.shape(result)
    out.sum().backward()
    assert x.grad.tolist() == [out.size, out.size]


def test_a_body_that_returns_integers_has_no_gradient():
    @primitive(passing)
    def counted(x):
        return np.arange(3)

    assert not counted(leaf([1, 2])).requires_grad


def test_a_body_that_returns_a_tuple_raises():
    @primitive(lambda ct, out, x: ct)
    def both(x):
        return x, x * x

    with pytest.raises(RuleError, match="both returned a tuple of 2, but an operation must return one array"):
        both(Tensor([1.0, 2.0]))


def test_a_masked_result_raises():
    masked = primitive(passing)(lambda x: np.ma.masked_less(x, 1.5))
    with pytest.raises(DtypeError, match="a masked array would lose its mask"):
        masked(leaf([1, 2]))


def test_results_are_in_the_byte_order_of_the_machine():
    @primitive(lambda ct, out, x: ct * 2)
    def swapped(x):
        return (x * 2).astype(x.dtype.newbyteorder())

    x = leaf([1, 2])
    y = swapped(x)
    assert y.dtype.isnative
    y.backward(np.ones(2, y.dtype))
    assert x.grad.tolist() == [2, 2]


# --- rules ----------------------------------------------------------------------------------------------------------


def test_a_rule_that_changes_the_cotangent_raises():
    def doubling(ct, out, x):
        ct *= 2
        return ct

    @primitive(doubling)
    def twice(x):
        return 2 * x

    x, y = leaf([1, 2]), leaf([3, 4])
    with pytest.raises(RuleError, match="read-only") as caught:
        (twice(x * 1) + y).backward(np.ones(2))
    assert str(caught.value).endswith(
        "\nthe rule of twice for argument 0 (x) writes into ct: "
        "a rule must not change its arguments, which are shared: compute a new array instead"
    )
    assert x.grad is None
    assert y.grad is None


@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("unlock", [False, True])
def test_a_rule_that_changes_what_it_was_given_raises_and_says_what(which, unlock):
    def scribbling(*args):
        if unlock:
            args[which].setflags(write=True)
        args[which][...] = 0
        return args[0]

    @primitive(scribbling)
    def plain(x):
        return x + 1

    x = leaf([1, 2])
    name = ("ct", "out", r"argument 0 \(x\)")[which]
    for make in (lambda x: x, lambda x: x.reshape(1, 2).T.T):  # whose cotangents are views of other arrays
        with pytest.raises(RuleError, match=f"writes into {name}: a rule must not .* compute a new array"):
            make(plain(x)).sum().backward()
    assert x.data.tolist() == [1, 2]


def test_a_rule_cannot_change_constants_and_parameters_while_it_is_recorded():
    def unlocking(ct, out, x, y, k):
        y.setflags(write=True)
        return ct * y

    times = primitive(unlocking, None)(lambda x, y, k: x * y * k[-1])
    popping = primitive(lambda ct, out, x, y, k: ct * y * k.pop(), None)(lambda x, y, k: x * y * k[-1])
    x, y = leaf([1, 2]), np.array([3.0, 4.0])
    with pytest.raises(RuleError, match="WRITEABLE"):
        grad(times(x, y, k=[1.0]).sum(), x, create_graph=True)
    z = popping(x, y, k=[2.0, 5.0]).sum()
    for _ in range(2):
        assert grad(z, x, create_graph=True).data.tolist() == [15, 20]


def test_a_masked_piece_raises():
    masked = primitive(lambda ct, out, x: np.ma.masked_less(ct, 1.5))(lambda x: x + 0)
    with pytest.raises(DtypeError, match="the rule of <lambda>: a masked array would lose its mask"):
        masked(leaf([1, 2])).sum().backward()


def test_a_piece_of_a_class_that_computes_differently_is_taken_as_an_array():
    squared = primitive(lambda ct, out, x: (2 * ct * x).view(np.matrix))(lambda x: x * x)
    x = leaf([[1, 2], [3, 4]])
    squared(x * x).sum().backward()
    assert x.grad.tolist() == [[4, 32], [108, 256]]


# --- lifetimes ------------------------------------------------------------------------------------------------------


def declared():
    """A declared operation, and a weak reference to an array that its rule holds."""

    class Big(np.ndarray):
        pass

    big = np.ones(3).view(Big)
    return primitive(lambda ct, out, x: ct * big.view(np.ndarray))(lambda x: x * 1), weakref.ref(big)


@pytest.mark.parametrize(
    "use",
    [
        lambda operation, x: None,
        lambda operation, x: operation(x).sum().backward(),
        lambda operation, x: operation(x.data),
        lambda operation, x: grad(grad(operation(x).sum(), x, create_graph=True).sum(), x),
        lambda operation, x: check_gradients(operation, x),
        lambda operation, x: operation(x, x),
    ],
    ids=["declared", "backward", "arrays", "grad of grad", "check", "error"],
)
@pytest.mark.filterwarnings("ignore:grad returns zeros")
def test_a_declared_operation_that_nobody_refers_to_is_forgotten(use):
    operation, big = declared()
    with contextlib.suppress(NoRuleError):
        use(operation, leaf([1, 2, 3]))
    gc.collect()
    assert big() is not None
    del operation
    gc.collect()
    assert big() is None


def test_a_node_keeps_the_operation_that_it_was_recorded_with():
    operation, big = declared()
    x = leaf([1, 2, 3])
    y = operation(x).sum()
    del operation
    gc.collect()
    assert grad(y, x).data.tolist() == [1, 1, 1]
    assert "lambda" in str(draw(y))
    assert big() is not None
    del y
    gc.collect()
    assert big() is None


def test_a_program_keeps_the_operations_that_it_calls():
    operation = primitive(None)(lambda x: np.linalg.inv(x))  # which has no rule: it stays one equation
    step = capture(functools.partial(lambda operation, x: operation(x), operation))
    step(np.eye(2))
    program, known = step.program, weakref.ref(operation)
    del step, operation
    gc.collect()
    assert evaluate(program, 2 * np.eye(2))[0].tolist() == [[0.5, 0], [0, 0.5]]
    assert known() is not None
    del program
    gc.collect()
    assert known() is None


def test_rules_for_constants_are_never_called():
    def never(ct, out, x, y):
        raise AssertionError

    @primitive(lambda ct, out, x, y: ct * y, never)
    def times(x, y):
        return x * y

    x = leaf([1, 2])
    for y in (3.0, np.array([3.0, 3.0]), Tensor([3.0, 3.0])):
        times(x, y).sum().backward()
    assert x.grad.tolist() == [9, 9]


def test_a_rule_may_compute_with_a_tensor():
    W = Tensor([3.0, 4.0])
    weighted = primitive(lambda ct, out, x: ct * W)(lambda x: x * W.data)
    doubled = primitive(lambda ct, out, x: ct * 2)(lambda x: 2 * x)
    x = leaf([1, 2])
    weighted(doubled(x)).sum().backward()
    assert x.grad.tolist() == [6, 8]
    assert grad(weighted(x).sum(), x).data.tolist() == [3, 4]
