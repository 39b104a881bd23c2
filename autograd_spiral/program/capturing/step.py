"""`capture` records a step once for each kind of call, and replays it from then on.

Two calls are of the same kind if their arrays have the same shapes and dtypes, and if everything else that the step
reads by name is the same: other arguments, variables, attributes, and items of lists and dictionaries.
"""

from __future__ import annotations

import copy
import functools
import gc
import inspect
import pickle
import sys
import types
import weakref
from collections.abc import Callable, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.engine.calls import explains_keywords
from autograd_spiral.engine.modes import MODE, NO_TRACE, entering
from autograd_spiral.engine.pytree import unflatten
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.errors import CaptureError
from autograd_spiral.program.capturing.cache_key import Call, taken_apart
from autograd_spiral.program.capturing.programs import Programs
from autograd_spiral.program.capturing.reads import free_variable
from autograd_spiral.program.capturing.trace import StepTrace
from autograd_spiral.program.executor import Executor, OutOfStep, checked, peers_of
from autograd_spiral.program.printing.saved import CapturedProgram, SourceText
from autograd_spiral.program.running.blocks import replay_or_blocks

__all__ = ["CapturedStep", "capture"]


@overload
def capture(step: Callable[..., Any], *, executor: Executor | None = None, verify: bool = True) -> CapturedStep: ...
@overload
def capture(
    step: None = None, *, executor: Executor | None = None, verify: bool = True
) -> Callable[[Callable[..., Any]], CapturedStep]: ...
@explains_keywords
def capture(
    step: Callable[..., Any] | None = None, *, executor: Executor | None = None, verify: bool = True
) -> CapturedStep | Callable[[Callable[..., Any]], CapturedStep]:
    """Record what `step` computes at its first call, and replay the record at later calls; usable as a decorator.

    The record is called a program. Replaying it takes less time than running the function. A program can also be
    printed, drawn and explored, and it is valid for any values of its inputs.

    The inputs are those arguments that are arrays, or tensors that require no gradients. They may also be inside lists,
    tuples, dicts and dataclasses. Each combination of shapes and dtypes gets its own program. The other tensors that
    the step uses but does not compute, such as parameters, are its state: each call uses their current values. If the
    step assigns new values to them, they change when the whole step has succeeded. (A dataclass argument that holds
    tensors but no plain arrays is treated as a model: all its tensors belong to the state, and everything else in it
    counts as constant.) No gradient flows back through the tensors that the step returns.

    Everything else that the step uses counts as constant. But if a variable, an attribute of one of your objects, or an
    item of a short list or dict changes, the next call makes a new program. This works for everything that the code of
    the step refers to by name. It also works for everything that your own functions refer to by name, if the step calls
    them by name. After eight programs for inputs of the same shapes, a UserWarning says why there are so many.

    If the step combines tensors with an array that is not an argument, each call uses the current contents of the
    array. If the step computes another array from this array in plain NumPy, as in `X[i]` or `X / 2`, and the contents
    of the array change, the next call makes a new program.

    To find all other changes, the step is recorded again at calls 2, 4, 8, 16, … of each program. If the new record
    differs from the program, `CaptureError` is raised. `verify=False` turns this off.

    In the step, use `grad` and `assign` instead of `backward()` and `.grad`, which raise `CaptureError`. Reading a
    value (`float(t)`, `t.data`, `print(t)`), indexing with a boolean mask, and drawing random numbers raise it, too. In
    all these cases, the message names the line of your code. Changing a list or another container among the arguments
    also raises `CaptureError`. Side effects, such as printing or counting, happen only when the step is recorded. A
    UserWarning says so for numbers with which the step counts, as in `self.t += 1`.

    `step.eager(…)` calls the original function, `step.program` is the program that the latest call used, and
    `step.source` is its NumPy code. If you pass a captured step to `value_and_grad` or a similar function, the original
    function runs, so that it can be differentiated. Several threads may call captured steps at the same time, even
    steps that change the same tensors.

    `executor` says how programs are run. It is `blocks()`, `xla()`, or a function of your own that takes a program and
    returns a `Run`, an object that runs the program when it is called with arrays. (The simplest such function is
    `interpret`, in `autograd_spiral.program.executor`.) By default, programs run on NumPy: results are written into
    arrays that the next call uses again, and large programs are computed in blocks of rows. Raises TypeError if `step`
    or `executor` is not callable. A call raises `CaptureError` if an executor's results do not have the shapes and
    dtypes that the program states.

    >>> import numpy as np
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
        return functools.partial(CapturedStep, executor=executor, verify=verify)
    return CapturedStep(step, executor=executor, verify=verify)


class CapturedStep:
    """A function that was captured with `capture`; call it like the original function.

    >>> import numpy as np
    >>> from autograd_spiral import Tensor, capture
    >>> w = Tensor([1.0, -2.0], requires_grad=True, name="w")
    >>> @capture
    ... def weighted_sum(x):
    ...     return (w * x).sum()
    >>> float(weighted_sum(np.ones(2))), weighted_sum
    (-1.0, <captured step weighted_sum, 1 program>)
    """

    def __init__(self, step: Callable[..., Any], *, executor: Executor | None = None, verify: bool = True) -> None:
        if not callable(step):
            raise TypeError(f"capture takes a function, not {type(step).__name__}")
        if executor is not None and not callable(executor):
            raise TypeError(
                f"capture: executor must be a function from a program to a Run, such as interpret, not {executor!r}"
            )
        functools.update_wrapper(self, step)
        self._step = step
        self._options: dict[str, Any] = {"executor": executor, "verify": verify}
        self._name: str = getattr(step, "__name__", "step")
        self._programs = self._new_programs()
        self._of_objects: dict[int, tuple[weakref.ref[Any], Programs]] = {}  # of a method, for each object by id

    def _new_programs(self) -> Programs:
        executor = self._options["executor"]
        ready = replay_or_blocks if executor is None else checked(executor)
        return Programs(ready, verify=self._options["verify"], peers=peers_of(executor))

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        bound = object.__new__(CapturedStep)
        method = types.MethodType(self._step, instance)
        bound.__dict__ = {**self.__dict__, "_step": method, "_programs": self._programs_of(instance)}
        return bound

    def _programs_of(self, instance: Any) -> Programs:
        """Return the programs of a captured method for one object, which are dropped with it."""
        if id(instance) not in self._of_objects:
            drop = functools.partial(self._of_objects.pop, id(instance))  # gets the reference as the default
            try:
                reference = weakref.ref(instance, drop)
            except TypeError:  # an object without weak references, such as a tuple
                return self._programs
            self._of_objects[id(instance)] = reference, self._new_programs()
        return self._of_objects[id(instance)][1]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Replay the program for this kind of call; the first such call captures it."""
        mode = MODE.get()
        if mode.trace is not NO_TRACE:  # inside another capture
            if not (isinstance(mode.trace, StepTrace) and mode.trace.is_interrupted()):
                return self._step(*args, **kwargs)
            with entering(trace=NO_TRACE, observer=None, constants=False):
                return self(*args, **kwargs)
        if mode.observer is not None or (mode.transform and mode.recording and _require_gradients(args, kwargs)):
            # watched, for example by blame(), or differentiated: on tensors, as in a capture
            leaves, treedef = taken_apart((args, kwargs))
            args, kwargs = unflatten(treedef, (Tensor(x) if isinstance(x, np.ndarray) else x for x in leaves))
            return self._step(*args, **kwargs)
        programs = self._programs
        inputs: Sequence[Any] = args
        ready = programs.last
        try:
            if (
                ready is None
                or kwargs
                or not ready.same_signature(args, mode.recording)
                or ready.guards.changed((self._step,)) is not None
                or (ready.watched and not ready.is_current())
            ):  # the fast path is for calls of the same kind as the latest one, with arrays alone
                ready, inputs = programs.find(Call(self._step, args, kwargs, recording=mode.recording))
            ready.calls += 1
            if ready.calls >= ready.due:
                programs.verify(ready, Call(self._step, args, kwargs, recording=mode.recording))
            return ready.run(inputs)
        except OutOfStep:
            programs.forget_all()
            raise

    def eager(self, *args: Any, **kwargs: Any) -> Any:
        """Call the original function, without a program.

        The engine records the operations as in any other function, and the function can read values, as with
        `float(t)`. Raises what the function raises.

        >>> step = capture(lambda x: x / float(x.sum()))  # because of float(…), step(x) would raise an error
        >>> step.eager(Tensor([1.0, 3.0]))
        Tensor([0.25, 0.75])
        """
        return self._step(*args, **kwargs)

    @property
    def program(self) -> CapturedProgram:
        """The program that the latest call used.

        A program is the record of a call: mainly a list of equations, one for each operation. Raises `CaptureError`
        before the first call.

        >>> import numpy as np
        >>> step = capture(lambda x: np.sum(x * x))
        >>> _ = step(np.ones(3))
        >>> [equation.primitive.name for equation in step.program.equations]
        ['np.multiply', 'np.sum']
        """
        if self._programs.program is None:
            raise CaptureError(
                f"{self._name} has no program yet: call it first, since the program depends on the shapes"
                + ("; the programs of a method belong to its objects" if self._of_objects else "")
            )
        return self._programs.program

    def program_for(self, *args: Any, **kwargs: Any) -> tuple[CapturedProgram, list[NDArray[Any]]]:
        """Return the program that a call with these arguments would use, and the arrays that it would get as inputs.

        The call itself is not made. If there is no such program yet, it is recorded now. Raises the errors that
        recording raises.

        >>> w = Tensor([1.0, 2.0], requires_grad=True, name="w")
        >>> step = capture(lambda x: w.assign(w - x))
        >>> program, arrays = step.program_for(np.ones(2))
        >>> len(program.equations), arrays, w.data  # w has not changed
        (1, [array([1., 1.])], array([1., 2.]))
        """
        ready, inputs = self._programs.find(Call(self._step, args, kwargs, recording=MODE.get().recording))
        return ready.program, inputs

    @property
    def source(self) -> str:
        """The NumPy code of the program that the latest call used.

        Raises `CaptureError` before the first call. The same error is raised if the step calls a `@primitive` operation
        whose Python function does not work with Tensors.

        >>> import numpy as np
        >>> step = capture(lambda x: 1 / np.exp(x))
        >>> _ = step(np.ones(3))
        >>> "1 / np.exp(x)" in step.source
        True
        """
        return self.program.source

    def __repr__(self) -> str:
        count = len(self._programs.kept)
        owner = f", of a {type(self._step.__self__).__name__}" if isinstance(self._step, types.MethodType) else ""
        return f"<captured step {self._name}, {count} program{'s' if count != 1 else ''}{owner}>"

    def _repr_markdown_(self) -> str:
        """Return the text that notebooks show: the step, and the source of the program that was used last, if any."""
        try:
            return f"`{self!r}`\n\n{SourceText(self.source)._repr_markdown_()}"
        except CaptureError:
            return f"`{self!r}`"

    # --- copies: a function is copied and pickled as itself, and a method as that of the copied object -------------

    def __copy__(self) -> CapturedStep:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> CapturedStep:
        inside = bool(memo)  # a copy of an object that holds this step
        step = copy.deepcopy(self._step, memo)
        if inside and (name := _original_in(step, memo)):
            raise CaptureError(
                f"the captured step {self._name} cannot be copied with the object that holds it, since its variable "
                f"{name!r} would still refer to the original object: {_AS_A_METHOD}"
            )
        return self if step is self._step else CapturedStep(step, **self._options)

    def __reduce__(self) -> Any:
        if not isinstance(self._step, types.FunctionType):
            return _captured, (self._step, self._options)
        name = getattr(self, "__qualname__", self._name)
        try:
            found: Any = functools.reduce(getattr, name.split("."), sys.modules[self.__module__])
        except (AttributeError, KeyError):
            found = None
        if found is not self:
            raise pickle.PicklingError(
                f"the captured step {name} cannot be pickled, since it is not found by that name in {self.__module__}: "
                f"decorate a function of a module with @capture, or {_AS_A_METHOD}"
            )
        return name


