"""Pictures of computation graphs: of a forward pass, of a forward and a backward pass, or of a whole captured step."""

from autograd_spiral.drawing.export import Drawing
from autograd_spiral.drawing.picture import draw

__all__ = ["Drawing", "draw"]
