"""What all commands have in common: help texts, bad usage, closed pipes, interrupts."""

import functools
import os
import re
import shlex
import signal
import subprocess
import sys
from importlib import import_module

import pytest

import autograd_spiral
from autograd_spiral.cli import COMMANDS, main

PROCESS = [sys.executable, "-m", "autograd_spiral"]
LOADED = {name: import_module(f"autograd_spiral.cli.{name}").COMMAND for name in COMMANDS}
each_command = pytest.mark.parametrize("command", LOADED.values(), ids=LOADED)


def test_commands_are_named_as_their_files():
    assert [command.name for command in LOADED.values()] == list(COMMANDS)


@pytest.mark.usefixtures("without_plots")
def test_the_default_command_is_train(run):
    short = ["--model", "linear", "--steps", "0", "--points", "10", "--json"]
    assert run(*short) == run("train", *short)


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


@pytest.mark.parametrize("words", [["--bogus"], *([name, "--bogus"] for name in COMMANDS)], ids=" ".join)
def test_an_option_that_a_command_does_not_have_leads_to_its_help(run, words):
    status, _, err = run(*words)
    assert status == 2
    name = words[0] if len(words) > 1 else "train"
    assert (
        err == f"autograd-spiral {name}: error: unrecognized arguments: --bogus (see autograd-spiral {name} --help)\n"
    )


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("chekc", "no command 'chekc': did you mean check?"),
        ("", "no command ''"),
        ("xyz", f"the commands are {', '.join(COMMANDS)}"),
    ],
)
def test_an_unknown_command_is_status_2(run, word, message):
    status, out, err = run(word)
    assert (status, out) == (2, "")
    assert message in err
    assert "autograd-spiral --help" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(("command", "name"), [("source", "folder.py"), ("draw", "folder.dot")])
def test_a_file_that_is_a_folder_is_status_2(run, command, name, tmp_path):
    (tmp_path / name).mkdir()
    status, _, err = run(command, "--points", "2", "--hidden", "2", "--out", name)
    assert status == 2
    assert err.startswith(f"autograd-spiral {command}: error: argument --out: cannot write '{name}': ")
    assert err.count("\n") == 1


# --- help -----------------------------------------------------------------------------------------------------------


def test_the_help_lists_each_command_in_a_line_and_says_what_the_exit_status_means(run):
    status, out, _ = run("--help")
    assert status == 0
    for name, summary in COMMANDS.items():
        assert re.search(rf"^ +{name} +{re.escape(summary)}$", out, re.MULTILINE)
        assert re.search(rf"^  autograd-spiral( {name})?$", out, re.MULTILINE)
    assert "0 fine, 1 a run or a check failed, 2 bad usage" in out
    assert " ".join(autograd_spiral.__doc__.partition("\n\n")[0].split()) in " ".join(out.split())
    assert max(map(len, out.splitlines())) <= 100


@each_command
def test_each_command_has_a_help_text_whose_examples_parse(run, command):
    status, out, _ = run(command.name, "--help")
    assert status == 0
    assert len(command.examples) >= 2
    for example, does in command.examples:
        assert f"  # {does}\n  autograd-spiral {example}".rstrip() in out
        if example:
            name, *words = shlex.split(example)
            assert name == command.name
            assert command.parser().parse_args(words).parser.prog == f"autograd-spiral {name}"


@each_command
def test_every_option_says_what_it_is(run, command):
    _, out, _ = run(command.name, "--help")
    options = out[out.index("\noptions:") : out.index("\nexamples:")]
    for option in re.split(r"\n  (?=-)", options)[1:]:
        assert re.search(r"  +\w", option), option


def test_the_version(run):
    assert run("--version") == (0, f"autograd-spiral {autograd_spiral.__version__}\n", "")


def test_help_and_version_need_nothing_that_computes():
    code = "import sys; from autograd_spiral.cli import main, _parser; _parser(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "autograd_spiral.cli" in loaded
    rooms = {f"autograd_spiral.{room}" for room in ("program", "gradcheck", "drawing", "spiral")}
    assert not loaded & (rooms | {"graphviz", "matplotlib", "hypothesis"})


# --- pipes and interrupts ---------------------------------------------------------------------------------------------

SHORT = {
    "train": ["train", "--model", "linear", "--steps", "200", "--points", "5"],
    "train --json": ["train", "--json", "--model", "linear", "--steps", "1", "--points", "5"],
    "check": ["check", "exp"],
    "check --json": ["check", "--json", "exp"],
    "draw": ["draw", "--model", "linear", "--out", "graph.dot"],
    "source": ["source", "--points", "5"],
    "--help": ["--help"],
    "--version": ["--version"],
}
SHORT |= {f"{name} --help": [name, "--help"] for name in COMMANDS}
"""A short run of each command that prints something."""


@pytest.fixture
def closed_stdout(monkeypatch):
    """Give this process a stdout whose reader has left."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", encoding="utf-8") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        yield


@pytest.mark.usefixtures("closed_stdout", "without_plots")
@pytest.mark.parametrize("words", SHORT.values(), ids=SHORT)
def test_a_closed_pipe_is_no_traceback(run, words):
    status, _, err = run(*words)
    assert status == 0
    assert [line for line in err.splitlines() if not line.startswith("no pictures: matplotlib")] == []


@pytest.mark.usefixtures("closed_stdout")
def test_a_closed_pipe_does_not_hide_a_failed_check(run, tmp_path):
    (tmp_path / "piped.py").write_text(
        "from autograd_spiral import primitive\n@primitive(lambda ct, out, x: ct)\ndef wrong(x):\n    return x * x\n"
    )
    status, _, err = run("check", "piped:wrong", "--shapes", "(3,)")
    assert (status, err) == (1, "")


@pytest.mark.parametrize("words", [SHORT["check --json"], SHORT["source"], SHORT["--help"]], ids=" ".join)
def test_a_process_with_a_closed_pipe_prints_no_error(words, tmp_path):
    process = subprocess.Popen([*PROCESS, *words], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 0


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send")
def test_an_interrupt_ends_with_one_line(tmp_path):
    command = [*PROCESS, "--model", "net", "--steps", "10000000", "--out", "out"]
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


def test_the_arguments_of_the_process_are_the_default(run, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["autograd-spiral", "check", "exp"])
    assert main() == 0
