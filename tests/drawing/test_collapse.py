"""Large graphs: scopes collapsed to one node each."""

import numpy as np
from pictures import labels, leaf, legend, titles

from autograd_spiral import capture, grad, relu, scope
from autograd_spiral.drawing import draw


def test_above_max_nodes_scopes_collapse_innermost_first_with_counts():
    x = leaf([1.0], "x")
    y = x
    for block in range(3):
        w = leaf([2.0])
        with scope(f"block {block}"):
            for part in range(2):
                with scope(f"part {part}"):
                    y = relu(y * w) + 1
    assert len(labels(draw(y, max_nodes=22))) == 22
    assert titles(draw(y, max_nodes=21)) == [*("part 0", "part 1") * 2, "part 0", "part 1", "· + 1"]
    outermost = labels(draw(y, max_nodes=5))
    assert outermost == [
        ["block 0", "2 parameters", "6 operations"],
        ["block 1", "1 parameter", "6 operations"],
        ["block 2", "1 parameter", "5 operations"],
        ["· + 1", "1   127"],
    ]
    assert "scope, collapsed" in legend(draw(y, max_nodes=5))


def test_collapsed_edges_are_counted_and_what_is_in_no_scope_stays():
    x = leaf([1.0], "x")
    with scope("work"):
        y = x * 2
        z = y + x * 3
    out = z * y
    drawing = draw(out, max_nodes=1)
    assert len(labels(drawing)) == 2
    assert "×2</FONT>" in drawing.source
    assert titles(draw(out * out + 1, max_nodes=1))[1:] == ["· × ·", "· × ·", "· + 1"]


def test_the_phases_of_a_captured_step_collapse_scope_by_scope():
    layers = [leaf(np.eye(3), f"W{i}") for i in range(4)]

    @capture
    def step(x):
        for i, W in enumerate(layers):
            with scope(f"layer {i}"):
                x = np.tanh(x @ W)
        loss = np.sum(x).named("loss")
        for W, gradient in zip(layers, grad(loss, layers), strict=True):
            W.assign(W - 0.1 * gradient)
        return loss

    step(np.ones((2, 3)))
    small = labels(draw(step, max_nodes=20))
    assert len(small) <= 20
    for i in range(4):
        assert [label for label in small if label[0] == f"layer {i}"][::2] == [
            [f"layer {i}", "1 parameter", "2 operations"],
            [f"layer {i}", "1 operation", "1 new state"],
        ]
