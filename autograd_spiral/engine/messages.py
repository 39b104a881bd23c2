"""What the engine refuses, and what it says to write instead: the core's longer errors, side by side.

Most functions give an exception for `raise`; those named `explain` are called while one is handled, and raise a better
one in its place. Tensors are known by their fields alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import numpy as np

from autograd_spiral.errors import (
    AutogradError,
    DtypeError,
    GradientError,
    InPlaceError,
    LostGraphError,
    NoRuleError,
    RuleError,
    ShapeError,
    StaleLeafError,
)

__all__ = [
    "INSTEAD",
    "INSTEAD_OF_BACKWARD",
    "INSTEAD_OF_BLAME",
    "INSTEAD_OF_MASKS",
    "INSTEAD_OF_READING",
    "NeverInPlace",
    "assigned_dtype",
    "assigned_result",
    "assigned_shape",
    "called",
    "cotangent_dtype",
    "cotangent_shape",
    "data_dtype",
    "explain_call",
    "explain_rule",
    "grad_of_no_leaf",
    "grad_shape",
    "input_without_gradient",
    "integer_gradient",
    "integer_in_grad",
    "keyword",
    "lost_graph",
    "masked_array",
    "name_of",
    "no_collected_gradient",
    "no_cotangent",
    "no_gradient",
    "no_rule",
    "plain_array",
    "result_dtype",
    "set_data",
    "set_requires_grad",
    "several_outputs",
    "stale",
    "ufunc_method",
    "unrecorded_piece",
    "wrong_piece",
]


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


def called(tensor: Any) -> str:
    """What errors call a tensor: by its name, if it has one.

    >>> from autograd_spiral import Tensor
    >>> called(Tensor(1.0, name="w")), called(Tensor(1.0))
    ("'w'", 'a tensor')
    """
    return repr(tensor.name) if tensor.name is not None else "a tensor"


# --- in a captured step: what Mode.trace is told to refuse -----------------------------------------------------------

INSTEAD_OF_READING = (
    "The program must hold for any values: return what you want to see, decide with np.where, and read values outside "
    "the step, or run step.eager(…), which is not captured"
)
INSTEAD_OF_BACKWARD = "Use grad(loss, parameters), whose results a program can compute, instead of backward() and .grad"
INSTEAD_OF_BLAME = "Write with blame(): around the call of the step, which then runs eagerly and has every value judged"
INSTEAD_OF_MASKS = "Its shape would depend on the values: choose with np.where(mask, t, other), or index by integers"


# --- values that would change ---------------------------------------------------------------------------------------


def set_data(tensor: Any) -> InPlaceError:
    """For `t.data = …`."""
    t = tensor.name or "t"
    return InPlaceError(
        f".data of {called(tensor)} cannot be set, since what was recorded must not change: "
        f"write {t}.assign(…) to update a leaf, as in {t}.assign({t}.data - 0.1 * {t}.grad)"
    )


class NeverInPlace:
    """What Tensor inherits to refuse `t[index] = value`, `t += …` and its like.

    >>> from autograd_spiral import Tensor
    >>> Tensor([1.0, 2.0])[0] = 5.0  # doctest: +ELLIPSIS
    Traceback (most recent call last):
      ...
    autograd_spiral.errors.InPlaceError: t[index] = value would change a recorded value: ...
    """

    __slots__ = ()

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        raise InPlaceError(
            "t[index] = value would change a recorded value: write np.where(mask, value, t), "
            "or assign() a whole new array to a leaf"
        )

    def _refuse(self, other: Any) -> NoReturn:
        raise InPlaceError(
            f"{called(self)} cannot be changed in place, since what was recorded must not change: "
            "write t = t + … for a new value, or t.assign(t + …) to update a leaf"
        )

    __iadd__ = __isub__ = __imul__ = __itruediv__ = __imatmul__ = __ipow__ = _refuse
    __iand__ = __ior__ = __ixor__ = __ifloordiv__ = __imod__ = _refuse


def set_requires_grad(tensor: Any) -> GradientError:
    """For `t.requires_grad = …`."""
    t = tensor.name or "t"
    return GradientError(
        f"requires_grad of {called(tensor)} is fixed when it is made: write Tensor({t}.data, requires_grad=True) "
        f"for a leaf that collects a gradient, {t}.detach() for one through which none flows"
    )


def assigned_result(tensor: Any) -> InPlaceError:
    """For `assign` to a tensor that was computed."""
    return InPlaceError(
        f"assign() is for leaves, but {called(tensor)} was computed by {tensor.primitive.name}: "
        "give the new value a name of its own instead"
    )


def assigned_shape(tensor: Any, shape: tuple[int, ...]) -> ShapeError:
    """For `assign` of another shape."""
    return ShapeError(f"cannot assign shape {shape} to {called(tensor)} of shape {tensor.shape}")


def assigned_dtype(tensor: Any, dtype: np.dtype[Any]) -> DtypeError:
    """For `assign` of a dtype that does not convert."""
    return DtypeError(f"cannot assign {dtype} to {called(tensor)} of dtype {tensor.dtype}")


# --- data, and arrays without their graph ---------------------------------------------------------------------------


def integer_gradient(dtype: np.dtype[Any]) -> DtypeError:
    """For `requires_grad=True` of what is not floating."""
    return DtypeError(
        f"only floating tensors can require gradients, not {dtype}: "
        "pass floats, as in Tensor(np.asarray(data, dtype=float), requires_grad=True)"
    )


def data_dtype(use: str, dtype: np.dtype[Any]) -> DtypeError:
    """For data, given to `use`, that are not real numbers."""
    return DtypeError(f"{use}: the dtype must be floating, integer or bool, not {dtype}")


def masked_array(use: str) -> DtypeError:
    """For one of NumPy's masked arrays, given to `use`."""
    return DtypeError(f"{use}: a masked array would lose its mask; use np.where with the mask instead")


