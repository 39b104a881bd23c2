"""Graphs: their nodes and edges, and which values become part of a formula."""

import numpy as np
from nets import adam_by_hand
from pictures import case_study, edges, labels, leaf, picture, titles, trace_both

from autograd_spiral import capture, grad
from autograd_spiral.drawing import dot as dot_module
from autograd_spiral.drawing import draw
from autograd_spiral.drawing.graph import Flow


def test_an_argument_used_twice_has_two_edges():
    W = leaf([[1.0, 2.0]], "W")
    drawing = draw((W * W).named("squares"))
    assert titles(drawing) == ["W", "squares = W × W"]
    assert edges(drawing) == [("0", "1"), ("0", "1")]


def test_scalars_transposes_masks_and_broadcasts_are_part_of_formulas():
    x, y = leaf([[1.0, -2.0]], "x"), leaf([[0.5, 4.0]], "y")
    out = (2 * x @ y.T * (x > 0) + np.broadcast_to(y, (3, 2)) ** 2 - np.array(3.0)) / (x[:, None, 0] + 1)
    assert titles(draw(out)) == [
        *("x", "y", "2 × x", "· @ yᵀ", "· × (x &gt; 0)", "y²", "· + ·", "· − 3"),
        *("x[:, None, 0]", "· + 1", "· / ·"),
    ]


def test_short_terms_of_an_update_are_part_of_its_formula_unless_they_are_named_or_used_twice():
    W, m, t = leaf([1.0, 2.0], "W"), leaf([0.0, 0.0], "m"), leaf(1.0, "t")

    @capture
    def step():
        dW = grad(np.sum(W * W), W)
        factor = np.exp(-t)
        m.assign(0.9 * m + 0.1 * dW)
        W.assign(W - 0.1 * m / (1 - 0.5**t) * factor + 0.01 * (2 * W - m / (1 - 0.25**t)) * np.sqrt(1 + t + factor))
        return factor

    step()
    assert titles(draw(step, fold=False))[3:] == [
        *("−t", "factor = exp(·)", "m ← 0.9 × m + 0.2 × W", "0.1 × · / (1 − 0.5 ** t)"),
        *("2 × W − · / (1 − 0.25 ** t)", "0.01 × · × sqrt(1 + t + factor)", "W ← W − · × factor + ·"),
    ]


def test_the_update_of_adam_is_a_few_boxes_for_each_parameter_even_unfolded():
    shown = draw(adam_by_hand(), fold=False)
    for name in ("W1", "b1", "W2", "b2"):
        assert f"m_{name} ← 0.9 × m_{name} + 0.1 × d{name}" in titles(shown)
        assert [f"v_{name} ←", f"0.999 × v_{name} + 0.001 × d{name} × d{name}"] in [
            label[:2] for label in labels(shown)
        ]
    of_updates = [title for title in titles(shown) if "←" in title or "sqrt" in title or "**" in title]
    assert len(of_updates) <= 4 * 4 + 3  # of each: W, m, v, and the step; and t with its two powers


def test_a_transpose_that_is_turned_back_is_not_shown():
    W, X = leaf([[0.5, -1.0], [0.2, 0.3]], "W"), leaf([[1.0, 2.0]], "X")
    shown = titles(draw(np.sum(X @ (2.0 * W).T), gradients_of=[X, W]))
    assert "dX = · @ ·" in shown
    cube = leaf(np.ones((2, 3, 4)), "cube")
    moved = np.transpose(cube, (2, 0, 1))
    assert titles(draw(np.transpose(moved, (1, 2, 0)) * 2))[-1] == "2 × cube"
    assert titles(draw(np.transpose(moved, (2, 0, 1)) * 2))[-1] == "2 × ·"


def test_gradients_stand_beside_their_values_and_backward_edges_point_up():
    loss, net = case_study("net")
    graph = trace_both(loss, net.parameters())
    names = {(graph.nodes[value].name, graph.nodes[ct].name) for value, ct in graph.pairs}
    assert {(p.name, f"d{p.name}") for p in net.parameters()} | {("h", "dh"), ("loss", "dloss")} <= names
    flows = {flow: [edge for edge in graph.edges if edge.flow is flow] for flow in Flow}
    assert all(flows[flow] for flow in set(Flow) - {Flow.UPDATE})
    assert all(
        graph.nodes[edge.tail].phase == "forward" and graph.nodes[edge.head].phase == "backward"
        for edge in flows[Flow.SAVED]
    )
    text = picture("net", "joint").source
    assert text.count("dir=back") == len(flows[Flow.GRADIENT]) + len(flows[Flow.SAVED])
    assert text.count("constraint=false") == len(flows[Flow.SAVED])


def test_the_walk_visits_each_operation_once_however_often_values_are_shared(monkeypatch):
    visits = []
    original = dot_module.value_text
    monkeypatch.setattr(dot_module, "value_text", lambda value: visits.append(1) or original(value))

    def count(depth):
        visits.clear()
        y = leaf([0.5, 0.25], "x")
        for _ in range(depth):
            y = y * y  # 2 ** depth paths
        drawing = draw(y, fold=False)
        assert len(edges(drawing)) == 2 * depth
        return len(visits)

    assert (count(50), count(2_000)) == (51, 2_001)


def test_masks_of_masks_do_not_fold_without_end():
    mask = leaf([0.5, 2.0], "x") > 1
    for _ in range(100):
        mask = mask & mask
    drawing = draw(mask)
    assert len(edges(drawing)) <= 300
    assert len(drawing.source) < 100_000


def test_deep_scopes_and_views_need_no_recursion():
    y = leaf([[0.5, 0.25]], "x")
    for _ in range(5000):
        y = y.T
    assert len(labels(draw(y + 1))) < 5002


def test_labels_of_one_column_are_not_taken_for_one_hot_rows():
    x = leaf([0.5, 2.0, 1.0], "x")
    assert titles(draw(x[:, None] * (x[:, None] == np.array([0.0, 2.0]))))[-1] == "x[:, None] × (x[:, None] = ·)"
    assert titles(draw(x[:, None] * (x[:, None] == np.arange(3))))[-1] == "x[:, None] × onehot(x)"
