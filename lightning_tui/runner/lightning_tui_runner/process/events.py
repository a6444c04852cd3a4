"""Write events: whole lines, one `write` for all that is waiting, on an `O_APPEND` descriptor that one process owns."""

from __future__ import annotations

import errno
import json
import math
import os
import time


class EventFile:
    """The one writer of one event file."""

    def __init__(self, folder: str, name: str) -> None:
        """Create `<folder>/<name>.jsonl` (0600); where that exists already, `<name>-<pid>.jsonl`.

        Raises:
            OSError: the file cannot be made.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._path = os.path.join(folder, f"{name}.jsonl")
        try:
            self._descriptor = os.open(self._path, flags | os.O_EXCL, 0o600)
        except FileExistsError:
            self._path = os.path.join(folder, f"{name}-{os.getpid()}.jsonl")
            self._descriptor = os.open(self._path, flags, 0o600)
        self._identity = _identity(self._descriptor)
        self._waiting: list[bytes] = []
        self._seq = 0
        self._is_torn = False

    def add(self, event: str, fields: dict[str, object]) -> None:
        """Number and stamp an event; it is written at the next `flush`."""
        content = {"event": event, "seq": self._seq, "time": time.time(), **fields}
        line = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        self._waiting.append(line.encode("utf-8", "replace") + b"\n")
        self._seq += 1

    def flush(self) -> None:
        """Write what waits.

        Raises:
            OSError: it could not be written whole (disk full, quota), or the file is gone; it is dropped then.
        """
        if not self._waiting:
            return
        if not self._is_own():
            self._open_again()
        data = (b"\n" if self._is_torn else b"") + b"".join(self._waiting)
        self._waiting.clear()
        written = os.write(self._descriptor, data)
        self._is_torn = written < len(data)
        if self._is_torn:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _is_own(self) -> bool:
        """Whether the descriptor is still that of our file: a program may close all that it did not open itself, and
        the next file that it opens gets the number."""
        try:
            return _identity(self._descriptor) == self._identity
        except OSError:
            return False

    def _open_again(self) -> None:
        """The descriptor is the program's own by now: leave it alone, and take another one."""
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        except OSError:
            self._waiting.clear()
            raise
        self._descriptor = descriptor
        self._identity = _identity(descriptor)


def _identity(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def number(value: float) -> float | str:
    """Return a metric's value as JSON can carry it: `nan`, `inf` and `-inf` travel as words."""
    if math.isfinite(value):
        return value
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
