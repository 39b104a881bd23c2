"""Commands when stdout or stderr is closed, full, without a reader, or limited to ASCII; and Ctrl-C at any moment."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass, field

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has neither fork nor SIGINT")

RUNNER = """
import json, os, sys, traceback
import autograd_spiral.cli.check, autograd_spiral.cli.draw, autograd_spiral.cli.train
from autograd_spiral.cli import main
from autograd_spiral.spiral import plots

def opened(descriptor, kind, name, errors):
    "Give this process a stream of that kind, as Python does when it starts."
    if kind == "closed":
        os.close(descriptor)
        return None
    if kind == "left":
        reader, writer = os.pipe()
        os.close(reader)
    else:
        path, mode = {"full": ("/dev/full", os.O_WRONLY), "for reading": (os.devnull, os.O_RDONLY)}.get(
            kind, (name, os.O_WRONLY | os.O_CREAT)
        )
        writer = os.open(path, mode)
    os.dup2(writer, descriptor)
    encoding = "ascii" if kind == "ascii" else "utf-8"
    return open(descriptor, "w", 1 if descriptor == 2 else -1, encoding=encoding, errors=errors, closefd=False)

def work(number, case):
    os.mkdir(str(number))
    os.chdir(str(number))
    sys.stderr = opened(2, case["stderr"], "stderr", "backslashreplace")
    sys.stdout = opened(1, case["stdout"], "stdout", "strict")
    plots.available = lambda: "MPLBACKEND" in case["environment"]
    os.environ.update(case["environment"])
    try:
        status = main(case["words"])
    except SystemExit as stop:
        status = stop.code
    for stream in filter(None, (sys.stdout, sys.stderr)):  # as Python does at its end, which takes longer
        try:
            stream.flush()
        except OSError:
            os.write(2, b"Exception ignored")
            status = 120
    os._exit(status)

statuses = []
for number, case in enumerate(json.load(sys.stdin)):
    child = os.fork()
    if not child:
        try:
            work(number, case)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(json.dumps(statuses))
