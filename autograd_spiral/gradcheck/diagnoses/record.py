"""What else a recorded function could have given: gradients with one mistake in the chain rule, to be recognised.

The function is recorded once. The reverse sweep is then taken again with one change: what comes back through one
operation is lost or scaled, a mask is forgotten or turned round, a factor is not transposed, and so on. A gradient that
was derived by hand and equals the result of such a sweep, in all of its numbers, has that mistake, or one that cannot
be told apart from it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from autograd_spiral.debug.user_code import users_line
from autograd_spiral.engine.history import history
from autograd_spiral.engine.modes import Observer, entering
from autograd_spiral.engine.sweep import unbroadcast
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.gradcheck.diagnoses.factors import how_much, multiple
from autograd_spiral.gradcheck.verdicts import Array

__all__ = ["Record"]

Edge: TypeAlias = tuple[Tensor, int]
"""An operation, and the number of one of its arguments."""
Change: TypeAlias = Callable[[Tensor, int, Array, Array], Array | None]
"""From an edge, the cotangent of the operation and the piece for the argument, to another piece, or None."""

EDGES, WORK = 300, 5e7  # of larger functions, or of larger arrays in them, not every operation is tried in turn
UPSTREAM = 8  # so many values before a factor are tried in its place


class Record:
    """A function as `run()` records it, which returns the leaves, by index, and the outputs; these have `cotangents`.

    >>> x = Tensor([1.0, -2.0, 3.0], requires_grad=True)
    >>> record = Record(lambda: ({0: x}, [np.sum(np.maximum(x, 0) * x)]), [np.ones(())])
    >>> record.explained(0, np.array([2.0, -2.0, 6.0]), {3}).partition(",")[0]
    'as if the mask of np.maximum were forgotten'
    """

    def __init__(
        self, run: Callable[[], tuple[Mapping[int, Tensor], list[Tensor]]], cotangents: Sequence[Array]
    ) -> None:
        with entering(observer=_Places()), np.errstate(all="ignore"):
            self._leaves, self._outputs = run()
        self._cotangents = cotangents
        self._nodes = [node for node in history(self._outputs) if node.args and node.requires_grad]
        self._edges = [(node, i) for node in self._nodes for i in range(len(node.args)) if _flows(node, i)]
        self._cts: dict[Tensor, Array] = {}
        self._pieces: dict[Edge, Array] = {}
        self._right = self._swept({}, keep=True)
        small = len(self._edges) * sum(node.size for node in self._nodes) <= WORK
        self._tried = self._edges if len(self._edges) <= EDGES and small else []
        self._tellings: list[tuple[str, dict[int, Array]]] | None = None

    def multiple_of_input(self, at: int) -> float:
        """Return the multiple of the input `at` itself that its gradient has: twice the weight of a sum of squares.

        >>> W = Tensor([1.0, -2.0], requires_grad=True)
        >>> Record(lambda: ({0: W}, [0.05 * np.sum(W * W) + np.sum(np.sin(W))]), [np.ones(())]).multiple_of_input(0)
        0.1
        """
        leaf = self._leaves[at]
        parts = [unbroadcast(self._pieces[node, i], leaf.shape) for node, i in self._edges if node.args[i] is leaf]
        own = leaf.data.astype(float)
        return sum(multiple(own, part, _reach(part)) or 0.0 for part in parts)

    @np.errstate(all="ignore")
    def explained(self, at: int, gradient: Array, sizes: Collection[int]) -> str:
        """Return the mistake with which the gradient in input `at` comes out as this one; "" if none is known.

        `sizes` are those that a forgotten factor could be.
        """
        right = self._right[at]
        if gradient.size < 2 or not np.all(np.isfinite(gradient)) or not np.all(np.isfinite(right)):
            return ""
        reach = _reach(gradient, right)
        off = gradient - right
        if not np.any(np.abs(off) > 100 * reach):
            return ""
        if self._tellings is None:
            self._tellings = list(self._changed())
        for text, gradients in self._tellings:
            change = gradients[at] - right
            if np.any(np.abs(change) > 100 * reach) and np.all(np.abs(off - change) <= reach):
                return text
        return self._scaled(at, off, reach, sizes)

    def _scaled(self, at: int, off: Array, reach: Array, sizes: Collection[int]) -> str:
        """Return which part of the gradient is off by a factor."""
        for edge in self._tried:
            part = self._right[at] - self._swept({edge: _lost})[at]
            telling = np.count_nonzero(np.abs(part) > 100 * reach)
            if telling > 2 and (more := multiple(part, off, reach)) is not None:
                much = "has the wrong sign" if abs(more + 2) < 1e-6 else ""
                much = much or ("counts with the wrong sign" if more < -1 else f"is {how_much(1 + more, sizes, 1e-6)}")
                return f"the part through {edge[0].primitive.name} {much}{_in_line(edge[0])}"  # type: ignore[union-attr]
        return ""

    # --- the changes ------------------------------------------------------------------------------------------------

    def _changed(self) -> Iterator[tuple[str, dict[int, Array]]]:
        """Yield gradients with one mistake, by the index of the input, and what the mistake is."""
        for edge in self._tried:
            gradients = self._swept({edge: _lost})
            node = edge[0]
            what = (
                "one-hot is not subtracted: the entries at the labels get nothing"
                if self._is_one_hot(edge)
                else (f"nothing came back through {_name(node)}{_argument(edge)}")
            )
            yield f"as if {what}{_in_line(node)}" if "one-hot" not in what else f"{what}{_in_line(node)}", gradients
        for text, change in _CHANGES:
            for edges in self._alike():
                for some in [edges] if len(edges) == 1 else [edges, *([edge] for edge in edges)]:
                    pieces = [change(node, i, self._cts[node], self._pieces[node, i]) for node, i in some]
                    if all(piece is not None and _fits(piece, edge) for piece, edge in zip(pieces, some, strict=True)):
                        node = some[0][0]
                        yield (
                            f"as if {text.format(_name(node))}{_in_line(node)}",
                            self._swept(dict.fromkeys(some, change)),
                        )
        for edges in self._alike():
            if len(edges) > 1:
                node = edges[0][0]
                what = f"nothing came back through {_name(node)}{_argument(edges[0])}, all {len(edges)} times"
                yield f"as if {what}{_in_line(node)}", self._swept(dict.fromkeys(edges, _lost))
        for leaf in self._leaves.values():
            uses = [edge for edge in self._tried if edge[0].args[edge[1]] is leaf]
            for kept in uses if len(uses) > 2 or len({use[0] for use in uses}) == 2 else ():
                lost = [edge for edge in uses if edge is not kept and edge[0].primitive is kept[0].primitive]
                if lost:
                    text = f"as if only one of its {len(lost) + 1} uses in {_name(kept[0])} counted{_in_line(kept[0])}"
                    yield text, self._swept(dict.fromkeys(lost, _lost))
        yield from self._with_other_factors()
        yield from self._without_rows()

    def _with_other_factors(self) -> Iterator[tuple[str, dict[int, Array]]]:
        """Yield gradients with a value from further up in place of a factor of a product."""
        for node, i in self._tried:
            if len(node.args) != 2 or node.primitive is None or type(other := node.args[1 - i]) is not Tensor:
                continue
            for value in self._upstream(other):

                def replaced(node: Tensor, i: int, ct: Array, piece: Array, value: Tensor = value) -> Array:
                    operands = [*node.operands]
                    operands[1 - i] = value.data
                    return _rule(node, i, ct, operands)

                name = value.name or (_name(value) if value.primitive else "a constant")
                instead = f"with {name if value.is_leaf else f'the result of {name}'} in place of"
                of = _name(other) if other.primitive else other.name or "its factor"
                whose = f"that of {of}" if other.primitive else of
                yield (
                    f"as if {_name(node)} went back {instead} {whose}{_in_line(node)}",
                    self._swept({(node, i): replaced}),
                )

    def _upstream(self, tensor: Tensor) -> list[Tensor]:
        """Return some values of the same shape that `tensor` was computed from."""
        found = [node for node in history([tensor]) if node is not tensor and node.shape == tensor.shape]
        return found[: -UPSTREAM - 1 : -1]

    def _without_rows(self) -> Iterator[tuple[str, dict[int, Array]]]:
        """Yield gradients in whose sums a row of a batch is missing, or is all there is."""
        for node, i in self._tried:
            arg = node.args[i]
            rows = self._summed(node, i)
            if rows is None or not len(rows) > 2:
                continue
            for k in (0, len(rows) - 1):
                only, without = rows[k].reshape(arg.shape), (rows.sum(axis=0) - rows[k]).reshape(arg.shape)
                for text, piece in ((f"row {k} is not summed", without), (f"only row {k} counts", only)):
                    change = {(node, i): lambda *_, piece=piece: piece}
                    yield f"{text}, of {len(rows)}{_in_line(node)}", self._swept(change)

    def _summed(self, node: Tensor, i: int) -> Array | None:
        """Return the rows whose sum the piece for an argument is."""
        arg, ct, raw = node.args[i], self._cts[node], self._pieces[node, i]
        if raw.ndim == 2 and raw.shape != arg.shape and arg.size == raw.shape[1]:
            return raw
        if _name(node) == "np.matmul" and i == 1 and node.operands[0].ndim == 2 and ct.ndim == 2 and ct.size < 10**4:
            return np.asarray(np.einsum("nd,nk->ndk", node.operands[0], ct))
        return None

    def _alike(self) -> list[list[Edge]]:
        """Return the edges in groups: the same operation in the same line, as in a loop."""
        groups: dict[Any, list[Edge]] = {}
        for node, i in self._tried:
            groups.setdefault((node.primitive, node.place, i) if node.place else node, []).append((node, i))
        return list(groups.values())

    def _is_one_hot(self, edge: Edge) -> bool:
        """Return whether what comes back through an edge ends up in one entry of each row of a matrix."""
        if _name(edge[0]) in ("np.max", "np.min", "np.maximum", "np.minimum"):
            return False
        seen: dict[Tensor, Array] = {}
        self._swept({}, only=edge, seen=seen)
        for node, ct in seen.items():
            if node.primitive is not None and ct.ndim == 2 and min(ct.shape) > 1:
                entries = np.count_nonzero(ct, axis=1)
                if entries.max() == 1 and np.count_nonzero(entries) > 1 and not _is_scattered_again(ct):
                    return True
        return False

    # --- the sweep --------------------------------------------------------------------------------------------------

    @np.errstate(all="ignore")
    def _swept(
        self,
        changes: Mapping[Edge, Change],
        *,
        keep: bool = False,
        only: Edge | None = None,
        seen: dict[Tensor, Array] | None = None,
    ) -> dict[int, Array]:
        """Return the gradients with these changes; `only` what comes through one edge; `seen` collects cotangents."""
        cts: dict[Tensor, Array] = {} if seen is None else seen
        if only is None:
            for out, ct in zip(self._outputs, self._cotangents, strict=True):
                cts[out] = cts[out] + ct if out in cts else np.array(ct)
        else:
            node, i = only
            cts[node.args[i]] = unbroadcast(self._pieces[only], node.args[i].shape)
        for node in reversed(self._nodes):
            ct = cts.get(node)
            if ct is None:
                continue
            if keep:
                self._cts[node] = ct
            for i, arg in enumerate(node.args):
                if not _flows(node, i):
                    continue
                piece = _rule(node, i, ct, node.operands)
                if keep:
                    self._pieces[node, i] = piece
                if change := changes.get((node, i)):
                    piece = np.asarray(change(node, i, ct, piece))
                piece = unbroadcast(piece, arg.shape) if piece.shape != arg.shape else piece
                cts[arg] = cts[arg] + piece if arg in cts else piece
        zero = np.zeros(())
        return {
            at: np.asarray(cts.get(leaf, np.broadcast_to(zero, leaf.shape)), float) for at, leaf in self._leaves.items()
        }


class _Places(Observer):
    def recorded(self, node: Any) -> None:
        node.place = users_line()


def _flows(node: Tensor, i: int) -> bool:
    arg = node.args[i]
    assert node.primitive is not None
    return type(arg) is Tensor and arg.requires_grad and node.primitive.vjps_for(len(node.args))[i] is not None


def _rule(node: Tensor, i: int, ct: Array, operands: Sequence[Any]) -> Array:
    """Return the piece for argument `i` by the rule of the operation; a rule may keep what it gets."""
    assert node.primitive is not None
    vjp: Any = node.primitive.vjps_for(len(node.args))[i]
    if node.primitive.isolated:
        return np.array(vjp(ct.copy(), node.data, *operands, **node.params))
    return np.asarray(vjp(ct, node.data, *operands, **node.params))


def _fits(piece: Any, edge: Edge) -> bool:
    shape = edge[0].args[edge[1]].shape
    try:
        return bool(np.broadcast_shapes(np.shape(piece), shape) == np.shape(piece))
    except ValueError:
        return False


def _reach(*arrays: Array) -> Array:
    """Return how far gradients that were computed in other ways may differ."""
    eps = max(float(np.finfo(array.dtype).eps) for array in arrays)
    largest = max(float(np.max(np.abs(array), initial=0.0)) for array in arrays)
    return np.full(arrays[0].shape, eps**0.6 * largest)


def _name(node: Tensor) -> str:
    assert node.primitive is not None
    return node.primitive.name


def _argument(edge: Edge) -> str:
    node, i = edge
    several = sum(_flows(node, k) for k in range(len(node.args))) > 1
    arg = node.args[i]
    if not several:
        return ""
    return f" to {arg.name}" if arg.is_leaf and arg.name else f" to its argument {i}"


def _in_line(node: Tensor) -> str:
    """Return the user's line of code, as far as it is known."""
    found = re.match(r".*?:\d+: (.+)", node.place or "")
    return f", in `{found[1][:60].strip()}`" if found else ""


