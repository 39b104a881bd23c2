"""`keep_memory`: a setting of the C allocator that makes array programs faster."""

import numpy as np

__all__ = ["keep_memory"]


def keep_memory() -> None:
    """Make this process keep freed memory for its next arrays instead of giving it back to the system.

    On Linux with glibc, the memory of arrays of a few hundred kilobytes is otherwise given back after every step, and
    the page faults at the next step take more time than the arithmetic. This function allocates 30 MB and frees them at
    once, which raises the threshold above which the allocator gives memory back. (See M_TRIM_THRESHOLD in mallopt(3):
    the threshold adapts to the largest block freed, up to 32 MB.) This affects the whole process, so the package never
    calls the function by itself. On other systems, it has no effect.

    >>> keep_memory()
    """
    np.empty(30 * 2**20, dtype=np.uint8)
