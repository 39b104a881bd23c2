"""Optimizers, and the other tools that a training loop needs: schedules, clipping, batches, dropout masks.

An optimizer is written in NumPy on Tensors, so it works in eager and in captured steps. Everything that changes from
step to step, its `state`, is kept in tensors.
"""

from __future__ import annotations

import functools
import inspect
import math
import numbers
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Never, NoReturn, Self, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from autograd_spiral.engine.calls import explains_keywords
from autograd_spiral.engine.grad import flatten_parameters
from autograd_spiral.engine.messages import plain_class
from autograd_spiral.engine.modes import MODE, NO_TRACE, no_grad, scope
from autograd_spiral.engine.pytree import flatten, paths, unflatten
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.errors import DtypeError, GradientError, ShapeError

__all__ = [
    "SGD",
    "Adam",
    "Optimizer",
    "batches",
    "clip_by_norm",
    "cosine_decay",
    "dropout_mask",
    "exponential_decay",
    "linear_warmup",
    "named_parameters",
]

Schedule: TypeAlias = Callable[[Any], Any]


class Optimizer:
    """Update parameters from their gradients: the base of `SGD` and `Adam`.

    `parameters` are leaf Tensors in any container; settings in the container, such as strings, numbers, None and
    functions, are skipped. `learning_rate` is a number, or a function that gets the number of updates so far (a Tensor)
    and returns the rate: see `cosine_decay`. Each average of gradients is one vector for all parameters together, in
    the order of their names. `count` is the number of updates, a Tensor. Raises TypeError or `GradientError` if a
    parameter is not a leaf that requires gradients, or occurs twice.

    >>> optimizer = SGD({"w": Tensor([1.0, 2.0], requires_grad=True)}, learning_rate=0.1)
    >>> optimizer.update({"w": np.array([1.0, 1.0])})
    >>> optimizer.parameters["w"], int(optimizer.count), isinstance(optimizer, Optimizer)
    (Tensor([0.9, 1.9], requires_grad=True), 1, True)
    """

    __slots__ = (
        "__weakref__",
        "_averages",
        "_dtype",
        "_leaves",
        "_rate",
        "_schedule",
        "_settings",
        "count",
        "parameters",
    )

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Raise an error for arguments that do not fit; it says what to write instead of other libraries' names."""
        if not args and not kwargs:  # this is how copies are made
            return super().__new__(cls)
        signature = inspect.signature(cls.__init__)
        try:
            signature.bind(None, *args, **kwargs)
        except TypeError as error:
            unknown = [name for name in kwargs if name not in signature.parameters]
            others = [f"{_ARGUMENTS[name]} instead of {name}=" for name in unknown if name in _ARGUMENTS]
            usual = f"the first arguments are {', '.join(list(signature.parameters)[1:3])}; pass the others by name"
            raise TypeError(
                f"{cls.__name__}: {error}: " + (f"write {', '.join(others)}" if others else usual)
            ) from None
        return super().__new__(cls)

    def __init__(self, parameters: Any, learning_rate: float | Schedule, averages: Sequence[str] = ()) -> None:
        self.parameters = parameters
        self._leaves = _parameters(type(self).__name__, parameters)
        self._settings = frozenset(_by_path(parameters)) - self._leaves.keys()
        # Not float16, in which the squares of small gradients round to 0.
        self._dtype = np.result_type(np.float32, *(p.dtype for p in self._leaves.values()))
        self._schedule = learning_rate if callable(learning_rate) else None
        self._rate = Tensor(0.0, name="learning_rate")
        self.count = Tensor(0.0, name="count")
        if self._schedule is None:
            self.learning_rate = learning_rate
        else:
            with no_grad():
                self._rate.assign(self._schedule(self.count))
        size = sum(p.size for p in self._leaves.values())
        self._averages = {name: Tensor(np.zeros(size, self._dtype), name=name) for name in averages}

    @property
    def learning_rate(self) -> Any:
        """The learning rate of the latest update, a Tensor; set it to a number to change it for later updates.

        Before the first update, it is the rate of that update. A captured step reads it at each call, so changing it
        makes no new program. Setting it raises ValueError for a negative number, and `GradientError` if it follows a
        schedule.

        >>> optimizer = Adam(Tensor(1.0, requires_grad=True), learning_rate=0.01)
        >>> optimizer.learning_rate = 0.5 * optimizer.learning_rate
        >>> float(optimizer.learning_rate)
        0.005
        """
        return self._rate

    @learning_rate.setter
    def learning_rate(self, rate: Any) -> None:
        if self._schedule is not None:
            raise GradientError(
                f"{type(self).__name__}: the learning rate follows a schedule, so it cannot be set: pass a number as "
                "learning_rate when you make the optimizer, or a schedule that does what you want"
            )
        if type(rate) is Tensor and MODE.get().trace is NO_TRACE:
            rate = rate.item()
        self._rate.assign(rate if type(rate) is Tensor else _number(type(self).__name__, "learning_rate", rate))

    @property
    def state(self) -> dict[str, Tensor]:
        """All tensors of the optimizer except the parameters, by name; to restore a saved state, `assign` its values.

        >>> w = Tensor([1.0, 2.0], requires_grad=True)
        >>> list(Adam({"w": w}).state)
        ['Adam.count', 'Adam.learning_rate', 'Adam.mean', 'Adam.square']
        """
        own = {"count": self.count, "learning_rate": self._rate, **self._averages}
        return {f"{type(self).__name__}.{name}": tensor for name, tensor in own.items()}

    def update(self, gradients: Any = None, *others: Never) -> None:
        """Take one step: assign new values to all parameters, computed from their gradients.

        The gradients have the form of the parameters. In a captured step, the parameters and the state change once the
        whole step has succeeded. The update is in a scope with the name of the class, so pictures show `W ← Adam(W,
        dW)`. Raises `GradientError` if the gradients have another form, if one is missing, or if the container now
        holds other parameters. Raises `ShapeError` if a gradient has another shape, and `DtypeError` if it is not
        floating-point. Issues a UserWarning if the loss was computed before the latest update. Also issues one if two
        updates in a row get gradients of the same tensors that are not parameters, and the values of these tensors have
        not changed.

        >>> w = Tensor([1.0, 2.0], requires_grad=True)
        >>> Adam(w, learning_rate=0.1).update(np.array([3.0, -0.5]))
        >>> w
        Tensor([0.9, 2.1], requires_grad=True)
        """
        if others:
            raise TypeError(
                f"{type(self).__name__}.update takes only the gradients: to change the rate, write "
                "optimizer.learning_rate = …"
            )
        if gradients is None:
            name = type(self).__name__
            raise TypeError(f"{name}.update takes the gradients: write optimizer.update(grad(loss, parameters))")
        with no_grad(), scope(type(self).__name__):
            found = self._checked(gradients)
            self._warn_of_no_effect(found)
            gradient = np.concatenate([g.reshape(-1) for g in found.values()]).astype(self._dtype)
            if self._schedule is not None:
                self._rate.assign(self._schedule(self.count))
            self.count.assign(self.count + 1)
            change, end = self._change(gradient), 0
            for p in self._leaves.values():
                start, end = end, end + p.size
                p.assign(p - change[start:end].reshape(p.shape))
            _LATEST[self] = change.serial

    def _change(self, gradient: Any) -> Any:
        """Return what to subtract from the parameters, as one vector."""
        raise NotImplementedError

    def _in_dtype(self, number: Any) -> Any:
        return number.astype(self._dtype)  # otherwise, the product of an array and the number would be float64

    def _checked(self, gradients: Any) -> dict[Any, Any]:
        """Return the gradients of all parameters, in the order of the parameters."""
        caller = f"{type(self).__name__}.update"
        settings = self._settings
        now = {key: p for key, p in _by_path(self.parameters).items() if key not in settings or type(p) is Tensor}
        if now.keys() != self._leaves.keys() or any(now[key] is not p for key, p in self._leaves.items()):
            raise GradientError(
                f"{caller}: the container now holds other parameters: use assign() to give the old ones new values"
            )
        given = _by_path(gradients).items()
        found = {key: _floating(caller, key, g) for key, g in given if key not in settings}
        if found.keys() != self._leaves.keys():
            raise GradientError(
                f"{caller}: the parameters are {_listed(self._leaves)}, but the gradients are {_listed(found)}: write "
                "grad(loss, parameters) or value_and_grad(f)(parameters), for gradients in the form of the parameters. "
                f"To freeze a parameter, leave it out of both {type(self).__name__}(…) and grad(…)"
            )
        for key, p in self._leaves.items():
            if found[key].shape != p.shape:
                shape = found[key].shape
                raise ShapeError(f"{caller}: {_name(key)} has shape {p.shape}, but its gradient has shape {shape}")
        return {key: found[key] for key in self._leaves}

    def _warn_of_no_effect(self, gradients: dict[Any, Any]) -> None:
        """Warn of gradients of other tensors, and of a loss that was computed before the latest update.

        Gradients of other tensors are allowed, since the tensors may be copies that get the new values after each
        update. So the warning comes at the second update, if the same tensors still have the values that they had at
        the first update.
        """
        caller, latest = f"{type(self).__name__}.update", _LATEST.get(self, -1)
        value_of, others = MODE.get().trace.value_of, {}
        for key, g in gradients.items():
            of, serial = getattr(g, "_gradient_of", (_no_tensor, latest))
            tensor = of()
            if serial < latest:
                _warn(
                    f"{caller}: the gradient of {_name(key)} is out of date, since the loss was computed before the "
                    "latest update: compute the loss again for each update, as in "
                    "optimizer.update(grad(f(parameters), parameters))"
                )
                break
            if tensor is not None and tensor is not self._leaves[key]:
                others[key] = of, weakref.ref(value_of(tensor)), weakref.ref(value_of(self.count))
        for key, (of, value, count) in others.items():
            before = _OTHERS.get(self, {}).get(key)
            if before is not None and before[0]() is of() and before[1]() is value() and before[2]() is not count():
                _warn(
                    f"{caller}: these are gradients of tensors that this optimizer does not update, such as "
                    f"{_name(key)}: make a new optimizer for a new net, as in optimizer = {type(self).__name__}(net), "
                    "or use assign() to give the old tensors new values"
                )
                break
        _OTHERS[self] = others

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _INSTEAD and not hasattr(type(self), name):
            self.__getattr__(name)
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> NoReturn:
        instead = _INSTEAD.get(name)
        message = f"{type(self).__name__} has no {name!r}" + (f": write {instead}" if instead else "")
        raise AttributeError(message, name=name, obj=None if instead else self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {_listed(self._leaves)}>"


# Kept outside the optimizers, since copied or saved optimizers do not need it.
_LATEST: weakref.WeakKeyDictionary[Optimizer, int] = weakref.WeakKeyDictionary()
"""Maps an optimizer to the serial number of a tensor that its latest update computed."""
_OTHERS: weakref.WeakKeyDictionary[Optimizer, dict[Any, Any]] = weakref.WeakKeyDictionary()
"""Maps an optimizer to the other tensors whose gradients its latest update was given, and to their values."""

_INSTEAD = {
    "load_state_dict": "for name, tensor in optimizer.state.items(): tensor.assign(saved[name])",
    "lr": "optimizer.learning_rate",
    "param_groups": "optimizer.learning_rate, and an optimizer for each group of parameters",
    "state_dict": "optimizer.state",
    "minimize": "optimizer.update(grad(loss, parameters))",
    "step": "optimizer.update(gradients), as in optimizer.update(grad(loss, parameters))",
    "zero_grad": "only optimizer.update(grad(loss, parameters)): unlike backward(), grad leaves nothing to clear",
}
_ARGUMENTS = {
    "alpha": "learning_rate=",
    "b1": "beta1=",
    "b2": "beta2=",
    "betas": "beta1= and beta2=",
    "eps": "epsilon=",
    "lr": "learning_rate=",
    "params": "parameters=",
    "step_size": "learning_rate=",
    "weight_decay": "a penalty in the loss, such as 0.5 * decay * np.sum(W**2),",
}


class SGD(Optimizer):
    """Update parameters by stochastic gradient descent, `p - learning_rate * g`, with optional momentum.

    With momentum, the velocity `v = momentum * v + g` replaces `g`; with `nesterov`, `g + momentum * v` replaces it
    (Sutskever et al. 2013, in PyTorch's form). Raises the errors of `Optimizer`, and ValueError for a momentum outside
    [0, 1) or for `nesterov` without momentum.

    >>> w = Tensor([3.0, -2.0], requires_grad=True)
    >>> optimizer = SGD(w, learning_rate=0.1, momentum=0.9)
    >>> for _ in range(200):
    ...     optimizer.update(2 * (w - 1.0))
    >>> np.allclose(w.data, 1.0, atol=1e-3)
    True
    """

    __slots__ = ("_momentum", "_nesterov")

    def __init__(
        self, parameters: Any, learning_rate: float | Schedule, *, momentum: float = 0.0, nesterov: bool = False
    ) -> None:
        self._momentum, self._nesterov = _number("SGD", "momentum", momentum, below=1.0), nesterov
        if nesterov and not momentum:
            raise ValueError("SGD: nesterov=True needs a momentum, such as 0.9")
        super().__init__(parameters, learning_rate, ["velocity"] if momentum else [])

    def _change(self, gradient: Any) -> Any:
        if self._momentum:
            velocity = self._averages["velocity"]
            velocity.assign(self._momentum * velocity + gradient)
            gradient = gradient + self._momentum * velocity if self._nesterov else velocity
        return self._in_dtype(self._rate) * gradient


class Adam(Optimizer):
    """Update parameters by Adam, or by AdamW, which adds decoupled weight decay.

    With `mean = beta1 * mean + (1 - beta1) * g` and `square = beta2 * square + (1 - beta2) * g**2`, update t subtracts
    `learning_rate * (mean / (1 - beta1**t)) / (sqrt(square / (1 - beta2**t)) + epsilon)` (Kingma and Ba 2015). Weight
    decay (Loshchilov and Hutter 2019) also subtracts `learning_rate * weight_decay * p`. Raises the errors of
    `Optimizer`, and ValueError for a beta outside [0, 1), an epsilon that is not positive, and a negative weight decay.

    >>> w = Tensor([3.0, -2.0], requires_grad=True)
    >>> optimizer = Adam(w, learning_rate=0.1)
    >>> for _ in range(300):
    ...     optimizer.update(2 * (w - 1.0))
    >>> np.allclose(w.data, 1.0, atol=1e-3)
    True
    """

    __slots__ = ("_beta1", "_beta2", "_epsilon", "_weight_decay")

    def __init__(
        self,
        parameters: Any,
        learning_rate: float | Schedule = 0.001,
        *,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        self._beta1 = _number("Adam", "beta1", beta1, below=1.0)
        self._beta2 = _number("Adam", "beta2", beta2, below=1.0)
        self._epsilon = _number("Adam", "epsilon", epsilon, above=0.0)
        self._weight_decay = _number("Adam", "weight_decay", weight_decay)
        super().__init__(parameters, learning_rate, ["mean", "square"])

    def _change(self, gradient: Any) -> Any:
        mean, square = self._averages["mean"], self._averages["square"]
        mean.assign(self._beta1 * mean + (1 - self._beta1) * gradient)
        square.assign(self._beta2 * square + (1 - self._beta2) * np.square(gradient))
        for p in self._leaves.values() if self._weight_decay else ():
            p.assign(self._in_dtype(1 - self._weight_decay * self._rate) * p)
        # The same formula, but no vector is divided by a number: numerator and denominator are multiplied by this root.
        root = np.sqrt(1 - self._beta2**self.count)
        size = self._in_dtype(self._rate * root / (1 - self._beta1**self.count))
        return size * mean / (np.sqrt(square) + self._in_dtype(self._epsilon * root))


# --- gradients and learning rates -------------------------------------------------------------------------------------


def clip_by_norm(gradients: Any, max_norm: float) -> Any:
    """Return the gradients, all multiplied by the same number so that their joint norm is at most `max_norm`.

    The joint norm is the norm of all gradients joined into one vector (Pascanu et al. 2013). The gradients may be in
    any container, and the result has the same form: an array for each array, and a Tensor for each Tensor. Raises
    ValueError unless `max_norm` is positive, `GradientError` for missing gradients, and `DtypeError` for gradients that
    are not floating-point.

    >>> clip_by_norm({"w": np.array([3.0, 0.0]), "b": np.array(4.0)}, max_norm=1.0)
    {'w': array([0.6, 0. ]), 'b': np.float64(0.8)}
    """
    if isinstance(gradients, numbers.Real) and not isinstance(max_norm, numbers.Real):
        raise TypeError("clip_by_norm takes the gradients first: write clip_by_norm(gradients, max_norm)")
    max_norm = _number("clip_by_norm", "max_norm", max_norm, above=0.0)
    leaves, treedef = flatten_parameters(gradients)
    found = [_floating("clip_by_norm", key, g) for key, g in zip(paths(treedef), leaves, strict=True)]
    if not found:
        raise GradientError("clip_by_norm: there are no gradients")
    wide = np.result_type(np.float32, *(g.dtype for g in found))
    vector = np.concatenate([g.astype(wide).reshape(-1) for g in found])
    size = np.maximum(np.max(np.absolute(vector)), max_norm) if vector.size else max_norm
    share = max_norm / size  # with it, squares cannot overflow, and zeros are not divided by zero
    factor = share / np.maximum(np.linalg.norm(vector / size), share)
    clipped = [(g * factor).astype(g.dtype) for g in found]
    for g, short in zip(found, clipped, strict=True):
        if hasattr(g, "_gradient_of"):
            short._gradient_of = g._gradient_of
    return unflatten(treedef, iter(clipped))


@explains_keywords(
    decay_rate="factor=",
    gamma="factor=",
    init_value="initial=",
    initial_learning_rate="initial=",
    lr="initial=",
    staircase="write lambda count: initial * factor ** (count // steps), which is a schedule, too",
    step_size="steps=",
    transition_steps="steps=",
)
def exponential_decay(initial: float, factor: float, steps: float = 1) -> Schedule:
    """Return a schedule that changes the learning rate smoothly, by a factor of `factor` every `steps` updates.

    The rate is `initial * factor ** (step / steps)`. Raises ValueError unless all three are positive.

    >>> exponential_decay(0.1, 0.5, steps=10)(np.array([0, 5, 10, 20])).round(4)
    array([0.1   , 0.0707, 0.05  , 0.025 ])
    """
    given = {"initial": initial, "factor": factor, "steps": steps}
    checked = {name: _number("exponential_decay", name, value, above=0.0) for name, value in given.items()}
    return functools.partial(_exponential, **checked)


def _exponential(step: Any, *, initial: float, factor: float, steps: float) -> Any:
    return initial * factor ** (step / steps)


@explains_keywords(
    T_max="steps=",
    alpha="write final=alpha * initial",
    decay_steps="steps=",
    eta_min="final=",
    init_value="initial=",
    initial_learning_rate="initial=",
    lr="initial=",
)
def cosine_decay(initial: float, steps: float, final: float = 0.0) -> Schedule:
    """Return a schedule that falls from `initial` to `final` in `steps` updates, along half a cosine wave.

    The rate is `final + (initial - final) * (1 + cos(pi * step / steps)) / 2` (Loshchilov and Hutter 2017), and `final`
    after that. Raises ValueError unless `initial` and `steps` are positive, and for a negative `final`.

    >>> cosine_decay(0.1, steps=100)(np.array([0, 50, 100, 200])).round(4)
    array([0.1 , 0.05, 0.  , 0.  ])
    """
    given = {"initial": initial, "steps": steps}
    checked = {name: _number("cosine_decay", name, value, above=0.0) for name, value in given.items()}
    return functools.partial(_cosine, **checked, final=_number("cosine_decay", "final", final))


def _cosine(step: Any, *, initial: float, steps: float, final: float) -> Any:
    return final + 0.5 * (initial - final) * (1 + np.cos(np.pi * np.minimum(step / steps, 1.0)))


@explains_keywords(peak_value="schedule=", transition_steps="steps=", warmup_steps="steps=")
def linear_warmup(steps: float, schedule: float | Schedule) -> Schedule:
    """Return a schedule that rises evenly in its first `steps` updates, to a number or to the rate of a `schedule`.

    The rate is `schedule(step) * min(1, (step + 1) / steps)`. Raises ValueError unless `steps` is positive.

    >>> linear_warmup(4, 0.1)(np.array([0, 1, 2, 3, 4]))
    array([0.025, 0.05 , 0.075, 0.1  , 0.1  ])
    """
    steps = _number("linear_warmup", "steps", steps, above=0.0)
    after = schedule if callable(schedule) else _number("linear_warmup", "schedule", schedule)
    return functools.partial(_warmup, steps=steps, schedule=after)


def _warmup(step: Any, *, steps: float, schedule: float | Schedule) -> Any:
    return np.minimum((step + 1) / steps, 1.0) * (schedule(step) if callable(schedule) else schedule)


def named_parameters(parameters: Any) -> dict[str, Any]:
    """Return the tensors or arrays of a container in a dict, under names made of their keys, such as "layers.0.W".

    Settings, such as strings, None and functions, are left out, and so are numbers in a container of Tensors.
    `np.savez(file, **named_parameters(net))` saves a net of any form. Raises ValueError if two names are equal, as for
    the keys 0 and "0", and TypeError for a single tensor, which has no key.

    >>> layers = [{"W": Tensor([1.0, 2.0]), "b": Tensor(3.0)}, {"W": Tensor([4.0])}]
    >>> named_parameters(layers)
    {'0.W': Tensor([1., 2.]), '0.b': Tensor(3.), '1.W': Tensor([4.])}
    """
    leaves, treedef = flatten_parameters(parameters)
    found = dict(zip(paths(treedef), leaves, strict=True))
    if () in found:
        raise TypeError(
            "named_parameters takes a list, tuple, dict or dataclass of tensors, not a "
            f"{type(parameters).__name__}{plain_class(parameters) or ': write np.savez(file, W=W)'}"
        )
    names = {".".join(map(str, key)): leaf for key, leaf in found.items()}
    if len(names) < len(found):
        raise ValueError("named_parameters: two keys of the container have the same name, as 0 and '0' do")
    return names


# --- batches and dropout ----------------------------------------------------------------------------------------------

_SMALLER_BATCH = "to skip a smaller last batch, write if len(y) < size: continue at the beginning of the loop's body"
_IN_TRAINING = "multiply by a mask in training only, and by 1.0 otherwise"


@explains_keywords(
    batch_size="size=",
    drop_last=_SMALLER_BATCH,
    drop_remainder=_SMALLER_BATCH,
    generator="rng=",
    key="rng=",
    num_workers="leave it out, since the rows are taken from arrays in memory",
    shuffle="leave it out, since the order is always random",
)
def batches(rng: np.random.Generator, size: int, *arrays: Any) -> Iterator[tuple[Any, ...]]:
    """Yield batches of `size` rows in random order, until each row has been used once; the last batch may be smaller.

    A batch is a tuple that has the same rows of each array. The order is drawn from `rng` when `batches` is called.
    Raises `ShapeError` for arrays without rows or of different lengths, TypeError if `rng` is not a NumPy Generator,
    and ValueError for sizes below 1.

    >>> X, y = np.arange(5) / 10, np.arange(5)
    >>> [rows.tolist() for _, rows in batches(np.random.default_rng(0), 2, X, y)]
    [[2, 4], [3, 0], [1]]
    """
    _check_generator("batches", rng, "batches(rng, size, X, y)")
    if not isinstance(size, int | np.integer) or size < 1:
        given = (
            f"an array of shape {size.shape}: write batches(rng, size, X, y)" if hasattr(size, "shape") else repr(size)
        )
        raise ValueError(f"batches: the size must be a number of rows, 1 or more, not {given}")
    data = [array if type(array) is Tensor else np.asarray(array) for array in arrays]
    lengths = [array.shape[0] if array.ndim else None for array in data]
    if not data or None in lengths or len(set(lengths)) > 1:
        raise ShapeError(f"batches: the arrays must have equal numbers of rows, but their lengths are {lengths}")
    order = rng.permutation(len(data[0]))
    starts = range(0, len(order), int(size))
    return (tuple(array[order[start : start + size]] for array in data) for start in starts)


@explains_keywords(
    deterministic=_IN_TRAINING,
    generator="rng=",
    keep_prob="write rate=1 - keep_prob",
    key="rng=",
    p="rate=",
    training=_IN_TRAINING,
)
def dropout_mask(
    rng: np.random.Generator, shape: int | tuple[int, ...], rate: float, dtype: DTypeLike = "float64"
) -> NDArray[Any]:
    """Return a random array to multiply by: 0 with probability `rate`, otherwise `1 / (1 - rate)`, so 1 on average.

    Draw it outside a captured step, pass it as an argument, and multiply by it only in training (Srivastava et al.
    2014). Raises ValueError for a rate outside [0, 1), and TypeError if `rng` is not a NumPy Generator.

    >>> dropout_mask(np.random.default_rng(0), (2, 4), rate=0.5)
    array([[2., 0., 0., 0.],
           [2., 2., 2., 2.]])
    """
    _check_generator("dropout_mask", rng, "dropout_mask(rng, shape, rate)")
    rate = _number("dropout_mask", "rate", rate, below=1.0)
    return np.divide(rng.random(shape) >= rate, 1.0 - rate).astype(dtype)


# --- checks -----------------------------------------------------------------------------------------------------------


def _by_path(container: Any) -> dict[tuple[Any, ...], Any]:
    """Return a dict of a container's leaves; the key of each is the path to it, such as `("layers", 0, "W")`."""
    leaves, treedef = flatten(container)
    return dict(zip(paths(treedef), leaves, strict=True))


def _listed(keys: Iterable[Any]) -> str:
    return ", ".join(_name(key) if key else "a single one" for key in keys) or "none"


def _name(key: tuple[Any, ...]) -> str:
    return repr(".".join(map(str, key))) if key else "the parameter"


def _parameters(caller: str, container: Any) -> dict[Any, Tensor]:
    """Return a dict of the parameters, in the order of their names; the key of each is the path to it."""
    leaves, treedef = flatten_parameters(container)
    found = dict(sorted(zip(paths(treedef), leaves, strict=True), key=lambda item: _name(item[0])))
    for key, p in found.items():
        if type(p) is not Tensor:
            raise TypeError(
                f"{caller}: the parameters must be Tensors, in a list, tuple, dict or dataclass, but {_name(key)} is "
                f"of type {type(p).__name__}"
                + (plain_class(p) or f": write {caller}(net) for a dict of them, or {caller}([model.W, model.b])")
            )
        if not p.is_leaf or not p.requires_grad:
            why = "was computed" if not p.is_leaf else "requires no gradients: leave it out"
            raise GradientError(
                f"{caller}: {_name(key)} {why}. Parameters are tensors made by Tensor(data, requires_grad=True)"
            )
    if not found:
        raise GradientError(f"{caller}: there are no parameters")
    for p in found.values():
        same = [key for key, other in found.items() if other is p]
        if len(same) > 1:
            raise GradientError(
                f"{caller}: {' and '.join(map(_name, same))} are the same tensor: pass it once, and take its gradient "
                "once, which counts all its uses"
            )
    return found


def _floating(caller: str, key: Any, gradient: Any) -> Any:
    """Return a gradient unchanged if it is a Tensor, else as an array; raise unless it is floating-point."""
    if gradient is None:
        raise GradientError(
            f"{caller}: the gradient of {_name(key)} is None: pass one for each parameter, as in grad(loss, "
            "parameters); to freeze a parameter, leave it out of the parameters"
        )
    if type(gradient) is Tensor and gradient.is_leaf and gradient.requires_grad:
        raise GradientError(
            f"{caller} takes gradients, but {_name(key)} is a parameter: pass grad(loss, parameters), and use what "
            "clip_by_norm returns"
        )
    array = gradient if type(gradient) is Tensor else np.asarray(gradient)
    if array.dtype.kind != "f":
        if array.dtype == object:
            raise DtypeError(
                f"{caller}: the gradient of {_name(key)} must be floating-point, not {type(gradient).__name__}: pass "
                "gradients in a list, tuple, dict or dataclass"
            )
        raise DtypeError(f"{caller}: the gradient of {_name(key)} must be floating-point, not {array.dtype}")
    return array


def _no_tensor() -> None:
    """Return None, as the weak reference to a deleted tensor does; used for a gradient whose input is not known."""


def _warn(message: str) -> None:
    warnings.warn(message, UserWarning, stacklevel=4)  # the line that calls update()


def _number(caller: str, name: str, value: Any, *, above: float | None = None, below: float = math.inf) -> float:
    """Return `value` as a float; raise unless it is at least 0 (or above `above`) and less than `below`."""
    if not isinstance(value, numbers.Real):
        raise TypeError(f"{caller}: {name} must be a number, not {type(value).__name__}")
    number = float(value)
    if not (number >= 0 if above is None else number > above) or not number < below:
        range_ = f"{'at least 0' if above is None else 'positive'} and {'finite' if below == math.inf else 'below 1'}"
        raise ValueError(f"{caller}: {name} must be {range_}, not {value!r}")
    return number


def _check_generator(caller: str, rng: Any, call: str) -> None:
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            f"{caller}: rng must be a generator, such as np.random.default_rng(0), made once for all calls, but it is "
            f"{type(rng).__name__}: write {call}"
        )
