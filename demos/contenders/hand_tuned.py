"""Hand-written, tuned steps: each result goes to a preallocated buffer, in the fastest way known for each operation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from contenders.models import RATE, Model


def mlp(model: Model) -> Callable[[], float]:
    """Return a step of gradient descent for a net of relu layers."""
    arrays, batches = model.start()
    Ws, bs = [w for name, w in arrays.items() if "W" in name], [b for name, b in arrays.items() if "b" in name]
    n, f32, depth = model.X[0], np.float32, len(Ws)
    widths = [W.shape[1] for W in Ws]
    hidden, dhidden, zeros, masks = (
        [np.zeros((n, width), dtype) for width in widths[:-1]] for dtype in (f32, f32, f32, bool)
    )
    scores, probs = (np.empty((n, widths[-1]), f32, order="F") for _ in range(2))
    top, total, logs, ones = (np.ones(shape, f32) for shape in ((n, 1), (n, 1), (n, 1), (1, n)))
    rows, places, correct, flat = np.arange(n), np.empty(n, int), np.empty(n, f32), scores.reshape(-1, order="F")
    flat_probs = probs.reshape(-1, order="F")
    last = np.empty(Ws[-1].shape, f32, order="F")
    dWs, dbs = [np.empty_like(W) for W in Ws], [np.empty_like(b) for b in bs]

    def step() -> float:
        X, y = next(batches)
        below = [X, *hidden]
        for i in range(depth - 1):
            np.matmul(below[i], Ws[i], hidden[i])
            np.add(hidden[i], bs[i], hidden[i])
            np.maximum(hidden[i], zeros[i], out=hidden[i])
        last[...] = Ws[-1]
        np.matmul(below[-1], last, scores)
        np.add(scores, bs[-1], scores)
        np.maximum.reduce(scores, 1, None, top, True)
        np.subtract(scores, top, scores)
        np.multiply(y, np.intp(n), places)
        np.add(places, rows, places)
        flat.take(places, None, correct, "clip")
        np.exp(scores, probs)
        np.add.reduce(probs, 1, None, total, True)
        np.log(total, logs)
        loss = (np.add.reduce(logs, None) - np.add.reduce(correct)) / n
        np.divide(probs, total, probs)
        flat_probs[places] -= 1
        np.multiply(probs, f32(1 / n), probs)
        np.matmul(below[-1].T, probs, dWs[-1])
        np.matmul(ones, probs, dbs[-1][None])
        above, W = probs, last
        for i in reversed(range(depth - 1)):
            np.matmul(above, W.T, dhidden[i])
            np.greater(hidden[i], 0, masks[i])
            np.multiply(dhidden[i], masks[i], dhidden[i])
            above, W = dhidden[i], Ws[i]
            np.matmul(below[i].T, above, dWs[i])
            np.matmul(ones, above, dbs[i][None])
        for p, dp in zip((*Ws, *bs), (*dWs, *dbs), strict=True):
            np.multiply(dp, f32(RATE), dp)
            np.subtract(p, dp, p)
        return float(loss)

    return step
