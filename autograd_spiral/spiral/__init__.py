"""The case study: spiral data, two models composed of the engine's operations, and their hand-derived gradients."""

from autograd_spiral.spiral.data import spiral
from autograd_spiral.spiral.models import LinearClassifier, TwoLayerNet
from autograd_spiral.spiral.training import accuracy, descent, train

__all__ = ["LinearClassifier", "TwoLayerNet", "accuracy", "descent", "spiral", "train"]
