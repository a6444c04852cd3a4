"""Tables of results, and the page they are written to."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HEAD = (
    "# Performance\n\nMade by `make bench`, or one by one by `python -m benchmarks NAME`. Every number stands beside a "
    "named peer measured in the same run; compare the rows of a table with each other, not across machines."
)


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


def write_page(path: Path, table: Table) -> None:
    """Put the table into its section of the page, at the end where it is new."""
    try:
        old = path.read_text().split("\n## ")[1:]
    except FileNotFoundError:
        old = []
    sections = {section.partition("\n")[0]: f"## {section.strip()}" for section in old}
    where = f"{os.cpu_count()} CPUs, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    sections[table.title] = f"{table.markdown()}\n\nMeasured on {time.strftime('%Y-%m-%d')} on {where}."
    path.write_text("\n\n".join([HEAD, *sections.values()]) + "\n")
