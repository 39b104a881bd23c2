"""The values of a function near its inputs, of which differences are taken, and how noisy they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.gradcheck.differences import Line, typical_scale
from autograd_spiral.gradcheck.function import CheckedFunction, Swept, is_recorded
from autograd_spiral.gradcheck.judging.noise import measured_noise
from autograd_spiral.gradcheck.rounding import Rounding, at_least, joined, largest_of, rounding_of
from autograd_spiral.gradcheck.verdicts import Array

__all__ = ["Values"]


NOISE_REACH = 6  # this many standard deviations of the measured noise count as its bound


class Values:
    """The outputs of a function near its inputs, all elements in a row, and their `weights`, the cotangents.

    Differences are taken at `base`, the inputs (in float64 if that works), in steps of the `scales` of the elements of
    each input. `centre` holds the outputs there, computed with spacing `eps`. `noise` is how far each of them can be
    off; `recorded` is the part of it that the record shows, if the function `has_record`. A change of at most `hiding`
    may not show at all. `met` is the largest number that was met, and `astray` by what part float64 changes the values
    of a function that must be evaluated in a narrower dtype. `rounding` is that of the outputs and gradients at the
    inputs themselves, and `limits` are those of the narrowest input's dtype.
    """

    def __init__(self, function: CheckedFunction, cotangents: Sequence[Array], swept: Swept) -> None:
        self.function, self.weights, self.astray = function, joined(cotangents), 0.0
        self._all_kept = bool(np.all(self.weights))
        self.has_record, self.limits = is_recorded(swept.outputs), np.finfo(function.narrowest)
        leaves, gradients = list(swept.leaves.values()), list(swept.gradients.values())
        self.rounding = measured = rounding_of(swept.outputs, cotangents, leaves, gradients)
        self.base, measured = self._widened(swept.outputs, measured)
        self._dtype = min((x.dtype for x in self.base if x.dtype.kind == "f"), key=lambda d: -np.finfo(d).eps)
        self.eps = float(np.finfo(self._dtype).eps)
        self.met = measured.largest if self.has_record else max(1.0, *map(largest_of, self.base))
        self.noise = joined(measured.outputs)
        self.hiding = joined(measured.loose_outputs) + 4 * self.eps * self.met
        self.scales = {at: np.ravel(typical_scale(self.base[at])) for at in function.floating}
        self.centre = function.values(self.base)
        with np.errstate(all="ignore"):
            self.recorded = self.noise + 2 * self.eps * np.abs(self.centre)
            self._measure()
        if function.wobble:
            self.noise = self.noise + 2 * joined(function.wobble.outputs)

    @np.errstate(all="ignore")
    def _widened(self, outputs: Sequence[Tensor], measured: Rounding) -> tuple[list[Array], Rounding]:
        """Return the point where differences are taken, and the rounding of the outputs there.

        The function must return float64 there, and the same values up to rounding; otherwise differences are taken in
        the dtypes of the inputs, with their noise.
        """
        arrays = self.function.arrays
        wide = [at_least(x, float) for x in arrays]
        if any(a is not b for a, b in zip(wide, arrays, strict=True)):
            try:
                _, wide_outputs = self.function.run(wide, recorded=True)
            except Exception:  # the function insists on the dtype it was given
                return arrays, measured
            values, wide_values = (joined([out.data for out in run]) for run in (outputs, wide_outputs))
            if values.size == wide_values.size and all(out.dtype.itemsize >= 8 for out in wide_outputs):
                off = np.where(np.isfinite(wide_values), np.abs(values - wide_values), 0.0)
                if np.all(off <= 4 * joined(measured.loose_outputs)):
                    return wide, rounding_of(wide_outputs, (), (), ())
                sizes = np.abs(self.weights)
                self.astray = float(sizes @ off) / (float(sizes @ np.abs(np.nan_to_num(values))) or 1.0)
        return arrays, measured

    def _measure(self) -> None:
        """Measure the noise of the outputs, and how they move, while all inputs change by small parts of themselves."""
        rng = np.random.default_rng(0)
        self._ways = {}
        for at in self.function.floating:
            x = self.base[at]
            self._ways[at] = rng.choice([-1.0, 1.0], x.shape) * rng.uniform(0.6, 1.6, x.shape) * x

        def moved(t: float) -> Array:
            arrays = list(self.base)
            for at, way in self._ways.items():
                arrays[at] = np.asarray(self.base[at] + t * way, self.base[at].dtype)
            return self.function.values(arrays)

        noise, self._steps, values = measured_noise(moved, self.eps, self.noise)
        counted = self.weights != 0
        weights, centre = self.weights[counted], self.centre[counted]
        self._moves = (values[:, counted] - centre) @ weights
        self._reach = (4 * self.noise[counted] + 1e-9 * np.abs(centre)) @ np.abs(weights)
        self.noise = np.maximum(self.noise, NOISE_REACH * noise)

    def kept(self, outputs: Array) -> Array:
        """Return those outputs, along the last axis, whose weight is not 0: the others may have no slope."""
        return outputs if self._all_kept else np.compress(self.weights != 0, outputs, axis=-1)

    @np.errstate(all="ignore")
    def depart_from(self, gradients: Mapping[int, Array]) -> bool:
        """Return whether the outputs depart from these gradients even within the small steps that measured the noise.

        Then the function varies within such steps, or a gradient is wrong.
        """
        slope = sum(float(np.sum(gradients[at].astype(float) * way)) for at, way in self._ways.items())
        off = np.abs(self._moves - self._steps * slope)
        return bool(np.any(off > np.max(np.abs(self._moves)) / 10 + self._reach))

    @np.errstate(all="ignore")
    def line(self, at: int, moved: Callable[[Any], Array], scale: float) -> Line:
        """Return the line of the outputs at `moved(t)` in place of input `at`, in steps of this scale."""
        arrays = list(self.base)

        def along(t: complex) -> Array:
            if t == 0:
                return self.centre
            arrays[at] = moved(t)
            return self.function.complex_values(arrays) if isinstance(t, complex) else self.function.values(arrays)

        return Line(along, scale, self.noise, self._dtype)
