"""The cache of one step's programs."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from numpy.typing import NDArray

from autograd_spiral.program.capturing.cache_key import CacheKey, CallKey, digests
from autograd_spiral.program.capturing.guards import GuardSet
from autograd_spiral.program.capturing.prepare import Prepared

__all__ = ["Cache"]

CAPACITY = 64
"""The number of programs kept per step; the least recently used one is dropped first."""


class Cache:
    """The programs of one step, by cache key."""

    def __init__(self) -> None:
        self._programs: OrderedDict[CacheKey, Prepared] = OrderedDict()
        self._watched: dict[CacheKey, tuple[NDArray[Any], ...]] = {}  # by keys without digests

    def __len__(self) -> int:
        return len(self._programs)

    def keys(self) -> list[CacheKey]:
        """Return the keys, the least recently used first."""
        return list(self._programs)

    def get(self, call: CallKey, guards: GuardSet) -> Prepared | None:
        """Return the program for a call with these guards, if there is one for what the watched arrays hold now."""
        key = self._key(call, guards)
        if key in self._programs:
            self._programs.move_to_end(key)
        return self._programs.get(key)

    def add(self, call: CallKey, prepared: Prepared) -> CacheKey:
        """Add a program, and return its key."""
        base = CacheKey(call, prepared.guards.key())
        if prepared.watched:  # with the arrays of other programs, which may have taken other branches
            both = (*self._watched.get(base, ()), *prepared.watched)
            self._watched[base] = tuple({id(array): array for array in both}.values())
        key = self._key(call, prepared.guards)
        self._programs[key] = prepared
        self._programs.move_to_end(key)
        while len(self._programs) > CAPACITY:
            dropped = self._programs.popitem(last=False)[0].without_digests()
            if not any(other.without_digests() == dropped for other in self._programs):
                self._watched.pop(dropped, None)
        return key

    def _key(self, call: CallKey, guards: GuardSet) -> CacheKey:
        base = CacheKey(call, guards.key())
        return base._replace(digests=digests(self._watched.get(base, ())))
