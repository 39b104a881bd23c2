"""Pictures of computation graphs: what they show, and that they are the same in every run."""

import re

import numpy as np
import pytest
from pictures import ALL, GOLDEN, captured, case_study, labels, leaf, legend, picture, titles, trace_both

from autograd_spiral import Tensor, capture, grad, primitive, relu
from autograd_spiral.drawing import draw
from autograd_spiral.drawing.record import Kind
from autograd_spiral.drawing.text import WIDTH
from autograd_spiral.errors import CaptureError, GradientError
from autograd_spiral.program.history import history


@pytest.mark.parametrize(("model", "direction"), ALL)
def test_the_pictures_in_the_documents_are_the_golden_ones(model, direction):
    """To renew them after a change that was looked at: python tests/pictures.py."""
    expected = (GOLDEN / f"{model}-{direction}.dot").read_text(encoding="utf-8")
    assert picture(model, direction).source == expected
    assert picture.__wrapped__(model, direction).source == expected  # other serial numbers, the same text


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


def test_names_come_from_the_tensor_then_from_names_then_from_the_operation():
    w, b, data = leaf([1.0, 2.0]), leaf([0.0, 0.0], "bias"), np.array([3.0, 4.0])
    h = w * data
    out = relu(h + b) + data * b
    drawing = draw(out, names={"w": w, "b": b, "data": data, "h": h, "n": 3})
    assert titles(drawing)[:4] == ["w", "bias", "data", "h = w × data"]
    assert sum(title == "data" for title in titles(drawing)) == 1
    joint = draw(out.sum(), gradients_of=w, names={"w": w})
    assert any(title.startswith("dw = ") for title in titles(joint))
    for net, name in (({"W1": w, "b": b}, "W1"), ([{"W1": w}, (b,)], "W1_0")):
        drawn = titles(draw(out.sum(), gradients_of=net))
        assert {name, f"d{name}", "dbias"} <= {title.partition(" = ")[0] for title in drawn}


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


def test_the_backward_pass_is_the_one_that_grad_computes():
    loss, net = case_study("net")
    backward = {node.name: node for node in trace_both(loss, net.parameters()).nodes if node.kind is Kind.GRADIENT}
    for parameter, expected in zip(net.parameters(), grad(loss, net.parameters()), strict=True):
        np.testing.assert_allclose(backward[f"d{parameter.name}"].value, expected.data, rtol=1e-12, atol=1e-15)


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
        (lambda x: draw(x, gradients_of=[1.0]), TypeError, "gradients_of 0 must be a Tensor, not float"),
        (lambda x: draw(x, rankdir="up"), ValueError, "rankdir must be TB, LR, BT or RL, not 'up'"),
        (lambda x: draw(x * 2, gradients_of=x), GradientError, "cotangent"),
        (lambda x: draw(x).save_as("graph.jpeg"), ValueError, "the suffix must be one of .svg, .png, .pdf"),
    ],
)
def test_errors_say_what_to_do(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call(leaf([1.0, 2.0]))


def test_leaves_are_drawn_with_the_values_that_were_recorded():
    w = leaf([1.0, 3.0], "w")
    loss = np.sum(w * w)
    before = draw(loss).source
    w.assign([5.0, 9.0])
    assert draw(loss).source == before
    assert labels(draw(w)) == [["w", "2   7 ± 2"]]


def test_drawing_computes_no_operation_again():
    calls = []

    @primitive(lambda ct, out, x, y: ct * y, None)
    def scaled(x, y):
        calls.append(1)
        return x * np.linalg.inv(y)

    w = leaf(np.eye(2), "w")
    loss = np.sum(scaled(w, 2 * np.eye(2)))
    assert titles(draw(loss)) == ["w", "data", "scaled(w, ·)", "Σ ·"]
    assert any(title.startswith("dw = ") for title in titles(draw(loss, gradients_of=w)))
    assert len(calls) == 1


def test_gradients_of_intermediate_results_and_the_same_one_twice():
    w = leaf([1.0, 2.0], "w")
    h = np.tanh(w).named("h")
    loss = np.sum(h * h).named("loss")
    kinds = {node.name: node.kind for node in trace_both(loss, [h, w, h]).nodes}
    assert (kinds["dh"], kinds["dw"], kinds["dloss"]) == (Kind.GRADIENT, Kind.GRADIENT, Kind.BACKWARD)
    assert titles(draw(loss, gradients_of=[h, w, h])).count("dh = +dh") == 1


def test_a_graph_recorded_by_grad_is_drawn_as_a_forward_pass():
    w = leaf([1.0, 2.0], "w")
    slope = grad(np.sum(w**3), w, create_graph=True).named("slope")
    drawing = draw(np.sum(slope**2))
    assert "cluster_backward" not in drawing.source
    assert any(title.startswith("slope = ") for title in titles(drawing))
