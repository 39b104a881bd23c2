"""The case study's two-layer net without a model class: NumPy functions on Tensors, and gradient descent in a loop.

Run: python demos/spiral_from_scratch.py
"""

import numpy as np

from autograd_spiral import Tensor, grad, keep_memory
from autograd_spiral.spiral import spiral


def loss_of(X, y, W1, b1, W2, b2, reg):
    """Return the case study's loss, computed as in the case study. The arguments may be arrays or Tensors."""
    hidden = np.maximum(0, np.dot(X, W1) + b1)
    scores = np.dot(hidden, W2) + b2
    exp_scores = np.exp(scores - np.max(scores, axis=1, keepdims=True))
    probs = exp_scores / np.sum(exp_scores, axis=1, keepdims=True)
    correct = -np.log(probs[range(len(y)), y])
    data_loss = np.sum(correct) / len(y)
    reg_loss = 0.5 * reg * np.sum(W1 * W1) + 0.5 * reg * np.sum(W2 * W2)
    return data_loss + reg_loss


def main() -> None:
    keep_memory()  # thousands of steps will need the same amount of memory again
    rng = np.random.default_rng(3)
    X, y = spiral(100, 3, generator=rng)
    starts = 0.01 * rng.standard_normal((2, 100)), np.zeros((1, 100)), 0.01 * rng.standard_normal((100, 3)), np.zeros(3)
    parameters = [Tensor(start, requires_grad=True) for start in starts]

    for i in range(2001):
        loss = loss_of(X, y, *parameters, reg=1e-3)
        if i % 400 == 0:
            print(f"iteration {i:4}: loss {loss.item():.4f}")
        for p, gradient in zip(parameters, grad(loss, parameters), strict=True):
            p.assign(p - 1.0 * gradient)

    W1, b1, W2, b2 = (p.data for p in parameters)  # plain arrays, since no gradients are needed here
    predicted = np.argmax(np.maximum(0, X @ W1 + b1) @ W2 + b2, axis=1)
    print(f"training accuracy: {np.mean(predicted == y):.2f}")
    for j in range(3):
        print(f"  arm {j}: {np.sum(predicted[y == j] == j)} of {np.sum(y == j)} points are right")
    assert np.mean(predicted == y) > 0.95


if __name__ == "__main__":
    main()
