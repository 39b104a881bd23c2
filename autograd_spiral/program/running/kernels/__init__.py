"""Kernels: NumPy expressions that replay computes in its own way, each a row of a table."""
