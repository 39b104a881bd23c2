"""Tools for debugging and timing: `blame`, the line of the user's code, and `keep_memory`."""
