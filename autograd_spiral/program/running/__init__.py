"""Replay: programs run as straight-line NumPy in buffers made beforehand."""
