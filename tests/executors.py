"""The executors that every program of the tests runs on: a new one is one line here.

XLA takes part where JAX is installed. It takes a second to compile a program, so that it runs a sample of those that
the suite draws; with XLA_PROGRAMS=all in the environment, it runs all of them (some ten minutes).
"""

from __future__ import annotations

import importlib.util
import os
import zlib
from collections.abc import Iterator

import pytest

from autograd_spiral import blocks, xla
from autograd_spiral.program.executor import Executor, Run, interpret
from autograd_spiral.program.ir import Program
from autograd_spiral.program.passes.split import rows_of
from autograd_spiral.program.running.replay import replay


def _xla(program: Program) -> Run:
    """XLA, which is imported for the first program, and not before: tests that fork are run without its threads."""
    return xla()(program)


def _xla_on_two_devices(program: Program) -> Run:
    """XLA on two devices, which share the rows of the inputs with an even number of them."""
    import jax

    rows = [program.call(value) for value in program.inputs if value.ndim and value.shape[0] % 2 == 0]
    return xla(jax.devices()[:2], rows=rows)(program)


_JAX = importlib.util.find_spec("jax") is not None
_TWO_DEVICES = _JAX and "--xla_force_host_platform_device_count=2" in os.environ.get("XLA_FLAGS", "")


EXECUTORS: dict[str, Executor] = {
    "interpret": interpret,
    "replay": replay,
    "blocks": blocks(1),
    "blocks in two threads": blocks(1, threads=2),
    **({"xla": _xla} if _JAX else {}),
    **({"xla on two devices": _xla_on_two_devices} if _TWO_DEVICES else {}),
}

ON_XLA = {
    "float128": "XLA does not have it: refused when the step is captured",
    "opaque primitives": "their equations are not known: refused when the step is captured",
    "warnings and np.errstate": "a device gives none",
    "numbers near the ends of the range": "XLA takes denormal numbers for 0 on a CPU, and powers by other products",
    "the sign of 0": "a sum may lose or keep another one, and with it np.arctan2(0, x) is π or -π",
    "casts to integers that do not hold the number": "NumPy leaves open what it gives, and XLA gives the nearest one",
    "functions of float32": "the last digit may differ, also where the result is used in float64",
}
"""Where XLA differs from NumPy, and why; no program that the vocabulary tests or the random ones draw is excluded."""

every_executor = pytest.mark.parametrize("executor", EXECUTORS.values(), ids=EXECUTORS)
needs_two_devices = pytest.mark.skipif("xla on two devices" not in EXECUTORS, reason="needs JAX with two devices")
needs_xla = pytest.mark.skipif("xla" not in EXECUTORS, reason="needs JAX")

SAMPLE = 1 if os.environ.get("XLA_PROGRAMS") == "all" else 40
"""XLA runs one of so many programs that the suite draws."""


def executors_for(program: Program) -> Iterator[tuple[str, Executor]]:
    """The executors that a drawn program runs on, with their names, besides replay, which runs its captured step.

    Without rows, blocks are replay, too.
    """
    for name, executor in EXECUTORS.items():
        if name.startswith("xla"):
            runs = _is_in_sample(program)
        elif name.startswith("blocks"):
            runs = rows_of(program) > 1
        else:
            runs = name != "replay"
        if runs:
            yield name, executor


def _is_in_sample(program: Program) -> bool:
    """Whether XLA runs a program: the same ones in every run of the suite."""
    equations = [(equation.primitive.name, equation.output.shape) for equation in program.equations]
    return zlib.crc32(repr(equations).encode()) % SAMPLE == 0