def lost_graph() -> LostGraphError:
    """For `Tensor(t)` of a tensor that requires gradients."""
    return LostGraphError("Tensor(data) of a tensor with a gradient would drop its graph: say so with t.detach()")


def plain_array(tensor: Any) -> LostGraphError:
    """For `np.asarray(t)`."""
    return LostGraphError(
        f"making a plain array of {called(tensor)} would silently drop its graph: use t.data for the value, "
        "float(t) or t.item() for one number; to stay differentiable use NumPy functions on the tensor itself, "
        "np.stack for a list of tensors, and df.to_numpy() for a pandas table beside it"
    )


# --- calls that cannot be recorded ----------------------------------------------------------------------------------

INSTEAD: dict[Callable[..., Any], str] = {
    np.vstack: "np.concatenate(…, axis=0), of parts with as many axes",
    np.hstack: "np.concatenate(…, axis=1), or axis=0 for vectors",
    np.append: "np.concatenate([…], axis)",
    np.round: "np.rint(t), or np.round(t.data) for digits",
    np.diag: "np.diagonal(t), or t * np.eye(n) for a matrix of them",
    np.average: "np.mean(t, axis), or np.sum(weights * t, axis) / np.sum(weights)",
    np.atleast_2d: "t.reshape(…)",
    np.atleast_1d: "t.reshape(…)",
    np.nansum: "np.sum(np.where(good, t, 0)), with good = ~np.isnan(t.data)",
    np.allclose: "np.allclose(t.data, …), of values",
    np.array_equal: "np.array_equal(t.data, …), of values",
    np.save: "np.save(file, t.data), of values",
    np.savez: "np.savez(file, name=t.data), of values",
}
"""What to write for functions of NumPy that have no rule and are easily written otherwise."""

_WRITERS = frozenset((np.copyto, np.put, np.place, np.putmask, np.fill_diagonal, np.put_along_axis))
_REDUCTIONS: dict[Any, str] = {
    np.add: "np.sum",
    np.multiply: "np.prod",
    np.maximum: "np.max",
    np.minimum: "np.min",
}


def no_rule(function: Callable[..., Any]) -> AutogradError:
    """For a function that is not in the table."""
    name = name_of(function)
    if function in _WRITERS:
        return InPlaceError(
            f"{name} writes into its argument, but a recorded value never changes: "
            "use np.where(mask, value, t) for a new value, or t.assign(…) to update a leaf"
        )
    if function in INSTEAD:
        return NoRuleError(f"{name} has no gradient rule: write {INSTEAD[function]}")
    return NoRuleError(
        f"{name} has no gradient rule. For the value alone pass arrays (t.data); to differentiate it, "
        "compose it of functions that have rules, or declare it with @primitive(vjp, …)"
    )


def ufunc_method(ufunc: np.ufunc, method: str) -> AutogradError:
    """For `np.add.reduce(t)` and the other methods of ufuncs."""
    if method == "at":
        return InPlaceError(
            f"{name_of(ufunc)}.at writes into its argument, but a recorded value never changes: "
            "add an array that holds the changes, as in t + changes"
        )
    remedies = {"reduce": _REDUCTIONS.get(ufunc, "np.sum"), "accumulate": "np.cumsum", "outer": "broadcasting"}
    remedy = remedies.get(method, "whole-array functions")
    return NoRuleError(f"{name_of(ufunc)}.{method} has no gradient rule: use {remedy}")


