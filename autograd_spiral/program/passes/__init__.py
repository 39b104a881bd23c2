"""Passes: from program to program, with the same results."""
