"""Writes `vocabulary.md`, the page next to this file, from the rule table itself: `python docs/vocabulary.py`.

The script is next to the page and not in the package, since the package does not need it. As much as possible is taken
from the engine: how each function is called, what a composition records, which gradients are 0, and what an error says.
The rest is written below: the mathematics of each rule in `ROWS`, and remarks in `REMARKS`. If a primitive has no row,
the script stops and names it. Tests compare the mathematics with the rules, and the page with what this script writes.
"""

from __future__ import annotations

import inspect
import operator
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Never

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import special

import autograd_spiral
from autograd_spiral import CapturedStep, CheckReport, Tensor, errors, grad
from autograd_spiral.engine.array_methods import ArrayMethods
from autograd_spiral.engine.messages import name_of
from autograd_spiral.engine.modes import Observer, entering
from autograd_spiral.engine.table import COMPOSITIONS, PRIMITIVES, VALUE_FUNCTIONS
from autograd_spiral.errors import AutogradError
from autograd_spiral.gradcheck.examples import EXAMPLES, elementwise
from autograd_spiral.gradcheck.rule_check import checkable
from autograd_spiral.vocabulary import functions, left_out
from autograd_spiral.vocabulary.left_out import LEFT_OUT
from autograd_spiral.vocabulary.rules.indexing import scatter
from autograd_spiral.vocabulary.rules.linalg import cofactors, kink, packed_eigh, packed_qr, packed_slogdet, packed_svd
from autograd_spiral.vocabulary.rules.order import argselect, reorder, restore_order
from autograd_spiral.vocabulary.rules.reductions import linear_recurrence
from autograd_spiral.vocabulary.rules.shapes import add_windows

PAGE = Path(__file__).with_name("vocabulary.md")


@dataclass(frozen=True)
class Row:
    """The mathematics of one rule: the cotangent of each argument (None if it has none), and the edges.

    With `formula`, the cotangents are formulas, which a test evaluates; otherwise they are described in words.
    """

    cotangents: tuple[str | None, ...]
    edges: str = ""
    formula: bool = True


def words(*cotangents: str | None, edges: str = "") -> Row:
    """Return a row whose cotangents are described in words."""
    return Row(cotangents, edges, formula=False)


def row(*cotangents: str | None, edges: str = "") -> Row:
    """Return a row whose cotangents are formulas."""
    return Row(cotangents, edges)


TIE = "a tie: half each"
STEPS = "0 at the jumps, too"
JUMPS = "the same formulas hold at the jumps"
POWER = "x̄: 0 where y is 0, else infinite where x is 0 and y < 1; ȳ: 0 where x is 0, NaN where x < 0"
EXTREMUM = words(
    "z̄, shared equally among the entries that are equal to z, and 0 elsewhere", edges="a tie: equal shares"
)

TRIANGLE = "only the entries of the triangle that NumPy reads get a gradient"
TIED = "NaN, unless the loss treats these values in the same way, like their sum; second derivative NaN"
PACKED = "internal: returns all results in one array"
SCAN = "computed step by step, from the last index to the first, with the rule of `z[k] = {0}(z[k − 1], x[k])`"

