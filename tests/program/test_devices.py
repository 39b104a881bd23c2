"""Two devices in one process share the rows of a program; the contract of executors holds for them, too.

JAX makes two devices of a processor if it is told so before it starts, as `test_in_a_process_with_two_devices` does.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from captured import ONES, leaf
from executors import EXECUTORS, needs_two_devices, needs_xla
from in_two_processes import STEPS, Training
from programs import assert_same, flat

from autograd_spiral import CaptureError, Tensor, capture, grad, xla
from autograd_spiral.errors import LabelError

HERE = Path(__file__)


def devices() -> Any:
    import jax

    return jax.devices()[:2]


def compiled(step: Any) -> Any:
    return step._programs.last._function._function


@needs_xla
@pytest.mark.skipif("xla on two devices" in EXECUTORS, reason="there are two devices in this process")
def test_in_a_process_with_two_devices() -> None:
    # Without LLVM's optimisations, programs are compiled sooner; test_contract.py itself has them compiled with all.
    flags = "--xla_force_host_platform_device_count=2 --xla_backend_optimization_level=0"
    environment = {**os.environ, "XLA_FLAGS": flags}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        HERE.name,
        "test_contract.py",
        "-k",
        "devices",
    ]
    how: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 400, "check": False}
    done = subprocess.run(command, cwd=HERE.parent, env=environment, **how)
    assert done.returncode == 0, done.stdout
    assert re.search(r"^\d{2} passed, 1 skipped, \d+ deselected in", done.stdout, re.MULTILINE), done.stdout


@needs_two_devices
def test_two_devices_compute_what_one_does() -> None:
    together, alone = Training(xla(devices())), Training(xla())
    for _ in range(STEPS):
        assert_same([together()], [alone()], "loss")
    assert_same(flat(together.parameters), flat(alone.parameters), "state")
    with pytest.raises(LabelError, match="the label at row 7 is 3"):
        together.spoiled()
    assert_same([together()], [alone()], "after an error")


@needs_two_devices
def test_a_step_has_one_all_reduce_and_each_device_its_rows() -> None:
    training = Training(xla(devices()))
    training()
    text = compiled(training.step).as_text()
    moved = ("all-reduce", "all-gather", "all-to-all", "collective-permute", "reduce-scatter")
    assert [len(re.findall(rf" {name}(?:-start)?\(", text)) for name in moved] == [1, 0, 0, 0, 0]
    inputs, *_ = compiled(training.step).input_shardings[0]
    assert [str(sharding.spec) for sharding in inputs] == 2 * ["P('rows',)"] + 4 * ["P()"]


@needs_two_devices
def test_a_mesh_may_have_other_axes_and_some_inputs_no_rows() -> None:
    import jax

    mesh = jax.sharding.Mesh(np.array(devices())[:, None], ("batch", "model"))
    w = leaf(1, 2)

    def step(x: Any, rates: Any) -> Any:
        loss = np.sum(np.square(x @ w))
        w.assign(w - rates.sum() * grad(loss, w))
        return loss, x * 2

    captured = capture(step, executor=xla(mesh=mesh, rows=("x",)))
    args = np.arange(8.0).reshape(4, 2), np.array([0.1, 0.2, 0.3])
    expected = flat(step(*map(Tensor, args)))
    w.assign([1.0, 2.0])
    assert_same(flat(captured(*args)), expected, "results")
    inputs, *_ = compiled(captured).input_shardings[0]
    assert [str(sharding.spec) for sharding in inputs] == ["P('batch',)", "P()", "P()"]


@needs_two_devices
def test_programs_on_one_device_and_on_two_share_their_leaves() -> None:
    w = leaf(1, 2)
    steps = [capture(lambda x: w.assign(w + x.sum(axis=0)), executor=e) for e in (xla(), xla(devices()), None, xla())]
    for i in (0, 1, 2, 3, 1, 0, 2, 1):
        steps[i](np.ones((2, 2)))
    assert_same([w.data], [[17.0, 18.0]], "state")


REFUSED: dict[str, tuple[Any, Any, str]] = {
    "rows": (None, [np.ones((3, 2))], "x has 3 rows, which 2 devices cannot share equally: pass a multiple of 2"),
    "numbers of rows": (
        None,
        [np.ones((4, 2)), ONES],
        r"inputs with different numbers of rows \(x 4, y 2\): say which of them to divide among the devices, "
        r"as in xla\(mesh=mesh, rows=\('x',\)\)",
    ),
    "a name": (("z",), [ONES, ONES], r"has no input called 'z', as in rows=\('z',\): its inputs are x, y"),
}


@needs_two_devices
@pytest.mark.parametrize("name", REFUSED)
def test_rows_that_cannot_be_shared_are_refused_at_capture(name: str) -> None:
    rows, args, message = REFUSED[name]
    w = leaf(1, 2)
    step = capture(lambda x, y=ONES: w.assign(w + x.sum() + y.sum()), executor=xla(devices(), rows=rows))
    with pytest.raises(CaptureError, match=message):
        step(*args)
    assert_same([w.data], [[1.0, 2.0]], "state")
