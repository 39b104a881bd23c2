"""Programs on XLA: compiled as a whole by JAX, with the state on a device such as a GPU."""

from autograd_spiral.program.xla.executor import xla as xla
