"""Helpers for the tests of gradient checks: rules that are wrong by a known amount, and their reports."""

import functools

import numpy as np

from autograd_spiral import Tensor, grad, primitive
from autograd_spiral.gradcheck import check_against, check_gradients


def normal(*shape):
    """Standard normal numbers, the same ones at every call."""
    return np.random.default_rng(5).standard_normal(shape)


X = normal(4, 3)


def square(x):
    return x * x


def declared(body, *vjps):
    return primitive(*vjps)(body)


def squares_with(vjp):
    """A primitive with the value x² and the rule `vjp`, which gets the right derivative to spoil."""

    @primitive(lambda ct, out, x: vjp(ct * 2 * x))
    def squares(x):
        return x * x

    return squares


def checked(function, *inputs, **how):
    return check_gradients(function, *inputs, raise_on_mismatch=False, **how)


def only(report):
    (row,) = report.rows
    return row


def plain(function):
    """The function of arrays, which cannot be recorded."""

    @functools.wraps(function)
    def of_arrays(*args):
        out = function(*map(np.array, args))
        return np.asarray(out.data if isinstance(out, Tensor) else out)

    return of_arrays


def checked_alone(function, *inputs, factor=1.0, as_arrays=False):
    """Return the report by differences alone on the engine's gradients, times `factor`.

    They are a function, or arrays that were computed in float64 at least.
    """
    out = plain(function)(*inputs)
    rng = np.random.default_rng(1)
    ct = np.asarray(rng.choice([-1.0, 1.0], out.shape) * rng.uniform(0.5, 1.5, out.shape), out.dtype)

    def by_hand(*args):
        leaves = tuple(Tensor(x, requires_grad=True) for x in args)
        out = function(*leaves)
        return [x.dtype.type(factor) * x.data for x in grad(out, leaves, ct.astype(out.dtype))]

    def exactly(*args):
        wide = by_hand(*(x.astype(np.result_type(x, float)) if x.dtype.kind == "f" else x for x in args))
        return [x.astype(arg.dtype) for x, arg in zip(wide, args, strict=True)]

    gradients = exactly(*inputs) if as_arrays else by_hand
    report = check_against(plain(function), gradients, *inputs, cotangent=ct, raise_on_mismatch=False)
    assert report.method.startswith("judged by finite differences only")
    return report


FAULTS = {
    "2.00 × too large": lambda right: 2 * right,
    "2.00 × too small": lambda right: right / 2,
    "sign flipped": lambda right: -right,
    "1 % too large": lambda right: 1.01 * right,
    "0.1 % too large": lambda right: 1.001 * right,
    "0.1 % too small": lambda right: 0.999 * right,
    "sign flipped and 2.50 × too large": lambda right: -2.5 * right,
    "zero: no path from this input": lambda right: 0 * right,
}


@primitive(lambda ct, out, x: 999 * ct)
def wrong_log(x):
    return np.log(x)
