"""How much room is left where a run's checkpoints go? Nothing in its record says that: the disk is asked."""

from __future__ import annotations

import os
from pathlib import Path

from lightning_tui.record import RunSnapshot


def free_bytes(run: RunSnapshot) -> int | None:
    """Bytes that are free where the newest checkpoint lies, else where the run's would go; `None` where that is not
    known, as on another host."""
    newest = run.checkpoints[-1].path if run.checkpoints else None
    for place in (Path(newest).parent if newest is not None else None, Path(run.directory)):
        if place is None:
            continue
        try:
            found = os.statvfs(place)
        except OSError:
            continue
        return found.f_bavail * found.f_frsize
    return None
