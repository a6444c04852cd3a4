"""Is a checkpoint being written, and how much is there? Telemetry says that it begins, the kernel which files grow."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from lightning_tui.files import size_of
from lightning_tui.launch.processes import written_files
from lightning_tui.record.directory import RunDirectory

GROWING_S = 5.0
"""A file that has grown within this time is being written."""

_CHECKPOINT_ENDINGS = (".ckpt", ".pt", ".pth", ".distcp", ".safetensors", ".bin")


class Writing(msgspec.Struct, frozen=True):
    """A checkpoint that is being written; `size` is its bytes on disk so far, `None` where they cannot be seen."""

    size: int | None


class SavingWatch:
    """Looks at the files that the ranks have open for writing."""

    def __init__(self, directory: RunDirectory) -> None:
        self._own = tuple(f"{directory.path}{os.sep}{part}" for part in ("attempt-", "supervisor", "commands", "index"))
        self._checkpoints = f"{directory.checkpoints}{os.sep}"
        self._sizes: dict[str, int] = {}
        self._grew_at: dict[str, float] = {}
        self._told: str | None = None
        self._stamp: tuple[int, ...] | None = None

    def check(self, told: str | None, pids: Iterable[int], now: float) -> Writing | None:
        """Look once. `told` is the path that telemetry has begun to write, `now` a monotonic time."""
        self._note_growth(pids, now)
        if told != self._told:
            self._told, self._stamp = told, None if told is None else _stamp(told)
        growing = [path for path, at in self._grew_at.items() if now - at < GROWING_S]
        if told is None:
            # An asynchronous writer goes on when the Trainer has long come back from saving.
            saves = [path for path in growing if self._is_checkpoint(path)]
            return Writing(sum(self._sizes[path] for path in saves)) if saves else None
        return Writing(self._size_of_told(told, growing))

    def _note_growth(self, pids: Iterable[int], now: float) -> None:
        sizes = {path: size for pid in pids for path, size in written_files(pid).items() if not self._is_own(path)}
        grown = {path for path, size in sizes.items() if path in self._sizes and size > self._sizes[path]}
        self._grew_at = {path: now if path in grown else self._grew_at.get(path, -GROWING_S) for path in sizes}
        self._sizes = sizes

    def _size_of_told(self, told: str, growing: list[str]) -> int | None:
        """Lightning writes into a file beside it, or in the folder for temporary files, and moves that into place."""
        if growing:
            return max(self._sizes[path] for path in growing)
        stamp = _stamp(told)
        if stamp is None or (stamp == self._stamp and not Path(told).is_dir()):
            return None
        return size_of(Path(told))

    def _is_own(self, path: str) -> bool:
        return path.startswith(self._own)

    def _is_checkpoint(self, path: str) -> bool:
        return path.startswith(self._checkpoints) or path.endswith(_CHECKPOINT_ENDINGS)


def _stamp(path: str) -> tuple[int, ...] | None:
    try:
        status = Path(path).stat()
    except (OSError, ValueError):
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
