"""Writes `vocabulary.md`, the page beside this file, from the rule table itself: `python docs/vocabulary.py`.

It stands here, where somebody who wants to change the page looks, and not in the package, since nobody needs it to
compute. What the engine knows is asked of the engine: how each function is called, what a composition records, how
often a function can be differentiated, what an error says. What it cannot know is written below: the mathematics of
each rule in `ROWS`, and remarks in `REMARKS`. A primitive without a row ends this script with its name, a test holds
the mathematics against the rules, and another that the page is what this script writes.
"""

from __future__ import annotations

import inspect
import operator
import re
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import autograd_spiral
from autograd_spiral import CapturedStep, CheckReport, Tensor, errors, grad
from autograd_spiral.engine.array_methods import ArrayMethods
from autograd_spiral.engine.messages import name_of
from autograd_spiral.engine.modes import Observer, entering
from autograd_spiral.engine.table import COMPOSITIONS, PRIMITIVES
from autograd_spiral.errors import AutogradError
from autograd_spiral.gradcheck.rule_check import checkable
from autograd_spiral.gradcheck.rule_examples import EXAMPLES
from autograd_spiral.vocabulary import functions
from autograd_spiral.vocabulary.rules import scatter

PAGE = Path(__file__).with_name("vocabulary.md")


@dataclass(frozen=True)
class Row:
    """The mathematics of one rule: a cotangent for each argument, None where there is none, and its edges.

    With `formula` the cotangents are formulas, which a test evaluates; otherwise they are said in words.
    """

    cotangents: tuple[str | None, ...]
    edges: str = ""
    formula: bool = True


def words(*cotangents: str | None, edges: str = "") -> Row:
    """A row whose cotangents are said in words."""
    return Row(cotangents, edges, formula=False)


def row(*cotangents: str | None, edges: str = "") -> Row:
    """A row of formulas."""
    return Row(cotangents, edges)


TIE = "a tie: half each"
STEPS = "0 at the jumps too"
EXTREMUM = words(
    "z̄ shared equally among the entries that attain the extremum, 0 elsewhere", edges="a tie: equal shares"
)

