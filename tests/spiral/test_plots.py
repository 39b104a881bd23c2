"""Plots of the case study: each is written, at a size that a README shows, for any number of classes and losses."""

import numpy as np
import pytest
from pictures import size

from autograd_spiral.spiral import plots, published
from autograd_spiral.spiral.models import TwoLayerNet

pytestmark = pytest.mark.skipif(not plots.available(), reason="needs matplotlib")


@pytest.mark.parametrize("classes", [1, 11])  # 3: test_the_pictures_can_be_made_again
def test_plots_of_any_number_of_classes(classes, tmp_path):
    X, y, linear, net = published.start(seed=0, points=5, classes=classes, hidden=4)
    plots.plot_data(tmp_path / "data.png", X, y)
    plots.plot_regions(tmp_path / "regions.png", linear, X, y, "Regions")
    plots.plot_hidden_units(tmp_path / "hidden.png", net, X, y)
    assert {size(path) for path in tmp_path.iterdir()} == {(728, 728)}


@pytest.mark.parametrize("name", ["W1", "W2"])
def test_units_without_weights_are_no_trouble(name, tmp_path):
    X, y, _, _ = published.start(seed=0, points=5)
    net = TwoLayerNet.random(np.random.default_rng(0), hidden=3)
    weights = getattr(net, name)
    weights.assign(np.zeros(weights.shape))
    plots.plot_hidden_units(tmp_path / "hidden.png", net, X, y)
    assert size(tmp_path / "hidden.png") == (728, 728)


@pytest.mark.parametrize("steps", [1, 300])
def test_losses_of_any_number_of_models(steps, tmp_path):
    losses = {f"model {i}": np.geomspace(1.0, 10.0**-i, steps) for i in range(5)}
    plots.plot_losses(tmp_path / "loss.png", losses)
    assert size(tmp_path / "loss.png") == (728, 582)


def test_classes_differ_by_marker_as_well_as_colour():
    styles = [tuple(plots._class_style(k).values()) for k in range(16)]
    assert len(set(styles)) == 16
    assert len({marker for _, marker in styles[:8]}) == 8
