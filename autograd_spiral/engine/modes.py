"""Modes: how operations are recorded in this thread or task, kept in one ContextVar."""

from __future__ import annotations

import functools
import inspect
import weakref
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, NoReturn, TypeVar

from autograd_spiral.engine.messages import stale

__all__ = ["MODE", "NO_TRACE", "Called", "Mode", "Observer", "Trace", "entering", "no_grad", "scope"]

F = TypeVar("F", bound=Callable[..., Any])


class Observer:
    """Hooks for every recorded operation, and for every cotangent that a sweep computes."""

    def recorded(self, node: Any) -> None:
        """Receive each result of a primitive, after it was recorded."""

    def swept(self, node: Any, argument: int, ct: Any, piece: Any) -> None:
        """Receive the `piece` that the VJP of `node` for `argument` computed from the cotangent `ct`."""

    def added(self, tensor: Any, ct: Any) -> None:
        """Receive the cotangent of `tensor` so far, each time a contribution has been added."""


class Trace:
    """Hooks for actions that are not recorded as operations, such as `assign` or reading a value.

    This class is for ordinary runs: it permits everything and keeps nothing. A captured step has its own trace: there,
    a leaf that the step assigns stays unchanged, and the trace holds its new value.
    """

    def permit(self, act: str, remedy: str, converted: Any = None) -> None:
        """Raise an error that names the `remedy` if `act` is not possible, as while a step is captured.

        `converted` is the tensor if `act` makes a plain array of it.
        """

    def permit_index(self, index: Any) -> None:
        """Raise an error if a tensor cannot be indexed by `index`."""

    def value_of(self, tensor: Any) -> Any:
        """Return the array that `tensor` holds now."""
        return tensor._value

    def operands_of(self, node: Any, *, create_graph: bool) -> tuple[Any, ...]:
        """Return the arguments of `node`, as tensors on which its rules can be recorded.

        They have the values from which `node` was computed. Raises `StaleLeafError` if one of them was given another
        value after that; while a step is captured, this is an error only with `create_graph`.
        """
        for arg, operand in zip(node.args, node.operands, strict=True):
            if type(arg) is type(node) and arg._value is not operand:
                raise stale(arg, node)
        return tuple(node.args)

    def assigned(self, leaf: Any, value: Any) -> None:
        """Give `leaf` the value of the tensor `value`."""
        leaf._value = value._value

    def aliased(self, leaf: Any, tensor: Any) -> None:
        """Note that `leaf` was created with the value of `tensor`, without its history."""

    def froze(self, original: Any, copy: Any) -> None:
        """Note that the array `original` was copied to `copy`."""

    def verify(self, check: Any, values: Any, *details: Any) -> None:
        """Run `check(array, *details)`, which raises for some values, on the array behind `values`."""
        check(getattr(values, "_value", values), *details)

    def named(self, tensor: Any, of: Any) -> None:
        """Receive `tensor`, the gradient with respect to `of`."""


NO_TRACE = Trace()


# Not frozen: a frozen one takes three times as long to create, and models enter scopes in every step.
@dataclass(slots=True)
class Mode:
    """How operations are recorded: whether at all, whether on constants too, in which phase, and with which observer.

    A mode never changes, since other contexts may hold it too. The mode of a `with` block also holds the mode around
    the block (`outside`), how it differs from that one (`changes`: the name of a scope, or new values of fields), and a
    weak reference to the object that was entered (`entered`).
    """

    recording: bool = True  # whether results can require gradients
    phase: str = "forward"  # "backward" while a sweep records the rules it applies
    constants: bool = False  # record all operations, also on constants and under `no_grad`, for pictures and programs
    observer: Observer | None = None
    scope: tuple[str, ...] = ()  # the names of the scopes we are in, outermost first
    trace: Trace = NO_TRACE  # the trace of the capture we are in, if any
    transform: str = ""  # the name of the transform whose function we are in, if any
    outside: Mode | None = None
    changes: str | dict[str, Any] = ""
    entered: weakref.ref[entering] | None = None


_PLAIN = Mode()
MODE: ContextVar[Mode] = ContextVar("autograd_spiral_mode", default=_PLAIN)


def _inside(outside: Mode, changes: str | dict[str, Any], entered: weakref.ref[entering] | None) -> Mode:
    """Return the mode of a block with `changes`."""
    mode = outside
    if type(changes) is str:  # without `replace`: models enter scopes in every step, so it must be fast
        names, trace = (*mode.scope, changes), mode.trace
        watched = mode.recording, mode.phase, mode.constants, mode.observer
        return Mode(*watched, names, trace, mode.transform, mode, changes, entered)
    assert type(changes) is dict
    return replace(mode, **changes, outside=mode, changes=changes, entered=entered)


def _without(mode: Mode, left: entering | weakref.ref[entering]) -> Mode:
    """Return `mode` without the innermost changes that `left` made; return it unchanged if there are none here."""
    if mode.outside is None or mode.entered is None:
        return mode
    if mode.entered() is left or mode.entered is left:
        return mode.outside
    outside = _without(mode.outside, left)
    return mode if outside is mode.outside else _inside(outside, mode.changes, mode.entered)


