"""The legend: everything that it explains looks different from everything else."""

import numpy as np
from pictures import leaf, legend, picture

from autograd_spiral.drawing import draw
from autograd_spiral.drawing import legend as legend_module
from autograd_spiral.drawing.graph import Flow
from autograd_spiral.drawing.record import Kind


def test_the_legend_lists_the_kinds_present_and_no_others():
    x = leaf([1.0], "x")
    only = draw(x * 2)
    assert {kind for kind in Kind if str(kind) in legend(only)} == {Kind.PARAMETER, Kind.OUTPUT}
    joint = picture("net", "joint")
    assert {kind for kind in Kind if str(kind) in legend(joint)} == set(Kind) - {
        Kind.SCOPE,
        Kind.STATE,
        Kind.UPDATE,
        Kind.NEW_STATE,
    }
    assert {flow for flow in Flow if str(flow) in legend(joint)} == set(Flow) - {Flow.UPDATE}
    assert Flow.SAVED not in legend(picture("net", "forward"))


def test_the_legend_explains_the_signs_that_the_picture_has():
    x = leaf([1.0, 2.0], "x")
    named, unnamed = draw(np.exp(x)), draw(np.exp(x) + 1)
    assert "standard deviation" in legend(named)
    assert "without a name" not in legend(named)
    assert "without a name" in legend(unnamed)
    assert "standard deviation" not in legend(draw(np.exp(x), values=False))


def test_text_stands_out_from_every_fill_and_no_kind_is_told_by_colour_alone():
    def luminance(colour):
        parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(parts <= 0.03928, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    styles = legend_module.STYLES
    for style in styles.values():
        for text in (legend_module.TEXT, *legend_module.SECONDARY.values()):
            low, high = sorted([luminance(style.fill), luminance(text)])
            assert (high + 0.05) / (low + 0.05) >= 4.5
    cues = {(style.style, style.width, style.borders) for style in styles.values()}
    assert len(styles) - len(cues) <= 1  # parameters and their gradients, which stand on different sides
