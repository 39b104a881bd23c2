"""Compute the product of the Hessian and a vector v as the gradient of (gradient · v), without the Hessian itself.

The example is the two-layer net on the spiral data, whose Hessian has 603 rows and columns. Power iteration with these
products finds the direction in which the loss is most curved. The curvature in this direction is the largest eigenvalue
of the Hessian. If a step of gradient descent is larger than 2 divided by this curvature, it overshoots.
"""

import numpy as np

from autograd_spiral import grad
from autograd_spiral.spiral import published, train


def main() -> None:
    X, y, _, net = published.start()
    train(net, X, y, steps=300, step_size=0.5)
    parameters = net.parameters()
    gradient = grad(net.loss(X, y, reg=1e-3), parameters, create_graph=True)

    def hessian_times(v: list[np.ndarray]) -> list[np.ndarray]:
        slope = sum(np.sum(g * piece) for g, piece in zip(gradient, v, strict=True))
        return [piece.data for piece in grad(slope, parameters)]

    rng = np.random.default_rng(0)
    v = [rng.standard_normal(p.shape) for p in parameters]
    for i in range(31):
        length = np.sqrt(sum(np.sum(piece**2) for piece in v))
        v = [piece / length for piece in v]
        product = hessian_times(v)
        curvature = sum(np.sum(a * b) for a, b in zip(v, product, strict=True))
        if i % 10 == 0:
            print(f"iteration {i:2}: curvature {curvature:.4f}")
        v = product

    step = 1e-4
    unit = [piece / np.sqrt(sum(np.sum(q**2) for q in v)) for piece in v]
    start = [p.data for p in parameters]
    losses = []
    for sign in (-1, 0, 1):
        for p, value, piece in zip(parameters, start, unit, strict=True):
            p.assign(value + sign * step * piece)
        losses.append(net.loss(X, y, reg=1e-3).item())
    numeric = (losses[0] - 2 * losses[1] + losses[2]) / step**2
    print(f"the curvature from three losses: {numeric:.4f}; steps larger than {2 / curvature:.2f} overshoot")
    assert abs(curvature - numeric) < 0.01 * abs(numeric)


if __name__ == "__main__":
    main()
