"""From recorded tensors to the record of a picture: the graph behind some outputs, and its backward pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.drawing.backward import Backward
from autograd_spiral.drawing.record import Item, Kind, Record
from autograd_spiral.engine.history import history
from autograd_spiral.engine.table import PRIMITIVES
from autograd_spiral.engine.tensor import Tensor

__all__ = ["of_tensors"]


def of_tensors(
    outputs: Sequence[Tensor],
    names: Mapping[str, Any],
    backward: Backward | None = None,
    sizes: Mapping[Tensor, NDArray[Any]] | None = None,
) -> Record:
    """The record of everything that `outputs`, and the gradients in `backward`, were computed from.

    `names` are for tensors and arrays without one; `sizes` holds gradients to be noted on forward items.
    """
    backward = backward or Backward()
    sizes = sizes or {}
    gradients = set(backward.gradients.values())
    forward = set(history(outputs))
    given = {id(value): name for name, value in reversed(list(names.items())) if type(value) is Tensor}
    ends = set(outputs)

    def name_of(tensor: Tensor) -> str | None:
        name = tensor.name or given.get(id(tensor))
        if name is None and tensor in backward.cotangent_of and tensor not in forward:
            value = backward.cotangent_of[tensor]
            of = value.name or given.get(id(value))
            name = of and f"d{of}"
        return name

    items: dict[Tensor, Item] = {}
    ordered: list[Item] = []
    arrays_seen: dict[tuple[Any, ...], NDArray[Any]] = {}

    def shown(arg: Any) -> Any:
        """What an argument is in the record: of arrays with the same entries, one; of their transposes, that turned."""
        if type(arg) is Tensor:
            return items[arg]
        if not isinstance(arg, np.ndarray) or arg.size < 2:
            return arg
        if arg.ndim >= 2:
            turned = arrays_seen.get(_content(np.swapaxes(arg, -1, -2)))
            if turned is not None and _content(arg) not in arrays_seen:
                item = Item(Kind.OPERATION, arg.shape, arg.dtype, value=arg)
                item.primitive, item.args = PRIMITIVES[np.transpose], (turned,)
                item.params = {"axes": (*range(arg.ndim - 2), arg.ndim - 1, arg.ndim - 2)}
                item.phase = "backward"
                ordered.append(item)
                return item
        return arrays_seen.setdefault(_content(arg), arg)

    for tensor in history([*outputs, *gradients]):
        inside = tensor in forward
        item = Item(Kind.OPERATION, tensor.shape, tensor.dtype, name=name_of(tensor), value=tensor.data)
        item.phase = "forward" if inside else "backward"
        if tensor.primitive is not None:
            origin = tensor if inside else backward.origin.get(tensor)
            item.primitive, item.params, item.place = tensor.primitive, tensor.params, tensor.place
            item.args = tuple(map(shown, tensor.args))
            item.scope = origin.scope if origin is not None else ()
            item.result = tensor in gradients or tensor in ends
            item.gradient = sizes.get(tensor)
            if item.result:
                item.kind = Kind.GRADIENT if tensor in gradients else Kind.OUTPUT
            elif not inside:
                item.kind = Kind.BACKWARD
        elif inside:
            item.kind = Kind.PARAMETER if tensor.requires_grad else Kind.DATA
            item.gradient = None if backward.gradients else tensor._grad
        else:  # where a sweep starts: ones, or zeros for what it does not reach
            item.kind = Kind.BACKWARD
            item.args = (tensor.data.flat[0],) if tensor.size else ()
        items[tensor] = item
        ordered.append(item)

    pairs = [(items[value], items[ct]) for ct, value in backward.cotangent_of.items() if ct in items and value in items]
    arrays = [(name, value) for name, value in names.items() if type(value) is np.ndarray]
    return Record(ordered, pairs, arrays)


def _content(array: NDArray[Any]) -> tuple[Any, ...]:
    return array.shape, array.dtype.str, array.tobytes()
