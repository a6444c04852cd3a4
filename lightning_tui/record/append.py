"""Append events to a file: whole lines, one `write` each, on an `O_APPEND` descriptor."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from lightning_tui.record.events import Event

EventT = TypeVar("EventT", bound=Event)

_TAIL = 64 * 1024


class EventLog:
    """The one writer of one event file. In a file that exists already it goes on where the last writer ended."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        """Open (and create, 0600) the file.

        Raises:
            OSError: the file cannot be opened.
        """
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._encoder = msgspec.json.Encoder()
        self._clock = clock
        self._seq, self._is_torn = _end_of(self._descriptor)

    def append(self, event_type: type[EventT], **fields: Any) -> EventT:
        """Number, stamp and write one event.

        Raises:
            OSError: the line could not be written whole (disk full, quota); the number is not used up.
        """
        event = event_type(seq=self._seq, time=self._clock(), **fields)
        line = (b"\n" if self._is_torn else b"") + self._encoder.encode(event) + b"\n"
        written = os.write(self._descriptor, line)
        self._is_torn = written < len(line)
        if self._is_torn:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._seq += 1
        return event

    def close(self) -> None:
        os.close(self._descriptor)


class _Numbered(msgspec.Struct):
    seq: int


def _end_of(descriptor: int) -> tuple[int, bool]:
    """Next number of an event file, and whether its last line was left unfinished."""
    size = os.fstat(descriptor).st_size
    tail = os.pread(descriptor, _TAIL, max(0, size - _TAIL))
    lines = tail.split(b"\n")
    for line in reversed(lines[:-1]):
        try:
            return msgspec.json.decode(line, type=_Numbered).seq + 1, lines[-1] != b""
        except msgspec.DecodeError:
            continue
    return 0, lines[-1] != b""
