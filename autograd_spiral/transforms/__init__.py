"""Transforms: they turn a function into another function that computes its derivatives."""

from autograd_spiral.transforms.derivatives import (
    elementwise_grad,
    flatten,
    hessian,
    hvp,
    jacobian,
    jvp,
    value_and_grad,
    vjp,
)

__all__ = ["elementwise_grad", "flatten", "hessian", "hvp", "jacobian", "jvp", "value_and_grad", "vjp"]
