"""The vocabulary: importing it enters NumPy's functions, and some that NumPy lacks, in the engine's table."""

from autograd_spiral.vocabulary import compositions, functions, left_out, rules

__all__ = ["compositions", "functions", "left_out", "rules"]