def keyword(ufunc: np.ufunc, key: str) -> AutogradError:
    """For a keyword of a ufunc that recording does not honour."""
    if key == "out":
        return InPlaceError(
            f"{name_of(ufunc)} with out= would overwrite an array, but a recorded value never changes: "
            "use the returned tensor, or t.assign(…) to update a leaf"
        )
    remedy = "np.where(condition, value, other)" if key == "where" else "t.astype(…) to convert"
    return NoRuleError(f"{name_of(ufunc)} with {key}= has no gradient rule: use {remedy}")


def several_outputs(primitive: Any, count: int) -> RuleError:
    """For a primitive whose body returned a tuple."""
    return RuleError(
        f"{primitive.name} returned a tuple of {count}, but an operation has one output, an array: "
        "declare an operation for each of them, or let np.stack make one array"
    )


def result_dtype(primitive: Any, dtype: np.dtype[Any]) -> DtypeError:
    """For a primitive whose result is not of real numbers."""
    return DtypeError(f"{primitive.name} gave dtype {dtype}: the dtype must be floating, integer or bool")


def explain_call(error: Exception, name: str, operands: Iterable[Any], params: dict[str, Any]) -> None:
    """Say `error` with the operation and its shapes: raise it anew where shapes are at fault, else add a note.

    NumPy's errors that are more than a ValueError or IndexError (AxisError) say enough themselves.
    """
    if type(error) not in (ValueError, IndexError, ShapeError):
        return
    spread = (part for operand in operands for part in (operand if isinstance(operand, list | tuple) else (operand,)))
    known = [part.shape for part in spread if hasattr(part, "shape")]
    shapes = ", ".join(map(str, known))
    indexed = any(isinstance(item, str) for item in params.get("index", ()))  # by arrays, whose shapes are told
    told = {k: v for k, v in params.items() if not (k == "index" and indexed)}
    settings = "".join(f", {key}={setting!r}" for key, setting in told.items())
    call = f"{name} of shapes {shapes}{settings}"
    reason = error.__cause__ if isinstance(error.__cause__, ValueError | IndexError) else error  # NumPy's own
    if type(reason) is IndexError:
        raise IndexError(f"{call}: {reason}") from reason
    if "core dimension" in str(reason) and len(known) == 2:  # of a product of matrices or vectors
        inner = known[1][-2] if len(known[1]) > 1 else known[1][0]
        said = f"the rows of the first have {known[0][-1]} entries, and the columns of the second {inner}: not as many"
        raise ShapeError(f"{call}: {said}") from reason
    if any(word in str(reason) for word in ("shape", "dimension", "size", "length")):
        raise ShapeError(f"{call}: {reason}") from reason
    error.add_note(f"in {call}")


# --- gradients that are not there -----------------------------------------------------------------------------------


def no_gradient(tensor: Any) -> GradientError:
    """For a gradient of a tensor through which none flows."""
    return GradientError(
        f"{called(tensor)} does not require gradients: no tensor it was computed from has requires_grad=True, or the "
        "graph was lost on the way: by no_grad(), detach() or .data, in a gradient taken without create_graph=True, or "
        "in the result of a captured step (take its gradient inside the step)"
    )


def no_collected_gradient(tensor: Any) -> str:
    """The warning for reading `.grad` where none is ever collected."""
    if tensor.primitive is None:
        remedy = "Tensor(data, requires_grad=True) makes one, and backward() fills it"
    else:
        remedy = f"use grad(loss, {tensor.name or 't'}) for the gradient of a tensor that was computed"
    return f"{called(tensor)} has no .grad: only leaves with requires_grad=True collect one; {remedy}"


def grad_of_no_leaf(tensor: Any) -> GradientError:
    """For setting `.grad` where none is ever collected."""
    return GradientError(f"{called(tensor)} has no grad to set: only leaves that require gradients have one")


def grad_shape(tensor: Any, shape: tuple[int, ...]) -> ShapeError:
    """For setting `.grad` to another shape."""
    return ShapeError(f"cannot set the grad of {called(tensor)} of shape {tensor.shape} to shape {shape}")


