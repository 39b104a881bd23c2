"""Everything public has a docstring with an example that the suite runs.

Public are the names in `__all__` of the modules in `MODULES`; the classes of the package that these return or hold, and
so on from their methods and fields; their base classes; and every method and property of all of them.
"""

import doctest
import functools
import importlib
import inspect
import typing
from dataclasses import dataclass

import pytest

import autograd_spiral
from autograd_spiral import Tensor

MODULES = [
    "autograd_spiral",
    *(f"autograd_spiral.{name}" for name in ("gradcheck", "testing", "drawing", "explorer", "spiral", "cli")),
    *(f"autograd_spiral.spiral.{name}" for name in ("by_hand", "plots", "published")),
]
NAMED = [
    getattr(module, name) for path in MODULES for module in [importlib.import_module(path)] for name in module.__all__
]

_JAX = "needs JAX, an extra that the suite does not need"
_MATPLOTLIB = "needs matplotlib, an extra that the suite does not need"
NO_EXAMPLE = {
    "autograd_spiral.program.xla.executor.xla": _JAX,
    "autograd_spiral.spiral.plots.available": "depends on what is installed",
    "autograd_spiral.spiral.plots.plot_data": _MATPLOTLIB,
    "autograd_spiral.spiral.plots.plot_hidden_units": _MATPLOTLIB,
    "autograd_spiral.spiral.plots.plot_losses": _MATPLOTLIB,
    "autograd_spiral.spiral.plots.plot_regions": _MATPLOTLIB,
}
"""Names for which an example is impossible, and why. Errors need none: the functions that raise them say when."""


def is_ours(thing):
    return isinstance(thing, type) and thing.__module__.split(".")[0] == "autograd_spiral"


def is_error(thing):
    return isinstance(thing, type) and issubclass(thing, Exception)


def members(kind):
    """The public methods and properties that a class itself defines, by name."""
    described = (property, functools.cached_property, classmethod, staticmethod)
    return {
        name: member
        for name, member in vars(kind).items()
        if not name.startswith("_") and (callable(member) or isinstance(member, described))
    }


def returned(member):
    """The annotated return type of a function, a method or a property."""
    for part in ("fget", "func", "__func__"):
        member = getattr(member, part, member)
    function = inspect.unwrap(member)
    hint = function.__annotations__.get("return")
    return eval(hint, function.__globals__) if isinstance(hint, str) else hint


def classes_in(hint):
    """The classes of the package in a type, also in containers and unions."""
    return {hint} if is_ours(hint) else {kind for part in typing.get_args(hint) for kind in classes_in(part)}


def classes_from(things):
    """The classes among `things`, those that they return or hold, and so on, and the base classes of all these."""
    waiting, found = list(things), set()
    while waiting:
        thing = waiting.pop()
        if thing in found:
            continue
        if is_ours(thing):
            found.add(thing)
            waiting += [*filter(is_ours, thing.__mro__), *members(thing).values()]
            hints = typing.get_type_hints(thing).values()
        else:
            hints = [returned(thing)]
        waiting += [kind for hint in hints for kind in classes_in(hint)]
    return found


def by_name(things):
    """Functions and classes, and the public methods and properties that each class defines, by full name."""
    named = {f"{thing.__module__}.{thing.__name__}": thing for thing in things}
    parts = {
        f"{name}.{key}": part for name, thing in named.items() if is_ours(thing) for key, part in members(thing).items()
    }
    return dict(sorted((named | parts).items()))


CALLABLE = {thing for thing in NAMED if callable(thing)}
PUBLIC = by_name(CALLABLE | classes_from(CALLABLE))


def lacks(thing):
    """What the docstring of `thing` itself lacks, or None."""
    text = inspect.cleandoc(thing.__doc__ or "")
    if not text:
        return "a docstring"
    if not text.splitlines()[0].endswith((".", ":")):
        return "a sentence on its first line"
    examples = doctest.DocTestParser().get_examples(text)
    if not is_error(thing) and all(example.options.get(doctest.SKIP) for example in examples):
        return "an example that runs"
    return None


@pytest.mark.parametrize("name", PUBLIC)
def test_everything_public_has_a_docstring_with_an_example(name):
    assert lacks(PUBLIC[name]) == ("an example that runs" if name in NO_EXAMPLE else None)


def test_names_without_an_example_exist():
    assert PUBLIC.keys() >= NO_EXAMPLE.keys()


def test_the_package_says_what_it_is():
    assert autograd_spiral.__doc__.startswith("A tiny autograd engine on NumPy")


# --- what is found ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "engine.array_methods.ArrayMethods.T",  # a property of a class in `__all__`
        "engine.array_methods.ArrayMethods.prod",  # inherited
        "spiral.models.TwoLayerNet.random",  # a class method
        "gradcheck.verdicts.Verdict.fails",  # of the keys of a mapping in a row of a report
        "program.printing.saved.CapturedProgram.source",  # a cached property of the class that a property returns
        "program.ir.Equation.reads",
        "drawing.export.Drawing.save_as",  # of the class that a function returns
    ],
)
def test_the_walk_reaches(name):
    assert f"autograd_spiral.{name}" in PUBLIC


def test_private_classes_and_members_of_other_packages_are_not_public():
    assert not [name for name in PUBLIC if "._" in name]
    assert all(name.startswith("autograd_spiral.") for name in PUBLIC)
    assert "autograd_spiral.drawing.export.Drawing.render" not in PUBLIC


class Base:
    __module__ = "autograd_spiral"

    @property
    def bare(self):
        return 1


class Given(Base):
    """A class with an example.

    >>> 1 + 1
    2
    """

    __module__ = "autograd_spiral"

    def told(self):
        """Says something and shows nothing."""

    @functools.cached_property
    def skipped(self):
        """Shows what does not run.

        >>> 1 + 1  # doctest: +SKIP
        3
        """

    def clumsy(self):
        """Begins
        in the middle.
        """


@dataclass
class Holder:
    """Holds one."""

    __module__ = "autograd_spiral"
    held: dict[str, tuple[Given | None, ...]]


def maker() -> Holder: ...


def test_a_method_without_an_example_is_noticed():
    found = by_name(classes_from([maker]))
    assert {name.removeprefix("autograd_spiral."): lack for name, thing in found.items() if (lack := lacks(thing))} == {
        "Base": "a docstring",
        "Base.bare": "a docstring",
        "Given.told": "an example that runs",
        "Given.skipped": "an example that runs",
        "Given.clumsy": "a sentence on its first line",
        "Holder": "an example that runs",
    }


def test_every_attribute_of_a_tensor_is_public_or_a_field():
    for name in dir(Tensor(0.0)):  # does not list the names that only have a hint
        member = inspect.getattr_static(Tensor, name)
        if not name.startswith("_") and not inspect.ismemberdescriptor(member):
            assert member in PUBLIC.values(), name
