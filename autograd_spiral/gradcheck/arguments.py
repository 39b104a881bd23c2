"""The arguments of a function that is checked, as a flat list of named leaves, and gradients in matching forms."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from numbers import Number
from typing import Any

import numpy as np

from autograd_spiral.engine.pytree import LEAF, flatten, paths, unflatten
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.errors import ShapeError

__all__ = ["Arguments", "leaves_of"]


class Arguments:
    """The leaves of `inputs`, the arguments of `function`, alone or in lists, tuples, dicts and dataclasses.

    `names` holds a name for each leaf, as a user would write it: the name of its Tensor, or of its parameter with keys
    and attributes, or `input 0` if the function's parameters have no fixed names. `positions` holds the number of the
    argument that each leaf is in. Lists of Python numbers count as arrays. A number beside Tensors in a container is a
    constant; `settings` holds the indices of these.

    >>> arguments = Arguments(lambda net, x: 0, [{"W": np.ones(2), "b": np.zeros(1)}, [1.0, 2.0]])
    >>> arguments.names, arguments.positions
    (["net['W']", "net['b']", 'x'], [0, 0, 1])
    """

    def __init__(self, function: Callable[..., Any], inputs: Sequence[Any]) -> None:
        self.parameters = _parameters(function, len(inputs))
        found = [flatten(tree, _is_numbers) for tree in inputs]
        self._treedefs = [treedef for _, treedef in found]
        self.leaves = [leaf for leaves, _ in found for leaf in leaves]
        self.positions = [i for i, (leaves, _) in enumerate(found) for _ in leaves]
        written = itertools.chain(*map(_written, self.parameters, self._treedefs))
        self.names = [getattr(leaf, "name", None) or name for leaf, name in zip(self.leaves, written, strict=True)]
        leaves = [*zip(self.positions, self.leaves, strict=True)]
        with_tensors = {i for i, leaf in leaves if isinstance(leaf, Tensor)}
        numbers = (at for at, (_, leaf) in enumerate(leaves) if isinstance(leaf, Number) or _is_numbers(leaf))
        self.settings = {at for at in numbers if self.positions[at] in with_tensors}

    def with_leaves(self, leaves: Sequence[Any]) -> list[Any]:
        """Return the arguments with these leaves in place of their own.

        >>> Arguments(lambda pair: 0, [(np.ones(1), np.ones(2))]).with_leaves("ab")
        [('a', 'b')]
        """
        rest = iter(leaves)
        return [unflatten(treedef, rest) for treedef in self._treedefs]

    def gradients(self, given: Any, floating: Collection[int], *, after_value: bool) -> dict[int, Any]:
        """Return the gradient of each leaf in `floating`, by its index; leaves whose gradient is None are left out.

        `given` has one gradient for each argument, or for each argument with floating leaves, in the form of the
        argument. It may also be the gradient of the only such argument, or a dict that maps the names of parameters to
        gradients. The function's value may come first, in a tuple of value and gradients; if `after_value`, it must.
        Raises `ShapeError` for any other form.

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
                matched.append(self._matched(trees, floating))
            except ShapeError as error:
                refused.append(error)
        if matched:  # the first whose shapes fit, or else the first
            return max(matched, key=self._fits)
        raise refused[0] if refused else self._miscounted(given, floating)

    def _fits(self, gradients: Mapping[int, Any]) -> bool:
        return all(np.shape(g) == np.shape(_value(self.leaves[at])) for at, g in gradients.items())

    def _miscounted(self, given: Any, floating: Collection[int]) -> ShapeError:
        """Return the error that there are too many or too few gradients."""
        several = isinstance(given, list | tuple)
        count = len(given) if several or isinstance(given, Mapping) else 1
        if several and count > 1 and _is_one_number(given[0]):
            count -= 1  # the value, which comes first
        called = f" ({', '.join(map(str, given))})" if isinstance(given, Mapping) else ""
        named = [self.parameters[i] for i in self._floating_positions(floating)]
        return ShapeError(
            f"check_against: {count} gradients{called} but {len(named)} floating inputs ({', '.join(named)}): give "
            "None for those to leave out, or a dict whose keys are their names"
        )

    def _floating_positions(self, floating: Collection[int]) -> list[int]:
        return list(dict.fromkeys(self.positions[at] for at in sorted(floating)))

    def _by_argument(self, given: Any, floating: Collection[int]) -> Iterator[dict[int, Any]]:
        """Yield each possible meaning of `given`, as a dict from the number of an argument to its tree of gradients."""
        places = self._floating_positions(floating)
        if isinstance(given, list | tuple):
            if len(given) == len(places):
                yield dict(zip(places, given, strict=True))
            if len(given) == len(self._treedefs):
                yield {i: tree for i, tree in enumerate(given) if i in places}
        several = isinstance(given, list | tuple) and not _is_numbers(given)
        if len(places) == 1 and not (several and self._treedefs[places[0]] is LEAF):
            yield {places[0]: given}
        if isinstance(given, Mapping) and given and set(given) <= set(self.parameters):
            yield {self.parameters.index(name): tree for name, tree in given.items()}

    def _matched(self, trees: Mapping[int, Any], floating: Collection[int]) -> dict[int, Any]:
        found: dict[int, Any] = {}
        at = 0
        for i, treedef in enumerate(self._treedefs):
            for gradient in _matching(self.parameters[i], treedef, trees.get(i)):
                if at in floating and gradient is not None:
                    found[at] = _value(gradient)
                at += 1
        return found


