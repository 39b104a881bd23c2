"""Checks of scores and class labels, and the errors for invalid ones.

`check_scores` and `check_form` look at shapes and dtypes, the others at the entries.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd_spiral.errors import DtypeError, LabelError, ShapeError

__all__ = ["IGNORING", "check_form", "check_labels", "check_probabilities", "check_scores"]


IGNORING = (
    "to ignore the rows without a label, write kept = labels >= 0; loss = np.average(softmax_cross_entropy(scores, "
    'np.where(kept, labels, 0), reduction="none"), weights=kept)'
)
"""What to write where PyTorch ignores the label -100."""


def check_scores(scores: Any) -> None:
    """Raise `ShapeError` unless `scores` have shape (N, K), and `DtypeError` unless they are floating."""
    if scores.ndim != 2:
        raise ShapeError(f"softmax_cross_entropy: scores must have shape (N, K), not {scores.shape}")
    if scores.dtype.kind != "f":
        raise DtypeError(f"softmax_cross_entropy: scores must be floating, not {scores.dtype}")


def check_probabilities(rows: Any) -> None:
    """Raise `LabelError` unless each of `rows` has no negative entry and sums to 1, to within 0.01."""
    bad = (rows < -0.01).any(axis=1) | ~(np.absolute(rows.sum(axis=1) - 1) <= 0.01)
    if bad.any():
        row = int(np.argmax(bad))
        raise LabelError(f"class probabilities must be nonnegative and sum to 1, but row {row} is {rows[row].tolist()}")


def check_labels(labels: Any, classes: int) -> None:
    """Raise `LabelError` unless all of the integers `labels` are in `range(classes)`."""
    # argmin and argmax are faster than min and max
    if labels.size and not 0 <= labels.item(labels.argmin()) <= labels.item(labels.argmax()) < classes:
        row = int(np.argmax((labels < 0) | (labels >= classes)))
        from_1 = labels.min() == 1 and labels.max() == classes
        remedy = "; if yours are numbered from 1, write labels - 1" if from_1 else ""
        remedy = f"; {IGNORING}" if labels[row] < 0 else remedy
        raise LabelError(
            f"the label at row {row} is {labels[row]}, but {classes} classes are numbered 0 to {classes - 1}{remedy}"
        )


def check_form(labels: Any, rows: int) -> None:
    """Raise `LabelError` unless `labels` has one integer for each of `rows` rows."""
    if labels.shape != (rows,):
        column = labels.shape == (rows, 1)
        remedy = " (a column: write labels.ravel())" if column else ""
        if len(labels.shape) == 2 and labels.shape[0] == rows and not column and labels.dtype.kind in "iub":
            remedy = " (rows of 0 and 1: write labels.argmax(axis=1), or labels.astype(float) for probabilities)"
        raise LabelError(f"labels must have shape ({rows},), one per row of scores, not {labels.shape}{remedy}")
    if labels.dtype.kind not in "iu":
        first = f": the label at row 0 is {labels.item(0)!r}" if rows and isinstance(labels, np.ndarray) else ""
        remedy = "write labels.astype(int)"
        if labels.dtype.kind not in "bf":
            remedy = "write np.unique(labels, return_inverse=True)[1]"
        elif isinstance(labels, np.ndarray) and not np.all(labels == np.rint(labels)):
            remedy = "some labels are not whole numbers"
        raise LabelError(f"labels must be integers, not {labels.dtype}{first}; {remedy}")
