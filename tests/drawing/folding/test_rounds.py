"""Folded loops: nothing is lost, labels are true of every round, and rounds that differ are not folded."""

import contextlib
import math
import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nets import parameters, recurrent
from pictures import labels, leaf, legend, titles

from autograd_spiral import Tensor, capture, draw, grad, relu, scope
from autograd_spiral.drawing.folding import Rounds, fold_loops
from autograd_spiral.drawing.folding.counting import numbers_in
from autograd_spiral.drawing.graph import trace
from autograd_spiral.drawing.picture import record_of


def graphs(outputs, gradients_of=None):
    """The graph with every round, and the folded one."""
    whole = trace(record_of(outputs, gradients_of), gather=True)
    return whole, fold_loops(whole)


def rows(graph):
    """For each box its scope, its name, its formula, and the boxes that it uses with the notes on the edges."""
    into = [[] for _ in graph.nodes]
    for edge in graph.edges:
        into[edge.head].append((graph.nodes[edge.tail].name or graph.nodes[edge.tail].formula, edge.note))
    return [(node.scope, node.name, node.formula, sorted(uses)) for node, uses in zip(graph.nodes, into, strict=True)]


# --- an oracle: what a folded graph stands for ------------------------------------------------------------------------


def operations(graph):
    """How often each operation is computed, with the constants that its formula shows."""
    count = Counter()
    for node in graph.nodes:
        for constant in constants(node):
            count[node.kind, node.function, node.output.shape, constant] += math.prod(node.rounds[1:])
    return count


def constants(node):
    """The number at the beginning of the formula in each round of the outermost loop; None if there is none."""
    found = re.match(r"([\d.]+)(?:, ([\d.]+))?(?:…([\d.]+))? × ", node.formula)
    count = node.rounds[0] if node.rounds else 1
    if found is None or found[3] is None:
        return [found and found[1]] * count
    return [str(round(number)) for number in np.linspace(float(found[1]), float(found[3]), count)]


def uses(graph):
    """The uses that the edges stand for: from which round of which box to which round of which other one."""
    return {
        (edge.tail, k, edge.head, j)
        for edge in graph.edges
        for k, j in rounds_of(edge.note, graph.nodes[edge.tail].rounds, graph.nodes[edge.head].rounds)
    }


def rounds_of(note, tail, head):
    """The pairs of rounds that a note speaks of, for boxes that stand for so many; None is a box of no loop."""
    into = range(*head) if head else [None]
    named = {"first round": 0, "last round": tail and tail[0] - 1} | {f"round {k + 1}": k for k in range(99)}
    if note == "next round":
        return [(k, k + 1) for k in into[:-1]]
    if note == "each round":
        return [(k, None) for k in range(*tail)]
    if note in named:
        return [(named[note], j) for j in into] if tail else [(None, 0)]
    if " → first round" in note:
        return [(named[note.removesuffix(" → first round")], 0)]
    if found := re.fullmatch(r"(\d+) of \d+ rounds", note):
        return [(k, None) for k in range(int(found[1]))]
    if found := re.fullmatch(r"rounds (\d+)…(\d+)", note):
        step = 1 if int(found[1]) < int(found[2]) else -1
        return list(zip(range(int(found[1]) - 1, int(found[2]) - 1 + step, step), into, strict=True))
    shift = {"": 0, "round before": 100, "round after": 200}[note]  # only that they are others matters here
    return [(j + shift if tail else None, j) for j in into]


OPERATIONS = {
    "matmul": lambda h, x, t, own: h @ x["W"],
    "tanh": lambda h, x, t, own: np.tanh(h),
    "sin": lambda h, x, t, own: np.sin(h),
    "input": lambda h, x, t, own: h + x["X"][:, t],
    "start": lambda h, x, t, own: h - x["h0"],
    "twice": lambda h, x, t, own: h * h * 0.0,
    "own": lambda h, x, t, own: h * own,
    "count": lambda h, x, t, own: h * (t + 2),
    "shrink": lambda h, x, t, own: h * 0.5**t,
}


