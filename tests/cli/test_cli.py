"""The command line, as a user meets it."""

import functools
import json
import os
import re
import shlex
import signal
import subprocess
import sys

import pytest

import autograd_spiral
from autograd_spiral.cli import VERBS, _parser, main
from autograd_spiral.drawing import Drawing
from autograd_spiral.spiral import plots, published


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


@pytest.mark.parametrize("words", [["--bogus"], *([verb.name, "--bogus"] for verb in VERBS)], ids=" ".join)
def test_an_option_that_a_verb_does_not_have_leads_to_its_help(words, capsys):
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    name = words[0] if len(words) > 1 else "train"
    assert capsys.readouterr().err == (
        f"autograd-spiral {name}: error: unrecognized arguments: --bogus (see autograd-spiral {name} --help)\n"
    )


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


def test_json_is_one_object_and_all_that_is_printed(run, tmp_path):
    status, out, _ = run("--json", "--steps", "4", "--points", "5", "--hidden", "4")
    report = json.loads(out)
    assert status == 0
    assert [(one["model"], one["steps"], len(one["losses"])) for one in report["models"]] == [
        ("linear", 4, 4),
        ("net", 4, 4),
    ]
    assert all(0 <= one["accuracy"] <= 1 and one["published"] is None for one in report["models"])
    assert sorted(report["files"]) == sorted(map(str, (tmp_path / "out").iterdir()))


def test_json_of_the_published_run_has_the_published_log(run):
    _, out, _ = run("train", "--json", "--model", "linear")
    (linear,) = json.loads(out)["models"]
    every, expected = linear["published"]["every"], linear["published"]["losses"]
    assert len(linear["losses"]) == 200
    assert [round(loss, 6) for loss in linear["losses"][::every]] == expected
    assert round(linear["accuracy"], 2) == linear["published"]["accuracy"]


def test_json_of_a_run_that_fails_is_no_half_of_an_object(run):
    status, out, err = run("--json", "--model", "linear", "--step-size", "1e300", "--steps", "100")
    assert (status, out) == (1, "")
    assert "diverged" in err


def test_a_disk_that_fails_is_one_line_and_status_1(run, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Drawing, "save_as", full)
    status, _, err = run("--steps", "1", "--points", "5", "--hidden", "4")
    assert status == 1
    assert "No space left on device" in err.splitlines()[-1]


# --- all verbs ------------------------------------------------------------------------------------------------------

SHORT = {
    "train": ["train", "--model", "linear", "--steps", "200", "--points", "5", "--out", "out"],
    "train --json": ["train", "--json", "--model", "linear", "--steps", "1", "--points", "5", "--out", "out"],
    "check": ["check", "exp"],
    "check --json": ["check", "--json", "exp"],
    "draw": ["draw", "--model", "linear", "--out", "graph.dot"],
    "source": ["source", "--points", "5"],
    "--help": ["--help"],
    "--version": ["--version"],
}
SHORT |= {f"{verb.name} --help": [verb.name, "--help"] for verb in VERBS}
"""A run of each verb, short, that prints something."""


@pytest.mark.parametrize("words", SHORT.values(), ids=SHORT)
def test_a_closed_pipe_is_no_traceback(words, tmp_path):
    command = [sys.executable, "-m", "autograd_spiral", *words]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 0
    assert [line for line in errors.splitlines() if not line.startswith("no pictures: matplotlib")] == []


def test_a_closed_pipe_does_not_hide_a_failed_check(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from autograd_spiral import primitive\n@primitive(lambda ct, out, x: ct)\ndef wrong(x):\n    return x * x\n"
    )
    command = [sys.executable, "-m", "autograd_spiral", "check", "mine:wrong", "--shapes", "(3,)"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 1


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send")
def test_an_interrupt_ends_with_one_line(tmp_path):
    command = [sys.executable, "-m", "autograd_spiral", "--model", "net", "--steps", "10000000", "--out", "out"]
    heeded = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # shells' background jobs ignore it
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heeded
    )
    try:
        assert process.stdout.readline().startswith("two-layer ReLU net")  # it is at work
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 130
    assert errors == "interrupted\n"


