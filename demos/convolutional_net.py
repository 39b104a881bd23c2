"""A small convolutional net for handwritten digits, with convolution and max-pooling written in NumPy.

The images, 8 by 8 pixels, come with scikit-learn (Alpaydin and Kaynak, 1998). Run: python demos/convolutional_net.py
"""

import sys

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from autograd_spiral import Tensor, grad, relu, softmax_cross_entropy


def convolution(images, filters):
    """Return the products of each 3 by 3 window of (n, 8, 8) images with each of (3, 3, k) filters: (n, 6, 6, k)."""
    windows = sliding_window_view(images, (3, 3), axis=(1, 2))
    return np.einsum("nijab,abk->nijk", windows, filters, optimize=True)


def max_pooling(maps):
    """Return the largest entry of each 2 by 2 square: (n, 6, 6, k) to (n, 3, 3, k)."""
    n, height, width, k = maps.shape
    return np.max(maps.reshape(n, height // 2, 2, width // 2, 2, k), axis=(2, 4))


def scores_of(images, filters, shifts, W, b):
    """Return the scores of the ten classes: (n, 10)."""
    pooled = max_pooling(relu(convolution(images, filters) + shifts))
    return pooled.reshape(len(images), -1) @ W + b


def main() -> None:
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        print("the images come with scikit-learn, which is not installed: run pip install scikit-learn")
        sys.exit(0)
    digits, filters = load_digits(), 12
    rng = np.random.default_rng(0)
    train, test = np.split(rng.permutation(len(digits.target)), [1400])
    X, y = digits.images / 16 - 0.3, digits.target  # the mean of the pixels is about 0

    sizes = {"filters": (3, 3, filters), "shifts": (filters,), "W": (9 * filters, 10), "b": (10,)}
    net = [Tensor(0.1 * rng.standard_normal(size), requires_grad=True, name=name) for name, size in sizes.items()]
    velocities = [np.zeros(size) for size in sizes.values()]
    for i in range(251):
        batch = rng.choice(train, 100, replace=False)
        loss = softmax_cross_entropy(scores_of(X[batch], *net), y[batch])
        for j, (p, dp) in enumerate(zip(net, grad(loss, net), strict=True)):
            velocities[j] = 0.9 * velocities[j] - 0.05 * dp.data
            p.assign(p.data + velocities[j])
        if i % 50 == 0:
            print(f"step {i:3}: loss {loss.item():.4f}")
    right = np.argmax(scores_of(X, *net).data, axis=1) == y
    print(f"accuracy: {right[train].mean():.3f} on {len(train)} training images, {right[test].mean():.3f} on new ones")


if __name__ == "__main__":
    main()
