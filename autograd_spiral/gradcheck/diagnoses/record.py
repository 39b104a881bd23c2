"""Gradients with one mistake in the chain rule, computed from a recorded function, to recognise such mistakes.

The function is recorded once. The reverse sweep is then repeated, each time with one change: the cotangent that flows
back through one operation is lost or scaled, a mask is forgotten or inverted, a factor is not transposed, and so on. If
a gradient derived by hand equals the result of such a sweep in all its numbers, it has that mistake, or one with the
same effect.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from autograd_spiral.engine.sweep import unbroadcast
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.gradcheck.diagnoses.backward import EXTREMA, Backward, Edge, Run, ties
from autograd_spiral.gradcheck.diagnoses.changes import lost, name
from autograd_spiral.gradcheck.diagnoses.factors import how_much, multiple, of_ratio
from autograd_spiral.gradcheck.diagnoses.mistakes import alike, called, mistakes
from autograd_spiral.gradcheck.verdicts import Array

__all__ = ["Record"]

_PICKING = {"getitem", "np.take_along_axis", "softmax_cross_entropy"}
STEPS, WORK = 1.2e6, 2e7  # beyond these (about 5 s, or large arrays), operations are not tried one by one
RULES = 8  # about this many changes apply to the rule of an operation
COUNTED = 50  # gradients of whole numbers below this, times a unit, may be matched by chance


class _Mistake(NamedTuple):
    """A mistake, the edge it is at, and by how much it changes the gradient with respect to each input.

    `says` is "" if the cotangent that flows back through this edge is lost.
    """

    says: str
    edge: Edge
    off: dict[int, Array]


class Record:
    """A recorded function: `run()` returns its leaves, by the index of the input, and its outputs.

    `cotangents` holds the cotangent of each output, and `wrong` the gradients that are wrong, by the index of the
    input. A value that ties with the bound of np.maximum, np.minimum or relu gets this `share` of the cotangent, by
    default the share that the engine's rules give it.

    >>> x = Tensor([1.0, -2.0, 3.0], requires_grad=True)
    >>> record = Record(lambda: ({0: x}, [np.sum(np.maximum(x, 0) * x)]), [np.ones(())])
    >>> record.explained(0, np.array([2.0, -2.0, 6.0]), {3}).partition(",")[0]
    'as if the mask of np.maximum were forgotten'
    """

    def __init__(
        self,
        run: Run,
        cotangents: Sequence[Array],
        wrong: Mapping[int, Array] | None = None,
        share: float | None = None,
    ) -> None:
        self._run, self._cotangents, self._wrong = run, cotangents, wrong or {}
        self._backward = Backward(run, cotangents, share)
        edges = list(self._backward.pieces)[::-1]  # from the inputs on
        sizes = sum(node.size for node in (*self._backward.nodes, *self._backward.leaves.values()))
        self._tried = edges if len(edges) * sizes <= WORK else []
        groups = alike(self._tried)
        if len(edges) * (len(edges) + RULES * len(groups)) > STEPS:
            self._tried, groups = [], []
        self._met: list[_Mistake] = []
        self._further = mistakes(self._backward, self._tried, groups)

    def multiple_of_input(self, at: int) -> float | None:
        """Return the multiple of input `at` that its gradient contains, as a penalty on its squares contributes one.

        It is None if no part of the gradient is such a multiple.

        >>> W = Tensor([1.0, -2.0], requires_grad=True)
        >>> Record(lambda: ({0: W}, [0.05 * np.sum(W * W) + np.sum(np.sin(W))]), [np.ones(())]).multiple_of_input(0)
        0.1
        """
        leaf = self._backward.leaves[at]
        pieces = self._backward.pieces.items()
        parts = [unbroadcast(piece, leaf.shape) for (node, i), piece in pieces if node.args[i] is leaf]
        own = leaf.data.astype(float)
        return sum(multiple(own, part, _reach(part)) or 0.0 for part in parts) or None

    @np.errstate(all="ignore")
    def explained(self, at: int, gradient: Array, sizes: Collection[int]) -> str:
        """Return the mistake that explains this gradient with respect to input `at`; "" if none is known.

        `sizes` are the numbers that a forgotten factor could be.
        """
        right = self._backward.right[at]
        if gradient.size < 2 or not np.all(np.isfinite(gradient)) or not np.all(np.isfinite(right)):
            return ""
        reach = _reach(gradient, right)
        off = gradient - right
        of_few = _is_of_few_numbers(gradient, right)  # then different mistakes may agree by chance
        if not np.any(np.abs(off) > 100 * reach):
            return ""
        for mistake in self._mistakes():
            if _gives(mistake.off[at], off, reach) and (not of_few or self._gives_all(mistake)):
                return f"as if {mistake.says or self._of_lost(mistake.edge)}{_in_line(mistake.edge[0])}"
        return self._scaled(at, off, reach, sizes) or self._with_other_shares(at, gradient, reach, sizes)

    def _gives_all(self, mistake: _Mistake) -> bool:
        """Return whether a mistake explains all the wrong gradients."""
        return all(
            _gives(mistake.off[at], wrong - self._backward.right[at], _reach(wrong, self._backward.right[at]))
            for at, wrong in self._wrong.items()
        )

    def _with_other_shares(self, at: int, gradient: Array, reach: Array, sizes: Collection[int]) -> str:
        """Return what is wrong with a gradient besides a different convention at ties, which is not a mistake."""
        for record in self._of_shares:
            right = record._backward.right[at]
            text = of_ratio(gradient.astype(float), right, reach, sizes) or record.explained(at, gradient, sizes)
            if text and np.any(np.abs(right - self._backward.right[at]) > reach):
                return f"{text}, with {record._backward.share:g} as the slope at ties"
        return ""

    @functools.cached_property
    def _of_shares(self) -> list[Record]:
        """The same record with other conventions at ties, if there are any and this record has the engine's own."""
        if self._backward.share is not None or not any(ties(node, i) is not None for node, i in self._tried):
            return []
        return [Record(self._run, self._cotangents, self._wrong, share) for share in (0.0, 1.0)]

    def _scaled(self, at: int, off: Array, reach: Array, sizes: Collection[int]) -> str:
        """Return, in words, which part of the gradient is off by a factor."""
        for edge, part in ((mistake.edge, -mistake.off[at]) for mistake in self._met if not mistake.says):
            telling = np.count_nonzero(np.abs(part) > 100 * reach)
            more = multiple(part, off, reach) if telling > 2 else None
            if more is not None:
                through = "of one-hot" if self._is_one_hot(edge) else f"through {called(edge)}"
                return f"the part {through}: {how_much(1 + more, sizes, 1e-6)}{_in_line(edge[0])}"
        return ""

    def _mistakes(self) -> Iterator[_Mistake]:
        """Yield each mistake with its effect on the gradients, which is computed only once."""
        yield from self._met
        for says, changes in self._further:
            with contextlib.suppress(Exception):  # a rule can fail on the changed values
                self._met.append(_Mistake(says, next(iter(changes)), self._backward.off(changes)))
                yield self._met[-1]

    def _of_lost(self, edge: Edge) -> str:
        """Return the mistake of losing the cotangent that flows back through an edge, in words."""
        if self._is_one_hot(edge):
            return "one-hot were not subtracted: the entries at the labels get nothing"
        return f"nothing came back through {called(edge)}"

    def _is_one_hot(self, edge: Edge) -> bool:
        """Return whether the cotangent that flows back through an edge ends up in one entry of each row of a matrix."""
        if name(edge[0]) in EXTREMA or not self._has_labels:
            return False
        return any(map(_has_one_entry_a_row, self._backward.cotangents_off({edge: lost}).values()))

    @functools.cached_property
    def _has_labels(self) -> bool:
        """Whether the function picks one entry of each row, by indices or by a matrix of 0 and 1."""
        nodes = self._backward.nodes
        masks = (arg for node in nodes for arg in node.args if type(arg) is np.ndarray)
        return any(name(node) in _PICKING for node in nodes) or any(map(_is_one_hot, masks))