ROWS: dict[str, dict[Any, Row]] = {
    "Arithmetic": {
        np.positive: row("z̄"),
        np.negative: row("−z̄"),
        np.add: row("z̄", "z̄"),
        np.subtract: row("z̄", "−z̄"),
        np.multiply: row("z̄ · y", "z̄ · x"),
        np.divide: row("z̄ / y", "−z̄ · z / y", edges="infinite where y is 0"),
        np.power: row("z̄ · y · x^(y − 1)", "z̄ · z · log(x)", edges=POWER),
        np.maximum: row("z̄ · [x > y]", "z̄ · [y > x]", edges=TIE),
        np.minimum: row("z̄ · [x < y]", "z̄ · [y < x]", edges=TIE),
        np.fmax: row("z̄ · [x > y]", "z̄ · [y > x]", edges=f"{TIE}; a NaN gets 0"),
        np.fmin: row("z̄ · [x < y]", "z̄ · [y < x]", edges=f"{TIE}; a NaN gets 0"),
        np.hypot: row("z̄ · x / z", "z̄ · y / z", edges="0 where z is 0, and no second derivative there"),
        np.arctan2: row("z̄ · y / (x² + y²)", "−z̄ · x / (x² + y²)", edges="NaN where both are 0"),
        np.logaddexp: row("z̄ · exp(x − z)", "z̄ · exp(y − z)", edges="0 where z is −∞"),
        np.logaddexp2: row("z̄ · exp2(x − z)", "z̄ · exp2(y − z)", edges="0 where z is −∞"),
        np.remainder: row("z̄", "−z̄ · floor(x / y)", edges=JUMPS),
        np.fmod: row("z̄", "−z̄ · trunc(x / y)", edges=JUMPS),
        np.floor_divide: row("0", "0", edges="also 0 at the jumps"),
        np.copysign: row("z̄ · sign(x) · sign(y)", "0", edges="0 at 0"),
        np.heaviside: row("0", "z̄ · [x == 0]", edges="x̄: 0 at the jump, too"),
        np.ldexp: words("z̄ · 2^y", None),
    },
    "Functions of one argument": {
        np.square: row("2 · z̄ · x"),
        np.sqrt: row("z̄ / (2 · z)", edges="infinite at 0"),
        np.cbrt: row("z̄ / (3 · z²)", edges="infinite at 0"),
        np.reciprocal: row("−z̄ · z²", edges="infinite at 0"),
        np.exp: row("z̄ · z"),
        np.exp2: row("z̄ · z · log(2)"),
        np.expm1: row("z̄ · exp(x)"),
        np.log: row("z̄ / x", edges="infinite at 0"),
        np.log2: row("z̄ / (x · log(2))", edges="infinite at 0"),
        np.log10: row("z̄ / (x · log(10))", edges="infinite at 0"),
        np.log1p: row("z̄ / (1 + x)", edges="infinite at −1"),
        np.sin: row("z̄ · cos(x)"),
        np.cos: row("−z̄ · sin(x)"),
        np.tan: row("z̄ · (1 + z²)"),
        np.arcsin: row("z̄ / √(1 − x²)", edges="infinite at ±1"),
        np.arccos: row("−z̄ / √(1 − x²)", edges="infinite at ±1"),
        np.arctan: row("z̄ / (1 + x²)"),
        np.sinh: row("z̄ · cosh(x)"),
        np.cosh: row("z̄ · sinh(x)"),
        np.tanh: row("z̄ · (1 − z²)"),
        np.arcsinh: row("z̄ / √(x² + 1)"),
        np.arccosh: row("z̄ / √(x² − 1)", edges="infinite at 1"),
        np.arctanh: row("z̄ / (1 − x²)", edges="infinite at ±1"),
        np.absolute: row("z̄ · sign(x)", edges="0 at 0"),
        np.fabs: row("z̄ · sign(x)", edges="0 at 0"),
        np.sinc: row("z̄ · (cos(π · x) − z) / x"),
        np.i0: words("z̄ · I₁(x)"),
        np.conjugate: row("z̄"),
        **dict.fromkeys((np.deg2rad, np.radians), row("z̄ · π / 180")),
        **dict.fromkeys((np.rad2deg, np.degrees), row("z̄ · 180 / π")),
        **{step: row("0", edges=STEPS) for step in (np.sign, np.floor, np.ceil, np.trunc, np.rint, np.round)},
    },
    "Elementwise functions of scipy.special": {
        special.expit: row("z̄ · z · (1 − z)"),
        special.logit: row("z̄ / (x · (1 − x))", edges="infinite at 0 and 1"),
        special.log_expit: row("z̄ · expit(−x)"),
        special.erf: row("z̄ · 2 / √(π) · exp(−x²)"),
        special.erfc: row("−z̄ · 2 / √(π) · exp(−x²)"),
        special.erfcx: row("z̄ · (2 · x · z − 2 / √(π))"),
        special.erfinv: row("z̄ · √(π) / 2 · exp(z²)", edges="infinite at ±1"),
        special.gammaln: row("z̄ · digamma(x)"),
        special.digamma: row("z̄ · polygamma(1, x)"),
        special.xlogy: row("z̄ · log(y)", "z̄ · x / y", edges="ȳ: 0 where x is 0; x̄: infinite where y is 0"),
        special.xlog1py: row("z̄ · log1p(y)", "z̄ · x / (1 + y)", edges="ȳ: 0 where x is 0; x̄: infinite where y is −1"),
        special.entr: row("−z̄ · (log(x) + 1)", edges="infinite at 0"),
        special.i0: row("z̄ · i1(x)"),
        special.i0e: row("z̄ · (i1e(x) − sign(x) · z)", edges="0 at 0"),
        special.i1: row("z̄ · (i0(x) − z / x)"),
        special.ndtr: row("z̄ · exp(−x² / 2) / √(2 · π)"),
        special.log_ndtr: row("z̄ · exp(−x² / 2) / √(2 · π) / ndtr(x)"),
    },
    "Choosing and converting": {
        np.where: words(None, "z̄ where the condition holds, else 0", "z̄ where it does not, else 0"),
        np.choose: words("z̄ where the index selects x, else 0"),
        np.ndarray.astype: words("z̄, in the dtype of x"),
    },
    "Products": {
        np.matmul: row("z̄ @ yᵀ", "xᵀ @ z̄"),
        np.einsum: words('the einsum of z̄ with the other operands: for "ij,jk->ik" it is einsum("ik,jk->ij", z̄, y)'),
        np.convolve: words(
            'correlate(z̄, y), for mode="full"',
            "correlate(z̄, x)",
            edges="for the other modes, z̄ is first padded to full length",
        ),
    },
    "Reductions and scans": {
        np.sum: words("z̄, broadcast to the shape of x"),
        np.mean: words("z̄ / n, broadcast to the shape of x, for a mean of n entries"),
        np.prod: words("z̄ · the product of the other entries", edges="exact at any order, even if entries are 0"),
        np.linalg.vector_norm: words(
            "z̄ · sign(x) · (abs(x) / z)^(ord − 1)",
            edges="0 where z is 0, and no second derivative there; 0 where x is 0 if ord is below 1",
        ),
        np.max: EXTREMUM,
        np.min: EXTREMUM,
        np.nanmax: EXTREMUM,
        np.nanmin: EXTREMUM,
        np.cumsum: words("the sum of z̄ from each index to the end of the axis"),
        np.cumprod: words(SCAN.format("np.multiply"), edges="exact at any order, even if entries are 0"),
        np.maximum.accumulate: words(SCAN.format("np.maximum"), edges=TIE),
        np.minimum.accumulate: words(SCAN.format("np.minimum"), edges=TIE),
        np.logaddexp.accumulate: words(SCAN.format("np.logaddexp")),
        np.hypot.accumulate: words(SCAN.format("np.hypot"), edges="0 where z is 0"),
        linear_recurrence: words(
            "z̄[k] + y[k − 1] · x̄[k − 1] at each index k",
            "x̄[k] · z[k + 1]",
            edges="internal: computes z[k] = x[k] + y[k] · z[k + 1]; the rules of accumulate use it",
        ),
    },
    "Order": {
        reorder: words("z̄ in the original order", None, edges="internal: how np.sort and np.partition are recorded"),
        restore_order: words(
            "z̄, sorted in the same way again", None, edges="internal: how the gradient of np.sort is recorded"
        ),
    },
    "Shapes": {
        np.reshape: words("z̄, in the shape of x"),
        np.transpose: words("z̄, with its axes in their original order"),
        np.broadcast_to: words("z̄, summed over the axes that were broadcast"),
        np.concatenate: words("the part of z̄ that came from x"),
        np.pad: words("z̄ without the padding"),
        sliding_window_view: words("zeros in the shape of x, with each window of z̄ added where it was taken"),
        add_windows: words("z̄ in windows", edges="internal: how the gradient of `sliding_window_view` is recorded"),
    },
    "Linear algebra": {
        np.linalg.inv: words("−zᵀ @ z̄ @ zᵀ"),
        np.linalg.solve: words("−ȳ @ zᵀ", "inv(x)ᵀ @ z̄"),
        np.linalg.det: words(
            "z̄ · det(x) · inv(x)ᵀ, computed from the singular values", edges="right for singular matrices, too"
        ),
        cofactors: words(
            "the gradient of the sum of z̄ · det(x) · inv(x)ᵀ, with z̄ held constant",
            edges="internal: the gradient of the determinant",
        ),
        kink: words(
            "NaN where y is true, else 0",
            None,
            edges="internal: returns 0; it is added to a gradient so that the second derivative is NaN where y is true",
        ),
        np.linalg.pinv: words(
            "−zᵀ @ z̄ @ zᵀ + (z̄ᵀ − x @ z @ z̄ᵀ) @ z @ zᵀ, if there are at least as many rows as columns",
            edges="NaN if x does not have full rank (singular values that NumPy treats as 0 do not count towards it)",
        ),
        np.linalg.cholesky: words(
            "inv(z)ᵀ @ Φ(zᵀ @ z̄) @ inv(z), where Φ takes the lower triangle and halves its diagonal",
            edges=TRIANGLE,
        ),
        packed_slogdet: words(
            "z̄ · inv(x)ᵀ, for the logarithm; the sign has no gradient", edges=f"NaN for singular matrices; {PACKED}"
        ),
        packed_eigh: words(
            "V @ (diag(w̄) + (Vᵀ @ V̄) / (wⱼ − wᵢ)) @ Vᵀ for eigenvalues w and eigenvectors V",
            edges=f"repeated eigenvalues: {TIED}; {TRIANGLE}; {PACKED}",
        ),
        packed_svd: words(
            "U @ diag(s̄) @ Vᵀ for the singular values s; for the singular vectors, see Townsend, "
            "Differentiating the Singular Value Decomposition (2016)",
            edges=f"singular values that are repeated or 0: {TIED}; {PACKED}",
        ),
        packed_qr: words(
            "(Q̄ + Q @ sym(R @ R̄ᵀ − Q̄ᵀ @ Q)) @ inv(R)ᵀ, where sym copies the lower triangle to the upper one",
            edges=f"NaN if a column depends linearly on the columns before it; {PACKED}",
        ),
    },
    "Indexing": {
        operator.getitem: words(
            "zeros in the shape of x, with z̄ added at the index",
            edges="an entry that is picked twice gets both contributions",
        ),
        scatter: words("z̄ at the index", edges="internal: how the gradient of `x[index]` is recorded"),
    },
    "Functions that NumPy lacks": {
        functions.relu: row("z̄ · [x > 0]", edges="0 at 0"),
        functions.sigmoid: row("z̄ · z · (1 − z)"),
        functions.softplus: row("z̄ · sigmoid(x)"),
        functions.erf: row("z̄ · 2 / √(π) · exp(−x²)"),
        functions._ndtr: row(
            "z̄ · exp(−x² / 2) / √(2 · π)",
            edges="internal: the distribution function of the normal distribution, used by gelu",
        ),
        functions.softmax: row("z · (z̄ − Σ(z̄ · z))"),
        functions.log_softmax: row("z̄ − softmax(x) · Σ(z̄)"),
        functions.logsumexp: words("z̄ · softmax(x)", edges="0 along a row of −∞"),
        functions._label_cross_entropy: words(
            "z̄ · (softmax(x) − onehot(y)) / N, where onehot(y) is 1 at the correct class of each row and 0 elsewhere, "
            "and N is the number of rows if the mean is taken, else 1",
            None,
        ),
    },
}
"""Groups in the order of the page: the functions of each, with the mathematics of their rules."""

