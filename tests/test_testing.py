import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from autograd_spiral import Tensor, relu, softmax_cross_entropy
from autograd_spiral.gradcheck import check_gradients
from autograd_spiral.testing import arrays_away_from, broadcastable, labels_for, matmul_pairs, numbers, tensors

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
