"""Passes from graph to graph that fold: the rounds of loops into one, and updates into one box for each parameter."""

from autograd_spiral.drawing.folding.rounds import NEXT, Rounds, fold_loops
from autograd_spiral.drawing.folding.updates import fold_updates

__all__ = ["NEXT", "Rounds", "fold_loops", "fold_updates"]
