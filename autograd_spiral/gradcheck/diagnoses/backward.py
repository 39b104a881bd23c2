"""The reverse sweep of a recorded function, which can be repeated with changes to the rules of some operations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from autograd_spiral.debug.user_code import users_line
from autograd_spiral.engine.modes import Observer, entering
from autograd_spiral.engine.sweep import unbroadcast
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.gradcheck.diagnoses.changes import Change, name, rule
from autograd_spiral.gradcheck.verdicts import Array
from autograd_spiral.program.history import history

__all__ = ["EXTREMA", "Backward", "Edge", "Run", "flows", "ties"]

Edge: TypeAlias = tuple[Tensor, int]
"""An operation, and the number of one of its arguments."""

Run: TypeAlias = Callable[[], tuple[Mapping[int, Tensor], list[Tensor]]]
"""Records a function, and returns its leaves, by the index of the input, and its outputs."""

_BOUNDS = {"np.maximum", "np.minimum", "np.fmax", "np.fmin"}
EXTREMA = {"np.max", "np.min", *_BOUNDS}


class Backward:
    """The sweep of the function that `run` records, whose outputs have `cotangents`.

    `cts` holds the cotangent of each operation, `pieces` the cotangent that flows back through each edge, and `right`
    the gradients, by the index of the input. A value that ties with the bound of np.maximum, np.minimum or relu gets
    this `share` of the cotangent, by default the share that the engine's rules give it.

    >>> x = Tensor([1.0, -2.0, 3.0], requires_grad=True)
    >>> backward = Backward(lambda: ({0: x}, [np.sum(x * x)]), [np.ones(())])
    >>> without_one_use = backward.off({[*backward.pieces][-1]: lambda node, i, ct, piece: 0 * piece})
    >>> backward.right[0], without_one_use[0]
    (array([ 2., -4.,  6.]), array([-1.,  2., -3.]))
    """

    def __init__(self, run: Run, cotangents: Sequence[Array], share: float | None = None) -> None:
        with entering(observer=_Places()), np.errstate(all="ignore"):
            self.leaves, outputs = run()
        self.share = share
        self.nodes = [node for node in history(outputs) if node.args and node.requires_grad]
        self.cts: dict[Tensor, Array] = {}
        self.pieces: dict[Edge, Array] = {}
        with np.errstate(all="ignore"):
            self._sweep(outputs, cotangents)
        self._zeros = {at: np.zeros(leaf.shape) for at, leaf in self.leaves.items()}
        self.right = {at: np.asarray(self.cts.get(leaf, self._zeros[at]), float) for at, leaf in self.leaves.items()}
        # A value that is subtracted only to avoid overflow, such as the largest score, contributes nothing to the right
        # gradient, and people leave it out of theirs: no mistake is carried through it.
        self._idle = {node for node in self.nodes if name(node) in EXTREMA and self._cancels(node)}

    def _cancels(self, node: Tensor) -> bool:
        pieces = [piece for (user, i), piece in self.pieces.items() if user.args[i] is node]
        largest = max((float(np.max(np.abs(piece), initial=0.0)) for piece in pieces), default=0.0)
        return bool(np.all(np.abs(self.cts.get(node, np.zeros(()))) <= 1e-9 * largest))

    def _sweep(self, outputs: Sequence[Tensor], cotangents: Sequence[Array]) -> None:
        """Keep the cotangent of each operation, and the piece of cotangent that flows back through each edge."""
        for out, ct in zip(outputs, cotangents, strict=True):
            _add(self.cts, out, ct)
        for node in reversed(self.nodes):
            for i, arg in enumerate(node.args):
                if node in self.cts and flows(node, i):
                    piece = self.pieces[node, i] = self._rule(node, i, self.cts[node])
                    _add(self.cts, arg, piece)

    def _rule(self, node: Tensor, i: int, ct: Array) -> Array:
        piece = rule(node, i, ct, node.operands)
        shared = None if self.share is None else ties(node, i)
        return piece if shared is None else np.where(shared, self.share * ct, piece)

    def off(self, changes: Mapping[Edge, Change]) -> dict[int, Array]:
        """Return by how much the gradients are off with these changes."""
        off = self.cotangents_off(changes)
        return {at: np.asarray(off.get(leaf, self._zeros[at]), float) for at, leaf in self.leaves.items()}

    def cotangents_off(self, changes: Mapping[Edge, Change]) -> dict[Tensor, Array]:
        """Return by how much the cotangents of operations and leaves are off with these changes.

        Rules are linear in the cotangent, so it is enough to pass on what a change adds.
        """
        off: dict[Tensor, Array] = {}
        changed = {node for node, _ in changes}
        with np.errstate(all="ignore"):
            for node in reversed(self.nodes):
                more = off.get(node)
                if (more is None and node not in changed) or node in self._idle or node not in self.cts:
                    continue
                for i, arg in enumerate(node.args):
                    if (node, i) not in self.pieces:
                        continue
                    piece = None if more is None else self._rule(node, i, more)
                    if change := changes.get((node, i)):
                        right = self.pieces[node, i]
                        ct, now = (self.cts[node], right) if more is None else (self.cts[node] + more, right + piece)
                        there = np.asarray(change(node, i, ct, now))
                        piece = _unbroadcast(there, arg.shape) - _unbroadcast(right, arg.shape)
                    if piece is not None:
                        _add(off, arg, piece)
        return off


class _Places(Observer):
    def recorded(self, node: Any) -> None:
        node.place = users_line()


def _add(cts: dict[Tensor, Array], arg: Tensor, piece: Array) -> None:
    piece = _unbroadcast(piece, arg.shape)
    cts[arg] = cts[arg] + piece if arg in cts else piece


def _unbroadcast(piece: Array, shape: tuple[int, ...]) -> Array:
    return piece if piece.shape == shape else np.asarray(unbroadcast(piece, shape))


def flows(node: Tensor, i: int) -> bool:
    """Return whether a gradient flows back through this edge."""
    arg = node.args[i]
    assert node.primitive is not None
    return type(arg) is Tensor and arg.requires_grad and node.primitive.vjps_for(len(node.args))[i] is not None


def ties(node: Tensor, i: int) -> Array | None:
    """Return a mask of the elements that equal their constant bound, or None if none do."""
    if name(node) == "relu":
        equal = node.operands[0] == 0
    elif name(node) in _BOUNDS and type(node.args[1 - i]) is not Tensor:
        equal = np.equal(*node.operands)
    else:
        return None
    return equal if equal.shape == node.operands[i].shape and equal.any() else None