class entering:
    """Change how operations are recorded, in a block or in a decorated function.

    The block gets a copy of the current `Mode`, with new values for the fields that are named in `changes`. Leaving the
    block undoes these changes and no others, even after an error. This works even if blocks that were entered later are
    still open, as when generators are closed in the order in which they began. The same object may be entered again,
    even inside its own block.

    >>> with entering(phase="backward") as mode:
    ...     MODE.get() is mode, mode.phase
    (True, 'backward')
    """

    __slots__ = ("__weakref__", "_changes")

    _changes: str | dict[str, Any]
    _set: Callable[[Mode], object] = MODE.set

    def __init__(self, **changes: Any) -> None:
        self._changes = changes

    def __enter__(self) -> Any:
        before = MODE.get()
        mode = _inside(before, self._changes, weakref.ref(self, self._dropped))
        try:
            self._set(mode)
        except BaseException:  # an interrupt as soon as it was set
            self._set(before)
            raise
        return mode

    def __exit__(self, *exception: object) -> None:
        mode = None
        try:
            mode = MODE.get()
            self._set(_without(mode, self))
        except BaseException:  # an interrupt, before or after it was set
            self._set(_without(mode or MODE.get(), self))
            raise

    @classmethod
    def _dropped(cls, entered: weakref.ref[entering]) -> None:
        """Leave the block of an object that was deleted because an interrupt came before `__exit__` began."""
        cls._set(_without(MODE.get(), entered))

    def _again(self) -> entering:
        """Return another object that enters the same block; it exists only while its with statement runs."""
        block = object.__new__(type(self))
        block._changes = self._changes
        return block

    def __call__(self, function: F) -> F:
        """Return `function` with its body inside this block, even if it is a generator or a coroutine function."""
        decorate: Callable[[Any, F], F] = _decorated
        return decorate(self, function)


class Called(type):
    """The class of `no_grad` and `blame`: `with no_grad:` and `@no_grad` raise errors that say to write `no_grad()`."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """Make a block. Raises TypeError for a function, as from `@no_grad` without parentheses."""
        if args and callable(args[0]):
            raise TypeError(f"{cls.__name__} must be called: write @{cls.__name__}()")
        return super().__call__(*args, **kwargs)

    def __enter__(cls) -> NoReturn:
        raise TypeError(f"{cls.__name__} must be called: write with {cls.__name__}():")

    def __exit__(cls, *error: object) -> None: ...


class no_grad(entering, metaclass=Called):
    """Compute without recording, in a block (`with no_grad():`) or in a decorated function (`@no_grad()`).

    The results require no gradients. You can use it with threads and asyncio: recording stops only in the current
    thread or task. The decorator also works for generator functions and coroutine functions.

    >>> from autograd_spiral import Tensor, no_grad
    >>> w = Tensor([1.0, 2.0], requires_grad=True)
    >>> with no_grad():
    ...     doubled = 2 * w
    >>> doubled.requires_grad
    False
    """

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(recording=False)


class scope(entering):
    """Group the operations of a block or of a decorated function under a `name`, for pictures and programs.

    Pictures draw a frame with the name around the operations. Scopes can be nested, and a later scope with the same
    name adds to the group of the earlier one. Raises TypeError unless `name` is a string, and ValueError if it is
    empty.

    >>> from autograd_spiral import Tensor
    >>> x = Tensor(2.0, requires_grad=True)
    >>> with scope("layer 1"):
    ...     y = x * x
    >>> y.scope
    ('layer 1',)
    """

    __slots__ = ()

    def __init__(self, name: str) -> None:
        if not isinstance(name, str):
            raise TypeError(f"scope: the name must be a string, not {type(name).__name__}")
        if not name:
            raise ValueError("scope: the name must not be empty, since pictures write it on the frame")
        self._changes = name


# --- decorated functions ----------------------------------------------------------------------------------------------


def _decorated(block: entering, function: Any) -> Any:
    """Return `function` with its body inside `block`, which generators leave while they wait."""
    if inspect.isasyncgenfunction(function):
        raise TypeError(
            f"@{type(block).__name__}(…) cannot decorate an asynchronous generator: write a with statement in "
            f"{function.__name__}, around what it computes but not around a yield"
        )
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            with block._again():
                return await function(*args, **kwargs)

        return coroutine
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def generator(*args: Any, **kwargs: Any) -> Any:
            inner = function(*args, **kwargs)
            resume = functools.partial(inner.send, None)
            while True:
                try:
                    with block._again():
                        item = resume()
                except StopIteration as end:
                    return end.value
                try:
                    resume = functools.partial(inner.send, (yield item))
                except BaseException as error:  # thrown into the generator, or GeneratorExit when it is closed
                    resume = functools.partial(inner.throw, error)

        return generator

    @functools.wraps(function)
    def inside(*args: Any, **kwargs: Any) -> Any:
        with block._again():
            return function(*args, **kwargs)

    return inside
