"""What helps to say what is wrong with a gradient, gathered once something is."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from itertools import permutations
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.engine.sweep import unbroadcast
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.gradcheck.diagnoses import Clues, Other
from autograd_spiral.gradcheck.judging import Judge, Swept
from autograd_spiral.gradcheck.results import Findings

__all__ = ["clues_of"]

Array: TypeAlias = NDArray[Any]


def clues_of(judge: Judge, found: Mapping[int, Findings], swept: Swept | None = None) -> dict[int, Clues]:
    """The clues to each input of `found` that is wrong in some element.

    `swept` is a sweep with SCALE times the cotangents; None for gradients that no rule gave.
    """
    subject = judge.subject
    clues = {}
    for at in [at for at, findings in found.items() if findings.wrong.any()]:
        shape = subject.arrays[at].shape
        others = {
            subject.names[other]: Other(findings.analytic, findings.numeric, findings.bound)
            for other, findings in found.items()
            if other != at and findings.analytic.shape == shape
        }
        clues[at] = Clues(
            x=subject.arrays[at],
            ct=_fitting(judge.cotangents, shape),
            scaled=None if swept is None else swept[2][at],
            others=others,
            remedies=dict(_remedies(swept[0][at], swept[1], judge.cotangents)) if swept else {},
            sampled=len(found[at].verdicts) < found[at].analytic.size,
        )
    return clues


def _fitting(cotangents: list[Array], shape: tuple[int, ...]) -> Array | None:
    """The cotangent of a single output, if it broadcasts to `shape`."""
    if len(cotangents) != 1:
        return None
    (ct,) = cotangents
    try:
        return ct if np.broadcast_shapes(ct.shape, shape) == shape else None
    except ValueError:
        return None


def _remedies(leaf: Tensor, outputs: list[Tensor], cotangents: list[Array]) -> Iterator[tuple[str, Array]]:
    """What a declared operation gives for `leaf` with a change to its rule, and what to call the change.

    Only where the function is that one operation: then what the rule gives is the gradient.
    """
    if len(outputs) != 1:
        return
    (node,), (ct,) = outputs, cotangents
    places = [i for i, arg in enumerate(node.args) if arg is leaf]
    if len(places) != 1 or node.primitive is None or node.primitive.body is None:
        return
    rules: dict[int, Any] = dict(enumerate(node.primitive.vjps_for(len(node.args))))
    own = rules.pop(places[0])
    values = [node.data, *node.operands]
    changes = [(f"with the rule for argument {i}", rule, values) for i, rule in rules.items()]
    names = list(inspect.signature(own).parameters)[1 : 1 + len(values)] if inspect.isfunction(own) else []
    for i, j in permutations(range(len(names)), 2) if len(names) == len(values) else ():
        if np.shape(values[i]) == np.shape(values[j]):
            change = f"with {names[j]} in place of {names[i]}"
            changes.append((change, own, [*values[:i], values[j], *values[i + 1 :]]))
    for i, name in enumerate(names if len(names) == len(values) else ()):
        shape = np.shape(values[i])
        if len(shape) == 2 and shape[0] == shape[1]:
            changes.append((f"with {name} transposed", own, [*values[:i], np.transpose(values[i]), *values[i + 1 :]]))
    for change, rule, operands in changes:
        try:
            piece = unbroadcast(np.asarray(rule(ct.copy(), *operands, **node.params)), leaf.shape)
        except Exception:  # a rule that the change breaks, or that there is not, is no remedy
            continue
        yield change, piece