@st.composite
def loops(draw):
    """A loop whose rounds do the same, but for one round that may do something else; and how many rounds there are."""
    body = draw(st.lists(st.sampled_from(sorted(OPERATIONS)), min_size=1, max_size=4))
    count = draw(st.integers(1, 6))
    scoped, named, every = draw(st.booleans()), draw(st.booleans()), draw(st.booleans())
    odd = draw(st.integers(0, count - 1)) if draw(st.booleans()) else None
    x = {"W": leaf(np.eye(3) / 2, "W"), "h0": leaf(np.ones((2, 3)), "h0"), "X": leaf(np.ones((2, 6, 3)), "X")}
    h, out = x["h0"], []
    for t in range(count):
        own = leaf(np.ones(3), f"own{t}")
        with scope(f"round {t}") if scoped else contextlib.nullcontext():
            for operation in body:
                h = OPERATIONS[operation](h, x, t, own)
            h = np.cos(h) if t == odd else h
            h = h.named("h") if named else h
        out.append(h)
    return (np.stack(out).sum() if every else h.sum()), [x["W"]] * ("matmul" in body), odd, count


@given(loops())
@settings(max_examples=80)
def test_a_folded_graph_stands_for_every_operation_and_every_use_of_a_value(loop):
    loss, starts, odd, count = loop
    for given_starts in ([], starts):
        whole, folded = graphs(loss, given_starts or None)
        assert sum(math.prod(node.rounds) for node in folded.nodes) == len(whole.nodes)
        assert operations(folded) == operations(whole)
        if all(len(node.rounds) < 2 for node in folded.nodes):
            assert len(uses(folded)) == len({(edge.tail, edge.head) for edge in whole.edges})
    if odd is not None and count > 1:
        different = [node for node in folded.nodes if node.function is np.cos and node.phase == "forward"]
        assert [node.rounds for node in different] == [()]  # no frame hides it


# --- single cases -----------------------------------------------------------------------------------------------------


def test_a_recurrent_net_is_one_round_with_what_it_carries_on():
    loss, _ = recurrent(20)
    assert rows(graphs(loss)[1]) == [
        ((), "Wx", "", []),
        ((), "Wh", "", []),
        ((), "b", "", []),
        ((), "Wy", "", []),
        ((), "y", "", []),
        ((), "h0", "", []),
        (("step 0…19  ×20",), None, "", []),
        (("step 0…19  ×20",), None, "· @ Wx", [("", ""), ("Wx", "")]),
        (("step 0…19  ×20",), None, "h @ Wh", [("Wh", ""), ("h", "next round"), ("h0", "first round")]),
        (("step 0…19  ×20",), None, "· + ·", [("h @ Wh", ""), ("· @ Wx", "")]),
        (("step 0…19  ×20",), None, "· + b", [("b", ""), ("· + ·", "")]),
        (("step 0…19  ×20",), "h", "tanh(·)", [("· + b", "")]),
        ((), "scores", "h @ Wy", [("Wy", ""), ("h", "last round")]),
        ((), "loss", "softmax_cross_entropy(scores, y)", [("scores", ""), ("y", "")]),
    ]


def test_the_backward_pass_folds_too_and_says_which_rounds_it_uses():
    loss, starts = recurrent(20)
    found = {formula: uses for _, name, formula, uses in rows(graphs(loss, starts)[1]) if name not in ("h", "dh")}
    assert ("h", "round before") in found["hᵀ @ ·"]
    assert found["sum of 20"] == [("(·)ᵀ @ ·", ""), ("(·)ᵀ @ ·", "each round")]  # the first step hands no dh on
    picture = draw(loss, gradients_of=starts)
    assert titles(picture).count("dWh = sum of 20") == 1
    assert "×n: a frame stands for n rounds, with the values of the first" in legend(picture)
    assert "×n" not in legend(draw(loss, fold=False))
    assert "n rounds</FONT>" in legend(draw(loss, values=False)).replace(" &#160;&#160;", "")


@pytest.mark.parametrize("scoped", [True, False])
def test_a_loop_needs_no_scopes_and_unfolded_every_step_is_drawn(scoped):
    loss, _ = recurrent(20, scoped=scoped)
    assert len(labels(draw(loss))) == 14
    assert len(labels(draw(loss, fold=False, max_nodes=1000))) == len(labels(draw(loss))) + 19 * 6


