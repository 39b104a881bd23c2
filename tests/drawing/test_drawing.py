"""Pictures of computation graphs: what they show, that they are the same in every run, and what saving does."""

import html
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autograd_spiral import Tensor, capture, grad, relu, softmax_cross_entropy
from autograd_spiral.drawing import dot as dot_module
from autograd_spiral.drawing import draw, export
from autograd_spiral.drawing import legend as legend_module
from autograd_spiral.drawing.graph import Flow, trace
from autograd_spiral.drawing.picture import record_of
from autograd_spiral.drawing.record import Kind
from autograd_spiral.drawing.text import WIDTH, value_text
from autograd_spiral.engine.history import history
from autograd_spiral.engine.modes import scope
from autograd_spiral.errors import CaptureError, GradientError
from autograd_spiral.program.capturing.recorded import recorded
from autograd_spiral.spiral import published

GOLDEN = Path(__file__).parent / "golden"
DIRECTIONS = ["forward", "joint", "step"]
needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="needs the dot program")


def leaf(data, name=None):
    return Tensor(np.array(data, dtype=float), requires_grad=True, name=name)


def case_study(model):
    """The loss of a model of the case study at its published start, and the model."""
    X, y, linear, net = published.start()
    chosen = {"linear": linear, "net": net}[model]
    return chosen.loss(Tensor(X, name="X"), Tensor(y, name="y"), published.REG), chosen


def captured(model):
    """A training step of a model of the case study, called once."""
    X, y, linear, net = published.start()
    chosen = {"linear": linear, "net": net}[model]

    @capture
    def step(X, y):
        loss = chosen.loss(X, y, published.REG)
        for parameter, gradient in zip(chosen.parameters(), grad(loss, chosen.parameters()), strict=True):
            parameter.assign(parameter - published.STEP_SIZE * gradient)
        return loss

    step(X, y)
    return step


def picture(model, direction):
    if direction == "step":  # without the lines of code, which move
        program = captured(model).program
        return draw(program.with_equations(replace(equation, place=None) for equation in program.equations))
    loss, chosen = case_study(model)
    return draw(loss, gradients_of=chosen.parameters() if direction == "joint" else None)


def labels(drawing):
    """For each node its label as lines of text without markup."""
    rows = re.findall(r"^\t+n\d+ \[label=<(.*?)> tooltip=", drawing.source, re.M)
    return [[re.sub("<.*?>", "", row) for row in re.findall("<TR><TD>(.*?)</TD></TR>", label)] for label in rows]


def titles(drawing):
    return [" ".join(line for line in label if "=" in line or line == label[0]) for label in labels(drawing)]


def edges(drawing):
    return re.findall(r"^\tn(\d+) -> n(\d+)", drawing.source, re.M)


def legend(drawing):
    return drawing.source[drawing.source.rindex("label=<") :]


# --- the same in every run ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["linear", "net"])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_the_pictures_of_the_case_study_are_the_golden_ones(model, direction):
    """To renew them after a change that was looked at: python tests/drawing/test_drawing.py."""
    expected = (GOLDEN / f"{model}-{direction}.dot").read_text(encoding="utf-8")
    assert picture(model, direction).source == expected
    assert picture(model, direction).source == expected  # other serial numbers, the same text


@pytest.mark.parametrize("model", ["linear", "net"])
def test_everything_that_matters_is_present_and_no_line_is_too_wide(model):
    loss, chosen = case_study(model)
    drawing = draw(loss, gradients_of=chosen.parameters())
    names = [re.split(" =", title)[0] for title in titles(drawing)]
    for name in ["X", "y", "data_loss", "reg_loss", "loss", "scores", "dscores", "dloss"]:
        assert names.count(name) == 1
    for parameter in chosen.parameters():
        assert names.count(parameter.name) == names.count(f"d{parameter.name}") == 1
    assert max(len(line) for label in labels(drawing) for line in label) <= WIDTH + 1
    for title in ("L2 penalty", "loss", "forward: values flow down", "backward: gradients flow up"):
        assert f"label=<{title}> " in drawing.source


def test_the_backward_pass_reads_as_it_is_derived_by_hand():
    drawn = titles(picture("net", "joint"))
    for formula in (
        "h = relu(·)",
        "scores = · + b2",
        "dloss = 1",
        "· − onehot(y)",
        "db2 = Σ₀ dscores",
        "dh = dscores @ W2ᵀ",
        "hᵀ @ dscores",
        "dh × (h &gt; 0)",
        "Xᵀ @ ·",
    ):
        assert formula in drawn


