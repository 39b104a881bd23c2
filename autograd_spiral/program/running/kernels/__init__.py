"""Kernels: NumPy expressions that replay computes in a faster way; each is a row of a table."""