ROWS: dict[str, dict[Any, Row]] = {
    "Arithmetic": {
        np.positive: row("z̄"),
        np.negative: row("−z̄"),
        np.add: row("z̄", "z̄"),
        np.subtract: row("z̄", "−z̄"),
        np.multiply: row("z̄ · y", "z̄ · x"),
        np.divide: row("z̄ / y", "−z̄ · z / y", edges="infinite where y is 0"),
        np.power: row("z̄ · y · x^(y − 1)", "z̄ · z · log(x)", edges="x̄ = 0 where y is 0; ȳ = 0 where x is 0"),
        np.maximum: row("z̄ · [x > y]", "z̄ · [y > x]", edges=TIE),
        np.minimum: row("z̄ · [x < y]", "z̄ · [y < x]", edges=TIE),
        np.fmax: row("z̄ · [x > y]", "z̄ · [y > x]", edges=f"{TIE}; a NaN gets 0"),
        np.fmin: row("z̄ · [x < y]", "z̄ · [y < x]", edges=f"{TIE}; a NaN gets 0"),
        np.hypot: row("z̄ · x / z", "z̄ · y / z", edges="0 where z is 0"),
        np.arctan2: row("z̄ · y / (x² + y²)", "−z̄ · x / (x² + y²)", edges="NaN where both are 0"),
        np.logaddexp: row("z̄ · exp(x − z)", "z̄ · exp(y − z)", edges="0 where z is −∞"),
    },
    "Functions of one argument": {
        np.square: row("2 · z̄ · x"),
        np.sqrt: row("z̄ / (2 · z)", edges="infinite at 0"),
        np.cbrt: row("z̄ / (3 · z²)", edges="infinite at 0"),
        np.reciprocal: row("−z̄ · z²", edges="infinite at 0"),
        np.exp: row("z̄ · z"),
        np.exp2: row("z̄ · z · log(2)"),
        np.expm1: row("z̄ · exp(x)"),
        np.log: row("z̄ / x", edges="infinite at 0"),
        np.log2: row("z̄ / (x · log(2))", edges="infinite at 0"),
        np.log10: row("z̄ / (x · log(10))", edges="infinite at 0"),
        np.log1p: row("z̄ / (1 + x)", edges="infinite at −1"),
        np.sin: row("z̄ · cos(x)"),
        np.cos: row("−z̄ · sin(x)"),
        np.tan: row("z̄ · (1 + z²)"),
        np.arcsin: row("z̄ / √(1 − x²)", edges="infinite at ±1"),
        np.arccos: row("−z̄ / √(1 − x²)", edges="infinite at ±1"),
        np.arctan: row("z̄ / (1 + x²)"),
        np.sinh: row("z̄ · cosh(x)"),
        np.cosh: row("z̄ · sinh(x)"),
        np.tanh: row("z̄ · (1 − z²)"),
        np.arcsinh: row("z̄ / √(x² + 1)"),
        np.arccosh: row("z̄ / √(x² − 1)", edges="infinite at 1"),
        np.arctanh: row("z̄ / (1 − x²)", edges="infinite at ±1"),
        np.absolute: row("z̄ · sign(x)", edges="0 at 0"),
        **{step: row("0", edges=STEPS) for step in (np.sign, np.floor, np.ceil, np.trunc, np.rint)},
    },
    "Choosing and converting": {
        np.where: words(None, "z̄ where the condition holds, else 0", "z̄ where it does not, else 0"),
        np.ndarray.astype: words("z̄, in the dtype of x"),
    },
    "Products": {
        np.matmul: row("z̄ @ yᵀ", "xᵀ @ z̄"),
        np.einsum: words(
            'the einsum of z̄ with the other operands: of "ij,jk->ik" in x that is einsum("ik,jk->ij", z̄, y)'
        ),
    },
    "Reductions and scans": {
        np.sum: words("z̄, broadcast to the shape of x"),
        np.mean: words("z̄ / n, broadcast to the shape of x, for a mean of n entries"),
        np.max: EXTREMUM,
        np.min: EXTREMUM,
        np.cumsum: words("the sum of z̄ from each place to the end of the axis"),
    },
    "Shapes": {
        np.reshape: words("z̄, in the shape of x"),
        np.transpose: words("z̄, its axes put back in their order"),
        np.broadcast_to: words("z̄, summed over the axes that were broadcast"),
        np.concatenate: words("the part of z̄ that came from x"),
        np.pad: words("z̄ without its margins"),
    },
    "Indexing": {
        operator.getitem: words(
            "zeros of the shape of x, with z̄ added in at the index", edges="repeated entries add up"
        ),
        scatter: words("z̄ at the index", edges="the rule of indexing is written with it"),
    },
    "Functions that NumPy lacks": {
        functions.relu: row("z̄ · [x > 0]", edges="0 at 0"),
        functions.sigmoid: row("z̄ · z · (1 − z)"),
        functions.erf: row("z̄ · 2 / √(π) · exp(−x²)"),
        functions.softmax: row("z · (z̄ − Σ(z̄ · z))"),
        functions.log_softmax: row("z̄ − softmax(x) · Σ(z̄)"),
        functions.logsumexp: words("z̄ · softmax(x)", edges="0 along a row of −∞"),
        functions._label_cross_entropy: words(
            "z̄ · (softmax(x) − onehot(y)) / N, without the N unless the mean is taken", None
        ),
    },
}
"""Groups in the order of the page; the functions of each with the mathematics of their rules."""

CALLED: dict[Any, str] = {
    operator.getitem: "x[index]",
    np.ndarray.astype: "x.astype(dtype)",
    np.einsum: "np.einsum(subscripts, *operands)",
    np.concatenate: "np.concatenate(arrays, axis=0)",
    scatter: "scatter(x, *arrays, index, shape)",
    functions._label_cross_entropy: "softmax_cross_entropy(x, y, *, reduction='mean')",
    functions.softmax_cross_entropy: "softmax_cross_entropy(x, y, *, reduction='mean')",
}
"""How to call what has no signature, or one that says less."""

