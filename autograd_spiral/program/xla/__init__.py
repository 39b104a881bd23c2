"""Programs on XLA: each compiled by JAX as one function, with the state on a device such as a GPU."""

from autograd_spiral.program.xla.executor import xla as xla
