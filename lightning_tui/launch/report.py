"""Write the report of a failed run into its directory."""

from __future__ import annotations

from pathlib import Path

from lightning_tui.files import write_whole
from lightning_tui.record.directory import RunDirectory

NAME = "report.txt"


def write_report(directory: RunDirectory, text: str) -> Path | None:
    """Put the report in place of an older one, whole or not at all, readable by its owner alone (0600).

    Returns its path, or `None` where the directory cannot be written: it may be another person's.
    """
    target = directory.path / NAME
    try:
        write_whole(target, text.encode(errors="replace"))
    except OSError:
        return None
    return target
