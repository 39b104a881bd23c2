"""Every exception is this package's own and also the builtin that a caller would expect."""

import inspect

import pytest

from autograd_spiral import errors

EXPECTED = {
    "ShapeError": ValueError,
    "DtypeError": TypeError,
    "NoRuleError": TypeError,
    "InPlaceError": TypeError,
    "LostGraphError": TypeError,
    "LabelError": ValueError,
    "GradientError": RuntimeError,
    "RuleError": RuntimeError,
    "StaleLeafError": RuntimeError,
}


def test_every_exception_is_expected():
    defined = {name for name, kind in vars(errors).items() if inspect.isclass(kind)}
    assert defined == {"AutogradError", *EXPECTED}


@pytest.mark.parametrize("name", EXPECTED)
def test_each_is_the_builtin_and_ours(name):
    kind = getattr(errors, name)
    assert issubclass(kind, EXPECTED[name])
    assert issubclass(kind, errors.AutogradError)
    assert kind.__doc__
