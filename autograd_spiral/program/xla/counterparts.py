"""What XLA computes for each primitive: the function of the same name in jax.numpy, or a row of the table here.

Dtypes are the same as in NumPy. JAX promotes dtypes by other rules, so every operand is first cast to the dtype in
which NumPy computes.
"""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from autograd_spiral.engine.sweep import wide
from autograd_spiral.errors import CaptureError
from autograd_spiral.program.ir import Equation, Value, dtype_of, has_dtype, shape_of
from autograd_spiral.program.xla.library import jnp, lax, special
from autograd_spiral.vocabulary import functions
from autograd_spiral.vocabulary.rules.indexing import scatter
from autograd_spiral.vocabulary.rules.linalg import kink, packed_eigh, packed_qr, packed_slogdet, packed_svd
from autograd_spiral.vocabulary.rules.order import argselect, reorder, restore_order
from autograd_spiral.vocabulary.rules.reductions import linear_recurrence
from autograd_spiral.vocabulary.rules.shapes import add_windows
from autograd_spiral.vocabulary.signatures import ARRAY, fill

__all__ = ["Counterpart", "cast", "counterpart"]

Counterpart = Callable[..., Any]
"""`counterpart(equation, *operands)`: returns the value, in any dtype; operands are traced arrays or constants."""


def counterpart(equation: Equation) -> Counterpart:
    """Return the function that computes `equation` on XLA. Raises `CaptureError`, with the line, if there is none."""
    function = equation.function
    for atom in (equation.output, *equation.inputs):
        dtype = dtype_of(atom)
        if dtype is not None and dtype.itemsize > 8:
            raise CaptureError(f"{equation.place}\n{equation.primitive.name}: XLA has no {dtype}: use float64")
    if function in _ROWS:
        return _ROWS[function]
    same_name = _same_name(function)
    if same_name is not None:
        caller = _ufunc if isinstance(function, np.ufunc) else _function
        return lambda equation, *operands: caller(same_name, equation, *operands)
    reason = "its body does not run on Tensors, so its equations are not known" if equation.opaque else "it has no row"
    raise CaptureError(
        f"{equation.place}\n{equation.primitive.name} cannot run on XLA: {reason}. Write it with NumPy functions that "
        "have rules, or call it outside the step and pass the result, or run this step with NumPy: capture(step)"
    )


def _same_name(function: Any) -> Counterpart | None:
    """Return JAX's function that has the same name as this function of NumPy or SciPy, or None."""
    name = getattr(function, "__name__", "")
    for theirs, ours in ((np, jnp), (np.linalg, jnp.linalg), (sys.modules.get("scipy.special"), special)):
        if getattr(theirs, name, None) is function:
            found: Counterpart | None = getattr(ours, name, _OTHERWISE.get(name))
            return found
    return None


def cast(x: Any, dtype: Any) -> Any:
    """Return `x` in `dtype`."""
    return jnp.asarray(x, dtype)


# --- functions of the same name -------------------------------------------------------------------------------------


def _loop(equation: Equation) -> tuple[np.dtype[Any], ...]:
    """Return the dtypes that NumPy's inner loop takes, and the dtype that it returns."""
    function: Any = equation.function
    kinds = [dtype_of(atom) or (np.dtype(bool) if type(atom) is bool else type(atom)) for atom in equation.inputs]
    loop: tuple[np.dtype[Any], ...] = function.resolve_dtypes((*kinds, None))
    return loop


def _ufunc(ours: Counterpart, equation: Equation, *operands: Any) -> Any:
    return ours(*map(cast, operands, _loop(equation)))


def _function(ours: Counterpart, equation: Equation, *operands: Any) -> Any:
    return ours(*_promoted(equation, operands), **equation.params)


def _promoted(equation: Equation, operands: Sequence[Any]) -> Iterator[Any]:
    """Yield the operands in their common dtype, or in the dtype of the output if only the output is floating."""
    dtype = np.result_type(*(dtype_of(atom) or atom for atom in equation.inputs))
    if equation.output.dtype.kind == "f" and dtype.kind != "f":
        dtype = equation.output.dtype
    return (cast(operand, dtype) for operand in operands)


