"""Example calls for the functions that NumPy lacks, each with an independent formula for its value."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from cases import NONZERO
from examples import Case, Example, Source

from autograd_spiral.vocabulary import functions

FUNCTION_CASES: dict[Callable[..., Any], Case] = {}
"""Maps a function to the function that draws example calls of it."""


def function_case(function: Callable[..., Any]) -> Callable[[Case], Case]:
    """Enter the decorated function as the case of `function`."""

    def enter(draw_example: Case) -> Case:
        FUNCTION_CASES[function] = draw_example
        return draw_example

    return enter


def _sigmoid(x: Any) -> Any:
    return 0.5 * (1 + np.tanh(x / 2))


def _erf(x: Any) -> Any:
    return np.vectorize(math.erf, otypes=[x.dtype])(x)


def _logsumexp(x: Any, axis: Any, keepdims: bool) -> Any:
    return np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims))


# --- activations ----------------------------------------------------------------------------------------------------


@function_case(functions.relu)
def _relu(source: Source, function: Any) -> Example:
    return Example(function, (source.array(source.shape(), **NONZERO),), lambda x: x * (x > 0))


@function_case(functions.sigmoid)
def _logistic(source: Source, function: Any) -> Example:
    return Example(function, (source.array(source.shape(), **NONZERO),), _sigmoid)


@function_case(functions.leaky_relu)
def _leaky_relu(source: Source, function: Any) -> Example:
    x = source.array(source.shape(), **NONZERO)
    slope = source.choose(None, 0.2)
    formula = lambda x: np.maximum(x, 0) + (slope or 0.01) * np.minimum(x, 0)  # noqa: E731
    return Example(function if slope is None else lambda x: function(x, slope), (x,), formula)


@function_case(functions.elu)
def _elu(source: Source, function: Any) -> Example:
    x = source.array(source.shape(), **NONZERO)
    alpha = source.choose(None, 0.5)
    formula = lambda x: np.maximum(x, 0) + (alpha or 1) * (np.exp(np.minimum(x, 0)) - 1)  # noqa: E731
    return Example(function if alpha is None else lambda x: function(x, alpha=alpha), (x,), formula)


@function_case(functions.silu)
def _silu(source: Source, function: Any) -> Example:
    return Example(function, (source.array(source.shape(), **NONZERO),), lambda x: x * _sigmoid(x))


@function_case(functions.softplus)
def _softplus(source: Source, function: Any) -> Example:
    formula = lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))  # noqa: E731
    return Example(function, (source.array(source.shape(), **NONZERO),), formula)


@function_case(functions.erf)
def _error_function(source: Source, function: Any) -> Example:
    return Example(function, (source.array(source.shape()),), _erf)


@function_case(functions.gelu)
def _gelu(source: Source, function: Any) -> Example:
    x = source.array(source.shape())
    if source.flag():
        formula = lambda x: x * _sigmoid(math.sqrt(8 / math.pi) * (x + 0.044715 * x * x * x))  # noqa: E731
        return Example(lambda x: function(x, approximate=True), (x,), formula)
    return Example(function, (x,), lambda x: x * (0.5 + 0.5 * _erf(x / math.sqrt(2))))


# --- softmax and its relatives --------------------------------------------------------------------------------------


@function_case(functions.softmax)
def _softmax(source: Source, function: Any) -> Example:
    x = source.array(source.shape(1, empty=False))
    axis = source.axis(x.ndim)
    formula = lambda x: np.exp(x - _logsumexp(x, axis, True))  # noqa: E731
    return Example(lambda x: function(x, axis=axis), (x,), formula)


@function_case(functions.log_softmax)
def _log_softmax(source: Source, function: Any) -> Example:
    x = source.array(source.shape(1, empty=False))
    axis = source.axis(x.ndim)
    formula = lambda x: x - _logsumexp(x, axis, True)  # noqa: E731
    return Example(lambda x: function(x, axis), (x,), formula)


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
    scores, weights = (source.array((2, 3), low, 2) for low in (-2, 0.1))
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
