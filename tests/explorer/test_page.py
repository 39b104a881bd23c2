"""The page as text: what it contains, how large it is, that it needs no other files, and what cannot be explored."""

import re
from importlib import resources

import numpy as np
import pytest
from pages import data_of, elements_of

from autograd_spiral import Adam, Tensor, capture, explore, grad, mean_squared_error, primitive, scope
from autograd_spiral.errors import CaptureError, StaleLeafError
from autograd_spiral.explorer.page import SCRIPTS
from autograd_spiral.spiral import descent, published


def net_step():
    X, y, _, net = published.start()
    return descent(net), X, y, net


def recurrent(steps):
    rng = np.random.default_rng(0)
    W = {name: Tensor(0.2 * rng.standard_normal(shape), True, name) for name, shape in SHAPES.items()}
    X = rng.standard_normal((steps, 16, 8))

    @capture
    def step(X, y):
        h = np.zeros((16, 32))
        for t in range(steps):
            with scope(f"step {t}"):
                h = np.tanh(X[t] @ W["Wx"] + h @ W["Wh"] + W["b"])
        loss = mean_squared_error(h @ W["Wy"], y)
        for parameter, gradient in zip(W.values(), grad(loss, [*W.values()]), strict=True):
            parameter.assign(parameter - 0.1 * gradient)
        return loss

    return step, (X, X.sum(axis=(0, 2))[:, None])


SHAPES = {"Wx": (8, 32), "Wh": (32, 32), "b": (32,), "Wy": (32, 1)}


def called(data, name):
    (found,) = [i for i, box in enumerate(data["boxes"]) if box["name"] == name and box["kind"] != "new_state"]
    return found


