"""Parameters and gradients in containers, and their names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from autograd_spiral.engine.grad import flatten_parameters
from autograd_spiral.engine.messages import plain_class
from autograd_spiral.engine.pytree import flatten, paths
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.errors import DtypeError, GradientError

__all__ = ["by_path", "called", "floating_gradient", "listed", "named_parameters", "parameters_by_path"]


def named_parameters(parameters: Any) -> dict[str, Any]:
    """Return the tensors or arrays of a container in a dict, under names made of their keys, such as "layers.0.W".

    A container is a list, tuple, dict or dataclass. `np.savez(file, **named_parameters(net))` saves a net of any form.
    Settings, such as strings, None and functions, are left out, and so are numbers in a container of Tensors. Raises
    ValueError if two names are equal, as for the keys 0 and "0". Raises TypeError for a single tensor, which has no
    key, and for other objects in the container: for an optimizer, pass `optimizer.state`.

    >>> net = {"layers": [{"W": Tensor([1.0, 2.0]), "b": Tensor(3.0)}, {"W": Tensor([4.0])}]}
    >>> named_parameters(net)
    {'layers.0.W': Tensor([1., 2.]), 'layers.0.b': Tensor(3.), 'layers.1.W': Tensor([4.])}
    """
    leaves, treedef = flatten_parameters(parameters)
    found = dict(zip(paths(treedef), leaves, strict=True))
    for key, leaf in found.items():
        if not key:
            raise TypeError(
                "named_parameters takes a list, tuple, dict or dataclass of tensors, not "
                f"{type(leaf).__name__}{_advice(leaf) or ': write np.savez(file, W=W)'}"
            )
        if not hasattr(leaf, "dtype") and np.asarray(leaf).dtype == object:
            kind = type(leaf).__name__
            raise TypeError(f"named_parameters: {called(key)} must be a tensor or an array, not {kind}{_advice(leaf)}")
    names = {".".join(map(str, key)): leaf for key, leaf in found.items()}
    if len(names) < len(found):
        raise ValueError("named_parameters: two keys of the container have the same name, as 0 and '0' do")
    return names


def _advice(value: Any) -> str:
    """Return what to write instead of an optimizer, or of an object that is not a dataclass; "" for other values."""
    if isinstance(getattr(value, "state", None), dict):
        return ": write optimizer.state, which holds the tensors of an optimizer by name, instead of the optimizer"
    return plain_class(value)


def by_path(container: Any) -> dict[tuple[Any, ...], Any]:
    """Return a dict of a container's leaves; the key of each is the path to it, such as `("layers", 0, "W")`."""
    leaves, treedef = flatten(container)
    return dict(zip(paths(treedef), leaves, strict=True))


def listed(keys: Iterable[Any]) -> str:
    """Return how error messages list the tensors at these paths."""
    return ", ".join(called(key) if key else "a single one" for key in keys) or "none"


def called(key: tuple[Any, ...]) -> str:
    """Return how error messages refer to the tensor at this path.

    >>> called(("layers", 0, "W")), called(())
    ("'layers.0.W'", 'the parameter')
    """
    return repr(".".join(map(str, key))) if key else "the parameter"


def parameters_by_path(caller: str, container: Any) -> dict[Any, Tensor]:
    """Return a dict of the parameters, in the order of their names; the key of each is the path to it."""
    leaves, treedef = flatten_parameters(container)
    found = dict(sorted(zip(paths(treedef), leaves, strict=True), key=lambda item: called(item[0])))
    for key, p in found.items():
        if type(p) is not Tensor:
            raise TypeError(
                f"{caller}: the parameters must be Tensors, in a list, tuple, dict or dataclass, but {called(key)} is "
                f"of type {type(p).__name__}"
                + (plain_class(p) or f": write {caller}(net) for a dict of them, or {caller}([model.W, model.b])")
            )
        if not p.is_leaf or not p.requires_grad:
            why = "was computed" if not p.is_leaf else "requires no gradients: leave it out"
            raise GradientError(
                f"{caller}: {called(key)} {why}. Parameters are tensors made by Tensor(data, requires_grad=True)"
            )
    if not found:
        raise GradientError(f"{caller}: there are no parameters")
    for p in found.values():
        same = [key for key, other in found.items() if other is p]
        if len(same) > 1:
            raise GradientError(
                f"{caller}: {' and '.join(map(called, same))} are the same tensor: pass it once, and take its gradient "
                "once, which counts all its uses"
            )
    return found


def floating_gradient(caller: str, key: Any, gradient: Any) -> Any:
    """Return a gradient unchanged if it is a Tensor, else as an array; raise unless it is floating-point."""
    if gradient is None:
        raise GradientError(
            f"{caller}: the gradient of {called(key)} is None: pass one for each parameter, as in grad(loss, "
            "parameters); to freeze a parameter, leave it out of the parameters"
        )
    if type(gradient) is Tensor and gradient.is_leaf and gradient.requires_grad:
        raise GradientError(
            f"{caller}: what was passed as the gradient of {called(key)} is a leaf that requires gradients: pass "
            "grad(loss, parameters); clip_by_norm returns new gradients, and changes none in place"
        )
    array = gradient if type(gradient) is Tensor else np.asarray(gradient)
    if array.dtype.kind != "f":
        if array.dtype == object:
            raise DtypeError(
                f"{caller}: the gradient of {called(key)} must be floating-point, not {type(gradient).__name__}: pass "
                "gradients in a list, tuple, dict or dataclass"
            )
        raise DtypeError(f"{caller}: the gradient of {called(key)} must be floating-point, not {array.dtype}")
    return array
