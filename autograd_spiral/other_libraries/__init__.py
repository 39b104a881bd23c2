"""What to write instead of names and keywords that other libraries have, but a Tensor or this package lacks."""

from autograd_spiral.other_libraries import keywords
from autograd_spiral.other_libraries.names import instead_on_the_package

__all__ = ["instead_on_the_package", "keywords"]