def no_cotangent(tensor: Any, caller: str) -> GradientError:
    """For a gradient of many elements that nothing weighs."""
    if caller == "backward":
        remedy = "as in t.sum().backward() or t.mean().backward(), or pass cotangent="
    else:
        remedy = "as in grad(t.sum(), …) or grad(t.mean(), …), or pass cotangents="
    return GradientError(
        f"{caller}() starts from a single number, a loss, but {called(tensor)} has shape {tensor.shape}: "
        f"reduce it, {remedy}, an array of that shape that weighs the elements"
    )


def cotangent_shape(tensor: Any, shape: tuple[int, ...]) -> ShapeError:
    """For a cotangent of another shape than its output's."""
    return ShapeError(f"the cotangent has shape {shape} but {called(tensor)} has shape {tensor.shape}")


def cotangent_dtype(tensor: Any, dtype: np.dtype[Any]) -> DtypeError:
    """For a cotangent of another dtype than its output's."""
    return DtypeError(
        f"the cotangent has dtype {dtype} but {called(tensor)} has dtype {tensor.dtype}: "
        f"pass cotangent.astype(np.{tensor.dtype})"
    )


def integer_in_grad(role: str, tensor: Any) -> DtypeError:
    """For `grad` of, or in, what is not floating; `role` is `input 0`, say."""
    return DtypeError(f"grad: {role} has dtype {tensor.dtype}; only floating tensors have gradients")


def input_without_gradient(role: str, tensor: Any) -> GradientError:
    """For `grad` in a tensor that does not require gradients."""
    named = f" ({tensor.name!r})" if tensor.name else ""
    return GradientError(f"grad: {role}{named} does not require gradients; make it with requires_grad=True")


def stale(leaf: Any, node: Any) -> StaleLeafError:
    """For recording a gradient at the value that `leaf` had when `node` was computed, and has no longer."""
    return StaleLeafError(
        f"{leaf.name or 'a leaf'} of shape {leaf.shape} was assigned after {node.primitive.name} recorded it, so "
        "create_graph=True cannot record the gradient at the old value. Take the gradient before assign(), "
        "or compute the outputs again."
    )


# --- rules that do not keep their contract --------------------------------------------------------------------------

_NO_FAULT_OF_A_RULE = (AutogradError, MemoryError, FloatingPointError, Warning)
"""What passes through a rule as it is: errors that say enough, and those that NumPy was told to raise."""


def _rule(primitive: Any, argument: int) -> str:
    return f"the rule of {primitive.name} for {primitive.argument(argument)}"


def explain_rule(error: Exception, node: Any, argument: int, ct: Any, out: Any, operands: Any) -> None:
    """Raise `error`, which a rule raised, anew as a `RuleError`, with what the rule was called with.

    What is no fault of the rule only gets a note; so does what NumPy made of such an error (`array[i] = tensor`).
    """
    primitive = node.primitive
    rule = _rule(primitive, argument)
    reason = error.__cause__ if isinstance(error.__cause__, AutogradError) else error
    if isinstance(reason, _NO_FAULT_OF_A_RULE) and not isinstance(reason, ShapeError):
        error.add_note(f"in {rule}, sweeping backward")
        return
    arrays = {primitive.argument(i): x for i, x in enumerate(operands)}
    given = {"ct": ct, "out": out, **arrays, **node.params}
    listed = (f"{name} of shape {x.shape}" if hasattr(x, "shape") else f"{name} = {x!r}" for name, x in given.items())
    said = f"{type(error).__name__}: {error}".rstrip(": ")
    lines = [f"{rule} raised {said}", f"it was called with {', '.join(listed)}"]
    if "read-only" in said:
        lines.append("others share what a rule is given: let it compute a new array")
    raise RuleError("\n".join(lines)) from error


def unrecorded_piece(primitive: Any, argument: int) -> RuleError:
    """For a rule that gave an array where it was called with Tensors."""
    return RuleError(
        f"{_rule(primitive, argument)} gave an array where the gradient is recorded "
        "(by create_graph=True, or in a captured step or a picture): an array does not show what it depends on. Write "
        "the rule with NumPy functions on what it is given, not on .data or in a loop; what they cannot express can be "
        "a @primitive of its own, with rules of its own"
    )


def wrong_piece(primitive: Any, argument: int, piece: Any, value: Any) -> RuleError:
    """For a rule that gave something else than the shape of its argument, `value`, or of a broadcast of it."""
    got = f"shape {piece.shape}" if hasattr(piece, "shape") else f"a {type(piece).__name__}"
    return RuleError(
        f"{_rule(primitive, argument)} gave {got}, but that argument has shape "
        f"{value.shape}: a rule returns the shape of its argument, or of a broadcast of it"
    )
