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
    """Return an executor that compiles programs by XLA, for a device of JAX or for several that share the rows.

    By default, `devices` is JAX's first device. The state stays on the device between calls, and comes home when the
    value of a leaf is read; so do the results. Everything is computed in the dtypes of NumPy, also in float64, whatever
    JAX is set to. What XLA cannot run, such as a declared operation whose body calls other libraries, is a
    `CaptureError` when the step is captured.

    Several `devices` form a mesh with one axis; or pass a `jax.sharding.Mesh`. The devices share the rows of the inputs
    called `rows` (by default, of all inputs that have axes) over the first axis of the mesh, and each has the whole
    state. It is a `CaptureError` if they cannot share the rows equally.

    If the devices belong to several processes, each process calls the step with its own rows, as many as every other
    one, and with everything else the same. If something else differs, or if a process refuses its rows, the call raises
    an error in all processes. It raises `LostPeerError` if another process ends, or does not answer for `patience`
    seconds. After each of these errors, the leaves are what they were before the call.

    Raises ImportError if JAX is not installed; ValueError for no devices, the same one twice, one of another process
    alone, or a mesh of which the processes do not have equal parts, and for a patience that is not positive.
    """
    require()
    allow_leaves_on_devices()
    if devices is not None and mesh is not None:
        raise ValueError("xla takes devices or a mesh of them, not both")
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
