"""Functions whose gradients are right but hard to confirm, by name, with inputs at which this is hardest.

Each is checked in every floating dtype that holds its inputs.
"""

import numpy as np

from autograd_spiral import (
    elu,
    erf,
    gelu,
    log_softmax,
    logsumexp,
    relu,
    sigmoid,
    silu,
    softmax,
    softmax_cross_entropy,
    softplus,
)

ALL = ("float64", "float32", "float16")
WIDER, WIDEST = ALL[:2], ALL[:1]
LABELS = np.array([0, 2, 1])


def entropy(scores):
    p = softmax(scores)
    return -np.sum(p * np.log(p))


def normalised(x, eps):
    return (x - np.mean(x, axis=0)) / np.sqrt(np.var(x, axis=0) + eps)


def attention(q, k, v):
    return softmax(q @ k.mT) @ v


def compound(x, times):
    for _ in range(times):
        x = x + x * x * 0.01
    return x


def logistic_map(x, times):
    for _ in range(times):
        x = 3.9 * x * (1 - x)
    return x


def narrow(x):
    return 1e18 * (x - 0.3)


def compensated(x):
    total, lost = 0 * x[0], 0 * x[0]
    for i in range(x.shape[0]):
        term = x[i] - lost
        more = total + term
        total, lost = more, (more - total) - term
    return total


def newtons_root(x):
    y = x
    for _ in range(6):
        y = (y + x / y) / 2
    return y


def recurrent(x, w, times):
    for _ in range(times):
        x = np.tanh(x @ w)
    return x


