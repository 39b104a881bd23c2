"""Several operations drawn as one operation with many operands: stacks, long sums, pieces of gradients."""

import numpy as np
import pytest
from pictures import edges, labels, leaf, titles

from autograd_spiral import draw


@pytest.mark.parametrize(
    ("join", "count", "title"),
    [
        (np.stack, 2, "stack(x0, x1)"),
        (lambda xs: np.stack(xs, axis=1), 2, "stack(x0, x1, axis=1)"),
        (lambda xs: np.stack(xs, axis=-1), 20, "stack(20 arrays, axis=2)"),
        (np.concatenate, 4, "concatenate(x0, x1, x2, x3)"),
        (lambda xs: np.concatenate(xs, axis=1), 20, "concatenate(20 arrays, axis=1)"),
        (lambda xs: np.concatenate([x.reshape(1, 6) for x in xs]), 2, "concatenate(·, ·)"),  # not what a stack does
    ],
)
def test_a_stack_or_a_concatenation_is_one_box(join, count, title):
    xs = [leaf(np.ones((2, 3)), f"x{i}") for i in range(count)]
    drawing = draw(join(xs), max_nodes=1000)
    assert "".join(labels(drawing)[-1][:-1]) == title
    assert len([edge for edge in edges(drawing) if int(edge[1]) == len(titles(drawing)) - 1]) == count


def test_a_row_with_a_name_or_another_use_stays_a_box():
    x, y = leaf(np.ones(3), "x"), leaf(np.ones(3), "y")
    row = x.reshape(1, 3)
    assert "reshape(x)" in titles(draw(np.concatenate([row, y.reshape(1, 3)]) + np.sum(row)))


def test_the_sum_of_many_pieces_of_a_gradient_is_one_box_and_unfolded_it_is_many():
    w = leaf(np.ones(3), "w")
    functions = [np.sin, np.cos, np.tanh, np.exp, np.arctan, np.sinh]
    loss = np.sum(np.stack([np.sum(function(w)) for function in functions]))
    assert "dw = sum of 6" in titles(draw(loss, gradients_of=w))
    assert "dw = · + ·" in titles(draw(loss, gradients_of=w, fold=False))
    assert "dw = · + · + ·" in titles(draw(sum((np.sum(f(w)) for f in functions[:3]), 0.0), gradients_of=w))


def test_a_long_sum_of_losses_is_one_box_and_a_short_one_reads_as_it_was_written():
    w = leaf(np.ones(3), "w")
    functions = [np.sin, np.cos, np.tanh, np.exp, np.arctan, np.sinh]
    total = 0
    for function in functions:
        total = total + np.sum(function(w))
    assert titles(draw(total))[-1] == "sum of 6"
    assert titles(draw(np.sin(w) + np.cos(w) + np.exp(w)))[-2:] == ["exp(w)", "· + ·"]
    named = ((np.sin(w) + np.cos(w)).named("part") + np.exp(w)) + np.tanh(w) + np.arctan(w) + np.sinh(w)
    assert "part = · + ·" in titles(draw(named))


def test_the_pieces_of_a_stack_s_gradient_are_rows():
    xs = [leaf(np.full(3, 1.0 + i), f"x{i}") for i in range(20)]
    drawn = titles(draw(np.sum(np.stack(xs) ** 2), gradients_of=xs, fold=True))
    assert "dx0…dx19 = ·[0…19]" in drawn or "dx19…dx0 = ·[19…0]" in drawn
    columns = titles(draw(np.sum(np.stack(xs[:3], axis=1) ** 2), gradients_of=xs[:3]))
    assert {f"dx{i} = ·[:, {i}]" for i in range(3)} <= set(columns)


def test_pieces_of_a_concatenation_are_counted_from_its_beginning():
    xs = [leaf(np.ones(i + 1), f"x{i}") for i in range(5)]
    drawn = titles(draw(np.sum(np.concatenate(xs) ** 2), gradients_of=xs))
    starts = [0, 1, 3, 6, 10]
    assert {f"dx{i} = ·[{start}:{start + i + 1}]" for i, start in enumerate(starts)} <= set(drawn)