CALLED: dict[Any, str] = {
    operator.getitem: "x[index]",
    np.ndarray.astype: "x.astype(dtype)",
    np.einsum: "np.einsum(subscripts, *operands, optimize=False)",
    np.concatenate: "np.concatenate(arrays, axis=0)",
    special.digamma: "special.digamma(x)",
    np.choose: "np.choose(index, choices, mode='raise')",
    np.result_type: "np.result_type(*arrays)",
    np.common_type: "np.common_type(*arrays)",
    np.min_scalar_type: "np.min_scalar_type(x)",
    np.can_cast: "np.can_cast(x, to)",
    np.iscomplexobj: "np.iscomplexobj(x)",
    np.isrealobj: "np.isrealobj(x)",
    scatter: "scatter(x, *arrays, index, shape)",
    add_windows: "add_windows(x, window_shape, axis, shape)",
    np.linalg.pinv: "np.linalg.pinv(a, rcond=None, hermitian=False, *, rtol)",
    np.linalg.cholesky: "np.linalg.cholesky(a, *, upper=False)",
    packed_eigh: "packed_eigh(x, UPLO)",
    packed_qr: "packed_qr(x)",
    packed_slogdet: "packed_slogdet(x)",
    packed_svd: "packed_svd(x, full_matrices)",
    reorder: "reorder(x, y, axis)",
    restore_order: "restore_order(x, y, axis)",
    argselect: "argselect(x, ranks)",
    linear_recurrence: "linear_recurrence(x, y, axis)",
    functions._ndtr: "ndtr(x)",
    autograd_spiral.no_grad: "no_grad()",
    autograd_spiral.blame: "blame()",
    functions._label_cross_entropy: "softmax_cross_entropy(x, y, *, reduction='mean')",
    functions.softmax_cross_entropy: "softmax_cross_entropy(x, y, *, reduction='mean')",
}
"""How to call functions that have no signature, or whose signature does not say exactly this."""

