"""Modes: what recording does in this thread or task, kept in one ContextVar."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass, replace
from typing import Any

from autograd_spiral.engine.messages import stale

__all__ = ["MODE", "NO_TRACE", "Mode", "Observer", "Trace", "entering", "no_grad", "scope"]


class Observer:
    """Sees every recorded operation, and every cotangent that a sweep makes, while its mode is on."""

    def recorded(self, node: Any) -> None:
        """Called with each node that was made."""

    def swept(self, node: Any, argument: int, ct: Any, piece: Any) -> None:
        """Called with what the VJP of `node` in `argument` made of the cotangent `ct`."""

    def added(self, tensor: Any, ct: Any) -> None:
        """Called with the cotangent of `tensor` so far, whenever a piece of it has come in and was made to fit."""


class Trace:
    """Whom recording asks, and tells, what operations do not show. This one is for ordinary runs.

    It permits everything and keeps nothing. A captured step has a trace of its own: there a leaf that the step assigns
    is left alone, and holds its new value in the trace.
    """

    def permit(self, act: str, remedy: str) -> None:
        """Raise where `act` cannot be done, as in a captured step, saying the `remedy`."""

    def permit_index(self, index: Any) -> None:
        """Raise where a tensor cannot be indexed by `index`."""

    def value_of(self, tensor: Any) -> Any:
        """The array that `tensor` holds now."""
        return tensor._value

    def operands_of(self, node: Any, *, keep_graph: bool) -> tuple[Any, ...]:
        """The arguments of `node` with the values it was computed from, as tensors that rules can be recorded on.

        StaleLeafError where one has been assigned since; in a captured step, with `keep_graph` alone.
        """
        for arg, operand in zip(node.args, node.operands, strict=True):
            if type(arg) is type(node) and arg._value is not operand:
                raise stale(arg, node)
        return tuple(node.args)

    def assigned(self, leaf: Any, value: Any) -> None:
        """Give `leaf` the value of the tensor `value`."""
        leaf._value = value._value

    def aliased(self, leaf: Any, tensor: Any) -> None:
        """Called when `leaf` was made to hold the value of `tensor`, without its history."""

    def froze(self, original: Any, copy: Any) -> None:
        """Called when `copy` was made of the array `original`."""

    def verify(self, check: Any, values: Any, *details: Any) -> None:
        """Run `check(array, *details)` on the array behind `values`; what it raises may depend on the values."""
        check(getattr(values, "_value", values), *details)

    def named(self, tensor: Any, of: Any) -> None:
        """Called when `tensor` turns out to be the gradient with respect to `of`."""


NO_TRACE = Trace()


@dataclass(slots=True)  # and not frozen, which makes one in three times the time: models enter scopes in every step
class Mode:
    """How operations are recorded: whether at all, whether constants' too, in which phase, who watches, and where.

    A mode never changes: other contexts may hold it too.
    """

    recording: bool = True  # whether results can require gradients
    phase: str = "forward"  # "backward" while a sweep records the rules it applies
    constants: bool = False  # keep every operation, on constants and under `no_grad` too, as pictures and programs need
    observer: Observer | None = None
    scope: tuple[str, ...] = ()  # the names of the scopes we are in, outermost first
    trace: Trace = NO_TRACE  # of the capture we are in, if any


_PLAIN = Mode()
MODE: ContextVar[Mode] = ContextVar("autograd_spiral_mode", default=_PLAIN)


@contextmanager
def entering(**changes: Any) -> Iterator[Mode]:
    """The current mode with `changes`, restored at the end however the block ends."""
    mode = replace(MODE.get(), **changes)
    token = MODE.set(mode)
    try:
        yield mode
    finally:
        MODE.reset(token)


@contextmanager
def no_grad() -> Iterator[None]:
    """Compute without recording: a context manager, and a decorator when called (`@no_grad()`).

    Right under threads and asyncio: only the current one stops recording.

    >>> from autograd_spiral import Tensor, no_grad
    >>> w = Tensor([1.0, 2.0], requires_grad=True)
    >>> with no_grad():
    ...     doubled = 2 * w
    >>> doubled.requires_grad
    False
    """
    with entering(recording=False):
        yield


class scope:
    """Group the operations recorded within under `name`: pictures draw them in one frame, and programs note it.

    Scopes nest, and entering one of the same name again continues it. Raises TypeError unless `name` is a string,
    ValueError when it is empty.

    >>> from autograd_spiral import Tensor
    >>> x = Tensor(2.0, requires_grad=True)
    >>> with scope("layer 1"):
    ...     y = x * x
    >>> y.scope
    ('layer 1',)
    """

    # A class and not a generator, and its mode made by hand: models enter scopes in every step.

    __slots__ = ("_name", "_tokens")

    def __init__(self, name: str) -> None:
        if not isinstance(name, str):
            raise TypeError(f"scope: the name must be a string, not {type(name).__name__}")
        if not name:
            raise ValueError("scope: the name must not be empty, since pictures write it on the frame")
        self._name = name
        self._tokens: list[Token[Mode]] = []

    def __enter__(self) -> None:
        mode = MODE.get()
        inner = Mode(mode.recording, mode.phase, mode.constants, mode.observer, (*mode.scope, self._name), mode.trace)
        self._tokens.append(MODE.set(inner))

    def __exit__(self, *exception: object) -> None:
        MODE.reset(self._tokens.pop())
