"""Example calls for the functions that NumPy lacks, each with an independent formula for its value."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from examples import Cases, Example, Source

from autograd_spiral.gradcheck.examples.elementwise import UNARY
from autograd_spiral.gradcheck.examples.table import Domain
from autograd_spiral.vocabulary import functions

FUNCTION_CASES = Cases()
function_case = FUNCTION_CASES.of


def _sigmoid(x: Any) -> Any:
    return 0.5 * (1 + np.tanh(x / 2))


def _erf(x: Any) -> Any:
    return np.vectorize(math.erf, otypes=[x.dtype])(x)


def _logsumexp(x: Any, axis: Any, keepdims: bool) -> Any:
    return np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims))


# --- activations ----------------------------------------------------------------------------------------------------


def _leaky(slope: float) -> Callable[[Any], Any]:
    return lambda x: np.maximum(x, 0) + slope * np.minimum(x, 0)


def _elu(alpha: float) -> Callable[[Any], Any]:
    return lambda x: np.maximum(x, 0) + alpha * (np.exp(np.minimum(x, 0)) - 1)


ACTIVATIONS: dict[Callable[..., Any], list[tuple[dict[str, Any], Callable[[Any], Any]]]] = {
    functions.relu: [({}, lambda x: x * (x > 0))],
    functions.sigmoid: [({}, _sigmoid)],
    functions.leaky_relu: [({}, _leaky(0.01)), ({"slope": 0.2}, _leaky(0.2))],
    functions.elu: [({}, _elu(1)), ({"alpha": 0.5}, _elu(0.5))],
    functions.silu: [({}, lambda x: x * _sigmoid(x))],
    functions.softplus: [({}, lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))],
    functions.erf: [({}, _erf)],
    functions._ndtr: [({}, lambda x: 0.5 + 0.5 * _erf(x / math.sqrt(2)))],
    functions.gelu: [
        ({}, lambda x: x * (0.5 + 0.5 * _erf(x / math.sqrt(2)))),
        ({"approximate": True}, lambda x: x * _sigmoid(math.sqrt(8 / math.pi) * (x + 0.044715 * x * x * x))),
    ],
}
"""For each function the keywords that it takes, with the formula of its value."""


@function_case(*ACTIVATIONS)
def _activation(source: Source, function: Any) -> Example:
    keywords, formula = source.choose(*ACTIVATIONS[function])
    call = (lambda x: function(x, **keywords)) if keywords else function
    return Example(call, (source.array(source.shape(), UNARY[function]),), formula)


# --- softmax and its relatives --------------------------------------------------------------------------------------


ALONG_AN_AXIS: dict[Callable[..., Any], Callable[..., Any]] = {
    functions.softmax: lambda x, axis: np.exp(x - _logsumexp(x, axis, True)),
    functions.log_softmax: lambda x, axis: x - _logsumexp(x, axis, True),
}


@function_case(*ALONG_AN_AXIS)
def _along_an_axis(source: Source, function: Any) -> Example:
    x = source.array(source.shape(1, empty=False))
    axis = source.axis(x.ndim)
    call = source.choose(lambda x: function(x, axis=axis), lambda x: function(x, axis))
    return Example(call, (x,), lambda x: ALONG_AN_AXIS[function](x, axis))


@function_case(functions.logsumexp)
def _log_sum_exp(source: Source, function: Any) -> Example:
    x = source.array(source.shape(empty=False))
    axis, keepdims = source.axes(x.ndim), source.flag()
    formula = lambda x: _logsumexp(x, axis, keepdims)  # noqa: E731
    return Example(lambda x: function(x, axis=axis, keepdims=keepdims), (x,), formula)


# --- losses ---------------------------------------------------------------------------------------------------------

REDUCTIONS: dict[str, Callable[..., Any]] = {"mean": np.mean, "sum": np.sum, "none": lambda losses: losses}


def _label_loss(scores: Any, labels: Any, reduction: str) -> Any:
    chosen = np.take_along_axis(scores, labels[:, None], axis=1)[:, 0]
    return REDUCTIONS[reduction](_logsumexp(scores, 1, False) - chosen)


def _probability_loss(scores: Any, probabilities: Any, reduction: str) -> Any:
    return REDUCTIONS[reduction](np.sum(probabilities * (_logsumexp(scores, 1, True) - scores), axis=1))


@function_case(functions._label_cross_entropy)
def _label_cross_entropy(source: Source, function: Any) -> Example:
    rows, classes = source.shape(2, 2, empty=False)
    arrays = source.array((rows, classes)), source.integers((rows,), 0, classes - 1)
    reduction = source.choose(*REDUCTIONS)
    return Example(
        lambda scores, labels: function(scores, labels, reduction=reduction),
        arrays,
        lambda scores, labels: _label_loss(scores, labels, reduction),
    )


@function_case(functions.softmax_cross_entropy)
def _cross_entropy(source: Source, function: Any) -> Example:
    if source.flag():
        return _label_cross_entropy(source, function)
    scores, weights = source.array((2, 3)), source.array((2, 3), Domain(0.1, 2))
    reduction = source.choose(*REDUCTIONS)
    return Example(
        lambda scores, probabilities: function(scores, probabilities, reduction=reduction),
        (scores, weights / weights.sum(axis=1, keepdims=True)),
        lambda scores, probabilities: _probability_loss(scores, probabilities, reduction),
    )


@function_case(functions.mean_squared_error)
def _mean_squared_error(source: Source, function: Any) -> Example:
    shape = source.shape(empty=False)
    formula = lambda p, t: np.mean((p - t) * (p - t))  # noqa: E731
    return Example(function, (source.array(shape), source.array(shape)), formula)
