"""The exceptions. Each is a subclass of the built-in exception that a caller would expect."""

import numpy as np


class AutogradError(Exception):
    """The base of every exception that this package defines."""


class ShapeError(AutogradError, ValueError):
    """Shapes do not fit; the message names the operation and every shape."""


class ArgumentError(AutogradError, ValueError):
    """An argument has a value that the function does not accept."""


class AxisError(AutogradError, np.exceptions.AxisError):
    """An array has no such axis. This class is a subclass of NumPy's AxisError, and so of ValueError and IndexError."""

    def __init__(self, message: str) -> None:
        super().__init__(message)  # NumPy's class also takes the parts of a message


class PositionError(AutogradError, IndexError):
    """An index is out of range, or is not an index at all; the message names every shape."""


class DtypeError(AutogradError, TypeError):
    """A dtype or a type does not support the operation (object arrays, complex numbers, an axis of 0.0)."""


class NoRuleError(AutogradError, TypeError):
    """A NumPy function, or one of its keywords, has no gradient rule."""


class InPlaceError(AutogradError, TypeError):
    """A recorded value was about to be overwritten; the message says what to write instead."""


class LostGraphError(AutogradError, TypeError):
    """A conversion to a plain array or number would silently drop a tensor's graph, and with it the gradient."""


class LabelError(AutogradError, ValueError):
    """Class labels are not integers, one per row and within range; the message names the row and the label."""


class GradientError(AutogradError, RuntimeError):
    """A gradient was requested or set where there can be none, or its cotangent is missing."""


class RuleError(AutogradError, RuntimeError):
    """A primitive's rule failed, returned a wrong shape, or was declared wrongly (such as a wrong number of VJPs)."""


class StaleLeafError(AutogradError, RuntimeError):
    """A leaf got a new value after it was recorded, so `create_graph=True` cannot record a gradient at the old one."""


class CaptureError(AutogradError, RuntimeError):
    """A step cannot be captured, or a program cannot be printed; the message names the line and the remedy."""


class LostPeerError(AutogradError, RuntimeError):
    """Another process that takes part in a step has ended, or does not answer; the leaves keep their old values."""


class GradientMismatch(AutogradError, AssertionError):
    """A gradient check failed, or could not judge anything: `report` says what is wrong, where, and by how much."""

    def __init__(self, report: object, diagnosis: str = "gradient check failed") -> None:
        super().__init__(f"{diagnosis}\n{report}")
        self.report = report


class NonFiniteError(AutogradError, FloatingPointError):
    """A NaN or infinity occurred inside `blame()`; the message says where, and from which inputs."""
