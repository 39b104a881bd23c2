"""Programs are checked when they are built."""

from __future__ import annotations

import numpy as np
import pytest

from autograd_spiral.engine.table import PRIMITIVES
from autograd_spiral.errors import CaptureError
from autograd_spiral.program.ir import Equation, Program, Value


def test_malformed_programs_are_refused() -> None:
    x, y = Value((2,), np.dtype(float)), Value((2,), np.dtype(float))
    sine = Equation(PRIMITIVES[np.sin], (x,), {}, y)
    Program("fine", (x,), (), (sine,), (y,))
    wrong = Value((3,), np.dtype(float))
    for build in (
        lambda: Program("p", (), (), (sine,), (y,)),
        lambda: Program("p", (x,), (), (sine, sine), (y,)),
        lambda: Program("p", (x,), (x,), (), ()),
        lambda: Program("p", (x,), (), (), (y,)),
        lambda: Program("p", (x, wrong), (), (), (), ((x, x),)),
        lambda: Program("p", (), (x, wrong), (), (), ((x, wrong),)),
        lambda: Program("p", (x,), (), (Equation(PRIMITIVES[np.sin], (x,), {}, Value((None,), np.dtype(float))),), ()),
    ):
        with pytest.raises(CaptureError, match="p: "):
            build()
