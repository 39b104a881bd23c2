"""The arguments of a function that is checked, as flat leaves with names; and gradients in whatever form they come."""

from __future__ import annotations

import copy
import dataclasses
import inspect
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.errors import ShapeError

__all__ = ["Arguments", "leaves_of"]


class Arguments:
    """The leaves of `inputs`, the arguments of `function`: what is in lists, tuples, dicts, dataclasses, and alone.

    `names` has for each leaf what one would write for it: the name of its Tensor, the name of its parameter, or that
    with keys and attributes, and `input 0` for functions whose parameters have no fixed names. `positions` has the
    number of the argument that it is in. Lists of Python numbers are arrays.

    >>> arguments = Arguments(lambda net, x: 0, [{"W": np.ones(2), "b": np.zeros(1)}, [1.0, 2.0]])
    >>> arguments.names, arguments.positions
    (["net['W']", "net['b']", 'x'], [0, 0, 1])
    """

    def __init__(self, function: Callable[..., Any], inputs: Sequence[Any]) -> None:
        self.inputs = tuple(inputs)
        self.parameters = _parameters(function, len(inputs))
        self.leaves: list[Any] = []
        self.names: list[str] = []
        self.positions: list[int] = []
        for i, (name, tree) in enumerate(zip(self.parameters, self.inputs, strict=True)):
            for path, leaf in _named(name, tree):
                self.leaves.append(leaf)
                self.names.append(getattr(leaf, "name", None) or path)
                self.positions.append(i)

    def with_leaves(self, leaves: Sequence[Any]) -> list[Any]:
        """Return the arguments with these leaves in place of their own.

        >>> Arguments(lambda pair: 0, [(np.ones(1), np.ones(2))]).with_leaves("ab")
        [('a', 'b')]
        """
        rest = iter(leaves)
        return [_rebuilt(tree, rest) for tree in self.inputs]

    def gradients(self, given: Any, floating: Collection[int], *, after_value: bool) -> dict[int, Any]:
        """Return the gradient of each leaf in `floating`, by its index; leaves for which there is None are left out.

        `given` is one for each argument that has floating leaves, or for each argument, in the form of the argument;
        that of the only one; or a dict from the names of parameters. It comes behind the function's value in a tuple
        if `after_value`, and may do so otherwise. Raises `ShapeError` if it is of no such form.

        >>> arguments = Arguments(lambda W, b: 0, [np.ones(2), np.zeros(1)])
        >>> arguments.gradients((0.5, {"b": np.ones(1)}), [0, 1], after_value=True)
        {1: array([1.])}
        """
        forms = [] if after_value else [given]
        if isinstance(given, tuple | list) and len(given) > 1 and _is_one_number(given[0]):
            forms += [given[1], tuple(given[1:])] if len(given) == 2 else [tuple(given[1:])]
        elif after_value:
            raise ShapeError(f"check_against: the function must return (value, gradients), not {_described(given)}")
        matched: list[dict[int, Any]] = []
        refused: list[ShapeError] = []
        for trees in (trees for form in forms for trees in self._by_argument(form, floating)):
            try:
                found = self._matched(trees, floating)
            except ShapeError as error:
                refused.append(error)
                continue
            if all(np.shape(g) == np.shape(_value(self.leaves[at])) for at, g in found.items()):
                return found
            matched.append(found)
        if matched:
            return matched[0]
        if refused:
            raise refused[0]
        places = self._floating_positions(floating)
        count = len(given) if isinstance(given, list | tuple | Mapping) else 1
        called = f" ({', '.join(map(str, given))})" if isinstance(given, Mapping) else ""
        named = ", ".join(self.parameters[i] for i in places)
        raise ShapeError(
            f"check_against: {count} gradients{called} but {len(places)} floating inputs ({named}): give None for "
            "those to leave out, or a dict from their names"
        )

    def _floating_positions(self, floating: Collection[int]) -> list[int]:
        return list(dict.fromkeys(self.positions[at] for at in sorted(floating)))

    def _by_argument(self, given: Any, floating: Collection[int]) -> Iterator[dict[int, Any]]:
        """Yield how `given` can be meant: trees of gradients by the number of the argument."""
        places = self._floating_positions(floating)
        if isinstance(given, list | tuple):
            if len(given) == len(places):
                yield dict(zip(places, given, strict=True))
            if len(given) == len(self.inputs):
                yield {i: tree for i, tree in enumerate(given) if i in places}
        several = isinstance(given, list | tuple) and not _is_numbers(given)
        if len(places) == 1 and not (several and _children(self.inputs[places[0]]) is None):
            yield {places[0]: given}
        if isinstance(given, Mapping) and given and set(given) <= set(self.parameters):
            yield {self.parameters.index(name): tree for name, tree in given.items()}

    def _matched(self, trees: Mapping[int, Any], floating: Collection[int]) -> dict[int, Any]:
        found: dict[int, Any] = {}
        at = 0
        for i, tree in enumerate(self.inputs):
            for gradient in _matching(self.parameters[i], tree, trees.get(i)):
                if at in floating and gradient is not None:
                    found[at] = _value(gradient)
                at += 1
        return found


