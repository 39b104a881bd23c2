"""Findings with diagnoses, and the evidence for these, which is collected only after a check has failed."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np

from autograd_spiral.engine.sweep import unbroadcast
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.gradcheck.diagnoses import Evidence, Record, broadcasts_to, diagnose
from autograd_spiral.gradcheck.function import Swept
from autograd_spiral.gradcheck.judging import Judge
from autograd_spiral.gradcheck.verdicts import Array, Findings, Verdict

__all__ = ["diagnosed"]


def diagnosed(
    judge: Judge, found: Mapping[int, Findings], scaled: Swept | None = None, *, by_hand: bool = False
) -> list[Findings]:
    """Return the findings with their diagnoses; for gradients derived `by_hand`, record the function once more."""
    rows = []
    wrong = {at: np.asarray(row.gradient) for at, row in found.items() if by_hand and row.wrong.any()}
    record = Record(lambda: judge.function.swept(judge.cotangents)[:2], judge.cotangents, wrong) if wrong else None
    for at, findings in found.items():
        says = [findings.diagnosis]
        if findings.wrong.any():
            says = [diagnose(findings, judge.sizes, _evidence_of(judge, found, at, scaled, record))]
        if not findings.fault and judge.leading[at].any():
            says.append(_not_judged(findings, judge.left_out))
        rows.append(replace(findings, diagnosis="; ".join(filter(None, says))))
    return rows


def _not_judged(findings: Findings, left_out: str) -> str:
    """Return the note for an input with elements on which outputs that are not finite depend."""
    total, count = findings.counts.total(), findings.counts[Verdict.UNJUDGED]
    if not count:
        return f"checked with the remaining outputs only: {left_out}"
    some = "" if count == total else f"{count} of {total} {findings.judged} "
    return f"{some}not judged: {left_out}"


def _evidence_of(
    judge: Judge, found: Mapping[int, Findings], at: int, scaled: Swept | None = None, record: Record | None = None
) -> Evidence:
    """Return the evidence on input `at`, given what was `found` for all inputs.

    `scaled` is a run with SCALE times the cotangents. It is None for gradients that were not computed by rules; for
    these, `record` is the record of the function, if there is one.
    """
    shape, function = found[at].shape, judge.function
    inputs = zip(function.names, function.arrays, strict=True)
    terms = {
        name: np.broadcast_to(x, shape)
        for name, x in inputs
        if x.dtype.kind in "fiu" and x.ndim and broadcasts_to(x.shape, shape)
    }
    weighted = len(judge.cotangents) == 1 and broadcasts_to(judge.cotangents[0].shape, shape)
    return Evidence(
        ct=judge.cotangents[0] if weighted else None,
        scaled=None if scaled is None else scaled.gradients[at],
        others={o.name: o for other, o in found.items() if other != at and o.shape == shape},
        remedies=dict(_remedies(scaled.leaves[at], scaled.outputs, judge.cotangents)) if scaled else {},
        terms={} if scaled else terms,
        repeated=_repeated(function.arrays, shape),
        record=record,
        at=at,
    )


def _repeated(arrays: Iterable[Array], shape: tuple[int, ...]) -> Array | None:
    """Return a mask of the rows that occur more than once in the only array of indices; None if no such array fits."""
    indices = [x for x in arrays if x.dtype.kind in "iu" and x.ndim]
    if len(indices) != 1 or not shape or not np.all((indices[0] >= 0) & (indices[0] < shape[0])):
        return None
    often = np.bincount(indices[0].ravel(), minlength=shape[0]) > 1
    return np.broadcast_to(often.reshape(-1, *(1,) * (len(shape) - 1)), shape)


def _remedies(leaf: Tensor, outputs: list[Tensor], cotangents: list[Array]) -> Iterator[tuple[str, Array]]:
    """Yield changes to the rule of a declared operation, in words, with the gradients that `leaf` would then get.

    There are none unless the function consists of this one operation: only then is the result of its rule the gradient.
    """
    if len(outputs) != 1:
        return
    (node,), (ct,) = outputs, cotangents
    arguments = [i for i, arg in enumerate(node.args) if arg is leaf]
    if len(arguments) != 1 or node.primitive is None or node.primitive.body is None:
        return
    rules: dict[int, Any] = dict(enumerate(node.primitive.vjps_for(len(node.args))))
    own = rules.pop(arguments[0])
    values = [node.data, *node.operands]
    changes = [(f"with the rule for argument {i}", rule, values) for i, rule in rules.items()]
    names = list(inspect.signature(own).parameters)[1 : 1 + len(values)] if inspect.isfunction(own) else []
    if len(names) == len(values):
        shapes = list(map(np.shape, values))
        pairs = [(i, j) for i, j in permutations(range(len(values)), 2) if shapes[i] == shapes[j]]
        square = [i for i, shape in enumerate(shapes) if len(shape) == 2 and shape[0] == shape[1]]
        instead = [(f"with {names[j]} in place of {names[i]}", i, values[j]) for i, j in pairs]
        instead += [(f"with {names[i]} transposed", i, np.transpose(values[i])) for i in square]
        changes += [(change, own, [*values[:i], value, *values[i + 1 :]]) for change, i, value in instead]
    for change, rule, operands in changes:
        try:
            piece = unbroadcast(np.asarray(rule(ct.copy(), *operands, **node.params)), leaf.shape)
        except Exception:  # a rule that is missing, or that the change breaks, is no remedy
            continue
        yield change, piece
