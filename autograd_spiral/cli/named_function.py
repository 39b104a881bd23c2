"""Finds the function that the command line names as "module:function", and draws random inputs for it."""

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

__all__ = ["UsageError", "function_and_inputs", "resolve", "suggestion"]


class UsageError(ValueError):
    """The command line names no function, or no shapes; the user's code is not at fault."""


def function_and_inputs(
    spec: str, shapes: str | None, *, dtype: str = "float64", seed: int = 0
) -> tuple[Callable[..., Any], list[NDArray[Any]]]:
    """Return the function that `spec` names, as "module:function", and random inputs of `shapes`.

    `shapes` is written as "(3, 4), (4,)"; None raises an error, but only after the function was found. The inputs are
    standard normal numbers, or, for "(4,) < 10", whole numbers from 0 to 9, such as labels. The module is also searched
    for in the current directory. Raises `UsageError`, which says what is wrong with the command line. Exceptions that
    the module itself raises are passed on.

    >>> function, inputs = function_and_inputs("autograd_spiral:softmax_cross_entropy", "(4, 10), (4,) < 10")
    >>> function.__name__, [(x.shape, x.dtype.kind) for x in inputs]
    ('softmax_cross_entropy', [((4, 10), 'f'), ((4,), 'i')])
    """
    function = resolve(spec)
    if shapes is None:
        raise UsageError(f'give the shapes of the inputs of {spec}, as in --shapes "(3, 4), (4,)"')
    if dtype not in ("float64", "float32"):
        raise UsageError(f"the dtype must be float64 or float32, not {dtype!r}")
    rng = np.random.default_rng(seed)
    return function, [
        np.asarray(rng.standard_normal(shape), dtype) if below is None else np.asarray(rng.integers(below, size=shape))
        for shape, below in _shapes(shapes)
    ]


def suggestion(name: str) -> str | None:
    """Return the "module:function" that `name` probably means, or None.

    In `name`, module and function may be separated by a dot, or the module may be written as the path of a file. The
    module is searched for, also in the current directory, but it is not imported.

    >>> suggestion("json.decoder.scanstring"), suggestion("json/decoder.py:scanstring"), suggestion("no.such")
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
    """Return whether there is a file for the module whose name has these parts."""
    folders: Sequence[str] | None = [os.getcwd(), *sys.path]
    spec = None
    for part in module:
        spec = PathFinder.find_spec(part, folders) if folders else None
        folders = spec.submodule_search_locations if spec is not None else None
    return spec is not None and spec.origin is not None


def resolve(spec: str) -> Callable[..., Any]:
    """Return the function that `spec` names, as "module:function". Raises the same errors as `function_and_inputs`.

    >>> resolve("numpy:tanh").__name__
    'tanh'
    """
    module_name, colon, path = spec.partition(":")
    if not (module_name and colon and path):
        raise UsageError(f"{spec!r} does not name a function: write module:function, as in mypackage.losses:hinge")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    meant = suggestion(spec)
    hint = f": did you mean {meant}?" if meant not in (None, spec) else ""
    if module_name.startswith("."):
        raise UsageError(f"{module_name!r} is not the name of a module{hint}")
    try:
        found: object = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if not f"{module_name}.".startswith(f"{error.name}."):  # the module is there, but one of its imports is missing
            raise
        raise UsageError(f"cannot import {module_name!r}, the module of {spec!r}{hint or f': {error}'}") from error
    for name in path.split("."):
        if not hasattr(found, name):
            close = difflib.get_close_matches(name, dir(found))
            hint = f": did you mean {', '.join(close)}?" if close else ""
            raise UsageError(f"{module_name} has no {path!r}{hint}")
        found = getattr(found, name)
    if not callable(found):
        raise UsageError(f"{spec} is a {type(found).__name__}, not a function")
    return found


def _shapes(text: str) -> list[tuple[tuple[int, ...], int | None]]:
    """Return the shapes in a text, each with the upper limit of its whole numbers, or with None for real numbers.

    >>> _shapes("(4, 3), (4,) < 3")
    [((4, 3), None), ((4,), 3)]
    """
    try:
        items = ast.parse(f"[{text}]", mode="eval").body.elts  # type: ignore[attr-defined]
        pairs = [_shape_and_limit(item) for item in items]
    except (AttributeError, SyntaxError, ValueError, MemoryError, RecursionError):
        pairs = []  # raises an error below
    value = [shape for shape, _ in pairs]
    shapes = [(shape,) if isinstance(shape, int) else shape for shape in value]
    if len(value) > 1 and shapes != value:
        several = ", ".join(map(str, shapes))
        all_ints = all(isinstance(shape, int) for shape in value)
        meant = f'"{tuple(value)}" for one input, or "{several}" for several' if all_ints else f'"{several}"'
        raise UsageError(f"shapes are tuples of lengths: write {meant}, not {text!r}")
    tuples = all(isinstance(shape, tuple) for shape in shapes)
    if not shapes or not tuples or not all(type(n) is int and n >= 0 for shape in shapes for n in shape):
        raise UsageError(
            'shapes are tuples of lengths, as in "(3, 4), (4,)", and whole numbers such as labels have a limit, as in '
            f'"(3, 4), (3,) < 4", not {text!r}'
        )
    return [(shape, below) for shape, (_, below) in zip(shapes, pairs, strict=True)]


def _shape_and_limit(item: ast.expr) -> tuple[Any, int | None]:
    """Return the shape that an expression such as "(3, 4)" or "(4,) < 10" means, and the limit, if there is one."""
    if not isinstance(item, ast.Compare):
        return ast.literal_eval(item), None
    (operator,), (limit,) = item.ops, item.comparators
    below = ast.literal_eval(limit)
    if not isinstance(operator, ast.Lt) or type(below) is not int or below < 1:
        raise ValueError("no limit")
    return ast.literal_eval(item.left), below
