"""Write the report of a failed run into its directory."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from lightning_tui.record.directory import RunDirectory

NAME = "report.txt"


def write_report(directory: RunDirectory, text: str) -> Path | None:
    """Put the report in place of an older one, whole or not at all, readable by its owner alone (0600).

    Returns its path, or `None` where the directory cannot be written: it may be another person's.
    """
    target = directory.path / NAME
    try:
        # mkstemp makes a file of a new name, 0600: nobody else's file or link is ever written through.
        descriptor, partial = tempfile.mkstemp(prefix=f".{NAME}.", dir=directory.path)
    except OSError:
        return None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
        Path(partial).replace(target)
    except OSError:
        Path(partial).unlink(missing_ok=True)
        return None
    return target
