"""The base of optimizers: parameters, learning rate and state, and the warnings for updates that train nothing."""

from __future__ import annotations

import inspect
import warnings
import weakref
from collections.abc import Sequence
from typing import Any, Never, NoReturn, Self

import numpy as np

from autograd_spiral.engine.messages import IN_PLACE, KEYWORDS, unknown_keyword
from autograd_spiral.engine.modes import MODE, no_grad, scope
from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.errors import GradientError, ShapeError
from autograd_spiral.optimizers.arguments import number_or_tensor
from autograd_spiral.optimizers.parameters import by_path, called, floating_gradient, listed, parameters_by_path
from autograd_spiral.optimizers.schedules import Schedule

__all__ = ["Optimizer"]


class Optimizer:
    """Update parameters from their gradients: the base class of `SGD` and `Adam`.

    `parameters` is a tensor that requires gradients and was not computed from others (a leaf), or a list, tuple, dict
    or dataclass of such tensors, nested as you like. It may also hold settings, such as strings, numbers, None and
    functions; these are skipped. `learning_rate` is a number, or a schedule: a function that takes the number of
    updates so far and returns the rate, such as `cosine_decay(…)`. The attribute `count` is the number of updates so
    far, as a Tensor. Raises TypeError or `GradientError` if a parameter is not such a tensor, or occurs twice.

    >>> from autograd_spiral import SGD
    >>> optimizer = SGD({"w": Tensor([1.0, 2.0], requires_grad=True)}, learning_rate=0.1)
    >>> optimizer.update({"w": np.array([1.0, 1.0])})
    >>> optimizer.parameters["w"], int(optimizer.count)
    (Tensor([0.9, 1.9], requires_grad=True), 1)
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
            for name in kwargs:
                if name in KEYWORDS.get(cls.__name__, ()) and name not in signature.parameters:
                    raise unknown_keyword(cls.__name__, name) from None
            usual = f"the first arguments are {', '.join(list(signature.parameters)[1:3])}; pass the others by name"
            raise TypeError(f"{cls.__name__}: {error}: {usual}") from None
        return super().__new__(cls)

    def __init__(self, parameters: Any, learning_rate: float | Schedule, averages: Sequence[str] = ()) -> None:
        self.parameters = parameters
        self._leaves = parameters_by_path(type(self).__name__, parameters)
        self._settings = frozenset(by_path(parameters)) - self._leaves.keys()
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
        """The learning rate of the latest update, as a Tensor; before any update, the rate of the first one.

        To change it for later updates, set it to a number, or to a zero-dimensional array or Tensor. A captured step
        uses its current value at each call, so changing it makes no new program. Setting it raises TypeError for
        anything else, ValueError for a negative number, and `GradientError` if the rate follows a schedule. If a
        captured step sets it to an array or a Tensor, the value is not checked.

        >>> from autograd_spiral import Adam
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
        self._rate.assign(number_or_tensor(type(self).__name__, "learning_rate", rate))

    @property
    def state(self) -> dict[str, Tensor]:
        """All tensors of the optimizer except the parameters, by name.

        To restore a saved state, `assign` the saved values to these tensors. An average of gradients, such as
        `Adam.mean`, is one vector for all parameters together.

        >>> from autograd_spiral import Adam
        >>> w = Tensor([1.0, 2.0], requires_grad=True)
        >>> list(Adam({"w": w}).state)
        ['Adam.count', 'Adam.learning_rate', 'Adam.mean', 'Adam.square']
        """
        own = {"count": self.count, "learning_rate": self._rate, **self._averages}
        return {f"{type(self).__name__}.{name}": tensor for name, tensor in own.items()}

    def update(self, gradients: Any = None, *others: Never) -> None:
        """Make one update: assign new values to all parameters, computed from their gradients.

        `gradients` has the form of the parameters: a single gradient, or a container with the same keys. In a captured
        step, the parameters and the optimizer's own tensors change only when the whole step has succeeded. Pictures
        show the update of W as `W ← Adam(W, dW)`.

        Raises `GradientError` if the gradients have another form, if one is missing, or if the container now holds
        other parameters. Raises `ShapeError` if a gradient has another shape, and `DtypeError` if it is not
        floating-point. Issues a UserWarning if the gradients are out of date because the loss was computed before the
        latest update. Also issues one if the gradients are those of other tensors, such as the parameters of a new net,
        and these tensors do not change from one update to the next.

        >>> from autograd_spiral import Adam
        >>> w = Tensor([1.0, 2.0], requires_grad=True)
        >>> Adam(w, learning_rate=0.1).update(np.array([3.0, -0.5]))
        >>> w  # the first update of Adam changes each number by the learning rate
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
        now = {key: p for key, p in by_path(self.parameters).items() if key not in settings or type(p) is Tensor}
        if now.keys() != self._leaves.keys() or any(now[key] is not p for key, p in self._leaves.items()):
            raise GradientError(
                f"{caller}: the container now holds other parameters: use assign() to give the old ones new values"
            )
        given = by_path(gradients).items()
        found = {key: floating_gradient(caller, key, g) for key, g in given if key not in settings}
        if found.keys() != self._leaves.keys():
            raise GradientError(
                f"{caller}: the parameters are {listed(self._leaves)}, but the gradients are {listed(found)}: write "
                "grad(loss, parameters) or value_and_grad(f)(parameters), for gradients in the form of the parameters. "
                f"To freeze a parameter, leave it out of both {type(self).__name__}(…) and grad(…)"
            )
        for key, p in self._leaves.items():
            if found[key].shape != p.shape:
                shape = found[key].shape
                raise ShapeError(f"{caller}: {called(key)} has shape {p.shape}, but its gradient has shape {shape}")
        return {key: found[key] for key in self._leaves}

    def _warn_of_no_effect(self, gradients: dict[Any, Any]) -> None:
        """Warn of gradients of tensors that are not updated here, and of a loss from before the latest update.

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
                    f"{caller}: the gradient of {called(key)} is out of date, since the loss was computed before the "
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
                    f"{called(key)}: make a new optimizer for a new net, as in optimizer = {type(self).__name__}(net), "
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
        return f"<{type(self).__name__} of {listed(self._leaves)}>"


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

IN_PLACE["learning_rate"] = (
    "write optimizer.learning_rate = 0.5 * optimizer.learning_rate, or t.assign(0.5 * t) for a tensor of your own"
)


def _no_tensor() -> None:
    """Return None, as the weak reference to a deleted tensor does; used for a gradient whose input is not known."""


def _warn(message: str) -> None:
    warnings.warn(message, UserWarning, stacklevel=4)  # the line that calls update()
