"""Which advice on a run has a person seen, and which put away? A small file in the run directory."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

from lightning_tui.files import write_whole
from lightning_tui.record import RunDirectory

MOST_BYTES = 64 << 10


class Seen(msgspec.Struct, frozen=True):
    """Ids of advice."""

    told: frozenset[str] = frozenset()
    dismissed: frozenset[str] = frozenset()


def read_seen(directory: RunDirectory) -> Seen:
    """What is remembered; nothing where there is no file, or it cannot be understood."""
    try:
        with _path(directory).open("rb") as file:
            return msgspec.json.decode(file.read(MOST_BYTES), type=Seen)
    except (OSError, msgspec.DecodeError):
        return Seen()


def write_seen(directory: RunDirectory, seen: Seen) -> None:
    """Remember it. Where the run directory cannot be written it is forgotten with the cockpit, which is no loss."""
    with contextlib.suppress(OSError):
        write_whole(_path(directory), msgspec.json.encode(seen))


def _path(directory: RunDirectory) -> Path:
    return directory.path / "advice.json"
