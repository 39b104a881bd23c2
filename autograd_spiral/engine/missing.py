"""Attributes that Tensor lacks: reading one raises an AttributeError that says what to write instead.

They are descriptors in a base class, so `hasattr` is False for them, and other attributes are as fast as without them.
A `__getattr__` on Tensor would do the same in fewer lines, but would slow down every other attribute.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import NoReturn

__all__ = ["Hints", "hint"]


class Hints:
    """A base class of Tensor that holds the missing attributes, each with what to write instead.

    >>> from autograd_spiral import Tensor
    >>> Tensor([1.0, 2.0]).unsqueeze
    Traceback (most recent call last):
      ...
    AttributeError: Tensor has no 'unsqueeze': write np.expand_dims(t, axis)
    """

    __slots__ = ()

    def __dir__(self) -> list[str]:
        kind = type(self)
        return [name for name in super().__dir__() if type(inspect.getattr_static(kind, name, None)) is not _Hint]


class _Hint:
    """A descriptor for a missing attribute: reading it raises."""

    __slots__ = ("_instead", "_name")

    def __init__(self, name: str, instead: str | Callable[[], str]) -> None:
        self._name, self._instead = name, instead

    def __get__(self, instance: object, owner: type) -> NoReturn:
        # Only the name is passed on, so that Python does not suggest another attribute itself.
        raise AttributeError(f"{owner.__name__} has no {self._name!r}: {self}", name=self._name)

    def __str__(self) -> str:
        return self._instead if isinstance(self._instead, str) else self._instead()


def hint(name: str, instead: str | Callable[[], str]) -> None:
    """Make `t.name` raise an error that says what to do `instead`: a text, or a function that returns one."""
    setattr(Hints, name, _Hint(name, instead))
