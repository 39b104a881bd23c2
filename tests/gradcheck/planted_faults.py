"""Five models in plain NumPy with the gradients that a person would derive, and 100 faults in these.

Imports numpy alone. A fault is a line of a gradient and what stands there instead; `says` is a pattern of the right
diagnosis, None where nothing is known that these numbers have in common.
"""

import inspect
import textwrap
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

_rng = np.random.default_rng(7)
N, D, H, K, T = 5, 2, 4, 3, 3
X = _rng.standard_normal((N, D))
SEQUENCE = _rng.standard_normal((T, N, D))
TARGETS = _rng.standard_normal((N, H))
LABELS = np.array([0, 2, 1, 1, 0])
ROWS = np.arange(N)
IS_LABEL = LABELS[:, None] == np.arange(K)
REG = 0.1
EPS = 0.01


def _weights(*shape):
    return 0.7 * _rng.standard_normal(shape)


class Linear:
    """The softmax classifier of the case study."""

    inputs: ClassVar = {"W": _weights(D, K), "b": _weights(1, K)}

    @staticmethod
    def loss(W, b):
        scores = X @ W + b
        unnormalised = np.exp(scores - np.max(scores, axis=1, keepdims=True))
        probs = unnormalised / np.sum(unnormalised, axis=1, keepdims=True)
        return np.mean(-np.log(probs[ROWS, LABELS])) + 0.5 * REG * np.sum(W * W)

    @staticmethod
    def gradients(W, b):
        scores = X @ W + b
        unnormalised = np.exp(scores - np.max(scores, axis=1, keepdims=True))
        probs = unnormalised / np.sum(unnormalised, axis=1, keepdims=True)
        dscores = probs.copy()
        dscores[ROWS, LABELS] -= 1
        dscores /= N
        dW = X.T @ dscores
        dW += REG * W
        db = np.sum(dscores, axis=0, keepdims=True)
        return {"W": dW, "b": db}


class Net:
    """The two-layer net of the case study."""

    inputs: ClassVar = {"W1": _weights(D, H), "b1": _weights(1, H), "W2": _weights(H, K), "b2": _weights(1, K)}

    @staticmethod
    def loss(W1, b1, W2, b2):
        hidden = np.maximum(0, X @ W1 + b1)
        scores = hidden @ W2 + b2
        unnormalised = np.exp(scores)
        probs = unnormalised / np.sum(unnormalised, axis=1, keepdims=True)
        data_loss = np.sum(-np.log(probs[ROWS, LABELS])) / N
        return data_loss + 0.5 * REG * np.sum(W1 * W1) + 0.5 * REG * np.sum(W2 * W2)

    @staticmethod
    def gradients(W1, b1, W2, b2):
        raw = X @ W1 + b1
        hidden = np.maximum(0, raw)
        scores = hidden @ W2 + b2
        unnormalised = np.exp(scores)
        probs = unnormalised / np.sum(unnormalised, axis=1, keepdims=True)
        dscores = probs.copy()
        dscores[ROWS, LABELS] -= 1
        dscores /= N
        dW2 = hidden.T @ dscores
        db2 = np.sum(dscores, axis=0, keepdims=True)
        dhidden = dscores @ W2.T
        dhidden[hidden <= 0] = 0
        dW1 = X.T @ dhidden
        db1 = np.sum(dhidden, axis=0, keepdims=True)
        dW2 += REG * W2
        dW1 += REG * W1
        return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}


class SVM:
    """The multiclass support vector machine, with the hinge loss."""

    inputs: ClassVar = {"W": _weights(D, K), "b": _weights(K)}

    @staticmethod
    def loss(W, b):
        scores = X @ W + b
        correct = scores[ROWS, LABELS][:, None]
        margins = np.maximum(0, scores - correct + 1)
        return np.sum(np.where(IS_LABEL, 0, margins)) / N + REG * np.sum(W**2)

    @staticmethod
    def gradients(W, b):
        scores = X @ W + b
        correct = scores[ROWS, LABELS][:, None]
        margins = np.maximum(0, scores - correct + 1)
        margins[ROWS, LABELS] = 0
        dscores = (margins > 0).astype(float)
        violated = np.sum(dscores, axis=1)
        dscores[ROWS, LABELS] -= violated
        dscores /= N
        dW = X.T @ dscores
        dW += 2 * REG * W
        db = np.sum(dscores, axis=0)
        return {"W": dW, "b": db}


