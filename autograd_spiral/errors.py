"""The package's exceptions. Each is also a subclass of the built-in exception that a caller would expect."""

import numpy as np


class AutogradError(Exception):
    """The base class of every exception that this package defines."""


class ShapeError(AutogradError, ValueError):
    """Shapes do not fit together; the message names the operation and all shapes."""


class ArgumentError(AutogradError, ValueError):
    """An argument has a value that the function does not accept."""


class AxisError(AutogradError, np.exceptions.AxisError):
    """An array has no such axis. This class is a subclass of NumPy's AxisError, and so of ValueError and IndexError."""

    def __init__(self, message: str) -> None:
        super().__init__(message)  # NumPy's class also takes the parts of a message


class PositionError(AutogradError, IndexError):
    """An index is out of range, or is not an index at all; the message names every shape."""


class DtypeError(AutogradError, TypeError):
    """A dtype or a type is not supported: for example complex numbers, object arrays, or a float as an axis."""


class NoRuleError(AutogradError, TypeError):
    """A NumPy function, or one of its keywords, has no gradient rule."""


class InPlaceError(AutogradError, TypeError):
    """Code tried to overwrite a recorded value; the message says what to write instead."""


class LostGraphError(AutogradError, TypeError):
    """A conversion to a plain array or number would silently drop a tensor's graph, and with it the gradient."""


class LabelError(AutogradError, ValueError):
    """Class labels are invalid: there must be one integer per row, within range; the message names the wrong label."""


class GradientError(AutogradError, RuntimeError):
    """A gradient was requested or set where there can be none, or the argument `cotangent` is missing."""


class RuleError(AutogradError, RuntimeError):
    """A gradient rule failed or returned a wrong shape, or an operation was declared incorrectly."""


class StaleLeafError(AutogradError, RuntimeError):
    """A tensor got a new value after it was used; `create_graph=True` cannot record a gradient at the old value."""


class CaptureError(AutogradError, RuntimeError):
    """A step cannot be captured, or its program cannot run or be printed; the message says what to write instead."""


class LostPeerError(AutogradError, RuntimeError):
    """One of the processes that share a step's work has ended or does not answer; all tensors keep their old values."""


class GradientMismatch(AutogradError, AssertionError):
    """A gradient is wrong, or an input could not be judged; `report` says what is wrong, where, and by how much."""

    def __init__(self, report: object, diagnosis: str = "gradient check failed") -> None:
        super().__init__(f"{diagnosis}\n{report}")
        self.report = report


class NonFiniteError(AutogradError, FloatingPointError):
    """Inside `blame()`, an operation returned a NaN or infinity; the message says where, and from which inputs."""
