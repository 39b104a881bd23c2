"""Guards: they watch what a step reads in plain sight, so that a change there makes a new program.

A guard is one read on the way from the step to a value. Guards detect most changes at little cost, but they prove
nothing: `verify` finds the changes that they do not see.
"""

from __future__ import annotations

import contextlib
import gc
import types
import weakref
from collections.abc import Callable, Mapping, Sequence, Set
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from autograd_spiral.debug.user_code import in_package
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.program.capturing.cache_key import constant_key
from autograd_spiral.program.capturing.reads import (
    Read,
    attribute_of_class,
    free_variable,
    global_variable,
    if_same_items,
)

__all__ = ["CONSTANTS", "FUNCTIONS", "MISSING", "Guards", "Row"]

MISSING, _ANY = object(), object()
CONSTANTS = (int, float, complex, str, bytes, type(None), np.generic)
FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, np.ufunc, type(np.sum))
_LASTING = (*CONSTANTS, *FUNCTIONS, types.ModuleType, types.CodeType, type)


class Row(NamedTuple):
    """One read: the number of its source, the reading function, its key, the number of the value read, and a name."""

    source: int
    read: Read
    key: Any
    result: int
    name: str


_Plan: TypeAlias = tuple[
    list[tuple[Callable[[Any, Any], Any], Any, Any, str]],  # `get`, its key, its result, a name
    list[tuple[Row, int, Any]],  # a read, the id of its result, and a constant equal to that
    dict[int, Any],  # from which values these reads start
]


