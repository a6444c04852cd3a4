"""What a supervisor has said before, and how it says more even where the disk does not take it at once."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec

from lightning_tui.record.append import EventLog
from lightning_tui.record.directory import RunDirectory
from lightning_tui.record.events import Ended, Event, RecordGap, Restarting, SupervisorStarted
from lightning_tui.record.tail import LineTail


class Journal:
    """The supervisor's event file. What cannot be written now is owed, and tried again."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            OSError: it cannot be opened.
        """
        self._log = EventLog(path)
        self._gap: tuple[float, float, str] | None = None
        """Since when nothing can be written, by both clocks, and why."""
        self._owed: list[tuple[type[Event], dict[str, Any]]] = []

    def report(self, event_type: type[Event], **fields: Any) -> None:
        """Write an event, or owe it."""
        self._owed.append((event_type, fields))
        self.settle()

    def mention(self, event_type: type[Event], **fields: Any) -> bool:
        """Write an event that is not worth being owed; false where it could not be written."""
        return self.settle() and self._try(event_type, fields)

    def settle(self) -> bool:
        """Write what is owed, in order; true where nothing is owed any more."""
        while self._owed and self._try(*self._owed[0]):
            del self._owed[0]
        if self._owed or self._gap is None:
            return not self._owed
        since, began, reason = self._gap
        seconds = round(time.monotonic() - began, 1)
        if self._try(RecordGap, {"since": since, "seconds": seconds, "reason": reason}):
            self._gap = None
        return self._gap is None

    def _try(self, event_type: type[Event], fields: dict[str, Any]) -> bool:
        try:
            self._log.append(event_type, **fields)
        except OSError as error:  # disk full, quota: the run itself goes on
            self._gap = self._gap or (time.time(), time.monotonic(), error.strerror or str(error))
            return False
        return True


class Past(msgspec.Struct, frozen=True):
    """What the last supervisor of a run said."""

    started: SupervisorStarted | None = None
    ended: Ended | None = None
    restarting: Restarting | None = None


def read_past(directory: RunDirectory, node: int = 0) -> Past:
    """Read a supervisor's event file for its last beginning, its end if it told of one after that, its last restart."""
    decoder = msgspec.json.Decoder(SupervisorStarted | Ended | Restarting)
    tail, past = LineTail(directory.supervisor_log(node)), Past()
    while lines := tail.poll():
        for line in lines:
            try:
                event = decoder.decode(line)
            except msgspec.DecodeError:  # samples and the like
                continue
            if isinstance(event, SupervisorStarted):
                past = Past(event, None, past.restarting)
            elif isinstance(event, Ended):
                past = Past(past.started, event, past.restarting)
            else:
                past = Past(past.started, past.ended, event)
    return past