def leaves_of(tree: Any) -> list[Any]:
    """Return what is in a container, in order.

    >>> leaves_of({"a": (1, "x"), "b": np.ones(1)})
    [1, 'x', array([1.])]
    """
    return [leaf for _, leaf in _named("", tree)]


def _parameters(function: Callable[..., Any], count: int) -> list[str]:
    """Return the names of the first `count` positional parameters; `input 0` and so on where they have none."""
    fallback = [f"input {i}" for i in range(count)]
    if (getattr(function, "__module__", None) or "numpy").partition(".")[0] == "numpy":
        return fallback  # which ones have names depends on NumPy's version
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return fallback
    fixed = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)][:count]
    rest = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), None)
    return fixed + ([f"{rest}[{i}]" for i in range(count - len(fixed))] if rest else fallback[len(fixed) :])


def _children(tree: Any) -> list[tuple[Any, str, Any]] | None:
    """Return the key of each part of a container, how to write it behind a name, and the part; None for a leaf."""
    if isinstance(tree, dict):
        return [(key, f"[{key!r}]", part) for key, part in tree.items()]
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        names = [field.name for field in dataclasses.fields(tree)]
        return [(name, f".{name}", getattr(tree, name)) for name in names]
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return [(name, f".{name}", part) for name, part in zip(tree._fields, tree, strict=True)]
    if isinstance(tree, list | tuple) and not _is_numbers(tree):
        return [(i, f"[{i}]", part) for i, part in enumerate(tree)]
    return None


def _is_numbers(tree: Any) -> bool:
    """Return whether a list or tuple has Python's numbers alone, so that it stands for an array."""
    kinds = int | float
    parts = (_is_numbers(part) if isinstance(part, list | tuple) else isinstance(part, kinds) for part in tree)
    return bool(tree) and all(parts)


def _named(name: str, tree: Any) -> Iterator[tuple[str, Any]]:
    children = _children(tree)
    if children is None:
        yield name, tree
    else:
        for _, written, part in children:
            yield from _named(name + written, part)


def _rebuilt(tree: Any, leaves: Iterator[Any]) -> Any:
    children = _children(tree)
    if children is None:
        return next(leaves)
    parts = {key: _rebuilt(part, leaves) for key, _, part in children}
    if isinstance(tree, list | tuple):
        build: Callable[[Any], Any] = getattr(type(tree), "_make", type(tree))  # of a named tuple
        return build(parts.values())
    new = copy.copy(tree)
    for key, part in parts.items():
        if isinstance(tree, dict):
            new[key] = part
        else:
            object.__setattr__(new, key, part)  # a dataclass may be frozen
    return new


def _matching(name: str, tree: Any, given: Any) -> Iterator[Any]:
    """Yield the part of `given` for each leaf of `tree`, None for none; raise `ShapeError` for another form."""
    children = _children(tree)
    if children is None:
        yield given
        return
    parts = {} if given is None else _parts(given)
    if given is not None:
        keys = {key for key, _, _ in children}
        if parts is None or (isinstance(given, list | tuple) and len(given) != len(children)):
            raise ShapeError(
                f"check_against: the gradient for {name}, {_described(tree)}, must be of the same form, not "
                f"{_described(given)}"
            )
        if not isinstance(given, dict) and not keys & parts.keys():  # a sequence for the fields of a dataclass
            parts = {key: part for (key, _, _), part in zip(children, parts.values(), strict=True)}
        if unknown := [key for key in parts if key not in keys]:
            raise ShapeError(f"check_against: there is a gradient for {name}[{unknown[0]!r}], but no such input")
        if missing := [f"{name}{written}" for key, written, _ in children if key not in parts]:
            raise ShapeError(f"check_against: there is no gradient for {missing[0]}: give None to leave it out")
    for key, written, part in children:
        yield from _matching(name + written, part, (parts or {}).get(key))


def _parts(given: Any) -> dict[Any, Any] | None:
    if isinstance(given, Mapping):
        return dict(given)
    if isinstance(given, list | tuple) and not hasattr(given, "_fields"):
        return dict(enumerate(given))
    children = _children(given)
    return None if children is None else {key: part for key, _, part in children}


def _value(leaf: Any) -> Any:
    return leaf.data if isinstance(leaf, Tensor) else leaf


def _is_one_number(value: Any) -> bool:
    return isinstance(value, int | float | np.ndarray | np.generic | Tensor) and np.size(_value(value)) == 1


def _described(tree: Any) -> str:
    children = _children(tree)
    if children is None:
        return f"an array of shape {np.shape(_value(tree))}" if np.ndim(_value(tree)) else f"a {type(tree).__name__}"
    keys = ", ".join(str(key) for key, _, _ in children)
    return f"a {type(tree).__name__} with {keys}" if keys else f"an empty {type(tree).__name__}"
