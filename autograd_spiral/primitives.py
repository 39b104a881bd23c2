"""What a primitive is, and the table of them. Imports numpy and errors alone.

A primitive is a function on arrays that the engine can differentiate: a NumPy function, or one declared with
`@primitive`. Its entry holds how to bind a call to arrays and parameters, how to evaluate it on arrays, and one
vector-Jacobian product (VJP) per array argument.
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from autograd_spiral.errors import LostGraphError, NoRuleError, RuleError

__all__ = [
    "PRIMITIVES",
    "SPELLED_OUT",
    "VJP",
    "Primitive",
    "call_again",
    "call_bound",
    "define",
    "name_of",
    "overridable",
    "primitive",
]

VJP = Callable[..., Any]
"""`vjp(ct, out, *args, **params)`: the cotangent of one argument, given that of the output."""

Bind = Callable[..., tuple[tuple[Any, ...], dict[str, Any]]]

F = TypeVar("F", bound=Callable[..., Any])


def name_of(function: Callable[..., Any]) -> str:
    """The name a user would write for `function`: `np.add`, `np.linalg.norm`, `relu`.

    >>> name_of(np.linalg.norm)
    'np.linalg.norm'
    """
    name: str = getattr(function, "__name__", repr(function))
    package, _, rest = (getattr(function, "__module__", None) or "").partition(".")
    if package == "numpy":
        return ".".join(filter(None, ("np", rest, name)))
    return f"np.{name}" if getattr(np, name, None) is function else name  # some ufuncs know no module


class Primitive:
    """A differentiable function: its identity, how it is called on arrays, and its VJPs.

    `vjps` has one VJP per array argument, or None where the function has no gradient in that argument. A variadic
    primitive (`np.concatenate`) gives `rest`, which serves every further argument and is told which one by
    `argument=`; `rest=None` means that the further arguments have no gradient.

    >>> row = PRIMITIVES[np.multiply]
    >>> row, row.arity, row.vjps[0](1.0, 6.0, 2.0, 3.0)  # ct, out, x, y
    (<primitive np.multiply>, 2, 3.0)
    """

    __slots__ = ("arity", "bind", "body", "constant_in", "evaluate", "function", "name", "rest", "variadic", "vjps")

    def __init__(
        self,
        function: Callable[..., Any],
        vjps: tuple[VJP | None, ...],
        *,
        bind: Bind | None = None,
        evaluate: Callable[..., Any] | None = None,
        body: Callable[..., Any] | None = None,
        variadic: bool = False,
        rest: VJP | None = None,
    ) -> None:
        self.function = function
        self.name = name_of(function)
        self.vjps = vjps
        self.arity = len(vjps)
        self.constant_in = variadic or None in vjps  # whether some argument has no gradient, or may have none
        self.bind = bind
        self.evaluate = evaluate or function
        self.body = body  # NumPy that also runs on Tensors; None where NumPy itself does the work
        self.variadic = variadic
        self.rest = rest

    def vjps_for(self, count: int) -> tuple[VJP | None, ...]:
        """One VJP, or None, for each of `count` array arguments; a TypeError when it does not take that many.

        >>> [vjp is not None for vjp in PRIMITIVES[np.where].vjps_for(3)]  # the condition has no gradient
        [False, True, True]
        """
        if count == len(self.vjps):
            return self.vjps
        if not self.variadic or count < len(self.vjps):
            raise TypeError(f"{self.name} takes {len(self.vjps)} array arguments but got {count}")
        return self.vjps + tuple(
            self.rest and functools.partial(self.rest, argument=i) for i in range(len(self.vjps), count)
        )

    def argument(self, i: int) -> str:
        """What errors call an array argument: by its number, and by its name where it was declared with one.

        >>> from autograd_spiral import relu
        >>> PRIMITIVES[relu].argument(0), PRIMITIVES[np.add].argument(1)
        ('argument 0 (x)', 'argument 1')
        """
        names = [] if self.body is None else list(inspect.signature(self.body).parameters)
        return f"argument {i} ({names[i]})" if i < len(names) else f"argument {i}"

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"


PRIMITIVES: dict[Callable[..., Any], Primitive] = {}
"""The rule table: from a function to its entry. `rules` and `functions` fill it, and users through `@primitive`."""


def define(function: Callable[..., Any], *vjps: VJP | None, **how: Any) -> Primitive:
    """Add a row to the table: `function`, one VJP per argument, and how to bind and evaluate it if not plainly."""
    PRIMITIVES[function] = row = Primitive(function, vjps, **how)
    return row


def call_bound(
    original: Callable[..., Any], function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Call `function` in place of `original`; arguments it does not take are a NoRuleError that says which it takes.

    NumPy's defaults spelled out (`out=None`, `dtype=None`, `where=True`) are let through.
    """
    try:
        return function(*args, **kwargs)
    except TypeError:
        return call_again(original, function, args, kwargs)


