"""What else a recorded function could have given: gradients with one mistake in the chain rule, to be recognised.

The function is recorded once. The reverse sweep is then taken again with one change: what comes back through one
operation is lost or scaled, a mask is forgotten or turned round, a factor is not transposed, and so on. A gradient that
was derived by hand and equals the result of such a sweep, in all of its numbers, has that mistake, or one that cannot
be told apart from it.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from autograd_spiral.debug.user_code import users_line
from autograd_spiral.engine.history import history
from autograd_spiral.engine.modes import Observer, entering
from autograd_spiral.engine.sweep import unbroadcast
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.gradcheck.diagnoses.factors import how_much, multiple, of_ratio
from autograd_spiral.gradcheck.verdicts import Array

__all__ = ["Record"]

Edge: TypeAlias = tuple[Tensor, int]
"""An operation, and the number of one of its arguments."""
Change: TypeAlias = Callable[[Tensor, int, Array, Array], Array | None]
"""From an edge, the cotangent of the operation and the piece for the argument, to another piece, or None."""

_BOUNDS = {"np.maximum", "np.minimum", "np.fmax", "np.fmin"}
_PICKING = {"getitem", "np.take_along_axis", "softmax_cross_entropy"}
_EXTREMA = {"np.max", "np.min", *_BOUNDS}
EDGES, WORK = 300, 5e7  # of larger functions, or of larger arrays in them, not every operation is tried in turn
COUNTED = 50  # gradients of small whole numbers, times a unit, are matched by chance
SINGLY = 3  # so many operations of a line are also taken apart
UPSTREAM = 8  # so many values before a factor are tried in its place


class _Mistake(NamedTuple):
    """What a mistake is, at which operation, and by how much the gradient in each input is off."""

    says: Callable[[], str]
    node: Tensor
    off: dict[int, Array]


class Record:
    """A function as `run()` records it, which returns the leaves, by index, and the outputs; these have `cotangents`.

    `wrong` are the gradients that are wrong, by the index of the input. Where a value ties with the bound of
    np.maximum, np.minimum or relu, it gets this `share` of the cotangent, by default that of the engine's rules.

    >>> x = Tensor([1.0, -2.0, 3.0], requires_grad=True)
    >>> record = Record(lambda: ({0: x}, [np.sum(np.maximum(x, 0) * x)]), [np.ones(())])
    >>> record.explained(0, np.array([2.0, -2.0, 6.0]), {3}).partition(",")[0]
    'as if the mask of np.maximum were forgotten'
    """

    def __init__(
        self,
        run: Callable[[], tuple[Mapping[int, Tensor], list[Tensor]]],
        cotangents: Sequence[Array],
        wrong: Mapping[int, Array] | None = None,
        share: float | None = None,
    ) -> None:
        with entering(observer=_Places()), np.errstate(all="ignore"):
            self._leaves, self._outputs = run()
        self._cotangents, self._wrong, self._share = cotangents, wrong or {}, share
        self._nodes = [node for node in history(self._outputs) if node.args and node.requires_grad]
        self._edges = [(node, i) for node in self._nodes for i in range(len(node.args)) if _flows(node, i)]
        self._cts: dict[Tensor, Array] = {}
        self._pieces: dict[Edge, Array] = {}
        with np.errstate(all="ignore"):
            self._sweep()
        self._right = {
            at: np.asarray(self._cts.get(leaf, np.zeros(leaf.shape)), float) for at, leaf in self._leaves.items()
        }
        # What is subtracted for safety alone, as the largest score is, cancels out of the right gradient only.
        self._idle = {node for node in self._nodes if _name(node) in _EXTREMA and self._cancels(node)}
        small = len(self._edges) * sum(node.size for node in self._nodes) <= WORK
        self._tried = (
            [edge for edge in self._edges if edge in self._pieces] if len(self._edges) <= EDGES and small else []
        )
        self._met: list[_Mistake] = []
        self._further = self._all_mistakes()

    def _cancels(self, node: Tensor) -> bool:
        pieces = [self._pieces[edge] for edge in self._edges if edge[0].args[edge[1]] is node]
        largest = max((float(np.max(np.abs(piece))) for piece in pieces), default=0.0)
        return bool(np.all(np.abs(self._cts[node]) <= 1e-9 * largest))

    def multiple_of_input(self, at: int) -> float | None:
        """Return the multiple of the input `at` itself that its gradient has: twice the weight of a sum of squares.

        It is None if no part of the gradient is such a multiple alone.

        >>> W = Tensor([1.0, -2.0], requires_grad=True)
        >>> Record(lambda: ({0: W}, [0.05 * np.sum(W * W) + np.sum(np.sin(W))]), [np.ones(())]).multiple_of_input(0)
        0.1
        """
        leaf = self._leaves[at]
        parts = [unbroadcast(self._pieces[node, i], leaf.shape) for node, i in self._edges if node.args[i] is leaf]
        own = leaf.data.astype(float)
        return sum(multiple(own, part, _reach(part)) or 0.0 for part in parts) or None

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
        of_few = _is_of_few_numbers(gradient, right)  # then mistakes can give the same by chance
        if not np.any(np.abs(off) > 100 * reach):
            return ""
        for mistake in self._mistakes():
            if _gives(mistake.off[at], off, reach) and (not of_few or self._gives_all(mistake)):
                return f"as if {mistake.says()}{_in_line(mistake.node)}"
        return self._scaled(at, off, reach, sizes) or self._with_other_shares(at, gradient, reach, sizes)

    def _gives_all(self, mistake: _Mistake) -> bool:
        """Return whether a mistake gives all the wrong gradients."""
        return all(
            _gives(mistake.off[at], wrong - self._right[at], _reach(wrong, self._right[at]))
            for at, wrong in self._wrong.items()
        )

    def _with_other_shares(self, at: int, gradient: Array, reach: Array, sizes: Collection[int]) -> str:
        """Return what is wrong with a gradient that has another convention at ties, which is no mistake."""
        for record in self._of_shares:
            right = record._right[at]
            text = of_ratio(gradient.astype(float), right, reach, sizes) or record.explained(at, gradient, sizes)
            if text and np.any(np.abs(right - self._right[at]) > reach):
                return f"{text}, with {record._share:g} as the slope at ties"
        return ""

    @functools.cached_property
    def _of_shares(self) -> list[Record]:
        """The same with the other conventions, if there are ties and this has the engine's."""
        if self._share is not None or not any(_ties(node, i) is not None for node, i in self._tried):
            return []
        return [
            Record(lambda: (self._leaves, self._outputs), self._cotangents, self._wrong, share) for share in (0.0, 1.0)
        ]

    def _scaled(self, at: int, off: Array, reach: Array, sizes: Collection[int]) -> str:
        """Return which part of the gradient is off by a factor."""
        for edge in self._tried:
            part = -self._off({edge: _lost})[at]
            telling = np.count_nonzero(np.abs(part) > 100 * reach)
            more = multiple(part, off, reach) if telling > 2 else None
            if more is not None:
                through = "of one-hot" if self._is_one_hot(edge) else f"through {_called(edge)}"
                return f"the part {through}: {how_much(1 + more, sizes, 1e-6)}{_in_line(edge[0])}"
        return ""

    # --- the mistakes -----------------------------------------------------------------------------------------------

    def _mistakes(self) -> Iterator[_Mistake]:
        """Yield each mistake with what it does to the gradients; this is computed once."""
        yield from self._met
        for mistake in self._further:
            self._met.append(mistake)
            yield mistake

    def _all_mistakes(self) -> Iterator[_Mistake]:
        yield from self._without_edges()
        yield from self._with_other_rules()
        yield from self._without_all()
        yield from self._of_one_use()
        yield from self._with_other_values()
        yield from self._without_rows()

    def _made(self, text: str | Callable[[], str], changes: Mapping[Edge, Change]) -> Iterator[_Mistake]:
        """Yield the mistake of these changes, unless a rule cannot take what it gets then."""
        with contextlib.suppress(Exception):
            (node, _), *_ = changes
            yield _Mistake(text if callable(text) else lambda: text, node, self._off(changes))

    def _without_edges(self) -> Iterator[_Mistake]:
        """Yield gradients without what comes back through each edge in turn."""

        def describe(edge: Edge) -> str:
            one_hot = "one-hot were not subtracted: the entries at the labels get nothing"
            return one_hot if self._is_one_hot(edge) else f"nothing came back through {_called(edge)}"

        for edge in self._tried:
            yield from self._made(functools.partial(describe, edge), {edge: _lost})

    def _with_other_rules(self) -> Iterator[_Mistake]:
        for text, change in _CHANGES:
            for edges in self._alike:
                with contextlib.suppress(Exception):
                    pieces = [change(node, i, self._cts[node], self._pieces[node, i]) for node, i in edges]
                    if all(piece is not None and _fits(piece, edge) for piece, edge in zip(pieces, edges, strict=True)):
                        yield from self._made(text.format(_name(edges[0][0])), dict.fromkeys(edges, change))

    def _without_all(self) -> Iterator[_Mistake]:
        """Yield gradients without what comes back through the same operation at every turn of a loop."""
        for edges in self._alike:
            if len(edges) > 1:
                text = f"nothing came back through {_called(edges[0])}, all {len(edges)} times"
                yield from self._made(text, dict.fromkeys(edges, _lost))

    def _of_one_use(self) -> Iterator[_Mistake]:
        """Yield gradients to which only one of several uses of an input contributes, as when += was forgotten."""
        for leaf in self._leaves.values():
            uses = [edge for edge in self._tried if edge[0].args[edge[1]] is leaf]
            for kept in uses:
                lost = [edge for edge in uses if edge[0] is not kept[0] and edge[0].primitive is kept[0].primitive]
                if lost:
                    text = f"only one of its {len(lost) + 1} uses in {_name(kept[0])} counted"
                    yield from self._made(text, dict.fromkeys(lost, _lost))

    def _with_other_values(self) -> Iterator[_Mistake]:
        """Yield gradients whose rules took a value from further up in place of an argument."""
        for edges in self._alike:
            node = edges[0][0]
            for k in range(min(len(edge[0].args) for edge in edges)):
                others = [edge[0].args[k] for edge in edges]
                if not all(type(other) is Tensor for other in others):
                    continue
                for values in zip(*map(_upstream, others), strict=False):
                    instead = {edge[0]: value.data for edge, value in zip(edges, values, strict=True)}
                    change = functools.partial(_with_value, k, instead)
                    text = f"{_name(node)} went back with {_value_called(values[0])} in place of "
                    yield from self._made(text + _value_called(others[0]), dict.fromkeys(edges, change))

    def _without_rows(self) -> Iterator[_Mistake]:
        """Yield gradients in whose sums a row of a batch is missing, or is all there is."""
        for edges in self._alike:
            summed = [rows for edge in edges if (rows := self._summed(*edge)) is not None]
            count = min(map(len, summed), default=0)
            if count < 3 or len(summed) < len(edges) or any(len(rows) != count for rows in summed):
                continue
            for k in (0, count - 1):
                only = {edge: _always(rows[k]) for edge, rows in zip(edges, summed, strict=True)}
                without = {edge: _always(rows.sum(axis=0) - rows[k]) for edge, rows in zip(edges, summed, strict=True)}
                yield from self._made(f"row {k} were not summed, of {count}", without)
                yield from self._made(f"only row {k} counted, of {count}", only)

    def _summed(self, node: Tensor, i: int) -> Array | None:
        """Return the rows whose sum the piece for an argument is."""
        arg, ct, raw = node.args[i], self._cts[node], self._pieces[node, i]
        if raw.ndim == 2 and raw.shape != arg.shape and arg.size == raw.shape[1]:
            return raw
        if _name(node) == "np.matmul" and i == 1 and node.operands[0].ndim == 2 and ct.ndim == 2 and ct.size < 10**4:
            return np.asarray(np.einsum("nd,nk->ndk", node.operands[0], ct))
        return None

    @functools.cached_property
    def _alike(self) -> list[list[Edge]]:
        """The edges in groups: the same operation in the same line, as in a loop; small groups one by one, too."""
        groups: dict[Any, list[Edge]] = {}
        for node, i in self._tried:
            shapes = tuple(np.shape(operand) for operand in node.operands)
            key = (node.primitive, node.place, i, shapes) if node.place else (node, i)
            groups.setdefault(key, []).append((node, i))
        found = list(groups.values())
        few = [edges for edges in found if 1 < len(edges) <= SINGLY]
        return found + [[edge] for edges in few for edge in edges]

    def _is_one_hot(self, edge: Edge) -> bool:
        """Return whether what comes back through an edge ends up in one entry of each row of a matrix."""
        if _name(edge[0]) in _EXTREMA or not self._has_labels:
            return False
        seen: dict[Tensor, Array] = {}
        self._off({edge: _lost}, seen)
        for ct in seen.values():
            if ct.ndim == 2 and min(ct.shape) > 1:
                entries = np.count_nonzero(ct, axis=1)
                if entries.max() == 1 and np.count_nonzero(entries) > 1 and not _is_scattered_again(ct):
                    return True
        return False

    @functools.cached_property
    def _has_labels(self) -> bool:
        """Whether the function picks one entry of each row, by indices or by a matrix of 0 and 1."""
        for node in self._nodes:
            if _name(node) in _PICKING or any(type(arg) is np.ndarray and _is_one_hot(arg) for arg in node.args):
                return True
        return False

    # --- the sweep --------------------------------------------------------------------------------------------------

    def _sweep(self) -> None:
        """Keep the cotangent of each operation, and the piece that comes back through each edge."""
        for out, weights in zip(self._outputs, self._cotangents, strict=True):
            self._cts[out] = self._cts[out] + weights if out in self._cts else np.array(weights)
        for node in reversed(self._nodes):
            for i, arg in enumerate(node.args):
                if node in self._cts and _flows(node, i):
                    piece = self._pieces[node, i] = self._rule(node, i, self._cts[node])
                    _add(self._cts, arg, piece)

    def _rule(self, node: Tensor, i: int, ct: Array) -> Array:
        piece = _rule(node, i, ct, node.operands)
        ties = None if self._share is None else _ties(node, i)
        return piece if ties is None else np.where(ties, self._share * ct, piece)

    def _off(self, changes: Mapping[Edge, Change], off: dict[Tensor, Array] | None = None) -> dict[int, Array]:
        """Return by how much the gradients are off with these changes; `off` collects that of all cotangents.

        Rules are linear in the cotangent, so that what a change adds passes through them alone.
        """
        off = {} if off is None else off
        changed = {node for node, _ in changes}
        with np.errstate(all="ignore"):
            for node in reversed(self._nodes):
                more = off.get(node)
                if (more is None and node not in changed) or node in self._idle or node not in self._cts:
                    continue
                for i, arg in enumerate(node.args):
                    if (node, i) not in self._pieces:
                        continue
                    piece = None if more is None else self._rule(node, i, more)
                    if change := changes.get((node, i)):
                        right = self._pieces[node, i]
                        ct, now = (self._cts[node], right) if more is None else (self._cts[node] + more, right + piece)
                        there = np.asarray(change(node, i, ct, now))
                        piece = _unbroadcast(there, arg.shape) - _unbroadcast(right, arg.shape)
                    if piece is not None:
                        _add(off, arg, piece)
        return {at: np.asarray(off.get(leaf, np.zeros(leaf.shape)), float) for at, leaf in self._leaves.items()}