@pytest.fixture(autouse=True)
def usual_terminal(monkeypatch):
    """Help texts in the width of a usual terminal, whatever the suite runs in."""
    monkeypatch.setenv("COLUMNS", "80")


def printed_by(capsys, *words):
    """Exit status and stdout of a run that argparse may end."""
    try:
        status = main(list(words))
    except SystemExit as stop:
        status = stop.code
    return status, capsys.readouterr().out


def test_the_help_lists_each_verb_in_a_line_and_says_what_the_exit_status_means(capsys):
    status, out = printed_by(capsys, "--help")
    assert status == 0
    for verb in VERBS:
        assert re.search(rf"^ +{verb.name} +{re.escape(verb.summary)}$", out, re.MULTILINE)
    assert "0 fine, 1 a run or a check failed, 2 bad usage" in out
    assert "draw, print" in out  # what the package says of itself
    assert max(map(len, out.splitlines())) <= 100


@pytest.mark.parametrize("verb", VERBS, ids=[verb.name for verb in VERBS])
def test_each_verb_has_a_help_text_whose_examples_parse(verb, capsys):
    status, out = printed_by(capsys, verb.name, "--help")
    assert status == 0
    assert len(verb.examples) >= 2
    for command, does in verb.examples:
        assert f"  # {does}\n  autograd-spiral {command}".rstrip() in out
        if command:
            assert _parser().parse_args(shlex.split(command)).run is verb.run


@pytest.mark.parametrize("verb", VERBS, ids=[verb.name for verb in VERBS])
def test_every_option_says_what_it_is(verb, capsys):
    _, out = printed_by(capsys, verb.name, "--help")
    options = out[out.index("\noptions:") : out.index("\nexamples:")]
    for option in re.split(r"\n  (?=-)", options)[1:]:
        assert re.search(r"  +\w", option), option


def test_the_version(capsys):
    assert printed_by(capsys, "--version") == (0, f"autograd-spiral {autograd_spiral.__version__}\n")


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("chekc", "no verb 'chekc': did you mean check?"),
        ("xyz", f"the verbs are {', '.join(verb.name for verb in VERBS)}"),
    ],
)
def test_a_word_that_is_no_verb_is_status_2(word, message, capsys):
    with pytest.raises(SystemExit) as stop:
        main([word])
    assert stop.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert message in printed.err
    assert "autograd-spiral --help" in printed.err
    assert printed.err.count("\n") == 1


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


