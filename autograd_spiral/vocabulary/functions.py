"""The differentiable functions that NumPy lacks, such as `relu` and `softmax`.

Some are declared with their own gradient rules, as users do with `@primitive`. The others are composed of functions
that have rules. All take arrays or Tensors, and their bodies and rules run on both.
"""

from __future__ import annotations

import math
from typing import Any, TypeVar

import numpy
from numpy.typing import NDArray

from autograd_spiral.engine.calls import explains_keywords
from autograd_spiral.engine.declare import trusted_primitive
from autograd_spiral.engine.modes import MODE
from autograd_spiral.engine.sweep import wide
from autograd_spiral.engine.table import PRIMITIVES
from autograd_spiral.engine.tensor import Tensor, record
from autograd_spiral.errors import ShapeError
from autograd_spiral.vocabulary import fast_paths, signatures
from autograd_spiral.vocabulary.compositions.arguments import operand
from autograd_spiral.vocabulary.labels import check_form, check_labels, check_probabilities, check_scores
from autograd_spiral.vocabulary.rules.elementwise import bell
from autograd_spiral.vocabulary.rules.reductions import restore_axes, share

__all__ = [
    "elu",
    "erf",
    "gelu",
    "leaky_relu",
    "log_softmax",
    "logsumexp",
    "mean_squared_error",
    "relu",
    "sigmoid",
    "silu",
    "softmax",
    "softmax_cross_entropy",
    "softplus",
]

np: Any = numpy  # its type stubs know nothing of Tensors
Array = TypeVar("Array", Tensor, NDArray[Any])  # the result has the type of the argument


# --- activations ----------------------------------------------------------------------------------------------------


@trusted_primitive(lambda ct, out, x: fast_paths.mask(ct, out > 0))
def relu(x: Array) -> Array:
    """Return the positive part of x, `max(x, 0)`, elementwise.

    The derivative at 0 is 0. See Glorot, Bordes and Bengio (2011).

    >>> relu(np.array([-1.0, 0.0, 2.0]))
    array([0., 0., 2.])
    """
    return np.maximum(x, 0)


def _sigmoid_rule(ct: Any, out: Any, x: Any) -> Any:
    out = sigmoid(wide(x)) if out.dtype == np.float16 else out  # in float16, 1 - out has few digits
    return ct * (out * (1 - out))


@trusted_primitive(_sigmoid_rule)
def sigmoid(x: Array) -> Array:
    """Return the logistic function, `1 / (1 + exp(-x))`, elementwise.

    Large inputs do not overflow. The derivative is `sigmoid(x) · (1 - sigmoid(x))`.

    >>> sigmoid(np.array([-1e4, 0.0, 1e4]))
    array([0. , 0.5, 1. ])
    """
    decay = np.exp(-np.absolute(x))
    return np.where(x >= 0, 1, decay) / (1 + decay)


@explains_keywords
def leaky_relu(x: Array, slope: float = 0.01) -> Array:
    """Return `x` where it is positive, and `slope · x` elsewhere.

    The derivative at 0 is `slope`. See Maas, Hannun and Ng (2013).

    >>> leaky_relu(np.array([-2.0, 3.0]), slope=0.1)
    array([-0.2,  3. ])
    """
    x = operand(x)
    return np.where(x > 0, x, slope * x)


@explains_keywords
def elu(x: Array, alpha: float = 1.0) -> Array:
    """Return `x` where it is positive, and `alpha · (exp(x) - 1)` elsewhere.

    The derivative at 0 is `alpha`. See Clevert, Unterthiner and Hochreiter (2015).

    >>> elu(np.array([-1.0, 3.0])).round(3)
    array([-0.632,  3.   ])
    """
    x = operand(x)
    positive = x > 0
    return np.where(positive, x, alpha * np.expm1(np.where(positive, 0, x)))


def silu(x: Array) -> Array:
    """Return `x · sigmoid(x)`, elementwise.

    The function is also called swish. See Elfwing, Uchibe and Doya (2017).

    >>> silu(np.array([-1.0, 0.0, 1.0])).round(3)
    array([-0.269,  0.   ,  0.731])
    """
    return x * sigmoid(x)


@trusted_primitive(lambda ct, out, x: ct * sigmoid(wide(x)))
def softplus(x: Array) -> Array:
    """Return `log(1 + exp(x))`, elementwise.

    Large inputs do not overflow. The derivative is `sigmoid(x)`. See Dugas, Bengio, Bélisle, Nadeau and Garcia (2000).

    >>> softplus(np.array([-1e4, 0.0, 2.0])).round(3)
    array([0.   , 0.693, 2.127])
    """
    return np.logaddexp(x, 0)


def _entrywise(function: Any, x: Any) -> Any:
    values = np.asarray(x)
    values = values if values.dtype.kind == "f" else values.astype(float)
    return np.array([function(entry) for entry in values.ravel().tolist()], values.dtype).reshape(values.shape)


