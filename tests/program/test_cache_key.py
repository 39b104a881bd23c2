"""Cache keys: what about the arguments selects a program."""

from __future__ import annotations

import contextlib
import pickle
from typing import Any

import numpy as np
import pytest
from captured import ONES, count_of, leaf
from hypothesis import given
from hypothesis import strategies as st
from programs import assert_same, flat

from autograd_spiral import Tensor, capture, grad, no_grad, softmax_cross_entropy
from autograd_spiral.program.capturing.cache_key import Call, constant_key, signature_check

w = leaf(name="w")


def test_shapes_and_dtypes_select_the_program() -> None:
    step = capture(lambda x: (w * x).sum())
    for x in (np.ones(2), np.zeros(2), np.ones((3, 2)), np.ones(2, np.float32), np.ones(2, int), np.zeros(2)):
        assert_same(flat(step(x)), [(w.data * x).sum()], "value")
    assert count_of(step) == 4


def test_other_arguments_select_it_by_value_type_and_sign_of_zero() -> None:
    def step(x: Any, c: Any = 1, *, flag: bool = True) -> Any:
        return np.copysign(1.0, c) * (w * x).sum() if flag else w * c

    captured = capture(step)
    warned = pytest.warns(UserWarning, match="has made 8 programs")
    for args, kwargs in [
        ((1,), {}),
        ((1.0,), {}),
        ((True,), {}),
        ((0.0,), {}),
        ((-0.0,), {}),
        ((0.0,), {"flag": False}),
        ((float("nan"),), {"flag": False}),
        ((np.float32(2),), {"flag": False}),
    ]:
        for _ in range(2):
            with warned if args == (np.float32(2),) and count_of(captured) == 7 else contextlib.nullcontext():
                result, expected = captured(ONES, *args, **kwargs), step(ONES, *args, **kwargs)
            assert_same(flat(result), flat(expected), "value")
    assert count_of(captured) == 8


def test_no_grad_around_the_call_selects_it() -> None:
    captured = capture(lambda x: grad((w * w * x).sum(), w))
    assert_same(flat(captured(ONES)), [2 * w.data], "gradient")
    with no_grad(), pytest.warns(UserWarning, match="grad returns zeros"):
        assert_same(flat(captured(ONES)), flat(captured.eager(ONES)), "gradient")
    assert_same(flat(captured(ONES)), [2 * w.data], "gradient")


def test_tensors_that_require_no_gradients_are_inputs_though_they_were_recorded() -> None:
    p = leaf(1, 3)
    step = capture(lambda mask, whole: grad(np.where(mask, p * whole, p * p).sum(), p))
    for i in range(4):
        mask, whole = p > i, (p * i).astype(int)
        assert not mask.is_leaf
        assert not whole.is_leaf
        assert_same(flat(step(mask, whole)), flat(step.eager(mask, whole)), "gradient")
    assert count_of(step) == 1


def test_inputs_have_the_names_of_their_parameters_whatever_the_order_of_the_keywords() -> None:
    def step(X: Any, *rest: Any, y: Any, **more: Any) -> Any:
        return (w * X - 2 * y + more["z"]).sum()

    captured = capture(step)
    arrays = {"z": np.array([1.0, 5.0]), "y": np.array([3.0, 4.0])}
    expected = captured(ONES, **arrays)
    assert [captured.program.names[value].text for value in captured.program.inputs] == ["X", "z", "y"]
    namespace: dict[str, Any] = {}
    exec(captured.source, namespace)
    assert_same(flat(expected), [namespace["step"](X=ONES, w=w.data, **arrays)], "value")


def test_arrays_of_other_types_are_inputs_or_refused() -> None:
    captured = capture(lambda scores, y: softmax_cross_entropy(scores * 1.0, y))
    scores, y = np.array([[1.0, 2.0], [3.0, 5.0]]), np.array([0, 1])
    expected = captured(scores, y).data
    for _ in range(2):
        assert_same(flat(captured(scores.astype(">f8"), y.astype(">i8"))), [expected], "value")
    assert count_of(captured) == 1
    with pytest.raises(TypeError, match=r"np\.asarray\(matrix\)"):
        captured(scores.view(np.matrix), y)


SHAPES = st.sampled_from([(), (2,), (2, 1)])
ARRAYS = st.builds(np.zeros, SHAPES, st.sampled_from(["f8", "f4", "i8", ">f8"]))


@given(st.lists(ARRAYS, max_size=3), st.lists(ARRAYS, max_size=3), st.booleans(), st.booleans())
def test_the_fast_check_of_a_signature_says_what_the_key_says(one: Any, other: Any, a: bool, b: bool) -> None:
    first, second = Call(np.sin, tuple(one), {}, recording=a), Call(np.sin, tuple(other), {}, recording=b)
    native = all(array.dtype.isnative for array in (*one, *other))
    assert signature_check(first)(tuple(other), b) == (native and first.key()[0] == second.key()[0])


@pytest.mark.parametrize("arguments", [((ONES, 1), {}), (([ONES],), {}), ((), {"x": ONES}), ((Tensor(ONES),), {})])
def test_the_fast_check_is_for_arrays_alone(arguments: Any) -> None:
    args, kwargs = arguments
    assert not signature_check(Call(np.sin, args, kwargs, recording=True))(args, True)


def test_constants_have_the_same_key_if_programs_for_them_are_the_same() -> None:
    values = [0, False, 0.0, -0.0, None, "0", b"0", np.float32(0), np.float64(0), (0,), (0.0,), 1]
    assert len({constant_key(value) for value in values}) == len(values)
    for value in [*values, float("nan"), (float("nan"), "a")]:
        assert constant_key(value) == constant_key(pickle.loads(pickle.dumps(value)))
    one, other = object(), object()
    assert constant_key(one) == constant_key(one) != constant_key(other)