def call_again(
    original: Callable[..., Any], function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """While a TypeError of that call is handled: the call without defaults spelled out, or the error that explains."""
    signature = inspect.signature(function)
    kept = {k: v for k, v in kwargs.items() if not (k in SPELLED_OUT and v is SPELLED_OUT[k])}
    try:
        signature.bind(*args, **kept)
    except TypeError as error:
        name = name_of(original)
        raise NoRuleError(
            f"{name} on a Tensor is called as {name}{_unannotated(signature)}: {error}. "
            "To compute without a gradient, pass the array: t.data instead of t."
        ) from None
    if len(kept) == len(kwargs):
        raise  # the TypeError being handled
    return function(*args, **kept)


SPELLED_OUT = {"out": None, "dtype": None, "where": True}
"""NumPy's defaults, which may be passed though no rule knows their keywords."""


def _unannotated(signature: inspect.Signature) -> inspect.Signature:
    empty = inspect.Parameter.empty
    parameters = [p.replace(annotation=empty) for p in signature.parameters.values()]
    return signature.replace(parameters=parameters, return_annotation=empty)


def _settled(name: str, key: str, value: Any) -> Any:
    """`value` as a parameter that nobody can change later: arrays and containers are copied."""
    if isinstance(value, np.ndarray):
        value = value.copy()
        value.flags.writeable = False
        return value
    if hasattr(type(value), "__array_function__"):
        raise LostGraphError(
            f"{name}: {key} is a parameter, which has no gradient rule, but it was given a tensor. Pass the value "
            f"({key}=t.data), or make it an array argument with a VJP of its own"
        )
    return copy.deepcopy(value) if isinstance(value, list | dict | set) else value


_IMMUTABLE = frozenset((bool, int, float, str, type(None)))
_PLAIN = _IMMUTABLE | {np.ndarray}  # for sure without an __array_function__ to ask


def overridable(body: F) -> F:
    """`body`, answering NumPy's `__array_function__` protocol as NumPy's own functions do."""

    @functools.wraps(body)
    def function(*args: Any, **kwargs: Any) -> Any:
        for arg in (*args, *kwargs.values()) if kwargs else args:
            kind = type(arg)
            if kind in _PLAIN:
                continue
            if hasattr(kind, "__array_function__") and not issubclass(kind, np.ndarray):
                return arg.__array_function__(function, (kind,), args, kwargs)
        return body(*args, **kwargs)

    return function  # type: ignore[return-value]


_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_BY_KEYWORD = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def primitive(*vjps: VJP | None) -> Callable[[F], F]:
    """Declare a new differentiable operation: the decorated function is its value, `vjps` are its gradient rules.

    The first `len(vjps)` parameters of the function are its arrays, one VJP for each (None where it has no
    gradient); the others are parameters that the rules receive by keyword. The body gets plain arrays and returns
    one. A VJP is called as `vjp(ct, out, *arrays, **params)` and returns the cotangent of its argument, in the
    shape of that argument or of a broadcast of it: the engine sums over broadcast axes and restores the dtype.
    Written with NumPy functions, rules are differentiable themselves.

    The decorated function takes plain arrays too. Raises `RuleError` when no VJPs are given, when the function has
    fewer parameters than VJPs, when its parameters cannot be told apart (`*args`, `**kwargs`), and when a VJP does not
    take what it is called with.

    >>> import numpy as np
    >>> from autograd_spiral import Tensor, primitive
    >>> @primitive(lambda ct, out, x, scale: ct * out * (1 - out) * scale)
    ... def logistic(x, scale=1.0):
    ...     return 1 / (1 + np.exp(-scale * x))
    >>> x = Tensor([0.0, 2.0], requires_grad=True)
    >>> logistic(x, scale=2.0).sum().backward()
    >>> x.grad.round(4)
    array([0.5   , 0.0353])
    """
    if not vjps or any(not (vjp is None or callable(vjp)) for vjp in vjps):
        raise RuleError(
            "@primitive takes one VJP per array argument: @primitive(lambda ct, out, x: ct * 2 * x), "
            "or None for an argument without gradient"
        )

    def declare(body: F) -> F:
        if not callable(body):
            raise RuleError(
                f"@primitive was given a rule and no function to declare, but a {type(body).__name__}: its rules go in "
                "parentheses, @primitive(lambda ct, out, x: …), on the line above def"
            )
        signature = inspect.signature(body)
        names = list(signature.parameters)
        if len(names) < len(vjps):
            raise RuleError(f"{body.__name__}{signature} has {len(names)} parameters but {len(vjps)} VJPs were given")
        for i, parameter in enumerate(signature.parameters.values()):
            if parameter.kind not in (_BY_POSITION if i < len(vjps) else _BY_KEYWORD):
                raise RuleError(
                    f"{body.__name__}{signature}: the first {len(vjps)} parameters are arrays, passed by position, and "
                    f"the others parameters, passed by keyword, but {str(parameter)!r} cannot be"
                )
        defaults = {n: p.default for n, p in signature.parameters.items() if n in names[len(vjps) :]}
        required = {n for n, default in defaults.items() if default is inspect.Parameter.empty}
        for name, vjp in zip(names, vjps, strict=False):
            if vjp is not None:
                _check_call(body.__name__, name, vjp, names[: len(vjps)], list(defaults))

        def bind(*args: Any, **kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
            if not defaults and not kwargs and len(args) == len(vjps):
                return args, defaults
            if len(args) == len(vjps) and required <= kwargs.keys() <= defaults.keys():
                params = {**defaults, **kwargs}
            else:
                bound = signature.bind(*args, **kwargs)
                bound.apply_defaults()
                args = tuple(bound.arguments[n] for n in names[: len(vjps)])
                params = {n: bound.arguments[n] for n in defaults}
            if not _IMMUTABLE.issuperset(map(type, params.values())):
                params = {n: _settled(body.__name__, n, value) for n, value in params.items()}
            return args, params

        bind.__signature__ = signature  # type: ignore[attr-defined]

        @functools.wraps(body)
        def on_arrays(*args: Any, **kwargs: Any) -> Any:
            if list in map(type, args):
                args = tuple(np.asarray(a) if type(a) is list and i < len(vjps) else a for i, a in enumerate(args))
            return body(*args, **kwargs)

        function: F = overridable(on_arrays)  # type: ignore[assignment]
        define(function, *vjps, bind=bind, evaluate=body, body=body)
        return function

    return declare


def _check_call(primitive: str, argument: str, vjp: VJP, arrays: list[str], params: list[str]) -> None:
    """Raise `RuleError` unless `vjp`, the rule for `argument`, can be called as the sweep will call it."""
    try:
        signature = inspect.signature(vjp)
    except (TypeError, ValueError):  # written in C, perhaps: only the call will tell
        return
    try:
        signature.bind("ct", "out", *arrays, **dict.fromkeys(params))
    except TypeError as error:
        given = ["ct", "out", *arrays]
        call = ", ".join([*given, *(f"{name}={name}" for name in params)])
        raise RuleError(
            f"{primitive}: the VJP for {argument} takes {_unannotated(signature)}, but a VJP is called as "
            f"vjp(ct, out, *arrays, **params), here vjp({call}): {error}. "
            f"Write it as lambda {', '.join([*given, *params])}: …"
        ) from None
