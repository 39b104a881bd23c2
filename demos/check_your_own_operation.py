"""Declare an operation with a wrong rule, let the gradient check find it, and put it right.

Run: python demos/check_your_own_operation.py
"""

import numpy as np

from autograd_spiral import primitive
from autograd_spiral.gradcheck import check_against, check_gradients

rng = np.random.default_rng(0)
x = rng.standard_normal((3, 4))


@primitive(lambda ct, out, x: ct * (1 - out))
def tanh(x):
    """The hyperbolic tangent; its derivative is 1 - tanh², and the square was forgotten."""
    return np.tanh(x)


print("A rule with a forgotten square:\n")
print(check_gradients(tanh, x, raise_on_mismatch=False))


@primitive(lambda ct, out, x: ct * 2 * (1 - out * out))
def doubled(x):
    """The same with a factor too much: the report says which."""
    return np.tanh(x)


print("\nA rule that is off by a factor:\n")
print(check_gradients(doubled, x, raise_on_mismatch=False))


@primitive(lambda ct, out, x: ct * (1 - out * out))
def right(x):
    """The rule as it should be."""
    return np.tanh(x)


print("\nPut right, and checked at both orders:\n")
print(check_gradients(right, x, order=2))

data, W, b = rng.standard_normal((300, 2)), rng.standard_normal((2, 3)), np.zeros((1, 3))
by_hand = 2 * (data @ W + b) / 300
print("\nGradients derived by hand, of the mean of squared scores; that of b is not summed over the rows:\n")
print(
    check_against(
        lambda W, b: np.sum((data @ W + b) ** 2) / 300, (data.T @ by_hand, by_hand), W, b, raise_on_mismatch=False
    )
)
