"""The engine's longer error messages: what was wrong, and what to write instead.

Most functions return an exception to raise. The `explain_*` functions are called while an exception is being handled,
and raise a clearer one instead. Two base classes of Tensor raise the errors for changes in place and for names that a
Tensor lacks. The module does not import Tensor; it uses only its fields.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import dis
import inspect
import linecache
import math
import sys
from collections.abc import Callable, Container, Iterable
from types import FrameType
from typing import Any, NoReturn

import numpy as np

from autograd_spiral.engine.pytree import flatten
from autograd_spiral.errors import (
    ArgumentError,
    AutogradError,
    AxisError,
    DtypeError,
    GradientError,
    InPlaceError,
    LostGraphError,
    NoRuleError,
    PositionError,
    RuleError,
    ShapeError,
    StaleLeafError,
)


def name_of(function: Callable[..., Any]) -> str:
    """Return the name a user would write for `function`: `np.add`, `np.linalg.norm`, `relu`.

    >>> name_of(np.linalg.norm), name_of(np.add.reduce)
    ('np.linalg.norm', 'np.add.reduce')
    """
    name: str = getattr(function, "__name__", repr(function))
    ufunc = getattr(function, "__self__", None)
    if isinstance(ufunc, np.ufunc):
        return f"{name_of(ufunc)}.{name}"
    package, _, rest = (getattr(function, "__module__", None) or "").partition(".")
    if package == "numpy":
        return ".".join(filter(None, ("np", rest, name)))
    for prefix, module in (("np", np), ("special", sys.modules.get("scipy.special"))):  # some ufuncs have no module
        if getattr(module, name, None) is function:
            return f"{prefix}.{name}"
    return name


def called(tensor: Any) -> str:
    """Return how error messages refer to a tensor: by its name if it has one, else as "a tensor".

    >>> from autograd_spiral import Tensor
    >>> called(Tensor(1.0, name="w")), called(Tensor(1.0))
    ("'w'", 'a tensor')
    """
    return repr(tensor.name) if tensor.name is not None else "a tensor"


# --- not permitted in a captured step ---------------------------------------------------------------------------------

INSTEAD_OF_READING = (
    "The program must be valid for any values: return what you want to see, choose with np.where, and read values "
    "outside the step, or run step.eager(…), which is not captured"
)
INSTEAD_OF_DATA = (
    "The program must be valid for any values: compute with the tensor itself, without .data (t.detach() is a "
    "constant); to update a tensor, write w.assign(w - 0.1 * dw); return what you want to see, and read values outside "
    "the step"
)
INSTEAD_OF_BACKWARD = "Use grad(loss, parameters), whose results a program can compute, instead of backward() and .grad"


# --- values that would change ---------------------------------------------------------------------------------------


def set_data(tensor: Any) -> InPlaceError:
    """Return the error for `t.data = …`."""
    t = tensor.name or "t"
    return InPlaceError(
        f".data of {called(tensor)} cannot be set, since a recorded value must not change: "
        f"write {t}.assign(…) to update a leaf, as in {t}.assign({t}.data - 0.1 * {t}.grad)"
    )


IN_PLACE: dict[str, str] = {}
"""Maps the name of a tensor to what to write instead of changing it in place; other rooms fill it."""


class NeverInPlace:
    """The base class of Tensor that makes `t[index] = value`, `t += …` and the like raise `InPlaceError`.

    They would change a recorded value, and gradient rules would then compute with wrong numbers.

    >>> from autograd_spiral import Tensor
    >>> Tensor([1.0, 2.0])[0] = 5.0  # doctest: +ELLIPSIS
    Traceback (most recent call last):
      ...
    autograd_spiral.errors.InPlaceError: t[index] = value would change a recorded value: ...
    """

    __slots__ = ()

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        places = any(np.ndim(item) for item in index) if isinstance(index, tuple) else False  # as Y[rows, labels]
        one_hot = "; for one-hot rows, write Tensor(np.eye(classes)[labels])" if places else ""
        raise InPlaceError(
            "t[index] = value would change a recorded value: write np.where(mask, value, t), or np.stack([row, …]) for "
            "an array made row by row, or assign() a whole new array to a leaf, or change the array before "
            f"Tensor(array) copies it{one_hot}"
        )

    def __delitem__(self, index: Any) -> NoReturn:
        raise InPlaceError(
            "del t[index] would change a recorded value: write np.delete(t, index, axis) for a new value without it"
        )

    def _refuse(self: Any, other: Any) -> NoReturn:
        remedy = IN_PLACE.get(
            self.name,
            "write t = t + … for a new value, or t.assign(t + …) to update a leaf. To add up losses, add numbers, as "
            "in total += float(loss)",
        )
        raise InPlaceError(
            f"{called(self)} cannot be changed in place, since a recorded value must not change: {remedy}"
        )

    __iadd__ = __isub__ = __imul__ = __itruediv__ = __imatmul__ = __ipow__ = _refuse
    __iand__ = __ior__ = __ixor__ = __ifloordiv__ = __imod__ = _refuse


class MissingNames:
    """The base class of Tensor that explains missing names: reading one raises an error with what to write instead.

    `add_missing` adds such a name, and `hasattr` returns False for it. A `__getattr__` on Tensor would do the same in
    fewer lines, but would slow down the reading of all other attributes.

    >>> from autograd_spiral import Tensor
    >>> Tensor([1.0, 2.0]).unsqueeze
    Traceback (most recent call last):
      ...
    AttributeError: Tensor has no 'unsqueeze': write np.expand_dims(t, axis)
    """

    __slots__ = ()

    def __dir__(self) -> list[str]:
        kind = type(self)
        return [name for name in super().__dir__() if type(inspect.getattr_static(kind, name, None)) is not _Missing]


class _Missing:
    """A descriptor in the place of a missing attribute: reading the attribute raises AttributeError."""

    __slots__ = ("_instead", "_name")

    def __init__(self, name: str, instead: str | Callable[[], str]) -> None:
        self._name, self._instead = name, instead

    def __get__(self, instance: object, owner: type) -> NoReturn:
        instead = self._instead if isinstance(self._instead, str) else self._instead()
        # Without `obj=`, Python does not suggest another attribute itself.
        raise AttributeError(f"{owner.__name__} has no {self._name!r}: {instead}", name=self._name)


def add_missing(name: str, instead: str | Callable[[], str]) -> None:
    """Make `t.name` raise an error that says what to do `instead`: a string, or a function that returns one."""
    setattr(MissingNames, name, _Missing(name, instead))


def set_requires_grad(tensor: Any) -> GradientError:
    """Return the error for `t.requires_grad = …`."""
    t = tensor.name or "t"
    return GradientError(
        f"requires_grad of {called(tensor)} cannot be changed: to freeze a parameter, leave it out of "
        f"grad(loss, parameters) and of the optimizer; write Tensor({t}.data, requires_grad=True) for a leaf that "
        f"collects a gradient, or {t}.detach() for one that does not"
    )


def assigned_result(tensor: Any) -> InPlaceError:
    """Return the error for `assign` to a tensor that was computed."""
    w = tensor.name or next((arg.name for arg in tensor.args if getattr(arg, "name", None)), "w")
    return InPlaceError(
        f"assign() is for leaves, but {called(tensor)} was computed by {tensor.primitive.name}: if it has replaced a "
        f"parameter, write {w}.assign({w} - 0.1 * d{w}) from the start instead of {w} = {w} - 0.1 * d{w}; if not, give "
        "the new value a name of its own"
    )


def assigned_shape(tensor: Any, shape: tuple[int, ...]) -> ShapeError:
    """Return the error for `assign` with another shape."""
    return ShapeError(f"cannot assign shape {shape} to {called(tensor)} of shape {tensor.shape}")


def assigned_dtype(tensor: Any, dtype: np.dtype[Any]) -> DtypeError:
    """Return the error for `assign` with a dtype that does not convert."""
    return DtypeError(f"cannot assign {dtype} to {called(tensor)} of dtype {tensor.dtype}")


# --- data, and arrays without their graph ---------------------------------------------------------------------------


def no_flag(requires_grad: Any) -> TypeError:
    """Return the error for `Tensor(data, requires_grad)` with anything but a bool, as in `Tensor(data, "W")`."""
    if isinstance(requires_grad, str):
        remedy = f"write Tensor(data, name={requires_grad!r}), or Tensor(data, True, {requires_grad!r})"
    else:
        remedy = "write Tensor(data, requires_grad=True)"
    return TypeError(f"Tensor: requires_grad must be True or False, not {requires_grad!r}: {remedy}")


def integer_gradient(dtype: np.dtype[Any]) -> DtypeError:
    """Return the error for `requires_grad=True` with a dtype that is not floating."""
    return DtypeError(
        f"only floating tensors can require gradients, not {dtype}: "
        "pass floats, as in Tensor(np.asarray(data, dtype=float), requires_grad=True)"
    )


def data_dtype(use: str, dtype: np.dtype[Any]) -> DtypeError:
    """Return the error for data that are not real numbers; `use` says what they were passed to."""
    compared = dtype.kind == "O" and use in ("np.equal", "np.not_equal")
    remedy = "; to test whether there is a tensor, write t is None" if compared else ""
    return DtypeError(f"{use}: the dtype must be floating, integer or bool, not {dtype}{remedy}")


def masked_array(use: str) -> DtypeError:
    """Return the error for one of NumPy's masked arrays, passed to `use`."""
    return DtypeError(f"{use}: a masked array would lose its mask; use np.where with the mask instead")