@trusted_primitive(lambda ct, out, x: ct * (2 / math.sqrt(math.pi) * bell(wide(x))))
def erf(x: Array) -> Array:
    """Return the error function, `2/√π · ∫₀ˣ exp(-t²) dt`, elementwise.

    The derivative is `2/√π · exp(-x²)`.

    >>> erf(np.array([0.0, 1.0])).round(4)
    array([0.    , 0.8427])
    """
    return _entrywise(math.erf, x)


@trusted_primitive(lambda ct, out, x: ct * (bell(wide(x), 2) / math.sqrt(2 * math.pi)))
def _ndtr(x: Any) -> Any:
    return _entrywise(lambda entry: 0.5 * math.erfc(-entry / math.sqrt(2)), x)


PRIMITIVES[_ndtr].name = "ndtr"  # as SciPy calls it


def gelu(x: Array, *, approximate: bool = False) -> Array:
    """Return `x · Φ(x)`, elementwise; Φ is the cumulative distribution function of the standard normal distribution.

    With `approximate=True`, Φ is approximated by a formula with tanh. See Hendrycks and Gimpel (2016). Raises TypeError
    if `approximate` is not a bool.

    >>> gelu(np.array([-1.0, 1.0])).round(4)
    array([-0.1587,  0.8413])
    """
    if not isinstance(approximate, bool | np.bool_):
        raise TypeError(f"gelu: approximate must be True or False, not {approximate!r}")
    x = operand(x)
    if approximate:
        bounded = np.clip(x, -30, 30)  # outside this range, Φ is 0 or 1 after rounding, and x³ might overflow
        return x * sigmoid(math.sqrt(8 / math.pi) * (bounded + 0.044715 * bounded**3))  # (1 + tanh) / 2, accurately
    return x * _ndtr(x)


# --- softmax and its relatives --------------------------------------------------------------------------------------


def _softmax_rule(ct: Any, out: Any, x: Any, axis: int) -> Any:
    ct, out = wide(ct), wide(out)
    return out * (ct - (ct * out).sum(axis=axis, keepdims=True))


@trusted_primitive(_softmax_rule)
def softmax(x: Array, axis: int = -1) -> Array:
    """Return `exp(x) / Σ exp(x)`, where the sum is along `axis`.

    The result has the shape of x, and its entries along `axis` add up to 1. Large inputs do not overflow. If g is the
    gradient of the loss with respect to the result `out`, the gradient with respect to x is `out · (g - Σ(g · out))`.
    Raises AxisError if x has no such axis.

    >>> softmax(np.array([0.0, 1e4, -np.inf]))
    array([0., 1., 0.])
    """
    if x.dtype == np.float16:  # in float16, sums stop growing
        return softmax(x.astype(np.float32), axis).astype(np.float16)
    x = fast_paths.by_column(x, axis)
    exponentials = np.exp(x - x.max(axis=axis, keepdims=True))
    probs = exponentials / exponentials.sum(axis=axis, keepdims=True)
    return probs  # printed programs use the names of these variables


def _log_softmax_rule(ct: Any, out: Any, x: Any, axis: int) -> Any:
    ct = wide(ct)
    return ct - softmax(wide(x), axis=axis) * ct.sum(axis=axis, keepdims=True)


@trusted_primitive(_log_softmax_rule)
def log_softmax(x: Array, axis: int = -1) -> Array:
    """Return the logarithm of `softmax(x, axis)`.

    It is accurate even where the softmax rounds to 0. If g is the gradient of the loss with respect to the result, the
    gradient with respect to x is `g - softmax(x) · Σ(g)`, with a sum along `axis`. Raises AxisError if x has no such
    axis.

    >>> log_softmax(np.array([0.0, 1e4]))
    array([-10000.,      0.])
    """
    if x.dtype == np.float16:
        return log_softmax(x.astype(np.float32), axis).astype(np.float16)
    shifted = x - x.max(axis=axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))