NAMED = "returns NumPy's named tuple; for the gradient, see packed_{0}"

REMARKS: dict[Any, str] = {
    np.clip: "at a bound: half the gradient",
    np.std: "gradient 0 if all entries are equal, and no second derivative there",
    np.linalg.vector_norm: "composed for the orders 1, inf and -inf",
    np.linalg.norm: "vectors: any order except 0, with edges as for vector_norm; matrices: the same orders as in NumPy",
    np.linalg.cond: "gradient NaN for singular matrices, and where the norms have no derivative",
    np.linalg.solve: "a vector b is treated as a matrix with one column",
    np.linalg.lstsq: "unlike NumPy, also returns the residuals if the matrix does not have full rank",
    np.linalg.pinv: "with `hermitian=True`, only the triangle that NumPy reads gets a gradient",
    np.linalg.slogdet: NAMED.format("slogdet"),
    np.linalg.eigh: NAMED.format("eigh"),
    np.linalg.svd: f"{NAMED.format('svd')}; raises an error if full_matrices adds vectors",
    np.linalg.qr: f"{NAMED.format('qr')}; raises an error if the mode adds columns to Q",
    np.full_like: "the result is a constant",
    np.zeros_like: "the result is a constant",
    np.ones_like: "the result is a constant",
    np.einsum: "composed if an operand repeats a letter, if `->` is left out, or if axes are numbers, not letters",
    np.linalg.matrix_power: "a negative power is a power of the inverse; for the power 0, the result is a constant",
    np.cross: "only for vectors of length 3",
    np.pad: "composed for the modes edge, reflect, symmetric and wrap",
    np.insert: "the values are converted to the dtype of the array",
    **dict.fromkeys((np.shape, np.ndim, np.size, *elementwise.DTYPES), "no gradient"),
    **dict.fromkeys((np.imag, np.iscomplex, np.isreal), "the result is a constant"),
    np.interp: "at a point of xp: the slope to the right of it; at the last point: the slope to the left",
    np.nan_to_num: "gradient 0 where an entry is replaced",
    np.piecewise: "in a captured step, the conditions must be plain arrays",
    np.compress: "in a captured step, the condition must be a plain array",
    np.extract: "in a captured step, the condition must be a plain array",
    np.matmul: "a vector is treated as a matrix with one row or one column",
    **dict.fromkeys(
        (np.sum, np.mean, np.prod, np.max, np.min, np.all, np.any),
        "composed if keywords other than axis and keepdims are given",
    ),
    **dict.fromkeys((np.cumsum, np.cumprod), "composed if dtype= is given"),
    np.nanstd: "as for std",
    **dict.fromkeys((np.median, np.partition, np.quantile, np.percentile), "a tie: the gradient goes to one entry"),
    np.sort: "a tie: each entry gets the gradient of its place in the result",
    np.count_nonzero: "no gradient",
    **dict.fromkeys((np.add.reduce, np.multiply.reduce), "the settings are dtype, initial and where"),
    **dict.fromkeys((np.maximum.reduce, np.minimum.reduce), "the settings are initial and where; ties as for max"),
    **dict.fromkeys((np.logical_and.reduce, np.logical_or.reduce), "the only setting is where; no gradient"),
    **dict.fromkeys((np.logical_and.reduceat, np.logical_or.reduceat), "no gradient"),
    **dict.fromkeys((np.add.accumulate, np.multiply.accumulate), "the only setting is dtype"),
    np.bincount: "the gradient is with respect to the weights",
    functions.leaky_relu: "the derivative at 0 is the slope",
    functions.elu: "the derivative at 0 is alpha",
    functions.softmax_cross_entropy: "composed if y holds class probabilities instead of integers",
}
"""Remarks on compositions: what the list of recorded functions does not show."""

