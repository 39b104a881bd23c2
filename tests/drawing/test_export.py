"""Saving drawings, with and without a program that makes pictures."""

import os
import shutil
import sys

import pytest
from pictures import leaf, momentum, needs_dot

from autograd_spiral.drawing import draw, export


@needs_dot
def test_notebooks_show_captured_steps():
    picture = draw(momentum())._repr_mimebundle_()["image/svg+xml"]
    assert picture.rstrip().endswith("</svg>")
    assert picture.count("<svg ") == 1
    assert '<svg style="max-width: 100%; height: auto" width=' in picture  # no wider than the cell


@needs_dot
@pytest.mark.parametrize(("suffix", "start"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_the_suffix_is_the_format(tmp_path, suffix, start):
    path = tmp_path / f"graph.{suffix}"
    assert draw(leaf(1.0) * 2).save_as(path) == path
    assert path.read_bytes().startswith(start)


@pytest.mark.parametrize("suffix", ["dot", "gv"])
def test_the_text_needs_no_program(tmp_path, suffix, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda *args, **kwargs: None)
    drawing = draw(leaf(1.0) * 2)
    path = drawing.save_as(str(tmp_path / f"graph.{suffix}"))
    assert path.read_text(encoding="utf-8") == drawing.source


def test_missing_folders_are_made(tmp_path):
    path = draw(leaf(1.0) * 2).save_as(tmp_path / "missing" / "folder" / "graph.dot")
    assert path.read_text(encoding="utf-8").startswith("digraph")
    with pytest.raises(ValueError, match="suffix"):
        draw(leaf(1.0) * 2).save_as(tmp_path / "other" / "graph.jpeg")
    assert not (tmp_path / "other").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        draw(leaf(1.0) * 2).save_as(tmp_path / "file" / "graph.dot")


def test_without_a_program_the_text_is_written_and_one_line_says_how_to_get_a_picture(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(shutil, "which", lambda *args, **kwargs: None)
    drawing = draw(leaf(1.0) * 2)
    path = drawing.save_as(tmp_path / "graph.svg")
    assert path == tmp_path / "graph.dot"
    assert path.read_text(encoding="utf-8") == drawing.source
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "pip install graphviz-pure" in said
    assert "graphviz" in drawing._repr_mimebundle_()["text/plain"]


def test_graphviz_pure_is_used_where_there_is_no_dot_but_not_for_pdf(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name, **kwargs: "/bin/pure" if name == "graphviz-pure" else None)
    assert export._program("svg") == "/bin/pure"
    assert export._program("pdf") is None
    monkeypatch.setattr(shutil, "which", lambda name, **kwargs: f"/bin/{name}")
    assert export._program("svg") == "/bin/dot"


@pytest.mark.skipif(os.name == "nt", reason="a shell script does not run on Windows")
def test_a_program_that_takes_too_long_is_stopped_and_one_line_says_what_to_do(tmp_path, monkeypatch, capsys):
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setattr(export, "_PATIENCE", 0.05)
    monkeypatch.setattr(export, "_program", lambda kind: str(slow))
    drawing = draw(leaf(1.0) * 2)
    path = drawing.save_as(tmp_path / "graph.svg")
    assert path == tmp_path / "graph.dot"
    assert path.read_text(encoding="utf-8") == drawing.source
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "slow did not finish within 0.05 seconds; record loops and layers inside `with scope(…):`" in said
    assert "did not finish" in drawing._repr_mimebundle_()["text/plain"]


def test_a_program_that_fails_is_no_traceback(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(export, "_program", lambda kind: sys.executable)
    assert draw(leaf(1.0) * 2).save_as(tmp_path / "graph.png") == tmp_path / "graph.dot"
    assert "failed: " in capsys.readouterr().err
