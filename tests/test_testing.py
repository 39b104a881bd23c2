import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from autograd_spiral import Tensor, relu, softmax_cross_entropy
from autograd_spiral.gradcheck import check_gradients
from autograd_spiral.testing import (
    arrays_away_from,
    arrays_near,
    arrays_of_any_scale,
    broadcastable,
    float_dtypes,
    ill_conditioned_arrays,
    in_any_layout,
    labels_for,
    matmul_pairs,
    numbers,
    tensors,
)

few = settings(max_examples=25)


@given(arrays_away_from([0.0, 1.5], gap=0.3, low=-2, high=2, min_dims=1))
def test_arrays_keep_away_from_kinks(x):
    assert x.ndim >= 1
    assert np.all((x >= -2) & (x <= 2))
    assert np.all(np.abs(x) >= 0.3)
    assert np.all(np.abs(x - 1.5) >= 0.3)


@few
@given(tensors([0.0], dtype=np.float32, shape=(2, 2)))
def test_tensors_have_the_dtype_and_collect_gradients(x):
    assert isinstance(x, Tensor)
    assert x.requires_grad
    assert x.dtype == np.float32
    assert check_gradients(relu, x).ok


@given(broadcastable(3))
def test_shapes_broadcast(arrays):
    assert np.broadcast_shapes(*(x.shape for x in arrays)) == sum(arrays).shape


@few
@given(broadcastable(2, [0.0]))
def test_quotients_pass(arrays):
    assert check_gradients(lambda x, y: x / y, *arrays).ok


@few
@given(st.data(), arrays_away_from(min_dims=2, max_dims=2))
def test_labels_fit_the_scores(data, scores):
    labels = data.draw(labels_for(scores))
    assert check_gradients(softmax_cross_entropy, scores, labels).ok


@few
@given(matmul_pairs())
def test_products_pass(pair):
    x, y = pair
    assert check_gradients(np.matmul, x, y).ok


@given(matmul_pairs(vectors=False))
def test_without_vectors_there_are_matrices(pair):
    assert min(x.ndim for x in pair) >= 2


def test_all_forms_of_products_occur():
    wanted, found = {(1, 1), (1, 2), (2, 1), (2, 2), (3, 2), (2, 4)}, set()

    def all_found(pair):
        found.add(tuple(x.ndim for x in pair))
        return found >= wanted

    find(matmul_pairs(), all_found, settings=settings(phases=[Phase.generate], derandomize=True, max_examples=1000))


@settings(max_examples=10)
@given(st.data(), float_dtypes(platform=True))
def test_every_strategy_draws_the_dtype_that_is_asked_for(data, dtype):
    for strategy in (arrays_away_from, arrays_of_any_scale, ill_conditioned_arrays):
        assert data.draw(strategy(shape=(2, 3), dtype=dtype)).dtype == dtype
        assert data.draw(strategy(shape=(2,), dtype=st.just(dtype))).dtype == dtype
    assert data.draw(arrays_near([1.0], dtype=float_dtypes())).dtype.kind == "f"


@given(arrays_near([0.0, 2.5], shape=(4,), dtype=float_dtypes(), distance=1e-3))
def test_numbers_near_kinks_are_near_one(x):
    assert np.all(np.minimum(np.abs(x), np.abs(x - 2.5)) <= 1.01e-3 + np.finfo(x.dtype).eps * 2.5)


def met(strategy, *wanted):
    """Whether the strategy draws examples of all that is wanted, in a thousand."""
    left = list(wanted)

    def all_found(x):
        left[:] = [condition for condition in left if not condition(x)]
        return not left

    find(strategy, all_found, settings=settings(phases=[Phase.generate], derandomize=True, max_examples=1000))
    return True


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_numbers_on_kinks_and_right_beside_them_occur(dtype):
    spacing = np.finfo(dtype).eps
    wanted = [lambda x: x == 1, lambda x: 1 < x <= 1 + spacing, lambda x: 1 - spacing <= x < 1, lambda x: x < 0.995]
    assert met(arrays_near([1.0], shape=(), dtype=dtype), *wanted)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("alike", [False, True])
