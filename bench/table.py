"""Tables of figures, for a terminal and for a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Table:
    """Rows under headings; the first column is text, the others are figures.

    Attributes:
        headings: of the columns.
        rows: as many cells each.
    """

    headings: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)

    def text(self) -> str:
        """Draw it with spaces."""
        lines = [self.headings, *self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.headings))]
        return "\n".join(
            "  ".join(
                cell.rjust(width) if column else cell.ljust(width)
                for column, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        )

    def markdown(self) -> str:
        """Draw it as Markdown."""
        rule = ["---", *("--:" for _ in self.headings[1:])]
        return "\n".join(f"| {' | '.join(line)} |" for line in (self.headings, rule, *self.rows))


def number(value: float | None, digits: int = 0) -> str:
    """Write a figure, with commas between thousands; a dash for none."""
    return "-" if value is None else f"{value:,.{digits}f}"


def ratio(value: float | None, base: float | None) -> str:
    """Write how many times the base a figure is; a dash where there is none."""
    return "-" if not base or value is None else f"{value / base:.2f}"
