"""Every example in README and docs runs and prints what the page shows, and every demo runs."""

import contextlib
import doctest
import html
import io
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pictures import size

import autograd_spiral
from autograd_spiral import Tensor
from autograd_spiral.spiral import descent, plots, published

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LESSONS = [
    ROOT / "docs" / name
    for name in (
        "case_study.md",
        "check_your_gradients.md",
        "how_it_works.md",
        "pictures_and_programs.md",
        "train_your_own.md",
        "your_own_operation.md",
    )
]
"""Pages to be read in order: each block continues the previous one."""

BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
EXAMPLES = [
    pytest.param(page, code, id=f"{page.name}-{i}")
    for page in PAGES
    if page not in LESSONS
    for i, code in enumerate(
        body
        for kind, file, body in BLOCK.findall(page.read_text(encoding="utf-8"))
        if kind == "python" and file != "printed"
    )
]
DEMOS = ROOT / "demos"


@pytest.mark.parametrize(("page", "code"), EXAMPLES)
def test_examples_run(page, code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, str(page), "exec"), {"__name__": "example"})


@pytest.mark.parametrize("page", LESSONS, ids=lambda page: page.name)
def test_lessons_run_from_beginning_to_end(page, folder_of_modules):
    """Run all blocks in one namespace; a block with a file's name is that file for the following blocks.

    A `text` block, or one of `python printed`, is what the previous block prints; `...` in it stands for anything.
    """
    if page.name == "train_your_own.md":
        pytest.importorskip("sklearn.datasets", reason="its data comes with scikit-learn", exc_type=ImportError)
    text = page.read_text(encoding="utf-8")
    names = {"__name__": "lesson"}
    printed = ""
    for block in BLOCK.finditer(text):
        kind, file, body = block.groups()
        line = text.count("\n", 0, block.start(3))
        if file == "printed":
            kind = "text"
        elif file:
            Path(file).write_text(body, encoding="utf-8")
            sys.modules.pop(Path(file).stem, None)
            continue
        if kind == "python":
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile("\n" * line + body, str(page), "exec"), names)  # errors name the line of the page
            printed = out.getvalue()
        elif kind == "sh":
            printed = run_as_shell(body)
        else:
            assert kind == "text", f"{page.name}:{line}: a block of {kind}"
            how = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
            same = doctest.OutputChecker().check_output(settled(body), settled(printed), how)
            assert same, f"{page.name}:{line + 1} should be\n{printed}"


def test_the_program_that_trains_is_short_and_what_to_write_for_other_libraries_runs():
    text = (ROOT / "docs" / "train_your_own.md").read_text(encoding="utf-8")
    assert BLOCK.search(text)[3].count("\n") <= 60
    cells = [row.rpartition(" | ")[2] for row in text.splitlines() if row.startswith("| ")]
    pieces = [code for cell in cells for code in re.findall("`(.+?)`", cell)]
    assert len(pieces) > 40
    rng, x, leaf = np.random.default_rng(0), np.array([0.25, 0.5]), Tensor([0.5, 0.25], requires_grad=True)
    net, square = {"W": leaf}, np.ones((2, 2))
    names = {name: getattr(autograd_spiral, name) for name in autograd_spiral.__all__}
    names |= {"np": np, "rng": rng, "file": io.BytesIO(), "a": x, "v": x, "xs": x, "x": x, "shape": (2,)}
    names |= {
        "X": square,
        "W": square,
        "b": x,
        "h": square,
        "y": np.array([0, 1]),
        "prediction": x,
        "scores": square,
        "ct": 2.0,
    }
    names |= {"net": net, "params": leaf, "gradients": {"W": np.ones((2, 2))}, "loss": np.sum(leaf), "step": np.sin}
    names |= {"mask": square, "w": leaf, "loss_and_more": lambda w: (np.sum(w), "more")}
    np.sum(leaf).backward()
    names |= {"f": lambda x, *_: np.sum(x**2), "loss_of": lambda net, X, y: np.sum(X @ net["W"])}
    for code in pieces:
        optimizer = autograd_spiral.Adam(net if "loss_of" in code else leaf)
        run = {**names, "optimizer": optimizer, "gradients": x} if code.startswith("optimizer") else names
        exec(code, {**run, "t": leaf if "data" in code else x})


def settled(text):
    """Return `text` without what differs between machines: error bounds, and the worst of several right elements."""
    text = re.sub(r"(^\S+ +\(.*?\)(?: +\d+){4} +0) .*$", r"\1", text, flags=re.MULTILINE)
    return re.sub(r"± \S+", "±", text)


def run_as_shell(commands):
    """Return what the commands of a page print; each `python` is this one."""
    printed = ""
    for command in commands.splitlines():
        program, *words = shlex.split(command)
        assert program == "python", command
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=120, check=False)
        assert "Traceback" not in done.stderr, done.stderr
        printed += done.stdout + done.stderr
    return printed


def test_the_readme_has_an_example_and_two_commands():
    text = PAGES[0].read_text(encoding="utf-8")
    assert "```python" in text
    assert len(re.findall(r"^python3 -m venv \.venv && ", text, re.MULTILINE)) == 2