# --- elementwise ----------------------------------------------------------------------------------------------------


def _of_whole_numbers(equation: Equation, x: Any) -> Any:
    """Round the numbers, unless they are integers, which NumPy returns unchanged."""
    (dtype, *_) = loop = _loop(equation)
    return cast(x, dtype) if loop[0].kind in "iub" else getattr(jnp, equation.function.__name__)(cast(x, dtype))


def _power(equation: Equation, x: Any, y: Any) -> Any:
    """Use products for small whole exponents, as NumPy does for 2, since a general power is slow and less accurate."""
    loop, exponent = _loop(equation), equation.inputs[1]
    whole = isinstance(exponent, int | float) and abs(exponent) <= 64 and exponent == int(exponent)
    if whole and loop[0].kind == "f":
        return lax.integer_pow(cast(x, loop[0]), int(y))
    return jnp.power(cast(x, loop[0]), cast(y, loop[1]))


def _division(equation: Equation, x: Any, y: Any) -> Any:
    """Divide; return 0 for integers divided by 0, as NumPy does."""
    loop, function = _loop(equation), getattr(jnp, equation.function.__name__)
    x, y = cast(x, loop[0]), cast(y, loop[1])
    if loop[0].kind == "f":
        return function(x, y)
    return jnp.where(y == 0, 0, function(x, jnp.where(y == 0, 1, y)))


def _where(equation: Equation, condition: Any, x: Any, y: Any) -> Any:
    dtype = equation.output.dtype
    return jnp.where(cast(condition, bool), cast(x, dtype), cast(y, dtype))


def _choose(equation: Equation, index: Any, *choices: Any) -> Any:
    return jnp.choose(jnp.asarray(index), [cast(x, equation.output.dtype) for x in choices], mode="clip")


# --- reductions and scans -------------------------------------------------------------------------------------------


def _sum(equation: Equation, x: Any) -> Any:
    function = getattr(jnp, equation.function.__name__)
    return function(x, **equation.params, dtype=equation.output.dtype)


def _accumulated(ufunc: np.ufunc) -> Counterpart:
    def scan(equation: Equation, x: Any) -> Any:
        return lax.associative_scan(getattr(jnp, ufunc.__name__), jnp.asarray(x), axis=equation.params["axis"])

    return scan


def _linear_recurrence(equation: Equation, b: Any, a: Any) -> Any:
    axis, dtype = equation.params["axis"], equation.output.dtype
    b, a = (jnp.moveaxis(cast(each, dtype), axis, 0) for each in (b, a))
    if not len(b):
        return jnp.moveaxis(b, 0, axis)

    def step(after: Any, now: Any) -> tuple[Any, Any]:
        y = now[0] + now[1] * after
        return y, y

    _, y = lax.scan(step, b[-1], (b[:-1], a), reverse=True)
    return jnp.moveaxis(jnp.concatenate([y, b[-1:]]), 0, axis)


# --- shapes and indices ---------------------------------------------------------------------------------------------


def _concatenate(equation: Equation, *parts: Any) -> Any:
    return jnp.concatenate([cast(x, equation.output.dtype) for x in parts], axis=equation.params["axis"])


def _pad(equation: Equation, x: Any) -> Any:
    filling = np.asarray(equation.params["constant_values"]).astype(equation.output.dtype)
    return jnp.pad(x, equation.params["pad_width"], constant_values=filling)


def _windows(equation: Equation, x: Any) -> Any:
    x = jnp.asarray(x)
    for length, axis in zip(equation.params["window_shape"], equation.params["axis"], strict=True):
        places = np.arange(x.shape[axis] - length + 1)[:, None] + np.arange(length)
        x = jnp.moveaxis(jnp.take(x, places, axis=axis), axis + 1, -1)
    return x


