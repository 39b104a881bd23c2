"""The programs of one step: which one a call needs, whether the step still computes it, and running it."""

from __future__ import annotations

import functools
import math
import operator
import weakref
from collections.abc import Callable, Sequence, Set
from typing import Any

from numpy.typing import NDArray

from autograd_spiral.debug.user_code import users_line
from autograd_spiral.engine.pytree import LEAF, unflatten
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.errors import CaptureError
from autograd_spiral.program.capturing.cache_key import (
    CacheKey,
    Call,
    Identity,
    InputKey,
    constant_key,
    digests,
    signature_check,
)
from autograd_spiral.program.capturing.lowering import Lowered
from autograd_spiral.program.capturing.prepare import Prepared, compare, prepare
from autograd_spiral.program.capturing.trace import ASSIGNED_INPUT
from autograd_spiral.program.capturing.warnings import MANY, warn_of_counters, warn_of_many, warn_of_size
from autograd_spiral.program.executor import ALONE, Executor, Peers
from autograd_spiral.program.locks import holding, locks_of, new_lock
from autograd_spiral.program.printing.saved import CapturedProgram

__all__ = ["Programs"]

_CAPACITY = 64
"""The number of programs kept per step; the least recently used one is dropped first."""


class Programs:
    """The programs of a step, the most recently used one first; `find` returns the one for a call."""

    def __init__(self, executor: Executor, *, verify: bool, peers: Peers) -> None:
        self.kept: list[Ready] = []
        self.last: Ready | None = None  # of the latest call, until it is forgotten
        self.program: CapturedProgram | None = None  # of the latest call
        self._executor, self._verifying, self._peers = executor, verify, peers
        self._made: dict[Any, tuple[int, CacheKey]] = {}  # by input shapes: how many, and the latest key
        self._capturing = new_lock()

    def find(self, call: Call) -> tuple[Ready, list[NDArray[Any]]]:
        """Return the program for a call, captured now if there is none, and the arrays of its inputs."""
        with self._capturing:
            key, inputs = call.key()
            fitting = (r for r in self.kept if r.key == key and not r.guards.changed(call.roots) and r.is_current())
            ready = next(fitting, None)
            if self.last is not None and self.last is not ready:  # first, so that what it held may be freed
                self.last.guards.unpin()
                self.last = None
            ready = ready or self._capture(call)
            others = (other for other in self.kept if other is not ready and not other.guards.freed)
            self.kept = [ready, *others][:_CAPACITY]
            if self.last is None:
                ready.guards.pin(call.roots)
            self.last, self.program = ready, ready.program
        if ready.assigns_to(call.input_tensors()):
            raise CaptureError(f"{users_line()}\n{ASSIGNED_INPUT}")
        return ready, inputs

    def _capture(self, call: Call) -> Ready:
        with self._peers.alike(call.step_name):
            prepared = prepare(call, self._peers)
            ready = Ready(call, prepared, self._executor, weakref.WeakMethod(self._forget))
        if not self._verifying:
            ready.due = math.inf
        if not self.kept:
            warn_of_size(call.step_name, ready.watched)
        if not self._made:
            warn_of_counters(call.step_name, prepared.counters)
        if len(self._made) > 8 * _CAPACITY:
            self._made.clear()
        shapes = tuple(key for key in ready.key.leaves if isinstance(key, InputKey))
        count, previous = self._made.get(shapes, (0, ready.key))
        self._made[shapes] = count + 1, ready.key
        if count + 1 == MANY:
            known = next((other for other in self.kept if other.key == ready.key), None)
            variable = known.guards.changed(call.roots) if known else None
            warn_of_many(call, ready.key, previous, variable, known.changed_arrays() if known else ())
        return ready

    def verify(self, ready: Ready, call: Call) -> None:
        """Raise `CaptureError`, and forget the program, if the step no longer computes what the program does."""
        found = None
        with self._capturing:
            if ready.calls < ready.due:  # another thread has just verified it
                return
            try:
                with self._peers.alike(call.step_name):
                    if found := compare(call, ready.lowered(), self._peers):
                        told = found.describe(f"when {call.step_name} was captured", f"at call {ready.calls}")
                        raise CaptureError(
                            f"{told}. The step reads something that capture does not watch, and calls after call "
                            f"{ready.verified} may have used an old value of it. Pass it as an argument (a number as "
                            "an array: np.asarray(number)), or keep it in a Tensor; the next call makes a new program"
                        )
            except Exception:
                if found or self._peers is not ALONE:  # with several processes, all forget it after any error
                    self._forget(ready)
                raise
            ready.verified, ready.due = ready.calls, 2 * ready.calls
            if ready.guards.changed(call.roots):  # the step itself has just changed something that it reads
                ready.guards.drop_changed(call.roots)
                ready.guards.pin(call.roots)
            ready.keep_digests()  # also of arrays that the step has just changed

    def forget_all(self) -> None:
        """Forget all programs, so that the next call captures the step."""
        self.kept, self.last = [], None

    def _forget(self, ready: Ready) -> None:
        self.kept = [other for other in self.kept if other is not ready]
        if self.last is ready:
            self.last = None