def matrix(name: str) -> DtypeError:
    """Return the error for an np.matrix as an operand of the function called `name`."""
    return DtypeError(f"{name}: np.matrix multiplies differently from arrays and tensors: pass np.asarray(matrix)")


def lost_graph() -> LostGraphError:
    """Return the error for `Tensor(t)` of a tensor that requires gradients."""
    return LostGraphError(
        "Tensor(t) would drop the graph of a tensor that requires gradients: write t.detach() if you mean that"
    )


def lost_number(tensor: Any, use: str, transform: str) -> LostGraphError:
    """Return the error for converting a tensor to a number in the function that a transform differentiates."""
    library, frame = converting()
    operation = "" if library else operation_in(frame)
    if operation == "[]=":
        does, remedy = "array[i] = t with", "write np.stack([t, …]) instead of filling an array"
    elif known := numpys_function(operation):
        does, remedy = f"{operation}(…) of", f"write {known}(…)"
    else:
        does = f"{use} of"
        remedy = "compute with t itself, which needs no float(), and write np.exp(t) instead of math.exp(t)"
    return LostGraphError(
        f"{does} {called(tensor)} in the function passed to {transform} would silently drop its gradient: {remedy}. "
        "If the number is for display only, write float(t.detach())"
    )


def formats_text() -> bool:
    """Return whether Python is computing `"%.2f" % t`, which needs the value of t only to display it.

    >>> class Number:
    ...     def __float__(self):
    ...         return 1.0 if formats_text() else 0.0
    >>> "%.1f" % Number(), float(Number())
    ('1.0', 0.0)
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_name in ("_one", "__float__"):
        frame = frame.f_back
    if frame is None:
        return False
    step = running_instruction(frame)  # an operator calls __float__ only to format a text
    return step is not None and step.argrepr in ("%", "%=")


def running_instruction(frame: FrameType) -> dis.Instruction | None:
    """Return the instruction that a frame is running."""
    return next((step for step in dis.get_instructions(frame.f_code) if step.offset == frame.f_lasti), None)


def operation_in(frame: FrameType | None) -> str:
    """Return what a frame is evaluating: "[]" for `something[index]`, or "[]=" if that is assigned to.

    For an attribute, return its name after a dot, such as ".data". For a call, return the function as it is written
    there, such as "math.exp". For anything else, return "".
    """
    step = running_instruction(frame) if frame else None
    if frame is None or step is None:
        return ""
    if step.opname == "BINARY_SUBSCR" or step.argrepr == "[]":  # "[]" since Python 3.14
        return "[]"
    if step.opname.startswith("STORE_S"):  # a subscript or a slice
        return "[]="
    if step.opname == "LOAD_ATTR":
        return f".{step.argval}"
    return _called_at(frame.f_code.co_filename, step.positions) if "CALL" in step.opname else ""


def _called_at(file: str, positions: Any) -> str:
    """Return the function that is called at these positions of a file, as it is written there; "" if unknown."""
    with contextlib.suppress(SyntaxError, IndexError, ValueError):  # if the file is missing, or has changed
        text = ast.get_source_segment("".join(linecache.getlines(file)), positions)
        call = ast.parse(f"({text})", mode="eval").body
        return ast.unparse(call.func) if isinstance(call, ast.Call) else ""
    return ""


def numpys_function(operation: str) -> str:
    """Return NumPy's function for one of `math`, such as "np.exp" for "math.exp" or "exp"; "" if there is none."""
    name = operation.removeprefix("math.")
    return f"np.{name}" if hasattr(math, name) and hasattr(np, name) else ""


