"""`explore`: makes a page on which to step through a computation and look inside it."""

from __future__ import annotations

import html
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from autograd_spiral.engine.tensor import Tensor
from autograd_spiral.explorer.boxes import Boxes
from autograd_spiral.explorer.page import page_of
from autograd_spiral.explorer.snapshots import Camera
from autograd_spiral.explorer.subject import subject_of
from autograd_spiral.explorer.training import Regions, Training, finished
from autograd_spiral.files import atomic_write
from autograd_spiral.program import CapturedStep
from autograd_spiral.program.ir import Program

__all__ = ["explore"]

_BUDGET = 1_400_000


class explore:
    """Make a page that shows the computation of `outputs` step by step, with every value.

    `outputs` are recorded tensors, a captured step, a program, or the record of a training run (see
    `explore.training`). `gradients_of` is a tensor that requires gradients, or a list, tuple, dict or dataclass of such
    tensors. With it, the page also shows the backward pass, and each output must have one element. A tensor
    without a name gets one from the dict `names`, such as `locals()`, or else from the keys and attributes of
    `gradients_of`.

    For a captured step, pass the arguments of a call as `inputs`. The page then shows what this call would compute, but
    the parameters do not change. Without `inputs`, the page shows only the values of parameters and of other tensors
    that are not arguments. The page keeps only some of the elements of large arrays, so that all of them together take
    at most `budget` bytes.

    The page has one box for each line of the program's printed source. Double-click a box to see the operations of its
    line. The page is a single file that needs no server, and notebooks display it. Raises TypeError if `outputs` cannot
    be explored. Also raises the errors of `backward_source` and `capture`.

    >>> import numpy as np
    >>> from autograd_spiral import Tensor
    >>> W = Tensor([[1.0, 2.0]], requires_grad=True, name="W")
    >>> page = explore(np.sum(W**2).named("loss"), gradients_of=W)  # page.save_as("explorer.html")
    >>> page
    <explorer of 4 values: shows itself in notebooks, save_as() writes a file>
    """

    def __init__(
        self,
        outputs: Tensor | Sequence[Tensor] | CapturedStep | Program | Training,
        *,
        gradients_of: Any = None,
        names: Mapping[str, Any] | None = None,
        inputs: Any = None,
        budget: int = _BUDGET,
    ) -> None:
        if isinstance(outputs, Training):
            if gradients_of is not None or names is not None or inputs is not None:
                raise TypeError("explore: the record of a training run has gradients, names and inputs of its own")
            camera, snapshots = finished(outputs)
            self._html = page_of(camera, snapshots, outputs.losses, outputs.regions)
        else:
            subject = subject_of(outputs, gradients_of, names, inputs)
            camera = Camera(Boxes.of(subject.program), most=1, budget=budget)
            self._html = page_of(camera, [camera.take(subject.values)])
        self._size = len(camera.samples)

    @staticmethod
    def training(
        step: CapturedStep,
        *,
        at: Iterable[int] | None = None,
        snapshots: int = 60,
        budget: int = _BUDGET,
        regions: Regions | tuple[Any, Any, Any] | None = None,
    ) -> Training:
        """Return a step that records a training run: call it instead of `step`, and then pass it to `explore`.

        A snapshot holds every value of a call. `at` has the numbers of the calls that get a snapshot, counted from 0.
        By default, a snapshot is taken at each of the first eight calls, and then whenever the number of calls has
        grown by 15% since the last snapshot. So 10,000 calls have 60 snapshots. When you call `explore`, it adds a last
        snapshot, with the current values of the parameters.

        At most `snapshots` snapshots are kept, or fewer if their elements would take more than `budget` bytes as
        float32. Only some of the elements of large arrays are kept. If the data are points in the plane, the page can
        show the region of each class: pass `regions=(X, y, predict)`. These are the points X of shape (N, 2), their
        classes y, and a function that returns the class of each row of an array like X. Raises TypeError if the step is
        not captured.

        >>> import numpy as np
        >>> from autograd_spiral import Tensor, capture, grad
        >>> w = Tensor([1.0, -2.0], requires_grad=True, name="w")
        >>> @capture
        ... def train(target):
        ...     loss = np.square(w - target).sum()
        ...     w.assign(w - 0.1 * grad(loss, w))
        ...     return loss
        >>> record = explore.training(train)
        >>> for _ in range(10):
        ...     loss = record(np.zeros(2))
        >>> record  # the snapshots are of the calls 0 to 7 and 9
        <record of 10 calls of <captured step train, 1 program>: 9 snapshots>
        >>> page = explore(record)  # one slider for the steps of the computation, one for the snapshots
        """
        where = Regions(*regions) if isinstance(regions, tuple) else regions
        return Training(step, at=at, snapshots=snapshots, budget=budget, regions=where)

    @property
    def html(self) -> str:
        """The HTML of the page, as a string.

        >>> from autograd_spiral import Tensor
        >>> explore(2 * Tensor(3.0, requires_grad=True)).html[:15]
        '<!doctype html>'
        """
        return self._html

    def save_as(self, path: str | os.PathLike[str]) -> Path:
        """Write the page to `path`, which must end in .html, and return the path.

        Missing folders are created. An existing file is replaced only when the new one is complete. Raises ValueError
        for another suffix, and OSError if the file cannot be written.

        >>> import tempfile
        >>> from autograd_spiral import Tensor
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     explore(2 * Tensor(3.0, requires_grad=True)).save_as(Path(folder) / "page.html").name
        'page.html'
        """
        target = Path(path)
        if target.suffix.lower() not in (".html", ".htm"):
            raise ValueError(f"the suffix must be .html, not as in {target.name!r}")
        with atomic_write(target) as file:
            file.write(self._html.encode())
        return target

    def __repr__(self) -> str:
        return f"<explorer of {self._size} values: shows itself in notebooks, save_as() writes a file>"

    def _repr_html_(self) -> str:
        """Return the HTML that notebooks display: the page in an iframe."""
        style = "width: 100%; height: 720px; border: 1px solid #999"
        page = html.escape(self._html)
        return f'<iframe title="Backprop explorer" style="{style}" sandbox="allow-scripts" srcdoc="{page}"></iframe>'
