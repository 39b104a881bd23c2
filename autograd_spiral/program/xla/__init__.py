"""Programs on XLA: JAX compiles each as one function, and the state is on a device such as a GPU."""

from autograd_spiral.program.xla.executor import xla as xla
