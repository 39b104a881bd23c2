"""How equations read as NumPy expressions: one entry per function whose call is not simply `np.name(x, y)`."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.engine.table import ARRAY
from autograd_spiral.errors import CaptureError
from autograd_spiral.program.ir import Equation, dtype_of, shape_of
from autograd_spiral.vocabulary.rules import scatter

__all__ = ["SCATTER", "Text", "literal", "spelled"]

COMPARISON, SUM, PRODUCT, SIGN, POWER, ATOM = range(6)


class Text(NamedTuple):
    """An expression, and how tightly its outermost operator binds."""

    text: str
    binding: int = ATOM

    def within(self, binding: int) -> str:
        """The expression as an operand of something that binds with `binding`."""
        return self.text if self.binding >= binding else f"({self.text})"


SCATTER = '''

def scatter(ct, index, shape):
    """Zeros of `shape` with `ct` added in at `index`, repeated entries adding up."""
    out = np.zeros(shape, ct.dtype)
    np.add.at(out, index, ct)
    return out
'''
"""The function that a program of other integer indexing than one entry per row needs, as source."""

_INFIX: dict[Callable[..., Any], tuple[str, int]] = {
    np.add: ("+", SUM),
    np.subtract: ("-", SUM),
    np.multiply: ("*", PRODUCT),
    np.divide: ("/", PRODUCT),
    np.matmul: ("@", PRODUCT),
    np.equal: ("==", COMPARISON),
    np.not_equal: ("!=", COMPARISON),
    np.less: ("<", COMPARISON),
    np.less_equal: ("<=", COMPARISON),
    np.greater: (">", COMPARISON),
    np.greater_equal: (">=", COMPARISON),
}


def spelled(equation: Equation, inputs: Sequence[Text]) -> Text:
    """The NumPy expression for `equation`, whose inputs read as `inputs`.

    Raises `CaptureError` for a declared primitive whose body is not known as equations.
    """
    function = equation.function
    if function in _INFIX:
        return _infix(equation, inputs)
    if function in _SPELLED:
        return _SPELLED[function](equation, inputs)
    name = equation.primitive.name
    if equation.opaque or not name.startswith("np."):
        raise CaptureError(
            f"{equation.place}\n{name} cannot be printed: its body does not run on Tensors, so its equations are not "
            "known. Write the body with NumPy functions that have rules"
        )
    return Text(f"{name}({', '.join([*(text.text for text in inputs), *_settings(equation)])})")


def _infix(equation: Equation, inputs: Sequence[Text]) -> Text:
    sign, binding = _INFIX[equation.function]
    left, right = inputs
    if equation.function is np.multiply:
        for this, number, atom in ((left, right, equation.inputs[1]), (right, left, equation.inputs[0])):
            if type(atom) is float and number.binding == PRODUCT and not number.text.startswith("-"):
                return Text(f"{this.within(PRODUCT)}{number.text[1:]}", PRODUCT)  # x / 300, for x * (1 / 300)
            if type(atom) is float:
                return Text(f"{number.within(SIGN)} * {this.within(SIGN)}", PRODUCT)
    chain = binding == COMPARISON
    return Text(f"{left.within(binding + chain)} {sign} {right.within(binding + 1)}", binding)  # from left to right


def literal(value: Any) -> Text:
    """A constant as source: Python's numbers, and arrays by their rule, or by their elements."""
    if not isinstance(value, np.ndarray):
        return _number(value)
    kind = "" if value.dtype in (np.float64, np.int64, np.bool) else f", dtype={dtype_text(value.dtype)}"
    if value.ndim == 1 and value.dtype.kind in "iu" and np.array_equal(value, np.arange(value.size)):
        return Text(f"np.arange({value.size}{kind})")
    if value.size == 0 or (value.size > 1 and _is_full(value)):
        first = value.flat[0].item() if value.size else 0
        whole = {0: "zeros", 1: "ones"}.get(first)
        typed = "" if value.dtype == np.float64 else f", dtype={dtype_text(value.dtype)}"
        if whole:
            return Text(f"np.{whole}({value.shape}{typed})")
        return Text(f"np.full({value.shape}, {_number(first).text}{typed})")
    return Text(f"np.array({_nested(value.tolist())}{kind})")


def _is_full(value: NDArray[Any]) -> bool:
    first = value.flat[0]
    return value.tobytes() == first.tobytes() * value.size and not (first == 0 and str(first.item()).startswith("-"))


def _nested(value: Any) -> str:
    return f"[{', '.join(map(_nested, value))}]" if isinstance(value, list) else _number(value).text


def _number(value: Any) -> Text:
    if isinstance(value, float) and not math.isfinite(value):
        text = "np.nan" if math.isnan(value) else "np.inf" if value > 0 else "-np.inf"
    else:
        text = repr(value)
        if isinstance(value, float) and 1e-9 < abs(value) < 1 and len(text) > 8 and 1 / round(1 / value) == value:
            return Text(f"{'-' if value < 0 else ''}1 / {abs(round(1 / value))}", PRODUCT)
    return Text(text, SIGN if text.startswith("-") else ATOM)


def dtype_text(dtype: np.dtype[Any]) -> str:
    """The dtype as source."""
    return "bool" if dtype == np.bool else f"np.{dtype}"


def _settings(equation: Equation) -> list[str]:
    return [f"{key}={value!r}" for key, value in equation.params.items() if value is not None and value is not False]


