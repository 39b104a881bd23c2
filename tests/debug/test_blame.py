"""Blame mode: an error is raised at the first NaN or infinity, and says where it came from."""

import numpy as np
import pytest

from autograd_spiral import Tensor, blame, capture, grad, primitive, softmax
from autograd_spiral.engine.modes import MODE
from autograd_spiral.errors import CaptureError, NonFiniteError, RuleError


def message_of(function):
    with pytest.raises(NonFiniteError) as caught, blame():
        function()
    assert isinstance(caught.value, FloatingPointError)
    return str(caught.value)


def test_forward_names_the_primitive_the_line_the_index_and_the_ranges():
    x = Tensor([[1.0, 2.0], [0.0, 3.0]], requires_grad=True)
    message = message_of(lambda: np.log(x) * 2)  # the line that is blamed
    assert message.startswith("going forward, np.log returned -inf at (1, 0)\n")
    assert "test_blame.py:" in message
    assert "np.log(x) * 2)  # the line that is blamed" in message
    assert "argument 0: shape (2, 2), 0 to 3" in message


def test_backward_names_the_rule_the_line_and_the_cotangent():
    x = Tensor([4.0, 0.0], requires_grad=True)

    def step():
        root = np.sqrt(x)  # recorded here
        np.sum(3 * root).backward()

    message = message_of(step)
    assert message.startswith("going backward, the rule of np.sqrt for argument 0 returned inf at (1,)\n")
    assert "root = np.sqrt(x)  # recorded here" in message
    assert "its cotangent: shape (2,), 3 to 3" in message
    assert "0 · inf" not in message
    assert x.grad is None


def test_arguments_of_declared_primitives_have_their_names():
    @primitive(None, lambda ct, out, weights, x: ct / (x - x))
    def weighted(weights, x):
        return weights * x

    x = Tensor([4.0, 1.0], requires_grad=True)
    message = message_of(lambda: weighted(2.0, x).sum().backward())
    assert message.startswith("going backward, the rule of weighted for argument 1 (x) returned inf at (0,)\n")
    assert "\n  argument 0 (weights): shape (), 2 to 2\n  argument 1 (x): shape (2,), 1 to 4\n" in message


@pytest.mark.parametrize(
    ("function", "remedy"),
    [
        (lambda x: np.sqrt(x), "np.where(good, np.sqrt(np.where(good, x, 1)), other)"),
        (lambda x: x**0.5, "np.where(good, np.where(good, x, 1) ** a, other)"),
        (lambda x: np.arcsin(x + 1), "np.where(good, np.arcsin(np.where(good, x, 0)), other)"),
    ],
)
def test_zero_times_infinity_under_where_is_recognised(function, remedy):
    x = Tensor([4.0, 0.0], requires_grad=True)
    if "arcsin" in remedy:
        x = Tensor([-0.5, 0.0], requires_grad=True)
    message = message_of(lambda: np.where(x == 0, 0.0, function(x)).sum().backward())
    assert "0 · inf" in message
    assert remedy in message


def test_the_remedy_works():
    x = Tensor([4.0, 0.0], requires_grad=True)
    good = x > 0
    with blame():
        np.where(good, np.sqrt(np.where(good, x, 1)), 0.0).sum().backward()
    np.testing.assert_array_equal(x.grad, [0.25, 0.0])


def test_a_branch_that_where_discards_raises_going_forward_and_says_what_to_write():
    x = Tensor([4.0, 0.0], requires_grad=True)
    message = message_of(lambda: np.where(x > 0, np.log(x), 0.0))
    assert "np.where(good, np.log(np.where(good, x, 1)), other)" in message


def test_a_graph_recorded_outside_says_so():
    x = Tensor([0.0], requires_grad=True)
    y = np.sqrt(x)
    assert "outside blame()" in message_of(y.backward)


def test_gradients_of_gradients_are_watched():
    x = Tensor([0.0], requires_grad=True)
    message = message_of(lambda: grad(np.sqrt(x).sum(), x, create_graph=True))
    assert message.startswith("going backward, while recording the rules, np.divide returned inf at (0,)")


