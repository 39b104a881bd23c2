"""The page: one HTML file with the boxes, their values and the script. It needs no server."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import numpy as np

from autograd_spiral.explorer.packing import packed, rounded
from autograd_spiral.explorer.sampling import BINS, FACTS
from autograd_spiral.explorer.snapshots import Camera, Snapshot, columns_of
from autograd_spiral.explorer.training import Regions

__all__ = ["SCRIPTS", "page_of"]

SCRIPTS = tuple(
    f"{name}.js" for name in ("values", "order", "routes", "layout", "view", "picture", "panel", "training", "explorer")
)
"""The files that make up the script, in order."""

_WINDOWS = 1000
_POINTS = 800
"""The number of points of a loss curve."""


def page_of(
    camera: Camera, snapshots: Sequence[Snapshot], losses: Sequence[float] = (), regions: Regions | None = None
) -> str:
    """Return the text of the page."""
    columns = {what: columns_of(snapshots, what) for what in ("elements", "facts", "bars", "zeros")}
    grids = [s.regions for s in snapshots if s.regions is not None]
    numbers = [part for part in (*columns["elements"], *columns["facts"]) if part is not None]
    text, count = packed(numbers, [part for part in (*columns["bars"], *columns["zeros"], *grids) if part is not None])
    data = camera.boxes.to_json() | {
        "samples": camera.samples_to_json(),
        "moments": {what: [0 if part is None else len(part) for part in parts] for what, parts in columns.items()},
        "numbers": count,
        "factNames": FACTS,
        "bins": BINS,
        "at": [snapshot.at for snapshot in snapshots],
        "advice": [snapshot.advice for snapshot in snapshots],
        "curve": _curve(losses, snapshots),
        "steepest": _steepest(losses),
        "regions": None if regions is None or not grids else _plane(regions),
    }
    parts = {
        "title": _escaped(f"{camera.boxes.program.name}: backprop explorer"),
        "style": _file("style.css"),
        "script": "\n".join(map(_file, SCRIPTS)),
        "data": _json(data),
        "values": text,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _file("page.html"))


def _curve(losses: Sequence[float], snapshots: Sequence[Snapshot]) -> list[tuple[int, float | None]]:
    """Return the points of the loss curve, as (number of updates, loss after them), with every visible rise and fall.

    Each snapshot is one of the points, and its loss is rounded like all values, so that it equals the loss in its box.
    """
    if not losses:
        return []
    present = [snapshots[-1].loss] if snapshots[-1].at == len(losses) else []
    with np.errstate(over="ignore"):
        known = rounded(np.array([*losses, *present]).astype(np.float32))
    spread = np.concatenate(
        [np.arange(200), np.geomspace(1, len(losses), _POINTS // 2), np.linspace(0, len(losses), _POINTS // 2)]
    )
    updates = np.unique([*np.clip(spread.astype(int), 0, len(losses) - 1), *(snapshot.at for snapshot in snapshots)])
    return [(i, float(f"{known[i]:.9g}") if np.isfinite(known[i]) else None) for i in updates.tolist()]


def _steepest(losses: Sequence[float]) -> tuple[int, float, int] | None:
    """Return the step around which the least loss so far falls fastest, the fall per step, and the length of the fall.

    The fall is measured over a thousandth of the training run. The least loss so far is used because the loss itself
    also falls fast after each spike.
    """
    window = max(3, len(losses) // _WINDOWS)
    if len(losses) <= 2 * window:
        return None
    least = np.fmin.accumulate(np.asarray(losses))
    falls = (least[:-window] - least[window:]) / window
    at = int(np.argmax(np.where(np.isfinite(falls), falls, -np.inf)))
    return (at + window // 2, float(f"{falls[at]:.3g}"), window) if falls[at] > 0 else None


def _plane(regions: Regions) -> dict[str, Any]:
    points = np.round(np.asarray(regions.X, dtype=float), 4).tolist()
    return {"points": points, "classes": np.asarray(regions.y).astype(int).tolist(), "bounds": regions.bounds()}


def _json(data: Mapping[str, Any]) -> str:
    """Return JSON that cannot end the script that contains it, whatever text is in the data."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