REMARKS: dict[Any, str] = {
    np.clip: "at a bound: half",
    np.prod: "exact where entries are 0, at any order",
    np.std: "0 where all entries are equal",
    np.linalg.norm: "0 at 0; vectors: any order but 0; matrices: 'fro', 1, -1, inf, -inf",
    np.full_like: "a constant",
    np.zeros_like: "a constant",
    np.ones_like: "a constant",
    np.shape: "no gradient",
    np.ndim: "no gradient",
    np.size: "no gradient",
    np.einsum: "rewritten, where a letter is twice in an operand or the result is left out",
    np.matmul: "vectors are made matrices",
    functions.leaky_relu: "at 0: the slope",
    functions.elu: "at 0: alpha",
    functions.softmax_cross_entropy: "of rows of class probabilities y; of integers y, see above",
}
"""What to know of compositions that their records do not say."""

AROUND: dict[Any, str] = {np.squeeze: "getitem", functions.softmax_cross_entropy: "softmax"}
"""What an example call records around the function that it is an example of."""

LEFT_OUT: tuple[tuple[str, str], ...] = (
    ("solvers, inverses, decompositions", "np.linalg.solve(M, x)"),
    ("Fourier transforms", "np.fft.fft(x)"),
    ("sorting", "np.sort(x)"),
    ("complex numbers", "Tensor([1 + 2j])"),
    ("`out=`", "np.add(x, 1.0, out=buffer)"),
    ("`where=`", "np.sum(x, where=mask)"),
    ("methods of ufuncs", "np.multiply.outer(x, x)"),
    ("writing into arrays", "np.copyto(x, 0.0)"),
    ("assigning to elements", "x[0] = 1.0"),
    ("updating in place", "x += 1.0"),
    ("plain arrays of tensors", "np.asarray(x)"),
    ("gradients of integers", "Tensor([1, 2], requires_grad=True)"),
)
"""What is left out on purpose, and a line that meets the error."""


# --- what the engine is asked ---------------------------------------------------------------------------------------


def missing() -> list[str]:
    """Rows of the rule table that have a gradient and no mathematics above, and mathematics without a row."""
    known = set(checkable().values())
    told = {function for group in ROWS.values() for function in group}
    table = {function for function in PRIMITIVES if function in known and has_gradient(function)}
    return sorted(map(name_of, table ^ told))


def has_gradient(function: Any) -> bool:
    """Whether the rule table has a rule for some argument of `function`."""
    primitive = PRIMITIVES[function]
    return primitive.rest is not None or any(primitive.vjps)


def called(function: Any) -> str:
    """How `function` is called on a Tensor: the arguments that it takes here."""
    if function in CALLED:
        return CALLED[function]
    composition, primitive = COMPOSITIONS.get(function), PRIMITIVES.get(function)
    takes: Callable[..., Any] | None = composition or (primitive.bind if primitive is not None else function)
    if takes is None:
        assert primitive is not None
        return f"{name_of(function)}({', '.join('xyz'[: primitive.arity])})"
    signature = inspect.signature(takes)
    empty = inspect.Parameter.empty
    plain = [parameter.replace(annotation=empty) for parameter in signature.parameters.values()]
    return f"{name_of(function)}{signature.replace(parameters=plain, return_annotation=empty)}".replace(", /", "")


def recorded_by(function: Any) -> list[str]:
    """The primitives that example calls of `function` record, in the order in which they first do."""
    seen: dict[str, None] = {}

    class Seen(Observer):
        def recorded(self, node: Tensor) -> None:
            if node.primitive is not None:
                seen[node.primitive.name] = None

    for example, leaves in _calls(function):
        with entering(observer=Seen()):
            example(*leaves)
    return [name for name in seen if name != AROUND.get(function)]


