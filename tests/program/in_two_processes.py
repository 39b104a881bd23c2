"""What each of two processes runs in test_processes.py: `in_two_processes.py ADDRESS NUMBER SCENARIO FOLDER`.

Numbers 1 and 2 train together, each on its own rows, and print what they have seen as one line of JSON. Number 0 has no
rows and only brings them together, since JAX ends all processes if it ends.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from autograd_spiral import Tensor, capture, grad, softmax_cross_entropy, xla
from autograd_spiral.errors import LostPeerError
from autograd_spiral.program.executor import Executor
from autograd_spiral.spiral import TwoLayerNet, spiral

STEPS, LOST_AT = 10, 4
PATIENCE, IMPATIENCE = 300.0, 3.0


class Training:
    """The net of the case study, its step, and its rows, by default all."""

    def __init__(self, executor: Executor | None, seed: int = 1, rows: slice = slice(None)) -> None:
        X, y = spiral(20, generator=np.random.default_rng(0))
        self.X, self.y = X[rows], y[rows]
        self.model = TwoLayerNet.random(np.random.default_rng(seed), hidden=10)
        self.parameters = self.model.parameters()
        self.step = capture(self._step, executor=executor)

    def _step(self, X: Any, y: Any) -> Any:
        loss = self.model.loss(X, y, 1e-3)
        for parameter, gradient in zip(self.parameters, grad(loss, self.parameters), strict=True):
            parameter.assign(parameter - 1.0 * gradient)
        return loss

    def __call__(self) -> float:
        return float(self.step(self.X, self.y))

    def spoiled(self) -> float:
        """Call the step with a label that there is not, in row 7."""
        return float(self.step(self.X, np.where(np.arange(len(self.y)) == 7, 3, self.y)))

    def state(self) -> list[list[Any]]:
        return [parameter.data.tolist() for parameter in self.parameters]


def told(call: Callable[..., Any], *args: Any) -> Any:
    """The number that a call returns, or the error that it raises, with its notes."""
    try:
        return float(call(*args))
    except Exception as error:
        return " ".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())])


def moved(step: Any) -> list[int]:
    """How often a step moves data between the processes, in one way and another."""
    text = step._programs.last._function._function.as_text()
    return [text.count(f" {name}(") for name in ("all-reduce", "all-gather", "all-to-all", "collective-permute")]


def interrupt_once(step: Any) -> None:
    """Let a captured step be interrupted before its leaves get their new values, the next time."""
    ready = step._programs.last
    update = ready._update

    def interrupted(*args: Any) -> None:
        ready._update = update
        raise InterruptedError

    ready._update = interrupted


def alike(own: int, executor: Executor, folder: Path) -> dict[str, Any]:
    """What goes wrong in one of the processes, or in both, and what they do after it."""
    rows: slice = slice(own, None, 2)
    seen: dict[str, Any] = {}
    training = Training(executor, rows=rows)
    losses: list[Any] = [told(training.spoiled if own == 1 else training)]  # as it is captured
    for i in range(STEPS):
        if i in (0, 1, 4):  # before it is verified, as it is, and at another call
            before = training.state()
            losses.append(told(training.spoiled if own == i % 2 else training))
            assert training.state() == before
        losses.append(told(training))
    seen["losses"], seen["state"] = losses, training.state()

    other = Training(executor, seed=own, rows=rows)
    seen["seeds"] = [told(other), told(other)]
    for p, q in zip(other.parameters, Training(None, seed=5).parameters, strict=True):
        p.assign(q)
    seen["after seeds"] = told(other)
    if own == 1:
        other.parameters[1].assign(other.parameters[1] + 1)
    seen["assigned by one"] = told(other)
    for i, name in enumerate(("rows of one", "and again", "and once more")):
        count = 30 if i else 30 - own
        seen[name] = told(training.step, training.X[:count], training.y[:count])
    if own == 1:
        interrupt_once(training.step)
    seen["interrupted"] = [told(training), told(training)]
    for parameter in training.parameters:
        parameter.assign(0.1 * np.ones(parameter.shape))
    seen["after it"] = told(training)
    seen["rows"] = told(Training(executor, rows=slice(8 + own)))

    w, ones, mine = Tensor([1.0, 2.0], requires_grad=True, name="w"), np.ones((4, 2)), np.full(2, 1.0 + own)
    seen["outside"] = told(capture(lambda x: (x @ w * Tensor(mine).sum()).sum(), executor=executor), ones)
    seen["constant"] = told(capture(lambda x: (x @ w).sum() * mine[0], executor=executor), ones)
    scaled = capture(lambda x, rate: (x @ w).sum() * rate.sum(), executor=xla(_devices(), rows=("x",)))
    seen["input"] = [told(scaled, ones, np.array([rate])) for rate in (2.0, 2.0 + own)]
    seen["two numbers of rows"] = told(
        capture(lambda x, c: (x[:2].T @ c[:2]).sum(), executor=executor), ones, np.ones(2)
    )
    seen["rows="] = told(capture(lambda x: x.sum(), executor=xla(_devices(), rows=("y",))), ones)

    def mean(counted: Any) -> list[str]:
        """The warnings for a mean over as many rows as are counted in an array; None stands for those of the step."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            step = capture(lambda x: (x @ w).sum() / len(x if counted is None else counted), executor=executor)
            seen["mean"] = told(step, ones)
        return [str(one.message) for one in caught]

    seen["own rows"] = mean(ones)
    seen["rows of all"] = [*mean(None), seen["mean"]]

    unverified = functools.partial(capture, executor=executor, verify=False)
    inverse = unverified(lambda x: np.linalg.inv(x).sum())
    matrices = np.stack([np.eye(2)] * 3)
    seen["matrix"] = [told(inverse, m) for m in (matrices, (1 - own) * matrices, matrices)]
    picked = unverified(lambda i: w[i].sum())
    seen["index"] = [told(picked, np.array(i)) for i in ([0, 1], [0, 2 * own], [1, 1])]
    computed = unverified(lambda x, y: softmax_cross_entropy(x, y + 1))
    seen["computed labels"] = [told(computed, np.zeros((2, 3)), np.array(y)) for y in ([0, 1], [0, 2 * own], [1, 1])]
    rowwise = capture(lambda x: 2 * x, executor=executor)
    seen["all rows"] = rowwise(np.full(2, float(own))).data.tolist()
    training()
    v = Tensor(np.ones(2, np.float32), requires_grad=True)
    narrow = capture(lambda x: v.assign(v - grad(np.sum(np.tanh(x @ v)), v)), executor=executor)
    narrow(np.ones((4, 2), np.float32))
    seen["collectives"] = [moved(step) for step in (training.step, narrow)]
    return seen


