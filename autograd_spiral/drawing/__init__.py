"""Pictures of computation graphs: a forward pass, a forward and a backward pass, or a whole captured step."""

from autograd_spiral.drawing.export import Drawing
from autograd_spiral.drawing.picture import draw

__all__ = ["Drawing", "draw"]