AROUND: dict[Any, str] = {np.squeeze: "x[index]", functions.softmax_cross_entropy: "softmax"}
"""Operations that the example calls of a function record, but the function itself does not."""

NOT_SUPPORTED: tuple[tuple[str, str], ...] = (
    ("eigenvalues that may be complex", "np.linalg.eigvals(x * M)"),
    ("complex numbers", "Tensor([1 + 2j])"),
    ("`out=`", "np.add(x, 1.0, out=buffer)"),
    ("`where=` of elementwise functions", "np.add(x, x, where=mask)"),
    ("other methods of NumPy's ufuncs", "np.subtract.accumulate(x)"),
    ("writing into arrays", "np.copyto(x, 0.0)"),
    ("assigning to elements", "x[0] = 1.0"),
    ("updating in place", "x += 1.0"),
    ("plain arrays of tensors", "np.asarray(x)"),
    ("gradients of integers", "Tensor([1, 2], requires_grad=True)"),
)
"""Things that are not supported on purpose, each with a line of code that raises an error."""


# --- what the engine knows ------------------------------------------------------------------------------------------


def missing() -> list[str]:
    """Return the functions that have a rule but no mathematics above, and those with mathematics but no rule."""
    known = set(checkable().values())
    described = {function for group in ROWS.values() for function in group}
    table = {function for function in PRIMITIVES if function in known and has_gradient(function)}
    return sorted(map(name_of, table ^ described))


