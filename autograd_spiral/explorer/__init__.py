"""The explorer: a computation, forward, backward and update, as one HTML file to step through and to look inside."""

from autograd_spiral.explorer.explorer import explore
from autograd_spiral.explorer.training import Regions, Training

__all__ = ["Regions", "Training", "explore"]
