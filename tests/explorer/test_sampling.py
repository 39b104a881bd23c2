"""Samples, facts and histograms of arrays, and their text."""

import base64
import zlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from autograd_spiral.explorer.packing import packed, rounded
from autograd_spiral.explorer.sampling import (
    BINS,
    FACTS,
    Sample,
    facts,
    histogram,
    samples_within,
    zeros_of_rows,
)

shapes = st.lists(st.integers(0, 40), max_size=3).map(tuple)
floats = npst.arrays(np.float64, npst.array_shapes(max_dims=3, max_side=8), elements=st.floats(width=32))


@given(st.lists(shapes, min_size=1, max_size=6), st.integers(0, 3000))
def test_samples_keep_within_the_size_and_nothing_is_left_out_without_need(wanted, size):
    samples = samples_within(wanted, size)
    total = sum(sample.size for sample in samples)
    whole = sum(int(np.prod(shape)) for shape in wanted)
    assert total <= max(size, len(wanted))
    assert total == whole or whole > size
    for sample, shape in zip(samples, wanted, strict=True):
        assert sample.size == sample.take(np.zeros(shape)).size
        assert sample.rows * sample.columns == np.prod(shape)


@given(st.integers(100, 5000), st.integers(100, 2000))
def test_rows_kept_of_one_array_are_kept_of_smaller_ones_too(rows, size):
    wide, narrow = samples_within([(rows, 100), (rows, 3)], size)
    assert wide.row_step % narrow.row_step == 0


def test_large_arrays_are_sampled_evenly_in_both_directions_and_a_gradient_as_its_value():
    value, other, gradient = samples_within([(300, 100), (100, 3), (300, 100)], 1500)
    assert value == gradient
    assert (value.row_step, value.column_step) == (16, 4)  # 19 × 25 cells
    assert other.size > 100


def test_a_small_share_loses_elements_first():
    shown, inside = samples_within([(100, 10), (100, 10)], 1200, [1.0, 0.1])
    assert (shown.size, inside.size < 200) == (1000, True)


@given(floats)
def test_facts_are_those_of_the_finite_elements(array):
    told = dict(zip(FACTS, facts(array), strict=True))
    finite = array[np.isfinite(array)]
    assert told["zeros"] == np.sum(array == 0)
    assert told["nans"] == np.sum(np.isnan(array))
    assert told["infinities"] == np.sum(np.isinf(array))
    assert told["nans"] + told["infinities"] + finite.size == array.size
    if finite.size:
        assert told["least"] == np.float32(finite.min())
        assert told["largest"] == np.float32(finite.max())
        assert np.isnan(told["mean"]) == 0
    else:
        assert np.isnan(told["mean"])


@given(floats)
def test_a_histogram_reaches_from_the_least_to_the_largest(array):
    bars = histogram(array)
    assert bars.shape == (BINS,)
    finite = array[np.isfinite(array)]
    assert bars.max() == (255 if finite.size else 0)
    if finite.size and finite.min() < finite.max():
        assert bars[0] > 0
        assert bars[-1] > 0
    elif finite.size:
        assert np.count_nonzero(bars) == 1


def test_a_histogram_is_that_of_numpy():
    array = np.random.default_rng(0).standard_normal(1000)
    counts, _ = np.histogram(array, BINS)
    np.testing.assert_array_equal(histogram(array), np.ceil(255 * counts / counts.max()))


@given(floats.filter(lambda array: array.ndim == 2))
def test_zeros_are_counted_in_all_rows(array):
    sample = Sample(*array.shape, row_step=4)
    np.testing.assert_array_equal(zeros_of_rows(array, sample), [np.sum(row == 0) for row in array])


@given(npst.arrays(np.float32, (3, 5), elements=st.floats(width=32)))
def test_numbers_come_back_from_the_text_rounded_to_24_bits(numbers):
    text, count = packed([numbers], [np.arange(3, dtype=np.uint8)])
    octets = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8)
    planes = octets[: 3 * count].reshape(3, 3, 5).astype(np.uint32)
    bits = np.bitwise_xor.accumulate(planes[0] << 24 | planes[1] << 16 | planes[2] << 8, axis=0)
    np.testing.assert_array_equal(bits.view(np.float32), rounded(numbers))
    assert octets[3 * count :].tolist() == [0, 1, 2]
    normal = np.isfinite(numbers) & (np.abs(numbers) > 1e-37)
    np.testing.assert_allclose(rounded(numbers)[normal], numbers[normal], rtol=2**-16)
    np.testing.assert_array_equal(np.isnan(rounded(numbers)), np.isnan(numbers))
    np.testing.assert_array_equal(np.isinf(rounded(numbers)), np.isinf(numbers))