def test_an_argument_without_a_rule_is_drawn_and_not_checked(check, tmp_path, monkeypatch):
    (tmp_path / "masked.py").write_text(
        "import numpy as np\nfrom autograd_spiral import primitive\n\n\n"
        "@primitive(lambda ct, out, x, mask: ct * mask, None)\n"
        "def f(x, mask):\n    return np.sum(x * mask)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    status, out, _ = check("masked:f", "--shapes", "(3,), (3,)")
    assert status == 0
    assert "input 0" in out
    assert "input 1" not in out


@pytest.mark.parametrize("json", [[], ["--json"]])
def test_a_check_that_judged_nothing_has_failed(check, json, tmp_path, monkeypatch):
    (tmp_path / "nowhere_finite.py").write_text("import numpy as np\n\n\ndef f(x):\n    return x * np.nan\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    status, out, err = check("nowhere_finite:f", "--shapes", "(3,)", *json)
    assert status == 1
    assert "undecided" in out
    assert "not judged: the function is nan everywhere" in out
    assert "nothing could be judged in input 0" in err


def test_what_a_checked_function_prints_is_no_result(check, tmp_path, monkeypatch):
    (tmp_path / "talking.py").write_text("print('imported')\ndef f(x):\n    print('called')\n    return x * x\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    status, out, err = check("talking:f", "--shapes", "(3,)", "--json")
    assert status == 0
    assert json.loads(out)["ok"] is True
    assert {"imported", "called"} <= set(err.split())


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("def f(x):\n    raise ValueError('the shapes (3, 4)\\nare odd')\n", "ValueError: the shapes (3, 4)"),
        ("def f(x):\n    return x.nothing\n", "AttributeError: 'Tensor' object has no attribute 'nothing'"),
        ("import numpy as np\ndef f(x):\n    return np.fft.fft(x)\n", "NoRuleError: np.fft.fft has no gradient rule"),
        ("import numpy as np\ndef f(x):\n    return np.sum(x + np.ones(7))\n", "ShapeError: np.add"),
        ("def f(x):\n    raise ValueError\n", "ValueError ("),
        ("1 / 0\n", "ZeroDivisionError: division by zero"),
        ("import sys; sys.exit(0)\n", "SystemExit: 0"),
        ("import nothing_of_that_name\n", "ModuleNotFoundError: No module named 'nothing_of_that_name'"),
    ],
)
def test_a_function_that_raises_has_failed_and_is_no_bad_usage(check, source, says, tmp_path, monkeypatch):
    (tmp_path / "raising.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "raising", raising=False)
    line = next(i for i, text in enumerate(source.splitlines(), 1) if not re.match(r"def|import numpy", text))
    status, out, err = check("raising:f", "--shapes", "(3, 4)")
    assert (status, out) == (1, "")
    assert err.startswith(f"autograd-spiral: raising:f raised {says}")
    assert err.endswith(f"raising.py, line {line}); --traceback shows how it came to that\n")
    assert err.count("\n") == 1
    status, out, _ = check("raising:f", "--shapes", "(3, 4)", "--json")
    assert status == 1
    assert json.loads(out)["ok"] is False
    assert json.loads(out)["error"].startswith(says.removesuffix(" ("))
    status, out, err = check("raising:f", "--shapes", "(3, 4)", "--traceback")
    assert (status, out) == (1, "")
    assert err.startswith("Traceback (most recent call last):\n")
    assert err.splitlines()[-1].endswith(f"raising.py, line {line})")


def test_a_rule_that_raises_is_named(check, tmp_path, monkeypatch):
    (tmp_path / "ruled.py").write_text(
        "from autograd_spiral import primitive\n@primitive(lambda ct, out, x: ct[:, 1])\ndef f(x):\n    return x + 1\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    status, _, err = check("ruled:f", "--shapes", "(3,)")
    assert status == 1
    assert re.search(
        r"raised RuleError: the rule of f for argument 0 \(x\) raised IndexError: .*ruled\.py, line 2\)", err
    )


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["own_ops.cube"], "own_ops:cube"),
        (["own_ops.cube", "--shapes", "(3,)"], "own_ops:cube"),
        (["exp", "own_ops.tanh"], "own_ops:tanh"),
        (["own_ops.py"], "own_ops:function"),
        (["own_ops.py:cube", "--shapes", "(3,)"], "own_ops:cube"),
        (["./own_ops:cube", "--shapes", "(3,)"], "own_ops:cube"),
        (["inner.ops.cube"], "inner.ops:cube"),
        (["inner/ops.py:cube", "--shapes", "(3,)"], "inner.ops:cube"),
        (["inner.ops.Cubes.cube"], "inner.ops:Cubes.cube"),
    ],
)
def test_a_function_of_ones_own_written_otherwise_is_understood(check, words, meant, tmp_path, monkeypatch):
    (tmp_path / "inner").mkdir()
    for file in ("own_ops.py", "inner/ops.py"):
        (tmp_path / file).write_text("raise RuntimeError('a hint imports nothing')")
    monkeypatch.chdir(tmp_path)
    if ".py:" in words[0]:  # Python imports what is before the ending as a package
        (tmp_path / "own_ops.py").write_text("")
    status, out, err = check(*words)
    assert (status, out) == (2, "")
    assert f": did you mean {meant}? (see" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("name", ["nowhere_at_all.f", "folder.f", "numpy.tanhh", "np.tanhh", "../nowhere:f", "."])
