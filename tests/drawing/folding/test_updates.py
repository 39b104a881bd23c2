"""Updates folded into one box for each parameter, which lists assignments or shows the call of an optimizer."""

import numpy as np
import pytest
from nets import adam_by_hand, data, parameters, step_with
from pictures import labels, leaf, legend, momentum, titles

from autograd_spiral import SGD, Adam, Tensor, capture, clip_by_norm, cosine_decay, draw, grad, scope
from autograd_spiral.drawing.folding import fold_updates
from autograd_spiral.drawing.graph import trace
from autograd_spiral.drawing.picture import record_of


def folded(step):
    return fold_updates(trace(record_of(step)))


def sources(graph, name):
    (head,) = [i for i, node in enumerate(graph.nodes) if node.phase == "update" and node.name == name]
    return sorted(str(graph.nodes[edge.tail].name) for edge in graph.edges if edge.head == head)


def test_moments_and_all_that_leads_to_one_parameter_are_in_its_box():
    picture, graph = draw(adam_by_hand()), folded(adam_by_hand())
    assert ["m_W1 ← 0.9 × m_W1 + 0.1 × dW1", "v_W1 ← 0.999 × v_W1 + 0.001 × d…"] in [
        label[:2] for label in labels(picture)
    ]
    assert [title for title in titles(picture) if title in ("t", "m_W1", "v_W1")] == ["t"]
    assert sources(graph, "W1") == ["dW1", "t"]
    (box,) = [node for node in graph.nodes if node.phase == "update" and node.name == "W1"]
    assert [tuple(statement) for statement in box.statements] == [
        ("m_W1", "0.9 × m_W1 + 0.1 × dW1"),
        ("v_W1", "0.999 × v_W1 + 0.001 × dW1 × dW1"),
        ("W1", "W1 − 0.01 × m_W1 / (1 − 0.9 ** new t) / (sqrt(v_W1 / (1 − 0.999 ** new t)) + 1e−08)"),
    ]


def test_formulas_that_are_too_long_for_their_box_stand_below_and_in_the_tooltip_once_for_all_that_are_alike():
    picture = draw(adam_by_hand())
    full = "W1 ← W1 − 0.01 × m_W1 / (1 − 0.9 ** new t) / (sqrt(v_W1 / (1 − 0.999 ** new t)) + 1e−08)"
    assert full in legend(picture)
    assert "likewise b1, W2, b2" in legend(picture)
    assert "W2 ←" not in legend(picture)
    assert f"{full}" in picture.source[: picture.source.rindex("label=<")]
    assert "likewise" not in legend(draw(momentum()))  # all of it is in the box


def test_short_updates_are_boxes_as_they_were():
    W = leaf([1.0, 2.0], "W")

    @capture
    def step():
        W.assign(W - 0.1 * grad(np.sum(W * W), W))

    step()
    assert draw(step).source == draw(step, fold=False).source


def test_velocity_and_parameter_are_one_box_and_what_leads_elsewhere_is_not():
    picture = draw(momentum())
    assert ["v ← 0.9 × v − 0.1 × dW", "W ← W + v", "2×3"] in labels(picture)
    assert {"count", "count ← count + 1"} <= set(titles(picture))
    assert any(title.startswith("size = ") for title in titles(picture))
    assert "v" not in titles(picture)


def test_old_and_new_values_are_told_apart():
    W, v, t = leaf([1.0, 2.0], "W"), Tensor([0.5, 0.5], name="v"), Tensor(1.0, name="t")

    @capture
    def step():
        dW = grad(np.sum(W * W), W)
        old = v * 2.0
        v.assign(v + np.sin(dW) * np.cos(dW) * np.sin(dW) * np.cos(W))
        W.assign(W - v * np.exp(old) / t * np.sin(v) * np.cos(old) * np.sin(dW))
        t.assign(t + 1)

    step()
    (box,) = [node for node in folded(step).nodes if node.statements]
    v_text, W_text = (statement.formula for statement in box.statements)
    assert v_text.startswith("v + ")
    assert "old v" not in v_text
    assert "exp(2 × old v) / t" in W_text
    assert "sin(v)" in W_text


def test_a_state_that_something_else_reads_stays_a_box():
    W, v = leaf([1.0, 2.0], "W"), Tensor([0.5, 0.5], name="v")

    @capture
    def step():
        loss = np.sum(W * W * v)
        v.assign(0.9 * v + 0.1 * grad(loss, W))
        W.assign(W - np.sin(v) * np.cos(v) * np.exp(v) * np.tanh(v))
        return loss

    step()
    assert "v" in titles(draw(step))


