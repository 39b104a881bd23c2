"""Products of matrices, and einsum."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograd_spiral.engine.sweep import wide
from autograd_spiral.engine.table import define
from autograd_spiral.vocabulary import fast_paths, signatures


def _einsum_rule(ct: Any, out: Any, *args: Any, subscripts: str, optimize: Any = False) -> Callable[[int], Any]:
    method = optimize if isinstance(optimize, bool | str) else True  # a path fits only the call it was made for
    return lambda argument: _einsum_piece(ct, args, argument, subscripts, method)


def _einsum_piece(ct: Any, args: tuple[Any, ...], argument: int, subscripts: str, optimize: Any) -> Any:
    """Return the einsum of the cotangent with the other operands, broadcast along axes that only this argument has."""
    *inputs, result = subscripts.replace("->", ",").split(",")
    own, x = inputs.pop(argument), args[argument]
    known = {*result}.union(*inputs)
    kept = "".join(letter for letter in own if letter in known)
    form = ",".join([result, *inputs]) + "->" + kept
    tall = type(x) is np.ndarray and x.ndim == 2 and x.shape[1] <= 16 < len(x)
    order: Any = {"order": "F"} if tall and known <= {*own} else {}  # loops along the short rows would take longer
    piece = np.einsum(form, wide(ct), *args[:argument], *args[argument + 1 :], optimize=optimize, **order)
    sizes = dict(zip(kept, piece.shape, strict=True))
    shape = tuple(sizes.get(letter, 1) for letter in own)
    target = np.broadcast_shapes(shape, x.shape)  # einsum broadcasts axes of length 1
    return piece if piece.shape == target else np.broadcast_to(piece.reshape(shape), target)


def _whole(ct: Any, a: Any, v: Any, mode: str) -> Any:
    """Return the cotangent of the full convolution: 0 where `mode` leaves entries out."""
    before = {"full": 0, "same": (min(a.size, v.size) - 1) // 2, "valid": min(a.size, v.size) - 1}[mode]
    return np.pad(ct, (before, a.size + v.size - 1 - ct.size - before))


# For matrices and stacks of matrices: the composition turns vectors into matrices first.
define(np.matmul, lambda ct, out, x, y: fast_paths.matmul(ct, y.mT), lambda ct, out, x, y: fast_paths.matmul(x.mT, ct))
# For explicit subscripts without repeated letters in an operand: the composition rewrites other forms first.
define(
    np.einsum,
    variadic=True,
    rest=_einsum_rule,
    bind=signatures.einsum,
    evaluate=lambda *operands, subscripts, **how: np.einsum(subscripts, *operands, **how),
)
define(
    np.convolve,
    lambda ct, out, a, v, mode: np.correlate(_whole(ct, a, v, mode), v),
    lambda ct, out, a, v, mode: np.correlate(_whole(ct, a, v, mode), a),
    bind=signatures.convolve,
)
