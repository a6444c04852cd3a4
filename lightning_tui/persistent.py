"""Where does the platform keep files when the machine goes? One rule, which settings and environment both ask."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

PERSISTENT_VARIABLE = "LIGHTNING_PERSISTENT_PATH"
PERSISTENT_DEFAULT = "persistent"
"""Taken where the variable is not set; below the root."""
STUDIO_HOME = "teamspace/studios/this_studio"
"""Home folder of a Lightning machine, which the platform saves; below the root."""


class Persistent(NamedTuple):
    """A folder that outlives the machine, and why it is believed to."""

    path: Path
    reason: str


def persistent_storage(environ: Mapping[str, str], root: Path = Path("/")) -> Persistent | None:
    """Find it: the variable, else `/persistent` where one can write there, else the Studio's folder, else none."""
    if named := environ.get(PERSISTENT_VARIABLE):
        return Persistent(Path(named).expanduser().absolute(), PERSISTENT_VARIABLE)
    default = root / PERSISTENT_DEFAULT
    if _is_writable_folder(default):
        return Persistent(default, "/persistent, which can be written to")
    studio = root / STUDIO_HOME
    return Persistent(studio, "the Studio's folder") if _is_writable_folder(studio) else None


def _is_writable_folder(path: Path) -> bool:
    """Whether one can write there; a broken mount is not writable (`Path.is_dir` would raise on it)."""
    return os.path.isdir(path) and os.access(path, os.W_OK | os.X_OK)  # noqa: PTH112
