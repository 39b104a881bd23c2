"""The guard of the rule tests: a rule made wrong in any of five ways must fail them.

Each VJP in the table is replaced in turn by a perturbed one, which must fail the assertions of `test_rules` on the
first few examples there; the right rule passes them. A perturbation that changes nothing is listed with the reason,
and only then may it pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from properties import assert_gradients, assert_second_order
from test_rules import EXAMPLES, has_gradient

from autograd_spiral.engine.messages import name_of
from autograd_spiral.engine.table import PRIMITIVES, VJP, Primitive
from autograd_spiral.vocabulary.rules.linalg import kink

# --- perturbations ------------------------------------------------------------------------------------------------

NEGATED, DOUBLED, SCALED, ZEROED, SWAPPED = "negated", "doubled", "times 1.001", "zeroed", "swapped"
FACTORS = {NEGATED: -1, DOUBLED: 2, SCALED: 1.001, ZEROED: 0}


def perturbed(vjp: VJP, perturbation: str) -> VJP:
    """A wrong version of `vjp`: its result is scaled, or its last two array arguments are swapped."""

    def wrong(ct: Any, out: Any, *args: Any, **params: Any) -> Any:
        if perturbation == SWAPPED:
            return vjp(ct, out, *args[:-2], *reversed(args[-2:]), **params)
        return vjp(ct, out, *args, **params) * FACTORS[perturbation]

    return wrong


def mutants() -> Iterator[tuple[Callable[..., Any], Any, str]]:
    """Every VJP of every row (its index, or "rest"), with every perturbation that applies to it."""
    for function in filter(has_gradient, EXAMPLES):
        row = PRIMITIVES[function]
        indices = [i for i, vjp in enumerate(row.vjps) if vjp is not None]
        for argument in [*indices, *(["rest"] if row.rest is not None else [])]:
            yield from ((function, argument, perturbation) for perturbation in FACTORS)
            if len(row.vjps) > 1 or row.rest is not None:
                yield function, argument, SWAPPED


# --- perturbations without effect ----------------------------------------------------------------------------------

_ZERO = "the rule returns 0, and every multiple of 0 is 0"
_UNREAD = "the rule reads neither of the two arguments"

EQUIVALENT: dict[tuple[Callable[..., Any], Any, str], str] = {
    **{
        (function, 0, perturbation): _ZERO
        for function in (np.sign, np.floor, np.ceil, np.trunc, np.rint, np.round, kink)
        for perturbation in FACTORS
    },
    **{
        (function, argument, perturbation): _ZERO
        for function, argument in ((np.floor_divide, 0), (np.floor_divide, 1), (np.copysign, 1), (np.heaviside, 0))
        for perturbation in (*FACTORS, SWAPPED)
    },
    **{(function, argument, SWAPPED): _UNREAD for function in (np.add, np.subtract) for argument in (0, 1)},
    **{(function, 0, SWAPPED): _UNREAD for function in (np.remainder, np.fmod)},
    (np.copysign, 0, SWAPPED): "the product of both signs is the same, away from 0",
    (np.choose, "rest", SWAPPED): _UNREAD,
    (np.where, 1, SWAPPED): _UNREAD,
    (np.where, 2, SWAPPED): _UNREAD,
}


# --- the guard ----------------------------------------------------------------------------------------------------


def caught(function: Callable[..., Any]) -> bool:
    """Whether an assertion fails on one of the first examples."""
    try:
        for example in EXAMPLES[function].drawn[:8]:
            assert_gradients(example)
            assert_second_order(example)
    except Exception:  # a wrong rule may return wrong numbers, or raise
        return True
    return False


def replaced(row: Primitive, argument: Any, perturbation: str, patch: pytest.MonkeyPatch) -> None:
    """Replace the right VJP by the perturbed one, until `patch` is undone."""
    if argument == "rest":
        patch.setattr(row, "rest", perturbed(row.rest, perturbation))
    else:
        vjps = list(row.vjps)
        vjps[argument] = perturbed(vjps[argument], perturbation)
        patch.setattr(row, "vjps", tuple(vjps))


MUTANTS = list(mutants())


@pytest.mark.parametrize(
    ("function", "argument", "perturbation"),
    MUTANTS,
    ids=[f"{name_of(f)}-{argument}-{how}" for f, argument, how in MUTANTS],
)
def test_a_wrong_rule_is_caught(
    function: Callable[..., Any], argument: Any, perturbation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced(PRIMITIVES[function], argument, perturbation, monkeypatch)
    if (function, argument, perturbation) in EQUIVALENT:
        assert not caught(function), "listed as equivalent, but it is not"
    else:
        assert caught(function)


def test_only_perturbations_that_are_tried_are_listed() -> None:
    assert EQUIVALENT.keys() <= set(MUTANTS)
    assert all(EQUIVALENT.values())
