"""A function that the command line names as "module:function", and random inputs for it."""

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
    """The request names no function or no shapes. The user's code is not at fault."""


def function_and_inputs(
    spec: str, shapes: str | None, *, dtype: str = "float64", seed: int = 0
) -> tuple[Callable[..., Any], list[NDArray[Any]]]:
    """Return the function that `spec` names, as "module:function", and normal random inputs of `shapes`.

    `shapes` is written as "(3, 4), (4,)"; None raises an error, but only after the function was found. The current
    directory is searched for the module, too. Raises `UsageError`, which says what is wrong with the request;
    exceptions of the module itself pass through.

    >>> function, inputs = function_and_inputs("numpy:tanh", "(3, 4), (4,)")
    >>> function.__name__, [x.shape for x in inputs]
    ('tanh', [(3, 4), (4,)])
    """
    function = resolve(spec)
    if shapes is None:
        raise UsageError(f'give the shapes of the inputs of {spec}, as in --shapes "(3, 4), (4,)"')
    if dtype not in ("float64", "float32"):
        raise UsageError(f"the dtype must be float64 or float32, not {dtype!r}")
    rng = np.random.default_rng(seed)
    return function, [np.asarray(rng.standard_normal(shape), dtype=dtype) for shape in _shapes(shapes)]


def suggestion(name: str) -> str | None:
    """Return the "module:function" that `name` probably means, or None.

    In `name`, the two may be separated by a dot, or the module written as the path of a file. Searches for the module,
    in the current directory too, but does not import it.

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
    """Return whether there is a file for the module with these parts of a name."""
    folders: Sequence[str] | None = [os.getcwd(), *sys.path]
    spec = None
    for part in module:
        spec = PathFinder.find_spec(part, folders) if folders else None
        folders = spec.submodule_search_locations if spec is not None else None
    return spec is not None and spec.origin is not None


def resolve(spec: str) -> Callable[..., Any]:
    """Return the function that `spec` names, as "module:function". Raises as `function_and_inputs` does.

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


def _shapes(text: str) -> Sequence[tuple[int, ...]]:
    try:
        value = ast.literal_eval(f"[{text}]")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        value = []  # refused below
    shapes = [(shape,) if isinstance(shape, int) else shape for shape in value]
    if len(value) > 1 and shapes != value:
        several = ", ".join(map(str, shapes))
        all_ints = all(isinstance(shape, int) for shape in value)
        meant = f'"{tuple(value)}" for one input, or "{several}" for several' if all_ints else f'"{several}"'
        raise UsageError(f"shapes are tuples of lengths: write {meant}, not {text!r}")
    tuples = all(isinstance(shape, tuple) for shape in shapes)
    if not shapes or not tuples or not all(type(n) is int and n >= 0 for shape in shapes for n in shape):
        raise UsageError(f'shapes are tuples of lengths, as in "(3, 4), (4,)", not {text!r}')
    return shapes
