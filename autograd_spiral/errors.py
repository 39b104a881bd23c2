"""The exceptions, each also the builtin exception that a caller would expect. Imports nothing."""


class AutogradError(Exception):
    """The base of every exception that this package defines."""


class ShapeError(AutogradError, ValueError):
    """Shapes do not fit; the message names the operation and every shape."""


class DtypeError(AutogradError, TypeError):
    """A dtype cannot do what was asked of it (object arrays, complex numbers, gradients of integers)."""


class NoRuleError(AutogradError, TypeError):
    """A NumPy function, or one of its keywords, has no gradient rule here."""


class InPlaceError(AutogradError, TypeError):
    """A recorded value was about to be overwritten; the message names what to write instead."""


class LostGraphError(AutogradError, TypeError):
    """A conversion to a plain array would silently drop the graph behind a tensor."""


class LabelError(AutogradError, ValueError):
    """Class labels are not one integer per row within range; the message names the row and the label."""


class GradientError(AutogradError, RuntimeError):
    """A gradient was asked for where there is none, or of the wrong thing."""


class RuleError(AutogradError, RuntimeError):
    """A primitive's rule raised, or it or its declaration is malformed: wrong shape, wrong number of VJPs."""


class StaleLeafError(AutogradError, RuntimeError):
    """A leaf was assigned after it was recorded, so the graph of a gradient cannot be recorded from it."""


class CaptureError(AutogradError, RuntimeError):
    """A step cannot be captured, or a program cannot be printed; the message names the line and what to write."""


class GradientMismatch(AutogradError, AssertionError):
    """A gradient check found something wrong, or nothing it could judge: `report` says what, where, by how much."""

    def __init__(self, report: object) -> None:
        super().__init__(f"the gradients do not pass\n{report}")
        self.report = report


class NonFiniteError(AutogradError, FloatingPointError):
    """A NaN or an infinity arose while `blame()` was on; the message says where and from what."""
