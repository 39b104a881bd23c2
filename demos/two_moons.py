"""Train the case study's net on other data, two interlocking half circles, and print its regions as text.

Run: python demos/two_moons.py
"""

import numpy as np

from autograd_spiral.spiral import LinearClassifier, TwoLayerNet, accuracy, train


def two_moons(points: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return `points` noisy points on each of two half circles, the second upside down and shifted into the first."""
    angle = rng.uniform(0, np.pi, (2, points))
    upper = np.stack([np.cos(angle[0]), np.sin(angle[0])], axis=1)
    lower = np.stack([1 - np.cos(angle[1]), 0.5 - np.sin(angle[1])], axis=1)
    X = np.concatenate([upper, lower]) + 0.12 * rng.standard_normal((2 * points, 2))
    return X - [0.5, 0.25], np.repeat([0, 1], points)


def picture(net: TwoLayerNet, X: np.ndarray, y: np.ndarray) -> str:
    """Return the plane as text: the regions of the two classes are `.` and blank, and their points `o` and `x`."""
    (left, bottom), (right, top) = X.min(axis=0), X.max(axis=0)
    columns, rows = 66, 22
    xs, ys = np.linspace(left, right, columns), np.linspace(top, bottom, rows)
    grid = np.stack([np.tile(xs, rows), np.repeat(ys, columns)], axis=1)
    cells = np.where(net.predict(grid) == 0, ".", " ").reshape(rows, columns)
    at = (X - [left, top]) / [right - left, bottom - top] * [columns - 1, rows - 1]
    for (column, row), label in zip(np.rint(at).astype(int), y, strict=True):
        cells[row, column] = "ox"[label]
    return "\n".join("".join(row) for row in cells)


def main() -> None:
    rng = np.random.default_rng(0)
    X, y = two_moons(200, rng)
    X_new, y_new = two_moons(1000, rng)  # from the same distribution, but not used for training
    models = {
        "linear classifier": LinearClassifier.random(rng, classes=2),
        "two-layer net": TwoLayerNet.random(rng, hidden=20, classes=2),
    }
    for name, model in models.items():
        losses = train(model, X, y, steps=1500, step_size=1.0, reg=1e-4)
        print(f"{name}: loss {losses[0]:.3f} to {losses[-1]:.3f}, ", end="")
        print(f"accuracy {accuracy(model, X, y):.3f}, on new points {accuracy(model, X_new, y_new):.3f}")
    print(picture(models["two-layer net"], X, y))
    assert accuracy(models["two-layer net"], X_new, y_new) > 0.97


if __name__ == "__main__":
    main()
