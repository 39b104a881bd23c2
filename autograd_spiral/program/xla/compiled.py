"""A program as one function, which JAX compiles for one device, or for several devices that divide the rows.

The function is made from the equations of the readable program. It is compiled when the step is captured, so an
operation that XLA cannot run raises an error at that time.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.errors import CaptureError
from autograd_spiral.program.evaluate import compute, evaluate
from autograd_spiral.program.ir import Atom, Equation, Program, Value, dtype_of
from autograd_spiral.program.passes.pipeline import readable
from autograd_spiral.program.xla.alarms import alarm, indices, out_of_bounds
from autograd_spiral.program.xla.counterparts import cast, counterpart
from autograd_spiral.program.xla.leaves import OnDevice, refuse_forked
from autograd_spiral.program.xla.library import in_a_thread, jax, jnp
from autograd_spiral.program.xla.sharding import Device
from autograd_spiral.vocabulary.labels import check_labels

__all__ = ["OPTIONS", "Compiled"]

OPTIONS = {"xla_disable_hlo_passes": "algsimp"}
"""Options of the compiler: otherwise, it would turn `x * 1e200 * 1e200` into `x * inf`, which is NaN for x = 0."""

_LITERAL = 64
"""Constants with more elements than this are arguments of the compiled function; otherwise, XLA would store them
twice."""


class Compiled:
    """A program compiled for a device: a function from inputs, state and outside arrays to outputs and new state.

    The state may be passed as NumPy arrays, or as arrays that are on the device already. Results are on the device.
    """

    def __init__(self, program: Program, device: Device) -> None:
        refuse_forked()
        self._original, self._device = program, device
        self._program = program = readable(program)
        self._counterparts = [counterpart(equation) for equation in program.equations]
        self._given = (*program.inputs, *program.state, *program.outside)
        self._at_home = {*program.inputs, *program.outside}
        self._checks = [check for check in program.checks if check.value in self._given]
        self._later = [check for check in program.checks if check.value not in self._given]
        labels = {(check.value, *check.details) for check in program.checks if check.function is check_labels}
        pairs = itertools.chain(*map(indices, program.equations))
        found = {(atom, length) for atom, length in pairs if isinstance(atom, Value)}
        self._bounds = [(value, length) for value, length in found - labels if value in self._at_home]
        self._shardings = device.shardings(program)
        self._constants = {id(array): device.send(array) for array in _large_constants(program)}
        self._function = in_a_thread(self._compile)

    def __call__(self, *arrays: Any) -> tuple[OnDevice, ...]:
        """Return the outputs and the new state; raise errors, of checks or of NumPy, before anything has changed."""
        refuse_forked()
        if self._is_suspicious(arrays):
            self._raise_as_numpy(arrays)
        results, looked, alarmed = self._device.call(self._function, self._arguments(arrays), self._constants)
        self._check_computed(looked)
        if alarmed is not None and bool(alarmed):
            self._raise_as_numpy(arrays)
        return tuple(map(OnDevice, results))

    def _is_suspicious(self, arrays: Sequence[Any]) -> bool:
        """Run the checks of the given arrays; return whether any index in these arrays is out of bounds."""
        given = dict(zip(self._given, arrays, strict=True))
        for check in self._checks:
            check.function(np.asarray(given[check.value]), *check.details)
        return any(bool(out_of_bounds(given[value].astype(int), length)) for value, length in self._bounds)

    def _check_computed(self, looked: Sequence[Any]) -> None:
        for check, value in zip(self._later, looked, strict=True):
            check.function(np.asarray(value), *check.details)

    def _arguments(self, arrays: Sequence[Any]) -> list[Any]:
        return list(map(self._device.argument, arrays, self._given, self._shardings))

    def _compile(self) -> Any:
        return self._lowered(self._trace).compile(compiler_options=OPTIONS)

    def _lowered(self, function: Any, *more: Any) -> Any:
        """Return `function` lowered for the compiler, given the shapes and dtypes of the arrays and of `more`."""
        described = zip(self._given, self._shardings, strict=True)
        expected = [jax.ShapeDtypeStruct(value.shape, value.dtype, sharding=where) for value, where in described]
        return self._device.jitted(function).lower(expected, self._constants, *more)

    def _trace(self, arguments: Sequence[Any], constants: Mapping[int, Any]) -> Any:
        """Compute the program on traced arrays: its results, the checked values, and whether NumPy might raise."""
        program = self._program
        known: dict[Value, Any] = dict(zip(self._given, arguments, strict=True))

        def now(atom: Atom) -> Any:
            return known[atom] if isinstance(atom, Value) else constants.get(id(atom), atom)

        alarms = []
        for equation, compute_it in zip(program.equations, self._counterparts, strict=True):
            operands = tuple(map(now, equation.inputs))
            with jax.named_scope("/".join((equation.phase, *equation.scope))):  # profilers show this name
                out, alarmed = _traced(equation, compute_it, operands, self._at_home)
            known[equation.output] = out
            alarms.extend([] if alarmed is None else [alarmed])
        atoms = (*program.outputs, *(new for _, new in program.updates))
        results = [jnp.asarray(now(atom), dtype_of(atom)) for atom in atoms]
        return results, [known[check.value] for check in self._later], jnp.stack(alarms).any() if alarms else None

    def _raise_as_numpy(self, arrays: Sequence[Any]) -> None:
        """Run the program with NumPy, which raises its own error, with the line; return if there is no error."""
        evaluate(self._original, *map(np.asarray, arrays), each=_noted)


def _large_constants(program: Program) -> list[NDArray[Any]]:
    atoms = itertools.chain(
        program.outputs,
        (new for _, new in program.updates),
        *(equation.inputs for equation in program.equations),
    )
    return [a for a in atoms if isinstance(a, np.ndarray) and a.size > _LITERAL and a.dtype != bool]


def _traced(equation: Equation, compute_it: Any, operands: Sequence[Any], at_home: Any) -> tuple[Any, Any]:
    """Return the value of an equation, in the dtype that it states, and its alarm.

    Raises `CaptureError` if XLA cannot compute it."""
    try:
        out = cast(compute_it(equation, *operands), equation.output.dtype)
        alarmed = alarm(equation, out, operands, at_home)
    except CaptureError:
        raise
    except Exception as error:
        raise CaptureError(
            f"{equation.place}\n{equation.primitive.name} cannot run on XLA as it is called here ({error}): run this "
            "step with NumPy, capture(step), or write it with other functions"
        ) from error
    if out.shape != equation.output.shape:
        raise CaptureError(
            f"{equation.place}\n{equation.primitive.name} has shape {out.shape} on XLA, but {equation.output.shape} in "
            "NumPy: please report this, and run this step with NumPy, capture(step)"
        )
    return out, alarmed


def _noted(equation: Equation, operands: tuple[Any, ...]) -> Any:
    """Compute an equation; add a note with the line to any error."""
    try:
        return compute(equation, operands)
    except Exception as error:
        error.add_note(f"in {equation.primitive.name}, {equation.place}")
        raise
