"""Tables of results, and the page they are written to."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Table:
    """One bench's result."""

    title: str
    note: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """As a section of a Markdown page."""
        lines = [f"## {self.title}", "", self.note, "", "| " + " | ".join(self.header) + " |"]
        lines.append("|" + "---|" * len(self.header))
        lines += ["| " + " | ".join(row) + " |" for row in self.rows]
        return "\n".join(lines)


def milliseconds(seconds: float) -> str:
    """`214 ms`."""
    return f"{seconds * 1000:.0f} ms"


def write_page(path: Path, tables: Sequence[Table]) -> None:
    """Write the whole page anew."""
    where = f"{os.cpu_count()} CPUs, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    head = (
        "# Performance\n\nMade by `make bench`; every number stands beside a named peer measured in the same run. "
        f"Measured on {time.strftime('%Y-%m-%d')} on {where}; compare the rows with each other, not across machines."
    )
    path.write_text("\n\n".join([head, *(table.markdown() for table in tables)]) + "\n")