def has_gradient(function: Any) -> bool:
    """Return whether the rule table has a rule for any argument of `function`."""
    primitive = PRIMITIVES[function]
    return primitive.rest is not None or any(primitive.vjps)


def called(function: Any) -> str:
    """Return how `function` is called on a Tensor, with the arguments that it takes there."""
    if function in CALLED:
        return CALLED[function]
    composition, primitive = COMPOSITIONS.get(function), PRIMITIVES.get(function)
    takes: Callable[..., Any] | None = composition or (primitive.bind if primitive is not None else function)
    if takes is None:
        assert primitive is not None
        return f"{name_of(function)}({', '.join('xyz'[: primitive.arity])})"
    signature = inspect.signature(takes)
    empty = inspect.Parameter.empty
    given = [each for each in _taken(signature) if each.name != "out"]  # of NumPy's own code
    plain = [each.replace(default=None if each.default is np._NoValue else each.default) for each in given]
    return f"{name_of(function)}{signature.replace(parameters=plain, return_annotation=empty)}".replace(", /", "")


def _taken(signature: inspect.Signature) -> list[inspect.Parameter]:
    """Return the parameters without their types, and without those that only catch wrong keywords."""
    parameters = [each for each in signature.parameters.values() if each.annotation not in (Never, "Never")]
    return [each.replace(annotation=inspect.Parameter.empty) for each in parameters]


def _name(primitive: Any) -> str:
    return "x[index]" if primitive.function is operator.getitem else str(primitive.name).lstrip("_")


def recorded_by(function: Any) -> list[str]:
    """Return the primitives that example calls of `function` record, in the order in which they first appear."""
    seen: dict[str, None] = {}

    class Seen(Observer):
        def recorded(self, node: Tensor) -> None:
            if node.primitive is not None:
                seen[_name(node.primitive)] = None

    for example, leaves in _calls(function):
        with entering(observer=Seen()):
            example(*leaves)
    return [name for name in seen if name != AROUND.get(function)]


def _calls(function: Any) -> Iterator[tuple[Callable[..., Any], list[Any]]]:
    """Yield example calls of `function` and their inputs, as leaves that require gradients if they are floating."""
    for draw in EXAMPLES[function]:
        example = draw(np.random.default_rng(1))
        yield example.function, [Tensor(x, requires_grad=x.dtype.kind == "f") for x in example.inputs]


def orders(function: Any) -> str:
    """Return which gradients of `function` can differ from 0, found from the first two gradients of example calls."""
    left = 0
    rng = np.random.default_rng(2)
    for example, given in _calls(function):
        outputs, leaves = example(*given), [x for x in given if x.requires_grad]
        for order in (1, 2):
            several = outputs if isinstance(outputs, list | tuple) else [outputs]
            ends = [out for out in several if isinstance(out, Tensor) and out.requires_grad]
            if not ends:
                break
            weights = [rng.uniform(0.5, 1.5, out.shape) for out in ends]
            outputs = grad(ends, leaves, weights, create_graph=True)
            if any(np.any(piece.data) for piece in outputs):
                left = max(left, order)
    return ("0 at every order", "first, then 0", "any")[left]


# --- the page -------------------------------------------------------------------------------------------------------


def page() -> str:
    """Return the text of the page."""
    parts = [HEAD]
    for title, group in ROWS.items():
        rows = [
            (f"`{called(function)}`", _gradients(row), row.edges, orders(function)) for function, row in group.items()
        ]
        parts.append(f"## {title}\n\n{_table('call gradient edges orders', rows)}")
    parts += [_without_gradient(), _composed(), _methods(), _others(), _errors(), _left_out(), _not_supported()]
    return "\n\n".join(parts) + "\n"


