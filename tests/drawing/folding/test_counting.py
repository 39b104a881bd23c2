"""Texts that differ only in numbers that count up are written as one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograd_spiral.drawing.folding.counting import counted, is_count, numbers_in, template_of


@pytest.mark.parametrize(
    ("texts", "one"),
    [
        (["step 0", "step 1", "step 2"], "step 0…2"),
        (["W3", "W2", "W1"], "W3…W1"),
        (["x[0]", "x[2]", "x[4]"], "x[0, 2…4]"),
        (["h", "h", "h"], "h"),
        (["h1", "h2", "h4"], None),
        (["a", "b", "c"], None),
        (["W1", "V2", "W3"], None),
        (["x[1]", "x[2] + 1", "x[3]"], None),
        (["step 0", "step 1", "step 0"], None),
    ],
)
def test_numbers_that_count_read_as_first_and_last(texts, one):
    assert counted(texts) == one


def test_the_first_text_may_be_another_one_and_a_blank_stands_for_any_word():
    assert counted(["start @ W1", "h @ W2", "h @ W3"], but_first=True) == "h @ W1…W3"
    assert counted(["start(x) @ W", "h @ W", "h @ W"], but_first=True) == "h @ W"
    assert counted(["start(x) @ W1", "h @ W2", "h @ W3"], but_first=True) is None  # W1 would not be said
    assert counted(["h × h", "· × ·", "· × ·"], blank="·") == "· × ·"
    assert counted(["h × h", "g × g", "g × g"], blank="·") is None


@given(st.integers(0, 99), st.integers(-9, 9), st.integers(3, 9), st.data())
def test_what_is_said_holds_the_numbers_of_all_texts_or_there_is_none(start, step, count, data):
    numbers = [start + 100 + step * k for k in range(count)]
    k = data.draw(st.integers(0, count - 1))
    changed = data.draw(st.booleans())
    numbers[k] += 1 if changed else 0
    one = counted([f"layer {number}" for number in numbers])
    assert (one is not None) == is_count(numbers)
    if one is not None:
        said = numbers_in(one)
        assert {said[0], said[-1]} == {numbers[0], numbers[-1]}
        assert len(said) == 1 or abs(step) == 1 or said[1] == numbers[1]
        assert template_of(one).startswith("layer 0")
