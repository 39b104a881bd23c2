"""NumPy functions composed from primitives: each takes NumPy's arguments, and calls NumPy functions that have rules.

Each composition runs on arrays and on Tensors; on arrays it returns the same as NumPy's function. If it returns
NotImplemented, the primitive of the same name is called.
"""

from autograd_spiral.vocabulary.compositions import elementwise, indexing, linalg, order, products, reductions, shapes

__all__ = ["elementwise", "indexing", "linalg", "order", "products", "reductions", "shapes"]