class Guards:
    """Reads that lead from the roots of a search to everything that it found, and what each of them returned.

    They keep nothing alive except constants, modules, classes and their functions. They know other objects by their
    ids, reach them by a path from the roots, and are told when such an object is freed. While guards are pinned, they
    also hold what the closure variables of the step hold and what is read from that, which makes them faster.
    """

    def __init__(
        self,
        roots: int,
        values: Sequence[Any],
        reads: Sequence[Row],
        known_by_items: Set[int],
        items: Mapping[int, Sequence[Any]],
    ) -> None:
        self.freed: list[Any] = []  # references to objects that were freed: after the first, the guards never hold
        lasting = {i for i, value in enumerate(values) if _lasts(value, step=i == 0)}
        self._lasting = {i: values[i] for i in lasting}
        equal = {**dict.fromkeys(known_by_items, _ANY), **self._lasting}
        self._rows = [(row, id(values[row.result]), equal.get(row.result, MISSING)) for row in reads]
        owned = not lasting.issuperset(range(roots))  # by an object, to which a value that is held might refer
        self._held = {
            row.result: [self._reference(value, owned=owned) for value in items.get(row.result, [values[row.result]])]
            for row in reads
            if row.result not in known_by_items | lasting
        }
        self._closure: set[int] = set()  # what closure variables of the step hold, and what is read from that
        for row in reads:
            if row.source in self._closure or (row.source == 0 and row.read is free_variable):
                self._closure.add(row.result)
        self._plan: _Plan
        self.unpin()

    def _reference(self, value: Any, *, owned: bool) -> Any:
        """Return a weak reference, which tells these guards when `value` is freed; or else the value itself, or None.

        If an object owns the guards, a value is kept only if everything it refers to is a constant, an array or a
        tensor: then it cannot refer to the owner. Where this returns None, a new object that gets the id of a freed
        value is mistaken for that value, until the attributes of the new object are read or the step is verified.
        """
        if type(value).__weakrefoffset__:
            return weakref.ref(value, self.freed.append)
        parts = gc.get_referents(value) if owned else ()
        return value if all(isinstance(part, (*_LASTING, Tensor, np.ndarray)) for part in parts) else None

    def pin(self, roots: Sequence[Any]) -> None:
        """Hold what the closure variables of the step hold, as long as these are the guards of the latest call."""
        values = {**self._lasting, **dict(enumerate(roots))}
        for row, _, _ in self._rows:
            values[row.result] = row.read(values[row.source], row.key, MISSING)
        arguments = range(1, len(roots))  # which may be other objects at each call, even if they are equal
        pinned = (self._closure | self._lasting.keys()).difference(arguments)
        direct = [
            (*_bound(row, values[row.source], values[row.result]), values[row.result], row.name)
            for row, _, _ in self._rows
            if {row.source, row.result} <= pinned
            and not (row.read is if_same_items and type(values[row.source]) is tuple)
        ]
        others = [entry for entry in self._rows if not {entry[0].source, entry[0].result} <= pinned]
        self._plan = direct, others, {row.source: values[row.source] for row, _, _ in others if row.source in pinned}

    def unpin(self) -> None:
        """Release what `pin` holds, so that nothing is kept alive."""
        self._plan = [], self._rows, self._lasting

    def ids(self) -> set[int]:
        """Return the ids of everything to which these guards lead."""
        items = (row.key.ids for row, _, _ in self._rows if row.read is if_same_items)
        return {known for _, known, _ in self._rows}.union(*items)

    def drop_changed(self, roots: Sequence[Any]) -> None:
        """Drop the guards that do not hold, since the step itself has changed what they read, and those that follow."""
        values, freed = {**self._lasting, **dict(enumerate(roots))}, set(map(id, self.freed))
        dropped: set[int] = set()
        for row, known, equal in self._rows:
            values[row.result] = value = MISSING
            with contextlib.suppress(Exception):  # an object may compute its own attributes or items
                values[row.result] = value = row.read(values[row.source], row.key, MISSING)
            same = id(value) == known or _equal(value, equal)
            if row.source in dropped or not same or not freed.isdisjoint(map(id, self._held.get(row.result, ()))):
                dropped.add(row.result)
        self._rows = [entry for entry in self._rows if entry[0].result not in dropped]
        self._held = {result: held for result, held in self._held.items() if result not in dropped}
        self.freed.clear()
        self.unpin()

    def changed(self, roots: Sequence[Any]) -> tuple[str, Any] | None:
        """Return the name of the first guard that does not hold, and what it reads now; None if all of them hold."""
        if self.freed:
            self.unpin()
        direct, others, starts = self._plan  # at once, since another thread may unpin them
        try:
            for get, key, held, name in direct:  # every call of a captured step runs these loops
                if (value := get(key, MISSING)) is held:
                    continue
                if not _equal(value, held):
                    return name, value
                if not isinstance(value, CONSTANTS):  # others are read from it, as from a function with equal code
                    others, starts = self._rows, self._lasting
                    break
            values = {**starts, **dict(enumerate(roots))} if others else {}
            for (source, read, key, result, name), known, equal in others:
                values[result] = value = read(values[source], key, MISSING)
                if id(value) != known and not _equal(value, equal):
                    return name, value
        except Exception as error:  # a variable was deleted, or an object computes its own attributes or items
            return "an object", error
        return ("an object", self.freed[0]) if self.freed else None


def _bound(row: Row, source: Any, value: Any) -> tuple[Callable[[Any, Any], Any], Any]:
    """Return a function `get` and a key: `get(key, default)` does what the read does on this source, but faster."""
    if row.read is free_variable and value is not MISSING:
        return partial(getattr, source.__closure__[row.key]), "cell_contents"
    if row.read is global_variable:
        return source.__globals__.get, row.key
    if row.read is attribute_of_class:
        return source.__dict__.get, row.key
    bind = getattr(row.read, "__get__", None)  # as of dict.get
    return (bind(source) if bind else partial(row.read, source)), row.key


def _equal(value: Any, held: Any) -> bool:
    """Return whether `value` equals the constant `held`; `_ANY` equals anything, since other guards check its items."""
    key = constant_key(value)
    return held is _ANY or (type(key) is tuple and key == constant_key(held))


def _lasts(value: Any, *, step: bool) -> bool:
    """Return whether `value` may be kept: it is a constant, or belongs to a module, to the package or to the step."""
    if isinstance(value, types.FunctionType):
        holds = (*(value.__closure__ or ()), *(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values())
        return step or in_package(value.__code__.co_filename) or all(isinstance(part, CONSTANTS) for part in holds)
    return value is MISSING or isinstance(value, _LASTING)