def test_infinities_in_the_data_do_not_raise_if_results_are_finite():
    scores = Tensor([[0.0, -np.inf, 1.0]], requires_grad=True)
    with blame():
        np.sum(softmax(scores) ** 2).backward()
    assert np.isfinite(scores.grad).all()


def test_outside_the_block_nothing_is_checked_and_no_line_is_noted():
    mode = MODE.get()
    x = Tensor([0.0], requires_grad=True)
    with pytest.raises(NonFiniteError), blame():
        np.log(x)
    assert MODE.get() is mode
    with np.errstate(divide="ignore"):
        y = np.log(x)
    assert y.place is None
    assert np.isneginf(y.data).all()


def test_overflow_says_which_functions_do_not_overflow():
    scores = Tensor([1.0, 800.0], requires_grad=True, name="scores")
    with (
        blame(),
        pytest.raises(NonFiniteError, match=r"argument 0, 'scores': shape \(2,\).*\n.*use softmax, log_softmax"),
    ):
        np.exp(scores)


def test_an_operation_is_not_blamed_for_its_input():
    x = Tensor([1.0, np.nan], requires_grad=True)
    with blame(), pytest.raises(NonFiniteError, match="argument 0 was already not finite") as caught:
        np.log(x)
    assert "safe input" not in str(caught.value)


def test_an_infinite_derivative_at_the_edge_of_a_domain_has_a_remedy():
    x = Tensor([0.0, 1.0], requires_grad=True)
    with blame(), pytest.raises(NonFiniteError, match=r"infinite at the edge .*\n.*np\.where\(good, x, 1\)"):
        np.sqrt(x).sum().backward()


def test_contributions_whose_sum_is_infinite_name_the_tensor():
    x = Tensor(0.0, requires_grad=True, name="x")
    message = message_of(lambda: (x * 1e308 + x * 1e308).backward())
    assert message.startswith("going backward, the gradient of 'x' is inf at ()\nIts contributions were finite")

    def of_a_result():
        h = x * 1.0  # the line that is blamed
        grad(h * 1e308 + h * 1e308, x)

    message = message_of(of_a_result)
    assert message.startswith("going backward, the gradient of the result of np.multiply, recorded at ")
    assert "h = x * 1.0  # the line that is blamed is inf at ()" in message


def test_a_contribution_too_large_for_the_dtype_names_the_tensor():
    x = Tensor(np.float16(2), requires_grad=True, name="x")
    message = message_of(lambda: (x * np.array(1e6)).backward())
    assert message.startswith("going backward, the gradient of 'x' is inf at ()\n")
    assert "conversion to float16" in message


@pytest.mark.parametrize("piece", [2.0, None, [1.0, 1.0]])
def test_a_rule_that_returns_no_array_raises_the_same_error_as_outside(piece):
    wrong = primitive(lambda ct, out, x: piece)(lambda x: x * 2)
    x = Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(RuleError, match="a rule must return that shape"), blame():
        wrong(x).sum().backward()


def test_blame_raises_inside_a_captured_step_and_works_around_its_call():
    def inside(x):
        with blame():  # the line
            return np.log(x)

    @blame()
    def decorated(x):
        return np.log(x)

    for function, line in ((inside, "with blame():  # the line"), (decorated, "return function(x) + 1  # calls it")):

        @capture
        def step(x, function=function):
            return function(x) + 1  # calls it

        with pytest.raises(CaptureError) as caught:
            step(np.ones(2))
        where, what = str(caught.value).splitlines()
        assert "test_blame.py:" in where
        assert line in where
        assert what.startswith(
            "blame() is not possible while a step is being captured. Write with blame(): around the call of the step"
        )
        with blame():
            assert step(np.ones(2)).data.tolist() == [1, 1]
            with pytest.raises(NonFiniteError, match="returned -inf"):
                step(np.zeros(2))
