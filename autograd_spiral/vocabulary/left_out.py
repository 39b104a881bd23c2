"""Functions that are left out of the vocabulary on purpose: why, and what to write instead."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from autograd_spiral.engine.messages import INSTEAD

__all__ = ["LEFT_OUT", "named"]

LEFT_OUT: dict[str, dict[str, str]] = {
    "its results can be complex numbers, whose gradients need conventions of their own": {
        "fft.fft fft.ifft fft.fft2 fft.ifft2 fft.fftn fft.ifftn": "C @ t and S @ t, with matrices of cosines and sines",
        "fft.rfft fft.irfft fft.rfft2 fft.irfft2 fft.rfftn fft.irfftn fft.hfft fft.ihfft": "{}(t.data)",
        "linalg.eig": "np.linalg.eigh(t), for symmetric matrices",
        "linalg.eigvals": "np.linalg.eigvalsh(t), for symmetric matrices",
        "poly roots sort_complex": "{}(t.data)",
        "angle": "np.arctan2(y, x)",
    },
    "the shape of its result depends on the values": {
        "argwhere flatnonzero nonzero ix_ trim_zeros": "{}(t.data)",
        "unique unique_all unique_counts unique_inverse unique_values": "{}(t.data)",
        "intersect1d setdiff1d setxor1d union1d": "{}(t.data, …)",
    },
    "its results are counts, positions, masks or bits, which have no gradient": {
        "array_equiv digitize isin lexsort ravel_multi_index unravel_index": "{}(t.data, …)",
        "histogram histogram2d histogramdd histogram_bin_edges": "{}(t.data, …)",
        "diag_indices_from tril_indices_from triu_indices_from": "{}(t.data)",
        "linalg.matrix_rank packbits unpackbits spacing": "{}(t.data)",
        "frexp": "np.log2(np.abs(t)), or np.frexp(t.data)",
        "nextafter": "np.nextafter(t.data, …)",
        "may_share_memory shares_memory": "{}(t.data, …)",
        "einsum_path": "np.einsum_path(subscripts, *arrays)",
        "isnat is_busday busday_count busday_offset datetime_as_string": "{}(dates), of an array of dates",
    },
    "its entries are whatever the memory held": {"empty_like": "np.zeros_like(t)"},
    "that is as short": {
        "fft.fftshift fft.ifftshift": "np.roll(t, shift)",
        "linspace": "start + (stop - start) * np.linspace(0, 1, num)",
        "logspace": "10 ** (start + (stop - start) * np.linspace(0, 1, num))",
        "geomspace": "start * (stop / start) ** np.linspace(0, 1, num)",
        "vander": "x[:, None] ** np.arange(n)",
        "apply_over_axes": "the function, with axis=",
    },
    "NumPy keeps it for old code": {
        "polyadd": "p + q, for polynomials of one length",
        "polysub": "p - q, for polynomials of one length",
        "polymul": "np.convolve(p, q)",
        "polydiv": "np.polydiv(p.data, q.data)",
        "polyder": "p[:-1] * np.arange(len(p) - 1, 0, -1)",
        "polyint": "p / np.arange(len(p), 0, -1), with the constant appended",
        "polyfit": "np.linalg.lstsq(x[:, None] ** np.arange(n), y)",
    },
    "a file or a text holds the value alone": {
        "allclose array_equal": "{}(t.data, …)",
        "array2string array_repr array_str": "{}(t.data)",
        "save savez savez_compressed savetxt": "{}(file, t.data)",
    },
}
"""From each reason to the functions of NumPy that it holds for, with what to write: `{}` stands for the function."""


def named() -> Iterator[tuple[Callable[..., Any], str, str]]:
    """Yield each function that is left out and that this NumPy has, what to write instead, and why.

    >>> {function.__name__: (instead, why) for function, instead, why in named()}["vander"]
    ('x[:, None] ** np.arange(n)', 'that is as short')
    """
    for why, group in LEFT_OUT.items():
        for names, instead in group.items():
            for name in names.split():
                module, _, last = name.rpartition(".")
                function = getattr(operator.attrgetter(module)(np) if module else np, last, None)
                if function is not None:
                    yield function, instead.replace("{}", f"np.{name}"), why


INSTEAD.update((function, f"{instead}, since {why}") for function, instead, why in named())
INSTEAD.update(
    {
        np.vstack: "np.concatenate(…, axis=0), for parts of the same number of axes",
        np.hstack: "np.concatenate(…, axis=1), or axis=0 for vectors",
        np.append: "np.concatenate([…], axis)",
        np.diag: "np.diagonal(t), or t * np.eye(n) for a diagonal matrix",
        np.average: "np.mean(t, axis), or np.sum(weights * t, axis) / np.sum(weights)",
        np.atleast_2d: "t.reshape(…)",
        np.atleast_1d: "t.reshape(…)",
        np.nansum: "np.sum(np.where(good, t, 0)), with good = ~np.isnan(t.data)",
    }
)
