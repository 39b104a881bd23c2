"""The DOT text: frames, tooltips and strange names; and Graphviz needs only seconds for it."""

import html
import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from pictures import GOLDEN, captured, leaf, momentum, needs_dot, picture

from autograd_spiral import capture, grad, scope
from autograd_spiral.drawing import draw, export


@needs_dot
@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.dot")), ids=lambda path: path.stem)
def test_dot_reads_the_golden_files_without_complaint(path):
    run = subprocess.run(["dot", "-Tsvg", path], capture_output=True, check=True)
    assert run.stderr == b""
    assert run.stdout.rstrip().endswith(b"</svg>")


def test_scopes_are_frames_that_nest_and_parameters_stand_where_they_are_first_used():
    w = leaf([1.0], "w")
    with scope("outer"), scope("inner"):
        h = w * 2
    drawing = draw(h + w)
    inner = drawing.source.index("label=<inner>")
    assert drawing.source.index("label=<outer>") < inner < drawing.source.index("<B>w</B>")
    assert drawing.source.count("subgraph") == 2


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


@needs_dot
def test_an_update_of_other_state_stands_on_the_right_too():
    assert frames(draw(momentum())) == ["forward", "backward", "update"]


@pytest.mark.parametrize(("rankdir", "words"), [("LR", "right left"), ("BT", "up down"), ("RL", "left right")])
def test_frames_say_the_direction_that_values_and_gradients_flow_in(rankdir, words):
    x = leaf([1.0, 2.0], "x")
    source = draw(np.sum(x * x), gradients_of=x, rankdir=rankdir).source
    assert [
        re.findall(f"label=<{what} flow (.*?)>", source) for what in ("forward: values", "backward: gradients")
    ] == [[word] for word in words.split()]


@pytest.mark.parametrize("folder", ["/home/me/", "C:\\me\\", ""])
def test_tooltips_name_the_line_of_code_without_its_folders(folder):
    program = captured("linear").program
    place = f"{folder}my.py:12: y = x / s[3:4: 2]"
    moved = program.with_equations(replace(equation, place=place) for equation in program.equations)
    assert 'tooltip="scores = · + b  (my.py:12: y = x / s[3:4: 2])"' in draw(moved).source
    assert re.search(r'tooltip="X @ W  \(models.py:\d+: ', draw(program).source)


@needs_dot
@pytest.mark.parametrize("rankdir", ["TB", "LR", "BT", "RL"])
@pytest.mark.parametrize("max_nodes", [3, 100])
def test_dot_draws_captured_steps_without_complaint(rankdir, max_nodes):
    for step in (captured("net"), momentum()):
        drawing = draw(step, rankdir=rankdir, max_nodes=max_nodes)
        run = subprocess.run(["dot", "-Tsvg"], input=drawing.source.encode(), capture_output=True, check=True)
        assert run.stderr == b""


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


def loop(steps):
    """A loop whose every step uses the same parameter: long edges, and no scopes."""
    w = leaf([0.1, 0.2], "w")
    h = w
    for _ in range(steps):
        h = np.tanh(h + w)
    return np.sum(h), w


@needs_dot
@pytest.mark.parametrize("both", [False, True])
def test_a_loop_of_seventy_steps_is_drawn_in_seconds(both, monkeypatch, tmp_path, capsys):
    out, w = loop(70)
    monkeypatch.setattr(export, "_PATIENCE", 45.0)  # without bounds, dot takes minutes
    path = draw(out, gradients_of=w if both else None, fold=False).save_as(tmp_path / "loop.svg")
    assert capsys.readouterr().err == ""
    assert path.read_text(encoding="utf-8").count('class="node"') > 140


def test_dot_is_hurried_in_large_graphs_alone():
    said = [draw(loop(steps)[0], fold=False).source.splitlines()[1] for steps in (30, 50, 300)]
    assert ["nslimit=" in line for line in said] == [False, True, True]
    assert ["splines=line" in line for line in said] == [False, False, True]