def test_the_page_is_whole_and_asks_for_nothing():
    text = explore(np.sum(Tensor([1.0, 2.0], requires_grad=True) ** 2)).html
    assert text.startswith("<!doctype html>")
    assert not re.search(r"\{\{\w+\}\}", text)
    assert set(re.findall(r"https?://[^'\"\s]+", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"\b(fetch|XMLHttpRequest|import|innerHTML|eval)\b *\(|\.innerHTML", text)
    assert "default-src 'none'" in text


def test_every_file_of_the_page_is_part_of_it():
    folder = resources.files("autograd_spiral.explorer")
    files = {path.name for path in folder.iterdir() if path.name.endswith((".js", ".css", ".html"))}
    assert files == {*SCRIPTS, "style.css", "page.html"}


def test_names_cannot_end_the_script_that_they_are_in():
    x = Tensor([1.0], requires_grad=True, name="</script><!--\u2028")
    page = explore(np.sum(x).named("{{values}}"), gradients_of=x)
    data = data_of(page)
    assert [box["name"] for box in data["boxes"][:2]] == ["</script><!--\\u2028", "{{values}}"]
    assert page.html.count("</script>") == 3


def test_values_are_those_of_the_arrays_to_four_digits():
    step, X, y, net = net_step()
    page = explore(step, inputs=(X, y))
    data, elements = data_of(page), elements_of(page)
    loss = net.loss(X, y, published.REG)
    expected = {"W1": net.W1, "dW1": grad(loss, net.W1), "dW2": grad(loss, net.W2), "h": net.hidden(X), "loss": loss}
    for name, tensor in expected.items():
        i = called(data, name)
        assert data["samples"][i][2:] == [1, 1]  # all of it
        np.testing.assert_allclose(elements[i].reshape(tensor.shape), tensor.data, rtol=2e-5, atol=0)


def test_the_boxes_of_lines_compute_what_their_lines_say():
    step, X, y, _ = net_step()
    data = data_of(explore(step, inputs=(X, y)))
    named = re.compile(r"    (\w+) = ")
    lines = {i + 1: found[1] for i, line in enumerate(data["source"]) if (found := named.match(line))}
    assert {int(line) for line in data["boxOfLine"]} == lines.keys()
    for line, i in data["boxOfLine"].items():
        box = data["boxes"][i]
        assert box["name"] == lines[int(line)]
        assert box["line"] == int(line)
        assert box["printed"]
    assert "\n".join(data["source"]) == step.source.rstrip("\n")


def test_boxes_are_computed_in_the_order_of_the_source():
    step, X, y, _ = net_step()
    boxes = [box for box in data_of(explore(step, inputs=(X, y)))["boxes"] if box["printed"] and box["order"] >= 0]
    in_order = sorted(boxes, key=lambda box: box["order"])
    assert [box["line"] for box in in_order] == sorted(box["line"] for box in boxes)
    assert [box["phase"] for box in in_order] == sorted(
        (box["phase"] for box in boxes), key=["forward", "backward", "update"].index
    )


def test_parameters_are_in_the_scope_that_uses_them_first_with_their_gradients():
    step, X, y, _ = net_step()
    boxes = data_of(explore(step, inputs=(X, y)))["boxes"]
    scope_of = {box["name"]: box["scope"] for box in boxes}
    for name, layer in (("W1", "layer 1"), ("b1", "layer 1"), ("W2", "layer 2"), ("X", "layer 1"), ("y", "loss")):
        assert scope_of[name] == scope_of.get(f"d{name}", [layer]) == [layer]  # the name of W1's new state, too
    assert scope_of["probs"] == ["loss"]  # shared by both passes


def test_nothing_is_called_by_a_folder():
    step, X, y, _ = net_step()
    page = explore(step, inputs=(X, y))
    places = {box["place"] for box in data_of(page)["boxes"]} - {""}
    assert places
    assert all(re.match(r"\w+\.py:\d+: ", place) for place in places)


def test_a_captured_step_stays_as_it_was():
    step, X, y, net = net_step()
    before = [parameter.data.copy() for parameter in net.parameters()]
    explore(step, inputs=(X, y))
    for parameter, value in zip(net.parameters(), before, strict=True):
        np.testing.assert_array_equal(parameter.data, value)


def test_the_case_study_with_sixty_snapshots_takes_less_than_a_megabyte():
    step, X, y, net = net_step()
    record = explore.training(step, at=range(59), regions=(X, y, net.predict))
    for _ in range(59):
        record(X, y)
    page = explore(record)
    data = data_of(page)
    assert len(data["at"]) == 60
    for value, gradient in data["pairs"]:  # one sees them side by side
        if data["boxes"][gradient]["printed"]:
            assert data["samples"][value] == data["samples"][gradient]
    assert len(page.html.encode()) <= 1_000_000


def test_a_loop_of_a_hundred_steps_takes_less_than_three_megabytes():
    step, inputs = recurrent(100)
    page = explore(step, inputs=inputs)
    data = data_of(page)
    assert len(data["boxes"]) > 1000
    assert len(page.html.encode()) <= 3_000_000
    for name in ("Wx", "Wh", "b"):  # parameters that many scopes use stand outside
        assert data["boxes"][called(data, name)]["scope"] == []


def test_an_optimizer_is_explored():
    W = Tensor(np.ones((3, 2)), requires_grad=True, name="W")
    optimizer = Adam({"W": W})

    @capture
    def step(X):
        loss = np.sum((X @ W) ** 2).named("loss")
        optimizer.update({"W": grad(loss, W)})
        return loss

    data = data_of(explore(step, inputs=np.ones((4, 3))))
    assert {"forward", "backward", "update"} == {box["phase"] for box in data["boxes"]}


def test_a_program_without_a_text_is_explored_all_the_same():
    distinct = primitive(None)(lambda x: np.unique(x))

    @capture
    def step(x):
        return distinct(x) * 2

    page = explore(step, inputs=np.array([2.0, 1.0]))
    data = data_of(page)
    assert data["source"][0].startswith("# This program has no text: ")
    assert [elements.tolist() for elements in elements_of(page)][-1] == [[2.0, 4.0]]


def test_empty_arrays_and_constants_are_shown():
    x = Tensor(np.zeros((0, 3)), requires_grad=True, name="x")
    page = explore(np.sum(x).named("total"), gradients_of=x)
    assert elements_of(page)[0].size == 0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda w, step: explore(3.0), TypeError, "outputs must be Tensors, a captured step or a program, not float"),
        (lambda w, step: explore([w, "w"]), TypeError, "a captured step or a program, not str"),
        (lambda w, step: explore(step), CaptureError, "has no program yet: call it first"),
        (lambda w, step: explore(step, gradients_of=w, inputs=()), TypeError, "gradients_of and names are for tensors"),
        (lambda w, step: explore(w * 2, inputs=(w,)), TypeError, "inputs are the arguments of a captured step"),
        (lambda w, step: explore.training(lambda: w), TypeError, "the step must be captured, as with @capture"),
        (lambda w, step: explore.training(step, snapshots=1), ValueError, "at least 2 snapshots"),
        (lambda w, step: explore(explore.training(step)), ValueError, "no snapshots yet: call it in place of the step"),
        (lambda w, step: explore(explore.training(step), names={}), TypeError, "of its own"),
        (lambda w, step: explore.training(step, regions=(np.ones((2, 3)), [0, 1], len)), ValueError, "points (N, 2)"),
        (lambda w, step: explore(w * 2).save_as("page.pdf"), ValueError, "must be .html, not as in 'page.pdf'"),
    ],
)
def test_errors_say_what_to_do(call, error, message):
    w = Tensor([1.0, 2.0], requires_grad=True, name="w")
    with pytest.raises(error, match=re.escape(message)):
        call(w, capture(lambda: w * 2))


def test_inputs_of_a_program_are_refused():
    step, X, y, _ = net_step()
    step(X, y)
    with pytest.raises(TypeError, match="inputs are for a captured step"):
        explore(step.program, inputs=(X, y))
    assert data_of(explore(step.program))["boxes"] == data_of(explore(step))["boxes"]


def test_gradients_of_what_was_computed_on_the_way_are_shown():
    x = Tensor([1.0, 2.0], requires_grad=True, name="x")
    h = (x * 2).named("h")
    loss = np.sum(h * h * np.sin(x))
    page = explore(loss, gradients_of=[h, x])
    data, elements = data_of(page), elements_of(page)
    for name, gradient in zip(("dh", "dx"), grad(loss, [h, x]), strict=True):
        np.testing.assert_allclose(elements[called(data, name)][0], gradient.data, rtol=2e-5)


def test_gradients_of_an_assigned_leaf_are_refused():
    w = Tensor([1.0, 2.0], requires_grad=True, name="w")
    loss = np.sum(w * w)
    w.assign([3.0, 4.0])
    with pytest.raises(StaleLeafError, match="was assigned after"):
        explore(loss, gradients_of=w)
