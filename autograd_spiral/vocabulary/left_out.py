"""NumPy functions without gradients: those that use only the values of tensors, and those that refuse tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from autograd_spiral.engine.messages import INSTEAD, name_of
from autograd_spiral.engine.table import VALUE_FUNCTIONS
from autograd_spiral.vocabulary.compositions.arguments import available

VALUE_FUNCTIONS.update((np.save, np.savez, np.savez_compressed, np.savetxt, np.array2string, np.array_repr))
VALUE_FUNCTIONS.update((np.array_str, np.allclose, np.array_equal, np.array_equiv))

__all__ = ["LEFT_OUT", "named"]

LEFT_OUT = {
    "{} can return complex numbers, which are not supported": """
        fft.fft fft.ifft fft.fft2 fft.ifft2 fft.fftn fft.ifftn fft.rfft fft.irfft fft.rfft2 fft.irfft2 fft.rfftn
        fft.irfftn fft.hfft fft.ihfft linalg.eig linalg.eigvals poly roots sort_complex angle""",
    "the shape of what {} returns depends on the values": """
        argwhere flatnonzero nonzero ix_ trim_zeros unique unique_all unique_counts unique_inverse unique_values
        intersect1d setdiff1d setxor1d union1d""",
    "{} returns counts, positions, masks or bits, which have no gradient": """
        digitize isin in1d lexsort ravel_multi_index unravel_index histogram histogram2d histogramdd
        histogram_bin_edges diag_indices_from tril_indices_from triu_indices_from linalg.matrix_rank packbits unpackbits
        spacing frexp nextafter may_share_memory shares_memory einsum_path isnat is_busday busday_count busday_offset
        datetime_as_string""",
    "NumPy keeps {} for old code": "polyadd polysub polymul polydiv polyder polyint polyfit",
    "a short formula does the same": "fft.fftshift fft.ifftshift linspace logspace geomspace vander",
    "a tensor cannot be filled with values": "empty_like",
}
"""Maps each reason for leaving functions out, with {} for the function, to their names."""

_OTHERS = {
    "linalg.eig": "np.linalg.eigh(t), for symmetric matrices",
    "linalg.eigvals": "np.linalg.eigvalsh(t), for symmetric matrices",
    "angle": "np.arctan2(y, x)",
    "frexp": "np.log2(np.abs(t)), or np.frexp(t.data) outside captured steps",
    "polymul": "np.convolve(p, q)",
    "polyfit": "np.linalg.lstsq(x[:, None] ** np.arange(n), y)",
    **dict.fromkeys(("fft.fftshift", "fft.ifftshift"), "np.roll(t, shift)"),
    "linspace": "start + (stop - start) * np.linspace(0, 1, num)",
    "logspace": "10 ** (start + (stop - start) * np.linspace(0, 1, num))",
    "geomspace": "start * (stop / start) ** np.linspace(0, 1, num)",
    "vander": "x[:, None] ** np.arange(n)",
    "empty_like": "np.stack([row, …]) or np.concatenate([part, …]) for an array made part by part, or np.zeros_like(t)",
}
"""What to write instead of some functions. All others are called with t.data, which captured steps do not permit."""


def named() -> Iterator[tuple[Callable[..., Any], str, str]]:
    """Yield each left-out function that this NumPy has, with what to write instead, and why it is left out.

    >>> {function.__name__: (instead, why) for function, instead, why in named()}["vander"]
    ('x[:, None] ** np.arange(n)', 'a short formula does the same')
    """
    for why, names in LEFT_OUT.items():
        for name in names.split():
            for function in available(name):
                yield function, _OTHERS.get(name, f"np.{name}(t.data), outside captured steps"), why


INSTEAD.update((function, f"{instead}, since {why.format(name_of(function))}") for function, instead, why in named())
