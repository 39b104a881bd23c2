"""Files are written completely or not at all, and what is kept of the file that was there before."""

import contextlib
import errno
import os
import re
import shutil
import stat
import threading
from pathlib import Path

import pytest
from test_imports import FILES, PACKAGE

from autograd_spiral.drawing import export
from autograd_spiral.files import atomic_write
from autograd_spiral.spiral import plots, published

resource = pytest.importorskip("resource", reason="Windows has neither its limits nor its permissions")

OLD, NEW = b"an older file", b"a newer file, longer than the older"


def write(path, content=NEW):
    with atomic_write(path) as file:
        file.write(content)


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(OLD)
    return path


@contextlib.contextmanager
def room_for(size):
    """No file of this process may grow above `size` bytes, as on a disk that is almost full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_file_is_made_with_its_folders_or_replaced(old, tmp_path):
    for path in (old, tmp_path / "new", tmp_path / "some" / "folders" / "new", str(tmp_path / ("n" * 255))):
        write(path)
        assert Path(path).read_bytes() == NEW
        assert list(Path(path).parent.glob(".*")) == []


def test_the_old_file_is_whole_until_all_is_written(old):
    with atomic_write(old) as file:
        file.write(NEW)
        file.flush()
        assert old.read_bytes() == OLD
    assert old.read_bytes() == NEW


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt, SystemExit, MemoryError, ValueError])
@pytest.mark.parametrize("there", [True, False])
def test_whatever_is_raised_leaves_what_was_there(old, tmp_path, error, there):
    def half():
        with atomic_write(old if there else tmp_path / "new") as file:
            file.write(NEW)
            raise error

    with pytest.raises(error):
        half()
    assert {found.name: found.read_bytes() for found in tmp_path.iterdir()} == {"file": OLD}


@pytest.mark.parametrize("size", [0, 1, len(NEW) - 1])
def test_a_full_disk_leaves_what_was_there(old, size, tmp_path):
    with pytest.raises(OSError, match="File too large"), room_for(size):
        write(old)
    assert {found.name: found.read_bytes() for found in tmp_path.iterdir()} == {"file": OLD}


@pytest.mark.parametrize(("module", "name"), [(os, "replace"), (shutil, "copymode")])
def test_an_error_of_the_system_names_the_file_that_was_asked_for(old, tmp_path, module, name, monkeypatch):
    def busy(first, second):
        raise OSError(errno.EBUSY, "Device or resource busy", os.fspath(beside()), None, os.fspath(old))

    def beside():
        return next(tmp_path.glob(".*"))

    monkeypatch.setattr(module, name, busy)
    with pytest.raises(OSError, match="busy") as raised:
        write(old)
    assert str(raised.value) == f"[Errno {errno.EBUSY}] Device or resource busy: {str(old)!r}"
    assert {found.name: found.read_bytes() for found in tmp_path.iterdir()} == {"file": OLD}


def test_errors_of_other_files_keep_their_names(old):
    with pytest.raises(FileNotFoundError, match="elsewhere"), atomic_write(old) as file:
        file.write(Path("elsewhere").read_bytes())


# --- what is at the path already --------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o755])
def test_permissions_are_kept(old, mode):
    old.chmod(mode)
    write(old)
    assert stat.S_IMODE(old.stat().st_mode) == mode


def test_a_new_file_has_the_permissions_that_any_new_file_has(tmp_path):
    write(tmp_path / "new")
    (tmp_path / "other").touch()
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "other").stat().st_mode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_owner_is_kept_where_that_is_possible(old):
    os.chown(old, 12345, 54321)
    write(old)
    assert (old.stat().st_uid, old.stat().st_gid) == (12345, 54321)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_write_protected_file_is_refused(old):
    old.chmod(0o444)
    with pytest.raises(PermissionError, match="file"):
        write(old)
    assert old.read_bytes() == OLD


@pytest.mark.parametrize("there", [True, False])
def test_a_symbolic_link_leads_to_the_new_file(old, tmp_path, there):
    (tmp_path / "folder").mkdir()
    target = old if there else tmp_path / "new"
    link, link_to_the_link = tmp_path / "folder" / "link", tmp_path / "another"
    link.symlink_to(Path("..", target.name))
    link_to_the_link.symlink_to(link)
    write(link_to_the_link)
    assert link.is_symlink()
    assert link_to_the_link.is_symlink()
    assert not target.is_symlink()
    assert target.read_bytes() == NEW


def test_a_link_in_a_circle_and_a_folder_are_refused(tmp_path):
    circle, folder = tmp_path / "circle", tmp_path / "folder"
    circle.symlink_to(circle)
    folder.mkdir()
    for path in (circle, folder):
        with pytest.raises(OSError, match=path.name):
            write(path)
    assert circle.is_symlink()
    assert sorted(tmp_path.rglob("*")) == [circle, folder]


def test_pipes_and_devices_are_written_to(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    write(pipe)
    reader.join()
    assert received == [NEW]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    write("/dev/null")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_stdout_under_the_name_of_a_file_is_written_to(capfd, tmp_path):
    reader, writer = os.pipe()
    link = tmp_path / "stdout.dot"
    link.symlink_to(f"/dev/fd/{writer}")
    write(link)
    os.close(writer)
    with open(reader, "rb") as file:
        assert file.read() == NEW
    assert list(tmp_path.iterdir()) == [link]


# --- those who write --------------------------------------------------------------------------------------------------


def test_all_that_the_package_writes_is_written_here():
    direct = re.compile(
        r"\.write_(text|bytes)\(|\.savefig\((?!file,)|\bopen\([^)]*\"[wxa]b?\"|^ +np\.save\w*\((?!beside,)",
        re.MULTILINE,
    )
    found = {str(path.relative_to(PACKAGE)) for path in FILES if direct.search(path.read_text())}
    assert found == {"files.py", "cli/output.py"}  # the latter writes to os.devnull


def test_a_picture_whose_program_ends_half_way_leaves_the_older_one(tmp_path, monkeypatch, capsys):
    crashing = tmp_path / "crashing"
    crashing.write_text("#!/bin/sh\necho half of a picture\nkill -9 $$\n")
    crashing.chmod(0o755)
    monkeypatch.setattr(export, "_program", lambda kind: str(crashing))
    picture = tmp_path / "graph.svg"
    picture.write_bytes(OLD)
    assert export.Drawing().save_as(picture) == tmp_path / "graph.dot"
    assert picture.read_bytes() == OLD
    assert "crashing failed" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", ["dot", "svg"])
def test_a_picture_that_does_not_fit_on_the_disk_leaves_the_older_one(tmp_path, suffix, monkeypatch):
    monkeypatch.setattr(export, "_picture", lambda source, kind: (NEW, ""))
    picture = tmp_path / f"graph.{suffix}"
    picture.write_bytes(OLD)
    with pytest.raises(OSError, match="File too large"), room_for(10):
        export.Drawing().save_as(picture)
    assert {found.name: found.read_bytes() for found in tmp_path.iterdir()} == {picture.name: OLD}


@pytest.mark.skipif(not plots.available(), reason="needs matplotlib")
def test_a_plot_that_fails_half_way_leaves_the_older_one(tmp_path):
    X, y, _, _ = published.start(seed=0, points=2)
    plot = tmp_path / "plot.png"
    plot.write_bytes(OLD)
    with pytest.raises(OSError, match="File too large"), room_for(100):
        plots.plot_data(plot, X, y)
    with pytest.raises(ValueError, match="xyz"):
        plots.plot_data(tmp_path / "plot.xyz", X, y)
    assert {found.name: found.read_bytes() for found in tmp_path.iterdir()} == {"plot.png": OLD}
