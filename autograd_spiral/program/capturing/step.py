"""`capture`: a step that records itself once for each kind of call, and is replayed from then on.

A call is of the same kind when its arrays have the same shapes and dtypes, and everything else that the step reads by
name is the same: other arguments, variables, attributes, and items of lists and dictionaries.
"""

from __future__ import annotations

import enum
import functools
import inspect
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.engine.modes import MODE, NO_TRACE
from autograd_spiral.engine.tensor import Tensor, as_leaf
from autograd_spiral.errors import CaptureError
from autograd_spiral.program.capturing.cache_key import contents, fits, identity, input_tensors, is_input, token
from autograd_spiral.program.capturing.guards import Reached, Surroundings
from autograd_spiral.program.capturing.lowering import Values
from autograd_spiral.program.capturing.pytree import LEAF, flatten, unflatten
from autograd_spiral.program.capturing.trace import StepTrace, assigned_input, difference, recording_in
from autograd_spiral.program.capturing.warnings import (
    refuse_random_numbers,
    warn_of_many,
    warn_of_other_threads,
    warn_of_size,
    warn_of_what_is_kept,
)
from autograd_spiral.program.executor import Run
from autograd_spiral.program.ir import Equation, Value
from autograd_spiral.program.printing.saved import CapturedProgram
from autograd_spiral.program.running.replay import replay

__all__ = ["BoundStep", "CapturedStep", "capture"]

_KEPT = 64
"""So many programs are kept for one step; the one that was not used for longest goes first."""