# name: (function, inputs, dtypes)
RIGHT = {
    # faster than the first steps
    "a tone": (lambda t: np.sin(2 * np.pi * 440 * t), [[3600.1]], WIDEST),
    "a tone at whole seconds": (lambda t: np.sin(2 * np.pi * 440 * t), [[1.0, 60.0, 1024.0]], WIDER),
    "a daily season": (lambda t: np.sin(2 * np.pi * t), [[738000.25, 738001.3]], WIDER),
    "a season at whole days": (lambda t: np.cos(2 * np.pi * t + 1), [[2048.0, 1024.0]], WIDER),
    "a bump far out": (lambda t: np.exp(-((t - 1e6) ** 2)), [[1e6, 1e6 + 1, 1e6 + 2]], WIDER),
    "a bump at 1000": (lambda t: np.exp(-((t - 1000) ** 2)), [[1000.0, 1001.0, 998.5]], WIDER),
    "a narrow resonance": (lambda x: 1 / (1 + (1e4 * (x - 1)) ** 2), [[1.0, 1.0001, 0.9995]], WIDER),
    "quick as rounding": (lambda x: np.sin(1e8 * x), [[0.3, -1.7, 2.2]], WIDEST),
    "quicker than rounding": (lambda x: np.sin(1e15 * x), [[0.3, -1.7, 2.2]], WIDEST),
    "at the edge of rounding": (lambda x: np.sin(1e13 * x) + np.cos(3e12 * x), [[0.3, -1.7]], WIDEST),
    "a chirp": (lambda t: np.sin(1 / t), [[1e-3, 2e-4, 0.1]], WIDER),
    "a quick sum": (lambda x: np.sum(np.sin(1000 * x) * x), [[12.0, 50.0, 100.0]], WIDER),
    "steep logistic": (lambda x: sigmoid(1e4 * (x - 1)), [[1.0, 1.0001, 1.002]], ALL),
    "steep tanh far out": (lambda x: np.tanh(x - 5e4), [[5e4, 5e4 + 1]], WIDER),
    "a tone of the first seconds": (lambda t: np.sin(2 * np.pi * 440 * t), [[0.1, 1.25, 2.3]], WIDER),
    "a slow chirp": (lambda t: np.sin(1 / t), [[0.03, 0.5, 0.1]], ALL),
    "a slow logistic map": (lambda x: logistic_map(x, 4), [[0.2, 0.7]], ALL),
    "chaos": (lambda x: logistic_map(x, 30), [[0.2, 0.7]], WIDEST),
    # saturated
    "1 - max of a soft maximum": (lambda x: 1 - np.max(softmax(x)), [[1.0, 2.0, 4.0]], ALL),
    "entropy of a likely class": (entropy, [[0.0, 1.0, 6.0]], ALL),
    "logsumexp of hundreds": (lambda x: logsumexp(x), [[100.0, 101.0, 90.0]], ALL),
    "a masked softmax": (lambda x: softmax(np.where(np.arange(4) < 3, x, -np.inf)), [[1.0, 2.0, 5.0, 9.0]], ALL),
    "1 - max of a softmax": (lambda x: 1 - np.max(softmax(x)), [[1.0, 2.0, 45.0]], ALL),
    "saturated softmax": (lambda x: softmax(x), [[1.0, 2.0, 45.0, -300.0]], ALL),
    "saturated attention": (attention, [[[50.0, 1.0]], [[1.0, 2.0], [-3.0, 0.5]], [[1.0], [2.0]]], ALL),
    "entropy of a sure class": (entropy, [[0.0, 1.0, 20.0]], WIDER),
    "entropy of equal classes": (entropy, [[1.0, 1.0, 1.0]], ALL),
    "cross-entropy of a sure class": (
        lambda s: softmax_cross_entropy(s, LABELS),
        [[[60.0, 0, 1], [0, -60, 60], [2, 60, 1]]],
        ALL,
    ),
    "cross-entropy of a wrong class": (
        lambda s: softmax_cross_entropy(s, LABELS),
        [[[0.0, 90, 1], [90, 0, 0], [90, 2, 1]]],
        ALL,
    ),
    "log of a saturated softmax": (lambda x: log_softmax(x), [[0.0, 30.0, -80.0]], ALL),
    "logsumexp far out": (lambda x: logsumexp(x), [[1000.0, 1001.0, 900.0]], WIDER),
    "saturated sigmoid": (lambda x: sigmoid(x), [[-40.0, 40.0, 800.0, -800.0]], ALL),
    "1 - sigmoid": (lambda x: 1 - sigmoid(x), [[38.0, 30.0, 17.0]], ALL),
    "log of sigmoid": (lambda x: np.log(sigmoid(x)), [[-20.0, 30.0, 5.0]], ALL),
    "saturated tanh": (lambda x: np.tanh(x), [[20.0, -9.0, 8.0]], ALL),
    "1 - tanh squared": (lambda x: 1 - np.tanh(x) ** 2, [[18.0, -8.0, 4.0]], ALL),
    "saturated erf": (lambda x: 1 - erf(x), [[6.5, 5.0, -7.0]], ALL),
    "softplus far out": (lambda x: softplus(x), [[-45.0, 50.0, 0.0]], ALL),
    "gelu far out": (lambda x: gelu(x), [[-9.0, 30.0, 0.0]], ALL),
    "silu far out": (lambda x: silu(x), [[-60.0, 60.0, 0.0]], ALL),
    "elu at 0": (lambda x: elu(x), [[0.0, -1e-7, -30.0]], ALL),
    # underflow
    "squares that underflow": (lambda x: np.sum(x * x), [[1e-170, 3e-170]], WIDEST),
    "squares that underflow in float32": (lambda x: np.sum(x * x), [[1e-25, 3e-25]], WIDER),
    "squares that underflow in float16": (lambda x: np.sum(x * x), [[1e-5, 3e-5]], ALL),
    "cubes that underflow": (lambda x: x**3, [[1e-3, -2e-3, 1e-2]], ALL),
    "products of tiny numbers": (lambda x, y: x * y, [[1e-4, 2e-7], [3e-5, 1e-3]], ALL),
    "an exponential that underflows": (lambda x: np.exp(-x * x), [[4.0, 10.0, 27.2, 30.0]], ALL),
    "scaled back": (lambda x: (x * 1e-4) * (x * 1e-4) * 1e4, [[1e-2, 1.0]], ALL),
    "a norm of tiny numbers": (lambda x: np.sqrt(np.sum(x * x)), [[1e-6, 2e-6]], WIDER),
    "subnormal numbers": (lambda x: 3 * x, [[6e-8, 1e-6]], ALL),
    "a probability of many": (lambda x: np.prod(x), [[1e-3, 2e-3, 1e-2, 0.1]], ALL),
    "a Gaussian likelihood": (lambda x: np.prod(np.exp(-x * x / 2)), [[3.0, 2.0, -3.5, 1.0]], ALL),
    # absorption and cancellation
    "an absorbed term": (lambda x: (x + 1e20) - 1e20, [[1.0, 2.0]], WIDER),
    "an absorbed term in float16": (lambda x: (x + 3e4) - 3e4, [[1.0, 2.0]], ALL),
    "a sum that absorbs": (lambda x: np.sum(x), [[1e4, 1e-4, 2.0, 1e-7]], ALL),
    "a quick term that is absorbed": (lambda x: x + 1e-20 * np.sin(1e20 * x), [[1.0, 0.3]], WIDEST),
    "a quick wave that is absorbed": (lambda x: 3 * x + 1e-12 * np.cos(2e12 * x), [[1e5, 3e4]], WIDEST),
    "a step that is absorbed": (lambda x: x + 1e-19 * np.tanh(1e19 * (x - 1)), [[1.0, 0.3]], WIDEST),
    "a bump that is absorbed": (lambda x: 2 * x + 1e-18 * np.exp(narrow(x) - narrow(x) ** 2), [[0.3, 0.9]], WIDEST),
    "a quick factor that is absorbed": (lambda x: x * (1 + 1e-22 * np.sin(1e22 * x)), [[1.0, 0.3]], WIDEST),
    "a compensated sum": (compensated, [[1.0, 0.1, 1e-3]], ALL),
    "a compensated sum of large numbers": (compensated, [[1e8, 1.0, 1e-8, -1e8]], WIDEST),
    "a large constant": (lambda x: 1e6 + 1e-4 * x * x, [[1.0, -3.0]], WIDER),
    "variance far out": (lambda x: np.var(x), [[1000.0, 1001.0, 1002.5]], ALL),
    "deviation far out": (lambda x: np.std(x), [[1e6, 1e6 + 1, 1e6 + 2]], WIDER),
    "deviation farther out": (lambda x: np.std(x), [[1e12, 1e12 + 1, 1e12 + 2]], WIDEST),
    "the naive variance": (lambda x: np.mean(x * x) - np.mean(x) ** 2, [[100.0, 101.0, 103.0]], WIDER),
    "1 - cos": (lambda x: (1 - np.cos(x)) / (x * x), [[1e-2, 1e-5, 1e-7]], WIDEST),
    "expm1 by hand": (lambda x: (np.exp(x) - 1) / x, [[1e-3, 1e-8, -1e-10]], WIDEST),
    "a quotient by little": (lambda x: np.sin(x) / x, [[1e-3, 0.1, 2.0]], ALL),
    "expm1 of halves": (lambda x: (np.exp(x) - 1) / x, [[0.5, -0.8, 2.0]], ALL),
    "an expanded polynomial": (lambda x: x**3 - 3 * x**2 + 3 * x - 1, [[1.0, 1.0001, 0.999]], WIDER),
    "roots of a quadratic": (lambda b: -b + np.sqrt(b * b - 4), [[2.5, 100.0, 1e4]], WIDER),
    "a difference of logarithms": (lambda x: np.log(x + 1) - np.log(x), [[1e4, 1e2, 1.0]], ALL),
    "compound": (lambda x: compound(x, 20), [[1.0, -0.5]], ALL),
    "a root by Newton's method": (newtons_root, [[2.0, 1e-3, 900.0]], WIDER),
    "roots of a polynomial": (lambda x: np.prod(x - np.arange(1, 13.0)), [[4.5]], WIDEST),
    "a kurtosis": (lambda x: np.mean(x**4) - 3 * np.mean(x**2) ** 2, [[1.0, -1.0, 2.0, 0.5]], ALL),
    "a divergence of nearly equal classes": (
        lambda p, q: np.sum(softmax(p) * (log_softmax(p) - log_softmax(q))),
        [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0001]],
        WIDER,
    ),
    "a recurrent net that forgets": (
        lambda x, w: recurrent(x, w, 30),
        [[[0.5, -0.2]], [[0.2, 0.1], [-0.1, 0.3]]],
        ALL,
    ),
    "a recurrent net that explodes": (
        lambda x, w: recurrent(x, w, 12),
        [[[0.5, -0.2]], [[2.0, 1.0], [-1.0, 3.0]]],
        ALL,
    ),
    "a wave at many scales": (
        lambda x: sum(0.5**k * np.cos(3.0**k * np.pi * x) for k in range(25)),
        [[0.3, 0.7]],
        WIDEST,
    ),
    "an inverse": (
        lambda a: np.linalg.inv(a),
        [[[1.0, 0.5, 0.3333], [0.5, 0.3333, 0.25], [0.3333, 0.25, 0.2]]],
        WIDER,
    ),
    "eigenvalues that are nearly equal": (
        lambda a: np.linalg.eigvalsh((a + a.mT) / 2),
        [[[1.0, 1e-6], [1e-6, 1.00001]]],
        WIDEST,
    ),
    # borders of domains
    "arcsin of halves": (lambda x: np.arcsin(x), [[0.9, -0.95, 0.5]], ALL),
    "arctanh of halves": (lambda x: np.arctanh(x), [[0.9, -0.95]], ALL),
    "poles at a distance": (lambda x: 1 / (x - 1), [[1.1, 0.8, 3.0]], ALL),
    "tangent at a distance": (lambda x: np.tan(x), [[1.3, -1.4]], ALL),
    "arccos beside 1": (lambda x: np.arccos(x), [[1 - 1e-14, -1 + 3e-14, 0.5]], WIDEST),
    "arccos near 1": (lambda x: np.arccos(x), [[1 - 1e-6, -1 + 1e-5, 0.999]], WIDER),
    "arcsin near 1": (lambda x: np.arcsin(x), [[0.999, -0.99, 0.5]], WIDER),
    "arctanh near 1": (lambda x: np.arctanh(x), [[0.9995, -0.99]], WIDER),
    "arccosh near 1": (lambda x: np.arccosh(x), [[1.001, 1.1, 300.0]], ALL),
    "log near 0": (lambda x: np.log(x), [[1e-7, 1e-4, 1.0]], ALL),
    "log1p near -1": (lambda x: np.log1p(x), [[-0.9995, -0.5]], ALL),
    "square root near 0": (lambda x: np.sqrt(x), [[1e-7, 1e-4, 4.0]], ALL),
    "square root of 1 - x²": (lambda x: np.sqrt(1 - x * x), [[0.9995, 0.1]], ALL),
    "x log x": (lambda x: x * np.log(x), [[1e-7, 1e-3, 0.3679]], ALL),
    "a pole": (lambda x: 1 / (x - 1), [[1.001, 0.99, 3.0]], WIDER),
    "tangent beside its pole": (lambda x: np.tan(x), [[1.57, -1.5705]], WIDER),
    "power of a power": (lambda x, y: x**y, [[1e-4, 0.5, 3.0], [0.3, 9.0, 2.5]], ALL),
    # kinks, and smoothness that looks like one
    "relu at 0": (lambda x: relu(x), [[0.0, 1.0, -1e-6]], ALL),
    "absolute beside 0": (lambda x: np.abs(x), [[1e-7, -1e-5, 1.0]], ALL),
    "smooth absolute": (lambda x: np.sqrt(x * x + 1e-4), [[0.0, 1.0, -1e-3]], ALL),
    "very smooth absolute": (lambda x: np.sqrt((x - 1) ** 2 + 1e-10), [[1.0, 1.5, 1.001]], WIDER),
    "huber far out": (lambda x: np.where(np.abs(x) < 1, x * x / 2, np.abs(x) - 0.5), [[1.0, 0.5, 1000.0]], ALL),
    "clip at its ends": (lambda x: np.clip(x, -1, 1), [[1.0, -1.0, 0.999]], ALL),
    "ties of a maximum": (lambda x: np.max(x), [[2.0, 2.0, 1.0]], ALL),
    "nearly tied maximum": (lambda x: np.max(x, axis=-1), [[1.0, 1.001, 1.0]], ALL),
    "a cone": (lambda x, y: np.hypot(x, y), [[0.0, 1e-4, 3.0], [0.0, 0.0, 4.0]], ALL),
    "many layers of relu": (lambda x, w: relu(relu(x @ w) @ w) @ w, [[[1.0, -2.0]], [[1.0, 2.0], [0.5, 1.0]]], ALL),
    "staircase times line": (
        lambda x: np.floor(x.detach().data if hasattr(x, "detach") else x) * x,
        [[1.5, 2.25]],
        ALL,
    ),
    # statistics and linear algebra
    "batch normalisation of nearly equal rows": (
        lambda x: normalised(x, 1e-5),
        [[[1.0, 5.0], [1.001, 5.0], [0.999, 5.0]]],
        ALL,
    ),
    "layer normalisation of one spread": (lambda x: normalised(x, 1e-12), [[1.0, 2.0, 3.0, 400.0]], WIDER),
    "cosine of nearly parallel vectors": (
        lambda x, y: np.sum(x * y) / np.sqrt(np.sum(x * x) * np.sum(y * y)),
        [[1.0, 2.0, 3.0], [1.0, 2.0, 3.001]],
        ALL,
    ),
    "long sums": (lambda x: np.mean(np.exp(np.tile(x, 1000))), [[1.0, -2.0, 0.3]], ALL),
    "rms of long sums": (lambda x: np.sqrt(np.mean(np.tile(x, 3000) ** 2)), [[0.1, 0.01, 0.3]], ALL),
    "mixed scales": (lambda x, y: np.sum(np.tanh(x) * y), [[1e-6, 1.0, 50.0], [1e4, 1e-4, 1.0]], ALL),
    "an ill-scaled product": (lambda x, w: np.tanh(x @ w), [[[1e3, 1e-3]], [[1e-3], [1e3]]], ALL),
}
