"""A program as data: an immutable list of equations, checked when it is built. Imports only primitives and errors.

Everything else about programs reads this list: passes, printer, executors and pictures are independent of each other.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.engine.table import Primitive
from autograd_spiral.errors import CaptureError

__all__ = ["Atom", "Check", "Equation", "Name", "Program", "Rank", "Value", "dtype_of", "has_dtype", "shape_of"]


@dataclass(frozen=True, eq=False, slots=True)
class Value:
    """An array in a program, before it is computed: only its shape and dtype are known.

    An equation computes it, or the caller passes it. Values are compared by identity: two values of the same shape and
    dtype are still different.

    >>> Value((3,), np.dtype(float)) == Value((3,), np.dtype(float))
    False
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def ndim(self) -> int:
        """The number of axes.

        >>> Value((300, 2), np.dtype(float)).ndim
        2
        """
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements.

        >>> Value((), np.dtype(float)).size
        1
        """
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """The memory that the elements take up, in bytes.

        >>> Value((300, 2), np.dtype(np.float32)).nbytes  # 4 bytes for each of the 600 elements
        2400
        """
        return self.size * self.dtype.itemsize


Atom: TypeAlias = Value | NDArray[Any] | bool | int | float
"""An argument of an equation: a value or a constant. Python numbers are weak, as in NumPy 2 promotion."""


def shape_of(atom: Atom) -> tuple[int, ...]:
    """Return the shape of a value or a constant."""
    return atom.shape if isinstance(atom, Value | np.ndarray) else ()


def dtype_of(atom: Atom) -> np.dtype[Any] | None:
    """Return the dtype of a value or an array; None for a Python number, which takes the dtype of the other operand.

    Use `has_dtype` for comparisons, since NumPy treats None as equal to float64.
    """
    return atom.dtype if isinstance(atom, Value | np.ndarray) else None


def has_dtype(atom: Atom, dtype: np.dtype[Any]) -> bool:
    """Return whether `atom` is a value or an array of this dtype."""
    return isinstance(atom, Value | np.ndarray) and atom.dtype == dtype


@dataclass(frozen=True, eq=False, slots=True)
class Equation:
    """One operation of a program: `output = primitive(*inputs, **params)`.

    `phase` is "forward", "backward" or "update". `scope` has the names of the scopes that the operation is in, and
    `place` is the line of code that recorded it. If the primitive was declared with `@primitive`, `body` has the
    equations of its function.

    >>> from autograd_spiral import capture
    >>> step = capture(lambda x: np.sum(x, axis=0))
    >>> _ = step(np.ones((5, 3)))
    >>> (equation,) = step.program.equations
    >>> equation.primitive, equation.params, equation.output.shape, equation.phase
    (<primitive np.sum>, {'axis': (0,), 'keepdims': False}, (3,), 'forward')
    """

    primitive: Primitive
    inputs: tuple[Atom, ...]
    params: Mapping[str, Any]
    output: Value
    phase: str = "forward"  # or "backward", or "update"
    scope: tuple[str, ...] = ()
    place: str | None = None
    body: tuple[Equation, ...] = ()  # the equations of a declared primitive; the last one computes `output`

    @property
    def function(self) -> Callable[..., Any]:
        """The function of the primitive: one of NumPy's, or a declared one.

        >>> from autograd_spiral import capture
        >>> step = capture(lambda x: np.exp(x))
        >>> _ = step(np.ones(3))
        >>> step.program.equations[0].function
        <ufunc 'exp'>
        """
        return self.primitive.function

    @property
    def elementwise(self) -> bool:
        """Whether each element of the output depends on only one element of each input, after broadcasting.

        >>> from autograd_spiral import capture
        >>> step = capture(lambda x: np.exp(x).sum())
        >>> _ = step(np.ones(3))
        >>> [equation.elementwise for equation in step.program.equations]
        [True, False]
        """
        return isinstance(self.function, np.ufunc) and self.function.signature is None

    @property
    def opaque(self) -> bool:
        """Whether this is a call of a declared primitive whose function could not be recorded as equations.

        >>> from autograd_spiral import capture, primitive
        >>> @primitive(None)  # None: it has no gradient
        ... def distinct(x):
        ...     return np.unique(x)  # this has no rule, so it cannot be recorded
        >>> step = capture(lambda x: distinct(x))
        >>> _ = step(np.array([2.0, 1.0]))
        >>> step.program.equations[0].opaque
        True
        """
        return self.primitive.body is not None and not self.body

    def reads(self) -> list[Value]:
        """Return the inputs that are values, without those that are constants.

        >>> from autograd_spiral import capture
        >>> step = capture(lambda x: 2 * x)
        >>> _ = step(np.ones(3))
        >>> step.program.equations[0].reads() == list(step.program.inputs)
        True
        """
        return [atom for atom in self.inputs if type(atom) is Value]


class Rank:
    """The ranks of names: where a name comes from, from the best source to the worst."""

    GIVEN, GRADIENT, STEP, CALLER, BODY = range(5)  # the user's; "d" + name; variables of the step, callees, bodies


class Name(NamedTuple):
    """A name for a value, with its rank: of two names, the one with the lower rank is better.

    The rank says where the name comes from. A name that the user gave to a tensor has the lowest rank.

    >>> min(Name(Rank.STEP, "total"), Name(Rank.GIVEN, "loss")).text
    'loss'
    """

    rank: int
    text: str


class Check(NamedTuple):
    """A condition on a value of a program: `function(value, *details)` raises an error if it does not hold.

    >>> from autograd_spiral import capture, softmax_cross_entropy
    >>> step = capture(lambda scores, y: softmax_cross_entropy(scores, y))
    >>> _ = step(np.zeros((2, 3)), np.array([0, 2]))
    >>> [check.value is step.program.inputs[1] for check in step.program.checks]  # only y is checked
    [True]
    """

    function: Callable[..., None]
    value: Value
    details: tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class Program:
    """The computation of a captured step, as a list of equations.

    - `inputs`: the arrays that are passed to a call.
    - `state`: the leaves that the step reads or assigns.
    - `outside`: the other arrays that it reads. `found` has their contents at capture.
    - `equations`: the operations, in an order in which they can be computed.
    - `outputs`: the results, which are values or constants.
    - `updates`: pairs of a state and its new value. A captured step has them in the order of `state`, which begins with
      the states that get a new value.
    - `checks`: conditions that are checked before the state changes.
    - `names`: the names of values.
    - `primals`: for each gradient, the value that it is the gradient with respect to.
    - `trained`: the states that require gradients.

    Raises `CaptureError` if an equation reads a value that no earlier equation computes, or computes a value a second
    time, or if a new state does not have the shape and dtype of the old one.

    >>> Program("f", inputs=(), state=(), equations=(), outputs=(Value((3,), np.dtype(float)),))
    Traceback (most recent call last):
      ...
    autograd_spiral.errors.CaptureError: f: no equation computes one of the results
    """

    name: str
    inputs: tuple[Value, ...]
    state: tuple[Value, ...]
    equations: tuple[Equation, ...]
    outputs: tuple[Atom, ...]
    updates: tuple[tuple[Value, Atom], ...] = ()
    outside: tuple[Value, ...] = ()
    checks: tuple[Check, ...] = ()
    names: Mapping[Value, Name] = field(default_factory=dict)
    found: Mapping[Value, NDArray[Any]] = field(default_factory=dict)
    primals: Mapping[Value, Value] = field(default_factory=dict)
    trained: frozenset[Value] = frozenset()

    def __post_init__(self) -> None:
        known: set[Value] = set()
        for given in (*self.inputs, *self.state, *self.outside):
            if given in known:
                raise CaptureError(f"{self.name}: {self.call(given)} is given twice")
            known.add(given)
        for equation in self.equations:
            name, output = equation.primitive.name, equation.output
            if not known.issuperset(equation.reads()):
                raise CaptureError(f"{self.name}: {name} reads a value before it is computed")
            if output in known:
                raise CaptureError(f"{self.name}: {name} computes {self.call(output)} again")
            if not isinstance(output.dtype, np.dtype) or not all(type(n) is int for n in output.shape):
                raise CaptureError(f"{self.name}: the shape and dtype of the result of {name} are not known")
            known.add(output)
        for state, new in self.updates:
            if state not in self.state or shape_of(new) != state.shape or not has_dtype(new, state.dtype):
                raise CaptureError(f"{self.name}: the new value of {self.call(state)} does not match that state")
        if not known.issuperset(self.results()):
            raise CaptureError(f"{self.name}: no equation computes one of the results")

    def call(self, value: Value) -> str:
        """Return how messages refer to `value`: by its name, or else by its shape.

        >>> x = Value((3,), np.dtype(float))
        >>> names = {x: Name(Rank.GIVEN, "x")}
        >>> Program("f", inputs=(x,), state=(), equations=(), outputs=(x,), names=names).call(x)
        'x'
        """
        return self.names[value].text if value in self.names else f"a value of shape {value.shape}"

    def results(self) -> Iterator[Value]:
        """Yield the values that must be computed: outputs, new state and checked values, but no constants.

        >>> x = Value((3,), np.dtype(float))
        >>> program = Program("f", inputs=(x,), state=(), equations=(), outputs=(2.0, x))
        >>> [value.shape for value in program.results()]  # 2.0 is a constant
        [(3,)]
        """
        atoms = (*self.outputs, *(new for _, new in self.updates), *(check.value for check in self.checks))
        return (atom for atom in atoms if isinstance(atom, Value))

    @functools.cached_property
    def uses(self) -> Counter[Value]:
        """How often each value is used: by equations, as a result, or by a check.

        >>> x = Value((3,), np.dtype(float))
        >>> Program("f", inputs=(x,), state=(), equations=(), outputs=(x, x)).uses[x]
        2
        """
        uses = Counter(value for equation in self.equations for value in equation.reads())
        uses.update(self.results())
        return uses

    def with_equations(self, equations: Iterator[Equation] | tuple[Equation, ...], **changes: Any) -> Self:
        """Return the same program with other equations.

        `changes` are new values of other fields, such as `name`. Raises the errors of `Program`.

        >>> x = Value((3,), np.dtype(float))
        >>> program = Program("f", inputs=(x,), state=(), equations=(), outputs=(x,))
        >>> program.with_equations((), name="g").name
        'g'
        """
        return replace(self, equations=tuple(equations), **changes)
