"""Passes that fold a graph: the rounds of a loop into one round, and the update of each parameter into one box."""

from autograd_spiral.drawing.folding.rounds import NEXT, Rounds, fold_loops
from autograd_spiral.drawing.folding.updates import fold_updates

__all__ = ["NEXT", "Rounds", "fold_loops", "fold_updates"]
