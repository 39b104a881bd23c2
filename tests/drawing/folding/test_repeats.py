"""Where a sequence repeats itself."""

from hypothesis import given
from hypothesis import strategies as st

from autograd_spiral.drawing.folding.repeats import repeats


@given(
    st.text("abc", max_size=12), st.text("abc", min_size=1, max_size=4), st.integers(2, 5), st.text("abc", max_size=12)
)
def test_what_was_repeated_is_found_and_everything_that_is_found_repeats(before, part, times, after):
    text = before + part * times + after
    found = list(repeats(text, 2))
    for start, stop, period in found:
        assert text[start : stop - period] == text[start + period : stop]
        assert stop - start >= 2 * period
        assert start == 0 or text[start - 1] != text[start - 1 + period]
        assert stop == len(text) or text[stop] != text[stop - period]
    first, last = len(before), len(before) + len(part) * times
    assert any(start <= first and last <= stop and period == len(part) for start, stop, period in found)


def test_long_sequences_take_no_longer_than_their_length_needs():
    assert list(repeats(range(100_000), 3)) == []
    assert next(repeats([0] * 100_000, 3)) == (0, 100_000, 1)
