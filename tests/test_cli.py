"""The command line, as a user meets it."""

import json
import re
import subprocess
import sys

import pytest

from autograd_spiral.cli import main
from autograd_spiral.spiral import plots


@pytest.fixture
def run(capsys, tmp_path):
    """Run the command line in this process; gives exit status, stdout and stderr."""

    def run(*words):
        try:
            status = main([*words, "--out", str(tmp_path / "out")])
        except SystemExit as stop:
            status = stop.code
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


def test_the_default_verb_is_train(run):
    short = ["--model", "linear", "--steps", "5", "--points", "10"]
    assert run(*short) == run("train", *short)


def test_the_linear_log_stands_beside_the_published_one(run):
    status, out, _ = run("--model", "linear")
    assert status == 0
    rows = re.findall(r"^iteration (\d+): loss (\S+) +published (\S+)$", out, re.MULTILINE)
    assert [int(i) for i, _, _ in rows] == list(range(0, 200, 10))
    assert all(ours == theirs for _, ours, theirs in rows)
    assert re.search(r"^training accuracy: 0.49 +published 0.49$", out, re.MULTILINE)
    assert "20 of 20 losses equal" in out


@pytest.mark.parametrize(
    "change",
    [
        ["--seed", "0"],
        ["--steps", "20"],
        ["--points", "11"],
        ["--classes", "2"],
        ["--hidden", "7"],
        ["--step-size", "0.5"],
        ["--reg", "0"],
    ],
)
def test_a_changed_run_has_no_published_column(run, change):
    status, out, _ = run("--model", "linear", *change)
    assert status == 0
    assert "iteration 0: loss" in out
    assert "published" not in out


def test_every_file_is_named_and_written(run, tmp_path):
    _, out, err = run("--steps", "3", "--points", "5", "--hidden", "4")
    written = re.findall(r"^wrote (.+)$", out, re.MULTILINE)
    assert sorted(written) == sorted(map(str, (tmp_path / "out").iterdir()))
    if plots.available():
        names = {"spiral.png", "linear-boundary.png", "net-boundary.png", "net-hidden.png", "loss.png"}
        assert {str(tmp_path / "out" / name) for name in names} <= set(written)
    else:
        assert "pip install 'autograd-spiral[plot]'" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--steps", "-3"], "--steps: must be 0 or more, not -3"),
        (["--classes", "0"], "--classes: must be 1 or more, not 0"),
        (["--points", "many"], "--points: must be a whole number, not 'many'"),
        (["--step-size", "nan"], "--step-size: must be a finite number"),
        (["--model", "deep"], "--model: invalid choice: 'deep'"),
        (["--bogus"], "unrecognized arguments: --bogus"),
    ],
)
def test_bad_usage_is_one_line_and_status_2(run, words, message):
    status, out, err = run(*words)
    assert status == 2
    assert out == ""
    assert message in err
    assert err.count("\n") == 1


def test_a_folder_that_cannot_be_written_ends_before_training(run, tmp_path):
    (tmp_path / "out").write_text("a file stands where the folder should be")
    status, out, err = run("--model", "linear")
    assert (status, out) == (2, "")
    assert "cannot write to the folder" in err


def test_divergence_ends_with_one_line_and_status_1(run):
    status, _, err = run("--model", "linear", "--step-size", "1e300", "--steps", "100")
    assert status == 1
    assert "diverged" in err
    assert err.count("\n") == 1


def test_no_steps_still_measures_accuracy(run):
    status, out, _ = run("--steps", "0")
    assert status == 0
    assert out.count("training accuracy") == 2


def test_it_runs_as_a_module_and_survives_a_closed_pipe(tmp_path):
    command = [sys.executable, "-m", "autograd_spiral", "--model", "linear", "--steps", "3", "--out", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 0
    assert "Traceback" not in errors


# --- check ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def check(capsys):
    """Run the verb `check` in this process; gives exit status, stdout and stderr."""

    def check(*words):
        try:
            status = main(["check", *words])
        except SystemExit as stop:
            status = stop.code
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return check


def test_check_prints_a_row_for_each_argument(check):
    status, out, _ = check("multiply", "np.exp", "relu")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()[1:-1]] == ["np.multiply", "np.multiply", "np.exp", "relu"]
    assert "all ok" in out


def test_check_prints_json(check):
    status, out, _ = check("tanh", "--json")
    report = json.loads(out)
    assert status == 0
    assert report["ok"] is True
    assert report["rows"][0]["primitive"] == "np.tanh"


def test_check_a_function_of_ones_own(check, tmp_path, monkeypatch):
    (tmp_path / "mine_to_check.py").write_text(
        "import numpy as np\n"
        "from autograd_spiral import primitive\n"
        "def right(x, y):\n    return np.sum(np.sin(x) * y, axis=0)\n"
        "@primitive(lambda ct, out, x: ct * x)\n"
        "def wrong(x):\n    return x * x\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    assert check("mine_to_check:right", "--shapes", "(3, 4), (4,)", "--order", "2")[0] == 0
    status, out, _ = check("mine_to_check:wrong", "--shapes", "(3,)")
    assert status == 1
    assert "2.00 × too small" in out or "0.50 ×" in out or "missing factor" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["expp"], "did you mean np.exp"),
        (["numpy:tanh"], '--shapes "(3, 4), (4,)"'),
        (["numpy:tanh", "--shapes", "three"], "shapes are tuples of lengths"),
        (["nowhere_at_all:f", "--shapes", "(3,)"], "cannot import 'nowhere_at_all'"),
        (["numpy:tanh", "numpy:exp", "--shapes", "(3,)"], "one module:function at a time"),
        (["exp", "--order", "2"], "go with module:function"),
    ],
)
def test_a_check_that_cannot_be_made_is_one_line_and_status_2(check, words, message):
    status, out, err = check(*words)
    assert (status, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


# --- draw -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["linear", "net"])
@pytest.mark.parametrize("backward", [[], ["--backward"]])
def test_draw_writes_the_graph_of_a_model(model, backward, capsys, tmp_path):
    assert main(["draw", "--model", model, *backward, "--out", str(tmp_path / "graph.dot")]) == 0
    assert capsys.readouterr().out == f"wrote {tmp_path / 'graph.dot'}\n"
    text = (tmp_path / "graph.dot").read_text(encoding="utf-8")
    assert text.startswith("digraph")
    weights = "W1" if model == "net" else "W"
    assert f"<B>{weights}</B>" in text
    assert (f"<B>d{weights}</B>" in text) == bool(backward)


def test_a_picture_of_no_known_kind_is_status_2(capsys, tmp_path):
    with pytest.raises(SystemExit) as stop:
        main(["draw", "--out", str(tmp_path / "graph.jpeg")])
    assert stop.value.code == 2
    assert ".svg" in capsys.readouterr().err