_LIBRARIES = {
    "jax": "JAX",
    "matplotlib": "Matplotlib",
    "numpy": "NumPy",
    "pandas": "pandas",
    "scipy": "SciPy",
    "sklearn": "scikit-learn",
}
_NUMPYS_FUNCTIONS = {
    "np.r_": "write np.concatenate([t, …])",
    "np.c_": "write np.column_stack([t, …])",
    "np.full": "write np.broadcast_to(t, shape)",
    "np.vectorize": "call the function itself, with NumPy's functions inside",
}
"""What to write instead of functions of NumPy that cannot be called on Tensors."""


def plain_array(tensor: Any, *, captured: bool = False) -> LostGraphError:
    """Return the error for `np.asarray(t)`, which most functions of other libraries call."""
    library, frame = converting()
    value = "float(t)" if tensor.shape == () else "t.data"
    graph = f"would silently drop the graph of {called(tensor)}"
    if captured:
        value, graph = f"{value} outside the step", f"would read the value of {called(tensor)} in a captured step"
    if not library:
        if operation_in(frame) == "[]=":
            remedy = f"write np.stack([t, …]) instead of filling an array, or array[i] = {value} for the value alone"
            return LostGraphError(f"array[i] = t {graph}: {remedy}")
        remedy = f"write np.stack([t, …]) to make an array of several tensors, or {value} for the value alone"
        return LostGraphError(f"making a plain array {graph}: {remedy}")
    assert frame is not None
    module, name = frame.f_globals["__name__"], _called_as(frame)
    function = f"{_LIBRARIES[library]}'s {name}"
    remedy = f"pass {value}" + (", or [float(t) for t in losses] for a list of them" if tensor.shape == () else "")
    if library == "numpy":
        room = module.split(".")[1]
        function = f"np.{name}" if room.startswith(("_", "lib", "matrixlib")) else f"np.{room}.{name}"
        arguments = (frame.f_locals.get(argument) for argument in frame.f_code.co_varnames[: frame.f_code.co_argcount])
        lists = [argument for argument in arguments if isinstance(argument, list | tuple)]
        if function in _NUMPYS_FUNCTIONS:
            remedy = _NUMPYS_FUNCTIONS[function]
        elif room != "testing" and any(part is tensor for part in flatten(lists)[0]):
            return LostGraphError(f"{function} of a list {graph}: pass np.stack([t, …]) instead of the list")
        else:
            remedy = f"pass {value}"
    elif module.startswith("scipy.optimize"):
        remedy = f"pass {value}; for a function of tensors, pass value_and_grad(function) and jac=True"
    elif library == "scipy":
        remedy = (
            "write it in NumPy's functions and SciPy's ufuncs, which take tensors, or declare it with @primitive(vjp, …"
            f"); if you only need the value, pass {value}"
        )
    elif library == "pandas":
        function = "pandas"
        remedy = f"write df.to_numpy() for a table that is used with a tensor, or {value} for the value alone"
    return LostGraphError(f"{function} {graph}, since it takes only arrays: {remedy}")


