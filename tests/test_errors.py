"""Every exception is an `AutogradError`, and also the built-in exception that a caller would expect."""

import inspect

import pytest

from autograd_spiral import errors

EXPECTED = {
    "ShapeError": ValueError,
    "ArgumentError": ValueError,
    "AxisError": ValueError,
    "PositionError": IndexError,
    "DtypeError": TypeError,
    "NoRuleError": TypeError,
    "InPlaceError": TypeError,
    "LostGraphError": TypeError,
    "LabelError": ValueError,
    "GradientError": RuntimeError,
    "RuleError": RuntimeError,
    "StaleLeafError": RuntimeError,
}


def test_every_exception_is_an_autograd_error_and_a_builtin_one():
    defined = {kind for kind in vars(errors).values() if inspect.isclass(kind)} - {errors.AutogradError}
    assert {kind.__name__ for kind in defined} >= set(EXPECTED)
    for kind in defined:
        builtin = [base for base in kind.__mro__ if base.__module__ == "builtins"]
        assert issubclass(kind, errors.AutogradError)
        assert builtin[0] is not Exception, f"{kind.__name__} derives from no builtin but Exception"


@pytest.mark.parametrize("name", EXPECTED)
def test_each_exception_is_caught_by_both_classes(name):
    kind = getattr(errors, name)
    assert issubclass(kind, EXPECTED[name])
    assert issubclass(kind, errors.AutogradError)
    assert kind.__doc__
