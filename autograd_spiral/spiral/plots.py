"""Plots of the case study: data, decision regions, hidden units and losses. They need matplotlib (the `plot` extra)."""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.files import atomic_write
from autograd_spiral.spiral.models import TwoLayerNet
from autograd_spiral.spiral.training import Model

__all__ = ["CLASS_COLOURS", "available", "plot_data", "plot_hidden_units", "plot_losses", "plot_regions"]

CLASS_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f", "#f0e442")
"""The colours of the classes, in order: the colour-blind-safe palette of Okabe and Ito (2008)."""

CLASS_MARKERS = "o^sDvPX*"

_LOSS_STYLES = (("#b37700", "--"), ("#8f3a76", "-"), ("#333333", ":"))  # not the colours of the classes
_WIDTH = 5.6
"""The width of a figure in inches. With the usual fonts, such a figure can be read at a width of 400 pixels."""


def available() -> bool:
    """Return whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def plot_data(path: Path, X: NDArray[Any], y: NDArray[Any]) -> None:
    """Save a scatter plot of the points X (N, 2), with a colour and a marker for each class in y (N,)."""
    axes = _plane("Spiral data", X)
    _scatter(axes, X, y)
    if len(y):
        axes.legend(loc="upper right", framealpha=0.9)
    _save(axes, path)


def plot_regions(path: Path, model: Model, X: NDArray[Any], y: NDArray[Any], title: str) -> None:
    """Save a plot of the regions of the plane that `model` assigns to each class, with the points X on top."""
    axes = _plane(title, X)
    _regions(axes, model, y)
    _scatter(axes, X, y)
    if len(y):
        axes.legend(loc="upper right", framealpha=0.9)
    _save(axes, path)


def plot_hidden_units(path: Path, net: TwoLayerNet, X: NDArray[Any], y: NDArray[Any], most: int = 20) -> None:
    """Save a plot of where the hidden units of a net switch on: a line for each unit, over the net's regions.

    Unit i is on where `x @ W1[:, i] + b1[i] > 0`. The triangle on its line points to the side where it is on. The plot
    shows the `most` strongest units, and stronger units have darker lines. The strength of a unit is the length of its
    input weights times the length of its output weights.
    """
    axes = _plane(f"Where the {min(most, net.b1.size)} strongest hidden units switch on", X)
    _regions(axes, net, y)
    W1, b1 = net.W1.data, net.b1.data[0]
    strength = np.linalg.norm(W1, axis=0) * np.linalg.norm(net.W2.data, axis=1)
    reach = axes.get_xlim()[1]
    for rank, unit in enumerate(np.argsort(strength)[::-1][:most]):
        length = float(np.linalg.norm(W1[:, unit]))
        if length > 0:
            normal = W1[:, unit] / length
            foot = -b1[unit] / length * normal
            along = np.array([-normal[1], normal[0]])
            weight = float(strength[unit] / (strength.max() or 1.0))
            look = {"color": "black", "alpha": 0.3 + 0.6 * weight}
            line = foot + np.array([[-3.0], [3.0]]) * reach * along
            axes.plot(line[:, 0], line[:, 1], linewidth=0.5 + 1.2 * weight, **look)
            # To keep the triangles apart, place them in turn to the left, in the middle and to the right of the line.
            x, y_ = foot + along * reach * (rank % 3 - 1) * 0.55 + 0.024 * reach * normal
            turn = np.degrees(np.arctan2(normal[1], normal[0])) - 90
            axes.plot(x, y_, marker=(3, 0, turn), markersize=9, markeredgewidth=0, **look)
    axes.plot([], [], "k-", linewidth=1.2, label="a unit switches on")
    axes.plot([], [], "k^", linestyle="none", markersize=9, label="the side where it is on")
    _scatter(axes, X, y, size=12)
    axes.figure.legend(loc="outside lower center", ncols=3)  # below the plot, where it hides nothing
    _save(axes, path)


def _regions(axes: Any, model: Model, y: NDArray[Any]) -> None:
    from matplotlib.colors import ListedColormap

    reach = axes.get_xlim()[1]
    ticks = np.linspace(-reach, reach, 401)
    grid = np.stack(np.meshgrid(ticks, ticks), axis=-1)
    regions = np.stack([model.predict(row) for row in grid])  # row by row, so that hidden layers stay in the cache
    classes = int(max(y.max(), regions.max())) + 1
    colours = ListedColormap([_class_style(k)["color"] for k in range(classes)])
    axes.pcolormesh(ticks, ticks, regions, cmap=colours, vmin=-0.5, vmax=classes - 0.5, alpha=0.3, rasterized=True)


def plot_losses(path: Path, losses: Mapping[str, NDArray[Any]]) -> None:
    """Save a plot of the losses of each model against the step, with both axes logarithmic.

    Each model needs at least one loss.
    """
    from matplotlib.ticker import LogLocator, NullFormatter

    axes = _axes("Loss during training", 0.8 * _WIDTH)
    for (name, values), (colour, dash) in zip(losses.items(), itertools.cycle(_LOSS_STYLES), strict=False):
        steps = np.arange(1, len(values) + 1)
        axes.plot(steps, values, dash, color=colour, linewidth=1.8, label=f"{name}, at the end {values[-1]:.3f}")
    axes.set(xscale="log", yscale="log", xlabel="step", ylabel="loss")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.grid(visible=True, alpha=0.3)
    axes.figure.legend(loc="outside lower center")  # below the plot, where it hides nothing
    _save(axes, path)


def _axes(title: str, height: float) -> Any:
    from matplotlib.figure import Figure

    axes = Figure(figsize=(_WIDTH, height), layout="constrained").subplots()
    axes.set_title(title)
    return axes


def _plane(title: str, X: NDArray[Any]) -> Any:
    """Return the axes of a square around the origin that contains the points X."""
    from matplotlib.ticker import MaxNLocator

    axes = _axes(title, _WIDTH)
    reach = 1.1 * float(np.abs(X).max(initial=0.5))
    axes.set(aspect="equal", xlim=(-reach, reach), ylim=(-reach, reach), xlabel="x₀", ylabel="x₁")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5))
    return axes


def _class_style(k: int) -> dict[str, str]:
    colour = CLASS_COLOURS[k % len(CLASS_COLOURS)]
    return {"color": colour, "marker": CLASS_MARKERS[(k + k // len(CLASS_COLOURS)) % len(CLASS_MARKERS)]}


def _scatter(axes: Any, X: NDArray[Any], y: NDArray[Any], *, size: float = 32) -> None:
    for k in np.unique(y):
        x0, x1 = X[y == k].T
        axes.scatter(x0, x1, s=size, edgecolors="black", linewidths=0.6, label=f"class {k}", **_class_style(k))


def _save(axes: Any, path: Path) -> None:
    with atomic_write(path) as file:
        axes.figure.savefig(file, dpi=130, format=Path(path).suffix[1:] or None)