class RNN:
    """A recurrent net with tanh, whose states are compared with targets after each step."""

    inputs: ClassVar = {"Wx": _weights(D, H), "Wh": _weights(H, H), "b": _weights(H), "h0": _weights(N, H)}

    @staticmethod
    def loss(Wx, Wh, b, h0):
        h, total = h0, 0.0
        for x in SEQUENCE:
            h = np.tanh(x @ Wx + h @ Wh + b)
            total = total + 0.5 * np.sum((h - TARGETS) ** 2) / N
        return total

    @staticmethod
    def gradients(Wx, Wh, b, h0):
        states = [h0]
        for x in SEQUENCE:
            states.append(np.tanh(x @ Wx + states[-1] @ Wh + b))
        dWx, dWh, db = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)
        dh = np.zeros_like(h0)
        for t in reversed(range(T)):
            h, before = states[t + 1], states[t]
            dh = dh + (h - TARGETS) / N
            draw = dh * (1 - h * h)
            dWx += SEQUENCE[t].T @ draw
            dWh += before.T @ draw
            db += np.sum(draw, axis=0)
            dh = draw @ Wh.T
        return {"Wx": dWx, "Wh": dWh, "b": db, "h0": dh}


class BatchNorm:
    """Batch normalisation, compared with targets."""

    inputs: ClassVar = {"x": 2 * _rng.standard_normal((N, H)) + 1, "gamma": _weights(H), "beta": _weights(H)}

    @staticmethod
    def loss(x, gamma, beta):
        mean = np.mean(x, axis=0)
        centred = x - mean
        variance = np.mean(centred**2, axis=0)
        normal = centred / np.sqrt(variance + EPS)
        return 0.5 * np.sum((gamma * normal + beta - TARGETS) ** 2)

    @staticmethod
    def gradients(x, gamma, beta):
        mean = np.mean(x, axis=0)
        centred = x - mean
        variance = np.mean(centred**2, axis=0)
        spread = np.sqrt(variance + EPS)
        normal = centred / spread
        dout = gamma * normal + beta - TARGETS
        dbeta = np.sum(dout, axis=0)
        dgamma = np.sum(dout * normal, axis=0)
        dnormal = dout * gamma
        dvariance = np.sum(dnormal * centred, axis=0) * -0.5 / spread**3
        dcentred = dnormal / spread
        dcentred = dcentred + 2 * centred * dvariance / N
        dmean = -np.sum(dcentred, axis=0)
        dx = dcentred + dmean / N
        return {"x": dx, "gamma": dgamma, "beta": dbeta}


@dataclass(frozen=True)
class Fault:
    """A line of the gradients of a model, what stands there instead, and what is to be said."""

    model: type
    line: str
    instead: str
    says: str | None

    @property
    def name(self):
        return f"{self.model.__name__}: {self.line} → {self.instead}"

    def gradients(self):
        """The function of the gradients with the fault."""
        text = textwrap.dedent(inspect.getsource(self.model.gradients)).removeprefix("@staticmethod\n")
        assert text.count(f"{self.line}\n") == 1, self.line
        names = dict(globals())
        exec(text.replace(f"{self.line}\n", f"{self.instead}\n"), names)
        return names["gradients"]


ONE_HOT = "as if one-hot were not subtracted"
PER_N = "5 × too large: missing factor of 1/N, N = 5"
LINEAR_DB = "db = np.sum(dscores, axis=0, keepdims=True)"
LINEAR_RETURN = 'return {"W": dW, "b": db}'
NET_RETURN = 'return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}'
RNN_RETURN = 'return {"Wx": dWx, "Wh": dWh, "b": db, "h0": dh}'
NORM_RETURN = 'return {"x": dx, "gamma": dgamma, "beta": dbeta}'