"""
"""A process that imports the package once, and runs each case in a fork of itself."""


@dataclass(frozen=True)
class Case:
    """A command with its streams; `status` is that of its work, and `prints` whether its results go to stdout."""

    words: list
    status: int
    prints: bool
    stdout: str = "file"
    stderr: str = "file"
    environment: dict = field(default_factory=dict)


WORK = [
    Case(["check", "streams_wrong:function", "--shapes", "(3,)"], 1, True),
    Case(["--help"], 0, True),
    Case(["--bogus"], 2, False),
    Case(["draw", "--model", "linear", "--out", "graph.dot"], 0, True),
    Case(["train", "--model", "linear", "--steps", "2", "--points", "3"], 0, True),
]
STREAMS = ["file", "closed", "full", "left"]
CASES = [
    Case(work.words, work.status, work.prints, stdout, stderr)
    for work in WORK
    for stdout, stderr in [
        *((kind, "file") for kind in (*STREAMS, "for reading", "ascii")),
        *((kind, kind) for kind in STREAMS[1:]),
        *(("file", kind) for kind in STREAMS[1:] if not work.prints),
    ]
]
WRONG = """
from autograd_spiral import primitive
@primitive(lambda ct, out, x: ct)
def function(x):
    return x * x
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """For each case: its exit status, stdout and stderr, and the names of the files that it wrote."""
    folder = tmp_path_factory.mktemp("streams")
    (folder / "streams_wrong.py").write_text(WRONG)
    cases = [*CASES, BAD_BACKEND]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), os.environ["PYTHONPATH"]])}
    run = subprocess.run(
        [sys.executable, "-c", RUNNER],
        cwd=folder,
        env=environment,
        input=json.dumps([asdict(case) for case in cases]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    found = []
    for number, status in enumerate(json.loads(run.stdout)):
        place = folder / str(number)
        printed = [(place / name).read_bytes() if (place / name).exists() else b"" for name in ("stdout", "stderr")]
        found.append((status, *printed, {path.name for path in place.iterdir()} - {"stdout", "stderr"}))
    return found


BAD_BACKEND = Case(WORK[-1].words, 1, False, environment={"MPLBACKEND": "no-such-backend"})


def test_the_exit_status_is_that_of_the_work_or_1_if_its_results_are_lost(results):
    for case, (status, _, errors, _) in zip(CASES, results, strict=False):
        lost = case.prints and case.stdout in ("full", "for reading")
        assert status == (1 if lost else case.status), (case, errors)


def test_at_most_one_line_says_what_went_wrong(results):
    for case, (_, _, errors, _) in zip(CASES, results, strict=False):
        lines = [line for line in errors.decode().splitlines() if not line.startswith("no pictures: matplotlib")]
        lost = case.prints and case.stdout in ("full", "for reading")
        expected = ["autograd-spiral: [Errno "] if lost else ["autograd-spiral"] if case.status == 2 else []
        if case.stderr == "file":
            assert len(lines) == len(expected), (case, errors)
            assert all(map(str.startswith, lines, expected)), (case, errors)
        else:
            assert lines == []


def test_results_are_the_same_wherever_they_can_be_written(results):
    printed = {
        tuple(case.words): out for case, (_, out, *_) in zip(CASES, results, strict=False) if case == alone(case)
    }
    assert all(out or not case.prints for case in WORK for out in [printed[tuple(case.words)]])
    for case, (_, out, *_) in zip(CASES, results, strict=False):
        expected = printed[tuple(case.words)]
        if case.stdout == "ascii":
            assert out == expected.decode().encode("ascii", "replace")
        else:
            assert out == (expected if case.stdout == "file" else b"")


def test_files_are_written_all_the_same(results):
    for case, (*_, files) in zip(CASES, results, strict=False):
        assert files == ({"graph.dot"} if case.words[0] == "draw" else {"out"} if case.words[0] == "train" else set())


def alone(case):
    """The same work with ordinary streams."""
    return Case(case.words, case.status, case.prints)


def test_a_backend_that_matplotlib_does_not_know_is_one_line_before_any_training(results):
    status, out, errors, _ = results[-1]
    assert (status, out) == (1, b"")
    assert errors.startswith(b"autograd-spiral: cannot import matplotlib: ")
    assert errors.endswith(b"(MPLBACKEND is 'no-such-backend')\n")
    assert errors.count(b"\n") == 1


@pytest.mark.parametrize(
    ("streams", "status", "says"),
    [
        ("<&- >&- 2>&-", 0, ""),
        (">&-", 0, ""),
        (">/dev/full", 1, "autograd-spiral: [Errno 28] No space left on device\n"),
    ],
)
def test_a_process_that_the_shell_starts(streams, status, says):
    command = f"'{sys.executable}' -X dev -W error -m autograd_spiral --version {streams}"
    environment = {**os.environ, "PYTHONUNBUFFERED": ""}
    done = subprocess.run(["sh", "-c", command], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (status, says)


# --- Ctrl-C -----------------------------------------------------------------------------------------------------------

INTERRUPTED_IMPORT = """
import os, signal
os.kill(os.getpid(), signal.SIGINT)
print("the import of NumPy goes on", flush=True)
os._exit(7)
"""
SCRIPT = "import sys\nfrom autograd_spiral.cli import main\nsys.exit(main())\n"
PROGRAM = "try:\n    import autograd_spiral\nexcept KeyboardInterrupt:\n    print('the program was asked')\n"


@pytest.fixture
def interrupted(tmp_path):
    """Run Python in a process in which Ctrl-C is pressed during the import of NumPy; return what came of it."""
    (tmp_path / "numpy.py").write_text(INTERRUPTED_IMPORT)
    (tmp_path / "autograd-spiral").write_text(SCRIPT)
    (tmp_path / "program").mkdir()
    (tmp_path / "program" / "__init__.py").write_text(PROGRAM)
    (tmp_path / "program" / "__main__.py").write_text("")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])}

    def run(*words, handler=signal.SIG_DFL):
        done = subprocess.run(
            [sys.executable, *words],
            cwd=tmp_path,
            env=environment,
            preexec_fn=lambda: signal.signal(signal.SIGINT, handler),
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.mark.parametrize(
    "words",
    [["-m", "autograd_spiral"], ["-m", "autograd_spiral", "check", "-m"], ["-mautograd_spiral"], ["autograd-spiral"]],
    ids=" ".join,
)
def test_an_interrupt_while_importing_is_one_line_and_status_130(interrupted, words):
    assert interrupted(*words) == (130, "", "interrupted\n")


@pytest.mark.parametrize(
    "words", [["-c", PROGRAM, "autograd-spiral"], ["-m", "program", "-m", "autograd_spiral"]], ids=["-c", "-m"]
)
def test_programs_that_import_the_package_are_interrupted_as_ever(interrupted, words):
    assert interrupted(*words) == (0, "the program was asked\n", "")


def test_an_interrupt_that_the_shell_ignores_is_ignored(interrupted):
    ignored = interrupted("-m", "autograd_spiral", handler=signal.SIG_IGN)
    assert ignored == (7, "the import of NumPy goes on\n", "")


def test_an_interrupt_in_a_command_leaves_the_older_file(run, monkeypatch, tmp_path):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    (tmp_path / "graph.dot").write_text("an older picture")
    for place in ("os.replace", "shutil.copymode", "autograd_spiral.cli.draw.graph_of"):
        with monkeypatch.context() as patch:
            patch.setattr(place, interrupt)
            assert run("draw", "--model", "linear", "--out", "graph.dot") == (130, "", "interrupted\n")
        assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"graph.dot": "an older picture"}