def layers(count, *, names="W{}", scopes="layer {}"):
    """The output of a chain of layers with a parameter each."""
    h = np.ones((2, 3))
    for i in range(count):
        with scope(scopes.format(i, "abcdef"[i])):
            h = relu(h @ leaf(np.eye(3), names.format(i, "abcdef"[i])))
    return h.sum()


def test_the_parameters_of_layers_are_part_of_their_rounds():
    assert [row for row in rows(graphs(layers(5))[1]) if row[0]] == [
        (("layer 0…4  ×5",), "W0…W4", "", []),
        (("layer 0…4  ×5",), None, "· @ W0…W4", [("", "first round"), ("W0…W4", ""), ("relu(·)", "next round")]),
        (("layer 0…4  ×5",), None, "relu(·)", [("· @ W0…W4", "")]),
    ]


@pytest.mark.parametrize(
    ("count", "how"),
    [
        (1, {}),
        (2, {}),
        (5, {"names": "{1}"}),  # other names cannot be said in one label
        (5, {"scopes": "{1}"}),
    ],
)
def test_few_rounds_and_rounds_with_names_of_their_own_are_not_folded(count, how):
    whole, folded = graphs(layers(count, **how))
    assert len(folded.nodes) == len(whole.nodes)


def test_loops_inside_loops_fold_from_the_inside():
    W, h = leaf(np.eye(3), "W"), leaf(np.ones((2, 3)), "h0")
    for i in range(3):
        with scope(f"block {i}"):
            for j in range(4):
                with scope(f"part {j}"):
                    h = np.tanh(h @ W)
            h = h * 2.5
    assert rows(graphs(h.sum())[1])[2:] == [
        (
            ("block 0…2  ×3", "part 0…3  ×4"),
            None,
            "· @ W",
            [
                ("2.5 × ·", "first round → next round of block 0…2"),
                ("W", ""),
                ("h0", "first round → first round of block 0…2"),
                ("tanh(·)", "next round"),
            ],
        ),
        (("block 0…2  ×3", "part 0…3  ×4"), None, "tanh(·)", [("· @ W", "")]),
        (("block 0…2  ×3",), None, "2.5 × ·", [("tanh(·)", "last round")]),
        ((), None, "Σ ·", [("2.5 × ·", "last round")]),
    ]


def test_the_next_round_of_an_outer_loop_is_told_apart_from_that_of_the_inner_one():
    Vs, hs = [leaf(np.eye(3), f"V{i}") for i in range(3)], [leaf(np.ones((2, 3)), f"h{i}") for i in range(3)]
    x = leaf(np.ones((2, 3)), "x")
    for t in range(4):
        with scope(f"time {t}"):
            for i, V in enumerate(Vs):
                with scope(f"layer {i}"):
                    hs[i] = x = np.tanh(x + hs[i] @ V).named("h")
    found = {formula: uses for scope, _, formula, uses in rows(graphs(x.sum())[1]) if "time 1" in str(scope)}
    notes = {note for uses in found.values() for name, note in uses if name == "h"}
    assert {"next round", "next round of time 1…3"} <= notes


def test_edges_out_of_a_loop_say_which_rounds_they_leave():
    h, hs = leaf(np.ones(3), "h0"), []
    for i in range(6):
        with scope(f"round {i}"):
            h = np.tanh(h * 2.5).named("h")
        hs.append(h)
    folded = graphs([np.exp(hs[0]), np.exp(hs[2]), np.exp(hs[5]), np.stack(hs), np.stack(hs[:2])])[1]
    notes = [edge.note for edge in folded.edges if not folded.nodes[edge.head].rounds]
    assert notes == ["first round", "round 3", "last round", "each round", "2 of 6 rounds"]


def test_what_all_rounds_use_of_another_loop_is_told_apart_from_what_each_uses():
    start, hs, g = leaf(np.ones(3), "start"), [], leaf(np.ones(3), "g0")
    h = start
    for i in range(5):
        with scope(f"there {i}"):
            h = np.tanh(h * 2.5).named("h")
        hs.append(h)
    for i in range(5):
        with scope(f"back {i}"):
            g = np.sin(g * hs[4 - i] + hs[-1])
    _, folded = graphs(g.sum())
    found = {formula: uses for _, name, formula, uses in rows(folded)}
    assert ("h", "rounds 5…1") in found["· × h"]
    assert ("h", "last round") in found["· + h"]