def _logsumexp_rule(ct: Any, out: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    axes = signatures.reduction(x, axis)[1]["axis"]
    ct, out, x = restore_axes(ct, x, axes, keepdims), restore_axes(out, x, axes, keepdims), wide(x)
    weights = np.exp(x - np.where(np.isfinite(out), out, 0))
    total = np.sum(weights, axis=axis, keepdims=True)  # 1 up to the rounding of a large out; 0 for rows of -inf
    return ct * (weights / np.where(total == 0, 1, total))


@trusted_primitive(_logsumexp_rule)
def logsumexp(x: Array, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Array:
    """Return `log Σ exp(x)`, where the sum is over `axis` (an int, a tuple of ints, or None for all axes).

    Large inputs do not overflow. The gradient is the softmax of x. If all entries are -inf, the result is -inf and the
    gradient is 0. Raises AxisError if x has no such axis.

    >>> logsumexp(np.array([[0.0, 0.0], [-np.inf, -np.inf], [1e4, 0.0]]), axis=1)
    array([6.93147181e-01,           -inf, 1.00000000e+04])
    """
    x = operand(x)
    if x.dtype == np.float16:
        return logsumexp(x.astype(np.float32), axis, keepdims).astype(np.float16)
    top = np.max(x, axis=axis, keepdims=True)
    shift = np.where(np.isfinite(top), top, 0)
    total = np.sum(np.exp(x - shift), axis=axis, keepdims=True)
    out = np.log(np.where(total == 0, 1, total)) + np.where(total == 0, top, shift)
    return out if keepdims else np.squeeze(out, axis=axis)


# --- losses ---------------------------------------------------------------------------------------------------------


def _reduced(losses: Any, reduction: str) -> Any:
    if reduction == "none":
        return losses
    if reduction == "sum":
        return losses.sum()
    return losses.mean() if losses.dtype == np.float16 else losses.sum() / len(losses)  # a sum may overflow in float16


def _cross_entropy_rule(ct: Any, out: Any, scores: Any, labels: Any, reduction: str) -> Any:
    """Return the gradient `(p - onehot(y)) / N`, as derived by hand."""
    ct, scores = wide(ct), wide(scores)
    per_row = ct[:, None] if reduction == "none" else share(ct, len(scores)) if reduction == "mean" else ct
    return (softmax(scores, axis=1) - fast_paths.one_hot(labels, scores.shape[1])) * per_row


@trusted_primitive(_cross_entropy_rule, None)
def _label_cross_entropy(scores: Any, labels: Any, reduction: str) -> Any:
    if scores.dtype == np.float16:
        return _label_cross_entropy(scores.astype(np.float32), labels, reduction=reduction).astype(np.float16)
    scores = fast_paths.by_column(scores, axis=1)
    shifted = scores - scores.max(axis=1, keepdims=True)
    correct = shifted[np.arange(len(scores)), labels]
    totals = np.exp(shifted).sum(axis=1, keepdims=True)
    return _reduced(np.log(totals)[:, 0] - correct, reduction)


PRIMITIVES[_label_cross_entropy].name = "softmax_cross_entropy"  # the name of the function that the user called


@explains_keywords
def softmax_cross_entropy(scores: Any, labels: Any, *, reduction: str = "mean") -> Any:
    """Return the loss of a classifier: the cross-entropy of `softmax(scores)` with the correct classes.

    `scores` has shape (N, K), for N rows of data and K classes. `labels` holds N integers in `range(K)`, the correct
    class of each row. The loss of a row is `-log p[y]`, where p is the softmax of its scores and y is its label.
    `labels` may also be an (N, K) array of floats, the class probabilities of each row. `reduction` is "mean" for the
    mean over the rows, "sum" for the sum, or "none" for the N losses themselves. Large scores do not overflow.

    For the mean, the gradient with respect to the scores is `(softmax(scores) - onehot) / N`, where each row of
    `onehot` is 1 at the correct class and 0 elsewhere (see CS231n, Neural Networks Case Study). Raises `LabelError` if
    the labels are invalid; the message names the first wrong label and its row. Raises `ShapeError` if the scores do
    not have shape (N, K).

    >>> scores = np.log(np.array([[0.2, 0.3, 0.5]]))  # the softmax of these is 0.2, 0.3, 0.5
    >>> float(softmax_cross_entropy(scores, [1]).round(4)), round(-math.log(0.3), 4)
    (1.204, 1.204)
    """
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"softmax_cross_entropy: reduction must be 'mean', 'sum' or 'none', not {reduction!r}")
    scores, labels = operand(scores), operand(labels)
    check_scores(scores)
    shape = scores.shape
    if labels.ndim == 2 and labels.dtype.kind == "f" and labels.shape == shape and shape[1] > 1:
        MODE.get().trace.verify(check_probabilities, labels)
        absent = labels == 0  # here 0 · log 0 is 0
        log_p = np.where(absent, 0, log_softmax(scores, axis=1))
        return _reduced(-np.sum(labels * log_p, axis=1), reduction)
    check_form(labels, shape[0])
    MODE.get().trace.verify(check_labels, labels, shape[1])
    if type(scores) is Tensor or type(labels) is Tensor:
        return record(PRIMITIVES[_label_cross_entropy], (scores, labels), {"reduction": reduction})
    return _label_cross_entropy(scores, labels, reduction=reduction)


@explains_keywords
def mean_squared_error(prediction: Any, target: Any) -> Any:
    """Return the mean of `(prediction - target)²` over all elements.

    Raises `ShapeError` if the two shapes differ, since broadcasting them is almost always a mistake.

    >>> float(mean_squared_error(np.array([1.0, 2.0]), np.array([1.0, 4.0])))
    2.0
    """
    if np.shape(prediction) != np.shape(target):
        raise ShapeError(
            f"mean_squared_error: prediction of shape {np.shape(prediction)} and target of shape {np.shape(target)} "
            "must have the same shape: reshape one of them"
        )
    return np.mean(np.square(np.subtract(prediction, target)))
