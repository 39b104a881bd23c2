"""Blame mode: raises an error at the first NaN or infinity, and says where it came from."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

import numpy as np

from autograd_spiral.debug.user_code import users_line
from autograd_spiral.engine.messages import called
from autograd_spiral.engine.modes import MODE, Called, Mode, Observer, entering
from autograd_spiral.errors import NonFiniteError

__all__ = ["blame"]


_error_state: ContextVar[Any] = ContextVar("autograd_spiral_error_state", default=None)  # of NumPy, outside blame()
_INSTEAD = "Write with blame(): around the call of the step, which then runs eagerly with every value checked"


class blame(entering, metaclass=Called):
    """Raise `NonFiniteError` at the first operation, forward or backward, whose result is NaN or infinite.

    It is a context manager (`with blame():`) and a decorator (`@blame()`). The error names the operation, the line of
    your code that called it, the pass (forward or backward), and the range of each input. For the backward pass, it
    also shows the range of the output's cotangent, which is the gradient of the loss with respect to the output. Only
    results are checked, so your data may contain infinities, such as a score of -inf, which gives a class the
    probability 0. Inside the block, NumPy's own warnings are silenced, since the error says more. Outside the block,
    nothing is checked, and nothing is slower.

    A captured step that is called inside the block runs eagerly, that is, operation by operation, so that each result
    can be checked. Put the block around the call: in the body of a captured step, `with blame():` raises a
    `CaptureError` when the step is captured.

    >>> from autograd_spiral import Tensor
    >>> x = Tensor([4.0, 0.0], requires_grad=True)
    >>> with blame():
    ...     np.sqrt(x).sum().backward()
    Traceback (most recent call last):
      ...
    autograd_spiral.errors.NonFiniteError: going backward, the rule of np.sqrt for argument 0 returned inf at (1,)
    recorded at <doctest autograd_spiral.debug.blame.blame[2]>:2: np.sqrt(x).sum().backward()
      argument 0: shape (2,), 0 to 4
      the output: shape (2,), 0 to 2
      its cotangent: shape (2,), 1 to 1
    The derivative of np.sqrt is infinite at the edge of its domain.
    To leave such entries out, choose a safe input first: np.where(good, np.sqrt(np.where(good, x, 1)), other)
    """

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(observer=_Blame())

    def __enter__(self) -> Any:
        MODE.get().trace.permit("blame()", _INSTEAD)
        return super().__enter__()

    @staticmethod
    def _set(mode: Mode) -> None:
        MODE.set(mode)
        state = _error_state.get()
        if not isinstance(mode.observer, _Blame):
            np.seterr(**(state or {}))
            _error_state.set(None)
        elif state is None:
            _error_state.set(np.geterr())
            np.seterr(all="ignore")


class _Blame(Observer):
    def recorded(self, node: Any) -> None:
        """Note the user's line, and raise `NonFiniteError` if the value is not finite."""
        node.place = users_line()
        at = _first_nonfinite(node._value)
        if at is None:
            return
        name = node.primitive.name if node.primitive is not None else "an operation on constants"
        direction = "forward" if MODE.get().phase == "forward" else "backward, while recording the rules"
        lines = [f"going {direction}, {name} returned {node._value[at]} at {at}", f"recorded at {node.place}"]
        lines += _ranges(node)
        bad = [i for i, operand in enumerate(node.operands) if not np.all(np.isfinite(operand))]
        if bad:
            lines.append(f"{node.primitive.argument(bad[0])} was already not finite: look at where it was computed.")
        elif name in _SAFE_INPUTS:
            lines.append(_remedy(name))
        elif name in _GROWING:
            lines.append(_GROWING[name])
        raise NonFiniteError("\n".join(lines))

    def swept(self, node: Any, argument: int, ct: Any, piece: Any) -> None:
        """Raise `NonFiniteError` if the result of a rule is not finite."""
        values = _array(piece)
        at = _first_nonfinite(values)
        if at is None:
            return
        name, role = node.primitive.name, node.primitive.argument(argument)
        lines = [f"going backward, the rule of {name} for {role} returned {values[at]} at {at}"]
        lines.append(f"recorded at {node.place or 'a line outside blame(): put the forward pass inside to see it'}")
        lines += _ranges(node)
        lines += [_range("the output", node._value), _range("its cotangent", _array(ct))]
        if name in _LOST:
            lines.append(_LOST[name])
        elif np.shape(_array(ct)) == values.shape and not _array(ct)[~np.isfinite(values)].any():
            lines.append(
                "This is 0 · inf: the cotangent is 0 there, as where np.where chose the other branch, "
                "but the derivative is infinite."
            )
            lines.append(_remedy(name))
        elif name in _SAFE_INPUTS:
            lines += [f"The derivative of {name} is infinite at the edge of its domain.", _remedy(name)]
        raise NonFiniteError("\n".join(lines))

    def added(self, tensor: Any, ct: Any) -> None:
        """Raise `NonFiniteError` if finite contributions to a gradient have a sum that is not finite."""
        values = _array(ct)
        at = _first_nonfinite(values)
        if at is not None:
            if tensor.primitive is not None:
                what = f"the result of {tensor.primitive.name}, recorded at {tensor.place or 'a line outside blame()'}"
            else:
                what = called(tensor)
            raise NonFiniteError(
                f"going backward, the gradient of {what} is {values[at]} at {at}\n"
                f"Its contributions were finite, but their sum, or their conversion to {values.dtype}, overflows: "
                "scale down the loss or the data."
            )