def _require_gradients(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Return whether a tensor that requires gradients is among the arguments."""
    return any(type(leaf) is Tensor and leaf.requires_grad for leaf in taken_apart((args, kwargs))[0])


_AS_A_METHOD = "make it a method, with @capture in the body of the class or self.step = capture(self._step)"


_MOST_PARTS = 10_000
"""No more than this many of the objects that a step refers to are examined."""


def _original_in(step: Any, memo: dict[int, Any]) -> str | None:
    """Return the variable through which a copied step still refers to an original, or None.

    An original is an object that has a copy, or a leaf that has not been copied yet.
    """
    seen = {id(memo), *map(id, memo.values())}
    queue = [("", step)]
    for of, value in queue:
        if memo.get(id(value), value) is not value or (type(value) is Tensor and value.requires_grad):
            return of or "__self__"
        for name, part in _parts(value) if len(queue) < _MOST_PARTS else ():
            if id(part) not in seen:
                seen.add(id(part))
                queue.append((of or name, part))
    return None


def _parts(value: Any) -> list[tuple[str, Any]]:
    """Return the objects that an object refers to, with the names of variables."""
    if isinstance(value, CapturedStep):
        return [("", value._step)]
    if isinstance(value, types.FunctionType):
        closure = [(name, free_variable(value, i, None)) for i, name in enumerate(value.__code__.co_freevars)]
        parameters = inspect.signature(value, follow_wrapped=False).parameters.values()
        return [*closure, *((one.name, one.default) for one in parameters), *vars(value).items()]
    if isinstance(value, type | types.ModuleType | np.ndarray | Tensor):
        return []
    return [("", part) for part in gc.get_referents(value)]


def _captured(step: Callable[..., Any], options: dict[str, Any]) -> CapturedStep:
    """Return the captured step of an object that was pickled."""
    return step if isinstance(step, CapturedStep) else CapturedStep(step, **options)  # by @capture, it is one already
