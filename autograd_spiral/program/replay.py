"""Replay: a program as straight-line Python that computes in buffers made beforehand.

Each equation becomes one call or two, with `out=` into a buffer; a buffer is reused as soon as its value is dead, and
an elementwise result takes the place of an operand that dies. Views are taken once. Results are fresh arrays.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.program.buffers import Block, Memory, aligned, column_ordered
from autograd_spiral.program.equations import Atom, Equation, Program, Value, shape_of
from autograd_spiral.program.kernels import (
    AFFINE,
    COLUMN_SUMS,
    MASKED_PRODUCT_AND_SUMS,
    PICK,
    PRODUCT_AND_SUMS,
    SUM_OF_SQUARES,
    respelled,
)
from autograd_spiral.program.optimise import readable
from autograd_spiral.rules import ARRAY, scatter

__all__ = ["compiled"]

Run = Callable[..., tuple[Any, ...]]


def compiled(program: Program) -> Run:
    """The function `run(*inputs, *state, *outside)` that gives the outputs and then the new state, fresh frozen arrays.

    It is not safe to be called by two threads at once, since its buffers are shared by all calls.
    """
    return _Compiler(respelled(readable(program))).run()


_OPERATORS = {np.add: "+", np.subtract: "-", np.multiply: "*", np.divide: "/", np.negative: "-"}
_REDUCE = {np.sum: np.add, np.max: np.maximum, np.min: np.minimum, np.all: np.logical_and, np.any: np.logical_or}


_FEW = 1024
"""Up to so many elements are summed by a dot product with ones."""

_SHORT = 4
"""Rows of so many elements are combined column by column."""


class _Compiler:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.columns = column_ordered(program)
        self.memory = Memory()
        self.bound: dict[str, Any] = {}  # what the code names: functions, buffers, views, constants
        self.lines: list[str] = []
        self.array: dict[Value, NDArray[Any]] = {}  # of values that are in buffers
        self.local: dict[Value, str] = {}  # of values that are new at each call
        self.fresh: set[Value] = set()  # locals that nothing else holds
        self.block: dict[Value, Block] = {}  # of each value that is a view or a whole of a block: that block
        self.whole: set[Value] = set()  # values that are all of their block
        self.ends: dict[Block, int] = {}  # the last equation that reads a block
        self.column: dict[Value, tuple[NDArray[Any], NDArray[Any]]] = {}  # `[x 1]`, and x in it
        self.results = set(program.results())
        self._names: dict[int, str] = {}
        self._constants: dict[tuple[int, bool], NDArray[Any]] = {}  # in the order of axes that they are read in
        self._last = self._last_reads()
        self.shown = {value for e in program.equations if e.function in _VIEWS for value in e.reads()}

    def run(self) -> Run:
        """The function."""
        program = self.program
        given = (*program.inputs, *program.state, *program.outside)
        for i, value in enumerate(given):
            self.local[value] = f"x{i}"
        checks: dict[Value, list[Any]] = {}
        for check in program.checks:
            checks.setdefault(check.value, []).append(check)
        for value in given:
            self._check(checks.get(value, ()))
        self._augment()
        for position, equation in enumerate(program.equations):
            self._emit(position, equation)
            self._check(checks.get(equation.output, ()))
            self._release(position)
        results = (*program.outputs, *(new for _, new in program.updates))
        returned = [self._result(i, atom) for i, atom in enumerate(results)]
        self.lines.append(f"return ({''.join(f'{name}, ' for name in returned)})")
        arguments = ", ".join(self.local[value] for value in given)
        body = "\n        ".join(self.lines)
        text = f"def make({', '.join(self.bound)}):\n    def run({arguments}):\n        {body}\n    return run\n"
        names: dict[str, Any] = {}
        exec(compile(text, f"<replay of {program.name}>", "exec"), names)
        made: Run = names["make"](**self.bound)
        return made

    # --- what is alive -------------------------------------------------------------------------------------------

    def _last_reads(self) -> dict[Value, int]:
        """The position of the last equation that reads each value; results are read at the end."""
        last: dict[Value, int] = {}
        for position, equation in enumerate(self.program.equations):
            last[equation.output] = position
            for value in equation.reads():
                last[value] = position
        for value in self.results:
            last[value] = len(self.program.equations)
        return last

    def _hold(self, value: Value, block: Block) -> None:
        """Keep `block` until `value` has been read for the last time."""
        self.block[value] = block
        self.ends[block] = max(self.ends.get(block, -1), self._last[value])

    def _release(self, position: int) -> None:
        for block in [block for block, end in self.ends.items() if end <= position]:
            del self.ends[block]
            self.memory.free(block)

    def _dies(self, value: Value, position: int) -> bool:
        block = self.block.get(value)
        return block is not None and value in self.whole and self.ends[block] == position

    # --- names in the code ---------------------------------------------------------------------------------------

    def _bind(self, thing: Any, name: str = "a") -> str:
        """A name for a constant thing."""
        if id(thing) not in self._names:
            self._names[id(thing)] = known = f"{name}{len(self.bound)}"
            self.bound[known] = thing
        return self._names[id(thing)]

    def _text(self, atom: Atom) -> str:
        if isinstance(atom, Value):
            return self._bind(self.array[atom]) if atom in self.array else self.local[atom]
        if isinstance(atom, np.ndarray):
            return self._bind(atom)
        return repr(atom) if type(atom) is not float or math.isfinite(atom) else self._bind(atom)

    def _texts(self, atoms: Iterable[Atom]) -> str:
        return ", ".join(map(self._text, atoms))

    def _check(self, checks: Iterable[Any]) -> None:
        for check in checks:
            details = "".join(f", {self._bind(detail)}" for detail in check.details)
            self.lines.append(f"{self._bind(check.function, 'check')}({self._text(check.value)}{details})")

    def _result(self, position: int, atom: Atom) -> str:
        """The name of a fresh and frozen array."""
        name = f"out{position}"
        if not (isinstance(atom, Value) and atom in self.fresh):
            text = f"{self._bind(np.array, 'copy')}({self._text(atom)})"
        elif atom.shape:
            text = self.local[atom]  # and not a copy of it in a buffer
        else:
            text = f"{self._bind(np.asarray, 'array')}({self.local[atom]})"  # of a number
        self.lines.append(f"{name} = {text}")
        self.lines.append(f"{name}.setflags(False)")
        return name

    # --- where results go ----------------------------------------------------------------------------------------

    def _local(self, value: Value, text: str, *, fresh: bool = True) -> None:
        """A value that is new at each call."""
        self.local[value] = name = f"v{len(self.local)}"
        if fresh:
            self.fresh.add(value)
        self.lines.append(f"{name} = {text}")

    def _buffer(self, value: Value, position: int, operands: Iterable[Atom] = ()) -> NDArray[Any]:
        """The buffer for a result; one of `operands`, of an elementwise function, if it dies with this equation."""
        if value in self.array:  # decided beforehand
            return self.array[value]
        order = "F" if value in self.columns else "C"
        values = [atom for atom in operands if isinstance(atom, Value)]
        for operand in values:
            alike = operand.shape == value.shape and operand.dtype == value.dtype and operand in self.array
            if not (alike and self._dies(operand, position) and (operand in self.columns) == (value in self.columns)):
                continue
            if all(v is operand or self.block.get(v) is not self.block[operand] for v in values):
                self.array[value] = self.array[operand]
                self.whole.add(value)
                self._hold(value, self.block[operand])
                return self.array[value]
        block = self.memory.take(value)
        self.array[value] = block.array(value, order)
        self.whole.add(value)
        self._hold(value, block)
        return self.array[value]

    def _view(self, value: Value, of: Value, view: NDArray[Any]) -> None:
        self.array[value] = view
        if of in self.block:
            self._hold(value, self.block[of])

    def _augment(self) -> None:
        """Room for `[x 1]` wherever an affine map needs it; what is given is copied there at each call."""
        made = {equation.output: equation for equation in self.program.equations}
        for equation in self.program.equations:
            if equation.primitive is not AFFINE:
                continue
            x = equation.inputs[0]
            if not isinstance(x, Value) or x in self.column:
                continue
            producer = made.get(x)
            if producer is not None and (x not in self.columns or not _computes(producer) or x in self.results):
                continue
            whole = aligned((x.shape[0], x.shape[1] + 1), x.dtype, "F")
            whole[:, -1] = 1
            self.column[x] = whole, whole[:, :-1]
            if producer is None:
                self.lines.append(f"{self._bind(whole[:, :-1])}[...] = {self.local[x]}")
            self.array[x] = whole[:, :-1]
            while producer is not None:  # what x is computed from elementwise, and nothing else reads, goes there too
                producer = self._in_place_of(producer, made)

    def _in_place_of(self, equation: Equation, made: dict[Value, Equation]) -> Equation | None:
        position = self.program.equations.index(equation)
        for operand in equation.reads() if equation.elementwise else ():
            producer = made.get(operand)
            if producer is None or operand in self.array or operand not in self.columns or not _computes(producer):
                continue
            if operand in self.shown:  # by a view that may be read later
                continue
            alike = operand.shape == equation.output.shape and operand.dtype == equation.output.dtype
            if alike and self._last[operand] == position:
                self.array[operand] = self.array[equation.output]
                return producer
        return None

    # --- equations -----------------------------------------------------------------------------------------------

    def _emit(self, position: int, equation: Equation) -> None:
        function, output = equation.function, equation.output
        if equation.primitive in _KERNELS:
            _KERNELS[equation.primitive](self, position, equation)
        elif function in _VIEWS and (function is not operator.getitem or len(equation.inputs) == 1):
            self._show(position, equation)
        elif isinstance(function, np.ufunc):
            self._ufunc(position, equation)
        elif function in _REDUCE:
            self._reduce(position, equation)
        elif function in _FILLED and output.ndim and output not in self.results:
            _FILLED[function](self, position, equation)
        elif function is np.ndarray.astype and output.ndim == 0:
            self._local(output, f"{self._bind(output.dtype.type, 'number')}({self._texts(equation.inputs)})")
        else:
            call = functools.partial(equation.primitive.evaluate, **equation.params)
            text = f"{self._bind(call, 'f')}({self._texts(equation.inputs)})"
            if function is np.einsum and len(equation.inputs) == 1:
                text = f"{self._bind(np.array, 'copy')}({text})"  # of what may be a view
            if equation.opaque:  # it may keep or give away what it is given
                frozen = self._bind(_called_with_copies(equation), "f")
                text = f"{frozen}({self._texts(equation.inputs)})"
            self._local(output, text)

    def _ufunc(self, position: int, equation: Equation) -> None:
        function, output = equation.function, equation.output
        texts = [self._text(self._in_order(atom, output)) for atom in equation.inputs]
        if output.ndim == 0 and function in _OPERATORS:
            sign = _OPERATORS[function]
            text = f" {sign} ".join(f"({t})" if t.startswith("-") else t for t in texts)
            self._local(output, text if len(texts) > 1 else f"{sign}{text}")
            return
        called = self._bind(function, "f")
        if output.ndim == 0 or (output in self.results and output not in self.array):
            self._local(output, f"{called}({', '.join(texts)})")
            return
        operands = equation.inputs if equation.elementwise else ()
        out = self._bind(self._buffer(output, position, operands))
        word = "out=" if function in (np.maximum, np.minimum) else ""  # where a third array by position is deprecated
        self.lines.append(f"{called}({', '.join(texts)}, {word}{out})")

    def _in_order(self, atom: Atom, output: Value) -> Atom:
        """`atom`, if it is a constant array of the shape of `output`, in the order of axes in which that is kept."""
        if not isinstance(atom, np.ndarray) or atom.shape != output.shape or atom.size == 1:
            return atom
        key = id(atom), output in self.columns
        if key not in self._constants:
            ordered = aligned(atom.shape, atom.dtype, "F" if output in self.columns else "C")
            ordered[...] = atom
            self._constants[key] = ordered
        return self._constants[key]

    def _reduce(self, position: int, equation: Equation) -> None:
        output, params = equation.output, equation.params
        x = equation.inputs[0]
        called = self._bind(_REDUCE[equation.function].reduce, "reduce")
        if output.ndim == 0:
            text = self._text(x)
            array = self.array.get(x) if isinstance(x, Value) else None
            if array is not None and (array.flags.c_contiguous or array.flags.f_contiguous):
                flat = array.reshape(-1, order="C" if array.flags.c_contiguous else "F")
                if equation.function is np.sum and _sums_by_dot(array, output):
                    ones = self._bind(np.ones(array.size, array.dtype))
                    self._local(output, f"{self._bind(np.vdot, 'f')}({self._bind(flat)}, {ones})")
                    return
                self._local(output, f"{called}({self._bind(flat)})")
            else:
                self._local(output, f"{called}({text}, None)")
        elif output in self.results:
            self._local(output, f"{called}({self._text(x)}, {params['axis']}, None, None, {params['keepdims']})")
        else:
            buffer = self._buffer(output, position)
            if isinstance(x, Value) and self._combines_columns(equation, x):
                self._combine(_REDUCE[equation.function], self.array[x], buffer.reshape(-1))
                return
            out = self._bind(buffer)
            self.lines.append(f"{called}({self._text(x)}, {params['axis']}, None, {out}, {params['keepdims']})")

    def _combines_columns(self, equation: Equation, x: Value) -> bool:
        """Whether this is the reduction of short rows, kept by columns, without a change of dtype."""
        short = x.ndim == 2 and 2 <= x.shape[1] <= _SHORT and x.shape[1] < x.shape[0]
        return (
            short
            and x in self.columns
            and x in self.array
            and equation.params["axis"] == (1,)
            and x.dtype == equation.output.dtype
        )

    def _combine(self, ufunc: np.ufunc, matrix: NDArray[Any], out: NDArray[Any]) -> None:
        """Column after column: each is a long loop, where a reduction of rows makes many short ones."""
        called, name = self._bind(ufunc, "f"), self._bind(out)
        before = self._bind(matrix[:, 0])
        for i in range(1, matrix.shape[1]):
            self.lines.append(f"{called}({before}, {self._bind(matrix[:, i])}, out={name})")
            before = name

    def _show(self, position: int, equation: Equation) -> None:
        """A view: taken now if its base is in a buffer, else at each call."""
        output, x = equation.output, equation.inputs[0]
        evaluate = functools.partial(equation.primitive.evaluate, **equation.params)
        if output.ndim == 0:
            at: tuple[Any, ...] = ()
            if equation.function is operator.getitem:
                at = tuple(item for item in equation.params["index"] if item is not Ellipsis)  # which gives a view
            if equation.function is np.reshape:
                at = (0,) * len(shape_of(x))
            self._local(output, f"{self._text(x)}[{self._bind(at)}]")  # of an array, a number: not a view
            return
        base = self.array.get(x) if isinstance(x, Value) else x
        if isinstance(base, np.ndarray):
            view = evaluate(base)
            if np.may_share_memory(view, base) or not isinstance(x, Value):
                self._view(output, x, view) if isinstance(x, Value) else self.array.__setitem__(output, view)
                return
        if equation.function is np.broadcast_to:
            out = self._bind(self._buffer(output, position))
            self.lines.append(f"{out}[...] = {self._text(x)}")
        elif equation.function is np.transpose and equation.params["axes"] == tuple(range(output.ndim))[::-1]:
            self._local(output, f"{self._text(x)}.T", fresh=False)
        elif equation.function is operator.getitem:
            self._local(output, f"{self._text(x)}[{self._bind(equation.params['index'])}]", fresh=False)
        else:
            self._local(output, f"{self._bind(evaluate, 'f')}({self._text(x)})", fresh=False)

    # --- kernels -------------------------------------------------------------------------------------------------

    def _affine(self, position: int, equation: Equation) -> None:
        x, W, b = equation.inputs
        if not isinstance(x, Value) or x not in self.column:
            product = self._buffer(equation.output, position)
            out = self._bind(product)
            self.lines.append(f"{self._bind(np.matmul, 'f')}({self._text(x)}, {self._text(W)}, {out})")
            self.lines.append(f"{self._bind(np.add, 'f')}({out}, {self._text(b)}, {out})")
            return
        rows, width = shape_of(W)
        stacked = aligned((rows + 1, width), equation.output.dtype)
        for atom, part in ((W, stacked[:rows]), (b, stacked[rows:])):
            if not isinstance(atom, Value):
                part[...] = atom
                continue
            self.lines.append(f"{self._bind(part)}[...] = {self._text(atom)}")
            if atom in self.local and atom.shape == part.shape:  # from here on, its copy is at hand
                self.array[atom] = part
        out = self._bind(self._buffer(equation.output, position))
        whole = self._bind(self.column[x][0])
        self.lines.append(f"{self._bind(np.matmul, 'f')}({whole}, {self._bind(stacked)}, {out})")

    def _product_and_sums(self, position: int, equation: Equation) -> None:
        x, y = equation.inputs
        out = self._buffer(equation.output, position)
        if isinstance(x, Value) and x in self.column:
            left = self.column[x][0].T
            self.lines.append(f"{self._bind(np.matmul, 'f')}({self._bind(left)}, {self._text(y)}, {self._bind(out)})")
            return
        turned = f"{self._text(x)}.T"
        self.lines.append(f"{self._bind(np.matmul, 'f')}({turned}, {self._text(y)}, {self._bind(out[:-1])})")
        ones = np.ones((1, shape_of(y)[0]), equation.output.dtype)
        self.lines.append(f"{self._bind(np.matmul, 'f')}({self._bind(ones)}, {self._text(y)}, {self._bind(out[-1:])})")

    def _masked_product_and_sums(self, position: int, equation: Equation) -> None:
        x, a, b, m = equation.inputs
        left = self.array.get(a) if isinstance(a, Value) else None
        if left is None or not isinstance(x, Value) or x not in self.column:
            self._local(equation.output, f"{self._bind(equation.function, 'f')}({self._texts(equation.inputs)})")
            return
        right, dtype = self.column[x][0], equation.output.dtype
        (rows, inner), (columns, width) = left.shape, equation.output.shape
        products = aligned((inner, columns, rows), dtype)
        sums = aligned((inner, columns, width), dtype)
        multiply, matmul, add = (self._bind(f, "f") for f in (np.multiply, np.matmul, np.add.reduce))
        by_row, total = self._bind(products.reshape(-1, rows)), self._bind(sums)
        self.lines += [
            f"{multiply}({self._bind(left.T[:, None])}, {self._bind(right.T)}, {self._bind(products)})",
            f"{matmul}({by_row}, {self._text(m)}, {self._bind(sums.reshape(-1, width))})",
            f"{multiply}({total}, {self._text(b)}[:, None], {total})",
            f"{add}({total}, 0, None, {self._bind(self._buffer(equation.output, position))})",
        ]

    def _column_sums(self, position: int, equation: Equation) -> None:
        (x,) = equation.inputs
        ones = self._bind(np.ones((1, shape_of(x)[0]), equation.output.dtype))
        called = f"{self._bind(np.matmul, 'f')}({ones}, {self._text(x)}"
        if equation.output in self.results:
            self._local(equation.output, f"{called})")
        else:
            self.lines.append(f"{called}, {self._bind(self._buffer(equation.output, position))})")

    def _sum_of_squares(self, position: int, equation: Equation) -> None:
        (x,) = equation.inputs
        text = self._text(x)
        array = self.array.get(x) if isinstance(x, Value) else None
        if array is not None and array.flags.f_contiguous:
            text = self._bind(array.T)  # vdot would copy what is not row by row
        self._local(equation.output, f"{self._bind(np.vdot, 'f')}({text}, {text})")

    def _pick(self, position: int, equation: Equation) -> None:
        x, index = equation.inputs
        array = self.array.get(x) if isinstance(x, Value) else None
        rows, columns = shape_of(x)
        if array is None or not (array.flags.c_contiguous or array.flags.f_contiguous):
            pick = self._bind(functools.partial(operator.getitem), "f")
            at = self._bind(np.arange(rows))
            self._local(equation.output, f"{pick}({self._text(x)}, ({at}, {self._text(index)}))")
            return
        by_row = array.flags.c_contiguous
        flat = array.reshape(-1, order="C" if by_row else "F")
        starts = np.arange(rows) * (columns if by_row else 1)
        places = self._bind(aligned((rows,), np.dtype(np.intp)))
        stride = self._bind(np.intp(1 if by_row else rows))
        self.lines.append(f"{self._bind(np.multiply, 'f')}({self._text(index)}, {stride}, {places})")
        self.lines.append(f"{self._bind(np.add, 'f')}({places}, {self._bind(starts)}, {places})")
        take = self._bind(flat.take, "take")
        if equation.output in self.results:
            self._local(equation.output, f"{take}({places})")
        else:
            out = self._bind(self._buffer(equation.output, position))
            self.lines.append(f"{take}({places}, None, {out}, 'clip')")  # all are in range: 'clip' just checks nothing

    # --- functions that fill a buffer ----------------------------------------------------------------------------

    def _astype(self, position: int, equation: Equation) -> None:
        out = self._bind(self._buffer(equation.output, position))
        self.lines.append(f"{self._bind(np.copyto, 'f')}({out}, {self._texts(equation.inputs)}, 'unsafe')")

    def _concatenate(self, position: int, equation: Equation) -> None:
        out = self._bind(self._buffer(equation.output, position))
        parts = f"({self._texts(equation.inputs)},)"
        self.lines.append(f"{self._bind(np.concatenate, 'f')}({parts}, {equation.params['axis']}, {out})")

    def _einsum(self, position: int, equation: Equation) -> None:
        out = self._bind(self._buffer(equation.output, position))
        subscripts = self._bind(equation.params["subscripts"])
        self.lines.append(f"{self._bind(np.einsum, 'f')}({subscripts}, {self._texts(equation.inputs)}, out={out})")

    def _cumsum(self, position: int, equation: Equation) -> None:
        out = self._bind(self._buffer(equation.output, position))
        accumulate = self._bind(np.add.accumulate, "f")
        self.lines.append(f"{accumulate}({self._texts(equation.inputs)}, {equation.params['axis']}, None, {out})")

    def _pad(self, position: int, equation: Equation) -> None:
        buffer = self._buffer(equation.output, position)
        widths = zip(equation.params["pad_width"], shape_of(equation.inputs[0]), strict=True)
        inner = buffer[tuple(slice(before, before + n) for (before, _), n in widths)]
        self.lines.append(f"{self._bind(buffer)}.fill({self._bind(equation.params['constant_values'])})")
        self.lines.append(f"{self._bind(inner)}[...] = {self._texts(equation.inputs)}")

    def _scatter(self, position: int, equation: Equation) -> None:
        buffer, index = self._buffer(equation.output, position), equation.params["index"]
        out = self._bind(buffer)
        self.lines.append(f"{out}.fill(0)")
        ct, *arrays = equation.inputs
        if not arrays:
            self.lines.append(f"{out}[{self._bind(index)}] = {self._text(ct)}")
            return
        remaining = iter(arrays)
        items = [self._text(next(remaining)) if item is ARRAY else self._bind(item) for item in index]
        self.lines.append(f"{self._bind(np.add.at, 'f')}({out}, ({', '.join(items)},), {self._text(ct)})")


def _sums_by_dot(array: NDArray[Any], output: Value) -> bool:
    """Whether the elements are so few that a dot product with ones is done before a reduction has begun."""
    return array.dtype.char in "fd" and array.dtype == output.dtype and array.size <= _FEW


def _computes(equation: Equation) -> bool:
    """Whether the equation can write its result anywhere."""
    return isinstance(equation.function, np.ufunc) or equation.primitive is AFFINE


def _called_with_copies(equation: Equation) -> Callable[..., Any]:
    """An opaque primitive, called with frozen copies as it is while recording; its result is copied."""

    def call(*operands: Any) -> NDArray[Any]:
        frozen = [np.array(operand) if isinstance(operand, np.ndarray) else operand for operand in operands]
        for operand in frozen:
            if isinstance(operand, np.ndarray):
                operand.flags.writeable = False
        return np.array(equation.primitive.evaluate(*frozen, **equation.params))

    return call


_VIEWS = (np.transpose, np.reshape, np.broadcast_to, operator.getitem)
_KERNELS = {
    AFFINE: _Compiler._affine,
    PRODUCT_AND_SUMS: _Compiler._product_and_sums,
    COLUMN_SUMS: _Compiler._column_sums,
    MASKED_PRODUCT_AND_SUMS: _Compiler._masked_product_and_sums,
    SUM_OF_SQUARES: _Compiler._sum_of_squares,
    PICK: _Compiler._pick,
}
_FILLED = {
    np.ndarray.astype: _Compiler._astype,
    np.concatenate: _Compiler._concatenate,
    np.einsum: _Compiler._einsum,
    np.cumsum: _Compiler._cumsum,
    np.pad: _Compiler._pad,
    scatter: _Compiler._scatter,
}