def converting() -> tuple[str, FrameType | None]:
    """Return the library whose function is making an array of a tensor, and the function's frame.

    If no library is, return "" and the frame of the user.
    """
    frame: FrameType | None = sys._getframe(1)
    found: tuple[str, FrameType | None] = "", None
    while frame is not None:
        library = frame.f_globals.get("__name__", "").partition(".")[0]
        if library in _LIBRARIES:
            found = (library, frame) if _called_as(frame) else found
        elif library != "contextlib" and (found[0] or library != "autograd_spiral"):  # contextlib decorates functions
            break
        frame = frame.f_back
    return found if found[0] else ("", frame)


def _called_as(frame: FrameType) -> str:
    """Return the name under which a function of a library is called; "" if it only decorates another function."""
    code = frame.f_code
    if code.co_name.startswith("__"):  # a method of a class that is called like a function, such as np.vectorize
        kind = code.co_qualname.partition(".")[0]
        return {"RClass": "r_", "CClass": "c_"}.get(type(frame.f_locals.get("self")).__name__, kind)
    return "" if code.co_name in ("<lambda>", "inner", "wrapper") else code.co_name


def ambiguous(tensor: Any) -> ShapeError:
    """Return the error for the truth value of a tensor that does not have one element."""
    _, frame = converting()
    if frame is not None and frame.f_globals.get("__name__", "").startswith("numpy.testing"):
        remedy = f"np.testing.{_called_as(frame)} needs arrays: pass t.data"
    else:
        remedy = "write t.any() or t.all(); to look for a tensor in a list, write any(x is t for x in list)"
    return ShapeError(f"the truth value of a tensor of shape {tensor.shape} is ambiguous: {remedy}")


def refuse_pickling_by_save() -> None:
    """Raise TypeError if `np.save` or the like is pickling a container of tensors, which `np.load` would not load."""
    library, frame = converting()
    if library == "numpy" and frame is not None and (name := _called_as(frame)).startswith("save"):
        raise TypeError(
            f"np.{name} saves arrays, and would pickle a dict or list of tensors, which np.load refuses to load: "
            "write np.savez(file, **net) for a dict of tensors, np.savez(file, **optimizer.state) for an optimizer, or "
            "np.save(file, np.stack([t, …])) for a list"
        )


# --- calls that cannot be recorded ----------------------------------------------------------------------------------

INSTEAD: dict[Callable[..., Any], str] = {}
"""Maps a function that has no rule to what to write instead; a vocabulary fills it."""