@needs_dot
@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.dot")), ids=lambda path: path.stem)
def test_dot_reads_the_golden_files_without_complaint(path):
    run = subprocess.run(["dot", "-Tsvg", path], capture_output=True, check=True)
    assert run.stderr == b""
    assert run.stdout.rstrip().endswith(b"</svg>")


# --- nodes, names, kinds --------------------------------------------------------------------------------------------


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


def test_a_raised_sign_is_not_lost_beside_a_dot():
    x = leaf([[1.0, -2.0]], "x")
    formulas = [title for out in ((x - 1) ** 2, np.square(x - 1), (x - 1).T + 1) for title in titles(draw(out))]
    assert [formula for formula in formulas if formula[0] == "("] == ["(·)²", "(·)²", "(·)ᵀ + 1"]
    assert titles(draw(x**2)) == ["x", "x²"]


@pytest.mark.parametrize(
    ("factor", "formula"),
    [
        (2.0, "2 × x"),
        (1 / 300, "x / 300"),
        (0.25, "0.25 × x"),
        (-1 / 300, "−0.003333 × x"),
        (1.234567e-310, "1.235e−310 × x"),
        (np.nan, "nan × x"),
    ],
)
def test_a_number_comes_first_and_its_reciprocal_last(factor, formula):
    x = leaf([1.0, 2.0], "x")
    assert titles(draw(x * factor))[1] == titles(draw(factor * x))[1] == formula


def test_names_come_from_the_tensor_then_from_names_then_from_the_operation():
    w, b, data = leaf([1.0, 2.0]), leaf([0.0, 0.0], "bias"), np.array([3.0, 4.0])
    h = w * data
    out = relu(h + b) + data * b
    drawing = draw(out, names={"w": w, "b": b, "data": data, "h": h, "n": 3})
    assert titles(drawing)[:4] == ["w", "bias", "data", "h = w × data"]
    assert sum(title == "data" for title in titles(drawing)) == 1
    joint = draw(out.sum(), gradients_of=w, names={"w": w})
    assert any(title.startswith("dw = ") for title in titles(joint))


def test_labels_say_shape_value_dtype_and_after_backward_the_gradient():
    x = Tensor(np.array([[3.0, 4.0]], np.float32), requires_grad=True, name="x")
    loss = np.sum(x * x)
    assert labels(draw(loss))[0] == ["x", "1×2   float32   3.5 ± 0.5"]
    loss.backward()
    assert labels(draw(loss)) == [
        ["x", "1×2   float32   3.5 ± 0.5", "‖grad‖ 10"],
        ["x × x", "1×2   float32   12 ± 3.5", "‖grad‖ 1.4"],
        ["Σ ·", "scalar   float32   25", "grad 1"],
    ]
    assert labels(draw(loss, values=False)) == [
        ["x", "1×2   float32"],
        ["x × x", "1×2   float32"],
        ["Σ ·", "scalar   float32"],
    ]
    assert "norm of its gradient" in legend(draw(loss))


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


# --- scopes ---------------------------------------------------------------------------------------------------------


def test_scopes_are_frames_that_nest_and_parameters_stand_where_they_are_first_used():
    w = leaf([1.0], "w")
    with scope("outer"), scope("inner"):
        h = w * 2
    drawing = draw(h + w)
    inner = drawing.source.index("label=<inner>")
    assert drawing.source.index("label=<outer>") < inner < drawing.source.index("<B>w</B>")
    assert drawing.source.count("subgraph") == 2


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


# --- both directions ------------------------------------------------------------------------------------------------


def test_the_backward_pass_is_the_one_that_grad_computes():
    loss, net = case_study("net")
    backward = {node.name: node for node in trace_both(loss, net.parameters()).nodes if node.kind is Kind.GRADIENT}
    for parameter, expected in zip(net.parameters(), grad(loss, net.parameters()), strict=True):
        np.testing.assert_allclose(backward[f"d{parameter.name}"].value, expected.data, rtol=1e-12, atol=1e-15)


def trace_both(loss, parameters):
    return trace(record_of(loss, parameters))


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


