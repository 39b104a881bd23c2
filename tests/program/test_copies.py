"""Copies of models with captured steps: a copy trains its own parameters, or an error says that it cannot be made."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Callable
from typing import Any

import pytest
from captured import ONES, leaf
from copied_models import BOTH_WAYS, NEITHER_WAY, ByAttribute, ByDecorator
from programs import assert_same

from autograd_spiral import CaptureError, capture


def pickled(model: Any) -> Any:
    return pickle.loads(pickle.dumps(model))


@pytest.mark.filterwarnings("ignore:step has made 8 programs")  # objects WithSlots share their programs
@pytest.mark.parametrize("calls", [0, 1, 3])
@pytest.mark.parametrize("copied", [copy.deepcopy, pickled])
@pytest.mark.parametrize("make", BOTH_WAYS)
def test_a_copy_trains_itself_and_nothing_else(make: Any, copied: Callable[[Any], Any], calls: int) -> None:
    model = make()
    for _ in range(calls):
        model.step(ONES)
    before = model.w.data
    twin = copied(model)
    twins = copied([twin, twin])
    for one in (twin, twins[0]):
        loss = float(one.step(ONES))
        assert_same([model.w.data], [before], "the original")
    assert twins[0] is twins[1]
    assert float(model.step(ONES)) == loss
    assert_same([model.w.data] * 2, [twin.w.data, twins[0].w.data], "state")
    twin.w.assign([5.0, 5.0])
    assert float(twin.step(ONES)) > float(model.step(ONES))


@pytest.mark.parametrize("calls", [0, 3])
@pytest.mark.parametrize("make", NEITHER_WAY)
def test_a_step_whose_variables_mean_the_original_cannot_be_copied(make: Any, calls: int) -> None:
    model = make()
    for _ in range(calls):
        model.step(ONES)
    for copied in (lambda: copy.deepcopy(model), lambda: copy.deepcopy([[model.step], model])):
        with pytest.raises(CaptureError, match=r"variable '(self|w|model|parts|helper|function)' would"):
            copied()
    with pytest.raises((pickle.PicklingError, AttributeError), match=r"cannot be pickled|Can't (get|pickle)"):
        pickle.dumps(model)


def test_a_variable_of_a_step_that_no_copy_concerns_is_shared() -> None:
    class Model:
        def __init__(self) -> None:
            table, names = [1.0, 2.0], {"scale": 2.0}
            self.w = leaf(1, 2)
            self.step = capture(lambda w, x: (w * x).sum() * table[1] * names["scale"])

    model = Model()
    twin = copy.deepcopy(model)
    assert float(twin.step(twin.w, ONES)) == float(model.step(model.w, ONES)) == 12.0


@pytest.mark.parametrize("make", [ByAttribute, ByDecorator])
def test_a_shallow_copy_shares_its_leaves(make: Any) -> None:
    model = make()
    model.step(ONES)
    twin = copy.copy(model)
    twin.step(ONES)
    assert twin.w is model.w
    assert_same([model.w.data], [[1.0, 1.25]], "state")
    if make is ByDecorator:  # whose step belongs to the object it is called on
        twin.w = leaf(5, 5)
        twin.step(ONES)
        assert_same([model.w.data, twin.w.data], [[1.0, 1.25], [3.0, 3.0]], "state")


def test_a_copy_keeps_the_options_of_its_step() -> None:
    class Model(ByDecorator):
        def __init__(self) -> None:
            super().__init__()
            self.step = capture(super().step.eager, verify=False)  # type: ignore[method-assign]

    twin = copy.deepcopy(Model())
    twin.step(ONES)
    assert twin.step._programs.last is not None
    assert re.fullmatch("inf", str(twin.step._programs.last.due))
