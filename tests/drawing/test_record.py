"""Captured steps and recorded graphs, read as programs: phases, states, constants and scopes."""

import numpy as np
from pictures import captured, case_study, labels, leaf, legend, momentum, picture, titles, trace_both

from autograd_spiral import Tensor, capture, grad, softmax_cross_entropy
from autograd_spiral.drawing import draw
from autograd_spiral.drawing.graph import Flow, trace
from autograd_spiral.drawing.picture import record_of
from autograd_spiral.drawing.record import Kind
from autograd_spiral.drawing.text import WIDTH
from autograd_spiral.program.recorded import recorded


def test_a_captured_step_is_drawn_forward_backward_and_update():
    drawn = titles(picture("net", "step"))
    for formula in (
        "h = relu(·)",
        "dscores = · / 300",
        "dh × (h &gt; 0)",
        "0.001 × W1",
        "db2 = Σ₀ dscores",
        *(f"{name} ← {name} − d{name}" for name in ("W1", "b1", "W2", "b2")),
    ):
        assert formula in drawn
    label_of = {label[0]: label[1:] for label in labels(picture("net", "step"))}
    assert label_of["y"] == ["300   int64"]
    assert label_of["data_loss ="] == ["softmax_cross_entropy", "(scores, y)", "scalar"]
    assert max(len(line) for label in labels(picture("net", "step")) for line in label) <= WIDTH


def test_a_step_and_its_program_are_the_same_picture_and_gradients_stand_beside_updates():
    step = captured("net")
    assert draw(step).source == draw(step.program).source == draw(step, values=False).source
    graph = trace(record_of(step.program))
    beside = {(graph.nodes[a].name, graph.nodes[b].name, graph.nodes[b].kind) for a, b in graph.pairs}
    for name in ("W1", "b1", "W2", "b2"):
        assert {(name, f"d{name}", Kind.GRADIENT), (name, name, Kind.NEW_STATE)} <= beside
    into = [(graph.nodes[edge.tail].name, graph.nodes[edge.head].name) for edge in graph.edges]
    updates = [pair for edge, pair in zip(graph.edges, into, strict=True) if edge.flow is Flow.UPDATE]
    assert sorted(updates) == [("dW1", "W1"), ("dW2", "W2"), ("db1", "b1"), ("db2", "b2")]


def test_the_backward_pass_of_a_program_without_a_step_is_drawn_too():
    loss, net = case_study("net")
    drawing = draw(recorded([loss], net.parameters()))
    assert "cluster_backward" in drawing.source
    assert "cluster_update" not in drawing.source
    assert {"X", "W1", "b2"} <= set(titles(drawing))
    assert all(f"label=<{name}> " in drawing.source for name in ("layer 1", "layer 2", "loss", "L2 penalty"))


def test_state_that_is_not_trained_and_what_is_computed_after_the_backward_pass():
    drawing = draw(momentum(), fold=False)
    assert {"v", "count", "v ← 0.9 × v − 0.1 × dW", "W ← W + ·", "count ← count + 1"} <= set(titles(drawing))
    assert {str(kind) for kind in Kind if str(kind) in legend(drawing)} == set(Kind) - {Kind.SCOPE, Kind.UPDATE}
    nodes = {node.name: node for node in trace(record_of(momentum().program)).nodes}
    assert (nodes["size"].kind, nodes["size"].phase) == (Kind.OUTPUT, "update")
    assert (nodes["loss"].kind, nodes["loss"].phase) == (Kind.OUTPUT, "forward")


def test_new_states_that_no_equation_computes_are_copies():
    a, b, c = (leaf(1.0, name) for name in "abc")
    kept = Tensor([0.0, 0.0], name="kept")

    @capture
    def step(x):
        a.assign(x)
        b.assign(2.0)
        c.assign(a)
        kept.assign(np.array([1.0, 2.0]))
        return x, Tensor(3.0)

    step(np.array(5.0))
    assert titles(draw(step)) == [
        *("x", "a", "b", "c", "kept", "x", "3", "data"),
        *("a ← x", "b ← 2", "c ← x", "kept ← ·"),
    ]


def test_equal_constants_are_one_node_and_names_are_found():
    w = leaf([1.0, 2.0])

    @capture
    def step(given):
        loss = (w * given["x"] * np.arange(2.0)).sum()
        w.assign(w - grad(loss, w))
        return loss

    step({"x": np.ones(2)})
    drawn = titles(draw(step))
    assert drawn.count("data") == 1
    assert {"w", "x", "w ← w − dw"} <= set(drawn)


def test_a_penalty_on_gradients_is_drawn():
    w = leaf([[1.0, 2.0]], "w")

    @capture
    def step(x):
        slope = grad(np.tanh(x @ w.T).sum(), w, create_graph=True)
        loss = np.sum(slope**2).named("loss")
        w.assign(w - grad(loss, w))
        return loss

    step(np.ones((3, 2)))
    nodes = {node.name: node for node in trace(record_of(step.program)).nodes}
    assert nodes["loss"].phase == "forward"
    assert titles(draw(step))[-1] == "w ← w − dw"


def test_every_backward_operation_knows_the_scope_of_its_rule():
    loss, net = case_study("net")
    nodes = [
        node for node in trace_both(loss, net.parameters()).nodes if node.phase == "backward" and node.formula != "1"
    ]
    scopes = {node.name: node.scope for node in nodes}
    assert scopes["db2"] == scopes["dh"] == ("layer 2",)
    assert scopes["db1"] == ("layer 1",)
    assert scopes["dscores"] == ("loss",)
    assert () not in scopes.values()


def test_arrays_that_were_never_tensors_are_data():
    drawing = draw(softmax_cross_entropy(leaf(np.eye(3), "s"), np.array([0, 1, 2])))
    assert labels(drawing)[1] == ["data", "3   int64   0 to 2"]


def test_an_array_that_both_passes_use_is_one_box():
    x = np.random.default_rng(0).standard_normal((5, 2))
    W = leaf(np.ones((2, 3)), "W")
    loss = np.sum(np.tanh(x @ W)).named("loss")
    text = draw(loss, gradients_of=W, names={"x": x}).source
    assert text.count("<B>x</B>") == 1
    assert "xᵀ @" in text
    unnamed = draw(loss, gradients_of=W).source
    assert unnamed.count("5×2") == 1
    assert "2×5" not in unnamed


def test_a_constant_and_its_transpose_are_one_box_in_captured_steps_too():
    W = leaf(np.ones((2, 3)), "W")

    @capture
    def step():
        loss = np.sum(np.tanh(np.sin(np.arange(10.0)).reshape(5, 2) @ W))
        W.assign(W - grad(loss, W))
        return loss

    step()
    drawn = titles(draw(step))
    assert drawn.count("data") == 1
    assert "dW = (·)ᵀ @ ·" in drawn


def test_constants_of_equal_entries_are_not_taken_for_transposes_of_each_other():
    W = leaf(np.ones((2, 3)), "W")
    step = capture(lambda: (W * np.full((2, 3), 2.5)).sum() + (W.T * np.full((3, 2), 2.5)).sum())
    step()
    drawn = titles(draw(step))
    assert drawn.count("data") == 2
    assert not any("(·)ᵀ" in title for title in drawn)
