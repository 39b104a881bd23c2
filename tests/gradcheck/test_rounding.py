import math

import numpy as np
import pytest

from autograd_spiral import Tensor, grad, logsumexp, primitive, relu, softmax
from autograd_spiral.gradcheck.rounding import Again, blurred, rounding_of, widened
from autograd_spiral.program.evaluate import evaluate
from autograd_spiral.program.history import history
from autograd_spiral.program.recorded import recorded

FUNCTIONS = {
    "product": lambda x, w: x * w,
    "exponential": lambda x, w: np.exp(3 * x) * w,
    "cancellation": lambda x, w: (x * w + 100) - 100,
    "variance": lambda x, w: np.var(x + 30, axis=0) * w,
    "softmax": lambda x, w: softmax(5 * x) @ w.mT,
    "logarithm": lambda x, w: logsumexp(8 * x - w, axis=1),
    "layers": lambda x, w: relu(x @ w.mT) @ relu(w),
    "long sum": lambda x, w: np.sum(np.tile(x * w, (300, 1)), axis=0),
    "polynomial": lambda x, w: (1 - x) * (1 - x) - 1 + 2 * x - x * x * w,
}


def gradients(function, arrays):
    leaves = [Tensor(a, requires_grad=True) for a in arrays]
    output = function(*leaves)
    ct = np.asarray(np.cos(np.arange(output.size)).reshape(output.shape), np.float32).astype(output.dtype)
    found = grad(output, leaves, ct)
    return leaves, output, ct, [g.data for g in found]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_levels_hold_what_rounding_did_and_little_more(name):
    for seed in range(20):
        arrays = [np.random.default_rng((seed, i)).standard_normal((6, 4)).astype(np.float32) for i in range(2)]
        leaves, output, ct, single = gradients(FUNCTIONS[name], arrays)
        _, exact, _, double = gradients(FUNCTIONS[name], [a.astype(float) for a in arrays])
        (of_output,), of_gradients, *_ = rounding_of([output], [ct], leaves, single)
        assert np.all(np.abs(output.data - exact.data) <= of_output)
        assert np.max(of_output) <= 1e-3 * (1 + np.max(np.abs(exact.data)))
        for a, b, level in zip(single, double, of_gradients, strict=True):
            assert np.all(np.abs(a - b) <= level)
            assert np.max(level) <= 1e-3 * (1 + np.max(np.abs(b)))


def test_levels_do_not_cover_a_wrong_rule():
    @primitive(lambda ct, out, x: ct * np.cos(x) * (1 + 1e-9))
    def sine(x):
        return np.sin(x)

    x = Tensor(np.array([0.3, -1.2]), requires_grad=True)
    output = sine(x)
    wrong = grad(output, x, np.ones(2)).data
    (level,) = rounding_of([output], [np.ones(2)], [x], [wrong]).gradients
    assert np.all(np.abs(wrong - np.cos(x.data)) > 1000 * level)


def rounding_of_rule(vjp, x, body=lambda x: x * x):
    leaf = Tensor(np.array(x), requires_grad=True)
    output = primitive(vjp)(body)(leaf)
    ct = np.ones(output.shape)
    return rounding_of([output], [ct], [leaf], [grad(output, leaf, ct).data])


def test_a_rule_that_jumps_is_marked_and_its_jump_is_no_rounding():
    exact = rounding_of_rule(lambda ct, out, x: np.where(x == np.round(x), 0, ct * 2 * x), [1.0, -4.0, 0.3, 2.5])
    assert exact.jumps[0].tolist() == [True, True, False, False]
    assert np.all(exact.gradients[0] < 1e-13)
    right = rounding_of_rule(lambda ct, out, x: ct * 2 * x, [1.0, -4.0, 0.3, 2.5])
    assert not np.any(right.jumps[0])


def test_differences_of_equal_numbers_round_loosely_and_selections_do_not():
    x = Tensor(np.array([1e-9, -1e-9, 3.0]), requires_grad=True)
    for function, loose in ((lambda x: (1 - np.cos(x)) / x, True), (lambda x: np.maximum(x, 0) * np.max(x), False)):
        output = function(x)
        found = grad(output, x, np.ones(3)).data
        measured = rounding_of([output], [np.ones(3)], [x], [found])
        assert bool(np.max(measured.loose_gradients[0]) > 1e-6) is loose
        assert np.all(measured.loose_gradients[0] >= measured.gradients[0])