def _add_windows(equation: Equation, ct: Any) -> Any:
    params, wider = equation.params, _wide(equation.output.dtype)
    out, ct = jnp.zeros(params["shape"], wider), cast(ct, wider)
    whole = [slice(None)] * out.ndim
    for place in np.ndindex(params["window_shape"]):
        where = list(whole)
        for start, axis in zip(place, params["axis"], strict=True):
            first = where[axis].start or 0
            where[axis] = slice(first + start, first + start + ct.shape[axis])
        out = out.at[tuple(where)].add(ct[(..., *place)])
    return out


def _wide(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype in which many numbers are added up."""
    dtype = wide(np.zeros(0, dtype), math.inf).dtype
    return dtype


def _index(equation: Equation, arrays: Sequence[Any]) -> Any:
    """Return the index; a mask becomes the indices of its true entries, and must be known at compile time."""
    items = []
    for atom, array in zip(equation.inputs[1:], arrays, strict=True):
        if has_dtype(atom, np.dtype(bool)):
            if isinstance(atom, Value):
                raise CaptureError(
                    f"{equation.place}\nXLA cannot index by a mask that is computed, since the number of entries is "
                    "not known: write np.where(mask, x, 0)"
                )
            array = np.asarray(array)
        items.append(array)
    return fill(equation.params["index"], tuple(items))


def _getitem(equation: Equation, x: Any, *arrays: Any) -> Any:
    if equation.params["index"] == (ARRAY, ARRAY) and len(shape_of(equation.inputs[0])) == 2:
        rows, picked = equation.inputs[1:]
        in_order = isinstance(rows, np.ndarray) and np.array_equal(rows, np.arange(shape_of(equation.inputs[0])[0]))
        if in_order and shape_of(picked) == shape_of(rows):  # one entry of each row, on the row's device
            return jnp.take_along_axis(jnp.asarray(x), jnp.asarray(arrays[1])[:, None], axis=1)[:, 0]
    return jnp.asarray(x)[_index(equation, arrays)]


def _scatter(equation: Equation, ct: Any, *arrays: Any) -> Any:
    if not arrays:
        return _padded_between(cast(ct, equation.output.dtype), equation.params["index"], equation.params["shape"])
    wider = _wide(equation.output.dtype)
    return jnp.zeros(equation.params["shape"], wider).at[_index(equation, arrays)].add(cast(ct, wider))


def _padded_between(ct: Any, index: tuple[Any, ...], shape: tuple[int, ...]) -> Any:
    """Return zeros of `shape` with `ct` at an index of integers and slices, which repeats no entry."""
    rest = len(shape) - sum(item is not None and item is not Ellipsis for item in index)
    where = index.index(Ellipsis) if Ellipsis in index else len(index)
    items = [*index[:where], *[slice(None)] * rest, *index[where + 1 :]]
    kept = [i for i, item in enumerate(items) if not isinstance(item, int)]
    ct = lax.squeeze(ct, [place for place, i in enumerate(kept) if items[i] is None])
    padding = []
    for axis, (item, length) in enumerate(zip((item for item in items if item is not None), shape, strict=True)):
        if isinstance(item, int):
            ct = lax.expand_dims(ct, [axis])
            item = slice(item % length, item % length + 1)
        places = range(length)[item]
        if places.step < 0:
            ct, places = lax.rev(ct, [axis]), places[::-1]
        first, last = (places[0], places[-1]) if places else (0, -1)
        padding.append((first, length - 1 - last, places.step - 1))
    return lax.pad(ct, jnp.zeros((), ct.dtype), padding)


def _restore_order(equation: Equation, x: Any, order: Any) -> Any:
    x = jnp.asarray(x)
    return jnp.put_along_axis(jnp.zeros_like(x), jnp.asarray(order), x, equation.params["axis"], inplace=False)


def _argpartition(equation: Equation, x: Any) -> Any:
    return jnp.argsort(x, axis=equation.params["axis"])  # a sorted order is also a partition


# --- products and linear algebra ------------------------------------------------------------------------------------

_EXACT = "highest"  # otherwise, GPUs and TPUs may multiply float32 with fewer digits


def _matmul(equation: Equation, x: Any, y: Any) -> Any:
    return jnp.matmul(*map(cast, (x, y), _loop(equation)), precision=_EXACT)


def _product(equation: Equation, *operands: Any) -> Any:
    function, params = getattr(jnp, equation.function.__name__), dict(equation.params)
    parts = [cast(x, equation.output.dtype) for x in operands]
    if equation.function is np.einsum:
        return function(params.pop("subscripts"), *parts, **params, precision=_EXACT)
    return function(*parts, **params, precision=_EXACT)


def _pinv(equation: Equation, x: Any) -> Any:
    rcond = equation.params["rcond"]
    return jnp.linalg.pinv(cast(x, equation.output.dtype), rtol=1e-15 if rcond is None else rcond)


def _packing(function: Callable[..., Any]) -> Counterpart:
    """Return a counterpart that puts several results into one array, in the form of `packed`."""

    def pack(equation: Equation, x: Any) -> Any:
        x = cast(x, equation.output.dtype)
        stack = x.shape[:-2]
        parts = [
            jnp.reshape(part, (*stack, math.prod(part.shape[len(stack) :]))) for part in function(x, **equation.params)
        ]
        return jnp.concatenate(parts, axis=-1)

    return pack


def _eigh(x: Any, UPLO: str) -> Any:
    return jnp.linalg.eigh(x, UPLO=UPLO, symmetrize_input=False)


_OTHERWISE: dict[str, Counterpart] = {
    "log_expit": lambda x: -jnp.logaddexp(-x, 0),
    "psi": lambda x: special.digamma(x),
}
"""Functions of SciPy that JAX lacks or names differently; listed by name, since SciPy may not be installed."""

# --- the table --------------------------------------------------------------------------------------------------------

_ROWS: dict[Callable[..., Any], Counterpart] = {
    **dict.fromkeys((np.floor, np.ceil, np.trunc, np.rint), _of_whole_numbers),
    **dict.fromkeys((np.floor_divide, np.remainder, np.fmod), _division),
    **dict.fromkeys((np.sum, np.mean, np.prod, np.cumsum, np.cumprod), _sum),
    **{ufunc.accumulate: _accumulated(ufunc) for ufunc in (np.maximum, np.minimum, np.logaddexp, np.hypot)},
    **dict.fromkeys((np.einsum, np.convolve), _product),
    np.power: _power,
    np.where: _where,
    np.choose: _choose,
    np.matmul: _matmul,
    linear_recurrence: _linear_recurrence,
    np.ndarray.astype: lambda e, x: jnp.asarray(x),
    np.reshape: lambda e, x: jnp.reshape(x, e.output.shape),
    np.transpose: lambda e, x: jnp.transpose(x, e.params["axes"]),
    np.broadcast_to: lambda e, x: jnp.broadcast_to(x, e.output.shape),
    np.concatenate: _concatenate,
    np.pad: _pad,
    sliding_window_view: _windows,
    add_windows: _add_windows,
    operator.getitem: _getitem,
    scatter: _scatter,
    reorder: lambda e, x, order: jnp.take_along_axis(jnp.asarray(x), jnp.asarray(order), e.params["axis"]),
    restore_order: _restore_order,
    argselect: lambda e, x: jnp.argsort(x, axis=-1)[..., jnp.asarray(e.params["ranks"])],
    np.argsort: lambda e, x: jnp.argsort(x, axis=e.params["axis"]),  # equal entries stay in order
    np.argpartition: _argpartition,
    np.linalg.pinv: _pinv,
    packed_slogdet: _packing(lambda x: [part[..., None] for part in jnp.linalg.slogdet(x)]),
    packed_eigh: _packing(_eigh),
    packed_svd: _packing(lambda x, full_matrices: jnp.linalg.svd(x, full_matrices=full_matrices)),
    packed_qr: _packing(lambda x: jnp.linalg.qr(x)),
    kink: lambda e, x, at: jnp.zeros_like(jnp.asarray(x)),
    functions.erf: lambda e, x: special.erf(cast(x, e.output.dtype)),
    functions._ndtr: lambda e, x: special.erfc(-cast(x, e.output.dtype) / math.sqrt(2)) / 2,
}
