"""The command line as a user meets it: each test runs it in a folder of its own."""

import pytest

from autograd_spiral.cli import main
from autograd_spiral.spiral import plots


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Run the command line in this process, in `tmp_path`; return exit status, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
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
def without_plots(monkeypatch):
    """Leave the plots out of a test that looks at numbers only."""
    monkeypatch.setattr(plots, "available", lambda: False)