FAULTS = [
    # --- the softmax classifier
    Fault(Linear, "dW += REG * W", "pass", r"short by 0\.1 × W: the penalty is missing"),
    Fault(Linear, "dW += REG * W", "dW += 2 * REG * W", r"0\.2 × W where 0\.1 × W is right"),
    Fault(Linear, "dW += REG * W", "dW += 0.5 * REG * W", r"0\.05 × W where 0\.1 × W is right"),
    Fault(Linear, "dW += REG * W", "dW -= REG * W", r"-0\.1 × W where 0\.1 × W is right"),
    Fault(Linear, "dW += REG * W", "dW += REG * W * W", None),
    Fault(Linear, LINEAR_DB, f"{LINEAR_DB} + REG * b", r"too large by 0\.1 × b: is it a penalty"),
    Fault(Linear, "dscores[ROWS, LABELS] -= 1", "pass", ONE_HOT),
    Fault(Linear, "dscores[ROWS, LABELS] -= 1", "dscores[ROWS, LABELS] += 1", "the part of one-hot: sign flipped"),
    Fault(Linear, "dscores[ROWS, LABELS] -= 1", "dscores = 1 - dscores", None),
    Fault(Linear, "dscores /= N", "pass", PER_N),
    Fault(Linear, "dscores /= N", "dscores /= N * N", "5 × too small: missing factor of N = 5"),
    Fault(Linear, "dscores /= N", "dscores /= K", r"1\.67 × too large"),
    Fault(Linear, "dscores /= N", "dscores /= -N", "sign flipped"),
    Fault(Linear, LINEAR_RETURN, 'return {"W": W, "b": db}', "W itself, not its gradient"),
    Fault(Linear, LINEAR_RETURN, 'return {"W": dW, "b": b}', "b itself, not its gradient"),
    Fault(Linear, "dW = X.T @ dscores", "dW = X.reshape(D, N) @ dscores", "reshaped where it should be transposed"),
    Fault(Linear, LINEAR_RETURN, 'return {"W": dW.T, "b": db}', r"transposed: shape \(3, 2\)"),
    Fault(Linear, LINEAR_DB, "db = dscores", "gradient of a broadcast not summed"),
    Fault(Linear, LINEAR_DB, "db = dscores[:1]", "as if only row 0 counted"),
    Fault(Linear, LINEAR_DB, "db = np.mean(dscores, axis=0, keepdims=True)", "5 × too small: missing factor of N"),
    # --- the two-layer net
    Fault(Net, "dhidden[hidden <= 0] = 0", "pass", "the mask of np.maximum were forgotten"),
    Fault(Net, "dhidden[hidden <= 0] = 0", "dhidden[hidden > 0] = 0", "the mask of np.maximum were turned round"),
    Fault(Net, "dhidden[hidden <= 0] = 0", "dhidden[dhidden <= 0] = 0", None),
    Fault(
        Net, "dhidden = dscores @ W2.T", "dhidden = dscores @ W2.reshape(K, H)", "a factor of np.matmul were reshaped"
    ),
    Fault(Net, "dW2 = hidden.T @ dscores", "dW2 = raw.T @ dscores", "in place of the result of np.maximum"),
    Fault(
        Net, "dW2 = hidden.T @ dscores", "dW2 = hidden.reshape(H, N) @ dscores", "a factor of np.matmul were reshaped"
    ),
    Fault(Net, "dW2 += REG * W2", "pass", r"short by 0\.1 × W2: the penalty is missing"),
    Fault(Net, "dW1 += REG * W1", "pass", r"short by 0\.1 × W1: the penalty is missing"),
    Fault(Net, "dW1 += REG * W1", "dW1 += 2 * REG * W1", r"0\.2 × W1 where 0\.1 × W1 is right"),
    Fault(Net, "dW2 += REG * W2", "dW2 *= 1 + REG", None),
    Fault(Net, "dscores[ROWS, LABELS] -= 1", "pass", ONE_HOT),
    Fault(Net, "dscores /= N", "pass", PER_N),
    Fault(Net, "dscores[ROWS, LABELS] -= 1", "dscores -= 1", None),
    Fault(Net, NET_RETURN, 'return {"W1": W1, "b1": db1, "W2": dW2, "b2": db2}', "W1 itself, not its gradient"),
    Fault(Net, "db1 = np.sum(dhidden, axis=0, keepdims=True)", "db1 = dhidden", "gradient of a broadcast not summed"),
    Fault(Net, "db1 = np.sum(dhidden, axis=0, keepdims=True)", "db1 = dhidden[-1:]", "only row 4 counted, of 5"),
    Fault(
        Net, "db1 = np.sum(dhidden, axis=0, keepdims=True)", "db1 = np.mean(dhidden, 0, keepdims=True)", "5 × too small"
    ),
    Fault(
        Net,
        "db2 = np.sum(dscores, axis=0, keepdims=True)",
        "db2 = np.sum(dscores[1:], 0, keepdims=True)",
        "row 0 were not summed",
    ),
    Fault(Net, "dW1 = X.T @ dhidden", "dW1 = X[:-1].T @ dhidden[:-1]", "row 4 were not summed"),
    Fault(Net, "dhidden = dscores @ W2.T", "dhidden = -dscores @ W2.T", "sign flipped"),
    # --- the support vector machine
    Fault(SVM, "dscores[ROWS, LABELS] -= violated", "pass", ONE_HOT),
    Fault(
        SVM,
        "dscores[ROWS, LABELS] -= violated",
        "dscores[ROWS, LABELS] += violated",
        "the minus of np.subtract were forgotten",
    ),
    Fault(SVM, "dscores[ROWS, LABELS] -= violated", "dscores[ROWS, LABELS] -= 1", None),
    Fault(SVM, "dscores /= N", "pass", PER_N),
    Fault(SVM, "dscores /= N", "dscores /= 2 * N", r"2\.00 × too small"),
    Fault(SVM, "dW += 2 * REG * W", "dW += REG * W", r"0\.1 × W where 0\.2 × W is right"),
    Fault(SVM, "dW += 2 * REG * W", "pass", r"short by 0\.2 × W: the penalty is missing"),
    Fault(SVM, "dW += 2 * REG * W", "dW += 2 * W", r"2 × W where 0\.2 × W is right"),
    Fault(
        SVM,
        "dscores = (margins > 0).astype(float)",
        "dscores = np.ones_like(margins)",
        "mask of np.maximum were forgotten",
    ),
    Fault(
        SVM,
        "dscores = (margins > 0).astype(float)",
        "dscores = (margins <= 0).astype(float)",
        "mask of np.maximum were turned round",
    ),
    Fault(SVM, "dscores = (margins > 0).astype(float)", "dscores = margins", None),
    Fault(SVM, "dW += 2 * REG * W", "dW += 2 * REG * W + REG", r"off by a constant: \+0\.1"),
    Fault(SVM, "margins = np.maximum(0, scores - correct + 1)", "margins = np.maximum(0, scores - correct)", None),
    Fault(SVM, "dW = X.T @ dscores", "dW = X.reshape(D, N) @ dscores", "a factor of np.matmul were reshaped"),
    Fault(SVM, "dW = X.T @ dscores", "dW = X[1:].T @ dscores[1:]", "row 0 were not summed"),
    Fault(SVM, "db = np.sum(dscores, axis=0)", "db = dscores[-1]", "only row 4 counted"),
    Fault(SVM, "db = np.sum(dscores, axis=0)", "db = np.sum(dscores, axis=1)[:K]", "zero"),
    Fault(SVM, "db = np.sum(dscores, axis=0)", "db = np.sum(dscores, axis=0) + 1", r"off by a constant: \+1"),
    Fault(SVM, LINEAR_RETURN, 'return {"W": -dW, "b": db}', "sign flipped"),
    Fault(SVM, LINEAR_RETURN, 'return {"W": dW, "b": 0 * db}', "zero"),
    # --- the recurrent net
    Fault(RNN, "dh = draw @ Wh.T", "dh = draw @ Wh", "a factor of np.matmul were not transposed"),
    Fault(RNN, "dh = draw @ Wh.T", "dh = draw @ Wh.reshape(H, H)", "a factor of np.matmul were not transposed"),
    Fault(RNN, "draw = dh * (1 - h * h)", "draw = dh", "the derivative of np.tanh were forgotten"),
    Fault(RNN, "draw = dh * (1 - h * h)", "draw = dh * (1 - h)", None),
    Fault(RNN, "draw = dh * (1 - h * h)", "draw = dh * (1 + h * h)", None),
    Fault(RNN, "draw = dh * (1 - h * h)", "draw = dh * (1 - before * before)", None),
    Fault(
        RNN,
        "draw = dh * (1 - h * h)",
        "draw = dh * (1 - np.arctanh(h) ** 2)",
        "the derivative of np.tanh were taken at its input",
    ),
    Fault(RNN, "dh = dh + (h - TARGETS) / N", "dh = (h - TARGETS) / N", "nothing came back through np.matmul"),
    Fault(RNN, "dh = dh + (h - TARGETS) / N", "dh = dh + (h - TARGETS)", PER_N),
    Fault(RNN, "dh = dh + (h - TARGETS) / N", "dh = dh + 2 * (h - TARGETS) / N", r"2\.00 × too large"),
    Fault(RNN, "dh = dh + (h - TARGETS) / N", "dh = dh + (TARGETS - h) / N", "sign flipped"),
    Fault(
        RNN,
        "dh = dh + (h - TARGETS) / N",
        "dh = dh + h / N",
        "the rule of np.power used the result of np.tanh in place",
    ),
    Fault(RNN, "dWh += before.T @ draw", "dWh += h.T @ draw", None),
    Fault(RNN, "dWh += before.T @ draw", "dWh = before.T @ draw", "only one of its 3 uses in np.matmul counted"),
    Fault(
        RNN, "dWx += SEQUENCE[t].T @ draw", "dWx = SEQUENCE[t].T @ draw", "only one of its 3 uses in np.matmul counted"
    ),
    Fault(RNN, "db += np.sum(draw, axis=0)", "db = np.sum(draw, axis=0)", "only one of its 3 uses in np.add counted"),
    Fault(RNN, "db += np.sum(draw, axis=0)", "db += draw[0]", "as if only row 0 counted"),
    Fault(RNN, "dWh += before.T @ draw", "dWh += draw.T @ before", "transposed"),
    Fault(
        RNN,
        RNN_RETURN,
        'return {"Wx": dWx, "Wh": dWh, "b": db, "h0": draw}',
        "the derivative of np.matmul were forgotten",
    ),
    Fault(
        RNN,
        RNN_RETURN,
        'return {"Wx": dWx, "Wh": dWh / T, "b": db, "h0": dh}',
        "3[^ ]* × too small",
    ),
    # --- batch normalisation
    Fault(BatchNorm, "dx = dcentred + dmean / N", "dx = dcentred", "nothing came back through np.mean"),
    Fault(BatchNorm, "dx = dcentred + dmean / N", "dx = dcentred + dmean", PER_N),
    Fault(
        BatchNorm, "dx = dcentred + dmean / N", "dx = dcentred - dmean / N", "the minus of np.subtract were forgotten"
    ),
    Fault(BatchNorm, "dcentred = dcentred + 2 * centred * dvariance / N", "pass", "nothing came back through np.power"),
    Fault(
        BatchNorm,
        "dcentred = dcentred + 2 * centred * dvariance / N",
        "dcentred += centred * dvariance / N",
        r"2\.00 × too small",
    ),
    Fault(BatchNorm, "dcentred = dcentred + 2 * centred * dvariance / N", "dcentred += 2 * centred * dvariance", PER_N),
    Fault(
        BatchNorm,
        "dcentred = dcentred + 2 * centred * dvariance / N",
        "dcentred += 2 * centred * dvariance / (N - 1)",
        r"1\.25 × too large",
    ),
    Fault(
        BatchNorm,
        "dcentred = dcentred + 2 * centred * dvariance / N",
        "dcentred -= 2 * centred * dvariance / N",
        "sign flipped",
    ),
    Fault(BatchNorm, "dnormal = dout * gamma", "dnormal = dout", "the derivative of np.multiply were forgotten"),
    Fault(
        BatchNorm,
        "dvariance = np.sum(dnormal * centred, axis=0) * -0.5 / spread**3",
        "dvariance = np.sum(dnormal * centred, axis=0) * -0.5 / spread",
        None,
    ),
    Fault(
        BatchNorm,
        "dvariance = np.sum(dnormal * centred, axis=0) * -0.5 / spread**3",
        "dvariance = np.sum(dnormal * centred, axis=0) * 0.5 / spread**3",
        "sign flipped",
    ),
    Fault(
        BatchNorm,
        "dvariance = np.sum(dnormal * centred, axis=0) * -0.5 / spread**3",
        "dvariance = np.sum(dnormal * centred, axis=0) * -1 / spread**3",
        r"2\.00 × too large",
    ),
    Fault(
        BatchNorm,
        "dgamma = np.sum(dout * normal, axis=0)",
        "dgamma = np.sum(dout * x, axis=0)",
        "used x in place of the result of np.divide",
    ),
    Fault(
        BatchNorm,
        "dgamma = np.sum(dout * normal, axis=0)",
        "dgamma = np.sum(dout * centred, axis=0)",
        "in place of the result of np.divide",
    ),
    Fault(
        BatchNorm,
        "dgamma = np.sum(dout * normal, axis=0)",
        "dgamma = np.sum(dout, axis=0)",
        "equal to the gradient in beta",
    ),
    Fault(
        BatchNorm, "dgamma = np.sum(dout * normal, axis=0)", "dgamma = np.mean(dout * normal, axis=0)", "5 × too small"
    ),
    Fault(BatchNorm, "dbeta = np.sum(dout, axis=0)", "dbeta = dout", "gradient of a broadcast not summed"),
    Fault(BatchNorm, "dbeta = np.sum(dout, axis=0)", "dbeta = dout[0]", "only row 0 counted"),
    Fault(
        BatchNorm,
        NORM_RETURN,
        'return {"x": dx, "gamma": dbeta, "beta": dgamma}',
        "swapped with the gradient in (beta|gamma)",
    ),
    Fault(BatchNorm, "dcentred = dnormal / spread", "dcentred = dnormal", "the derivative of np.divide were forgotten"),
]
