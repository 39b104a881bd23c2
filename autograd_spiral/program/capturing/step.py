"""`capture` records a step once for each kind of call, and replays it from then on.

A call is of the same kind if its arrays have the same shapes and dtypes, and if everything else that the step reads by
name is the same: other arguments, variables, attributes, and items of lists and dictionaries.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.engine.modes import MODE, NO_TRACE
from autograd_spiral.engine.tensor import Tensor, as_leaf
from autograd_spiral.errors import CaptureError
from autograd_spiral.program.capturing.cache_key import Call
from autograd_spiral.program.capturing.guards import Guards
from autograd_spiral.program.capturing.prepare import Prepared, prepare
from autograd_spiral.program.capturing.pytree import LEAF, flatten, unflatten
from autograd_spiral.program.capturing.trace import assigned_input
from autograd_spiral.program.capturing.warnings import warn_of_many, warn_of_size
from autograd_spiral.program.executor import Executor, checked
from autograd_spiral.program.printing.saved import CapturedProgram
from autograd_spiral.program.running.replay import replay

__all__ = ["BoundStep", "CapturedStep", "capture"]

_CAPACITY = 64
"""The number of programs kept per step; the least recently used one is dropped first."""


@overload
def capture(step: Callable[..., Any], *, executor: Executor | None = None) -> CapturedStep: ...
@overload
def capture(step: None = None, *, executor: Executor | None = None) -> Callable[[Callable[..., Any]], CapturedStep]: ...
def capture(
    step: Callable[..., Any] | None = None, *, executor: Executor | None = None
) -> CapturedStep | Callable[[Callable[..., Any]], CapturedStep]:
    """Make a program of `step` at its first call, and replay the program at later ones: a decorator.

    Arrays among the arguments (and in lists, tuples and dicts there) are inputs, whose shapes and dtypes select the
    program. So do tensors that require no gradients. Everything else that the step is given or reads by name (numbers,
    flags, objects; variables, attributes of your objects, items of short lists and dicts) is constant: if it changes,
    a new program is made (when one number argument has caused eight programs, a UserWarning is issued). The same holds
    for plain functions and methods that the step calls by name, for those that they call, and for bodies and rules of
    primitives. Not watched: what installed packages read, what `getattr` looks up, and what other threads compute.

    Leaf tensors that the step reaches are state: they are read at each call, and get new arrays by `assign` once the
    whole step has succeeded. Other outside arrays are read at each call if the step computes with them. If it derives
    arrays from them in plain NumPy (`X[i]`, `X / 2`), changing their contents makes a new program. The tensors that
    the step returns, in any nesting, come back as new leaves; nothing is recorded outside the step.

    Inside the step, use `grad` and `assign`. Reading a value (`float(t)`, `t.data`, `print(t)`), `backward()`, `.grad`
    and indexing with a boolean mask raise `CaptureError` with the line, and so does a step that computes something
    else when it is run again, for example with random numbers. Side effects, such as printing or counting, happen
    during capture and not later. `step.eager(…)` runs without a program, `step.program` is the program used last,
    `step.source` its text. Several threads may call a captured step.

    `executor` runs the programs: a function from a program to a `Run`, such as `interpret` (both are in
    `autograd_spiral.program.executor`). By default NumPy replays them in buffers. Raises TypeError if `step` or
    `executor` is not callable. At a call, an executor's results raise `CaptureError` if they do not fit the program.

    >>> from autograd_spiral import Tensor, capture, grad
    >>> w = Tensor([1.0, -2.0], requires_grad=True, name="w")
    >>> @capture
    ... def step(target):
    ...     loss = np.square(w - target).sum()
    ...     w.assign(w - 0.25 * grad(loss, w))
    ...     return loss
    >>> float(step(np.zeros(2))), float(step(np.zeros(2)))
    (5.0, 1.25)
    >>> print(step.source)
    import numpy as np
    <BLANKLINE>
    <BLANKLINE>
    def step(target, w):
        \"\"\"Return loss and the new w.\"\"\"
        # forward
        t1 = w - target                                           # (2,)
        loss = np.sum(t1**2)                                      # scalar
        # update
        w = w - 0.5 * t1                                          # (2,)
        return loss, w
    <BLANKLINE>
    """
    if step is None:
        return functools.partial(CapturedStep, executor=executor)
    return CapturedStep(step, executor=executor)


class BoundStep(functools.partial[Any]):
    """A captured method of an object, with the `eager`, `program` and `source` of the method.

    >>> class Model:
    ...     @capture
    ...     def double(self, x):
    ...         return 2 * x
    >>> model = Model()
    >>> float(model.double(np.array(3.0))), model.double
    (6.0, <captured step double, 1 program, of a Model>)
    """

    def _captured(self) -> CapturedStep:
        return self.func  # type: ignore[return-value]  # since capture binds nothing else

    def eager(self, *args: Any, **kwargs: Any) -> Any:
        """Call the method without a program, as `CapturedStep.eager` does.

        Raises what the method raises.
        """
        return self._captured().eager(*self.args, *args, **kwargs)

    @property
    def program(self) -> CapturedProgram:
        """The program that the method used last, for any object. Raises `CaptureError` before the first call."""
        return self._captured().program

    @property
    def source(self) -> str:
        """The program that the method used last, as NumPy. Raises as `CapturedStep.source` does."""
        return self._captured().source

    def __repr__(self) -> str:
        return f"{repr(self._captured())[:-1]}, of a {type(self.args[0]).__name__}>"


class CapturedStep:
    """A captured step, as returned by `capture`. Call it like the original function.

    >>> from autograd_spiral import Tensor, capture
    >>> w = Tensor([1.0, -2.0], requires_grad=True, name="w")
    >>> step = capture(lambda x: (w * x).sum())
    >>> float(step(np.ones(2))), step
    (-1.0, <captured step <lambda>, 1 program>)
    """

    def __init__(self, step: Callable[..., Any], *, executor: Executor | None = None) -> None:
        if not callable(step):
            raise TypeError(f"capture takes a function, not {type(step).__name__}")
        executor = replay if executor is None else executor
        if not callable(executor):
            raise TypeError(
                f"capture: executor must be a function from a program to a Run, such as interpret, not {executor!r}"
            )
        functools.update_wrapper(self, step)
        self._step = step
        self._name: str = getattr(step, "__name__", "step")
        self._executor = executor if executor is replay else checked(executor)
        self._guards = Guards(step)
        self._cache: list[Prepared] = []  # the most recently used program first
        self._last: Prepared | None = None  # the program of the latest call, with the guards that held for it
        self._warned = False  # whether the warning of many programs was issued
        self._capturing = threading.RLock()
        self._updating = threading.Lock()  # held while the state is read and written: all programs share it

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else BoundStep(self, instance)

    def eager(self, *args: Any, **kwargs: Any) -> Any:
        """Call the step without a program: everything is recorded, and values can be read inside.

        Raises what the step raises.

        >>> step = capture(lambda x: x / float(x.sum()))
        >>> step.eager(Tensor([1.0, 3.0]))
        Tensor([0.25, 0.75])
        """
        return self._step(*args, **kwargs)

    @property
    def program(self) -> CapturedProgram:
        """The program that was used last. Raises `CaptureError` before the first call.

        >>> step = capture(lambda x: np.sum(x * x))
        >>> _ = step(np.ones(3))
        >>> [equation.primitive.name for equation in step.program.equations]
        ['np.multiply', 'np.sum']
        """
        if self._last is None:
            raise CaptureError(
                f"{self._name} has no program yet: call it first, since the program depends on the shapes"
            )
        return self._last.program

    @property
    def source(self) -> str:
        """The program that was used last, as NumPy.

        Raises `CaptureError` before the first call, and as `CapturedProgram.source` does.

        >>> step = capture(lambda x: 1 / np.exp(x))
        >>> _ = step(np.ones(3))
        >>> "1 / np.exp(x)" in step.source
        True
        """
        return self.program.source

    def __reduce__(self) -> str:
        return str(getattr(self, "__qualname__", self._name))  # like functions: pickled by name, copied as themselves

    def __repr__(self) -> str:
        count = len(self._cache)
        return f"<captured step {self._name}, {count} program{'s' if count != 1 else ''}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Replay the program for this kind of call; the first such call captures it."""
        mode = MODE.get()
        if mode.trace is not NO_TRACE:  # inside another capture
            return self._step(*args, **kwargs)
        if mode.observer is not None:  # for example blame(), which watches the step on tensors, as a capture does
            leaves, treedef = flatten((args, kwargs))
            args, kwargs = unflatten(treedef, (Tensor(x) if isinstance(x, np.ndarray) else x for x in leaves))
            return self._step(*args, **kwargs)
        prepared = self._last
        inputs: Sequence[NDArray[Any]] = args
        if (
            prepared is None
            or kwargs
            or not prepared.same_signature(args, mode.recording)
            or not prepared.guards.hold()
            or (prepared.watched and not prepared.is_current())
        ):  # no call of the same kind as the latest one, both with arrays alone, which takes the fast path
            prepared, inputs = self._find(Call(self._step, args, kwargs, recording=mode.recording))
        run = prepared.run
        if prepared.state:
            with self._updating, run.lock:  # and not run(…): a Python call less in every call of a step
                results = run.function(*inputs, *[leaf._value for leaf in prepared.state], *prepared.outside)
                update(prepared.updated, results)
        else:
            with run.lock:
                results = run.function(*inputs, *prepared.outside)
        if prepared.treedef is LEAF and prepared.leaves[0] is LEAF:
            return as_leaf(results[0])
        outputs = iter(results)
        return unflatten(
            prepared.treedef, (as_leaf(next(outputs)) if leaf is LEAF else leaf for leaf in prepared.leaves)
        )

    def _find(self, call: Call) -> tuple[Prepared, list[NDArray[Any]]]:
        """Return the program for a call, captured now if there is none, and the arrays of its inputs."""
        with self._capturing:
            guards = self._guards.current(call.constants)
            key, inputs = call.key(guards.values)
            prepared = next((p for p in self._cache if p.key == key and p.is_current()), None)
            if prepared is None:
                prepared = self._capture(call)
            else:
                self._cache.remove(prepared)
                if prepared.guards is not guards:
                    prepared = replace(prepared, guards=guards)
                self._cache.insert(0, prepared)
            self._last = prepared
        if not call.input_tensors().isdisjoint(prepared.updated):
            raise assigned_input()
        return prepared, inputs

    def _capture(self, call: Call) -> Prepared:
        """Add a program to the cache, in place of one that it repeats."""
        prepared = prepare(call, self._guards, self._executor)
        if not self._cache:
            warn_of_size(self._name, prepared.watched)
        others = [p for p in self._cache if (p.key, p.digests) != (prepared.key, prepared.digests)]
        self._cache = [prepared, *others][:_CAPACITY]
        if not self._warned:
            keys = [p.key for p in self._cache]
            self._warned = warn_of_many(call, keys, prepared.guards, prepared.watched)
        return prepared


def update(leaves: Sequence[Tensor], results: Sequence[NDArray[Any]]) -> None:
    """Give the leaves the last of `results` as their new values; if that is interrupted, no leaf gets a new value."""
    before = [leaf._value for leaf in leaves]
    position = len(results) - len(leaves)
    try:
        for leaf in leaves:
            leaf._value = results[position]
            position += 1
    except BaseException:
        for leaf, value in zip(leaves, before, strict=True):
            leaf._value = value
        raise