class Ready:
    """A program that is ready to run. It is forgotten as soon as an object among its arguments is freed."""

    def __init__(self, call: Call, prepared: Prepared, executor: Executor, forget: Callable[[], Any]) -> None:
        lowered = prepared.lowered
        self.key, _ = call.key()
        self.program, self.guards = lowered.program, prepared.guards
        self.same_signature = signature_check(call)
        self._names, self.watched = [name for name, _ in prepared.watched], [array for _, array in prepared.watched]
        self.keep_digests()
        self.calls, self.verified = 0, 1  # the number of the latest call, and of the latest one that was verified
        self.due: float = 2  # the call at which to verify it next
        self._lowered = lowered._replace(state=())
        self._updates = len(self.program.updates)
        self._returns_one_tensor = lowered.treedef is LEAF and lowered.leaves[0] is LEAF
        self._serials = {leaf.serial for leaf in lowered.state}
        self._run = executor(self.program)
        objects = [one for one in call.constants if _used_by_identity(one)]
        self._kept = None if objects else lowered.state
        self._take, self._leaf, self._update = self._run.memory
        self._outside, self._function, self._locks = lowered.outside, self._run.function, locks_of(lowered.state)
        self._turn = new_lock() if self._updates and self._run.reentrant else self._run.lock
        self._state_owned: Callable[[], bool] = functools.partial(_any_owned, self._locks)
        if len(self._locks) == 1:
            self._state_owned = self._locks[0]._is_owned  # the same, faster
        self._turn_owned: Callable[[], bool] = getattr(self._turn, "_is_owned", bool)
        _READY.add(self)
        callback = functools.partial(_forget, forget, weakref.ref(self))
        self._references = [weakref.ref(one, callback) for one in (*objects, *(lowered.state if objects else ()))]

    def is_current(self) -> bool:
        """Return whether the watched arrays still hold what they held when the step was captured."""
        return digests(self.watched) == self._digests

    def keep_digests(self) -> None:
        """Remember the present contents of the watched arrays, for `is_current` to compare with."""
        self._digests = digests(self.watched)

    def changed_arrays(self) -> list[str]:
        """Return the names of the watched arrays whose contents have changed."""
        states = zip(self._names, self._digests, digests(self.watched), strict=True)
        return [name or "an array" for name, then, now in states if then != now]

    def lowered(self) -> Lowered:
        """Return what the step computed when it was captured."""
        return self._lowered._replace(state=self.program.leaves)

    def assigns_to(self, tensors: Set[Tensor]) -> bool:
        """Return whether the program updates one of these leaves."""
        return not tensors.isdisjoint(self.program.leaves[: self._updates])

    def run(self, inputs: Sequence[NDArray[Any]]) -> Any:
        """Run the program: update the state, and return what the step returns.

        A program that updates its state holds the locks of the state until it has written the new values. Other
        programs hold these locks while they read, so that they see either all of an update or none of it. Raises
        `CaptureError` if this thread is in the middle of running a program that shares state or buffers.
        """
        if self._state_owned() or (not self._updates and self._turn_owned()):
            self._refuse_to_interrupt()
        if len(self._locks) == 1:  # as `holding` does, faster
            with self._locks[0]:
                results = self._with_state(inputs)
        else:
            results = holding(self._locks, self._with_state, inputs)
        if not self._updates:
            with self._turn:
                results = self._function(*inputs, *results, *self._outside)
        if self._returns_one_tensor:
            return self._leaf(results[0])
        outputs, lowered = iter(results), self._lowered
        return unflatten(
            lowered.treedef, (self._leaf(next(outputs)) if leaf is LEAF else leaf for leaf in lowered.leaves)
        )

    def _with_state(self, inputs: Sequence[NDArray[Any]]) -> Sequence[NDArray[Any]]:
        """Update the state and return the results; or, if there is nothing to update, return what the state holds."""
        leaves = self.program.leaves if self._kept is None else self._kept
        if not self._updates:
            state = list(map(self._take, leaves))
            while not all(map(operator.is_, state, now := list(map(self._take, leaves)))):
                state = now  # a signal handler has updated some of the leaves in the meantime
            return state
        with self._turn:
            state = list(map(self._take, leaves))
            results = self._function(*inputs, *state, *self._outside)
            self._update(leaves, state, results[-self._updates :])
        return results

    def _refuse_to_interrupt(self) -> None:
        """Raise `CaptureError` if this thread is in the middle of a program that shares our state or buffers."""
        for other in list(_READY):
            shares_state = (other._updates or self._updates) and not self._serials.isdisjoint(other._serials)
            if (other is self or shares_state) and other._turn_owned():
                raise CaptureError(
                    f"{self.program.name} was called in the middle of a call of {other.program.name}, in the same "
                    "thread, for example by a signal handler, and both use the same state or buffers: let the handler "
                    "set a flag, and make the call between two steps"
                )


_READY: weakref.WeakSet[Ready] = weakref.WeakSet()
"""All programs that are ready to run, of all steps."""


def _any_owned(locks: Sequence[Any]) -> bool:
    """Return whether this thread holds any of these locks."""
    return any(lock._is_owned() for lock in locks)


def _used_by_identity(argument: Any) -> bool:
    """Return whether an argument equals no other object. Once it is freed, no later call can pass an equal one."""
    return isinstance(constant_key(argument), Identity) and type(argument).__weakrefoffset__ != 0


def _forget(forget: Callable[[], Any], ready: weakref.ref[Ready], _: Any) -> None:
    """Make the step forget a program, since an object to which the program belongs was freed."""
    method, known = forget(), ready()
    if method is not None and known is not None:
        method(known)
