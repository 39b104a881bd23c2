"""The table of example calls: it maps each function to functions that draw calls of it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy
from numpy.typing import NDArray

__all__ = [
    "EXAMPLES",
    "NONZERO",
    "POSITIVE",
    "REAL",
    "UNIT",
    "Domain",
    "Draw",
    "Example",
    "Function",
    "below",
    "example",
    "mask",
]

np: Any = numpy  # its stubs know nothing of Tensors
Array: TypeAlias = NDArray[Any]
Function: TypeAlias = Callable[..., Any]
Draw: TypeAlias = Callable[[numpy.random.Generator], Array]


@dataclass(frozen=True)
class Example:
    """A call: `function(*inputs)`. Inputs of integers and booleans are constants."""

    function: Function
    inputs: tuple[Array, ...]


@dataclass(frozen=True)
class Domain:
    """Numbers between `low` and `high`, and if `signed` their negatives; a `kink` is a point that examples include.

    >>> bool(np.all(abs(Domain(1, 2, signed=True).draw(np.random.default_rng(0), (100,))) >= 1))
    True
    """

    low: float = -2
    high: float = 2
    signed: bool = False
    kink: float | None = None

    def draw(self, rng: numpy.random.Generator, shape: tuple[int, ...]) -> Array:
        """Return an array of random numbers from the domain.

        >>> Domain(0.5, 0.5).draw(np.random.default_rng(0), (2,))
        array([0.5, 0.5])
        """
        values = rng.uniform(self.low, self.high, shape)
        return values * rng.choice([-1, 1], shape) if self.signed else values

    def __call__(self, *shape: int) -> Draw:
        """Return a function that draws an array of this shape; its first element is the kink, if there is one."""

        def draw(rng: numpy.random.Generator) -> Array:
            x = self.draw(rng, shape)
            if self.kink is not None:
                x.flat[0] = self.kink
            return x

        return draw


REAL, POSITIVE, NONZERO, UNIT = Domain(), Domain(0.4, 3), Domain(0.4, 2, signed=True), Domain(-0.7, 0.7)

EXAMPLES: dict[Function, list[Callable[[numpy.random.Generator], Example]]] = {}
"""Maps each function to the functions that draw example calls of it."""


def example(
    functions: Function | tuple[Function, ...], *draws: Draw, call: Function | None = None, **params: Any
) -> None:
    """Enter an example of each of `functions`: a call with arrays from `draws` and the keyword arguments `params`.

    `call(function, *arrays, **params)` makes the call if it has another form.

    >>> example(np.flip, REAL(2, 3), axis=1)
    >>> drawn = EXAMPLES[np.flip].pop()(np.random.default_rng(0))
    >>> bool(np.all(drawn.function(*drawn.inputs) == drawn.inputs[0][:, ::-1]))
    True
    """
    for function in functions if isinstance(functions, tuple) else (functions,):
        called = functools.partial(call, function) if call else function
        called = functools.partial(called, **params) if params else called
        EXAMPLES.setdefault(function, []).append(functools.partial(_drawn, called, draws))


def _drawn(function: Function, draws: tuple[Draw, ...], rng: numpy.random.Generator) -> Example:
    return Example(function, tuple(draw(rng) for draw in draws))


def below(high: int, *shape: int) -> Draw:
    """Return a function that draws integers from 0 to `high - 1`.

    >>> below(1, 3)(np.random.default_rng(0))
    array([0, 0, 0])
    """
    return lambda rng: rng.integers(0, high, shape)


def mask(*shape: int) -> Draw:
    """Return a function that draws booleans.

    >>> mask(3)(np.random.default_rng(0)).dtype
    dtype('bool')
    """
    return lambda rng: rng.integers(0, 2, shape).astype(bool)
