"""Replay: programs run as straight-line NumPy in buffers that are allocated once, large ones in blocks of rows."""
