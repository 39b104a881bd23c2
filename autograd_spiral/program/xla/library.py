"""JAX, imported only when one of its names is first used, so that everything else works without it."""

from __future__ import annotations

import importlib
import queue
import threading
from collections.abc import Callable
from typing import Any

__all__ = ["in_a_thread", "in_float64", "jax", "jnp", "lax", "require", "special"]


class _Module:
    """A module that is imported when an attribute of it is first read."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__"):  # tools such as doctest read these from any object: no reason to import JAX
            raise AttributeError(attribute)
        return getattr(importlib.import_module(self._name), attribute)


jax: Any = _Module("jax")
jnp: Any = _Module("jax.numpy")
lax: Any = _Module("jax.lax")
special: Any = _Module("jax.scipy.special")


def in_float64(function: Callable[..., Any], *args: Any) -> Any:
    """Return `function(*args)`, called with float64 and int64 enabled in JAX; restore JAX's setting afterwards.

    The setting is restored twice, in case an interrupt comes while the `with` statement restores it.
    """
    setting = jax.enable_x64
    before = setting.get_local()
    try:
        with setting(True):
            return function(*args)
    finally:
        setting.set_local(before)


def in_a_thread(function: Callable[[], Any]) -> Any:
    """Return `in_float64(function)`, called in its own thread, which no interrupt can reach.

    This is for long work in JAX. In the user's thread, an interrupt could stop the work halfway, and the rest of it
    could change JAX's settings in that thread later.
    """
    answer: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()  # which an interrupt cannot break

    def work() -> None:
        try:
            answer.put((in_float64(function), None))
        except BaseException as error:
            answer.put((None, error))

    threading.Thread(target=work, name="autograd_spiral.xla.compile", daemon=True).start()
    value, error = answer.get()
    if error is not None:
        raise error
    return value


def require() -> None:
    """Import JAX; if it is missing or too old, raise an ImportError that says how to install it."""
    try:
        jax.enable_x64  # noqa: B018  # since JAX 0.8
    except (ImportError, AttributeError) as error:
        raise ImportError(
            "xla() needs JAX, in a version with jax.enable_x64: pip install 'autograd-spiral[xla]', or for a GPU "
            "the version of JAX built for it (https://docs.jax.dev/en/latest/installation.html)"
        ) from error