@pytest.mark.parametrize(
    ("make", "how", "kept"),
    [
        (Adam, {}, "count, mean, square, learning_rate (unchanged)"),
        (Adam, {"learning_rate": cosine_decay(0.1, 9)}, "learning_rate, count, mean, square"),
        (SGD, {"learning_rate": 0.1, "momentum": 0.9}, "count, velocity, learning_rate (unchanged)"),
        (SGD, {"learning_rate": 0.1}, "count, learning_rate (unchanged)"),
    ],
)
def test_an_optimizer_is_a_call_for_each_parameter_and_a_box_for_what_it_keeps(make, how, kept):
    graph, picture = folded(step_with(make, **how)), draw(step_with(make, **how))
    for name in ("W1", "b1", "W2", "b2"):
        assert f"{name} ← {make.__name__}({name}, d{name})" in titles(picture)
        assert sources(graph, name) == [f"d{name}"]
    (state,) = [label for label in labels(picture) if label[0].startswith("state of")]
    assert " ".join(line for line in state[1:] if "Adam(" not in line and "SGD(" not in line) == kept
    assert not {"count", "mean", "learning_rate"} & set(titles(picture))


def test_an_optimizer_in_a_scope_keeps_its_name_and_gets_what_is_set_before():
    net = parameters(W=(3, 4), b=(4,))
    optimizer = Adam(net)

    @capture
    def step(X, rate):
        loss = np.sum(np.tanh(X @ net["W"] + net["b"]))
        with scope("training"):
            optimizer.learning_rate = Tensor(2.0) * rate
            optimizer.update(grad(loss, net))
        return loss

    step(data(5, 3), np.array(0.1))
    assert {"W ← Adam(W, dW, learning_rate)", "b ← Adam(b, db, learning_rate)"} <= set(titles(draw(step)))


def test_weight_decay_is_part_of_the_call():
    assert "W1 ← Adam(W1, dW1)" in titles(draw(step_with(weight_decay=0.1)))


def test_a_call_names_all_gradients_that_a_parameter_gets():
    net = parameters(W=(3, 4), b=(4,))
    optimizer = Adam(net)

    class Mixing(SGD):
        def _change(self, gradient):
            return super()._change(gradient / np.linalg.norm(gradient))

    mixing = Mixing(net, 0.1)

    @capture
    def clipped(X):
        loss = np.sum(np.tanh(X @ net["W"] + net["b"]))
        optimizer.update(clip_by_norm(grad(loss, net), 1.0))
        return loss

    @capture
    def mixed(X):
        loss = np.sum(np.tanh(X @ net["W"] + net["b"]))
        mixing.update(grad(loss, net))
        return loss

    clipped(data(5, 3))
    assert {"W ← Adam(W, ·)", "dW × ·"} <= set(titles(draw(clipped)))  # not the gradient itself
    mixed(data(5, 3))
    assert sources(folded(mixed), "W") == sources(folded(mixed), "b") == ["dW", "db"]


def test_more_of_a_scope_than_new_states_is_drawn_as_it_is():
    W, m = leaf([1.0, 2.0], "W"), Tensor([0.0, 0.0], name="m")

    @capture
    def step():
        dW = grad(np.sum(W * W), W)
        with scope("mine"):
            m.assign(0.9 * m + 0.1 * dW)
            size = np.sqrt(np.sum(m * m))
            W.assign(W - 0.1 * m / size)
        return size

    step()
    assert any("sqrt" in title for title in titles(draw(step)))


def test_folding_leaves_the_graph_as_it_is():
    graph = trace(record_of(adam_by_hand()))
    before = [(node.name, node.formula) for node in graph.nodes], list(graph.edges)
    fold_updates(graph)
    assert ([(node.name, node.formula) for node in graph.nodes], graph.edges) == before


def test_layers_with_an_update_of_their_own_fold_as_rounds():
    layers = [parameters(**{f"W{i}": (3, 3)})[f"W{i}"] for i in range(6)]
    moments = [Tensor(np.zeros((3, 3)), name=f"m{i}") for i in range(6)]

    @capture
    def step(x):
        for i, W in enumerate(layers):
            with scope(f"layer {i}"):
                x = np.tanh(x @ W)
        loss = x.sum()
        for W, m, g in zip(layers, moments, grad(loss, layers), strict=True):
            m.assign(0.9 * m + np.sin(g) * np.cos(g))
            W.assign(W - 0.1 * m)
        return loss

    step(np.ones((2, 3)))
    shown = labels(draw(step))
    assert any(label[0].startswith("m1…m4 ← 0.9 × m1…m4") and label[1].startswith("W1…W4 ←") for label in shown)