def _calls(function: Any) -> Iterator[tuple[Callable[..., Any], list[Any]]]:
    """Example calls of `function`, with inputs that are leaves where they are floating."""
    for draw in EXAMPLES[function]:
        example = draw(np.random.default_rng(1))
        yield example.function, [Tensor(x, requires_grad=x.dtype.kind == "f") for x in example.inputs]


def orders(function: Any) -> str:
    """How often `function` can be differentiated before nothing is left, found by doing it twice."""
    left = 0
    rng = np.random.default_rng(2)
    for example, given in _calls(function):
        outputs, leaves = example(*given), [x for x in given if x.requires_grad]
        for order in (1, 2):
            several = outputs if isinstance(outputs, list | tuple) else [outputs]
            ends = [out for out in several if isinstance(out, Tensor) and out.requires_grad]
            if not ends:
                break
            weights = [rng.uniform(0.5, 1.5, out.shape) for out in ends]
            outputs = grad(ends, leaves, weights, create_graph=True)
            if any(np.any(piece.data) for piece in outputs):
                left = max(left, order)
    return ("0 at every order", "first, then 0", "any")[left]


# --- the page -------------------------------------------------------------------------------------------------------


def page() -> str:
    """The text of the page."""
    parts = [HEAD]
    for title, group in ROWS.items():
        lines = [
            f"| `{called(function)}` | {_gradients(one)} | {one.edges} | {orders(function)} |"
            for function, one in group.items()
        ]
        parts.append(f"## {title}\n\n| call | gradient | edges | orders |\n|---|---|---|---|\n" + "\n".join(lines))
    parts += [_without_gradient(), _composed(), _methods(), _around(), _errors(), _left_out()]
    return "\n\n".join(parts) + "\n"


HEAD = """# Vocabulary

What can be differentiated, and by which rule. This page is written by [vocabulary.py](vocabulary.py) from the rule
table, so it is complete: what is not on it has no gradient, and says so when it is called.

In the tables the output is `z` and the arguments are `x` and `y`, whatever their names are in the call; `z̄` is the
cotangent of the output (`ct` in the code of a rule, where the output is `out`), and `x̄` the one that the rule gives
for `x`. `[x > y]` is 1 where that holds and 0 elsewhere; `Σ` is a sum along the axis; products are elementwise, but
for `@`. Broadcasting and dtypes need no mention: the sweep sums what was broadcast and casts to the dtype of the
argument, for all rules alike. Shapes and keywords are NumPy's; a keyword that is not in the call is refused.

*Edges* are the places where the derivative is a convention, or is not finite. *Orders* says how often a function can
be differentiated before nothing is left: rules are written with functions that have rules, so gradients have gradients
at any order, and of what is linear in pieces the second one is 0.

`autograd-spiral check` holds every line of these tables against finite differences, at both orders."""


def _gradients(one: Row) -> str:
    names = ["x̄", "ȳ"] if len(one.cotangents) < 3 else ["condition", "x̄", "ȳ"]
    said = [(name, text) for name, text in zip(names, one.cotangents, strict=False) if text is not None]
    if one.formula:
        return ", ".join(f"`{name} = {text}`" for name, text in said)
    return "; ".join(f"`{name}` is {text}" for name, text in said)


def _without_gradient() -> str:
    known = set(checkable().values())
    names = [name_of(f) for f in PRIMITIVES if f in known and not has_gradient(f)]
    return (
        "## Recorded, without a gradient\n\nTheir results are masks and places, which are recorded with everything "
        "else but let no gradient through.\n\n" + textwrap.fill(", ".join(f"`{name}`" for name in names) + ".", 120)
    )


