"""Transforms: functions that compute derivatives of other functions."""

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
