"""docs/vocabulary.md is what its script writes, and its mathematics is what the rules compute."""

import builtins
import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import autograd_spiral
from autograd_spiral import Tensor, errors, grad
from autograd_spiral.engine.declare import primitive
from autograd_spiral.engine.messages import name_of
from autograd_spiral.engine.table import PRIMITIVES
from autograd_spiral.errors import AutogradError
from autograd_spiral.vocabulary import functions

special = pytest.importorskip("scipy.special")

SCRIPT = Path(__file__).parents[1] / "docs" / "vocabulary.py"


def loaded():
    spec = importlib.util.spec_from_file_location("vocabulary", SCRIPT)
    module = sys.modules.setdefault("vocabulary", importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    return module


vocabulary = loaded()
FORMULAS = {f: row for group in vocabulary.ROWS.values() for f, row in group.items() if row.formula}


def test_every_rule_has_its_mathematics():
    assert vocabulary.missing() == []


def test_a_new_primitive_does_not_arrive_undocumented(monkeypatch):
    monkeypatch.setitem(PRIMITIVES, np.nextafter, PRIMITIVES[np.add])
    assert vocabulary.missing() == ["np.nextafter"]


def test_primitives_of_others_are_their_own_business():
    @primitive(lambda ct, out, x: ct)
    def theirs(x):
        return x.copy()

    assert vocabulary.missing() == []


def test_the_page_is_current():
    """The page has functions that an older NumPy does not have."""
    lines = vocabulary.PAGE.read_text(encoding="utf-8").splitlines(keepends=True)
    names = [re.match(r"\| `np\.(\w+)\(", line) for line in lines]
    kept = [line for line, name in zip(lines, names, strict=True) if name is None or hasattr(np, name[1])]
    assert "".join(kept) == vocabulary.page(), "run: python docs/vocabulary.py"


def test_every_public_name_is_on_the_page():
    text = vocabulary.PAGE.read_text(encoding="utf-8")
    assert [name for name in autograd_spiral.__all__ if not re.search(rf"^\| `{name}\b", text, re.MULTILINE)] == []


def test_every_error_is_on_the_page_with_the_builtin_it_is():
    text = vocabulary.PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| \S", text, re.MULTILINE)
    own = {kind.__name__: kind for kind in AutogradError.__subclasses__() if kind.__module__ == errors.__name__}
    assert {name for name, _ in rows} == set(own)
    assert all(issubclass(own[name], getattr(builtins, builtin)) for name, builtin in rows)


TRANSLATION = {
    "z̄": "ct",
    "ᵀ": ".mT",
    "·": "*",
    "−": "-",
    "²": "**2",
    "^": "**",
    "√": "sqrt",
    "Σ": "total",
    "π": "pi",
    "[": "(",
    "]": ")",
}


def evaluated(formula, **values):
    """Return the value of a formula of the page, whose symbols are those of Python or stand for them."""
    for sign, code in TRANSLATION.items():
        formula = formula.replace(sign, code)
    found = re.findall(r"[a-z]\w+", formula)
    names = {name: getattr(module, name) for module in (special, np) for name in found if hasattr(module, name)}
    names |= {
        "total": lambda x: x.sum(axis=-1, keepdims=True),
        "softmax": functions.softmax,
        "sigmoid": functions.sigmoid,
    }
    return eval(formula, names | values)


@pytest.mark.parametrize("function", FORMULAS, ids=name_of)
def test_formulas_are_what_the_rules_compute(function):
    row, rng = FORMULAS[function], np.random.default_rng(0)
    shapes = [(3, 4), (4, 2)] if function is np.matmul else [(3, 4)] * len(row.cotangents)
    arrays = [rng.uniform(0.1, 0.9, shape) + (function is np.arccosh) for shape in shapes]
    leaves = [Tensor(array, requires_grad=True) for array in arrays]
    z = function(*leaves)
    ct = rng.standard_normal(z.shape)
    values = {"z": z.data, "ct": ct, **dict(zip("xy", arrays, strict=False))}
    for formula, piece in zip(row.cotangents, grad(z, leaves, ct), strict=True):
        expected = np.broadcast_to(evaluated(formula, **values), piece.shape)
        np.testing.assert_allclose(piece.data, expected, rtol=1e-12, atol=1e-15)


INFINITE = [
    (function, float(place.replace("−", "-")))
    for function, row in FORMULAS.items()
    for places in re.findall(r"infinite at (\S+)", row.edges)
    for place in ([f"{sign}{places[1:]}" for sign in "+-"] if places[0] == "±" else [places])
]


@pytest.mark.parametrize(("function", "place"), INFINITE, ids=str)
def test_edges_said_to_be_infinite_are(function, place):
    x = Tensor([place], requires_grad=True)
    with np.errstate(all="ignore"):
        (slope,) = grad(function(x), x, np.ones(1)).data
    assert np.isinf(slope)


ZERO = [function for function, row in FORMULAS.items() if re.match(r"0 (at 0|at the jumps|where z is 0)", row.edges)]


@pytest.mark.parametrize("function", ZERO, ids=name_of)
def test_edges_said_to_be_0_are(function):
    leaves = [Tensor([0.0], requires_grad=True) for _ in FORMULAS[function].cotangents]
    assert [piece.data for piece in grad(function(*leaves), leaves, np.ones(1))] == [0.0] * len(leaves)


def test_ties_said_to_be_halved_are():
    ties = [function for function, row in FORMULAS.items() if "half each" in row.edges]
    assert len(ties) == 4
    for function in ties:
        x, y = Tensor(2.0, requires_grad=True), Tensor(2.0, requires_grad=True)
        assert [float(piece) for piece in grad(function(x, y), (x, y))] == [0.5, 0.5]


@pytest.mark.parametrize(
    ("x", "y", "at_x", "at_y"),
    [
        (0, 0.5, np.inf, 0),
        (0, 0, 0, 0),
        (0, 1, 1, 0),
        (0, -1, -np.inf, 0),
        (-1, 0, 0, np.nan),
        (-1, 2, -2, np.nan),
    ],
)
def test_edges_of_powers_are_as_said(x, y, at_x, at_y):
    leaves = [Tensor([float(number)], requires_grad=True) for number in (x, y)]
    with np.errstate(all="ignore"):
        found = [piece.data for piece in grad(np.power(*leaves), leaves, np.ones(1))]
    np.testing.assert_array_equal(found, [[at_x], [at_y]])


def test_aliases_are_the_functions_that_they_name():
    aliases = re.findall(r"`np\.(\w+)`\s+is\s+`np\.(\w+)`", vocabulary.HEAD)
    assert ("abs", "absolute") in aliases
    assert all(getattr(np, alias) is getattr(np, name) for alias, name in aliases)


def test_the_cells_of_its_tables_hold_no_bars():
    for table in re.findall(r"(?:^\|.*\n)+", vocabulary.page(), re.MULTILINE):
        assert len({line.count("|") for line in table.splitlines()}) == 1