def test_no_function_is_made_up(check, name, tmp_path, monkeypatch):
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    status, _, err = check(name, *(["--shapes", "(3,)"] if ":" in name else []))
    assert status == 2
    assert not re.search(r"mean [^?]*:", err)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["expp"], "did you mean np.exp"),
        (["numpy:tanh"], '--shapes "(3, 4), (4,)"'),
        (["numpy:tanh", "--shapes", "three"], "shapes are tuples of lengths"),
        (["numpy:tanh", "--shapes", "3,4"], 'write "(3, 4)" for one input, or "(3,), (4,)" for several, not \'3,4\''),
        (["numpy:tanh", "--shapes", "(3, 4), (4)"], 'write "(3, 4), (4,)", not'),
        (["numpy:tahn"], "numpy has no 'tahn': did you mean tan"),
        (["nowhere_at_all:f"], "cannot import 'nowhere_at_all'"),
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
        main(["draw", "--out", str(tmp_path / "new" / "graph.jpeg")])
    assert stop.value.code == 2
    assert not (tmp_path / "new").exists()
    assert capsys.readouterr().err == (
        "autograd-spiral draw: error: argument --out: the suffix must be one of .svg, .png, .pdf, .dot, .gv, "
        "not as in 'graph.jpeg' (see autograd-spiral draw --help)\n"
    )


# --- source ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("model", "state"), [("linear", "W, b"), ("net", "W1, b1, W2, b2")])
def test_source_prints_a_step_that_runs(model, state, capsys):
    words = ["--model", model, "--points", "7", "--classes", "4", "--reg", "0.01", "--step-size", "0.5"]
    assert main(["source", *words, "--hidden", "5"]) == 0
    text = capsys.readouterr().out
    assert f"def step(X, y, {state}):" in text
    assert "W2 = W2 - 0.5 * dW2" in text or "W = W - 0.5 * dW" in text
    names = {}
    exec(text, names)
    X, y, linear, net = published.start(None, 7, 4, 5)
    chosen = linear if model == "linear" else net
    loss, *new = names["step"](X, y, *(p.data for p in chosen.parameters()))
    assert loss == pytest.approx(float(chosen.loss(X, y, 0.01)), rel=1e-12)
    assert [array.shape for array in new] == [p.shape for p in chosen.parameters()]


def test_source_writes_a_file(capsys, tmp_path):
    assert main(["source", "--model", "linear", "--out", str(tmp_path / "step.py")]) == 0
    assert capsys.readouterr().out == f"wrote {tmp_path / 'step.py'}\n"
    assert (tmp_path / "step.py").read_text().startswith("import numpy as np\n")
    assert main(["source", "--model", "linear", "--out", str(tmp_path / "no" / "folders" / "step.py")]) == 0


@pytest.mark.parametrize(("verb", "name"), [("source", "folder.py"), ("draw", "folder.dot")])
def test_a_file_that_is_a_folder_is_status_2(verb, name, capsys, tmp_path):
    (tmp_path / name).mkdir()
    with pytest.raises(SystemExit) as stop:
        main([verb, "--points", "2", "--hidden", "2", "--out", str(tmp_path / name)])
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith(f"autograd-spiral {verb}: error: argument --out: cannot write '{tmp_path / name}': ")
    assert said.count("\n") == 1


@pytest.mark.parametrize("name", ["step.npz", "step.txt", "step"])
def test_a_program_is_written_as_python_alone(name, capsys, tmp_path):
    with pytest.raises(SystemExit) as stop:
        main(["source", "--out", str(tmp_path / "new" / name)])
    assert stop.value.code == 2
    assert capsys.readouterr().err == (
        f"autograd-spiral source: error: argument --out: the suffix must be .py, not as in {name!r} "
        "(see autograd-spiral source --help)\n"
    )
    assert not (tmp_path / "new").exists()


def test_eager_training_gives_what_replayed_training_gives(capsys, tmp_path):
    words = ["train", "--steps", "30", "--points", "20", "--hidden", "10", "--json", "--out", str(tmp_path)]
    runs = []
    for more in ([], ["--eager"]):
        assert main([*words, *more]) == 0
        runs.append([model["losses"] for model in json.loads(capsys.readouterr().out)["models"]])
    for replayed, eager in zip(*runs, strict=True):
        assert replayed == pytest.approx(eager, rel=1e-12)
