"""The command `source`: it prints steps or writes them to a file, and their text runs."""

import numpy as np
import pytest

from autograd_spiral.spiral import published


@pytest.mark.parametrize(("model", "state"), [("linear", "W, b"), ("net", "W1, b1, W2, b2")])
def test_source_prints_a_step_that_runs(run, model, state):
    words = ["--model", model, "--points", "7", "--classes", "4", "--reg", "0.01", "--step-size", "0.5"]
    status, text, _ = run("source", *words, "--hidden", "5")
    assert status == 0
    assert f"def step(X, y, {state}):" in text
    assert "W2 = W2 - 0.5 * dW2" in text or "W = W - 0.5 * dW" in text
    names = {}
    exec(text, names)
    X, y, linear, net = published.start(None, 7, 4, 5)
    chosen = linear if model == "linear" else net
    loss, *new = names["step"](X, y, *(p.data for p in chosen.parameters()))
    assert loss == pytest.approx(float(chosen.loss(X, y, 0.01)), rel=1e-12)
    assert [array.shape for array in new] == [p.shape for p in chosen.parameters()]


def test_source_writes_a_file(run, tmp_path):
    assert run("source", "--model", "linear", "--out", "step.py")[:2] == (0, "wrote step.py\n")
    text = (tmp_path / "step.py").read_text()
    assert "\nimport numpy as np\n" in text
    assert "\ndef step(X, y, W, b):\n" in text
    assert set(np.load(tmp_path / "step.npz")) == {"W", "b"}
    assert run("source", "--model", "linear", "--out", "no/folders/step.py")[0] == 0


@pytest.mark.parametrize("name", ["step.npz", "step.txt", "step"])
def test_a_program_is_written_as_python_alone(run, name, tmp_path):
    status, _, err = run("source", "--out", f"new/{name}")
    assert status == 2
    assert err == (
        f"autograd-spiral source: error: argument --out: the file name must end in .py, unlike {name!r} "
        "(see autograd-spiral source --help)\n"
    )
    assert not (tmp_path / "new").exists()
