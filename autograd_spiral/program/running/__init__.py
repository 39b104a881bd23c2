"""Replay: programs run as straight-line NumPy in buffers that are allocated once, large programs in blocks of rows."""
