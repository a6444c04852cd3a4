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
        try:
            self._descriptor = os.open(os.path.join(folder, f"{name}.jsonl"), flags | os.O_EXCL, 0o600)
        except FileExistsError:
            self._descriptor = os.open(os.path.join(folder, f"{name}-{os.getpid()}.jsonl"), flags, 0o600)
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
            OSError: it could not be written whole (disk full, quota); it is dropped then.
        """
        if not self._waiting:
            return
        data = (b"\n" if self._is_torn else b"") + b"".join(self._waiting)
        self._waiting.clear()
        written = os.write(self._descriptor, data)
        self._is_torn = written < len(data)
        if self._is_torn:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def number(value: float) -> float | str:
    """Return a metric's value as JSON can carry it: `nan`, `inf` and `-inf` travel as words."""
    if math.isfinite(value):
        return value
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
