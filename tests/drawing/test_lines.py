"""Pictures as Graphviz lays them out: no line runs through a box or a title, and large models fit on a screen."""

import functools

import numpy as np
import pytest
from layouts import crossings, every_program, width
from nets import adam_by_hand, convolutional, convolutional_step, data, lstm, parameters, recurrent, step_with
from pictures import ALL, labels, picture

from autograd_spiral import SGD, Tensor, draw


def drawn(model, *arguments, **settings):
    loss, starts = model(*arguments, **settings)
    return draw(loss, gradients_of=starts)


def both_ways_convolutional():
    net = parameters(K=(4, 3, 3), b=(4,), W=(36, 10))
    loss = convolutional(Tensor(data(6, 8, 8), name="X"), np.arange(6), net).named("loss")
    return draw(loss, gradients_of=list(net.values()))


PICTURES = {
    **{f"{model}-{direction}": functools.partial(picture, model, direction) for model, direction in ALL},
    "recurrent without scopes": functools.partial(drawn, recurrent, 20, scoped=False),
    "recurrent with a loss in each step": functools.partial(drawn, recurrent, 20, every=True),
    "memory cells": functools.partial(drawn, lstm, 10),
    "convolutional": both_ways_convolutional,
    "convolutional, a step": lambda: draw(convolutional_step()),
    "Adam": lambda: draw(step_with()),
    "momentum": lambda: draw(step_with(SGD, learning_rate=0.1, momentum=0.9)),
    "Adam by hand": lambda: draw(adam_by_hand()),
}


@every_program
@pytest.mark.parametrize("name", PICTURES)
def test_no_line_runs_through_a_box_or_a_title(name, program):
    assert crossings(PICTURES[name](), program) == []


@every_program
def test_lines_that_do_are_found(program):
    """The check itself: lines drawn straight, from a box to the one after the next, run through the one between."""
    x = Tensor([1.0, 2.0], requires_grad=True, name="x")
    y = (x * 2).named("y")
    drawing = draw(np.sum((y * x).named("z") * x).named("loss"))
    assert crossings(drawing, program) == []
    drawing.graph_attr["splines"] = "line"
    assert crossings(drawing, program)


@every_program
@pytest.mark.parametrize("every", [False, True])
def test_a_recurrent_net_of_twenty_steps_fits_on_a_screen(every, program):
    drawing = drawn(recurrent, 20, every=every)
    assert len(labels(drawing)) <= 60
    assert width(drawing, program) <= 1600


def test_a_recurrent_net_without_scopes_is_few_boxes_too():
    assert len(labels(drawn(recurrent, 20, scoped=False))) <= 60


def test_a_training_step_with_adam_is_a_few_boxes():
    assert len(labels(draw(step_with()))) <= 45
    assert len(labels(draw(adam_by_hand()))) <= 45
