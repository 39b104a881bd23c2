"""Operations with a wrong rule, by name, and inputs at which the mistake shows.

A row has the function, one rule for each of its arguments, the inputs, and the keywords of the check.
"""

from collections import namedtuple

import numpy as np

from autograd_spiral import softmax

Wrong = namedtuple("Wrong", "function vjps inputs how", defaults=({},))

RNG = np.random.default_rng(11)
X = RNG.standard_normal((4, 3))
POSITIVE = np.abs(X) + 0.3
SQUARE = RNG.standard_normal((3, 3))
LABELS = np.array([2, 0, 1, 1])
FAR = 1e6 + np.array([0.0, 1.0, 2.0])
WHOLE = np.array([1.0, 2.0, 3.0])
TWICE = {"order": 2}


def squares(x):
    return x * x


def squares_by(spoil, *, x=X, **how):
    """The square with a rule that spoils the right gradient: `spoil(right, x)`."""
    return Wrong(squares, [lambda ct, out, x: spoil(ct * 2 * x, x)], [x], how)


def one_argument(function, vjp, x=X, **how):
    return Wrong(function, [vjp], [x], how)


def softmax_values(x):
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def cross_entropy(x):
    return -np.mean(np.log(softmax_values(x))[np.arange(len(LABELS)), LABELS])


def normalised(x):
    return (x - np.mean(x, axis=0)) / np.std(x, axis=0)


def cumulated(ct):
    return np.flip(np.cumsum(np.flip(ct, 0), axis=0), 0)


def at(index, value):
    """A function that spoils one element of the right gradient."""

    def spoil(right, x):
        elements = [right[i] for i in np.ndindex(x.shape)]
        elements[np.ravel_multi_index(index, x.shape)] = value(right[index])
        return np.reshape(np.stack(elements), x.shape)

    return spoil


def last_call(function, vjp):
    """The operation with a rule that uses the argument of the last call, and not its own."""
    kept = []

    def body(x):
        kept[:] = [np.array(x)]
        return function(x)

    return Wrong(body, [lambda ct, out, x: vjp(ct, kept[0])], [X])


def drawn(spoil):
    """The square with a rule that draws random numbers."""
    rng = np.random.default_rng(3)
    return squares_by(lambda right, x: spoil(right, rng))


def written(write):
    """The square with a rule that writes into its arguments."""

    def vjp(ct, out, x):
        right = ct * 2 * x
        write(ct, out, x)
        return right

    return one_argument(squares, vjp)


@np.errstate(over="ignore")
def narrow(right, x):
    return right * (1 + 1e-3 * (np.asarray(x).dtype == np.float32))


