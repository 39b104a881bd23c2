"""The command `check`: it checks the rule table and users' own functions, and refuses invalid requests."""

import json
import re

import pytest


@pytest.fixture
def check(run):
    """Run `check`; return exit status, stdout and stderr."""
    return lambda *words: run("check", *words)


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


def test_check_your_own_function(check, tmp_path):
    (tmp_path / "mine_to_check.py").write_text(
        "import numpy as np\n"
        "from autograd_spiral import primitive\n"
        "def right(x, y):\n    return np.sum(np.sin(x) * y, axis=0)\n"
        "@primitive(lambda ct, out, x: ct * x)\n"
        "def wrong(x):\n    return x * x\n"
    )
    assert check("mine_to_check:right", "--shapes", "(3, 4), (4,)", "--order", "2")[0] == 0
    status, out, _ = check("mine_to_check:wrong", "--shapes", "(3,)")
    assert status == 1
    assert "2.00 × too small" in out or "0.50 ×" in out or "missing factor" in out


LOSSES = """
import numpy as np
def hinge(W, x):
    return np.sum(np.maximum(0, W @ x - 1))
def in_place(W, x):
    scores = W @ x
    scores -= 1
    scores[scores < 0] = 0
    return np.sum(scores)
def gradients(W, x):
    d = (W @ x > 1).astype(float)
    return np.outer(d, x), W.T @ d
def both(W, x):
    return in_place(W, x), gradients(W, x)
def wrong(W, x):
    dW, dx = gradients(W, x)
    return dW, -dx
"""


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["losses:hinge", "--against", "losses:gradients"], 0, "judged by the engine's gradients"),
        (["losses:in_place", "--against", "losses:gradients"], 0, "judged by finite differences only: in_place could"),
        (["losses:both", "--against", "losses:both"], 0, "judged by finite differences only: both could not be"),
        (["losses:hinge", "--against", "losses:wrong"], 1, "sign flipped"),
        (["losses:in_place", "--against", "losses:wrong"], 1, "sign flipped"),
    ],
)
def test_check_gradients_that_were_derived_by_hand(check, words, status, says, tmp_path):
    (tmp_path / "losses.py").write_text(LOSSES)
    found, out, _ = check(*words, "--shapes", "(4, 3), (3,)")
    assert found == status
    assert says in out
    found, out, _ = check(*words, "--shapes", "(4, 3), (3,)", "--json")
    assert found == status
    report = json.loads(out)
    assert report["method"].startswith("judged by")
    assert [row["name"] for row in report["inputs"]] == ["W", "x"]


def test_an_argument_without_a_rule_is_drawn_and_not_checked(check, tmp_path):
    (tmp_path / "masked.py").write_text(
        "import numpy as np\nfrom autograd_spiral import primitive\n\n\n"
        "@primitive(lambda ct, out, x, mask: ct * mask, None)\n"
        "def f(x, mask):\n    return np.sum(x * mask)\n"
    )
    status, out, _ = check("masked:f", "--shapes", "(3,), (3,)")
    assert status == 0
    assert "\nx " in out
    assert "mask" not in out


@pytest.mark.parametrize("json", [[], ["--json"]])
def test_a_check_that_judged_nothing_has_failed(check, json, tmp_path):
    (tmp_path / "nowhere_finite.py").write_text("import numpy as np\n\n\ndef f(x):\n    return x * np.nan\n")
    status, out, err = check("nowhere_finite:f", "--shapes", "(3,)", *json)
    assert status == 1
    assert "undecided" in out
    assert "not judged: the function is nan everywhere" in out
    assert "nothing could be judged in x" in err


def test_output_of_a_checked_function_goes_to_stderr(check, tmp_path):
    (tmp_path / "talking.py").write_text("print('imported')\ndef f(x):\n    print('called')\n    return x * x\n")
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
def test_a_function_that_raises_is_a_failed_check_not_bad_usage(check, source, says, tmp_path):
    (tmp_path / "raising.py").write_text(source)
    line = next(i for i, text in enumerate(source.splitlines(), 1) if not re.match(r"def|import numpy", text))
    status, out, err = check("raising:f", "--shapes", "(3, 4)")
    assert (status, out) == (1, "")
    assert err.startswith(f"autograd-spiral: raising:f raised {says}")
    assert err.endswith(f"raising.py, line {line}); add --traceback for the full traceback\n")
    assert err.count("\n") == 1
    status, out, _ = check("raising:f", "--shapes", "(3, 4)", "--json")
    assert status == 1
    assert json.loads(out)["ok"] is False
    assert json.loads(out)["error"].startswith(says.removesuffix(" ("))
    status, out, err = check("raising:f", "--shapes", "(3, 4)", "--traceback")
    assert (status, out) == (1, "")
    assert err.startswith("Traceback (most recent call last):\n")
    assert err.splitlines()[-1].endswith(f"raising.py, line {line})")


def test_a_rule_that_raises_is_named(check, tmp_path):
    (tmp_path / "ruled.py").write_text(
        "from autograd_spiral import primitive\n@primitive(lambda ct, out, x: ct[:, 1])\ndef f(x):\n    return x + 1\n"
    )
    status, _, err = check("ruled:f", "--shapes", "(3,)")
    assert status == 1
    assert re.search(
        r"raised RuleError: the rule of f for argument 0 \(x\) raised IndexError: .*ruled\.py, line 2\)", err
    )


def test_labels_are_whole_numbers_below_a_limit(check):
    loss = "autograd_spiral:softmax_cross_entropy"
    assert check(loss, "--shapes", "(5, 3), (5,) < 3")[0] == 0
    status, _, err = check(loss, "--shapes", "(5, 3), (5,)")
    assert status == 1
    assert 'For whole numbers below 10, write --shapes "(5,) < 10"' in err


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
def test_other_ways_to_name_your_own_function_get_a_hint(check, words, meant, tmp_path):
    (tmp_path / "inner").mkdir()
    for file in ("own_ops.py", "inner/ops.py"):
        (tmp_path / file).write_text("raise RuntimeError('a hint imports nothing')")
    if ".py:" in words[0]:  # Python imports what is before the ending as a package
        (tmp_path / "own_ops.py").write_text("")
    status, out, err = check(*words)
    assert (status, out) == (2, "")
    assert f": did you mean {meant}? (see" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("name", ["nowhere_at_all.f", "folder.f", "numpy.tanhh", "np.tanhh", "../nowhere:f", "."])
def test_hints_name_only_functions_that_may_exist(check, name, tmp_path):
    (tmp_path / "folder").mkdir()
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
        (["exp", "--order", "2"], "apply only to module:function"),
        (["exp", "--against", "numpy:exp"], "apply only to module:function"),
        (["numpy:exp", "--against", "numpy:exxp", "--shapes", "(3,)"], "numpy has no 'exxp': did you mean exp"),
        (["numpy:exp", "--against", "exp", "--shapes", "(3,)"], "write module:function"),
        (["numpy:exp", "--against", "numpy:exp", "--shapes", "(3,)", "--order", "2"], "does not apply with --against"),
    ],
)
def test_an_impossible_check_is_one_line_and_status_2(check, words, message):
    status, out, err = check(*words)
    assert (status, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
