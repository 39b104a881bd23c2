"""The table in which the engine looks up functions: primitives, which have rules, and compositions of primitives.

A primitive is a function on arrays that the engine can differentiate: a NumPy function, or one declared with
`@primitive`. Its row says how to bind a call to arrays and parameters and how to evaluate it on arrays, and holds one
vector-Jacobian product (VJP) per array argument. A composition is a function of Tensors that calls primitives. The
engine itself enters no rows: a vocabulary does so, with `define` and `composes`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from autograd_spiral.engine.messages import name_of, no_rule

__all__ = [
    "COMPOSITIONS",
    "PRIMITIVES",
    "VALUE_FUNCTIONS",
    "VJP",
    "WHEN_MISSING",
    "Primitive",
    "attach",
    "composes",
    "define",
]

VJP = Callable[..., Any]
"""`vjp(ct, out, *args, **params)`: the cotangent of one argument, given the cotangent `ct` of the output `out`."""

Bind = Callable[..., tuple[tuple[Any, ...], dict[str, Any]]]


class Primitive:
    """A row of the rule table: a differentiable function, how it is called on arrays, and its gradient rules (VJPs).

    `function` is the key of the row. `bind` turns a user's call into arrays and parameters, and
    `evaluate(*arrays, **params)` returns the value. `body` is the decorated function if the row was made by
    `@primitive`, else None. `isolated` is True if the function and its rules are a user's: they might keep or change
    arrays, so the engine protects its own.

    `vjps` has one entry per array argument: its VJP, or None if the function has no gradient with respect to it. A
    function such as `np.concatenate` takes any number of arrays. The further ones share one rule, `rest`. It is called
    like a VJP, and returns a function from an argument's index to its cotangent, so that work that these arguments
    share is done only once. `rest=None` means that the further arguments have no gradient.

    >>> import numpy as np
    >>> row = PRIMITIVES[np.multiply]
    >>> row, row.arity  # the arity is the number of arrays
    (<primitive np.multiply>, 2)
    >>> row.vjps[0](1.0, 6.0, 2.0, 3.0)  # called with ct, out, x and y; returns ct * y
    3.0
    """

    __slots__ = (
        "arity",
        "bind",
        "body",
        "differentiable_arity",
        "evaluate",
        "function",
        "isolated",
        "name",
        "rest",
        "variadic",
        "vjps",
    )

    def __init__(
        self,
        function: Callable[..., Any],
        vjps: tuple[VJP | None, ...],
        *,
        bind: Bind | None = None,
        evaluate: Callable[..., Any] | None = None,
        body: Callable[..., Any] | None = None,
        isolated: bool = False,
        variadic: bool = False,
        rest: VJP | None = None,
    ) -> None:
        self.function = function
        self.name = name_of(function)
        self.vjps = vjps
        self.arity = len(vjps)
        self.differentiable_arity = -1 if None in vjps else self.arity  # -1: not all arguments have gradients
        self.bind = bind
        self.evaluate = evaluate or function
        self.body = body  # it also runs on Tensors
        self.isolated = isolated
        self.variadic = variadic
        self.rest = rest

    def vjps_for(self, count: int) -> tuple[VJP | None, ...]:
        """Return the VJP, or None, for each of `count` array arguments.

        Raises TypeError if the function does not take so many arrays.

        >>> import numpy as np
        >>> [vjp is not None for vjp in PRIMITIVES[np.where].vjps_for(3)]  # the condition has no gradient
        [False, True, True]
        """
        if count == len(self.vjps):
            return self.vjps
        if not self.variadic or count < len(self.vjps):
            raise TypeError(f"{self.name} takes {len(self.vjps)} array arguments but got {count}")
        return self.vjps + tuple(
            self.rest and functools.partial(self._rest_vjp, i) for i in range(len(self.vjps), count)
        )

    def _rest_vjp(self, i: int, *args: Any, **params: Any) -> Any:
        assert self.rest is not None
        return self.rest(*args, **params)(i)

    def argument(self, i: int) -> str:
        """Return how error messages refer to array argument `i`: by its number, and by its name if it has one.

        >>> import numpy as np
        >>> from autograd_spiral import relu
        >>> PRIMITIVES[relu].argument(0), PRIMITIVES[np.add].argument(1)
        ('argument 0 (x)', 'argument 1')
        """
        names = [] if self.body is None else list(inspect.signature(self.body).parameters)
        return f"argument {i} ({names[i]})" if i < len(names) else f"argument {i}"

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"


Function = Callable[..., Any]


class _Table(dict[Function, Primitive]):
    def __missing__(self, function: Function) -> Primitive:
        row: Primitive | None = self.get(function)
        if row is None:
            for enter in WHEN_MISSING:
                enter(function)
            if function in self:
                return self[function]
            raise no_rule(function)
        return row

    def get(self, function: Function, default: Any = None) -> Any:
        if function in self:
            return self[function]
        row = getattr(function, "_primitive", None)
        return row if isinstance(row, Primitive) and row.function is function else default  # not of one that it wraps


PRIMITIVES = _Table()
"""The rule table: maps a function to its row. Looking up a function without a row raises an error that names it.

A row that `attach` gave to a function is found too, although it is not in the table.
"""

WHEN_MISSING: list[Callable[[Function], None]] = []
"""Functions that are called with each function that has no row. They may enter a row for it, as for a library that is
imported later."""

COMPOSITIONS: dict[Function, Function] = {}
"""Maps a NumPy function to the function that composes it from primitives."""

VALUE_FUNCTIONS: set[Function] = set()
"""NumPy functions that only use the values of Tensors, such as those that write files: they get plain arrays."""


def define(function: Function, *vjps: VJP | None, **options: Any) -> Primitive:
    """Add a row to the table: `function`, one VJP per array argument, and any keyword arguments of `Primitive`."""
    PRIMITIVES[function] = row = Primitive(function, vjps, **options)
    return row


def attach(function: Function, *vjps: VJP | None, **options: Any) -> None:
    """Give `function` a row as `define` does, but outside the table, so that the row is deleted with the function."""
    function._primitive = Primitive(function, vjps, **options)  # type: ignore[attr-defined]


def composes(*originals: Function) -> Callable[[Function], Function]:
    """Enter the decorated function as the composition of each of the `originals`.

    It takes the arguments of its original. If it returns NotImplemented, the row of its original is used.
    """

    def enter(composition: Function) -> Function:
        COMPOSITIONS.update(dict.fromkeys(originals, composition))
        return composition

    return enter