WRONG = {
    # factors
    "twice": squares_by(lambda g, x: 2 * g),
    "half": squares_by(lambda g, x: g / 2),
    "sign": squares_by(lambda g, x: -g),
    "1 %": squares_by(lambda g, x: 1.01 * g),
    "1e-4": squares_by(lambda g, x: (1 + 1e-4) * g),
    "1e-7": squares_by(lambda g, x: (1 + 1e-7) * g),
    "zero": squares_by(lambda g, x: 0 * g),
    "zero where it is 1e-9 of the value": one_argument(lambda x: 1 + 1e-9 * x, lambda ct, out, x: 0 * ct),
    "nan": squares_by(lambda g, x: np.nan * g),
    "infinite": squares_by(lambda g, x: g + np.inf),
    "a sum for a mean": one_argument(lambda x: np.mean(x * x), lambda ct, out, x: ct * 2 * x),
    "a mean for a sum": one_argument(lambda x: np.sum(x * x), lambda ct, out, x: ct * 2 * x / x.size),
    "a mean over the other axis": one_argument(
        lambda x: np.mean(x, axis=0), lambda ct, out, x: np.broadcast_to(ct, x.shape) / 3
    ),
    "a constant more": squares_by(lambda g, x: g + 1e-3),
    "a tiny constant more": squares_by(lambda g, x: g + 1e-8),
    # the cotangent
    "no cotangent": one_argument(squares, lambda ct, out, x: 2 * x),
    "no cotangent, where it is 1": one_argument(lambda x: np.sum(x * x), lambda ct, out, x: 2 * x),
    "the cotangent squared": one_argument(lambda x: np.sum(x * x), lambda ct, out, x: ct * ct * 2 * x),
    "the size of the cotangent": one_argument(lambda x: np.sum(x * x), lambda ct, out, x: np.abs(ct) * 2 * x),
    "the sum of the cotangent": one_argument(squares, lambda ct, out, x: np.sum(ct) * 2 * x),
    "the mean of the cotangent": one_argument(squares, lambda ct, out, x: np.mean(ct) * 2 * x),
    "the cotangent reversed": one_argument(squares, lambda ct, out, x: np.flip(ct, 0) * 2 * x),
    # parts of the derivative
    "no inner derivative": one_argument(lambda x: np.sin(3 * x), lambda ct, out, x: ct * np.cos(3 * x)),
    "half of a product": one_argument(lambda x: x * np.exp(x), lambda ct, out, x: ct * np.exp(x)),
    "the value for the derivative": one_argument(np.tanh, lambda ct, out, x: ct * out),
    "the other function": one_argument(np.sin, lambda ct, out, x: ct * np.sin(x)),
    "the sign of cos": one_argument(np.cos, lambda ct, out, x: ct * np.sin(x)),
    "log of another base": one_argument(np.log2, lambda ct, out, x: ct / x, POSITIVE),
    "tanh without its square": one_argument(np.tanh, lambda ct, out, x: ct * (1 - out)),
    "sigmoid without 1 - out": one_argument(lambda x: 1 / (1 + np.exp(-x)), lambda ct, out, x: ct * out),
    "erf without its factor": one_argument(lambda x: np.sqrt(x), lambda ct, out, x: ct / out, POSITIVE),
    "softmax without the sum": one_argument(softmax_values, lambda ct, out, x: ct * out),
    "softmax along the other axis": one_argument(
        softmax_values, lambda ct, out, x: out * (ct - np.sum(ct * out, axis=0, keepdims=True))
    ),
    "cross-entropy without one-hot": one_argument(cross_entropy, lambda ct, out, x: ct * softmax(x) / len(LABELS)),
    "logsumexp without the sum": one_argument(lambda x: np.log(np.sum(np.exp(x))), lambda ct, out, x: ct * np.exp(x)),
    "a variance with a constant mean": one_argument(
        lambda x: np.sum((x - np.mean(x)) ** 3), lambda ct, out, x: ct * 3 * (x - np.mean(x)) ** 2
    ),
    "normalised by a constant": one_argument(normalised, lambda ct, out, x: ct / np.std(x, axis=0)),
    "normalised with a constant deviation": one_argument(
        normalised, lambda ct, out, x: (ct - np.mean(ct, axis=0)) / np.std(x, axis=0)
    ),
    "a norm without its root": one_argument(lambda x: np.sqrt(np.sum(x * x)), lambda ct, out, x: ct * x),
    "a penalty forgotten": one_argument(
        lambda x: np.sum(np.sin(x)) + 1e-3 * np.sum(x * x), lambda ct, out, x: ct * np.cos(x)
    ),
    "a penalty halved": one_argument(
        lambda x: np.sum(np.sin(x)) + 1e-3 * np.sum(x * x), lambda ct, out, x: ct * (np.cos(x) + 1e-3 * x)
    ),
    "a penalty on what has none": one_argument(
        lambda x: np.sum(np.sin(x)), lambda ct, out, x: ct * (np.cos(x) + 1e-4 * x)
    ),
    # products
    "the left factor": Wrong(np.multiply, [lambda ct, out, x, y: ct * x, lambda ct, out, x, y: ct * x], [X, POSITIVE]),
    "factors swapped": Wrong(np.multiply, [lambda ct, out, x, y: ct * x, lambda ct, out, x, y: ct * y], [X, POSITIVE]),
    "the sign of a divisor": Wrong(
        np.divide, [lambda ct, out, x, y: ct / y, lambda ct, out, x, y: ct * x / (y * y)], [X, POSITIVE]
    ),
    "a matrix not transposed": Wrong(
        np.matmul, [lambda ct, out, a, b: ct @ b, lambda ct, out, a, b: a.mT @ ct], [SQUARE, SQUARE + 1]
    ),
    "the gradient transposed": Wrong(
        np.matmul, [lambda ct, out, a, b: ct @ b.mT, lambda ct, out, a, b: (a.mT @ ct).mT], [SQUARE, SQUARE + 1]
    ),
    "a power without its exponent": one_argument(lambda x: x**3, lambda ct, out, x: ct * x**2),
    "a power without one less": one_argument(lambda x: x**3, lambda ct, out, x: ct * 3 * x**3),
    # order and shape
    "cumsum forwards": one_argument(lambda x: np.cumsum(x, axis=0), lambda ct, out, x: np.cumsum(ct, axis=0)),
    "cumsum along the other axis": one_argument(lambda x: np.cumsum(x, axis=1), lambda ct, out, x: cumulated(ct)),
    "reversed not back": one_argument(lambda x: np.flip(x, 0) * 1.0, lambda ct, out, x: ct),
    "transposed by reshape": one_argument(lambda x: np.transpose(x) * 1.0, lambda ct, out, x: np.reshape(ct, x.shape)),
    "sorted not back": one_argument(lambda x: np.sort(x, axis=0), lambda ct, out, x: ct),
    "repeated indices assigned": one_argument(
        lambda x: x[[0, 0, 2]], lambda ct, out, x: np.stack([ct[1], 0 * ct[1], ct[2], 0 * ct[1]])
    ),
    "rolled the wrong way": one_argument(lambda x: np.roll(x, 1, 0), lambda ct, out, x: np.roll(ct, 1, 0)),
    "one shift of two": one_argument(lambda x: x[1:] - x[:-1], lambda ct, out, x: np.concatenate([0 * ct[:1], ct])),
    "a border forgotten": one_argument(
        lambda x: x[1:] * x[:-1],
        lambda ct, out, x: (
            np.concatenate([0 * ct[:1], ct * x[:-1]]) + np.concatenate([0 * ct[:1], (ct * x[1:])[1:], 0 * ct[:1]])
        ),
    ),
    "one element": squares_by(at((1, 2), lambda g: 1.5 * g)),
    "one element zero": squares_by(at((0, 0), lambda g: 0 * g)),
    "one element of many": squares_by(
        lambda g, x: g * np.where(np.arange(1500) == 1201, 0.9, 1.0), x=RNG.standard_normal(1500)
    ),
    "one in hundreds of a sum": one_argument(
        lambda x: np.sum(x * x), lambda ct, out, x: ct * 2 * x * (1 + (np.arange(300) == 17)), RNG.standard_normal(300)
    ),
    # here and there
    "negative numbers": squares_by(lambda g, x: np.where(x < 0, -g, g)),
    "large numbers": squares_by(lambda g, x: np.where(np.abs(x) > 1.2, 0.5 * g, g)),
    "whole numbers": squares_by(lambda g, x: np.where(x == np.round(x), 0, g), x=WHOLE),
    "some whole numbers": squares_by(lambda g, x: np.where(x == np.round(x), 0, g), x=np.array([1.0, -2.0, 0.3])),
    "all but whole numbers": squares_by(lambda g, x: np.where(x == np.round(x), g, 3 * g), x=WHOLE),
    "a mask of exact ones": squares_by(lambda g, x: np.where(x == 1, 0.99 * g, g), x=np.array([1.0, 2.5, 1.0])),
    "at 0": squares_by(lambda g, x: np.where(x == 0, 1.0, g), x=np.array([0.0, 1.5])),
    "an intermediate zero": one_argument(
        lambda x: (2 * x - 1) ** 2 + x,
        lambda ct, out, x: ct * np.where(2 * x - 1 == 0, 0, 8 * x - 3),
        np.array([0.5, 2.0]),
    ),
    "no relu mask": one_argument(lambda x: np.maximum(x, 0), lambda ct, out, x: ct),
    "the mask of relu turned round": one_argument(lambda x: np.maximum(x, 0), lambda ct, out, x: ct * (x < 0)),
    "outside a kink": one_argument(
        lambda x: np.maximum(x, 0), lambda ct, out, x: ct * np.where(x == 0, 1.5, x > 0), np.array([0.0, 1.0, -1.0])
    ),
    "in the middle beside a kink": one_argument(
        lambda x: np.maximum(x, 0), lambda ct, out, x: 0.5 * ct, np.array([1e-4, 1e-7, -1e-6])
    ),
    "leaky the other way": one_argument(
        lambda x: np.where(x > 0, x, 0.01 * x), lambda ct, out, x: ct * np.where(x > 0, 0.01, 1.0)
    ),
    "the largest gets nothing": one_argument(lambda x: np.max(x), lambda ct, out, x: ct * (x < np.max(x))),
    # what looks like a kink, or like rounding
    "a deviation far out": one_argument(np.std, lambda ct, out, x: 0.9 * ct * (x - np.mean(x)) / (x.size * out), FAR),
    "a deviation farther out": one_argument(
        np.std, lambda ct, out, x: 0.9 * ct * (x - np.mean(x)) / (x.size * out), 1e9 + np.array([0.0, 1.0, 2.0])
    ),
    "a smooth absolute": one_argument(
        lambda x: np.sqrt((x - 1) ** 2 + 1e-10),
        lambda ct, out, x: 0.5 * ct * (x - 1) / out,
        np.array([1.00001, 1.0001]),
    ),
    "a quick tone": one_argument(
        lambda t: np.sin(880 * np.pi * t), lambda ct, out, t: ct * 880 * np.cos(880 * np.pi * t), np.array([3600.1])
    ),
    "a quick tone at whole seconds": one_argument(
        lambda t: np.sin(880 * np.pi * t), lambda ct, out, t: 0 * ct, np.array([1.0, 60.0, 1024.0])
    ),
    "a season at whole days": one_argument(
        lambda t: np.sin(2 * np.pi * t), lambda ct, out, t: 0 * ct, np.array([2048.0, 4096.0])
    ),
    "a bump far out": one_argument(
        lambda t: np.exp(-((t - 1e6) ** 2)), lambda ct, out, t: ct * -1.9 * (t - 1e6) * out, FAR + 0.5
    ),
    "a bump that is lost": one_argument(lambda t: np.exp(-((t - 1e6) ** 2)), lambda ct, out, t: 0 * ct, FAR + 0.5),
    "steep": one_argument(
        lambda x: np.tanh(1e4 * (x - 1)), lambda ct, out, x: ct * 1.1e4 * (1 - out * out), np.array([1.00001, 0.9999])
    ),
    # not a function of its arguments
    "a new mask": drawn(lambda g, rng: g * (rng.random(g.shape) > 0.5)),
    "a random factor near 1": drawn(lambda g, rng: g * (1 + 1e-6 * rng.standard_normal())),
    "the last call's argument": last_call(squares, lambda ct, x: ct * 2 * x),
    "writes into its argument": written(lambda ct, out, x: np.multiply(x, 0, out=x)),
    "writes into its result": written(lambda ct, out, x: np.multiply(out, 0, out=out)),
    # second order, and single precision
    "a detached cotangent": one_argument(
        squares, lambda ct, out, x: (ct.detach() if hasattr(ct, "detach") else ct) * 2 * x, **TWICE
    ),
    "a detached argument": one_argument(
        squares, lambda ct, out, x: ct * 2 * (x.detach() if hasattr(x, "detach") else x), **TWICE
    ),
    "a detached result": one_argument(
        np.exp, lambda ct, out, x: ct * (out.detach() if hasattr(out, "detach") else out), **TWICE
    ),
    "only in float32": squares_by(narrow, x=X.astype(np.float32)),
    "rounded to float16": squares_by(lambda g, x: np.asarray(np.asarray(g, np.float16), g.dtype)),
    "1e-4 in float32": squares_by(lambda g, x: (1 + 1e-4) * g, x=X.astype(np.float32)),
    "10 % in float16": squares_by(lambda g, x: 1.1 * g, x=X.astype(np.float16)),
}