def frames(drawing):
    """The frames of the phases from left to right."""
    run = subprocess.run(["dot", "-Tdot"], input=drawing.source.encode(), capture_output=True, check=True)
    boxes = re.findall(r'subgraph cluster_(\w+) \{\s*graph \[bb="([\d.]+),', run.stdout.decode())
    return [name for name, _ in sorted(boxes, key=lambda box: float(box[1])) if not name.isdigit()]


@needs_dot
@pytest.mark.parametrize("model", ["linear", "net"])
def test_forward_stands_left_of_backward_and_update(model):
    assert frames(picture(model, "joint")) == ["forward", "backward"]
    assert frames(picture(model, "step")) == ["forward", "backward", "update"]


@pytest.mark.parametrize(("rankdir", "words"), [("LR", "right left"), ("BT", "up down"), ("RL", "left right")])
def test_frames_say_the_direction_that_values_and_gradients_flow_in(rankdir, words):
    x = leaf([1.0, 2.0], "x")
    source = draw(np.sum(x * x), gradients_of=x, rankdir=rankdir).source
    assert [
        re.findall(f"label=<{what} flow (.*?)>", source) for what in ("forward: values", "backward: gradients")
    ] == [[word] for word in words.split()]


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


def test_drawing_leaves_everything_as_it_was():
    loss, net = case_study("net")
    draw(loss, gradients_of=net.parameters())
    assert all(parameter.grad is None for parameter in net.parameters())
    before = loss.name, len(history([loss]))
    draw(loss, names={"other": loss})
    assert (loss.name, len(history([loss]))) == before