class _Places(Observer):
    def recorded(self, node: Any) -> None:
        node.place = users_line()


def _add(cts: dict[Tensor, Array], arg: Tensor, piece: Array) -> None:
    piece = _unbroadcast(piece, arg.shape)
    cts[arg] = cts[arg] + piece if arg in cts else piece


def _unbroadcast(piece: Array, shape: tuple[int, ...]) -> Array:
    return piece if piece.shape == shape else np.asarray(unbroadcast(piece, shape))


def _flows(node: Tensor, i: int) -> bool:
    arg = node.args[i]
    assert node.primitive is not None
    return type(arg) is Tensor and arg.requires_grad and node.primitive.vjps_for(len(node.args))[i] is not None


def _ties(node: Tensor, i: int) -> Array | None:
    """Return where a value equals its bound, a constant; None if it does so nowhere."""
    if _name(node) == "relu":
        ties = node.operands[0] == 0
    elif _name(node) in _BOUNDS and type(node.args[1 - i]) is not Tensor:
        ties = np.equal(*node.operands)
    else:
        return None
    return ties if ties.shape == node.operands[i].shape and ties.any() else None


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


def _gives(change: Array, off: Array, reach: Array) -> bool:
    """Return whether a mistake, which changes a gradient so, is what the gradient is off by."""
    return bool(np.any(np.abs(change) > 100 * reach) and np.all(np.abs(off - change) <= reach))