def _composed() -> str:
    own = [getattr(functions, name) for name in functions.__all__]
    composed = [f for f in checkable().values() if f in COMPOSITIONS or (f in own and f not in PRIMITIVES)]
    lines = []
    for function in composed:
        parts = [f"`{name}`" for name in recorded_by(function) if name != name_of(function)]
        if function in PRIMITIVES:
            parts.append("its own rule, above")
        made = ", ".join(parts) or "answered without computing"
        lines.append(f"| `{called(function)}` | {made} | {REMARKS.get(function, '')} |")
    return (
        "## Composed\n\nFunctions of NumPy and of this package that are written with those above, and record what they "
        "are made of: here, what\nexample calls record.\n\n"
        "| call | records | to know |\n|---|---|---|\n" + "\n".join(lines)
    )


def _methods() -> str:
    public = {name: member for name, member in (vars(Tensor) | vars(ArrayMethods)).items() if not name.startswith("_")}
    lines = []
    for name, member in public.items():
        text = inspect.getdoc(member)
        if text is None or inspect.ismemberdescriptor(member):
            continue
        takes = ""
        if callable(member):
            _, *given = inspect.signature(member).parameters.values()  # all but self
            empty = inspect.Parameter.empty
            takes = str(inspect.Signature([parameter.replace(annotation=empty) for parameter in given]))
        lines.append(f"| `.{name}{takes}` | {text.splitlines()[0]} |")
    return (
        "## What a Tensor has\n\nOperators: `+ - * / ** @`, `-x`, `abs(x)`, comparisons, and `& | ^ ~` of masks; "
        "indexing with integers, slices,\n`None`, `...`, masks and integer arrays; `len`, iteration, `float` and `int` "
        "of one element. Methods and attributes:\n\n| name | what it is |\n|---|---|\n" + "\n".join(lines)
    )


def _around() -> str:
    lines = []
    for name in autograd_spiral.__all__:
        member = getattr(autograd_spiral, name)
        if name not in functions.__all__:
            given = isinstance(member, type) and issubclass(member, (Exception, CapturedStep, CheckReport))
            lines.append(f"| `{name if given else called(member)}` | {_first_sentence(member)} |")
    return (
        "## Around the operations\n\nWhat else `from autograd_spiral import …` has: for tensors and their gradients, "
        "for checks, pictures and programs. What\nhas no parentheses is not made by users, but returned or raised.\n\n"
        "| name | what it is or does |\n|---|---|\n" + "\n".join(lines)
    )


def _first_sentence(member: Any) -> str:
    text = " ".join((inspect.getdoc(member) or "").split())
    return re.split(r"(?<=\.) (?=[A-Z`>])", text)[0]


def _errors() -> str:
    lines = []
    for name, member in vars(errors).items():
        if isinstance(member, type) and member is not AutogradError:
            builtin = next(base for base in member.__mro__ if base.__module__ == "builtins")
            text = _first_sentence(member)
            lines.append(f"| `{name}` | `{builtin.__name__}` | {text} |")
    return (
        "## Errors\n\nEach is also the builtin exception that a caller would expect, and all are `AutogradError`. To "
        "catch one by name:\n`from autograd_spiral.errors import ShapeError`.\n\n"
        "| class | also | what has happened |\n|---|---|---|\n" + "\n".join(lines)
    )


def _left_out() -> str:
    lines = []
    for what, code in LEFT_OUT:
        x = Tensor([1.0, 2.0], requires_grad=True)
        names = {
            "np": np,
            "Tensor": Tensor,
            "x": x,
            "M": np.eye(2),
            "buffer": np.zeros(2),
            "mask": np.array([True, False]),
        }
        try:
            exec(code, names)
        except AutogradError as error:
            says = f"{type(error).__name__}: {error}"
        else:
            raise AssertionError(f"{code} is said to be left out, but it runs")
        lines.append(f"| {what} | `{code}` | {says} |")
    return (
        "## Left out\n\nLeft out on purpose: what small models of composed operations do without, and what would break "
        "the promise that a\nrecorded value never changes. Each is an error where it is called, and not later:\n\n"
        "| what | for example | what it says |\n|---|---|---|\n" + "\n".join(lines)
    )


if __name__ == "__main__":
    if names := missing():
        raise SystemExit(f"in the rule table or in ROWS, but not in both: {', '.join(names)}")
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE}")