def test_an_input_that_the_output_does_not_reach_gets_zero():
    x, far = leaf([1.0, 2.0], "x"), leaf([1.0, 2.0], "far")
    drawing = draw(x.sum(), gradients_of=[x, far])
    assert any(label[0].startswith("dfar = ") and label[-1].endswith("all 0") for label in labels(drawing))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: draw(np.ones(3)), TypeError, "outputs must be Tensors, a captured step or a program, not float64"),
        (lambda x: draw("loss"), TypeError, "outputs must be Tensors, a captured step or a program, not str"),
        (lambda x: draw(np.ones), TypeError, "outputs must be Tensors, a captured step or a program, not function"),
        (lambda x: draw(capture(lambda: x)), CaptureError, "has no program yet: call it first"),
        (lambda x: draw(captured("linear"), gradients_of=x), TypeError, "a backward pass and names of its own"),
        (lambda x: draw(captured("linear").program, names={}), TypeError, "gradients_of and names are for tensors"),
        (lambda x: draw(x, gradients_of=[1.0]), TypeError, "gradients_of must be Tensors, not float"),
        (lambda x: draw(x, rankdir="up"), ValueError, "rankdir must be TB, LR, BT or RL, not 'up'"),
        (lambda x: draw(x * 2, gradients_of=x), GradientError, "cotangent"),
        (lambda x: draw(x).save_as("graph.jpeg"), ValueError, "the suffix must be one of .svg, .png, .pdf"),
    ],
)
def test_errors_say_what_to_do(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call(leaf([1.0, 2.0]))


# --- captured steps -------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("folder", ["/home/me/", "C:\\me\\", ""])
def test_tooltips_name_the_line_of_code_without_its_folders(folder):
    program = captured("linear").program
    place = f"{folder}my.py:12: y = x / s[3:4: 2]"
    moved = program.with_equations(replace(equation, place=place) for equation in program.equations)
    assert 'tooltip="scores = · + b  (my.py:12: y = x / s[3:4: 2])"' in draw(moved).source
    assert re.search(r'tooltip="X @ W  \(models.py:\d+: ', draw(program).source)


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


def momentum():
    W = Tensor(np.ones((2, 3)), requires_grad=True, name="W")
    v = Tensor(np.zeros((2, 3)), name="v")
    count = Tensor(0, name="count")

    @capture
    def step(X):
        loss = np.square(X @ W).sum()
        gradient = grad(loss, W)
        size = np.sqrt(np.sum(gradient**2))
        velocity = 0.9 * v - 0.1 * gradient
        W.assign(W + velocity)
        v.assign(velocity)
        count.assign(count + 1)
        return loss, size

    step(np.ones((4, 2)))
    return step


def test_state_that_is_not_trained_and_what_is_computed_after_the_backward_pass():
    drawing = draw(momentum())
    assert {"v", "count", "v ← · − ·", "W ← W + ·", "count ← count + 1", "0.9 × v"} <= set(titles(drawing))
    assert {str(kind) for kind in Kind if str(kind) in legend(drawing)} == set(Kind) - {Kind.SCOPE}
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
    assert {"w", "given_0", "w ← w − dw"} <= set(drawn)


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


@needs_dot
@pytest.mark.parametrize("rankdir", ["TB", "LR", "BT", "RL"])
@pytest.mark.parametrize("max_nodes", [3, 100])
def test_dot_draws_captured_steps_without_complaint(rankdir, max_nodes):
    for step in (captured("net"), momentum()):
        drawing = draw(step, rankdir=rankdir, max_nodes=max_nodes)
        run = subprocess.run(["dot", "-Tsvg"], input=drawing.source.encode(), capture_output=True, check=True)
        assert run.stderr == b""
    assert frames(draw(momentum())) == ["forward", "backward", "update"]


@needs_dot
def test_notebooks_show_captured_steps():
    assert draw(momentum())._repr_mimebundle_()["image/svg+xml"].rstrip().endswith("</svg>")


# --- safe -----------------------------------------------------------------------------------------------------------

HOSTILE = ['a"b', "a\\b\\N\\n", "<B>x</B>", "&lt;", "$(rm) `ls`;", "label=<>", "-->", "é ∂ 日本", "\\", "{|}", "%s"]


@needs_dot
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_appear_literally(name):
    x = leaf([1.0, 2.0], name)
    with scope(name):
        y = x.sum()
    run = subprocess.run(
        ["dot", "-Tsvg"], input=draw(y, gradients_of=x).source.encode(), capture_output=True, check=True
    )
    assert run.stderr == b""
    svg = run.stdout.decode()
    texts = [html.unescape(text).replace("\xa0", " ") for text in re.findall("<text[^>]*>(.*?)</text>", svg)]
    assert texts.count(name) == 2  # the leaf and the frame
    assert f"d{name}" in texts
    tips = [html.unescape(tip) for tip in re.findall('xlink:title="(.*?)"', svg)]
    assert name in tips


def test_hostile_names_in_captured_steps():
    for name in HOSTILE:
        w = leaf([1.0, 2.0], name)

        @capture
        def step(w=w):
            w.assign(w - grad(np.sum(w * w), w))

        step()
        source = draw(step).source
        shown = html.escape(name, quote=False).replace("\\", "\\\\")
        assert source.count(f"<B>{shown}</B> ←") == 1
        if shutil.which("dot"):
            assert subprocess.run(["dot"], input=source.encode(), capture_output=True, check=True).stderr == b""


def test_what_cannot_be_printed_is_shown_and_long_names_are_cut():
    assert titles(draw(leaf(1.0, "two\nlines\x00"))) == ["two↵lines\\\\x00"]
    assert titles(draw(leaf(1.0, "n" * 1000))) == ["n" * (WIDTH - 1) + "…"]
    assert len(draw(leaf(1.0, "n" * 1000)).source) < 3000


def test_the_walk_visits_each_operation_once_however_often_values_are_shared(monkeypatch):
    visits = []
    original = dot_module.value_text
    monkeypatch.setattr(dot_module, "value_text", lambda value: visits.append(1) or original(value))

    def count(depth):
        visits.clear()
        y = leaf([0.5, 0.25], "x")
        for _ in range(depth):
            y = y * y  # 2 ** depth paths
        drawing = draw(y)
        assert len(edges(drawing)) == 2 * depth
        return len(visits)

    assert (count(100), count(10_000)) == (101, 10_001)


def loop(steps):
    """A loop whose every step uses the same parameter: long edges, and no scopes."""
    w = leaf([0.1, 0.2], "w")
    h = w
    for _ in range(steps):
        h = np.tanh(h + w)
    return np.sum(h), w


@needs_dot
@pytest.mark.parametrize("both", [False, True])
def test_a_loop_of_a_hundred_steps_is_drawn_in_seconds(both, monkeypatch, tmp_path, capsys):
    out, w = loop(100)
    monkeypatch.setattr(export, "_PATIENCE", 45.0)  # without bounds, dot takes minutes
    path = draw(out, gradients_of=w if both else None).save_as(tmp_path / "loop.svg")
    assert capsys.readouterr().err == ""
    assert path.read_text(encoding="utf-8").count('class="node"') > 200


def test_dot_is_hurried_in_large_graphs_alone():
    said = [draw(loop(steps)[0]).source.splitlines()[1] for steps in (30, 50, 300)]
    assert ["nslimit=" in line for line in said] == [False, True, True]
    assert ["splines=line" in line for line in said] == [False, False, True]


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


def test_arrays_that_were_never_tensors_are_data():
    drawing = draw(softmax_cross_entropy(leaf(np.eye(3), "s"), np.array([0, 1, 2])))
    assert labels(drawing)[1] == ["data", "3   int64   0 to 2"]


# --- saving ---------------------------------------------------------------------------------------------------------


@needs_dot
@pytest.mark.parametrize(("suffix", "start"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_the_suffix_is_the_format(tmp_path, suffix, start):
    path = tmp_path / f"graph.{suffix}"
    assert draw(leaf(1.0) * 2).save_as(path) == path
    assert path.read_bytes().startswith(start)


@pytest.mark.parametrize("suffix", ["dot", "gv"])
def test_the_text_needs_no_program(tmp_path, suffix, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda *args, **kwargs: None)
    drawing = draw(leaf(1.0) * 2)
    path = drawing.save_as(str(tmp_path / f"graph.{suffix}"))
    assert path.read_text(encoding="utf-8") == drawing.source


def test_missing_folders_are_made(tmp_path):
    path = draw(leaf(1.0) * 2).save_as(tmp_path / "missing" / "folder" / "graph.dot")
    assert path.read_text(encoding="utf-8").startswith("digraph")
    with pytest.raises(ValueError, match="suffix"):
        draw(leaf(1.0) * 2).save_as(tmp_path / "other" / "graph.jpeg")
    assert not (tmp_path / "other").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        draw(leaf(1.0) * 2).save_as(tmp_path / "file" / "graph.dot")


def test_without_a_program_the_text_is_written_and_one_line_says_how_to_get_a_picture(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(shutil, "which", lambda *args, **kwargs: None)
    drawing = draw(leaf(1.0) * 2)
    path = drawing.save_as(tmp_path / "graph.svg")
    assert path == tmp_path / "graph.dot"
    assert path.read_text(encoding="utf-8") == drawing.source
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "pip install graphviz-pure" in said
    assert "graphviz" in drawing._repr_mimebundle_()["text/plain"]


def test_graphviz_pure_is_used_where_there_is_no_dot_but_not_for_pdf(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name, **kwargs: "/bin/pure" if name == "graphviz-pure" else None)
    assert export._program("svg") == "/bin/pure"
    assert export._program("pdf") is None
    monkeypatch.setattr(shutil, "which", lambda name, **kwargs: f"/bin/{name}")
    assert export._program("svg") == "/bin/dot"


@pytest.mark.skipif(os.name == "nt", reason="a script is no program on Windows")
def test_a_program_that_takes_too_long_is_stopped_and_one_line_says_what_to_do(tmp_path, monkeypatch, capsys):
    slow = tmp_path / "slow"
    slow.write_text(f"#!{sys.executable}\nimport time\ntime.sleep(60)\n")
    slow.chmod(0o755)
    monkeypatch.setattr(export, "_PATIENCE", 0.2)
    monkeypatch.setattr(export, "_program", lambda kind: str(slow))
    drawing = draw(leaf(1.0) * 2)
    path = drawing.save_as(tmp_path / "graph.svg")
    assert path == tmp_path / "graph.dot"
    assert path.read_text(encoding="utf-8") == drawing.source
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "slow did not finish within 0.2 seconds; record loops and layers inside `with scope(…):`" in said
    assert "did not finish" in drawing._repr_mimebundle_()["text/plain"]


def test_a_program_that_fails_is_no_traceback(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(export, "_program", lambda kind: sys.executable)
    assert draw(leaf(1.0) * 2).save_as(tmp_path / "graph.png") == tmp_path / "graph.dot"
    assert "failed: " in capsys.readouterr().err


if __name__ == "__main__":
    for model in ("linear", "net"):
        for direction in DIRECTIONS:
            text = picture(model, direction).source
            (GOLDEN / f"{model}-{direction}.dot").write_text(text, encoding="utf-8")


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