def leaves_of(tree: Any) -> list[Any]:
    """Return the leaves of a container, in order.

    >>> leaves_of({"a": (1, "x"), "b": np.ones(1)})
    [1, 'x', array([1.])]
    """
    return [tree] if isinstance(tree, np.ndarray | Tensor) else flatten(tree, _is_numbers)[0]


def _parameters(function: Callable[..., Any], count: int) -> list[str]:
    """Return the names of the first `count` positional parameters, or `input 0` and so on for those without names."""
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


def _written(name: str, treedef: Any) -> Iterator[str]:
    """Yield the expression that a user would write for each leaf of the tree called `name`."""
    if treedef is LEAF:
        yield name
        return
    kind, parts = treedef
    for key, part in parts:
        yield from _written(_at(name, kind, key), part)


def _at(name: str, kind: type, key: Any) -> str:
    """Return the expression that a user would write for a part of the container called `name`."""
    return f"{name}[{key!r}]" if issubclass(kind, dict) or isinstance(key, int) else f"{name}.{key}"


def _is_numbers(tree: Any) -> bool:
    """Return whether a list or tuple contains only Python numbers, so that it stands for an array."""
    if not isinstance(tree, list | tuple) or not tree:
        return False
    return all(_is_numbers(part) if isinstance(part, list | tuple) else isinstance(part, int | float) for part in tree)


def _matching(name: str, treedef: Any, given: Any) -> Iterator[Any]:
    """Yield, for each leaf of a tree, the corresponding part of `given`, or None where it is left out.

    Raises `ShapeError` if `given` is not structured like the tree.
    """
    if treedef is LEAF or given is None:
        yield from (given for _ in paths(treedef))
        return
    kind, children = treedef
    keys, parts = [key for key, _ in children], _parts(given)
    if parts is None or (isinstance(given, list | tuple) and len(given) != len(children)):
        raise ShapeError(
            f"check_against: the gradient for {name}, a {kind.__name__} with {', '.join(map(str, keys))}, must be "
            f"of the same form, not {_described(given)}"
        )
    if not isinstance(given, Mapping) and not parts.keys() & set(keys):  # a sequence for the fields of a dataclass
        parts = dict(zip(keys, parts.values(), strict=True))
    if unknown := [key for key in parts if key not in keys]:
        raise ShapeError(f"check_against: there is a gradient for {name}[{unknown[0]!r}], but no such input")
    for key, part in children:
        if key not in parts:
            raise ShapeError(
                f"check_against: there is no gradient for {_at(name, kind, key)}: give None to leave it out"
            )
        yield from _matching(_at(name, kind, key), part, parts[key])


def _parts(given: Any) -> dict[Any, Any] | None:
    """Return the parts of gradients by key; None if they are not a container."""
    if isinstance(given, Mapping):
        return dict(given)
    parts, treedef = flatten(given, lambda tree: tree is not given)
    return None if treedef is LEAF else {key: part for (key, _), part in zip(treedef[1], parts, strict=True)}


def _value(leaf: Any) -> Any:
    return leaf.data if isinstance(leaf, Tensor) else leaf


def _is_one_number(value: Any) -> bool:
    return isinstance(value, int | float | np.ndarray | np.generic | Tensor) and np.size(_value(value)) == 1


def _described(given: Any) -> str:
    parts = None if isinstance(given, np.ndarray | Tensor) else _parts(given)
    if parts is None:
        return f"an array of shape {np.shape(_value(given))}" if np.ndim(_value(given)) else f"a {type(given).__name__}"
    keys = ", ".join(map(str, parts))
    return f"a {type(given).__name__} with {keys}" if keys else f"an empty {type(given).__name__}"
