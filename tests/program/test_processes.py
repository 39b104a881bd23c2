"""Two processes on one machine train together: what they compute, compare and refuse, and what happens if one ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executors import needs_xla
from in_two_processes import IMPATIENCE, LOST_AT, PATIENCE, STEPS, Training

pytestmark = [needs_xla, pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs signals that stop a process")]

SCRIPT = Path(__file__).with_name("in_two_processes.py")
TOLERANCE = 1e-12


def run_scenario(scenario: str, folder: Path) -> list[Any]:
    """What the two processes have seen, or what the first one has if the other one is lost."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    how: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "env": ENVIRONMENT}
    command = [sys.executable, SCRIPT, address]
    processes = [subprocess.Popen([*command, number, scenario, folder], **how) for number in "012"]
    try:
        ended = processes[1:] if scenario == "alike" else processes[1:2]
        printed = [process.communicate(timeout=400)[0] for process in ended]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    seen = [re.search(r"^\{.*\}$", text, re.MULTILINE) for text in printed]
    assert all(seen), "\n".join(printed)
    return [json.loads(found[0]) for found in seen if found]


ENVIRONMENT = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    """What one process gets on all rows."""
    training = Training(None)
    return {"losses": [training() for _ in range(STEPS)], "state": training.state()}


def assert_close(found: Any, wanted: Any) -> None:
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=TOLERANCE)


# --- together ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def alike(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    return run_scenario("alike", tmp_path_factory.mktemp("alike"))


def test_two_processes_get_what_one_gets(alike: list[Any], expected: dict[str, Any]) -> None:
    for seen in alike:
        assert_close([loss for loss in seen["losses"] if not isinstance(loss, str)], expected["losses"])
        assert_close(seen["state"], expected["state"])
        assert seen["collectives"] == [[1, 0, 0, 0]] * 2
        assert seen["all rows"] == [0, 0, 2, 2]


REFUSED = r"^CaptureError: \S+: process {} refused its rows or the step, and raises the error that says why\. No leaf"
LABEL = r"^LabelError: the label at row 7 is 3, but 3 classes .* in process {}, which counts its own rows"


def test_a_label_that_one_process_refuses_is_an_error_in_both(alike: list[Any]) -> None:
    """At a call that captures the step, at one that verifies it, and at one that only runs it."""
    for own, seen in enumerate(alike, start=1):
        errors = [loss for loss in seen["losses"] if isinstance(loss, str)]
        for error, culprit in zip(errors, (2, 1, 2, 1), strict=True):
            assert re.search((LABEL if own == culprit else REFUSED).format(culprit), error)


DIFFERS = r"^CaptureError: \S+: {} between the processes \[1, 2\], but only inputs with rows may"
ANOTHER = r"^CaptureError: \S+ is not the same program in the processes \[1, 2\]: all must pass equally many rows"


def test_what_must_be_alike_is_compared(alike: list[Any]) -> None:
    for seen in alike:
        for error in seen["seeds"]:
            assert re.search(DIFFERS.format("W1, W2 differ"), error)
        assert isinstance(seen["after seeds"], float)
        assert re.search(DIFFERS.format("b1 differs"), seen["assigned by one"])
        assert re.search(DIFFERS.format(r"an outside array of shape \(2,\) differs"), seen["outside"])
        assert seen["input"][0] == 48
        assert re.search(DIFFERS.format("rate differs"), seen["input"][1])
        assert re.search(ANOTHER, seen["rows"])
        assert re.search(ANOTHER, seen["constant"])
        assert alike[0]["after seeds"] == seen["after seeds"]


def test_a_division_by_the_rows_of_one_process_warns(alike: list[Any]) -> None:
    for seen in alike:
        (message,) = seen["own rows"]
        assert re.search(r"in_two_processes.*\n.* divides by 4, and each process has 4 rows\. .* 2 times", message)
        assert seen["rows of all"] == [3.0]


def test_processes_that_get_out_of_step_find_together_again(alike: list[Any]) -> None:
    for seen in alike:
        message = "^OutOfStep: _step: process 2 makes or verifies a program where the others run one: all must pass"
        assert re.search(message, seen["rows of one"])
        assert seen["and once more"] < seen["and again"] < seen["losses"][-1]
        assert re.search(DIFFERS.format("W1, b1, W2, b2 differ"), seen["interrupted"][1])
        assert isinstance(seen["after it"], float)
    assert [str(seen["interrupted"][0])[:16] for seen in alike][1] == "InterruptedError"


def test_rows_that_cannot_be_told_are_refused(alike: list[Any]) -> None:
    for seen in alike:
        assert seen["two numbers of rows"].startswith(
            "CaptureError: step has inputs with different numbers of rows (x 8, c 4)"
        )
        assert seen["rows="].startswith("CaptureError: step has no input called 'y', as in rows=('y',)")


def test_what_numpy_refuses_is_an_error_in_both(alike: list[Any]) -> None:
    for seen in alike:
        for name, error in (
            ("matrix", "LinAlgError: Singular matrix"),
            ("index", "IndexError: index 2 is out of bounds for axis 0 with size 2"),
            ("computed labels", "LabelError: the label at row 3 is 3"),
        ):
            before, refused, after = seen[name]
            assert refused.startswith(error)
            assert isinstance(before, float)
            assert isinstance(after, float)


# --- one of them is lost ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lost")


@pytest.fixture(scope="module")
def killed(folder: Path) -> Any:
    return run_scenario("killed", folder)[0]


@pytest.fixture(scope="module")
def stopped(killed: Any, folder: Path) -> Any:
    """What goes on from the state that was saved after the other process was killed."""
    return run_scenario("stopped", folder)[0]


LOST = r"^_step: another of the processes \[1, 2\] has ended, or does not answer\. .*\({}.*\)$"


def test_a_process_that_is_killed_ends_the_other_with_one_line(killed: Any, expected: dict[str, Any]) -> None:
    assert re.search(LOST.format(".+"), killed["error"])
    assert killed["took"] < PATIENCE
    assert killed["again"].endswith(killed["error"])
    assert_close(killed["losses"], expected["losses"][:LOST_AT])


def test_a_process_that_hangs_ends_the_other_within_its_patience(stopped: Any) -> None:
    assert re.search(LOST.format("no answer for 3 s"), stopped["error"])
    assert IMPATIENCE <= stopped["took"] < IMPATIENCE + 60
    assert stopped["again"].endswith(stopped["error"])


def test_training_goes_on_from_what_was_saved_to_the_same_losses(stopped: Any, expected: dict[str, Any]) -> None:
    assert_close(stopped["losses"], expected["losses"][LOST_AT:])
    assert_close(stopped["state"], expected["state"])