_WRITERS = frozenset((np.copyto, np.put, np.place, np.putmask, np.fill_diagonal, np.put_along_axis))


def no_rule(function: Callable[..., Any]) -> AutogradError:
    """Return the error for a function that is not in the table."""
    name = name_of(function)
    if function in _WRITERS:
        return InPlaceError(
            f"{name} writes into its argument, but a recorded value never changes: "
            "use np.where(mask, value, t) for a new value, or t.assign(…) to update a leaf"
        )
    if function in INSTEAD:
        return NoRuleError(f"{name} has no gradient rule: write {INSTEAD[function]}")
    return NoRuleError(
        f"{name} has no gradient rule. If you only need the value, pass arrays (t.data); to differentiate it, "
        "compose it from functions that have rules, or declare it with @primitive(vjp, …)"
    )


def ufunc_method(ufunc: np.ufunc, method: str) -> AutogradError:
    """Return the error for `np.add.reduce(t)` and the other methods of ufuncs."""
    if method == "at":
        return InPlaceError(
            f"{name_of(ufunc)}.at writes into its argument, but a recorded value never changes: "
            "add an array that holds the changes, as in t + changes"
        )
    remedy = f"{name_of(ufunc)} and other functions of whole arrays"
    if method == "outer":
        remedy = f"broadcasting, as in {name_of(ufunc)}(x[:, None], y)"
    return NoRuleError(f"{name_of(ufunc)}.{method} has no gradient rule: use {remedy}")


_NUMPYS_NAMES = {"dim": "axis", "keepdim": "keepdims"}


def in_numpys_names(keywords: dict[str, Any]) -> dict[str, Any]:
    """Return the keywords of a method unchanged; raise TypeError for PyTorch's names for NumPy's keywords.

    >>> in_numpys_names({"dim": 0})
    Traceback (most recent call last):
      ...
    TypeError: got an unexpected keyword argument 'dim': write axis= instead of dim=
    """
    for key in keywords.keys() & _NUMPYS_NAMES.keys():
        raise TypeError(f"got an unexpected keyword argument {key!r}{numpys_names(keywords)}")
    return keywords


def numpys_names(keywords: Iterable[str]) -> str:
    """Return what to write instead of PyTorch's names for NumPy's keywords; "" if there are none.

    >>> numpys_names(["dim", "dtype"])
    ': write axis= instead of dim='
    """
    pairs = [f"{_NUMPYS_NAMES[key]}= instead of {key}=" for key in keywords if key in _NUMPYS_NAMES]
    return f": write {', '.join(pairs)}" if pairs else ""


def keyword(function: Callable[..., Any], key: str) -> AutogradError:
    """Return the error for a keyword of a NumPy function that recording does not support."""
    if key == "out":
        return InPlaceError(
            f"{name_of(function)} with out= would overwrite an array (and so would a += t with an array a), but a "
            f"recorded value never changes: write a = {name_of(function)}(…) for a new value, or t.assign(…) to "
            "update a leaf"
        )
    remedies = {
        "where": "use np.where(condition, value, other)",
        "dtype": "use t.astype(…) to convert",
        "axes": "move the axes with np.moveaxis or np.transpose",
        "axis": "move the axes with np.moveaxis or np.transpose",
    }
    return NoRuleError(f"{name_of(function)} with {key}= has no gradient rule: {remedies.get(key, 'leave it out')}")


def modular_power() -> NoRuleError:
    """Return the error for `pow(t, y, n)`."""
    return NoRuleError("pow(t, y, n) is for Python's integers: write t**y % n for the remainder of a power")


def several_outputs(primitive: Any, count: int) -> RuleError:
    """Return the error for a primitive whose body returned a tuple."""
    return RuleError(
        f"{primitive.name} returned a tuple of {count}, but an operation must return one array: "
        "declare an operation for each output, or combine them with np.stack"
    )


def result_dtype(primitive: Any, dtype: np.dtype[Any]) -> DtypeError:
    """Return the error for a primitive whose result is not an array of real numbers."""
    return DtypeError(f"{primitive.name} returned dtype {dtype}: the dtype must be floating, integer or bool")


