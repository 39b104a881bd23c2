"""The executor for XLA."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autograd_spiral.program.executor import Executor, Run
from autograd_spiral.program.xla.compiled import Compiled
from autograd_spiral.program.xla.leaves import allow_leaves_on_devices
from autograd_spiral.program.xla.library import jax, require
from autograd_spiral.program.xla.processes import Processes, processes_of
from autograd_spiral.program.xla.sharding import Device, DeviceMesh
from autograd_spiral.program.xla.together import Together

__all__ = ["xla"]


def xla(
    devices: Sequence[Any] | None = None,
    mesh: Any = None,
    rows: Sequence[str] | None = None,
    patience: float = 300.0,
) -> Executor:
    """Return an executor for `capture` that compiles programs with XLA, for one JAX device or several.

    XLA is the compiler of JAX. A device is a CPU or a GPU. An executor runs the programs of a captured step: to use
    this one, write `capture(step, executor=xla())`. By default, `devices` is JAX's first device. The step's state, that
    is, the parameters and other tensors that it uses but does not compute, stays on the device between calls, and so do
    its results. When you read one of these tensors, its value is copied to the CPU. Everything is computed in the
    dtypes that NumPy would use, including float64, whatever JAX's settings are. If XLA cannot run an operation, such as
    one declared with `@primitive` that calls other libraries, a `CaptureError` is raised when the step is captured.

    Several devices share the rows of the inputs, and each device holds the whole state. `rows` has the names of the
    inputs whose rows are divided among the devices; by default, these are all inputs with at least one axis. If the
    rows cannot be divided equally, a `CaptureError` is raised. Instead of `devices`, you can pass `mesh`, a
    `jax.sharding.Mesh` (an array of devices). The rows are then divided along its first axis.

    If the devices belong to several processes, each process calls the step with its own rows, and all must pass the
    same number of rows. Everything else must be the same in all processes. If something differs, or if the rows of one
    process are invalid, the call raises an error in all processes. It raises `LostPeerError` if another process ends,
    or does not answer for `patience` seconds. After each of these errors, the state has the values from before the
    call.

    Raises ImportError if JAX is not installed. Raises ValueError if there are no devices, if a device is passed twice,
    if the only device belongs to another process, if the processes do not have equal parts of the mesh, or if
    `patience` is not positive.
    """
    require()
    allow_leaves_on_devices()
    if devices is not None and mesh is not None:
        raise ValueError("xla takes devices or a mesh, not both")
    if mesh is None:
        chosen = jax.local_devices()[:1] if devices is None else list(devices)
        if not chosen or len(set(chosen)) < len(chosen):
            raise ValueError(f"xla takes devices that differ, not {chosen}: pass some of jax.devices()")
        if len(chosen) > 1:
            mesh = jax.sharding.Mesh(np.array(chosen), ("rows",))
    if mesh is None and chosen[0] not in jax.local_devices():
        raise ValueError(f"{chosen[0]} belongs to another process: pass one of jax.local_devices()")
    if mesh is None:
        device = Device(jax.sharding.SingleDeviceSharding(chosen[0]))
    elif processes_of(mesh) == {jax.process_index()}:
        device = DeviceMesh(mesh, rows)
    else:
        return Together(Processes(mesh, rows, patience))
    return lambda program: Run(Compiled(program, device), reentrant=True, memory=device.memory())
