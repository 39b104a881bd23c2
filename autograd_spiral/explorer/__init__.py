"""The explorer: a page, in one HTML file, on which to step through a computation: forward, backward and update."""

from autograd_spiral.explorer.explorer import explore
from autograd_spiral.explorer.training import Regions, Training

__all__ = ["Regions", "Training", "explore"]