def explain_call(
    error: Exception, name: str, operands: Iterable[Any], params: dict[str, Any], isolated: bool = False
) -> None:
    """Raise an error of this package instead of NumPy's `error`, with the operation and the shapes added.

    Errors of this package stay unchanged, except that errors about shapes name the outermost function. Errors of an
    `isolated` operation, which a user wrote, only get a note, unless they are about shapes or an index.
    """
    kinds = (ValueError, IndexError, TypeError, ZeroDivisionError, np.exceptions.AxisError, np.linalg.LinAlgError)
    reason = error.__cause__ if isinstance(error, AutogradError) and type(error.__cause__) in kinds else error
    if type(reason) not in (*kinds, ShapeError):
        return
    spread = (part for operand in operands for part in (operand if isinstance(operand, list | tuple) else (operand,)))
    known = [part for part in spread if hasattr(part, "shape")]
    shapes = [part.shape for part in known]
    indexed = any(isinstance(item, str) for item in params.get("index", ()))  # its arrays are listed with the shapes
    told = {k: v for k, v in params.items() if not (k == "index" and indexed)}
    settings = "".join(f", {key}={setting!r}" for key, setting in told.items())
    call = f"{name} of shapes {', '.join(map(str, shapes))}{settings}"
    about_shapes = any(word in str(reason) for word in ("shape", "dimension", "size", "length"))
    if isinstance(reason, np.linalg.LinAlgError) and not about_shapes:  # left alone: a program may want to catch it
        return
    if isolated and (isinstance(reason, TypeError) or (type(reason) is ValueError and not about_shapes)):
        error.add_note(f"in {call}")
        return
    if isinstance(reason, TypeError):
        dtypes = ", ".join(str(part.dtype) for part in known)
        about_numbers = any(word in str(reason) for word in ("integer", "iterable"))
        remedy = "; axes, counts and positions must be integers" if about_numbers else ""
        raise DtypeError(f"{name} of dtypes {dtypes}{settings}: {reason}{remedy}") from reason
    if isinstance(reason, np.exceptions.AxisError):
        raise AxisError(f"{call}: {reason}") from reason
    if type(reason) is IndexError:
        raise PositionError(f"{call}: {reason}") from reason
    if "core dimension" in str(reason) and len(shapes) == 2:  # of a product of matrices or vectors
        inner = shapes[1][-2] if len(shapes[1]) > 1 else shapes[1][0]
        said = f"the rows of the first have {shapes[0][-1]} entries, but the columns of the second have {inner}"
        raise ShapeError(f"{call}: {said}") from reason
    raise (ShapeError if about_shapes else ArgumentError)(f"{call}: {reason}") from reason


# --- missing gradients ----------------------------------------------------------------------------------------------


def no_gradient(tensor: Any) -> GradientError:
    """Return the error for a gradient of a tensor that does not require gradients."""
    return GradientError(
        f"{called(tensor)} does not require gradients. Either no tensor it was computed from has requires_grad=True, "
        "or its graph was cut by no_grad(), detach(), .data, a plain number (float(t), math.exp(t), array[i] = t), "
        "copy.deepcopy(), pickle, grad() without create_graph=True, or a captured step (take the gradient inside the "
        "step). If a new tensor has replaced a parameter, write W.assign(W - 0.1 * W.grad) instead of "
        "W = W - 0.1 * W.grad"
    )


def no_collected_gradient(tensor: Any) -> str:
    """Return the warning for reading `.grad` of a tensor that never collects one."""
    leaves = [arg for arg in tensor.args if type(arg) is type(tensor) and arg.is_leaf and arg.requires_grad]
    leaf = next((leaf.name or "W" for leaf in leaves if leaf.shape == tensor.shape), "W")
    update = f"write {leaf}.assign({leaf} - 0.1 * {leaf}.grad) instead of {leaf} = {leaf} - 0.1 * {leaf}.grad"
    if tensor.primitive is None:
        remedy = f"make such a leaf with Tensor(data, requires_grad=True); to update a leaf, {update}"
    else:
        remedy = f"use grad(loss, {tensor.name or 't'}) for the gradient of a tensor that was computed"
        if leaves:
            remedy += f"; to update a leaf, {update}, which makes a new tensor"
    return f"{called(tensor)} has no .grad: only leaves with requires_grad=True collect one; {remedy}"


KEYWORDS: dict[str, dict[str, str]] = {}
"""Maps the name of a function to keywords that it lacks, each with what to write instead; other rooms fill it."""


def unknown_keyword(function: str, keyword: str, *others: str) -> TypeError:
    """Return the error for a keyword that a function lacks, such as PyTorch's `backward(retain_graph=True)`."""
    remedy = KEYWORDS.get(function, {}).get(keyword, "")
    if remedy.endswith("="):
        remedy = f"write {remedy} instead of {keyword}="
    return TypeError(f"{function}() got an unexpected keyword argument {keyword!r}{remedy and f': {remedy}'}")


_UPDATES = 10