def _is_of_few_numbers(*gradients: Array) -> bool:
    """Return whether all numbers are small multiples of one, as when a gradient counts something."""
    numbers = np.abs(np.concatenate([gradient.ravel().astype(float) for gradient in gradients]))
    unit = np.min(numbers, where=numbers > 1e-9 * numbers.max(), initial=np.inf)
    multiples = numbers / unit
    return bool(np.all(np.abs(multiples - np.round(multiples)) < 1e-6) and multiples.max() < COUNTED)


def _name(node: Tensor) -> str:
    assert node.primitive is not None
    return node.primitive.name


def _upstream(tensor: Tensor) -> list[Tensor]:
    """Return some values of the same shape that `tensor` was computed from, the nearest first."""
    found, queue = {tensor}, [tensor]
    for node in queue:
        for arg in node.args if len(queue) < 4 * UPSTREAM else ():
            if type(arg) is Tensor and arg not in found:
                found.add(arg)
                queue.append(arg)
    return [node for node in queue[1:] if node.shape == tensor.shape][:UPSTREAM]


def _called(edge: Edge) -> str:
    """Return how to name an edge: by its operation, and by its argument if others have gradients, too."""
    node, i = edge
    arg = node.args[i]
    if sum(_flows(node, k) for k in range(len(node.args))) == 1:
        return _name(node)
    return f"{_name(node)} to {_value_called(arg) if arg.is_leaf else f'its argument {i}'}"


