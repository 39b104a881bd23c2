"""Pictures of computation graphs: the forward pass, also with the recorded backward pass, or a whole captured step."""

from autograd_spiral.drawing.export import Drawing
from autograd_spiral.drawing.picture import draw

__all__ = ["Drawing", "draw"]