def many_updates(role: str, tensor: Any, asked: Container[int]) -> str | None:
    """Return the warning for a parameter that ten updates have replaced by new tensors; None for any other tensor.

    An update computes the new tensor from the old one, for which a gradient was computed, and from a constant of the
    same shape. `asked` has the serial numbers of computed tensors for which gradients were computed. After the warning
    at the tenth update, there are no further warnings.
    """
    name, count = tensor.name, 0
    while count <= _UPDATES and (old := _updated(tensor, asked)) is not None:
        tensor, count = old, count + 1
    if count != _UPDATES:
        return None
    name = name or tensor.name or "w"
    return (
        f"grad: {role} has been replaced by a new tensor in each of {count} updates, and all of these tensors stay in "
        f"memory, each in the graph of the next: write {name}.assign({name} - 0.1 * d{name}) instead of "
        f"{name} = {name} - 0.1 * d{name}"
    )


def _updated(tensor: Any, asked: Container[int]) -> Any:
    """Return the tensor of which `tensor` is an update; None if it is not an update."""
    if len(tensor.args) != 2 or len({getattr(arg, "shape", None) for arg in tensor.args}) > 1:
        return None
    olds = [arg for arg in tensor.args if getattr(arg, "requires_grad", False)]
    return olds[0] if len(olds) == 1 and (olds[0].is_leaf or olds[0].serial in asked) else None


def grad_of_no_leaf(tensor: Any) -> GradientError:
    """Return the error for setting `.grad` of a tensor that never collects one."""
    return GradientError(f"{called(tensor)} has no .grad to set: only leaves with requires_grad=True have one")


def grad_shape(tensor: Any, shape: tuple[int, ...]) -> ShapeError:
    """Return the error for setting `.grad` to another shape."""
    remedy = f": to clear it, write {tensor.name or 't'}.grad = None" if shape == () else ""
    return ShapeError(f"cannot set .grad of {called(tensor)} of shape {tensor.shape} to shape {shape}{remedy}")


def swapped(tensor: Any) -> GradientError:
    """Return the error for `grad(parameters, loss)`."""
    return GradientError(
        f"grad: the outputs are leaves, but the input {called(tensor)} was computed. Pass the outputs first, as in "
        "grad(loss, parameters)"
    )


def no_cotangent(tensor: Any, caller: str) -> GradientError:
    """Return the error for a gradient of several elements without a cotangent."""
    if caller == "backward":
        remedy = "as in t.sum().backward() or t.mean().backward(), or pass cotangent="
    else:
        remedy = "as in grad(t.sum(), …) or grad(t.mean(), …), or pass cotangents="
    return GradientError(
        f"{caller}() needs a single number, such as a loss, but {called(tensor)} has shape {tensor.shape}: "
        f"reduce it, {remedy}, an array of that shape with a weight for each element"
    )


def cotangent_shape(tensor: Any, shape: tuple[int, ...]) -> ShapeError:
    """Return the error for a cotangent that does not have the shape of its output."""
    return ShapeError(f"the cotangent has shape {shape} but {called(tensor)} has shape {tensor.shape}")


def cotangent_dtype(tensor: Any, dtype: np.dtype[Any]) -> DtypeError:
    """Return the error for a cotangent that does not have the dtype of its output."""
    return DtypeError(
        f"the cotangent has dtype {dtype} but {called(tensor)} has dtype {tensor.dtype}: "
        f"pass cotangent.astype(np.{tensor.dtype})"
    )


def integer_in_grad(role: str, tensor: Any) -> DtypeError:
    """Return the error for an output or input of `grad` that is not floating; `role` says which, as in `input 0`."""
    return DtypeError(f"grad: {role} has dtype {tensor.dtype}; only floating tensors have gradients")


def plain_class(value: Any) -> str:
    """Return advice for an object that holds tensors but is not a dataclass; return "" for all other values.

    >>> from types import SimpleNamespace
    >>> from autograd_spiral import Tensor
    >>> plain_class(SimpleNamespace(W=Tensor(1.0))), plain_class(np.ones(2))
    (': write @dataclass above class SimpleNamespace', '')
    """
    return f": write @dataclass above class {type(value).__name__}" if _holds_tensors(value, 3) else ""


def plain_number(value: Any, role: str) -> str:
    """Return what to write for an array or a number where a Tensor is needed; "" for other values.

    >>> plain_number(np.ones(2), "grad: input")
    ': write Tensor(array, requires_grad=True), or value_and_grad(f)(array)'
    """
    if not isinstance(value, np.ndarray | np.number | float):
        return ""
    if role.endswith("output"):
        return (
            ", which has no graph, like all results of .data, float(t), math.exp(t) and array[i] = t: write np.exp(t) "
            "instead of math.exp(t), and np.stack([t, …]) instead of filling an array"
        )
    return ": write Tensor(array, requires_grad=True), or value_and_grad(f)(array)"


def _holds_tensors(value: Any, levels: int) -> bool:
    parts = flatten(getattr(value, "__dict__", None) or {})[0] if levels and not isinstance(value, type) else []
    return any(hasattr(part, "requires_grad") or _holds_tensors(part, levels - 1) for part in parts)


