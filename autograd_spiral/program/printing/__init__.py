"""Prints programs as NumPy source that a person can read."""