def _reduction(equation: Equation, inputs: Sequence[Text]) -> Text:
    axis, keepdims = equation.params["axis"], equation.params["keepdims"]
    words = [inputs[0].text]
    if axis is not None and axis != tuple(range(len(shape_of(equation.inputs[0])))):
        words.append(f"axis={axis[0] if isinstance(axis, tuple) and len(axis) == 1 else axis}")
    if keepdims:
        words.append("keepdims=True")
    return Text(f"{equation.primitive.name}({', '.join(words)})")


def _power(equation: Equation, inputs: Sequence[Text]) -> Text:
    """`x ** y`, which NumPy computes as roots, reciprocals and squares for some numbers y: if that is all the same."""
    x, y = equation.inputs
    if dtype_of(x) == np.bool or (type(y) is float and y == 0.5):
        return Text(f"np.power({inputs[0].text}, {inputs[1].text})")
    return Text(f"{inputs[0].within(ATOM)}**{inputs[1].within(ATOM)}", POWER)


def _transpose(equation: Equation, inputs: Sequence[Text]) -> Text:
    axes = equation.params["axes"]
    n = len(axes)
    if axes == tuple(range(n))[::-1]:
        return Text(f"{inputs[0].within(ATOM)}.T")
    if axes == (*range(n - 2), n - 1, n - 2):
        return Text(f"{inputs[0].within(ATOM)}.mT")
    return Text(f"np.transpose({inputs[0].text}, {axes})")


def _getitem(equation: Equation, inputs: Sequence[Text]) -> Text:
    return Text(f"{inputs[0].within(ATOM)}[{_index(equation, inputs)}]")


def _index(equation: Equation, inputs: Sequence[Text]) -> str:
    arrays = iter(inputs[1:])
    items = [next(arrays).text if item is ARRAY else _item(item) for item in equation.params["index"]]
    return ", ".join(items) if items else "()"


def _item(item: Any) -> str:
    if isinstance(item, slice):
        start, stop = ("" if bound is None else str(bound) for bound in (item.start, item.stop))
        return f"{start}:{stop}" + ("" if item.step is None else f":{item.step}")
    return "..." if item is Ellipsis else str(item)


def _scatter(equation: Equation, inputs: Sequence[Text]) -> Text:
    shape = equation.params["shape"]
    placed = _placed(equation, inputs[0])
    if placed is not None:
        return placed
    index = _index(equation, inputs)
    return Text(f"scatter({inputs[0].text}, np.s_[{index}], {shape})")


def _placed(equation: Equation, ct: Text) -> Text | None:
    """The adjoint of slicing as a reversal and a padding, where that is all it takes."""
    shape, index = equation.params["shape"], list(equation.params["index"])
    if Ellipsis in index:
        at = index.index(Ellipsis)
        given = sum(item is not None for item in index) - 1
        index[at : at + 1] = [slice(None)] * (len(shape) - given)
    if ARRAY in index:
        return None
    index += [slice(None)] * (len(shape) - sum(item is not None for item in index))
    lengths = iter(shape)
    widths, reversal, kept = [], [], []
    for item in index:
        if item is None:
            continue
        n = next(lengths)
        if isinstance(item, int):
            start, stop, step, item = item % n, item % n + 1, 1, slice(item, item + 1)
        else:
            start, stop, step = item.indices(n)
        count = len(range(start, stop, step))
        if step not in (1, -1) or count == 0:
            return None
        low = start if step == 1 else start - count + 1
        kept.append(count)
        widths.append((low, n - low - count))
        reversal.append("::-1" if step == -1 else ":")
    text = ct
    if tuple(kept) != shape_of(equation.inputs[0]):
        text = Text(f"np.reshape({text.text}, {tuple(kept)})")
    if "::-1" in reversal:
        text = Text(f"{text.within(ATOM)}[{', '.join(reversal)}]")
    if any(width != (0, 0) for width in widths):
        text = Text(f"np.pad({text.text}, {tuple(widths)})")
    return text


def _pad(equation: Equation, inputs: Sequence[Text]) -> Text:
    value = equation.params["constant_values"]
    more = "" if value == 0 and not np.signbit(value) else f", constant_values={_number(value).text}"
    return Text(f"np.pad({inputs[0].text}, {equation.params['pad_width']}{more})")


_SPELLED: dict[Callable[..., Any], Callable[[Equation, Sequence[Text]], Text]] = {
    np.negative: lambda equation, inputs: Text(f"-{inputs[0].within(SIGN)}", SIGN),
    np.positive: lambda equation, inputs: Text(f"+{inputs[0].within(SIGN)}", SIGN),
    np.square: lambda equation, inputs: Text(f"{inputs[0].within(ATOM)}**2", POWER),
    np.power: _power,
    np.transpose: _transpose,
    np.reshape: lambda equation, inputs: Text(f"np.reshape({inputs[0].text}, {equation.output.shape})"),
    np.broadcast_to: lambda equation, inputs: Text(f"np.broadcast_to({inputs[0].text}, {equation.output.shape})"),
    np.concatenate: lambda equation, inputs: Text(
        f"np.concatenate([{', '.join(text.text for text in inputs)}], axis={equation.params['axis']})"
    ),
    np.ndarray.astype: lambda equation, inputs: Text(
        f"{inputs[0].within(ATOM)}.astype({dtype_text(equation.params['dtype'])})"
    ),
    np.einsum: lambda equation, inputs: Text(
        f'np.einsum("{equation.params["subscripts"]}", {", ".join(text.text for text in inputs)})'
    ),
    np.pad: _pad,
    operator.getitem: _getitem,
    scatter: _scatter,
    **dict.fromkeys((np.sum, np.mean, np.max, np.min, np.all, np.any, np.argmax, np.argmin), _reduction),
}