def _value_called(value: Tensor) -> str:
    return value.name or (f"the result of {_name(value)}" if value.primitive else "a constant")


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


def _is_one_hot(array: Array) -> bool:
    return array.ndim == 2 and bool(np.all((array == 0) | (array == 1)) and np.all(array.sum(axis=1) == 1))


def _always(piece: Array) -> Change:
    return lambda node, i, ct, right: piece.reshape(node.args[i].shape)


def _with_value(k: int, instead: Mapping[Tensor, Array], node: Tensor, i: int, ct: Array, piece: Array) -> Array:
    return _rule(node, i, ct, [*node.operands[:k], instead[node], *node.operands[k + 1 :]])


def _is_mask(ct: Array, piece: Array) -> bool:
    """Return whether a piece is the cotangent with zeros in some places."""
    return piece.shape == ct.shape and bool(np.all((piece == ct) | (piece == 0))) and bool(np.any(piece != ct))


def _without_mask(node: Tensor, i: int, ct: Array, piece: Array) -> Array | None:
    return ct if _is_mask(ct, piece) else None


def _mask_turned(node: Tensor, i: int, ct: Array, piece: Array) -> Array | None:
    return ct - piece if _is_mask(ct, piece) else None


def _without_sign(node: Tensor, i: int, ct: Array, piece: Array) -> Array | None:
    return ct if piece.shape == ct.shape and np.array_equal(piece, -ct) else None


