"""The typing examples also run, and their values have the types that they promise to mypy."""

import inspect

import pytest
import typing_examples

FUNCTIONS = [
    function
    for name, function in inspect.getmembers(typing_examples, inspect.isfunction)
    if function.__module__ == typing_examples.__name__
    and not name.startswith("_")
    and not hasattr(function, "__wrapped__")
]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_typing_examples_run(function, tmp_path):
    function(*([tmp_path] if inspect.signature(function).parameters else []))
