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
    parts = titles(draw(y, max_nodes=21))  # the two parts of each block share its parameter
    assert sorted(parts) == sorted([*("part 0", "part 1", "parameter") * 3, "· + 1"])
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
    small = labels(draw(step, fold=False, max_nodes=20))
    assert len(small) <= 20
    for i in range(4):
        assert [f"layer {i}", "1 parameter", "2 operations"] in small
        assert [f"W{i} ← W{i} − 0.1 × dW{i}", "3×3"] in small


def rounds(count, W, b):
    h = np.ones((3, 4))
    for i in range(count):
        with scope(f"round {i}"):
            with scope("own"):
                h = np.tanh(h @ W)
            h = h + b if i == 1 else h
    return np.sum(h).named("loss")


def test_what_several_scopes_share_stays_outside_of_them_with_its_gradient_and_new_state():
    W, b = leaf(np.eye(4), "W"), leaf(np.ones(4), "b")

    @capture
    def step():
        loss = rounds(4, W, b)
        for parameter, gradient in zip((W, b), grad(loss, (W, b)), strict=True):
            parameter.assign(parameter - 0.1 * gradient)
        return loss

    step()
    for drawing, more in ((draw(rounds(4, W, b), max_nodes=8), []), (draw(step, max_nodes=8), ["dW", "W ←"])):
        shown = titles(drawing)
        assert shown.count("round 2") == 1 + bool(more)
        assert "W" in shown
        assert "b" not in shown  # of one round alone
        assert all(any(title.startswith(name) for title in shown) for name in more)


def test_a_parameter_that_inner_scopes_share_stays_in_the_outer_one():
    w = leaf([2.0], "w")
    with scope("outer"):
        with scope("first"):
            y = np.exp(w) * 2 + 1
        with scope("second"):
            z = np.exp(w * y) * 2 + 1
    source = draw(z, max_nodes=4).source
    places = [source.index(text) for text in ("label=<outer>", "<B>w</B>", "<B>first</B>", "<B>second</B>")]
    assert places == sorted(places)
