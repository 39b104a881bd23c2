"""The gradient rules: one row per primitive, with a rule for each argument, usually one line of NumPy.

A rule gets `ct`, the cotangent of the output, `out`, the output, and the primitive's arguments `x, y, …`; it returns
the cotangent of one argument. Rules run on arrays, and on Tensors if the gradients are to be differentiated again. They
never undo broadcasting or promotion: the sweep does that, once for all of them.

A function that can be composed of others needs no rule: it is one function in `compositions/`. A new row needs an entry
in `gradcheck/examples/`, so that it can be checked. All three folders have one file for each family of functions.
"""

from autograd_spiral.vocabulary.rules import elementwise, indexing, linalg, order, products, reductions, shapes, special

__all__ = ["elementwise", "indexing", "linalg", "order", "products", "reductions", "shapes", "special"]