def _reach(*arrays: Array) -> Array:
    """Return how much gradients may differ because they were computed in different ways."""
    eps = max(float(np.finfo(array.dtype).eps) for array in arrays)
    largest = max(float(np.max(np.abs(array), initial=0.0)) for array in arrays)
    return np.full(arrays[0].shape, eps**0.6 * largest)


def _gives(change: Array, off: Array, reach: Array) -> bool:
    """Return whether `change`, the effect of a mistake on a gradient, is what the gradient is `off` by."""
    return bool(np.any(np.abs(change) > 100 * reach) and np.all(np.abs(off - change) <= reach))


def _is_of_few_numbers(*gradients: Array) -> bool:
    """Return whether all numbers are small multiples of one number, as when a gradient counts something."""
    numbers = np.abs(np.concatenate([gradient.ravel().astype(float) for gradient in gradients]))
    unit = np.min(numbers, where=numbers > 1e-9 * numbers.max(), initial=np.inf)
    multiples = numbers / unit
    return bool(np.all(np.abs(multiples - np.round(multiples)) < 1e-6) and multiples.max() < COUNTED)


def _in_line(node: Tensor) -> str:
    """Return the user's line of code, if it is known."""
    found = re.match(r".*?:\d+: (.+)", node.place or "")
    return f", in `{found[1][:60].strip()}`" if found else ""


def _has_one_entry_a_row(ct: Array) -> bool:
    """Return whether a matrix is 0 but for one entry in each of several rows, and these are in several columns.

    If they are all in one column, a column was picked, and not the label of each row.
    """
    if ct.ndim != 2 or min(ct.shape) < 2:
        return False
    entries = np.count_nonzero(ct, axis=1)
    return bool(entries.max() == 1 and entries.sum() > 1 and np.count_nonzero(ct.any(axis=0)) > 1)


def _is_one_hot(array: Array) -> bool:
    return array.ndim == 2 and bool(np.all((array == 0) | (array == 1)) and np.all(array.sum(axis=1) == 1))
