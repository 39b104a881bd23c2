"""Comparisons of an eager step with its program: replayed, evaluated, and executed as printed text."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import pytest
from executors import executors_for

from autograd_spiral import CaptureError, Tensor, capture
from autograd_spiral.program.evaluate import evaluate
from autograd_spiral.program.ir import Program
from autograd_spiral.program.passes.pipeline import readable

TOLERANCE = 1e-12


@functools.lru_cache(maxsize=8)
def executed(source: str) -> Callable[..., Any]:
    """The function that the text of a program defines, after those that it calls."""
    names: dict[str, Any] = {}
    exec(compile(source, "<program>", "exec"), names)
    return cast(Callable[..., Any], list(names.values())[-1])


def assert_same(actual: Sequence[Any], expected: Sequence[Any], what: str, slack: Sequence[float] = ()) -> None:
    """Same shapes and dtypes, and equal to 1e-12 of the largest entry (or to the precision of narrower dtypes).

    `slack` is for results that last bits of the inputs move by more than that.
    """
    assert len(actual) == len(expected), what
    for a, b, more in itertools.zip_longest(actual, expected, slack, fillvalue=0.0):
        a, b = np.asarray(a), np.asarray(b)
        assert a.shape == b.shape, what
        assert a.dtype == b.dtype, what
        if np.array_equal(a, b):  # the usual case, and much faster than the comparisons below
            continue
        if a.dtype.kind != "f":
            np.testing.assert_array_equal(a, b, what)
            continue
        tolerance = max(TOLERANCE, 64 * float(np.finfo(a.dtype).eps) if a.dtype != np.float64 else 0)
        scale = np.max(np.abs(b), initial=1, where=np.isfinite(b)).astype(float)
        atol = tolerance * scale + more
        np.testing.assert_allclose(a.astype(float), b.astype(float), rtol=tolerance, atol=atol, err_msg=what)


def eagerly(
    step: Callable[..., Any],
    leaves: Sequence[Tensor],
    calls: Sequence[Sequence[Any]],
    change: Callable[[Any], Any] = lambda array: array,
) -> list[tuple[list[Any], list[Any]]]:
    """The results and the state after each call, from a changed state with changed arguments; the state is restored."""
    start = [leaf.data for leaf in leaves]
    found = []
    for leaf in leaves:
        leaf.assign(change(leaf.data))
    for args in calls:
        results = flat(step(*[Tensor(change(arg)) for arg in args]))
        found.append((results, [leaf.data for leaf in leaves]))
    for leaf, value in zip(leaves, start, strict=True):
        leaf.assign(value)
    return found


def blurred(array: Any) -> Any:
    """Floating entries with other last bits."""
    if array.dtype.kind != "f":
        return array
    noise = np.random.default_rng(9).integers(-1, 2, array.shape)
    return (array * (1 + noise * np.finfo(array.dtype).eps)).astype(array.dtype)


def assert_printable_or_refused(program: Any) -> None:
    """A program with an opaque primitive says so when it is asked for its text."""
    opaque = any(equation.opaque for equation in readable(program).equations)
    with pytest.raises(CaptureError, match="cannot be printed") if opaque else contextlib.nullcontext():
        executed(program.source)


def flat(result: Any) -> list[Any]:
    """The arrays of what a step returned."""
    if isinstance(result, Tensor):
        return [result.data]
    return [array for part in result for array in flat(part)]


def assert_programs_agree(
    step: Callable[..., Any], leaves: Sequence[Tensor], calls: Sequence[Sequence[Any]], *, printable: bool = True
) -> Any:
    """Run `step` eagerly, replayed, evaluated and as text on each of `calls`, from the same state; all must agree."""
    captured = capture(step)
    expected = eagerly(step, leaves, calls)
    slacks = [
        [
            64 * float(np.max(np.abs(a - b), initial=0)) if a.dtype.kind == "f" else 0.0
            for a, b in zip(x, y, strict=True)
        ]
        for x, y in zip(
            (results + state for results, state in expected),
            (results + state for results, state in eagerly(step, leaves, calls, blurred)),
            strict=True,
        )
    ]
    kept = []
    optimised = functools.cache(readable)
    for args, (results, state), slack in zip(calls, expected, slacks, strict=True):
        before = [np.array(arg) for arg in args]
        held = [leaf.data for leaf in leaves]
        copies = [array.copy() for array in held]
        replayed = captured(*args)
        kept.append((replayed, [array.copy() for array in flat(replayed)]))
        assert_same([*flat(replayed), *(leaf.data for leaf in leaves)], [*results, *state], "replayed", slack)
        assert_same(args, before, "inputs are left alone")
        assert_same(held, copies, "the state that was is left alone")
        program = captured.program
        given = {id(leaf): array for leaf, array in zip(leaves, copies, strict=True)}
        lowered = captured._programs.last.lowered()
        arrays = [*before, *(given[id(leaf)] for leaf in lowered.state)]
        updated = [leaf.data for leaf in lowered.state[: len(program.updates)]]
        slack = slack[: len(results)] + [max(slack)] * len(updated)
        wanted = [
            *results,
            *(
                dict(zip(map(id, leaves), state, strict=True))[id(leaf)]
                for leaf in lowered.state[: len(program.updates)]
            ),
        ]
        assert len(updated) + len(results) == len(wanted)
        reached = [*arrays, *lowered.outside]
        assert_same(evaluate(optimised(program), *reached), wanted, "evaluated after the passes", slack)
        for name, executor in executors_for(program) if not kept[1:] else ():  # at the first call
            assert_same(executor(program)(*reached), wanted, name, slack)
        if printable:
            returned = executed(program.source)(*arrays, **program.constants)
            returned = returned if isinstance(returned, tuple) else (returned,)
            assert_same([r for r in returned if r is not None], wanted, f"executed\n{program.source}", slack)
        else:
            assert_printable_or_refused(program)
    for result, copy in kept:
        assert_same(flat(result), copy, "results of earlier calls are left alone")
    return captured


def program_of(step: Callable[..., Any], *args: Any) -> Program:
    """The program of `step` as it was captured."""
    captured = capture(step)
    captured(*args)
    return captured.program


def functions_in(program: Program) -> list[Any]:
    """The functions of its equations."""
    return [equation.function for equation in program.equations]


def leaf(shape: Any = (3, 4), dtype: Any = float) -> Tensor:
    """A leaf w of numbers from 0.5 to 1."""
    values = np.random.default_rng(0).uniform(0.5, 1, shape).astype(dtype)
    return Tensor(values, requires_grad=True, name="w")
