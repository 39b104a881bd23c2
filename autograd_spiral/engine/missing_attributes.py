"""Attributes that raise an error with what to write instead: names of arrays or other tensors that ours lack.

They are in a base class: `hasattr` is False for them, and they cost nothing. A `__getattr__` on Tensor would do the
same in fewer lines, but Python then finds all other attributes more slowly.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import NoReturn

__all__ = ["MissingNames", "add_missing"]


class MissingNames:
    """A base class of Tensor with attributes that raise and say what to write instead; `add_missing` adds them.

    >>> from autograd_spiral import Tensor
    >>> Tensor([1.0, 2.0]).unsqueeze
    Traceback (most recent call last):
      ...
    AttributeError: Tensor has no 'unsqueeze': write np.expand_dims(t, axis)
    """

    __slots__ = ()

    def __dir__(self) -> list[str]:
        kind = type(self)
        return [name for name in super().__dir__() if type(inspect.getattr_static(kind, name, None)) is not _Missing]


class _Missing:
    """A descriptor in the place of a missing attribute: reading it raises AttributeError."""

    __slots__ = ("_instead", "_name")

    def __init__(self, name: str, instead: str | Callable[[], str]) -> None:
        self._name, self._instead = name, instead

    def __get__(self, instance: object, owner: type) -> NoReturn:
        instead = self._instead if isinstance(self._instead, str) else self._instead()
        # Without `obj=`, Python does not suggest another attribute itself.
        raise AttributeError(f"{owner.__name__} has no {self._name!r}: {instead}", name=self._name)


def add_missing(name: str, instead: str | Callable[[], str]) -> None:
    """Let the error for `t.name` say what to do `instead`: a text, or a function that returns it."""
    setattr(MissingNames, name, _Missing(name, instead))
