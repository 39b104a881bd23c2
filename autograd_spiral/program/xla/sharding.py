"""Where the arrays of a program are: on one device, or on a mesh of devices that divide the rows of inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.errors import CaptureError
from autograd_spiral.program.executor import Memory
from autograd_spiral.program.ir import Program, Value
from autograd_spiral.program.locks import new_lock
from autograd_spiral.program.xla.leaves import OnDevice, known_on_device, leaf_on_device, update
from autograd_spiral.program.xla.library import in_float64, jax

__all__ = ["Device", "DeviceMesh"]


class Device:
    """A single device, which holds all arrays of a program."""

    call = staticmethod(in_float64)
    """`call(function, *args)` starts a compiled function."""

    def __init__(self, sharding: Any) -> None:
        self.sharding = sharding

    def memory(self) -> Memory:
        """Return how captured steps keep their state here."""
        return Memory(self.take, leaf_on_device, update)

    def take(self, leaf: Tensor) -> OnDevice:
        """Return the value of `leaf` on this device; send it there if necessary."""
        known = known_on_device(leaf)
        if known is None or not self.has(known):
            known = self.sent(leaf._value)
            leaf._away = known
        return known

    def has(self, known: OnDevice) -> bool:
        """Whether an array is on this device."""
        return bool(known.array.sharding == self.sharding)

    def sent(self, home: NDArray[Any]) -> OnDevice:
        """Send a NumPy array to this device; return the copy there together with the original, in one object."""
        return OnDevice(self.send(home), home)

    def send(self, array: NDArray[Any]) -> Any:
        """Return a copy of `array` on the device."""
        return in_float64(jax.device_put, np.array(array), self.sharding)

    def shardings(self, program: Program) -> list[Any]:
        """Return the place of each input, state and outside array of `program`."""
        return [self.sharding for _ in (*program.inputs, *program.state, *program.outside)]

    def argument(self, array: Any, value: Value, sharding: Any) -> Any:
        """Return what the compiled function gets for `value`: an array on the device, or a copy of a NumPy array.

        JAX sends the copy to the device faster than `send` would. A copy is needed because on a CPU, XLA reads aligned
        arrays where they are, even after the call has returned.
        """
        return array.array if isinstance(array, OnDevice) else np.array(array, value.dtype)

    def jitted(self, function: Any) -> Any:
        """Return `function` in the form that can be compiled for this device."""
        return jax.jit(function)


_STARTING = new_lock()
"""A lock for starting functions on several devices, so that all devices run their parts in the same order."""


class DeviceMesh(Device):
    """A mesh of devices: the rows of inputs are divided along its first axis; all other arrays are on each device.

    `rows` names the inputs with rows; None means all inputs that have axes.
    """

    def __init__(self, mesh: Any, rows: Sequence[str] | None) -> None:
        super().__init__(jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec()))
        self.mesh, self.parts, self._rows = mesh, mesh.devices.shape[0], rows
        self.by_rows = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(mesh.axis_names[0]))

    def call(self, function: Any, *args: Any) -> Any:
        """Start a compiled function on all devices."""
        with _STARTING:
            return in_float64(function, *args)

    def has_rows(self, name: str, array: Value | NDArray[Any]) -> bool:
        """Whether the rows of an input are divided among the devices."""
        return array.ndim > 0 and (self._rows is None or name in self._rows)

    def shardings(self, program: Program) -> list[Any]:
        """Return the place of each array. Raises `CaptureError` if the rows cannot be divided equally."""
        with_rows = [value for value in program.inputs if self.has_rows(program.call(value), value)]
        self._refuse_unequal(program, with_rows)
        given = (*program.inputs, *program.state, *program.outside)
        return [self.by_rows if value in with_rows else self.sharding for value in given]

    def _refuse_unequal(self, program: Program, with_rows: Sequence[Value]) -> None:
        names = list(map(program.call, program.inputs))
        if unknown := [name for name in self._rows or () if name not in names]:
            raise CaptureError(
                f"{program.name} has no input called {unknown[0]!r}, as in rows={tuple(self._rows or ())}: its inputs "
                f"are {', '.join(names) or 'none'}"
            )
        told = ", ".join(f"{program.call(value)} {value.shape[0]}" for value in with_rows)
        if self._rows is None and len({value.shape[0] for value in with_rows}) > 1:
            raise CaptureError(
                f"{program.name} has inputs with different numbers of rows ({told}): say which of them to divide "
                f"among the devices, as in xla(mesh=mesh, rows=({program.call(with_rows[0])!r},)). Each device gets "
                "the others in full"
            )
        for value in with_rows:
            if value.shape[0] % self.parts:
                raise CaptureError(
                    f"{program.call(value)} has {value.shape[0]} rows, which {self.parts} devices cannot share "
                    f"equally: pass a multiple of {self.parts}, for example by leaving out the last rows"
                )

    def jitted(self, function: Any) -> Any:
        """Return `function` in the form that can be compiled for the mesh; each device then has the results."""
        return jax.jit(function, out_shardings=self.sharding)
