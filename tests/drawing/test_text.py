"""The words of labels: numbers, arrays and names."""

import numpy as np
import pytest
from pictures import leaf, titles

from autograd_spiral.drawing import draw
from autograd_spiral.drawing.text import WIDTH, columns, value_text


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (np.zeros((2, 3)), "all 0"),
        (np.array([np.nan, 1.0, np.inf]), "2 of 3 not finite"),
        (np.array([1.0, 1.0 + 1e-3]), "1 ± 0.0005"),
        (np.array([-1.0, 1.0, 1e-9]), "0 ± 0.82"),
        (np.array([True, False, False, False]), "25% true"),
        (np.array([], dtype=float), "empty"),
        (np.array([0, 7, 3]), "0 to 7"),
        (np.array(-2.5), "−2.5"),
        (np.full(3, 1e300), "all 1e+300"),
        (np.array([1e300, -1e300]), "up to 1e+300"),
        (np.array([np.nan]), "nan"),
    ],
)
def test_values_in_a_few_words(array, text):
    assert value_text(array) == text


def test_wide_characters_take_two_columns():
    assert titles(draw(leaf(1.0, "重" * 40))) == ["重" * 15 + "…"]
    assert columns(titles(draw(leaf(1.0, "a重" * 40)))[0]) <= WIDTH


def test_several_spaces_stay_several_in_a_browser():
    assert "two &#160;&#160;spaces" in draw(leaf(1.0, "two   spaces")).source


def test_what_cannot_be_printed_is_shown_and_long_names_are_cut():
    assert titles(draw(leaf(1.0, "two\nlines\x00"))) == ["two↵lines\\\\x00"]
    assert titles(draw(leaf(1.0, "n" * 1000))) == ["n" * (WIDTH - 1) + "…"]
    assert len(draw(leaf(1.0, "n" * 1000)).source) < 3000