def capture(step: Callable[..., Any] | None = None) -> CapturedStep:
    """Make a program of `step` at its first call, and replay the program at later ones: a decorator.

    Arrays among the arguments (and in lists, tuples and dicts there) are inputs, whose shapes and dtypes select the
    program. So do tensors that require no gradients. Everything else that the step is given or reads by name (numbers,
    flags, objects; variables, attributes of your objects, items of short lists and dicts) is constant: a change of it
    makes a new program (a number among the arguments that has made eight of them is a UserWarning). So it is for plain
    functions and methods that the step calls by name, those that they call, and bodies and rules of primitives; what
    installed packages read, what is looked up by `getattr`, and what other threads compute, is not watched. Leaf
    tensors that the step reaches are state: read at each call, and given new arrays by `assign` once the whole step has
    succeeded. Other arrays that it reaches are read at each call where it computes with them; where it makes others of
    them in plain NumPy (`X[i]`, `X / 2`), a change of what is in them makes a new program. What it returns, tensors in
    any nesting, comes back as new leaves; nothing is recorded on the outside.

    Within, use `grad` and `assign`; reading a value (`float(t)`, `t.data`, `print(t)`), `backward()`, `.grad` and
    indexing by a boolean mask raise `CaptureError` with the line, and so does a step that computes something else when
    it is run again, as with random numbers inside. What it prints or counts happens while it is captured, not later.
    `step.eager(…)` runs without a program, `step.program` is the program used last, `step.source` its text. Replay may
    be called from several threads.

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
        raise TypeError("capture takes no options: write @capture, without parentheses")
    return CapturedStep(step)


class BoundStep(functools.partial[Any]):
    """A captured method of an object. `eager`, `program` and `source` are those of the method.

    >>> class Model:
    ...     @capture
    ...     def double(self, x):
    ...         return 2 * x
    >>> model = Model()
    >>> float(model.double(np.array(3.0))), model.double
    (6.0, <captured step double, 1 program, of a Model>)
    """

    def _captured(self) -> CapturedStep:
        step: CapturedStep = self.func  # type: ignore[assignment]  # which is never another function
        return step

    def eager(self, *args: Any, **kwargs: Any) -> Any:
        """Call the method without a program, as `CapturedStep.eager` does.

        Raises what the method raises.
        """
        return self._captured().eager(*self.args, *args, **kwargs)

    @property
    def program(self) -> CapturedProgram:
        """The program that the method used last, for whichever object; `CaptureError` before the first call."""
        return self._captured().program

    @property
    def source(self) -> str:
        """The program that the method used last, as NumPy; raises as `CapturedStep.source` does."""
        return self._captured().source

    def __repr__(self) -> str:
        return f"{repr(self._captured())[:-1]}, of a {type(self.args[0]).__name__}>"


@dataclass(frozen=True)
class _Prepared:
    """A program that can run: what it reads besides its inputs, and the form of what it returns."""

    program: CapturedProgram
    run: Run
    state: tuple[Tensor, ...]
    outside: tuple[NDArray[Any], ...]
    updated: tuple[Tensor, ...]
    structure: Any
    constants: tuple[Any, ...]  # what is returned besides tensors; `LEAF` where a tensor goes
    recording: bool
    fits: Callable[[tuple[Any, ...]], bool] | None  # whether arguments are of this kind, where all are arrays
    reached: Reached  # what the variables of the surroundings held
    watched: tuple[NDArray[Any], ...]  # arrays from outside of which the step may have made others by plain NumPy
    contents: tuple[Any, ...]  # what was in them
    arguments: list[Any]  # kept so that no other object gets the identity by which the key knows one


class CapturedStep:
    """A step that is replayed; what `capture` makes. Calling it takes and gives what the step does.

    >>> from autograd_spiral import Tensor, capture
    >>> w = Tensor([1.0, -2.0], requires_grad=True, name="w")
    >>> step = capture(lambda x: (w * x).sum())
    >>> float(step(np.ones(2))), step
    (-1.0, <captured step <lambda>, 1 program>)
    """

    def __init__(self, step: Callable[..., Any]) -> None:
        if not callable(step):
            raise TypeError(f"capture takes a function, not {type(step).__name__}")
        functools.update_wrapper(self, step)
        self._step = step
        self._surroundings = Surroundings(step)
        self._prepared: OrderedDict[Any, _Prepared] = OrderedDict()
        self._latest: tuple[_Prepared, Reached] | None = None  # the program used last, and for which surroundings
        self._watched: dict[Any, tuple[NDArray[Any], ...]] = {}  # for each kind of call, where there are some
        self._warned = False  # that it makes a program for each value of a number
        self._lock = threading.RLock()
        self._updating = threading.Lock()  # of programs for any kind of call: they read and write the same state

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else BoundStep(self, instance)

    def eager(self, *args: Any, **kwargs: Any) -> Any:
        """Call the step as it is, without a program: everything is recorded, and values can be read inside.

        Raises what the step raises.

        >>> step = capture(lambda x: x / float(x.sum()))
        >>> step.eager(Tensor([1.0, 3.0]))
        Tensor([0.25, 0.75])
        """
        return self._step(*args, **kwargs)

    @property
    def program(self) -> CapturedProgram:
        """The program that was used last; `CaptureError` before the first call.

        >>> step = capture(lambda x: np.sum(x * x))
        >>> _ = step(np.ones(3))
        >>> [equation.primitive.name for equation in step.program.equations]
        ['np.multiply', 'np.sum']
        """
        last = self._last
        if last is None:
            raise CaptureError(f"{self._name} has no program yet: call it first, since shapes decide on the program")
        return last.program

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

    @property
    def _last(self) -> _Prepared | None:
        latest = self._latest
        return None if latest is None else latest[0]

    @property
    def _name(self) -> str:
        return getattr(self._step, "__name__", "step")

    def __reduce__(self) -> str:
        return str(getattr(self, "__qualname__", self._name))  # as functions: pickled by name, copied as they are

    def __repr__(self) -> str:
        count = len(self._prepared)
        return f"<captured step {self._name}, {count} program{'s' if count != 1 else ''}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Replay the program for this kind of call; the first one captures it."""
        mode = MODE.get()
        if mode.trace is not NO_TRACE:  # inside another capture
            return self._step(*args, **kwargs)
        if mode.observer is not None:  # watched by blame(): with tensors, as while it is captured
            leaves: list[Any] = []
            structure = flatten((args, kwargs), leaves)
            given = (Tensor(leaf) if isinstance(leaf, np.ndarray) else leaf for leaf in leaves)
            args, kwargs = unflatten(structure, given)
            return self._step(*args, **kwargs)
        latest = self._latest
        inputs: Sequence[NDArray[Any]] = args
        if latest is None or kwargs or not self._as_before(*latest, args, mode.recording):
            prepared, inputs = self._find(args, kwargs, mode.recording)
        else:
            prepared = latest[0]
        if prepared.state:
            with self._updating:
                results = prepared.run(*inputs, *[leaf._value for leaf in prepared.state], *prepared.outside)
                tensors = replayed(results, prepared.updated)
        else:
            tensors = [as_leaf(array) for array in prepared.run(*inputs, *prepared.outside)]
        if prepared.structure is LEAF and prepared.constants[0] is LEAF:
            return tensors[0]
        made = iter(tensors)
        return unflatten(prepared.structure, (next(made) if c is LEAF else c for c in prepared.constants))

    def _as_before(self, prepared: _Prepared, reached: Reached, args: tuple[Any, ...], recording: bool) -> bool:
        """Whether a call is of the same kind as the last one, for calls with arrays alone: the short way."""
        alike = prepared.fits
        return (
            alike is not None
            and recording is prepared.recording
            and alike(args)
            and reached.still()
            and (not prepared.watched or contents(prepared.watched) == prepared.contents)
        )

    def _find(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], recording: bool
    ) -> tuple[_Prepared, list[NDArray[Any]]]:
        """The program for a call, captured now if there is none, and its inputs."""
        leaves: list[Any] = []
        structure = flatten((args, kwargs), leaves)
        inputs: list[NDArray[Any]] = []
        tokens = structure, tuple(token(leaf, inputs) for leaf in leaves), recording
        constants = [leaf for leaf in leaves if not is_input(leaf)]
        with self._lock:
            reached = self._surroundings(constants)
            kind = (tokens, tuple(map(identity, reached.held)))
            prepared = self._prepared.get(key := (*kind, contents(self._watched.get(kind, ()))))
            if prepared is None:
                prepared = self._capture(args, kwargs, constants, recording)
                reached = prepared.reached  # which the step may have changed, as when it counts its calls
                kind = (tokens, tuple(map(identity, reached.held)))
                if prepared.watched:  # with those of other programs, which may have branched elsewhere
                    both = (*self._watched.get(kind, ()), *prepared.watched)
                    self._watched[kind] = tuple({id(array): array for array in both}.values())
                key = (*kind, contents(self._watched.get(kind, ())))
                self._prepared[key] = prepared
                if not self._warned:
                    keys, arguments = list(self._prepared), self._arguments(args, kwargs)
                    self._warned = warn_of_many(self._name, key, keys, arguments, reached, prepared.watched)
            self._prepared.move_to_end(key)
            while len(self._prepared) > _KEPT:
                (*gone, _), _ = self._prepared.popitem(last=False)
                if not any(other[:2] == tuple(gone) for other in self._prepared):
                    self._watched.pop(tuple(gone), None)
            self._latest = prepared, reached
        if not input_tensors(leaves).isdisjoint(prepared.updated):
            raise assigned_input()
        return prepared, inputs

    def _capture(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], constants: list[Any], recording: bool
    ) -> _Prepared:
        leaves: list[Any] = []
        structure = flatten((args, kwargs), leaves)
        given = [_stand_in(leaf) if is_input(leaf) else leaf for leaf in leaves]
        arguments = [new for new, leaf in zip(given, leaves, strict=True) if new is not leaf]
        names = self._input_names(args, kwargs)
        before = self._surroundings(constants)
        states = before.random_states()
        runs = []
        for _ in range(2):
            trace = StepTrace({*arguments, *input_tensors(leaves)})
            copied_args, copied_kwargs = unflatten(structure, iter(given))
            with recording_in(trace, getattr(self._step, "__func__", self._step)):
                try:
                    result = self._step(*copied_args, **copied_kwargs)
                except Exception as error:
                    refusal = error.__cause__
                    if isinstance(refusal, CaptureError):  # NumPy says something else of it, as for array[i] = tensor
                        raise refusal from None
                    raise
            runs.append((trace, result))
        (first, one), (trace, result) = runs
        why = difference(first, trace)
        if why is not None:
            raise CaptureError(
                f"{why}. A captured step must compute the same each time: pass random numbers and counters as "
                "arguments, and keep what it carries along in a Tensor that it assigns"
            )
        refuse_random_numbers(self._name, states, before.random_states(), asked=first.entropy)
        returned: list[Any] = []
        form = flatten(result, returned)
        self._compare_results(first, one, trace, form, returned)

        known = {_memory(array) for array in first.originals.values()}
        outside = list({id(a): a for a in trace.originals.values() if _memory(a) in known}.values())
        reached = self._surroundings(constants)
        warn_of_what_is_kept(self._name, {*first.nodes, *trace.nodes}, reached)
        values = Values(trace, outside, reached.tensor_names())
        inputs = [values.given(tensor, name) for tensor, name in zip(arguments, names, strict=True)]
        equations = values.equations()
        self._surroundings.expand(values.expanded)
        reached = self._surroundings(constants)
        outputs = tuple(values.atom(trace.holds.get(leaf, leaf)) for leaf in returned if type(leaf) is Tensor)
        updates = [(leaf, values.atom(new)) for leaf, new in trace.holds.items() if leaf.serial < trace.began]
        for leaf, _ in updates:
            values.atom(leaf)
        checks = values.checks()
        used = [values.outside[i] for i in values.used]
        read = [array for _, array in used]
        watched = tuple(
            array
            for _, array in reached.arrays
            if values.derived
            or id(array) in values.suspects
            or not any(np.may_share_memory(array, other) for other in read)
        )
        if first.elsewhere or trace.elsewhere:
            warn_of_other_threads(self._name)
        if not self._prepared:
            warn_of_size(self._name, watched)
        plain = not kwargs and all(type(arg) is np.ndarray and arg.dtype.isnative for arg in args)
        program = CapturedProgram(
            self._name if self._name.isidentifier() else "step",
            tuple(inputs),
            tuple(values.state.values()),
            tuple(_with_updates(equations, outputs)),
            outputs,
            tuple((values.state[leaf], new) for leaf, new in updates),
            tuple(value for value, _ in used),
            checks,
            values.names,
            {value: np.array(array) for value, array in used},
            values.primals(),
            frozenset(value for leaf, value in values.state.items() if leaf.requires_grad),
        )
        return _Prepared(
            program,
            replay(program),
            tuple(values.state),
            tuple(array for _, array in used),
            tuple(leaf for leaf, _ in updates),
            form,
            tuple(LEAF if type(leaf) is Tensor else leaf for leaf in returned),
            recording,
            fits(args) if plain else None,
            reached,
            watched,
            contents(watched),
            constants,
        )

    def _arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[tuple[str, Any]]:
        """The arguments in the order of the call, each with the name of its parameter."""
        try:
            by_position = inspect.signature(self._step).bind_partial(*args).arguments
        except (TypeError, ValueError):
            by_position = {f"x{i + 1}": arg for i, arg in enumerate(args)}
        return [*by_position.items(), *kwargs.items()]

    def _input_names(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[str]:
        """A name for each input: that of its parameter, with a number for those in containers and in `*args`."""
        names: list[str] = []
        for name, argument in self._arguments(args, kwargs):
            leaves: list[Any] = []
            single = flatten(argument, leaves) is LEAF
            inputs = [leaf for leaf in leaves if is_input(leaf)]
            names += [name if single else f"{name}_{i}" for i, _ in enumerate(inputs)]
        return names

    def _compare_results(
        self, first: StepTrace, one: Any, trace: StepTrace, form: Any, returned: Sequence[Any]
    ) -> None:
        for leaf in returned:
            if isinstance(leaf, np.ndarray):
                raise CaptureError(
                    f"{self._name} returns an array, which is made while the step is captured and not when it is "
                    "replayed: return a Tensor that it computes"
                )
            if not isinstance(leaf, (Tensor, *_CONSTANT)):
                raise CaptureError(
                    f"{self._name} returns a {type(leaf).__name__}, whose contents are not known to a program: return "
                    "tensors, numbers and strings, in lists, tuples, named tuples and dicts"
                )
        others: list[Any] = []
        same = flatten(one, others) == form
        for a, b in zip(others, returned, strict=False):
            same = same and type(a) is type(b) and (type(a) is Tensor or identity(a) == identity(b))
        if not same:
            raise CaptureError(
                f"{self._name} returned one thing in one run and another in another: a captured step must compute the "
                "same each time"
            )


_CONSTANT = (bool, int, float, complex, str, bytes, type(None), np.generic, type, enum.Enum, np.dtype)
"""What can be returned as it is."""


def _stand_in(leaf: Any) -> Tensor:
    return Tensor(leaf) if isinstance(leaf, np.ndarray) else leaf.detach()


def _memory(array: NDArray[Any]) -> Any:
    """Which memory an array is: the same in two runs only if something outside of them holds it, or what it views."""
    return array.ctypes.data, array.shape, array.strides, array.dtype


def _with_updates(equations: Sequence[Equation], outputs: Sequence[Any]) -> Iterator[Equation]:
    """The equations, those that only lead from gradients to new state in the phase "update"."""
    late: set[Value] = set()  # what depends on gradients
    for equation in equations:
        if equation.phase == "backward" or any(value in late for value in equation.reads()):
            late.add(equation.output)
    needed = {value for value in outputs if isinstance(value, Value)}
    for equation in reversed(equations):
        if equation.phase == "backward" or equation.output in needed:
            needed.update(equation.reads())
    for equation in equations:
        if equation.phase == "forward" and equation.output not in needed:
            equation = replace(equation, phase="update")
        yield equation


def replayed(results: Sequence[NDArray[Any]], updated: Sequence[Tensor]) -> list[Tensor]:
    """Leaves that hold the first of `results`; the last ones become the values of `updated`. All are frozen arrays."""
    count = len(results) - len(updated)
    before = [leaf._value for leaf in updated]
    try:
        for leaf in updated:
            leaf._value = results[count]
            count += 1
    except BaseException:  # an interrupt between two leaves
        for leaf, value in zip(updated, before, strict=True):
            leaf._value = value
        raise
    return [as_leaf(array) for array in results[: len(results) - len(updated)]]
