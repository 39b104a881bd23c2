"""The losses and gradients derived by hand, in plain NumPy: the reference that the engine is checked against.

The module imports only NumPy, so it does not depend on what it checks. The derivations are from CS231n, Neural Networks
Case Study.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["linear_gradients", "softmax_gradient", "two_layer_gradients"]

Array = NDArray[Any]


def softmax_gradient(p: Array, correct: int | tuple[Array, Array]) -> Array:
    """Return the gradient of `-log p[correct]` with respect to the scores whose softmax is `p`.

    The gradient is `p`, minus 1 at the correct class. `correct` is the index of that class. If each row of `p` is a
    softmax, `correct` is a pair of arrays: the indices of the rows, and the correct class of each row.

    >>> softmax_gradient(np.array([0.2, 0.3, 0.5]), 1)
    array([ 0.2, -0.7,  0.5])
    """
    df = p.copy()
    df[correct] -= 1
    return df


def _data_loss(scores: Array, y: Array) -> tuple[float, Array]:
    """Return the mean cross-entropy of the softmax of `scores` (N, K), and its gradient `(p - onehot(y)) / N`."""
    n = len(scores)
    correct = np.arange(n), y
    unnormalised = np.exp(scores - scores.max(axis=1, keepdims=True))
    probs = unnormalised / unnormalised.sum(axis=1, keepdims=True)
    loss = -np.log(probs[correct]).sum() / n
    return float(loss), softmax_gradient(probs, correct) / n


def linear_gradients(X: Array, y: Array, W: Array, b: Array, reg: float) -> tuple[float, tuple[Array, Array]]:
    """Return the loss of a linear softmax classifier, and its gradients with respect to W (D, K) and b (1, K).

    X has shape (N, D), and y holds the classes of the N rows. The loss is the mean cross-entropy plus `reg / 2 · ΣW²`.
    The arguments are not changed.

    >>> loss, (dW, db) = linear_gradients(np.eye(2), np.array([0, 1]), np.zeros((2, 2)), np.zeros((1, 2)), 0.0)
    >>> round(loss, 4)  # log 2, since both classes have the same probability
    0.6931
    >>> dW
    array([[-0.25,  0.25],
           [ 0.25, -0.25]])
    """
    data_loss, dscores = _data_loss(X @ W + b, y)
    dW = X.T @ dscores + reg * W
    db = dscores.sum(axis=0, keepdims=True)
    return data_loss + 0.5 * reg * float((W * W).sum()), (dW, db)


def two_layer_gradients(
    X: Array, y: Array, W1: Array, b1: Array, W2: Array, b2: Array, reg: float
) -> tuple[float, tuple[Array, Array, Array, Array]]:
    """Return the loss of the two-layer ReLU net, and its gradients with respect to the parameters.

    The parameters are W1 (D, H), b1 (1, H), W2 (H, K) and b2 (1, K). The gradient passes through a hidden unit only
    where the unit's output is positive. The arguments are not changed.

    >>> W1, b1, W2, b2 = np.eye(2), np.zeros((1, 2)), np.zeros((2, 2)), np.zeros((1, 2))
    >>> loss, (dW1, db1, dW2, db2) = two_layer_gradients(np.eye(2), np.array([0, 1]), W1, b1, W2, b2, 0.0)
    >>> dW2
    array([[-0.25,  0.25],
           [ 0.25, -0.25]])
    >>> bool(np.any(dW1))  # no gradient passes through a W2 of zeros
    False
    """
    h = np.maximum(0, X @ W1 + b1)
    data_loss, dscores = _data_loss(h @ W2 + b2, y)
    dW2 = h.T @ dscores + reg * W2
    db2 = dscores.sum(axis=0, keepdims=True)
    dh = dscores @ W2.T
    dh[h <= 0] = 0
    dW1 = X.T @ dh + reg * W1
    db1 = dh.sum(axis=0, keepdims=True)
    penalty = 0.5 * reg * float((W1 * W1).sum()) + 0.5 * reg * float((W2 * W2).sum())
    return data_loss + penalty, (dW1, db1, dW2, db2)