def _is_scattered_again(ct: Array) -> bool:
    """Return whether all entries are in one column: then it is that column that was picked, not a label of each row."""
    return bool(np.count_nonzero(ct.any(axis=0)) == 1)


# --- changes to one operation, where they are possible ---------------------------------------------------------------


def _lost(node: Tensor, i: int, ct: Array, piece: Array) -> Array:
    return np.zeros(piece.shape)


def _is_mask(ct: Array, piece: Array) -> bool:
    """Return whether a piece is the cotangent with zeros in some places."""
    return piece.shape == ct.shape and bool(np.all((piece == ct) | (piece == 0))) and bool(np.any(piece != ct))


def _without_mask(node: Tensor, i: int, ct: Array, piece: Array) -> Array | None:
    return ct if _is_mask(ct, piece) else None


def _mask_turned(node: Tensor, i: int, ct: Array, piece: Array) -> Array | None:
    return ct - piece if _is_mask(ct, piece) else None


def _without_derivative(node: Tensor, i: int, ct: Array, piece: Array) -> Array | None:
    if piece.shape != ct.shape or np.array_equal(piece, ct) or _is_mask(ct, piece):
        return None
    return ct if node.operands[i].shape == ct.shape and _name(node) != "np.matmul" else None


def _at_the_input(node: Tensor, i: int, ct: Array, piece: Array) -> Array | None:
    if len(node.operands) != 1 or node.operands[0].shape != node.shape or node.primitive is None:
        return None
    vjp: Any = node.primitive.vjps[i]
    return np.asarray(vjp(ct, node.operands[0], node.operands[0], **node.params))


