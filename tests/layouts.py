"""Laid-out pictures: where Graphviz puts boxes, titles and lines, and which of them cross."""

from __future__ import annotations

import functools
import html
import json
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import numpy as np
import pytest

SCRIPTS = sysconfig.get_path("scripts")
PROGRAMS = {
    Path(found).name: found
    for found in (
        shutil.which("dot"),
        shutil.which("graphviz-pure") or shutil.which("graphviz-pure", path=SCRIPTS),
    )
    if found
}
"""The programs that lay out pictures, as far as they are installed."""

every_program = pytest.mark.parametrize("program", PROGRAMS or [pytest.param("dot", marks=pytest.mark.skip("no dot"))])
MARGIN = 3
"""Lines may touch the edge of a box by this many points."""


@functools.cache
def layout(source, program):
    command = [PROGRAMS[program], "-Tjson"]
    return json.loads(subprocess.run(command, input=source.encode(), capture_output=True, check=True).stdout)


def width(drawing, program):
    """The width in pixels of 1/96 inch."""
    left, _, right, _ = map(float, layout(drawing.source, program)["bb"].split(","))
    return (right - left) * 96 / 72


def crossings(drawing, program):
    """The lines that run through a box that they do not belong to, or through the title of a frame."""
    found = layout(drawing.source, program)
    lines = [(edge, np.concatenate([*points(edge["pos"])])) for edge in found["edges"] if edge.get("style") != "invis"]
    boxes = {
        thing["_gvid"]: box(thing) for thing in found["objects"] if "pos" in thing and thing.get("style") != "invis"
    }
    titles = {thing["_gvid"]: title(thing) for thing in found["objects"] if thing.get("label") and "lp" in thing}
    return [
        (called(found, edge["tail"]), called(found, edge["head"]), called(found, number))
        for edge, line in lines
        for number, (low, high) in (boxes | titles).items()
        if number not in (edge["tail"], edge["head"]) and ((low < line) & (line < high)).all(axis=1).any()
    ]


def box(thing):
    return around(thing["pos"], 72 * float(thing["width"]), 72 * float(thing["height"]))


def title(frame):
    return around(frame["lp"], 72 * float(frame["lwidth"]), 72 * float(frame["lheight"]))


def around(center, width, height):
    """The lower left and the upper right corner, a bit inside."""
    middle, half = np.array(center.split(","), float), np.array([width, height]) / 2 - MARGIN
    return middle - half, middle + half


def points(pos):
    """Yield points along the Bézier curves of an edge."""
    for part in pos.split(";"):
        control = np.array([point.split(",") for point in part.split() if point[0] not in "es"], float)
        t = np.linspace(0, 1, 21)[:, None]
        for start in range(0, len(control) - 3, 3):
            a, b, c, d = control[start : start + 4]
            yield (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t**2 * c + t**3 * d


def called(found, number):
    label = next(thing["label"] for thing in found["objects"] if thing["_gvid"] == number)
    return " ".join(html.unescape(re.sub("<.*?>", " ", label)).split())
