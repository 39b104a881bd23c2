"""`@primitive`: declares a new operation, and checks the declaration before it is ever called."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from autograd_spiral.engine.calls import overridable, unannotated
from autograd_spiral.engine.frozen import call_isolated
from autograd_spiral.engine.table import VJP, attach, define
from autograd_spiral.errors import LostGraphError, RuleError

__all__ = ["primitive", "trusted_primitive"]

F = TypeVar("F", bound=Callable[..., Any])

_IMMUTABLE = frozenset((bool, int, float, str, type(None)))
_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_BY_KEYWORD = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def primitive(*vjps: VJP | None) -> Callable[[F], F]:
    """Declare a new differentiable operation: the decorated function computes its value, and `vjps` its gradients.

    `vjps` are the gradient rules, also called vector-Jacobian products. There is one rule for each array that the
    operation takes, or None for an array that gets no gradient. So the first `len(vjps)` parameters of the function are
    arrays. All others are settings, called `params` here, which are passed by keyword. The function is called with
    plain arrays, which are read-only, and returns a new array. The operation itself can be called with Tensors, and
    then returns a Tensor. If no argument is a Tensor, it returns a plain array.

    A rule is called as `vjp(ct, out, *arrays, **params)`. Here `out` is the value of the operation, and `ct` is its
    cotangent: the gradient of the loss with respect to `out`. The rule returns the gradient of the loss with respect to
    its array. If this gradient has a shape that the array broadcasts to, the engine sums over the broadcast axes. It
    also converts the gradient to the array's dtype. If a rule is written with NumPy functions, it can itself be
    differentiated.

    Raises `RuleError` if there are no rules, or more rules than parameters. The same error is raised if the function
    has `*args` or `**kwargs`, or if an array cannot be passed by position or a setting by keyword. It is also raised if
    a rule does not accept the arguments that it is called with.

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
    return _declaration(vjps, trusted=False)


def trusted_primitive(*vjps: VJP | None) -> Callable[[F], F]:
    """Declare an operation of the vocabulary, as `primitive` does for users.

    Its body and rules neither keep nor change arrays, so they are called directly, and its row stays in the table.

    >>> from autograd_spiral.engine.table import PRIMITIVES
    >>> from autograd_spiral import relu
    >>> PRIMITIVES[relu].isolated
    False
    """
    return _declaration(vjps, trusted=True)


def _declaration(vjps: tuple[VJP | None, ...], *, trusted: bool) -> Callable[[F], F]:
    if not vjps or any(not (vjp is None or callable(vjp)) for vjp in vjps):
        raise RuleError(
            "@primitive takes one VJP per array argument: @primitive(lambda ct, out, x: ct * 2 * x), "
            "or None for an argument without a gradient"
        )

    def declare(body: F) -> F:
        if not callable(body):
            raise RuleError(
                f"@primitive(…) must decorate a function, not a {type(body).__name__}: write the rules in parentheses, "
                "as in @primitive(lambda ct, out, x: …), on the line above def"
            )
        signature = inspect.signature(body)
        names = list(signature.parameters)
        if len(names) < len(vjps):
            raise RuleError(f"{body.__name__}{signature} has {len(names)} parameters but {len(vjps)} VJPs were given")
        for i, parameter in enumerate(signature.parameters.values()):
            if parameter.kind not in (_BY_POSITION if i < len(vjps) else _BY_KEYWORD):
                raise RuleError(
                    f"{body.__name__}{signature}: the first {len(vjps)} parameters are arrays, passed by position, and "
                    f"the others are passed by keyword, but {str(parameter)!r} cannot be passed that way"
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
                params = {n: _copied_parameter(body.__name__, n, value) for n, value in params.items()}
            return args, params

        bind.__signature__ = signature  # type: ignore[attr-defined]

        @functools.wraps(body)
        def on_arrays(*args: Any, **kwargs: Any) -> Any:
            if list in map(type, args):
                args = tuple(np.asarray(a) if type(a) is list and i < len(vjps) else a for i, a in enumerate(args))
            return body(*args, **kwargs)

        function: F = overridable(on_arrays)  # type: ignore[assignment]
        if trusted:
            define(function, *vjps, bind=bind, evaluate=body, body=body)
        else:
            isolated = functools.partial(call_isolated, body)
            attach(function, *vjps, bind=bind, evaluate=isolated, body=body, isolated=True)
        return function

    return declare


def _check_call(primitive: str, argument: str, vjp: VJP, arrays: list[str], params: list[str]) -> None:
    """Raise `RuleError` unless `vjp`, the rule for `argument`, can be called as the sweep will call it."""
    try:
        signature = inspect.signature(vjp)
    except (TypeError, ValueError):  # perhaps written in C: only the call will show whether it fits
        return
    try:
        signature.bind("ct", "out", *arrays, **dict.fromkeys(params))
    except TypeError as error:
        given = ["ct", "out", *arrays]
        call = ", ".join([*given, *(f"{name}={name}" for name in params)])
        raise RuleError(
            f"{primitive}: the VJP for {argument} takes {unannotated(signature)}, but a VJP is called as "
            f"vjp(ct, out, *arrays, **params), here vjp({call}): {error}. "
            f"Write it as lambda {', '.join([*given, *params])}: …"
        ) from None


def _copied_parameter(name: str, key: str, value: Any) -> Any:
    """Return `value` as a parameter that nobody can change later: a copy of an array or container."""
    if isinstance(value, np.ndarray):
        value = value.copy()
        value.flags.writeable = False
        return value
    if type(value) is tuple:
        return tuple(_copied_parameter(name, key, item) for item in value)
    if hasattr(type(value), "__array_function__"):
        raise LostGraphError(
            f"{name}: {key} is a parameter, which has no gradient rule, but a tensor was passed. Pass the value "
            f"({key}=t.data), or make it an array argument with its own VJP"
        )
    if isinstance(value, list | dict | set):
        for item in value.values() if isinstance(value, dict) else value:
            if not isinstance(item, list | dict | set):
                _copied_parameter(name, key, item)  # raises for a tensor
        return copy.deepcopy(value)
    return value
