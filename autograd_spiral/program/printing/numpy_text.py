"""NumPy source: how equations and constants are written as NumPy expressions."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from autograd_spiral.errors import CaptureError
from autograd_spiral.program.ir import Equation, has_dtype, shape_of
from autograd_spiral.program.printing.expressions import (
    COMPARISONS,
    Alphabet,
    Binding,
    Text,
    index_text,
    listed,
    reciprocal,
    settings,
    transposed,
)
from autograd_spiral.vocabulary.functions import _ndtr, erf
from autograd_spiral.vocabulary.rules.indexing import scatter
from autograd_spiral.vocabulary.rules.linalg import kink, packed_eigh, packed_qr, packed_slogdet, packed_svd
from autograd_spiral.vocabulary.rules.order import argselect, reorder, restore_order
from autograd_spiral.vocabulary.rules.reductions import linear_recurrence
from autograd_spiral.vocabulary.rules.shapes import add_windows
from autograd_spiral.vocabulary.signatures import ARRAY

__all__ = ["NUMPY", "literal"]


def literal(value: Any) -> Text:
    """Return a constant as source: a Python number, or an array, which is written as a short call or in full."""
    if not isinstance(value, np.ndarray):
        return _number(value)
    kind = "" if value.dtype in (np.float64, np.int64, np.bool) else f", dtype={_dtype(value.dtype)}"
    if value.ndim == 1 and value.dtype.kind in "iu" and np.array_equal(value, np.arange(value.size)):
        return Text(f"np.arange({value.size}{kind})")
    if value.size == 0 or (value.size > 1 and value.tobytes() == value.ravel()[:1].tobytes() * value.size):
        return _full(value.shape, value.flat[0].item() if value.size else 0, value.dtype)
    return Text(f"np.array({_nested(value.tolist())}{kind})")


def _full(shape: tuple[int, ...], number: Any, dtype: np.dtype[Any]) -> Text:
    """Write an array that holds one number everywhere."""
    typed = "" if dtype == np.float64 else f", dtype={_dtype(dtype)}"
    text = _number(number).text
    if text in ("0", "0.0", "False", "1", "1.0", "True"):  # but not "-0.0"
        return Text(f"np.{'ones' if number else 'zeros'}({shape}{typed})")
    return Text(f"np.full({shape}, {text}{typed})")


def _nested(value: Any) -> str:
    return f"[{', '.join(map(_nested, value))}]" if isinstance(value, list) else _number(value).text


def _number(value: Any) -> Text:
    number = value if type(value) is float else None
    if (whole := reciprocal(value)) is not None:
        return Text(f"{'-' if whole < 0 else ''}1 / {abs(whole)}", Binding.PRODUCT, number)
    if isinstance(value, float | np.floating) and not np.isfinite(value):
        value = float(value)
    text = repr(value).replace("nan", "np.nan").replace("inf", "np.inf")
    return Text(text, Binding.SIGN if text.startswith("-") else Binding.ATOM, number)


def _dtype(dtype: np.dtype[Any]) -> str:
    if not dtype.isnative:
        return f'"{dtype.str}"'
    return "bool" if dtype == np.bool else f"np.{dtype.name}"


def _call(equation: Equation, inputs: Sequence[Text]) -> Text:
    name = equation.primitive.name
    if equation.opaque or not name.startswith(("np.", "special.")):
        raise CaptureError(
            f"{equation.place}\n{name} cannot be printed: its body does not run on Tensors, so its equations are not "
            "known. Write the body with NumPy functions that have rules"
        )
    if name == "special.log_expit":  # which jax.scipy lacks
        return Text(f"-np.logaddexp(-{inputs[0].atom}.astype({_dtype(equation.output.dtype)}), 0)", Binding.SIGN)
    words = [listed(inputs), *(f"{key}={value!r}" for key, value in settings(equation))]
    return Text(f"{name}({', '.join(words)})")


def _power(equation: Equation, inputs: Sequence[Text]) -> Text:
    """Write `x**y`, or `np.power` if the operator would compute something else, such as a root for y = 0.5."""
    x, y = equation.inputs
    if has_dtype(x, np.dtype(bool)) or (type(y) is float and y == 0.5):
        return Text(f"np.power({inputs[0].text}, {inputs[1].text})")
    return Text(f"{inputs[0].atom}**{inputs[1].atom}", Binding.POWER)


def _to_shape(equation: Equation, inputs: Sequence[Text]) -> Text:
    return Text(f"{equation.primitive.name}({inputs[0].text}, {equation.output.shape})")


def _broadcast_to(equation: Equation, inputs: Sequence[Text]) -> Text:
    (x,) = equation.inputs
    if isinstance(x, np.ndarray) and x.size == 1:
        return _full(equation.output.shape, x.item(), x.dtype)
    return _to_shape(equation, inputs)


def _transpose(equation: Equation, inputs: Sequence[Text]) -> Text:
    axes = equation.params["axes"]
    suffix = transposed(axes)
    return Text(f"{inputs[0].atom}.{suffix}" if suffix else f"np.transpose({inputs[0].text}, {axes})")


def _floating(equation: Equation, inputs: Sequence[Text]) -> Text:
    (x,), dtype, name = inputs, equation.output.dtype, equation.primitive.name
    return Text(
        f"{name}({x.text})" if has_dtype(equation.inputs[0], dtype) else f"{name}({x.atom}.astype({_dtype(dtype)}))"
    )


def _scatter(equation: Equation, inputs: Sequence[Text]) -> Text:
    """Write the adjoint of indexing; a mask uses `place`, since adding to zeros would turn -0.0 into 0.0."""
    helper = "place" if all(has_dtype(index, np.dtype(bool)) for index in equation.inputs[1:]) else "scatter"
    call = f"{helper}({inputs[0].text}, np.s_[{index_text(equation, inputs[1:])}], {equation.params['shape']})"
    return _padded(equation, inputs[0]) or Text(call)


def _padded(equation: Equation, text: Text) -> Text | None:
    """Write the adjoint of slicing as a reversal and a padding; return None if these are not enough."""
    shape = equation.params["shape"]
    index = [item for item in equation.params["index"] if item is not None]
    if ARRAY in index:
        return None
    whole = index.index(Ellipsis) if Ellipsis in index else len(index)
    index[whole : whole + 1] = [slice(None)] * (len(shape) - len(index) + (Ellipsis in index))
    widths, reversal, kept = [], [], []
    for n, item in zip(shape, index, strict=True):
        taken = np.atleast_1d(np.arange(n)[item])
        step = (isinstance(item, slice) and item.step) or 1
        if taken.size == 0 or step not in (1, -1):
            return None
        kept.append(taken.size)
        widths.append((int(taken.min()), n - 1 - int(taken.max())))
        reversal.append("::-1" if step == -1 else ":")
    if tuple(kept) != shape_of(equation.inputs[0]):
        text = Text(f"np.reshape({text.text}, {tuple(kept)})")
    if "::-1" in reversal:
        text = Text(f"{text.atom}[{', '.join(reversal)}]")
    if any(width != (0, 0) for width in widths):
        text = Text(f"np.pad({text.text}, {tuple(widths)})")
    return text


def _pad(equation: Equation, inputs: Sequence[Text]) -> Text:
    value = equation.params["constant_values"]
    zero = np.ndim(value) == 0 and value == 0 and not np.signbit(value)
    more = "" if zero else f", constant_values={literal(value).text}"
    return Text(f"np.pad({inputs[0].text}, {equation.params['pad_width']}{more})")


def _einsum(equation: Equation, inputs: Sequence[Text]) -> Text:
    optimize = equation.params.get("optimize", False)
    args = f'"{equation.params["subscripts"]}", {listed(inputs)}'
    if isinstance(optimize, tuple) and optimize[0] == "einsum_path":
        return Text(f"einsum_by_path({optimize!r}, {args})")
    return Text(f"np.einsum({args}{f', optimize={optimize!r}' if optimize else ''})")


def _hypot_accumulate(equation: Equation, inputs: Sequence[Text]) -> Text:
    return Text(f"hypot_accumulate({inputs[0].text}, axis={equation.params['axis']})")


def _windows(equation: Equation, inputs: Sequence[Text]) -> Text:
    lengths, axis = equation.params["window_shape"], equation.params["axis"]
    along = "" if axis == tuple(range(len(shape_of(equation.inputs[0])))) else f", axis={_unpacked(axis)}"
    return Text(f"{equation.primitive.name}({inputs[0].text}, {_unpacked(lengths)}{along})")


def _values(params: Mapping[str, Any]) -> str:
    return ", ".join(map(str, params.values()))


def _unpacked(numbers: tuple[int, ...]) -> Any:
    return numbers[0] if len(numbers) == 1 else numbers


def _packed(equation: Equation, inputs: Sequence[Text]) -> Text:
    """Write all results of a decomposition as one array."""
    words = [f"{key}={value!r}" for key, value in equation.params.items() if (key, value) != ("UPLO", "L")]
    call = f"{equation.primitive.name}({', '.join([inputs[0].text, *words])})"
    return Text(f"packed({call}, {shape_of(equation.inputs[0])[:-2]})")


def _along(equation: Equation, inputs: Sequence[Text]) -> Text:
    """Write a function of two arrays and an axis."""
    name = equation.primitive.name.lstrip("_").replace("reorder", "np.take_along_axis")
    return Text(f"{name}({listed(inputs)}, axis={equation.params['axis']})")


def _argpartition(equation: Equation, inputs: Sequence[Text]) -> Text:
    """Write a call of a helper if there are several `kth`, which jax.numpy does not take."""
    text = _call(equation, inputs).text
    return Text(text if isinstance(equation.params["kth"], int) else text.removeprefix("np."))


def _restore_order(equation: Equation, inputs: Sequence[Text]) -> Text:
    """Write the inverse of a permutation as the order that sorts the permutation."""
    x, axis = inputs[0].text, equation.params["axis"]
    return Text(f"np.take_along_axis({x}, np.argsort({inputs[1].text}, axis={axis}), axis={axis})")


NUMPY = Alphabet(
    infix={
        Binding.COMPARISON: dict(zip(COMPARISONS, ("==", "!=", "<", "<=", ">", ">="), strict=True)),
        Binding.SUM: {np.add: "+", np.subtract: "-"},
        Binding.PRODUCT: {
            np.multiply: "*",
            np.divide: "/",
            np.matmul: "@",
            np.remainder: "%",
            np.floor_divide: "//",
        },
    },
    prefix={np.negative: "-", np.positive: "+"},
    special={
        np.square: lambda equation, inputs: Text(f"{inputs[0].atom}**2", Binding.POWER),
        np.power: _power,
        np.transpose: _transpose,
        np.reshape: _to_shape,
        np.broadcast_to: _broadcast_to,
        np.concatenate: lambda equation, inputs: Text(
            f"np.concatenate([{listed(inputs)}], axis={equation.params['axis']})"
        ),
        np.choose: lambda equation, inputs: Text(f"np.choose({inputs[0].text}, [{listed(inputs[1:])}])"),
        np.ndarray.astype: lambda equation, inputs: Text(
            f"{inputs[0].atom}.astype({_dtype(equation.params['dtype'])})"
        ),
        np.einsum: _einsum,
        np.hypot.accumulate: _hypot_accumulate,
        np.pad: _pad,
        sliding_window_view: _windows,
        add_windows: lambda equation, inputs: Text(f"add_windows({inputs[0].text}, {_values(equation.params)})"),
        operator.getitem: lambda equation, inputs: Text(f"{inputs[0].atom}[{index_text(equation, inputs[1:])}]"),
        scatter: _scatter,
        reorder: _along,
        restore_order: _restore_order,
        argselect: lambda equation, inputs: Text(f"argselect({inputs[0].text}, {_values(equation.params)})"),
        linear_recurrence: _along,
        kink: lambda equation, inputs: literal(np.zeros(equation.output.shape, equation.output.dtype)),
        **dict.fromkeys((packed_eigh, packed_qr, packed_slogdet, packed_svd), _packed),
        np.argpartition: _argpartition,
        erf: _floating,
        _ndtr: _floating,
    },
    call=_call,
)
"""NumPy source. `write` raises `CaptureError` for a declared primitive whose body is not known as equations."""
