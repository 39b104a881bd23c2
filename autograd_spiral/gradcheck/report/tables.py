"""Rows that print as a table, turn into data, and have colours where these can be seen."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from autograd_spiral.gradcheck.report.display import Paint, Styled, in_terminal, plain, to_html, wants_colours

__all__ = ["Report", "table"]


class Report:
    """A base class for reports: their rows print as a table, and can be turned into data.

    In a subclass, `COLUMNS` has the titles of the columns, `_cells` returns the texts of a row, and `JSON` maps the
    keys of the data to attributes.

    >>> class Squares(Report):
    ...     COLUMNS = ("number", "square")
    ...     JSON = {"squares": "rows"}
    ...     rows = ((1, 1), (2, 4))
    ...     def _cells(self, row):
    ...         return tuple(map(str, row))
    >>> print(Squares())
    number  square
    1       1
    2       4
    >>> Squares().to_dict()
    {'squares': [[1, 1], [2, 4]]}
    """

    COLUMNS: ClassVar[tuple[str, ...]]
    JSON: ClassVar[Mapping[str, str]]
    """Maps the keys of the data to the names of the attributes."""

    rows: tuple[Any, ...]

    def _cells(self, row: Any) -> tuple[str, ...]:
        raise NotImplementedError

    def _above(self, paint: Paint) -> list[str]:
        """Return the lines above the table."""
        return []

    def _below(self, paint: Paint) -> list[str]:
        """Return the lines below the table."""
        return []

    def _painted(self, paint: Paint) -> str:
        rows = table(self.COLUMNS, [self._cells(row) for row in self.rows], paint)
        return "\n".join([*self._above(paint), rows, *self._below(paint)])

    def __str__(self) -> str:
        return self._painted(plain)

    def coloured(self) -> str:
        """Return the text of the report with escape codes that colour it in a terminal.

        >>> from autograd_spiral import check_gradients
        >>> check_gradients(np.sin, np.ones(2)).coloured().splitlines()[0]
        'np.sin: \\x1b[32mok\\x1b[0m'
        """
        return self._painted(in_terminal)

    def show(self) -> None:
        """Print the report, with colours on a terminal unless the environment variable NO_COLOR is set.

        >>> from autograd_spiral import check_gradients
        >>> check_gradients(np.sin, np.ones(2)).show()  # doctest: +ELLIPSIS
        np.sin: ok
        ...
        """
        print(self.coloured() if wants_colours(sys.stdout) else self)

    def _repr_html_(self) -> str:
        """Return the report as HTML, for notebooks."""

        def row(cells: Sequence[str], tag: str) -> str:
            painted = (to_html(cell, getattr(cell, "style", "")) for cell in cells)
            return "<tr>" + "".join(f'<{tag} style="text-align:left">{cell}</{tag}>' for cell in painted) + "</tr>"

        lines = [row(self.COLUMNS, "th"), *(row(self._cells(one), "td") for one in self.rows)]
        above, below = ("<pre>" + "\n".join(part) + "</pre>" for part in (self._above(to_html), self._below(to_html)))
        return f"{above}<table>{''.join(lines)}</table>{below}"

    def to_dict(self) -> dict[str, Any]:
        """Return the report as dicts, lists, strings and numbers, for example for `json.dumps`.

        Numbers that are not finite become None.

        >>> from autograd_spiral import CheckReport
        >>> CheckReport("square", ()).to_dict()
        {'subject': 'square', 'ok': True, 'verdict': 'ok', 'method': '', 'inputs': []}
        """
        return {key: _plain(getattr(self, name)) for key, name in self.JSON.items()}


def _plain(value: Any) -> Any:
    """Return `value` in a form for `json.dumps`; an object whose class lists keys in `JSON` becomes a dict of these."""
    if isinstance(value, float):
        return float(value) if np.isfinite(value) else None
    if isinstance(value, str):  # verdicts, too
        return str(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    names = getattr(value, "JSON", None)
    return value if names is None else {name: _plain(getattr(value, name)) for name in names}


def table(head: Sequence[str], rows: Sequence[Sequence[str]], paint: Paint = plain) -> str:
    """Return `rows` under `head` as lines, in columns two spaces apart, painted.

    >>> print(table(("a", "long"), [("wide", "b")]))
    a     long
    wide  b
    """
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = []
    for row in ([Styled(cell, "head") for cell in head], *rows):
        last = max((k for k, cell in enumerate(row) if cell), default=0)
        cells = [
            paint(cell, getattr(cell, "style", "")) + " " * (width - len(cell) if k < last else 0)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells[: last + 1]))
    return "\n".join(lines)
