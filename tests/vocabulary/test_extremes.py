"""Elementwise gradients over the whole range of each dtype, compared with true slopes computed in a wider one."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from cases import ROWS

from autograd_spiral import Tensor, grad
from autograd_spiral.engine.messages import name_of
from autograd_spiral.engine.table import PRIMITIVES
from autograd_spiral.vocabulary import functions

LONG = np.longdouble
PI, LOG2, LOG10 = LONG(2) * np.arccos(LONG(0)), np.log(LONG(2)), np.log(LONG(10))
WIDER: dict[Any, Any] = {np.float16: np.float64, np.float32: np.float64, np.float64: LONG}
every_dtype = pytest.mark.parametrize(
    "dtype",
    [
        np.float16,
        np.float32,
        pytest.param(
            np.float64,
            marks=pytest.mark.skipif(np.finfo(LONG).nmant <= 60, reason="no dtype is wider than float64 here"),
        ),
    ],
)

# --- the rows, and what is known about them ---------------------------------------------------------------------------

OWN = (functions.relu, functions.sigmoid, functions.erf, functions._ndtr)
ELEMENTWISE = [
    f for f in ROWS if (isinstance(f, np.ufunc) and f.signature is None and any(PRIMITIVES[f].vjps)) or f in OWN
]


def _true_erfcx(x: Any) -> Any:
    """`exp(x²) · erfc(x)`: for small x from the Taylor series of erf, else by the trapezoidal rule."""
    small, y = np.abs(x) < 1, np.abs(np.where(np.abs(x) < 1, 1, x))
    near, series = np.where(small, x, 0), np.zeros_like(x)
    for n in range(30, 0, -1):
        series = near * near / n * (1 / LONG(2 * n + 1) - series)
    erf = 2 / np.sqrt(PI) * near * (1 - series)
    total = 0.5 / y / y
    for n in range(1, 22):
        total = total + np.exp(-n * n * LONG(4) / 25) / (n * n * LONG(4) / 25 + y * y)
    tail = LONG(4) / 5 * y / PI * total - np.where(y < 7, 2 * np.exp(np.minimum(y, 7) ** 2) / np.expm1(5 * PI * y), 0)
    return np.where(small, np.exp(near * near) * (1 - erf), np.where(x > 0, tail, 2 * np.exp(y * y) - tail))


def _true_erfcx_slope(x: Any) -> Any:
    y, series = np.where(x > 12, x, 12), np.ones_like(x)
    for n in range(16, 0, -1):
        series = 1 - (2 * n + 1) * series / (2 * y * y)
    near = 2 * x * _true_erfcx(np.clip(x, -1000, 12)) - 2 / np.sqrt(PI)
    return np.where(x > 12, -series / y / y / np.sqrt(PI), near)


def _true_log_ndtr_slope(x: Any) -> Any:
    far = np.sqrt(2 / PI) / _true_erfcx(-np.clip(x, -1e4, 150) / np.sqrt(LONG(2)))
    return np.where(x < -1e4, -x + 1 / np.abs(x), np.where(x > 150, 0, far))


def _true_erfinv_slope(x: Any) -> Any:
    special = sys.modules["scipy.special"]
    z = np.abs(special.erfinv(x.astype(float))).astype(LONG)
    inside = np.isfinite(z)
    z = np.where(inside, z, 0)
    for _ in range(2):  # Newton's method
        bell = np.exp(-z * z)
        z = z + (_true_erfcx(z) - (1 - np.abs(np.where(inside, x, 0))) / bell) * np.sqrt(PI) / 2
    return np.where(inside, np.sqrt(PI) / 2 * np.exp(z * z), np.where(np.abs(x) == 1, np.inf, np.nan))


def _true_digamma(x: Any) -> Any:
    left = np.signbit(x)
    y = np.where(left, 1 - x, x)
    value = np.zeros_like(y)
    for n in range(30):
        value -= 1 / (y + n)
    z = 1 / (y + 30) ** 2
    rest = z / 12 - z**2 / 120 + z**3 / 252 - z**4 / 240 + z**5 / 132 - 691 * z**6 / 32760
    value = value + np.log(y + 30) - 1 / (2 * (y + 30)) - rest
    angle = PI * np.where(x == 0, x, x - np.rint(x))
    return np.where(left, value - PI * np.cos(angle) / np.sin(angle), value)


def _true_i0e_slope(x: Any) -> Any:
    size = np.abs(x)
    angles = (np.arange(300) + LONG(0.5)) * PI / 300
    versines = (2 * np.sin(angles / 2) ** 2).astype(x.dtype)
    near = np.minimum(size, 60)
    mean = sum(versine * np.exp(-versine * near) for versine in versines) / 300
    term, series, y = np.ones_like(x), np.full_like(x, 0.5), np.maximum(size, 60)
    for n in range(1, 30):
        term = term * (2 * n - 1) ** 2 / (8 * n * y)
        series = series + (n + LONG(0.5)) * term
    return -np.sign(x) * np.where(size > 60, series / y / np.sqrt(2 * PI * y), mean)


def _true_digamma_slope(x: Any) -> Any:
    left = x < 0.5
    y = np.where(left, 1 - x, x)
    value = np.zeros_like(y)
    for n in range(30):
        value += (1 / (y + n)) ** 2
    z = 1 / (y + 30)
    series = z + z**2 / 2 + z**3 / 6 - z**5 / 30 + z**7 / 42 - z**9 / 30 + 5 * z**11 / 66 - 691 * z**13 / 2730
    return np.where(left, (PI / np.sin(PI * (x - np.rint(x)))) ** 2 - value - series, value + series)


def _true_angles(x: Any, weight: Any) -> Any:
    """The mean of a function of x and the cosine over a quarter turn."""
    cosines = np.cos((np.arange(150) + LONG(0.5)) * PI / 300).astype(x.dtype)
    return sum(weight(x, cosine) for cosine in cosines) / 150


def _true_weights(exp: Any, x: Any, y: Any) -> tuple[Any, Any]:
    gap = np.where(x == y, 0, y - x)
    return tuple(np.where(np.maximum(x, y) == -np.inf, 0, 1 / (1 + exp(each))) for each in (gap, -gap))


def _true_i0_slope(x: Any) -> Any:
    return _true_angles(x, lambda x, cosine: cosine * np.sinh(x * cosine))


def _of_special() -> dict[Any, Any]:
    special = sys.modules.get("scipy.special")
    if special is None:
        return {}
    root = np.sqrt(PI)
    log_of_half = lambda x: np.exp(-np.abs(x))  # noqa: E731
    return {
        special.expit: lambda x: log_of_half(x) / (1 + log_of_half(x)) ** 2,
        special.logit: lambda x: 1 / (x * (1 - x)),
        special.log_expit: lambda x: np.where(x > 0, log_of_half(x), 1) / (1 + log_of_half(x)),
        special.erf: lambda x: 2 / root * np.exp(-x * x),
        special.erfc: lambda x: -2 / root * np.exp(-x * x),
        special.ndtr: lambda x: np.exp(-x * x / 2) / np.sqrt(2 * PI),
        special.entr: lambda x: np.where(x < 0, np.nan, -np.log(np.abs(x)) - 1),
        special.xlogy: lambda x, y: (np.log(y), np.where((x == 0) & (y == 0), 0, x / y)),
        special.xlog1py: lambda x, y: (np.log1p(y), np.where((x == 0) & (y == -1), 0, x / (1 + y))),
        special.erfcx: _true_erfcx_slope,
        special.erfinv: _true_erfinv_slope,
        special.log_ndtr: _true_log_ndtr_slope,
        special.gammaln: _true_digamma,
        special.i0e: _true_i0e_slope,
        special.digamma: _true_digamma_slope,
        special.i0: _true_i0_slope,
        special.i1: lambda x: _true_angles(x, lambda x, cosine: cosine**2 * np.cosh(x * cosine)),
    }


SLOPES: dict[Any, Any] = {
    **_of_special(),
    np.positive: np.ones_like,
    np.negative: lambda x: -np.ones_like(x),
    np.square: lambda x: 2 * x,
    np.sqrt: lambda x: 0.5 / np.sqrt(x),
    np.cbrt: lambda x: 1 / (3 * np.cbrt(x) ** 2),
    np.reciprocal: lambda x: -1 / x / x,
    np.exp: np.exp,
    np.exp2: lambda x: np.exp2(x) * LOG2,
    np.expm1: np.exp,
    np.log: lambda x: 1 / x,
    np.log2: lambda x: 1 / (x * LOG2),
    np.log10: lambda x: 1 / (x * LOG10),
    np.log1p: lambda x: 1 / (1 + x),
    np.sin: np.cos,
    np.cos: lambda x: -np.sin(x),
    np.tan: lambda x: 1 / np.cos(x) ** 2,
    np.arcsin: lambda x: 1 / np.sqrt((1 - x) * (1 + x)),
    np.arccos: lambda x: -1 / np.sqrt((1 - x) * (1 + x)),
    np.arctan: lambda x: 1 / (1 + x * x),
    np.sinh: np.cosh,
    np.cosh: np.sinh,
    np.tanh: lambda x: 4 * np.exp(-2 * np.abs(x)) / (1 + np.exp(-2 * np.abs(x))) ** 2,
    np.arcsinh: lambda x: 1 / np.sqrt(x * x + 1),
    np.arccosh: lambda x: 1 / np.sqrt((x - 1) * (x + 1)),
    np.arctanh: lambda x: 1 / ((1 - x) * (1 + x)),
    **dict.fromkeys((np.absolute, np.fabs), np.sign),
    np.conjugate: np.ones_like,
    **dict.fromkeys((np.deg2rad, np.radians), lambda x: np.full_like(x, PI / 180)),
    **dict.fromkeys((np.rad2deg, np.degrees), lambda x: np.full_like(x, 180 / PI)),
    **dict.fromkeys((np.sign, np.floor, np.ceil, np.trunc, np.rint), np.zeros_like),
    functions.relu: lambda x: np.where(x > 0, LONG(1), LONG(0)),
    functions.sigmoid: lambda x: np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x))) ** 2,
    functions.erf: lambda x: 2 / np.sqrt(PI) * np.exp(-x * x),
    functions._ndtr: lambda x: np.exp(-x * x / 2) / np.sqrt(2 * PI),
    np.hypot: lambda x, y: tuple(np.where((x == 0) & (y == 0), 0, a / np.hypot(x, y)) for a in (x, y)),
    np.arctan2: lambda x, y: (y / (x * x + y * y), -x / (x * x + y * y)),
    np.logaddexp: lambda x, y: _true_weights(np.exp, x, y),
    np.logaddexp2: lambda x, y: _true_weights(np.exp2, x, y),
}
"""The derivatives of rows. For other rows, the rule itself is evaluated in a wider dtype."""


def _largest_part_of_digamma(x: Any) -> Any:
    """The largest of the slope and the two numbers of which it is the difference, divided by the slope."""
    left = (x < 0) & np.isfinite(x)
    logarithm, slope = (_true_digamma(np.where(left, y, 1)) for y in (1 - x, x))
    return np.where(left, np.maximum(np.maximum(np.abs(logarithm / slope), np.abs(logarithm / slope - 1)), 1), 1)


def _of_float64(out: np.ndarray, ulps: Any) -> Any:
    return ulps if out.dtype == np.float64 else 4  # rules of narrower dtypes compute in a wider one


def _too_small(out: np.ndarray) -> Any:
    return np.where((np.abs(out) < np.finfo(out.dtype).tiny) & (out.dtype != np.float16), np.inf, 4)


def _of_quotient(out: np.ndarray, x: np.ndarray, y: np.ndarray) -> Any:
    tiny = np.finfo(out.dtype).tiny
    few_digits = (np.abs(x) < tiny) & (np.abs(y) < 1) & (out.dtype != np.float16)
    return np.where(few_digits, np.fmax(4, tiny / np.spacing(np.abs(out / y))), 4)


def _allowed_of_special() -> dict[Any, tuple[str, Any]]:
    special = sys.modules.get("scipy.special")
    if special is None:
        return {}
    return {
        special.gammaln: (
            "below 0, it is digamma(1 − x) − π · cot(πx), which passes through 0 between any two poles; there, both "
            "would need twice the digits of float64, which SciPy's digamma does not have. The unit is that of the "
            "largest number",
            lambda out, x: _of_float64(out, 4 * _largest_part_of_digamma(x.astype(LONG))),
        ),
    }


ALLOWED: dict[Any, tuple[str, Any]] = {
    **_allowed_of_special(),
    np.arctan: (
        "1 + x² overflows where the slope is subnormal",
        lambda out, x: np.where((out.dtype != np.float16) & np.isinf(x * x), np.inf, 4),
    ),
    np.tanh: (
        "1 − z² is the formula that everyone derives and reads, and an exponential would take twice as long; the error "
        "is an ulp of 1, not of the slope",
        lambda out, x: 4 if out.dtype == np.float16 else 4 + 16 / (1 - np.abs(out)),
    ),
    functions.sigmoid: (
        "z · (1 − z) is the formula that everyone derives and reads; the error is an ulp of 1, not of the slope",
        lambda out, x: 4 if out.dtype == np.float16 else 4 + 16 / (1 - out),
    ),
    np.divide: (
        "z / y: where x is subnormal, so is z, which then has few digits; the error is less than the smallest normal "
        "number",
        _of_quotient,
    ),
    np.power: ("z · log(x): a power that is subnormal has few digits", lambda out, x, y: _too_small(out)),
}
"""Rows that do not always meet 4 ulp: why, and how many ulp are allowed where."""

SECOND = {np.power: np.array([0, 2, 0.5, -1, 7]), np.ldexp: np.array([0, 1, -3, 20, -20, 200, -200, 2000, -2000])}
"""Second arguments: exponents y for which y − 1 is exact, since its rounding is an error of the exponent; integers."""


def whole_range(dtype: Any, count: int) -> np.ndarray:
    """All values of float16, or `count` numbers of each sign: from 0 to infinity in equal steps of their bits."""
    if dtype == np.float16:
        return np.arange(2**16).astype(np.uint16).view(np.float16)
    bits = np.uint32 if dtype == np.float32 else np.uint64
    top = int(np.array(np.inf, dtype).view(bits))
    info = np.finfo(dtype)
    near_1 = np.geomspace(float(info.eps), 0.9, count // 8)
    x = np.concatenate(
        [
            np.array([top * i // count for i in range(count + 1)], bits).view(dtype),
            np.array([info.smallest_subnormal, info.tiny, info.eps, info.max], dtype),
            np.linspace(0, 3, count).astype(dtype),  # where slopes are ordinary numbers
            np.linspace(0, 50, count).astype(dtype),
            (1 + near_1).astype(dtype),
            (1 - near_1).astype(dtype),
        ]
    )
    return np.concatenate([x, -x])


def found_slopes(function: Any, *arrays: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    leaves = [Tensor(x, requires_grad=True) for x in arrays if x.dtype.kind == "f"]
    out = function(*leaves, *(x for x in arrays if x.dtype.kind != "f"))
    return out.data, [piece.data for piece in grad(out, leaves, np.ones(out.shape, out.dtype))]


def true_slopes(function: Any, *arrays: np.ndarray) -> list[np.ndarray]:
    wide = [x.astype(WIDER.get(x.dtype.type, x.dtype)) for x in arrays]
    if function in SLOPES:
        slopes = SLOPES[function](*wide)
        return list(slopes) if isinstance(slopes, tuple) else [slopes]
    row = PRIMITIVES[function]
    out = row.evaluate(*wide)
    return [np.broadcast_to(vjp(np.ones_like(out), out, *wide), out.shape) for vjp in row.vjps if vjp]


def ulps(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    """The errors in units of the last place; none where both are NaN, or infinite up to their rounding."""
    info = np.finfo(found.dtype)
    true = true.astype(LONG)
    _, exponent = np.frexp(np.clip(np.abs(true), LONG(info.tiny), LONG(info.max)))
    unit = np.maximum(np.ldexp(LONG(info.eps), exponent - 1), LONG(info.smallest_subnormal))
    overflow = np.copysign(LONG(info.max) + LONG(info.eps) * LONG(info.max) / 2, true)
    bounded = np.where(np.abs(true) > LONG(info.max), overflow, true)
    error = np.abs(np.where(np.isinf(found), np.copysign(overflow, found), found) - bounded) / unit
    return np.where(np.isnan(found) & np.isnan(true), 0, np.where(np.isnan(error), np.inf, error))


@every_dtype
@pytest.mark.parametrize("function", ELEMENTWISE, ids=name_of)
def test_slopes_are_right_over_the_whole_range(function: Any, dtype: Any) -> None:
    arrays = [whole_range(dtype, 2000)]
    if PRIMITIVES[function].arity == 2:
        x = whole_range(dtype, 300)
        y = SECOND.get(function, np.array([0.5, -300, 0.03, 0, np.inf]))
        y = y.astype(dtype) if y.dtype.kind == "f" else y
        if dtype != np.float16 and function not in SECOND:
            y = np.concatenate([y, whole_range(dtype, 16)])
        arrays = [a.ravel() for a in np.broadcast_arrays(x[:, None], y)]
    with np.errstate(all="ignore"):
        out, found = found_slopes(function, *arrays)
        allowed = ALLOWED[function][1](out, *arrays) if function in ALLOWED else 4
        for slope, true in zip(found, true_slopes(function, *arrays), strict=True):
            error = ulps(slope, true)
            wrong = ~((error <= allowed) | np.isnan(out))
            if wrong.any():
                i = int(np.argmax(wrong))
                at = ", ".join(str(x[i]) for x in arrays)
                pytest.fail(f"{wrong.sum()} slopes are wrong; at {at}: {slope[i]}, {error[i]:.1f} ulp from {true[i]}")


def test_what_is_known_is_of_rows_that_there_are() -> None:
    assert {*SLOPES, *ALLOWED, *SECOND} <= set(ELEMENTWISE)


# --- functions made of several rows -----------------------------------------------------------------------------------

every_narrow_dtype = pytest.mark.parametrize("dtype", WIDER)


@every_dtype
def test_the_slope_of_softplus_is_the_sigmoid_everywhere(dtype: Any) -> None:
    x = whole_range(dtype, 2000)
    with np.errstate(all="ignore"):
        _, (found,) = found_slopes(functions.softplus, x)
        decay = np.exp(-np.abs(x.astype(LONG)))
        error = ulps(found, np.where(x > 0, LONG(1), decay) / (1 + decay))
    assert np.max(error) <= 4


@every_narrow_dtype
def test_a_score_at_infinity_has_all_of_the_weight_and_others_none(dtype: Any) -> None:
    x, y = np.array([np.inf, 0, np.inf, -np.inf, -np.inf], dtype), np.array([0, np.inf, -np.inf, 3, -np.inf], dtype)
    _, (to_x, to_y) = found_slopes(np.logaddexp, x, y)
    assert to_x.tolist() == [1, 0, 1, 0, 0]
    assert to_y.tolist() == [0, 1, 0, 1, 0]


SHAPES = {
    "gelu": functions.gelu,
    "gelu by tanh": lambda x: functions.gelu(x, approximate=True),
    "silu": functions.silu,
    "elu": functions.elu,
    "leaky_relu": functions.leaky_relu,
}


@every_narrow_dtype
@pytest.mark.parametrize("function", SHAPES.values(), ids=SHAPES)
def test_activations_have_an_ordinary_slope_at_every_finite_number(function: Any, dtype: Any) -> None:
    x = whole_range(dtype, 2000)
    x = x[np.isfinite(x)]
    with np.errstate(over="ignore", under="ignore"):
        _, (found,) = found_slopes(function, x)
    assert np.all(np.abs(found) < 1.2)
    np.testing.assert_array_equal(found[x > 100], 1)
    np.testing.assert_allclose(found[x < -100], 0.01 if function is functions.leaky_relu else 0, rtol=1e-2, atol=1e-40)


@every_dtype
def test_gelu_and_its_slope_are_right_far_to_the_left(dtype: Any) -> None:
    x = np.linspace(-4 if dtype == np.float16 else -12, -1, 500).astype(dtype)
    out, (found,) = found_slopes(functions.gelu, x)
    wide = x.astype(LONG)
    bell = np.exp(-wide * wide / 2)
    below = bell * _true_erfcx(-wide / np.sqrt(LONG(2))) / 2
    exponent = wide * wide  # of the bell: two roundings of x / √2 change it by as many ulp
    assert np.max(ulps(out, wide * below) - 2 * exponent) <= 4
    assert np.max(ulps(found, below + wide * bell / np.sqrt(2 * PI))) <= 16


def _norm_slopes(x: Any, ord: float) -> Any:
    """The slopes of a norm, of a vector scaled to 1."""
    x = x / np.max(np.abs(x))
    length = np.sum(np.abs(x) ** ord) ** (1 / LONG(ord))
    return np.sign(x) * (np.abs(x) / length) ** (ord - 1)


@every_narrow_dtype
@pytest.mark.parametrize("ord", [2, 3, 1.5, -1, -2])
def test_slopes_of_a_norm_do_not_depend_on_its_scale(dtype: Any, ord: float) -> None:
    info = np.finfo(dtype)
    for scale in np.geomspace(float(info.tiny), float(info.max) / 8, 40):
        x = np.array([1.25, -2.5, 5], dtype) * dtype(scale)
        with np.errstate(all="ignore"):  # the norm itself, which is NumPy's, may be 0 or infinite
            _, (found,) = found_slopes(lambda x: np.linalg.norm(x, ord, axis=0, keepdims=True), x)
        np.testing.assert_allclose(found, _norm_slopes(x.astype(LONG), ord).astype(float), rtol=16 * float(info.eps))


@every_narrow_dtype
def test_slopes_of_std_do_not_depend_on_its_scale(dtype: Any) -> None:
    info = np.finfo(dtype)
    for scale in np.geomspace(float(info.tiny), float(info.max) / 16, 40):
        x = np.array([1.25, -2.5, 5, 0.25], dtype) * dtype(scale)
        deviation = x.astype(LONG) - np.mean(x.astype(LONG))
        with np.errstate(all="ignore"):
            _, (found,) = found_slopes(lambda x: np.std(x, keepdims=True), x)
        np.testing.assert_allclose(found, _norm_slopes(deviation, 2).astype(float) / 2, rtol=16 * float(info.eps))


@every_narrow_dtype
@pytest.mark.parametrize("function", [np.std, np.linalg.norm], ids=["std", "norm"])
def test_a_large_multiple_of_a_small_std_or_norm_has_a_slope(function: Any, dtype: Any) -> None:
    x = np.array([0.001, 0.002, 0.004], dtype)
    wide = x.astype(np.float64)
    centred = wide - wide.mean() if function is np.std else wide
    _, (found,) = found_slopes(lambda x: dtype(200) * function(x, keepdims=True), x)
    count = 3 if function is np.std else 1
    np.testing.assert_allclose(found, 200 * centred / np.sqrt(count * np.sum(centred**2)), rtol=1e-2)


# --- functions that are no ufuncs -------------------------------------------------------------------------------------


@every_dtype
def test_slopes_of_sinc_are_right_but_for_float64_where_the_cosine_meets_it(dtype: Any) -> None:
    x = whole_range(dtype, 2000)
    x = x[np.isfinite(x)]
    with np.errstate(all="ignore"):
        _, (found,) = found_slopes(np.sinc, x)
        wide = x.astype(LONG)
        rest, sign = wide - np.rint(wide), np.where(np.fmod(np.rint(wide), 2) == 0, 1, -1)
        cosine = sign * np.sin(PI * (0.5 - np.abs(rest)))
        sine = sign * np.sin(PI * rest) / (PI * wide)
        near, square = np.ones_like(wide), (PI * wide) ** 2
        for n in range(9, 0, -1):
            near = 1 - square / (2 * n * (2 * n + 3)) * near
        true = np.where(np.abs(wide) < 0.1, -(PI**2) / 3 * wide * near, (cosine - sine) / wide)
        largest = np.where(
            np.abs(wide) < 0.5, 1, np.maximum(np.maximum(np.abs(cosine), np.abs(sine)) / np.abs(cosine - sine), 1)
        )
    assert np.max(ulps(found, true) / (largest if dtype == np.float64 else 1)) <= 4


def test_slopes_of_i0_are_right_until_it_overflows() -> None:
    for dtype in WIDER:
        x = whole_range(dtype, 2000)
        x = x[np.abs(x) < np.log(float(np.finfo(dtype).max))]
        _, (found,) = found_slopes(np.i0, x)
        assert np.max(ulps(found, _true_i0_slope(x.astype(WIDER[dtype])))) <= 4


@pytest.mark.parametrize("function", [np.logaddexp, np.logaddexp2])
@pytest.mark.parametrize("other", [np.inf, -np.inf, np.nan, 1.0])
def test_a_sum_of_powers_with_nan_has_no_slope(function: Any, other: float) -> None:
    for x, y in ((np.nan, other), (other, np.nan)):
        with np.errstate(invalid="ignore"):  # NumPy warns, too
            assert np.isnan(found_slopes(function, np.array([x]), np.array([y]))[1]).all()
