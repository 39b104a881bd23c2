"""Helpers to draw pictures and to read them. As a program, this file writes the expected (golden) pictures again."""

from __future__ import annotations

import functools
import itertools
import re
import shutil
import struct
from dataclasses import replace
from pathlib import Path

import nets
import numpy as np
import pytest

from autograd_spiral import Tensor, capture, draw, grad
from autograd_spiral.drawing.graph import trace
from autograd_spiral.drawing.picture import record_of
from autograd_spiral.spiral import published

GOLDEN = Path(__file__).parent / "drawing" / "golden"
DIRECTIONS = ["forward", "joint", "step"]
needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="needs the dot program")


def leaf(data, name=None):
    return Tensor(np.array(data, dtype=float), requires_grad=True, name=name)


def case_study(model):
    """The loss of a model of the case study at its published start, and the model."""
    X, y, linear, net = published.start()
    chosen = {"linear": linear, "net": net}[model]
    return chosen.loss(Tensor(X, name="X"), Tensor(y, name="y"), published.REG), chosen


@functools.cache
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


@functools.cache
def picture(model, direction):
    """The picture of a model of the case study, or of a recurrent net; `picture.__wrapped__` draws it anew."""
    if model == "recurrent":
        loss, parameters = nets.recurrent(20)
        return draw(loss, gradients_of=parameters)
    if direction == "step":  # without the lines of code, which move
        program = captured.__wrapped__(model).program
        return draw(program.with_equations(replace(equation, place=None) for equation in program.equations))
    loss, chosen = case_study(model)
    return draw(loss, gradients_of=chosen.parameters() if direction == "joint" else None)


def labels(drawing):
    """For each node its label as lines of text without markup."""
    source = drawing.source.replace("&#160;", " ")
    rows = re.findall(r"^\t+n\d+ \[label=<(.*?)> tooltip=", source, re.M)
    return [[re.sub("<.*?>", "", row) for row in re.findall("<TR><TD>(.*?)</TD></TR>", label)] for label in rows]


def titles(drawing):
    return [" ".join(line for line in label if "=" in line or line == label[0]) for label in labels(drawing)]


def edges(drawing):
    return re.findall(r"^\tn(\d+) -> n(\d+)", drawing.source, re.M)


def legend(drawing):
    return drawing.source[drawing.source.rindex("label=<") :]


def size(path):
    """The width and height of a PNG file."""
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG")
    return struct.unpack(">II", data[16:24])


def trace_both(loss, parameters):
    return trace(record_of(loss, parameters))


@functools.cache
def momentum():
    """A training step that keeps a velocity and a count, called once."""
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


ALL = [*itertools.product(("linear", "net"), DIRECTIONS), ("recurrent", "joint")]
"""The models and directions of the golden pictures."""

if __name__ == "__main__":
    for model, direction in ALL:
        text = picture(model, direction).source
        (GOLDEN / f"{model}-{direction}.dot").write_text(text, encoding="utf-8")
