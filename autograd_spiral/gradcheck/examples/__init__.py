"""Example calls of every function of the rule table, within its domain and on its kinks, for `check` to run.

The groups of functions and their domains are listed only here; the tests draw calls of many shapes from them.
"""

from autograd_spiral.gradcheck.examples import (
    elementwise,
    indexing,
    linalg,
    models,
    order,
    products,
    reductions,
    shapes,
    special,
)
from autograd_spiral.gradcheck.examples.table import EXAMPLES

__all__ = [
    "EXAMPLES",
    "elementwise",
    "indexing",
    "linalg",
    "models",
    "order",
    "products",
    "reductions",
    "shapes",
    "special",
]
