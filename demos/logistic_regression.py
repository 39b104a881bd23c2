"""Logistic regression on real data: which of 569 breast tumours are benign, given 30 measurements of each.

The data comes with scikit-learn (Wolberg, Street and Mangasarian, 1993). Run: python demos/logistic_regression.py
"""

import sys

import numpy as np

from autograd_spiral import Tensor, grad, softplus


def loss_of(w, b, X, y, reg):
    """Return the mean of -log p(y) plus an L2 penalty. p(1) is sigmoid(X w + b), and -log sigmoid(s) = softplus(-s)."""
    scores = X @ w + b
    return np.mean(softplus(np.where(y == 1, -scores, scores))) + 0.5 * reg * np.sum(w * w)


def main() -> None:
    try:
        from sklearn.datasets import load_breast_cancer
    except ImportError:
        print("the data set comes with scikit-learn, which is not installed: run pip install scikit-learn")
        sys.exit(0)
    data = load_breast_cancer()
    shuffled = np.random.default_rng(0).permutation(len(data.target))
    train, test = shuffled[:400], shuffled[400:]
    mean, deviation = data.data[train].mean(axis=0), data.data[train].std(axis=0)  # of the training data only
    X, y = (data.data - mean) / deviation, data.target

    w = Tensor(np.zeros(X.shape[1]), requires_grad=True, name="w")
    b = Tensor(0.0, requires_grad=True, name="b")
    points, labels = Tensor(X[train]), y[train]  # a Tensor: a plain array would be copied in every step
    for i in range(501):
        loss = loss_of(w, b, points, labels, reg=1e-2)
        dw, db = grad(loss, (w, b))
        if i % 100 == 0:
            length = np.sqrt(np.sum(dw.data**2) + db.data**2)
            print(f"iteration {i:3}: loss {loss.item():.4f}, length of the gradient {length:.5f}")
        w.assign(w - 0.5 * dw)
        b.assign(b - 0.5 * db)

    right = (X @ w.data + b.data > 0) == (y == 1)
    print(f"accuracy: {right[train].mean():.3f} on {len(train)} training samples, ", end="")
    print(f"{right[test].mean():.3f} on {len(test)} new ones")
    print("the measurements with the largest weights (positive: a large value suggests a benign tumour):")
    for i in np.argsort(-np.abs(w.data))[:5]:
        print(f"  {data.feature_names[i]:24} {w.data[i]:+.2f}")


if __name__ == "__main__":
    main()
