"""Mistakes that people make when they derive gradients: all are found, most are named, none is named wrongly.

Every third one is tried here; `python demos/compare_checkers.py` tries all of them.
"""

import re

import pytest
from checks import plain
from planted_faults import FAULTS

from autograd_spiral.gradcheck import check_against

UNNAMED = re.compile("no common factor")


@pytest.mark.parametrize("model", sorted({fault.model for fault in FAULTS}, key=lambda model: model.__name__))
def test_the_right_gradients_pass(model):
    report = check_against(model.loss, model.gradients, *model.inputs.values())
    assert report.verdict == "ok"
    assert report.method == "judged by the engine's gradients, which finite differences confirm"


@pytest.mark.parametrize("fault", FAULTS[::3], ids=[fault.name for fault in FAULTS[::3]])
def test_planted_faults_are_caught_and_named(fault):
    report = check_against(fault.model.loss, fault.gradients(), *fault.model.inputs.values(), raise_on_mismatch=False)
    says = [row.diagnosis for row in report.rows if row.verdict.fails]
    assert report.verdict == "wrong"
    assert says
    assert all(re.search(fault.says or UNNAMED, text) for text in says), says


@pytest.mark.parametrize("fault", FAULTS[1::6], ids=[fault.name for fault in FAULTS[1::6]])
def test_planted_faults_are_caught_by_differences_alone(fault):
    inputs = fault.model.inputs.values()
    report = check_against(plain(fault.model.loss), fault.gradients(), *inputs, raise_on_mismatch=False)
    assert report.method.startswith("judged by finite differences only")
    assert report.ok is False


def test_there_are_a_hundred_and_most_have_names():
    assert len({fault.name for fault in FAULTS}) == 100
    assert sum(fault.says is not None for fault in FAULTS) >= 80
