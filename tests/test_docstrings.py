"""What is public says what it promises, and shows it: a docstring with an example, which the suite runs."""

import importlib
import inspect

import pytest

import autograd_spiral
from autograd_spiral import Tensor

PLACES = [
    "autograd_spiral",
    *(f"autograd_spiral.{name}" for name in ("gradcheck", "testing", "spiral", "drawing", "cli")),
]
PUBLIC = {
    f"{place}.{name}": getattr(module, name)
    for place in PLACES
    for module in [importlib.import_module(place)]
    for name in module.__all__
    if callable(getattr(module, name))
}


def is_error(thing):
    return isinstance(thing, type) and issubclass(thing, Exception)


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_have_a_docstring_with_an_example(name):
    text = inspect.getdoc(PUBLIC[name])
    assert text
    assert text.splitlines()[0].endswith((".", ":"))
    if not is_error(PUBLIC[name]):
        own = [inspect.getdoc(member) or "" for member in vars(PUBLIC[name]).values() if callable(member)]
        assert ">>> " in "".join([text, *own])


@pytest.mark.parametrize("name", [name for name in dir(Tensor(0.0)) if not name.startswith("_")])
def test_what_a_tensor_has_is_described(name):
    member = inspect.getattr_static(Tensor, name)
    if not inspect.ismemberdescriptor(member):  # the fields of a node, described by the class
        assert inspect.getdoc(member).splitlines()[0].endswith(".")


def test_the_package_says_what_it_is():
    assert autograd_spiral.__doc__.startswith("A tiny autograd engine on NumPy")
