"""Plots of the case study: data, decision regions, hidden units and losses. Needs matplotlib, the `plot` extra."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autograd_spiral.spiral.models import TwoLayerNet
from autograd_spiral.spiral.training import Model

__all__ = ["CLASS_COLOURS", "available", "plot_data", "plot_hidden_units", "plot_losses", "plot_regions"]

CLASS_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f", "#f0e442")
"""The colour-blind-safe palette of Okabe and Ito (2008), in the order in which classes take them."""

CLASS_MARKERS = "o^sDvPX*"


def available() -> bool:
    """Whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def plot_data(path: Path, X: NDArray[Any], y: NDArray[Any]) -> None:
    """Save a scatter plot of the points X (N, 2), with a colour and a marker for each class in y (N,)."""
    figure, axes = _square_figure("Spiral data")
    _scatter(axes, X, y)
    _finish(figure, axes, path, X)


def plot_regions(path: Path, model: Model, X: NDArray[Any], y: NDArray[Any], title: str) -> None:
    """Save the regions of the plane that `model` assigns to each class, and the training points on top of them."""
    figure, axes = _square_figure(title)
    _regions(axes, model, X, y)
    _scatter(axes, X, y)
    _finish(figure, axes, path, X)


def plot_hidden_units(path: Path, net: TwoLayerNet, X: NDArray[Any], y: NDArray[Any], most: int = 30) -> None:
    """Save the net's regions with the line along which each of its `most` strongest hidden units switches on.

    Unit i is on where `x @ W1[:, i] + b1[i] > 0`, which is the side that the short tick points to; its strength is
    the length of its input weights times that of its output weights.
    """
    figure, axes = _square_figure(f"Strongest hidden units ({min(most, net.b1.size)}), ticks on the active side")
    _regions(axes, net, X, y)
    W1, b1 = net.W1.data, net.b1.data[0]
    strength = np.linalg.norm(W1, axis=0) * np.linalg.norm(net.W2.data, axis=1)
    reach = _reach(X)
    for unit in np.argsort(strength)[::-1][:most]:
        length = float(np.linalg.norm(W1[:, unit]))
        if length > 0:
            normal = W1[:, unit] / length
            foot = -b1[unit] / length * normal
            along = np.array([-normal[1], normal[0]])
            weight = float(strength[unit] / strength.max())
            line = foot + np.array([[-3.0], [3.0]]) * reach * along
            tick = foot + np.array([[0.0], [0.06]]) * reach * normal
            for ends in (line, tick):
                axes.plot(ends[:, 0], ends[:, 1], color="black", linewidth=0.4 + 1.2 * weight, alpha=0.7)
    _finish(figure, axes, path, X)


def _regions(axes: Any, model: Model, X: NDArray[Any], y: NDArray[Any]) -> None:
    from matplotlib.colors import ListedColormap

    reach = _reach(X)
    ticks = np.linspace(-reach, reach, 401)
    grid = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    regions = model.predict(grid).reshape(len(ticks), len(ticks))
    classes = int(max(y.max(), regions.max())) + 1
    colours = ListedColormap([_class_style(k)["color"] for k in range(classes)])
    axes.pcolormesh(ticks, ticks, regions, cmap=colours, vmin=-0.5, vmax=classes - 0.5, alpha=0.3, rasterized=True)


def plot_losses(path: Path, losses: Mapping[str, NDArray[Any]]) -> None:
    """Save the losses of each model (at least one loss each), by name, against the step, both axes logarithmic."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    for (name, values), colour, dash in zip(losses.items(), CLASS_COLOURS, ("-", "--"), strict=False):
        steps = np.arange(1, len(values) + 1)
        axes.plot(steps, values, dash, color=colour, linewidth=2, label=f"{name}, at the end {values[-1]:.3f}")
    axes.set(xscale="log", yscale="log", xlabel="step", ylabel="loss", title="Loss during training")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.grid(visible=True, which="both", alpha=0.25)
    axes.legend()
    figure.savefig(path, dpi=130)


def _square_figure(title: str) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.6, 5.6), layout="constrained")
    axes = figure.subplots()
    axes.set_title(title)
    axes.set_aspect("equal")
    return figure, axes


def _reach(X: NDArray[Any]) -> float:
    return 1.1 * float(np.abs(X).max(initial=0.5))


def _class_style(k: int) -> dict[str, str]:
    colour = CLASS_COLOURS[k % len(CLASS_COLOURS)]
    return {"color": colour, "marker": CLASS_MARKERS[(k + k // len(CLASS_COLOURS)) % len(CLASS_MARKERS)]}


def _scatter(axes: Any, X: NDArray[Any], y: NDArray[Any]) -> None:
    for k in np.unique(y):
        points = X[y == k]
        axes.scatter(
            points[:, 0], points[:, 1], s=32, edgecolors="black", linewidths=0.6, label=f"class {k}", **_class_style(k)
        )


def _finish(figure: Any, axes: Any, path: Path, X: NDArray[Any]) -> None:
    reach = _reach(X)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), xlabel="x₀", ylabel="x₁")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper right", framealpha=0.9)
    figure.savefig(path, dpi=130)