def test_the_readme_prints_the_nets_backward_pass():
    text = PAGES[0].read_text(encoding="utf-8")
    (shown,) = (body for kind, file, body in BLOCK.findall(text) if file == "printed")
    X, y, _, net = published.start()
    step = descent(net)
    step(X, y)
    assert [line.strip() for line in shown.splitlines()] == [
        line.strip() for line in step.source.partition("# backward\n")[2].partition("    # update")[0].splitlines()
    ]


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        prose = BLOCK.sub("", page.read_text(encoding="utf-8"))
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", prose):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.fixture
def run_script(capsys, monkeypatch, tmp_path):
    """Run a script in this process, as if it had a process of its own, in `tmp_path`; return what it prints."""
    monkeypatch.chdir(tmp_path)

    def run_script(path, *words):
        monkeypatch.setattr(sys, "argv", [str(path), *words])
        monkeypatch.syspath_prepend(path.parent)
        try:
            runpy.run_path(str(path), run_name="__main__")
        except SystemExit as stop:
            if stop.code:
                raise
        return capsys.readouterr().out

    return run_script


def test_processes_import_the_copy_of_the_package_that_is_tested(tmp_path):
    command = [sys.executable, "-c", "import autograd_spiral; print(autograd_spiral.__file__)"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == autograd_spiral.__file__


def tips(text, pattern):
    found = (html.unescape(tip) for tip in re.findall(pattern, text))
    return sorted(tip.replace("\xa0", " ") for tip in found)


@pytest.mark.parametrize("picture", sorted((ROOT / "docs" / "pictures").glob("*.svg")), ids=lambda path: path.stem)
def test_the_pictures_say_what_is_drawn_today_and_no_line_numbers(picture):
    golden = (ROOT / "tests" / "drawing" / "golden" / f"{picture.stem}.dot").read_text(encoding="utf-8")
    shown = tips(picture.read_text(encoding="utf-8"), r'xlink:title="(.*?)"')
    assert shown == tips(golden, r' tooltip="(.*?)"'), "run: python docs/pictures.py"
    assert not any(".py:" in tip for tip in shown)


def test_the_pictures_can_be_made_again(run_script, tmp_path):
    printed = run_script(ROOT / "docs" / "pictures.py", "made", "--quick")
    assert "files in made" in printed
    made = {path.stem for path in (tmp_path / "made").iterdir()}
    shown = {path.stem for path in (ROOT / "docs" / "pictures").iterdir()}
    assert {name for name in shown if name.endswith(("-forward", "-joint", "-step"))} <= made
    if plots.available():
        assert shown <= made
        named = ("spiral.png", "linear-boundary.png", "net-boundary.png", "net-hidden.png")
        assert {size(tmp_path / "made" / name) for name in named} == {(728, 728)}


ELSEWHERE = {"benchmark.py", "case_study.py", "compare_checkers.py", "explorer_speed.py"}
"""Comparisons with others, which have tests below; the script of the notebook: test_notebook.py; times in a browser."""
CLASSIFIERS = {"logistic_regression.py", "convolutional_net.py"}
"""They have tests below, of how good they are and of what they say without their data."""


@pytest.mark.parametrize("demo", sorted({path.name for path in DEMOS.glob("*.py")} - ELSEWHERE - CLASSIFIERS))
def test_demos_run_and_say_something(demo, run_script, tmp_path):
    assert run_script(DEMOS / demo).count("\n") >= 1
    assert list(tmp_path.iterdir()) == []


def test_the_benchmark_runs_and_says_something(tmp_path):
    command = [sys.executable, "-W", "error", DEMOS / "benchmark.py", "--quick", "--only", "nobody"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") >= 1
    assert list(tmp_path.iterdir()) == []


def test_the_comparison_of_checkers_runs_without_the_others(tmp_path):
    command = [sys.executable, DEMOS / "compare_checkers.py", "--quick"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^\| this \| 5 of 5 \| \d \| 0 of 5 \|", done.stdout, re.MULTILINE)
    assert all(f"| {name} |" in done.stdout for name in ("torch.autograd.gradcheck", "HIPS check_grads"))


def test_demos_are_short():
    for path in DEMOS.glob("*.py"):
        if path.name not in ELSEWHERE:
            assert path.read_text(encoding="utf-8").count("\n") < 60, path.name


@pytest.mark.parametrize("demo", sorted(CLASSIFIERS))
def test_a_classifier_is_as_good_as_it_should_be(demo, run_script, tmp_path):
    pytest.importorskip("sklearn.datasets", reason="the data comes with scikit-learn", exc_type=ImportError)
    fractions = re.search(r"accuracy: (\S+) on \d+ training \w+, (\S+) on", run_script(DEMOS / demo))
    assert all(float(fraction) > 0.95 for fraction in fractions.groups())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("demo", sorted(CLASSIFIERS))
def test_a_demo_says_where_its_data_comes_from(demo, run_script, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    printed = run_script(DEMOS / demo)
    assert "pip install scikit-learn" in printed
    assert printed.count("\n") == 1