def _section(title: str, text: str, table: str = "") -> str:
    filled = textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)
    return f"## {title}\n\n{filled}" + (f"\n\n{table}" if table else "")


def _table(columns: str, rows: Iterable[Sequence[str]]) -> str:
    names = columns.split()
    lines = [f"| {' | '.join(cells)} |" for cells in (names, *rows)]
    return "\n".join([lines[0], f"|{'---|' * len(names)}", *lines[1:]])


HEAD = """# Vocabulary

This page lists the functions that you can differentiate, with their gradient rules. The script
[vocabulary.py](vocabulary.py) writes the page from the engine's own table of rules, so the page is complete: if a NumPy
function of arrays is not on this page, it has no gradient rule, and raises an error if you call it on a tensor. Some
functions have several names, and only one of them is listed: `np.abs` is `np.absolute`, `np.pow` is `np.power`,
`np.concat` is `np.concatenate`, `np.permute_dims` is `np.transpose`, `np.acos` is `np.arccos`, and so on for the other
inverse trigonometric and hyperbolic functions.

In the tables, the output is called `z` and the arguments are called `x` and `y`, even if they have other names in the
call. `x̄`, with a bar, is the *cotangent* of `x`: the gradient of the loss with respect to `x`. A rule gets `z̄`, the
cotangent of the output, and returns `x̄` and `ȳ`, the cotangents of the arguments. (In the code of a rule, `z` is called
`out` and `z̄` is called `ct`.) `[x > y]` is 1 where x > y, and 0 elsewhere. `Σ` is a sum along the `axis` of the call.
`·` multiplies element by element, and `@` multiplies matrices.

The formulas leave out broadcasting and dtypes: the engine sums each cotangent over the axes along which the argument
was broadcast, and converts it to the dtype of the argument. Functions accept the same shapes as in NumPy, and the
keywords that the table shows. Other keywords raise an error. A function that is marked *internal* is not for users: it
appears only in recorded graphs.

The column *edges* is mainly about points where the function has no derivative, or an infinite one. It says which
gradient the rule returns there. (A *tie* means that several arguments, or several entries, are equal.) The column also
contains other remarks. All rules use only functions that have rules themselves, so you can also take gradients of
gradients, to any order. The column *orders* says which of these gradients can differ from 0:

- *any*: gradients of every order (although those of a polynomial like `np.square` become 0 at some order);
- *first, then 0*: only the first gradient, since the function is linear or piecewise linear;
- *0 at every order*: none of them.

The command `python -m autograd_spiral check` compares the gradients of every function in these tables with finite
differences, and also the gradients of these gradients."""


def _gradients(one: Row) -> str:
    names = ["x̄", "ȳ"] if len(one.cotangents) < 3 else ["condition", "x̄", "ȳ"]
    said = [(name, text) for name, text in zip(names, one.cotangents, strict=False) if text is not None]
    if one.formula:
        return ", ".join(f"`{name} = {text}`" for name, text in said)
    return "; ".join(f"`{name}` is {text}" for name, text in said)


def _without_gradient() -> str:
    known = set(checkable().values())
    names = [_name(PRIMITIVES[f]) for f in PRIMITIVES if f in known and not has_gradient(f)]
    text = (
        "These functions return masks, indices or other whole numbers. Their calls are recorded like all others, but "
        "no gradient flows through them. (`argselect` is internal: medians and quantiles use it.)"
    )
    listed = textwrap.fill(", ".join(f"`{name}`" for name in names) + ".", 120)
    return _section("Recorded, without a gradient", text, listed)


def _composed() -> str:
    own = [getattr(functions, name) for name in functions.__all__]
    composed = [f for f in checkable().values() if f in COMPOSITIONS or (f in own and f not in PRIMITIVES)]
    rows = []
    for function in composed:
        parts = ", ".join(f"`{name}`" for name in recorded_by(function) if name != name_of(function)) or "nothing"
        itself = "; or the function itself, see above" if function in PRIMITIVES else ""
        rows.append((f"`{called(function)}`", f"{parts}{itself}", REMARKS.get(function, "")))
    text = (
        "These functions are composed of functions from the tables above: if you call one of them, the engine records "
        "the functions that it is composed of. The second column lists what example calls record. A few functions that "
        "have a rule are in this table, too, because with some arguments, they are composed of other functions instead."
    )
    return _section("Composed", text, _table("call records remarks", rows))