def _without_derivative(node: Tensor, i: int, ct: Array, piece: Array) -> Array | None:
    if piece.shape != ct.shape or _is_mask(ct, piece) or np.array_equal(np.abs(piece), np.abs(ct)):
        return None
    return ct if node.operands[i].shape == ct.shape else None


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
    """Return the other factor of a product, if it is a matrix."""
    if _name(node) not in ("np.matmul", "np.dot") or max(map(np.ndim, node.operands)) > 2:
        return None
    other = np.asarray(node.operands[1 - i])
    return other if other.ndim == 2 else None


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


def _without_one_hot(node: Tensor, i: int, ct: Array, piece: Array) -> Array | None:
    if _name(node) != "softmax_cross_entropy" or i or np.ndim(node.operands[1]) != 1:
        return None
    exponentials = np.exp(node.operands[0] - node.operands[0].max(axis=1, keepdims=True))
    probs = exponentials / exponentials.sum(axis=1, keepdims=True)
    return np.asarray(probs * np.reshape(ct, (-1, 1)) / (len(piece) if node.params["reduction"] == "mean" else 1))


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
    ("one-hot were not subtracted in {}: the entries at the labels get nothing", _without_one_hot),
    ("the mask of {} were forgotten", _without_mask),
    ("the mask of {} were turned round", _mask_turned),
    ("the minus of {} were forgotten", _without_sign),
    ("the derivative of {} were forgotten", _without_derivative),
    ("the derivative of {} were taken at its input in place of its output", _at_the_input),
    ("the derivative of {} were taken at its output in place of its input", _at_the_output),
    ("a factor of {} were not transposed", _not_transposed),
    ("a factor of {} were reshaped where it should be transposed", _reshaped),
    ("{} went back by a reshape", _piece_reshaped),
    ("repeated indices of {} were assigned, not added up", _assigned),
)