def test_tiny_and_huge_numbers_occur(dtype, alike):
    info = np.finfo(dtype)
    strategy = arrays_of_any_scale(dtype=dtype, alike=alike)
    assert met(strategy, lambda x: 0 < np.min(np.abs(x)) < info.tiny, lambda x: np.max(np.abs(x)) >= info.max / 10)


@few
@given(arrays_of_any_scale(dtype=float_dtypes(), signed=False), arrays_of_any_scale(shape=(6,), alike=True))
def test_scales_are_finite_and_alike_if_that_is_asked_for(positive, alike):
    assert np.all((positive > 0) & np.isfinite(positive))
    assert np.max(np.abs(alike)) / 20 <= np.min(np.abs(alike))  # the smallest are subnormal, and rounded


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_every_kind_of_bad_condition_occurs(dtype):
    assert met(
        ill_conditioned_arrays(shape=(3, 3), dtype=dtype).map(np.float64),
        lambda x: np.min(np.abs(x)) > 300 * np.ptp(x) > 0,
        lambda x: np.max(np.abs(x)) > 1e3 * np.median(np.abs(x)) > 0,
        lambda x: np.any(x) and np.linalg.cond(x) > 1e5,
    )


@given(st.data(), arrays_away_from(dtype=float_dtypes(platform=True), max_dims=3))
def test_layouts_have_the_same_values(data, x):
    other = data.draw(in_any_layout(st.just(x)))
    assert other.dtype.newbyteorder("=") == x.dtype
    np.testing.assert_array_equal(other, x)


def test_every_layout_occurs():
    assert met(
        in_any_layout(arrays_away_from(shape=(2, 3))),
        lambda x: x.flags.c_contiguous and x.flags.owndata and x.flags.writeable,
        lambda x: x.flags.f_contiguous,
        lambda x: x.strides[0] < 0,
        lambda x: x.strides[0] > 2 * x.shape[1] * x.itemsize - 1,
        lambda x: not x.flags.writeable,
        lambda x: not x.flags.aligned,
        lambda x: not x.dtype.isnative,
    )


@settings(max_examples=10)
@given(in_any_layout(arrays_near([0.0, 1.0], dtype=float_dtypes(platform=True))))
def test_gradients_pass_near_kinks_in_any_layout(x):
    assert check_gradients(lambda x: relu(x) * np.minimum(x, 1), x).ok is not False


@settings(max_examples=10)
@given(arrays_of_any_scale(dtype=float_dtypes()), ill_conditioned_arrays(dtype=float_dtypes()))
def test_gradients_pass_at_any_scale_and_in_any_condition(scaled, hard):
    assert check_gradients(np.tanh, scaled).ok is not False
    assert check_gradients(lambda x: np.sum((x - np.mean(x)) ** 2), hard).ok is not False


def test_failures_shrink_to_something_small():
    x = find(arrays_away_from(), lambda x: x.size > 0 and np.sum(x) > 2.5)
    assert x.tolist() in (3.0, [3.0])
    x, y = find(broadcastable(), lambda pair: pair[0].ndim == 2 and pair[0].shape != pair[1].shape)
    assert x.size * y.size <= 2
    assert set(x.ravel().tolist()) | set(y.ravel().tolist()) == {0.0}


def test_bad_requests():
    with pytest.raises(ValueError, match="is above high"):
        numbers(1, 0)
    with pytest.raises(ValueError, match="no number between 0 and 1 is at least 3 away"):
        numbers(0, 1, away_from=[0.5], gap=3)
    with pytest.raises(ValueError, match="no kinks are given"):
        arrays_near([])
    with pytest.raises(ValueError, match=r"shape \(N, K\)"):
        find(labels_for(np.zeros(3)), lambda labels: True)


def test_without_hypothesis_the_message_says_what_to_install():
    code = (
        "import sys; sys.modules['hypothesis'] = None\n"
        "try:\n    import autograd_spiral.testing\n"
        "except ImportError as error:\n    print(error)"
    )
    root = str(Path(__file__).parents[1])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert "pip install 'autograd-spiral[test]'" in done.stdout
