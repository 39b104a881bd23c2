"""Drawings: a `graphviz.Digraph` that can save itself, whether or not the `dot` program is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from autograd_spiral.files import atomic_write

try:
    from graphviz import Digraph
except ImportError:

    class Digraph:  # type: ignore[no-redef]
        """A substitute for `graphviz.Digraph` if graphviz is not installed, so that only drawing fails."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            raise ImportError("draw needs graphviz, the Python package, which is not installed: pip install graphviz")


__all__ = ["SUFFIXES", "Drawing"]

_TEXT = (".dot", ".gv")
SUFFIXES = (".svg", ".png", ".pdf", *_TEXT)
"""The suffixes of the files that a drawing can be saved as."""
_PATIENCE = 60.0
"""The number of seconds that a program may take to make a picture."""


class Drawing(Digraph):  # type: ignore[misc]  # graphviz has no type hints
    """A picture of a graph: `save_as` writes it to a file, and Jupyter shows it.

    `.source` is the picture in DOT, the language of Graphviz. The other methods are those of `graphviz.Digraph`. Its
    method `render` needs Graphviz's program `dot`.

    >>> from autograd_spiral import Tensor, draw
    >>> draw(3 * Tensor(2.0, requires_grad=True))
    <drawing of 2 nodes: shows itself in notebooks, save_as() writes a file>
    """

    def save_as(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture to `path`, in the format of its suffix (.svg, .png, .pdf or .dot), and return the path.

        Missing folders are created. An existing file is replaced only when the new one is complete. Pictures are made
        by Graphviz's program `dot`, or by the program that `pip install graphviz-pure` installs (which makes no PDF).

        If neither is installed, or if the program fails or takes more than a minute, the DOT text is written instead,
        with the suffix .dot, and the path of that file is returned. A line on stderr then says why, and what to do.
        Raises ValueError for another suffix, and OSError if the file cannot be written.

        >>> import tempfile
        >>> from autograd_spiral import Tensor
        >>> from autograd_spiral.drawing import draw
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     draw(Tensor(2.0) * 3).save_as(Path(folder) / "graph.dot").name
        'graph.dot'
        """
        target = Path(path)
        suffix = target.suffix.lower()
        if suffix not in SUFFIXES:
            raise ValueError(f"the suffix must be one of {', '.join(SUFFIXES)}, not as in {target.name!r}")
        picture, trouble = (None, "") if suffix in _TEXT else _picture(self.source, suffix[1:])
        if trouble:
            target = target.with_suffix(".dot")
        with atomic_write(target) as file:
            file.write(picture or self.source.encode())
        if trouble:
            print(f"wrote {target} instead of a picture: {trouble}", file=sys.stderr)
        return target

    def __repr__(self) -> str:
        count = self.source.count(" [label=<")
        return f"<drawing of {count} nodes: shows itself in notebooks, save_as() writes a file>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None, **_: Any) -> dict[str, str]:
        """Return the SVG for Jupyter, at most as wide as the cell, or a text that says why there is none."""
        picture, trouble = _picture(self.source, "svg")
        if picture is None:
            return {"text/plain": f"no picture: {trouble}"}
        text = picture.decode("utf-8")
        return {"image/svg+xml": text.replace("<svg ", '<svg style="max-width: 100%; height: auto" ', 1)}


def _picture(source: str, kind: str) -> tuple[bytes | None, str]:
    """Return the picture, or None and why there is none."""
    program = _program(kind)
    if program is None:
        needed = "graphviz makes a PDF" if kind == "pdf" else "graphviz or `pip install graphviz-pure` makes pictures"
        return None, f"the program `dot` is not installed; {needed} (https://graphviz.org/download)"
    command = [program, f"-T{kind}"]
    try:
        run = subprocess.run(command, input=source.encode(), capture_output=True, check=False, timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        return None, (
            f"{Path(program).name} did not finish within {_PATIENCE:g} seconds; "
            "record loops and layers inside `with scope(…):`, which `draw` collapses in large graphs (max_nodes=)"
        )
    if run.returncode or not run.stdout:
        reason = run.stderr.decode(errors="replace").strip().splitlines() or [f"exit status {run.returncode}"]
        return None, f"{Path(program).name} failed: {reason[-1]}"
    return run.stdout, ""


def _program(kind: str) -> str | None:
    """Return the path of `dot`, or else (but not for a PDF) of graphviz-pure, next to Python or on PATH."""
    dot = shutil.which("dot")
    if dot or kind == "pdf":
        return dot
    return shutil.which("graphviz-pure") or shutil.which("graphviz-pure", path=sysconfig.get_path("scripts"))
