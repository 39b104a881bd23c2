"""`keep_memory`: a setting of the C allocator that array programs gain from. Imports numpy alone."""

import numpy as np

__all__ = ["keep_memory"]


def keep_memory() -> None:
    """Make this process keep freed memory for its next arrays instead of giving it back to the system.

    On Linux with glibc, arrays of a few hundred kilobytes are otherwise returned after every step and cost page
    faults at the next, more time than their arithmetic. One allocation of 30 MB, freed at once, raises the
    allocator's threshold (mallopt(3), M_TRIM_THRESHOLD: it adapts to the largest block freed, up to 32 MB). The
    whole process is affected, so nothing here calls it for you. Elsewhere it does nothing.

    >>> keep_memory()
    """
    np.empty(30 * 2**20, dtype=np.uint8)
