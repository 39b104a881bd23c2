"""`keep_memory`: a setting of the C allocator that makes array programs faster."""

import numpy as np

__all__ = ["keep_memory"]


def keep_memory() -> None:
    """Make this process keep freed memory for its next arrays instead of giving it back to the system.

    On Linux with glibc, the usual C library, this can make steps with arrays of a few hundred kilobytes faster. Without
    this call, the memory of such arrays is given back after every step, and getting it again in the next step can take
    longer than the arithmetic. The function affects the whole process, so the package never calls it by itself. On
    other systems, it has no effect.

    It works by allocating 30 MB and freeing them immediately. From then on, glibc keeps more free memory, about 60 MB,
    before it gives any back to the system. (See M_TRIM_THRESHOLD in the manual page mallopt(3).)

    >>> keep_memory()
    """
    np.empty(30 * 2**20, dtype=np.uint8)