def test_a_box_named_in_the_last_round_alone_says_so():
    h = leaf(np.ones(3), "h0")
    for i in range(4):
        with scope(f"round {i}"):
            h = np.tanh(h)
    folded = graphs(np.sum(h.named("end") * 2))[1]
    assert [node.name for node in folded.nodes if node.rounds] == ["end (last round)"]


def test_a_value_from_two_rounds_before_is_not_taken_for_one_from_the_round_before():
    hs = [leaf(np.ones(3), "a"), leaf(np.ones(3), "b")]
    for i in range(6):
        with scope(f"round {i}"):
            hs.append(np.tanh(hs[-1] * hs[-2]))
    whole, folded = graphs(hs[-1].sum())
    assert len(uses(folded)) == len({(edge.tail, edge.head) for edge in whole.edges})
    assert "round 0…5  ×6" not in {name for node in folded.nodes for name in node.scope}


def test_a_leaf_that_two_rounds_use_is_not_taken_for_a_part_of_one():
    xs = [leaf(np.ones(3), f"x{i}") for i in range(7)]
    out = []
    for i in range(6):
        with scope(f"round {i}"):
            out.append((xs[i] * xs[i + 1]).sum())
    whole, folded = graphs(np.stack(out))
    assert len(folded.nodes) == len(whole.nodes)


def test_parameters_that_rounds_share_stand_outside_with_gradient_and_new_value():
    W = leaf(np.eye(3), "W")

    @capture
    def step(x):
        for i in range(5):
            with scope(f"round {i}"):
                x = np.tanh(x @ W)
        loss = x.sum()
        W.assign(W - 0.1 * grad(loss, W))
        return loss

    step(np.ones((2, 3)))
    scopes = {name: scope for scope, name, _, _ in rows(graphs(step)[1]) if name and "W" in name}
    assert scopes == {"W": (), "dW": ()}
    assert titles(draw(step)).count("W ← W − 0.1 × dW") == 1


def test_folding_leaves_the_graph_as_it_is_and_marks_its_frames():
    whole = trace(record_of(recurrent(5)[0]), gather=True)
    before = rows(whole)
    folded = fold_loops(whole)
    assert rows(whole) == before
    frames = {name for node in folded.nodes for name in node.scope}
    assert frames == {"step 0…4  ×5"}
    assert all(isinstance(name, Rounds) and numbers_in(name.like) == [0] for name in frames)


def test_long_loops_fold_in_time_that_grows_with_their_length():
    y = leaf([0.5, 0.25], "x")
    for _ in range(3000):
        y = np.sin(y * y)
    assert len(labels(draw(y.sum()))) == 4


def test_the_values_of_a_folded_box_are_those_of_the_first_round():
    h = Tensor(np.full(3, 2.0), requires_grad=True, name="h0")
    for i in range(4):
        with scope(f"round {i}"):
            h = (h * 2.5).named("h")
    assert ["h = 2.5 × h", "3   all 5"] in labels(draw(np.sum(h)))


def test_single_rounds_of_the_backward_pass_are_a_node_each_beside_their_loop():
    loss, starts = recurrent(20)
    shown = labels(draw(loss, gradients_of=starts))
    assert ["step 0", "6 operations"] in shown
    assert all(label[0].startswith("dWh = ") for label in shown if "dWh" in label[0])
    assert ["step 0", "6 operations"] not in labels(draw(loss, gradients_of=starts, fold=False, max_nodes=1000))


def test_rounds_beside_their_loop_collapse_first():
    net = parameters(W=(3, 3))
    h = np.ones((2, 3))
    for i in range(6):
        with scope(f"round {i}"):
            h = np.tanh(h @ net["W"])
            h = np.exp(np.sin(h)) * 2.5 if i == 3 else h
    shown = labels(draw(h.sum(), max_nodes=9))
    assert ["round 3", "5 operations"] in shown
    assert "tanh(·)" in [label[0] for label in shown]
