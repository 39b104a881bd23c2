"""The explorer: one HTML file in which to step through a computation, forward, backward and update."""

from autograd_spiral.explorer.explorer import explore
from autograd_spiral.explorer.training import Regions, Training

__all__ = ["Regions", "Training", "explore"]