def input_without_gradient(role: str, tensor: Any, *, captured: bool) -> GradientError:
    """Return the error for an input of `grad` that does not require gradients."""
    named = f" ({tensor.name!r})" if tensor.name else ""
    remedy = "make it with requires_grad=True"
    if captured:
        remedy += (
            ". Results of a captured step never require gradients: to pass them to the step again, write "
            "value_and_grad(f)(parameters) in the step, or keep the parameters outside and update them as in "
            "W.assign(W - 0.1 * dW)"
        )
    return GradientError(f"grad: {role}{named} does not require gradients; {remedy}")


def stale(leaf: Any, node: Any) -> StaleLeafError:
    """Return the error for recording a gradient at a value of `leaf` that has changed since `node` was computed."""
    return StaleLeafError(
        f"{leaf.name or 'a leaf'} of shape {leaf.shape} was assigned after {node.primitive.name} recorded it, so "
        "create_graph=True, backward_source and draw(…, gradients_of=…) cannot record the gradient at the old value. "
        "Take the gradient before assign(), or compute the outputs again, as in loss = f(W)."
    )


# --- rules that break their contract --------------------------------------------------------------------------------

_NO_FAULT_OF_A_RULE = (AutogradError, MemoryError, FloatingPointError, Warning)
"""Exceptions from a rule that are passed on unchanged: they are clear already, or NumPy was told to raise them."""


def _rule(primitive: Any, argument: int) -> str:
    return f"the rule of {primitive.name} for {primitive.argument(argument)}"


def explain_rule(error: Exception, node: Any, argument: int, ct: Any, out: Any, operands: Any) -> None:
    """Raise a `RuleError` for `error`, which a rule raised, saying what the rule was called with.

    An error that is not the rule's fault only gets a note. So does an error that NumPy raised because of such an error,
    as in `array[i] = tensor`.
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
    if is_refused_write(error):
        names = overwritten(primitive.vjps_for(len(operands))[argument], {"ct": ct, "out": out, **arrays}, node.params)
        writes = f"{rule} writes into {names}: " if names else ""
        lines.append(f"{writes}a rule must not change its arguments, which are shared: compute a new array instead")
    raise RuleError("\n".join(lines)) from error


def explain_body(error: Exception, primitive: Any, operands: Iterable[Any], params: dict[str, Any]) -> None:
    """Raise an `InPlaceError` if `error` says that the body of a declared primitive changes its arguments."""
    if is_refused_write(error):
        arrays = {primitive.argument(i): x for i, x in enumerate(operands)}
        if names := overwritten(primitive.body, arrays, params):
            raise InPlaceError(
                f"{primitive.name} writes into {names}, but a recorded value never changes: compute a new array, "
                "or write into a copy"
            ) from error


def is_refused_write(error: BaseException | None) -> bool:
    """Return whether `error` is NumPy's error for writing into a read-only array, or for making it writable."""
    return isinstance(error, ValueError) and any(word in str(error) for word in ("read-only", "WRITEABLE"))


def overwritten(function: Callable[..., Any], given: dict[str, Any], params: dict[str, Any]) -> str:
    """Call `function` with copies of the `given` arrays, and return the names of those that it changes."""
    copies = [np.array(x) if isinstance(x, np.ndarray) else x for x in given.values()]
    with contextlib.suppress(Exception):
        function(*copies, **copy.deepcopy(params))
    pairs = zip(given.items(), copies, strict=True)
    changed = [name for (name, x), y in pairs if isinstance(x, np.ndarray) and x.tobytes() != y.tobytes()]
    return " and ".join(changed)


def unrecorded_piece(primitive: Any, argument: int) -> RuleError:
    """Return the error for a rule that was called with Tensors but returned an array."""
    return RuleError(
        f"{_rule(primitive, argument)} returned a plain array while the gradient was being recorded "
        "(for create_graph=True, a captured step or a picture), but a plain array has no graph. Apply NumPy functions "
        "to the arguments of the rule, not to their .data, and do not fill an array in a loop. If NumPy functions are "
        "not enough, declare another @primitive with its own rules, and call it in the rule"
    )


def wrong_piece(primitive: Any, argument: int, piece: Any, value: Any) -> RuleError:
    """Return the error for a rule whose result has neither the shape of its argument nor one that it broadcasts to."""
    got = f"shape {piece.shape}" if hasattr(piece, "shape") else f"a {type(piece).__name__}"
    return RuleError(
        f"{_rule(primitive, argument)} returned {got}, but the argument has shape "
        f"{value.shape}: a rule must return that shape, or one that the argument broadcasts to"
    )