def lost(own: int, executor: Any, folder: Path) -> dict[str, Any]:
    """Train until the other process is lost, save, and say so."""
    scenario = sys.argv[3]
    training, path = Training(executor, rows=slice(own, None, 2)), folder / "state.npz"
    first = 0
    if scenario == "stopped":  # go on from where the others were killed
        with np.load(path) as saved:
            for name, parameter in enumerate(training.parameters):
                parameter.assign(saved[f"arr_{name}"])
            first = int(saved["done"])
    losses: list[Any] = []
    for i in range(first, STEPS + 1):
        if own == 1 and i == (LOST_AT if scenario == "killed" else STEPS):
            os.kill(os.getpid(), signal.SIGKILL if scenario == "killed" else signal.SIGSTOP)
        if scenario == "stopped" and i == STEPS:  # not before, since other programs may keep this machine busy
            executor._processes.patience = IMPATIENCE
        began = time.monotonic()
        try:
            losses.append(training())
        except LostPeerError as error:
            took, again = time.monotonic() - began, told(training)
            np.savez(path, *(parameter.data for parameter in training.parameters), done=i)
            return {
                "losses": losses,
                "first": first,
                "error": str(error),
                "took": took,
                "again": again,
                "state": training.state(),
            }
    return {"losses": losses}


def _devices() -> Sequence[Any]:
    import jax

    return [device for device in jax.devices() if device.process_index > 0]


def main() -> None:
    address, number, scenario, folder = sys.argv[1:]
    import jax

    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.config.update("jax_enable_recoverability", True)
    how = {"initialization_timeout": 300, "heartbeat_timeout_seconds": 100, "shutdown_timeout_seconds": 20}
    jax.distributed.initialize(address, 3, int(number), coordinator_bind_address=address, **how)
    devices = _devices()
    if number == "0":
        time.sleep(1000)  # the test ends it
    run = alike if scenario == "alike" else lost
    seen = run(int(number) - 1, xla(devices, patience=PATIENCE), Path(folder))
    print(json.dumps(seen), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