def test_numbers_that_underflow_are_known_to_the_smallest_one():
    for dtype in ("float64", "float32", "float16"):
        least = float(np.finfo(dtype).smallest_subnormal)
        x = Tensor(np.array([least, 0], dtype), requires_grad=True)
        (of_output,), *_ = rounding_of([x * x], (), (), ())
        assert np.all(of_output >= least)


def test_branches_and_ties_stay_as_they_are():
    x = Tensor(np.array([0.0, 0.5, 1.0]), requires_grad=True)
    y = Tensor(np.array([0.0, 0.5, 0.25]), requires_grad=True)
    for output in (relu(x), np.where(x > 0.5, x, 3 * x), np.maximum(x, y), np.absolute(2 * x - 1)):
        found = grad(output, x, np.ones(3)).data
        (level,) = rounding_of([output], [np.ones(3)], [x], [found]).gradients
        assert np.max(level) < 1e-13


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_blurring_moves_the_last_bits_alone(dtype):
    x = np.random.default_rng(0).standard_normal(1000).astype(dtype)
    x[:3] = 0, np.inf, np.nan
    seen = set()
    for run in range(8):
        other = blurred(x, run)
        assert other.dtype == x.dtype
        assert np.array_equal(other[:3], x[:3], equal_nan=True)
        assert np.array_equal(blurred(other, run), other, equal_nan=True)
        assert np.all(np.abs(other[3:] - x[3:]) <= 8 * np.finfo(dtype).eps * np.abs(x[3:]))
        seen.add(other[3:].tobytes())
    assert len(seen) == 8


def test_what_does_not_round_is_not_blurred():
    for value in (np.arange(4), np.array([True, False]), 3.5, None):
        assert blurred(value, 0) is value


# --- against the meaning of a program -------------------------------------------------------------------------------

CHANGES = {
    "nothing": lambda value: value,
    "other last bits": lambda value: blurred(value, 3),
    "a wider dtype": widened,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_running_the_record_again_is_evaluating_its_program_with_changed_numbers(name, change):
    arrays = [np.random.default_rng(i).standard_normal((6, 4)).astype(np.float32) for i in range(2)]
    _, output, _, _ = gradients(FUNCTIONS[name], arrays)
    constants = [node.data for node in history([output]) if node.is_leaf and not node.requires_grad]

    def changed(equation, operands):
        value = equation.primitive.evaluate(*map(change, operands), **equation.params)
        return change(np.asarray(value)) if equation.output.dtype.kind == "f" else value

    with np.errstate(all="ignore"):
        (expected,) = evaluate(recorded([output], ()), *constants, *arrays, each=changed)
    (again,) = Again([output], (), ()).run(change, keep_zeros=False)
    assert again.dtype == expected.dtype
    np.testing.assert_array_equal(again, expected)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_running_the_record_again_unchanged_computes_the_gradients_of_its_program(name):
    arrays = [np.random.default_rng(i).standard_normal((6, 4)) for i in range(2)]
    leaves, output, ct, _ = gradients(FUNCTIONS[name], arrays)
    loss = np.sum(output * ct)
    constants = [node.data for node in history([loss]) if node.is_leaf and not node.requires_grad]
    expected = evaluate(recorded([loss], leaves), *constants, *arrays)
    again = Again([loss], [np.ones(())], leaves).run(lambda value: value)
    for a, b in zip(again, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12 * np.max(np.abs(b)))


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_changing_results_once_is_changing_them_at_every_reading(name, dtype):
    arrays = [np.random.default_rng(i).standard_normal((6, 4)).astype(dtype) for i in range(2)]
    arrays[0][0, :2] = 0
    leaves, output, ct, _ = gradients(FUNCTIONS[name], arrays)
    record = Again([output, leaves[0]], [ct, leaves[0].data], leaves)
    for run in range(3):
        for keep_zeros in (True, False):
            once, often = (
                record.run(lambda value, run=run: blurred(value, run), keep_zeros=keep_zeros, once=once)
                for once in (True, False)
            )
            for a, b in zip(once, often, strict=True):
                assert a.dtype == b.dtype
                np.testing.assert_array_equal(a, b)


def test_a_rule_that_needs_plain_arrays_is_run_again():
    @primitive(lambda ct, out, x: np.asarray(ct) * np.vectorize(math.cos)(x))
    def sine(x):
        return np.vectorize(math.sin)(np.asarray(x))

    x = Tensor(np.array([0.3, -1.2]), requires_grad=True)
    output = sine(x)
    found = grad(output, x, np.ones(2)).data
    (of_output,), (level,), *_ = rounding_of([output], [np.ones(2)], [x], [found])
    assert np.all((level > 0) & (level < 1e-13))
    assert np.all((of_output > 0) & (of_output < 1e-13))
