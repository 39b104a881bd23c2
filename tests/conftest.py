"""Settings and fixtures of the whole suite: its hypothesis profile, the package that processes import, and others."""

import contextlib
import gc
import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

with contextlib.suppress(ImportError):
    import scipy.special  # noqa: F401  # its ufuncs are then part of the tables that tests walk

import autograd_spiral
from autograd_spiral.cli import main
from autograd_spiral.spiral import plots

# The same examples in every run, without a time limit for each.
settings.register_profile("suite", derandomize=True, deadline=None)
settings.load_profile("suite")

# Demos, notebooks and the command line run in processes of their own, in other folders. They import the copy of the
# package that this process imported, and not another one that is installed.
COPY = str(Path(autograd_spiral.__file__).parents[1])
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [COPY, os.environ.get("PYTHONPATH")]))

# Without this, where Python writes no bytecode, each of these processes would compile the whole package again, and each
# run all tests, with what pytest adds to their assertions.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# hypothesis reads the constants of the whole package; in these processes, it finds those that it has read before.
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(Path(__file__).parents[1] / ".hypothesis"))


@pytest.hookimpl(tryfirst=True)
def pytest_xdist_auto_num_workers(config):
    """Start a process for each core for the suite as a whole; fewer tests are done before others have started."""
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS and not config.option.keyword
    return None if whole else 0


def pytest_collection_finish():
    """Leave what the collection made, thousands of tests and their examples, out of every search for garbage.

    The searches are fewer, too: what the tests check of lifetimes, they check without them.
    """
    gc.freeze()
    gc.set_threshold(20_000)


@pytest.fixture(scope="module", autouse=True)
def without_the_garbage_of_others():
    """Leave out what earlier files left, too, so that a test that searches for garbage takes no longer than alone."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def folder_of_modules(monkeypatch, tmp_path):
    """Make `tmp_path` the current folder, and import modules from it; they are forgotten at the end of the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def run(capsys, monkeypatch, folder_of_modules):
    """Run the command line in this process, in `tmp_path`; return exit status, stdout and stderr."""
    monkeypatch.setenv("COLUMNS", "80")  # help texts in the width of a usual terminal

    def run(*words):
        try:
            status = main(list(words))
        except SystemExit as stop:
            status = stop.code
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


@pytest.fixture
def jax():
    """JAX, if it is installed, with float64 switched on for this test alone."""
    jax = pytest.importorskip("jax")
    with jax.enable_x64(True):
        yield jax


@pytest.fixture
def without_plots(monkeypatch):
    """Leave the plots out of a test that looks at numbers only."""
    monkeypatch.setattr(plots, "available", lambda: False)