def _at_the_output(node: Tensor, i: int, ct: Array, piece: Array) -> Array | None:
    if len(node.operands) != 1 or node.operands[0].shape != node.shape or node.primitive is None:
        return None
    return _rule(node, i, ct, [node.data])


def _factor(node: Tensor, i: int) -> Array | None:
    """Return the other factor of a product of two matrices."""
    if _name(node) != "np.matmul" or any(np.ndim(operand) != 2 for operand in node.operands):
        return None
    return np.asarray(node.operands[1 - i])


def _not_transposed(node: Tensor, i: int, ct: Array, piece: Array) -> Array | None:
    other = _factor(node, i)
    if other is None or other.shape[0] != other.shape[1]:
        return None
    return ct @ other if i == 0 else other @ ct


def _reshaped(node: Tensor, i: int, ct: Array, piece: Array) -> Array | None:
    other = _factor(node, i)
    if other is None:
        return None
    turned = other.reshape(other.shape[::-1])
    return ct @ turned if i == 0 else turned @ ct


def _piece_reshaped(node: Tensor, i: int, ct: Array, piece: Array) -> Array | None:
    if _name(node) not in ("np.transpose", "np.swapaxes", "np.moveaxis"):
        return None
    return ct.reshape(piece.shape)


def _assigned(node: Tensor, i: int, ct: Array, piece: Array) -> Array | None:
    """Return what comes back from picked entries if repeated ones overwrite each other."""
    if _name(node) not in ("getitem", "np.take", "np.take_along_axis") or i or node.primitive is None:
        return None
    numbers = np.arange(piece.size).reshape(piece.shape)
    picked = np.asarray(node.primitive.evaluate(numbers, *node.operands[1:], **node.params))
    if picked.shape != ct.shape or np.unique(picked).size == picked.size:
        return None
    assigned = np.zeros(piece.size, ct.dtype)
    assigned[picked.ravel()] = ct.ravel()
    return assigned.reshape(piece.shape)


_CHANGES: tuple[tuple[str, Change], ...] = (
    ("the mask of {} were forgotten", _without_mask),
    ("the mask of {} were turned round", _mask_turned),
    ("the derivative of {} were forgotten", _without_derivative),
    ("the derivative of {} were taken at its input in place of its output", _at_the_input),
    ("the derivative of {} were taken at its output in place of its input", _at_the_output),
    ("a factor of {} were not transposed", _not_transposed),
    ("a factor of {} were reshaped where it should be transposed", _reshaped),
    ("{} went back by a reshape", _piece_reshaped),
    ("repeated indices of {} were assigned, not added up", _assigned),
)