def _methods() -> str:
    public = {name: member for name, member in (vars(Tensor) | vars(ArrayMethods)).items() if not name.startswith("_")}
    rows = []
    for name, member in public.items():
        text = inspect.getdoc(member)
        if text is None or inspect.ismemberdescriptor(member):
            continue
        takes = ""
        if callable(member):
            _, *given = _taken(inspect.signature(member))  # all but self
            takes = str(inspect.Signature(given))
        rows.append((f"`.{name}{takes}`", text.splitlines()[0]))
    text = (
        "Tensors have the operators `+ - * / // % ** @`, `-x`, `abs(x)`, `round(x)`, `divmod(x, y)` and comparisons; "
        "masks also have `& | ^ ~`. You can index a tensor with integers, slices, `None`, `...`, masks and integer "
        "arrays. You can also use `len`, iterate over a tensor, and convert a tensor of one element with `float` or "
        "`int`. Tensors have these methods and attributes (`settings` stands for some other keywords of the NumPy "
        "function; `help(Tensor.sum)` lists those of `sum`):"
    )
    return _section("Operators, methods and attributes of a Tensor", text, _table("name description", rows))


def _others() -> str:
    rows = []
    for name in autograd_spiral.__all__:
        member = getattr(autograd_spiral, name)
        if name not in functions.__all__:
            given = isinstance(member, type) and issubclass(member, (Exception, CapturedStep, CheckReport))
            rows.append((f"`{name if given else called(member)}`", _first_sentence(member)))
    text = (
        "You can also import these names with `from autograd_spiral import …`. An entry without parentheses is a class "
        "whose objects you do not create yourself: the package returns or raises them."
    )
    return _section("Other names in the package", text, _table("name description", rows))


def _first_sentence(member: Any) -> str:
    text = " ".join((inspect.getdoc(member) or "").split())
    return re.split(r"(?<=\.) (?=[A-Z`>])", text)[0]


def _errors() -> str:
    rows = []
    for name, member in vars(errors).items():
        if isinstance(member, type) and member is not AutogradError:
            builtin = next(base for base in member.__mro__ if base.__module__ == "builtins")
            rows.append((f"`{name}`", f"`{builtin.__name__}`", _first_sentence(member)))
    text = (
        "All of these classes are subclasses of `AutogradError`. Each is also a subclass of a built-in exception, "
        "which the second column names, so code that catches the built-in exception also catches the error. Import a "
        "class by name, as in `from autograd_spiral.errors import ShapeError`."
    )
    return _section("Errors", text, _table("class built-in meaning", rows))


def _left_out() -> str:
    rows = []
    for why, names in LEFT_OUT.items():
        others = {f: instead for f, instead, reason in left_out.named() if reason == why and ".data)" not in instead}
        listed = ", ".join(f"`np.{name}`" for name in names.split())
        rows.append(
            (
                listed,
                why.format("the function"),
                "; ".join(f"for `{name_of(f)}`: {instead}" for f, instead in others.items()),
            )
        )
    text = (
        "If you call one of these NumPy functions on a tensor, you get an error. The second column gives the reason, "
        "and the third column says what to write instead. For a function that is not mentioned in the third column, "
        "pass the value of the tensor, as in `np.unique(t.data)`."
    )
    return _section("Left out", text, _table("functions reason instead", rows))


def _not_supported() -> str:
    rows = []
    for what, code in NOT_SUPPORTED:
        names = {
            "np": np,
            "Tensor": Tensor,
            "x": Tensor([1.0, 2.0], requires_grad=True),
            "M": np.eye(2),
            "buffer": np.zeros(2),
            "mask": np.array([True, False]),
        }
        try:
            exec(code, names)
        except AutogradError as error:
            rows.append((what, f"`{code}`", f"{type(error).__name__}: {error}"))
        else:
            raise AssertionError(f"{code} is said not to be supported, but it runs")
    readers = ", ".join(sorted(f"`{name_of(function)}`" for function in VALUE_FUNCTIONS))
    text = (
        "The following is not supported, either because small models do not need it, or because a recorded value must "
        "never change. Each of the examples raises the error next to it. Some other functions have no gradient "
        f"either, but accept tensors, since they only need the values: {readers}."
    )
    return _section("Not supported", text, _table("what example error", rows))


if __name__ == "__main__":
    if names := missing():
        raise SystemExit(f"only in the rule table or only in ROWS: {', '.join(names)}")
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE}")
