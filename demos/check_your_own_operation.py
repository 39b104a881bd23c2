"""Declare an operation with a wrong rule, let the gradient check find the mistake, and correct it.

Run: python demos/check_your_own_operation.py
"""

import numpy as np

from autograd_spiral import primitive
from autograd_spiral.gradcheck import check_against, check_gradients

rng = np.random.default_rng(0)
x = rng.standard_normal((3, 4))


@primitive(lambda ct, out, x: ct * (1 - out))
def tanh(x):
    """The hyperbolic tangent. Its derivative is 1 - tanh², but the square is missing in the rule."""
    return np.tanh(x)


print("A rule in which a square is missing:\n")
print(check_gradients(tanh, x, raise_on_mismatch=False))


@primitive(lambda ct, out, x: ct * 2 * (1 - out * out))
def doubled(x):
    """The same function. Its rule has a factor too many, and the report names this factor."""
    return np.tanh(x)


print("\nA rule with a factor too many:\n")
print(check_gradients(doubled, x, raise_on_mismatch=False))


@primitive(lambda ct, out, x: ct * (1 - out * out))
def right(x):
    """The same function with the right rule."""
    return np.tanh(x)


print("\nThe right rule, checked at both orders:\n")
print(check_gradients(right, x, order=2))

data, W, b = rng.standard_normal((300, 2)), rng.standard_normal((2, 3)), np.zeros((1, 3))
by_hand = 2 * (data @ W + b) / 300
print("\nGradients of the mean of squared scores, derived by hand. The gradient of b is not summed over the rows:\n")
print(
    check_against(
        lambda W, b: np.sum((data @ W + b) ** 2) / 300, (data.T @ by_hand, by_hand), W, b, raise_on_mismatch=False
    )
)