_LOST = {
    "kink": (
        "There is a gradient here but no second derivative: a norm is 0, or eigenvalues or singular values are "
        "repeated. For the square of a norm, write np.sum(x * x)."
    ),
    "np.linalg.eigh": (
        "Where eigenvalues are repeated, eigenvectors have no derivative, and eigenvalues have one only together, as "
        "in their sum: add a small symmetric matrix that keeps them apart."
    ),
    "np.linalg.svd": (
        "Where singular values are repeated or 0, singular vectors have no derivative, and nor do these values, one by "
        "one: add a small matrix that keeps them apart, or write np.linalg.norm(x) if the Frobenius norm will do."
    ),
    "np.linalg.qr": "A column that depends linearly on earlier columns has no direction of its own: leave it out.",
    "np.linalg.pinv": (
        "It jumps where x does not have full rank: write np.linalg.solve(x.mT @ x + c * np.eye(n), x.mT) with "
        "a small c."
    ),
    "np.linalg.slogdet": "The matrix is singular: add a small multiple of np.eye(n).",
}
"""Maps functions of linear algebra to the points where they have no derivative, and what to write instead."""

_SAFE_INPUTS = {
    **dict.fromkeys(("np.log", "np.log2", "np.log10", "np.sqrt", "np.cbrt", "np.reciprocal", "np.divide"), "1"),
    **dict.fromkeys(("np.power", "np.arctan2"), "1"),
    **dict.fromkeys(("np.log1p", "np.arcsin", "np.arccos", "np.arctanh"), "0"),
    "np.arccosh": "2",
}
"""Maps functions whose domain has an edge to an input at which they and their derivatives are finite."""


_EXP = (
    "It overflows for large inputs: subtract the largest first, np.exp(x - np.max(x, axis=1, keepdims=True)), or use "
)
_GROWING = {
    "np.exp": _EXP + "softmax, log_softmax or logsumexp, which do so.",
    "np.expm1": "It overflows for large inputs: use softplus or sigmoid, which do not.",
    "np.power": "It overflows for large inputs or powers: compare logarithms, power * np.log(x), which do not.",
}
"""What to write instead of functions that overflow for large inputs."""


def _remedy(name: str) -> str:
    safe = _SAFE_INPUTS.get(name, "safe")
    inner = f"np.where(good, x, {safe})"
    call = {"np.divide": f"a / {inner}", "np.power": f"{inner} ** a"}.get(name, f"{name}({inner})")
    return f"To leave such entries out, choose a safe input first: np.where(good, {call}, other)"


def _array(value: Any) -> Any:
    return getattr(value, "_value", value)


def _first_nonfinite(values: Any) -> tuple[int, ...] | None:
    if values.dtype.kind != "f":
        return None
    bad = ~np.isfinite(values)
    return tuple(map(int, np.unravel_index(np.argmax(bad), bad.shape))) if bad.any() else None


def _ranges(node: Any) -> list[str]:
    names = [getattr(arg, "name", None) for arg in node.args]
    roles = [node.primitive.argument(i) + (f", {name!r}" if name else "") for i, name in enumerate(names)]
    return [_range(role, operand) for role, operand in zip(roles, node.operands, strict=True)]


def _range(role: str, operand: Any) -> str:
    values = np.asarray(operand)
    finite = values[np.isfinite(values)]
    text = f"{finite.min():.6g} to {finite.max():.6g}" if finite.size else "nothing finite"
    if finite.size < values.size:
        text += f", {values.size - finite.size} of {values.size} not finite"
    return f"  {role}: shape {values.shape}, {text}"
