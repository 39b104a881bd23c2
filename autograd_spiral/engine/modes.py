"""Modes: how operations are recorded in this thread or task, kept in one ContextVar."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass, replace
from typing import Any

from autograd_spiral.engine.messages import stale

__all__ = ["MODE", "NO_TRACE", "Mode", "Observer", "Trace", "entering", "no_grad", "scope"]


class Observer:
    """Hooks for every recorded operation, and for every cotangent that a sweep computes."""

    def recorded(self, node: Any) -> None:
        """Called with each result of a primitive, after it was recorded."""

    def swept(self, node: Any, argument: int, ct: Any, piece: Any) -> None:
        """Called with the `piece` that the VJP of `node` for `argument` computed from the cotangent `ct`."""

    def added(self, tensor: Any, ct: Any) -> None:
        """Called with the cotangent of `tensor` so far, after each contribution was cast to fit and added."""


class Trace:
    """Hooks for what recorded operations do not show, such as `assign` or reading a value.

    This class is for ordinary runs: it permits everything and keeps nothing. A captured step has its own trace: there,
    a leaf that the step assigns stays unchanged, and the trace holds its new value.
    """

    def permit(self, act: str, remedy: str) -> None:
        """Raise, naming the `remedy`, if `act` is not possible, as in a captured step."""

    def permit_index(self, index: Any) -> None:
        """Raise if a tensor cannot be indexed by `index`."""

    def value_of(self, tensor: Any) -> Any:
        """Return the array that `tensor` holds now."""
        return tensor._value

    def operands_of(self, node: Any, *, create_graph: bool) -> tuple[Any, ...]:
        """Return the arguments of `node` with the values it was computed from, as tensors for rules to be recorded on.

        Raises `StaleLeafError` if one was assigned since then; in a captured step, only with `create_graph`.
        """
        for arg, operand in zip(node.args, node.operands, strict=True):
            if type(arg) is type(node) and arg._value is not operand:
                raise stale(arg, node)
        return tuple(node.args)

    def assigned(self, leaf: Any, value: Any) -> None:
        """Give `leaf` the value of the tensor `value`."""
        leaf._value = value._value

    def aliased(self, leaf: Any, tensor: Any) -> None:
        """Called when `leaf` was created with the value of `tensor`, without its history."""

    def froze(self, original: Any, copy: Any) -> None:
        """Called when the array `original` was copied to `copy`."""

    def verify(self, check: Any, values: Any, *details: Any) -> None:
        """Run `check(array, *details)`, which raises for some values, on the array behind `values`."""
        check(getattr(values, "_value", values), *details)

    def named(self, tensor: Any, of: Any) -> None:
        """Called when `tensor` is found to be the gradient with respect to `of`."""


NO_TRACE = Trace()


# Not frozen: a frozen one takes three times as long to create, and models enter scopes in every step.
@dataclass(slots=True)
class Mode:
    """How operations are recorded: whether at all, whether on constants too, in which phase, who watches, and where.

    A mode never changes, since other contexts may hold it too.
    """

    recording: bool = True  # whether results can require gradients
    phase: str = "forward"  # "backward" while a sweep records the rules it applies
    constants: bool = False  # record all operations, also on constants and under `no_grad`, for pictures and programs
    observer: Observer | None = None
    scope: tuple[str, ...] = ()  # the names of the scopes we are in, outermost first
    trace: Trace = NO_TRACE  # that of the capture we are in, if any


_PLAIN = Mode()
MODE: ContextVar[Mode] = ContextVar("autograd_spiral_mode", default=_PLAIN)


@contextmanager
def entering(**changes: Any) -> Iterator[Mode]:
    """Enter a copy of the current mode with `changes`; restore the current mode at the end, even after an error."""
    mode = replace(MODE.get(), **changes)
    token = MODE.set(mode)
    try:
        yield mode
    finally:
        MODE.reset(token)


@contextmanager
def no_grad() -> Iterator[None]:
    """Compute without recording: a context manager, and a decorator when called (`@no_grad()`).

    Safe with threads and asyncio: recording stops in the current thread or task only.

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

    Scopes nest, and entering one of the same name again continues it. Raises TypeError unless `name` is a string, and
    ValueError if it is empty.

    >>> from autograd_spiral import Tensor
    >>> x = Tensor(2.0, requires_grad=True)
    >>> with scope("layer 1"):
    ...     y = x * x
    >>> y.scope
    ('layer 1',)
    """

    # A class and not a generator, and without `replace`: models enter scopes in every step, so it must be fast.

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
