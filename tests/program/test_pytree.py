"""Arguments and results in containers."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, NamedTuple

import numpy as np
from captured import ONES, count_of, leaf
from programs import assert_same, flat

from autograd_spiral import (
    Tensor,
    capture,
)

w = leaf(name="w")


def test_arrays_and_tensors_in_containers_are_inputs() -> None:
    def step(batch: Any, *rest: Any, scale: Any) -> Any:
        return {"sum": batch["x"][0] * w + rest[0], "more": [rest[0], (scale, None, "text", 3)]}

    captured = capture(step)
    for k in (1.0, 2.0):
        args = ({"x": [k * ONES]}, Tensor(k * ONES))
        result = captured(*args, scale=np.array(k))
        expected = step({"x": [Tensor(k * ONES)]}, Tensor(k * ONES), scale=Tensor(k))
        assert_same(flat(result["sum"]), flat(expected["sum"]), "sum")
        assert result["more"][1][1:] == (None, "text", 3)
        assert float(result["more"][1][0]) == k
    assert count_of(captured) == 1
    assert [captured.program.names[value].text for value in captured.program.inputs] == ["batch_0", "rest_0", "scale"]


class Pair(NamedTuple):
    left: Any
    right: Any


def test_named_tuples_and_ordered_dicts_come_back_as_such() -> None:
    captured = capture(lambda pair: OrderedDict(pair=Pair(pair.left * w, pair.right.sum())))
    for k in (1.0, 2.0):
        result = captured(Pair(k * ONES, k * ONES))
        assert type(result) is OrderedDict
        assert type(result["pair"]) is Pair
        assert_same(flat(list(result["pair"])), [k * w.data, 2 * k], "value")
    assert count_of(captured) == 1
