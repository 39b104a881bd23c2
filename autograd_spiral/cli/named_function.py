"""The gradient check of a function that a command line names."""

from __future__ import annotations

import ast
import difflib
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import PathFinder
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.gradcheck.check import check_gradients
from autograd_spiral.gradcheck.report import CheckReport

__all__ = ["BadRequest", "check_named", "named_subject", "spelled_out"]


class BadRequest(ValueError):
    """What was asked for names no function, or no shapes: a fault of the request and not of the user's code."""


def check_named(spec: str, shapes: str, *, dtype: str = "float64", order: int = 1, seed: int = 0) -> CheckReport:
    """Check the gradients of the function that `spec` names, as "module:function", at normal inputs of `shapes`.

    `shapes` is written as "(3, 4), (4,)"; the current directory is searched for the module, too. Raises `BadRequest`,
    a ValueError that says what is wrong with `spec` or `shapes`; what the module or the function raises is let through.

    >>> check_named("numpy:tanh", "(3,)", order=2).ok
    True
    """
    function, inputs = named_subject(spec, shapes, dtype=dtype, seed=seed)
    return check_gradients(function, *inputs, order=order, raise_on_mismatch=False)


def named_subject(
    spec: str, shapes: str | None, *, dtype: str = "float64", seed: int = 0
) -> tuple[Callable[..., Any], list[NDArray[Any]]]:
    """The function that `spec` names and its inputs, as `check_named` takes them. Raises `BadRequest`.

    Without `shapes`, too: what does not exist is named first.

    >>> function, inputs = named_subject("numpy:tanh", "(3, 4), (4,)")
    >>> function.__name__, [x.shape for x in inputs]
    ('tanh', [(3, 4), (4,)])
    """
    function = _resolve(spec)
    if shapes is None:
        raise BadRequest(f'the shapes of the inputs of {spec} are needed, as in --shapes "(3, 4), (4,)"')
    lengths = _shapes(shapes)
    if dtype not in ("float64", "float32"):
        raise BadRequest(f"the dtype must be float64 or float32, not {dtype!r}")
    rng = np.random.default_rng(seed)
    return function, [np.asarray(rng.standard_normal(shape), dtype=dtype) for shape in lengths]


def spelled_out(name: str) -> str | None:
    """The "module:function" that `name` may stand for, written with a dot, a slash or the ending of a file; or None.

    The module is looked for, in the current directory too, and not imported.

    >>> spelled_out("json.decoder.scanstring"), spelled_out("json/decoder.py:scanstring"), spelled_out("no.such")
    ('json.decoder:scanstring', 'json.decoder:scanstring', None)
    """
    path, colon, function = name.partition(":")
    file = path.removesuffix(".py")
    parts = [part for part in file.replace(os.sep, ".").replace("/", ".").split(".") if part]
    if colon or file != path:
        splits = [(parts, function or "function")]
    else:
        splits = [(parts[:end], ".".join(parts[end:])) for end in range(len(parts) - 1, 0, -1)]
    return next((f"{'.'.join(module)}:{rest}" for module, rest in splits if _exists(module)), None)


def _exists(module: Sequence[str]) -> bool:
    """Whether there is a file of that module."""
    folders: Sequence[str] | None = [os.getcwd(), *sys.path]
    spec = None
    for part in module:
        spec = PathFinder.find_spec(part, folders) if folders else None
        folders = spec.submodule_search_locations if spec is not None else None
    return spec is not None and spec.origin is not None


def _resolve(spec: str) -> Callable[..., Any]:
    module_name, colon, path = spec.partition(":")
    if not (module_name and colon and path):
        raise BadRequest(f"{spec!r} does not name a function: write module:function, as in mypackage.losses:hinge")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    meant = spelled_out(spec)
    hint = f": did you mean {meant}?" if meant not in (None, spec) else ""
    if module_name.startswith("."):
        raise BadRequest(f"{module_name!r} is not the name of a module{hint}")
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if not f"{module_name}.".startswith(f"{error.name}."):  # what the module itself imports is missing
            raise
        raise BadRequest(f"cannot import {module_name!r}, the module of {spec!r}{hint or f': {error}'}") from error
    for name in path.split("."):
        if not hasattr(found, name):
            close = difflib.get_close_matches(name, dir(found))
            hint = f": did you mean {', '.join(close)}?" if close else ""
            raise BadRequest(f"{module_name} has no {path!r}{hint}")
        found = getattr(found, name)
    if not callable(found):
        raise BadRequest(f"{spec} is a {type(found).__name__}, not a function")
    function: Callable[..., Any] = found
    return function


def _shapes(text: str) -> Sequence[tuple[int, ...]]:
    wrong = f'shapes are tuples of lengths, as in "(3, 4), (4,)", not {text!r}'
    try:
        value = ast.literal_eval(f"[{text}]")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise BadRequest(wrong) from None
    if len(value) > 1 and any(isinstance(shape, int) for shape in value):
        one, several = tuple(value), ", ".join(str((n,) if isinstance(n, int) else n) for n in value)
        all_ints = all(isinstance(shape, int) for shape in value)
        meant = f'"{one}" for one input, or "{several}" for several' if all_ints else f'"{several}"'
        raise BadRequest(f"shapes are tuples of lengths: write {meant}, not {text!r}")
    shapes = [(shape,) if isinstance(shape, int) else shape for shape in value]
    for shape in shapes:
        if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
            raise BadRequest(wrong)
    if not shapes:
        raise BadRequest(wrong)
    return shapes
