"""Several processes that share a mesh: the messages they exchange, and what must be the same in all of them.

Everything that the processes compute together includes an all-reduce, and their messages are sent along with it. For
this, each process fills its own row of an array of zeros, and the arrays are added up.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.errors import CaptureError, LostPeerError
from autograd_spiral.program.executor import OutOfStep
from autograd_spiral.program.ir import Value
from autograd_spiral.program.xla.leaves import OnDevice
from autograd_spiral.program.xla.library import in_float64, jax, jnp
from autograd_spiral.program.xla.patience import in_time
from autograd_spiral.program.xla.sharding import DeviceMesh

__all__ = ["FINE", "REFUSED", "SUSPICIOUS", "Processes", "Stamped", "digest", "processes_of", "told", "total"]

T = TypeVar("T")

FINE, REFUSED, SUSPICIOUS = range(3)
"""What a process reports about its arguments; if they are suspicious, NumPy decides whether they are refused."""


def processes_of(mesh: Any) -> set[int]:
    """Return the numbers of the processes to which the devices of a mesh belong."""
    return {device.process_index for device in mesh.devices.flat}


def digest(*parts: Any) -> int:
    """Return a hash of 48 bits for strings, numbers and arrays.

    >>> digest(np.zeros(2)) == digest(np.zeros(2)), digest(np.zeros(2)) == digest(np.zeros(3))
    (True, False)
    """
    made = hashlib.blake2b(digest_size=6)
    for part in parts:
        described = f"{part.dtype}{part.shape}" if isinstance(part, np.ndarray) else repr(part)
        made.update(described.encode() + b"\n")
        if isinstance(part, np.ndarray):
            made.update(np.ascontiguousarray(part).view(np.uint8).data if part.size else b"")
    return int.from_bytes(made.digest(), "big")


class Stamped(OnDevice):
    """An array that each process has, with a stamp, which is a number: equal stamps mean equal arrays.

    So arrays can be compared without reading them back from the devices.
    """

    __slots__ = ("stamp",)

    def __init__(self, array: Any, stamp: int, home: NDArray[Any] | None = None) -> None:
        super().__init__(array, home)
        self.stamp = stamp


class Processes(DeviceMesh):
    """A mesh of devices that belong to several processes, which all have equally many rows."""

    def __init__(self, mesh: Any, rows: Sequence[str] | None, patience: float) -> None:
        super().__init__(mesh, rows)
        if not patience > 0:
            raise ValueError(f"patience must be a positive number of seconds, not {patience!r}")
        self.numbers = sorted(processes_of(mesh))
        own = jax.process_index()
        self._refuse_shares(own)
        self.own, self.patience = self.numbers.index(own), patience
        self._first = next(i for i, device in enumerate(mesh.devices.flat) if device.process_index == own)
        self._by_device = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(mesh.axis_names))
        self._total = self.jitted(total)
        _LATEST.setdefault(mesh, self._add_up)
        self._lost: str | None = None

    def _refuse_shares(self, own: int) -> None:
        """Raise ValueError unless the first axis of the mesh has equally large parts, one for each process."""
        if own not in self.numbers:
            raise ValueError(f"none of the devices of the mesh belongs to this process, {own}")
        owners: dict[int, set[int]] = {number: set() for number in self.numbers}
        for place, device in np.ndenumerate(self.mesh.devices):
            owners[device.process_index].add(place[0])
        counts = set(map(len, owners.values()))
        if len(counts) > 1 or sum(map(len, owners.values())) > self.parts:
            raise ValueError(
                f"each process must have an equal part of the first axis of the mesh, not {owners}: make the mesh of "
                "jax.devices() in their order, with as many devices of each process"
            )

    # --- arrays -------------------------------------------------------------------------------------------------------

    def has(self, known: OnDevice) -> bool:
        """Whether an array is on these devices and has a stamp."""
        return isinstance(known, Stamped) and super().has(known)

    def sent(self, home: NDArray[Any]) -> OnDevice:
        """Send a NumPy array to the devices, and return the array there, with a stamp made from its contents."""
        return Stamped(self.send(home), digest(home), home)

    def send(self, array: NDArray[Any]) -> Any:
        """Return a copy of `array` on each device of this process."""
        copy = np.array(array)
        return in_float64(jax.make_array_from_callback, copy.shape, self.sharding, copy.__getitem__)

    def argument(self, array: Any, value: Value, sharding: Any) -> Any:
        """Return the array on the devices for `value`. Raises `CaptureError` unless `array` has this process's rows."""
        if isinstance(array, OnDevice):
            return array.array
        if sharding is not self.by_rows:
            return self.send(np.asarray(array, value.dtype))
        if array.shape != (expected := (value.shape[0] // len(self.numbers), *value.shape[1:])):
            raise CaptureError(
                f"an input of shape {array.shape} where {expected} was expected: the program is for the rows of "
                f"{len(self.numbers)} processes together, shape {value.shape}, and each process passes its own"
            )
        make = jax.make_array_from_process_local_data
        return in_float64(make, sharding, np.array(array, value.dtype), value.shape)

    def zeros(self, value: Value, sharding: Any) -> Any:
        """Return zeros in place of `value`."""

        def part(index: Any) -> NDArray[Any]:
            return np.zeros(np.empty(value.shape, bool)[index].shape, value.dtype)

        return jax.make_array_from_callback(value.shape, sharding, part)

    # --- what they tell each other ------------------------------------------------------------------------------------

    def row(self, *numbers: int, dtype: Any = np.float64) -> Any:
        """Return an array on the devices with these numbers in the row of this process; `total` adds up all rows.

        The array has the floating dtype of the other sums, since an all-reduce has a single dtype. Large numbers are
        not exact in float32, so each number is split into two smaller ones.
        """
        own = np.zeros((1, len(self.numbers), 2 * len(numbers)), dtype)
        nothing, shape = np.zeros_like(own), (self.mesh.devices.size, *own.shape[1:])
        own[0, self.own] = [part for number in numbers for part in divmod(number, _HALF)]

        def part(index: Any) -> NDArray[Any]:
            return own if index[0].start == self._first else nothing

        return in_float64(jax.make_array_from_callback, shape, self._by_device, part)

    def gather(self, name: str, *numbers: int) -> NDArray[Any]:
        """Return a row of numbers from each process."""
        return told(self.together(name, lambda: self._add_up(*numbers)))

    def _add_up(self, *numbers: int) -> Any:
        return self._total(self.row(*numbers))

    def together(self, name: str, compute: Callable[[], T]) -> T:
        """Return what all processes compute together. Raises `LostPeerError` if this takes longer than `patience`."""
        try:
            if self._lost is not None:
                raise TimeoutError(self._lost)
            computed: T = in_time(lambda: jax.block_until_ready(in_float64(compute)), self.patience)
            return computed
        except (jax.errors.JaxRuntimeError, TimeoutError) as error:
            self._lost = str(error).splitlines()[0][:200]
            raise LostPeerError(
                f"{name}: another of the processes {self.numbers} has ended, or does not answer. The leaves have the "
                "values from before this call: save them, end this process with os._exit(1), since JAX would wait for "
                f"the others, and start all processes again from the saved values ({self._lost})"
            ) from None

    def started(self, add_up: Callable[..., Any]) -> None:
        """Remember what all processes ran last, as a function from a process's numbers to the `total` of all rows."""
        _LATEST[self.mesh] = add_up

    def agree(self, name: str, refusal: Exception | None = None, made: int = 0) -> None:
        """Raise an error in all processes if a process refuses its arguments, or if they have made different programs.

        For this, the program that ran last runs again, on zeros, since another process may be running it now, too.
        """
        flag = FINE if refusal is None else REFUSED
        found = told(self.together(name, lambda: _LATEST[self.mesh](True, flag, made, 0)))
        self.raise_refusals(name, found, refusal)
        if any(found[:, 2] != made):
            raise _told(
                CaptureError(
                    f"{name} is not the same program in the processes {self.numbers}: all must pass equally many rows, "
                    "and use the same numbers, shapes and constants. No leaf has changed"
                )
            )

    def raise_refusals(self, name: str, found: NDArray[Any], refusal: Exception | None) -> None:
        """Raise this process's own refusal, `CaptureError` if others refuse, or `OutOfStep` if they do something else.

        `found` has a row for each process: whether it captures or verifies the step, and what it reports about its
        arguments.
        """
        agreeing, flags, *_ = found.T
        if refusal is not None:
            refusal.add_note(f"in process {self.numbers[self.own]}, which counts its own rows; no leaf has changed")
            raise _told(refusal)
        if any(agreeing != agreeing[0]):
            raise _told(
                OutOfStep(
                    f"{name}: process {self._those(agreeing == 1)} makes or verifies a program where the others run "
                    "one: all must pass equally many rows, and what the step reads must change in all "
                    "of them. No leaf has changed, and the next call can go on"
                )
            )
        if any(flags == REFUSED):
            raise _told(
                CaptureError(
                    f"{name}: process {self._those(flags == REFUSED)} refused its rows or the step, and raises the "
                    "error that says why. No leaf has changed, and the next call can go on"
                )
            )

    def _those(self, which: NDArray[Any]) -> str:
        return ", ".join(str(number) for number, one in zip(self.numbers, which, strict=True) if one)

    @contextlib.contextmanager
    def alike(self, name: str) -> Iterator[None]:
        """If the body raises an error in one process, raise an error in all of them."""
        try:
            yield
        except Exception as error:
            if not vars(error).get(_TOLD) and not isinstance(error, LostPeerError):
                self.agree(name, error)
            raise
        self.agree(name)


_LATEST: dict[Any, Callable[..., Any]] = {}
"""Maps each mesh to the program that its processes ran last."""

_TOLD = "_all_processes_know"


def _told(error: Exception) -> Exception:
    """Mark an error as known to all processes, so that it is not reported to them again."""
    vars(error)[_TOLD] = True
    return error


_HALF = 1 << 24
"""Whole numbers that are smaller than this are exact in float32."""


def total(rows: Any) -> Any:
    """Add up the rows of all devices."""
    return jnp.sum(rows, axis=0)


def told(total: Any) -> NDArray[np.int64]:
    """Return an array with one row of numbers for each process."""
    halves = np.asarray(total).astype(np.int64)
    return halves[:, ::2] * _HALF + halves[:, 1::2]
