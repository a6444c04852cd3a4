"""The runs screen's threads: one reads all runs and keeps looking, one reads what is told of the selected run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.message import Message

from lightning_tui.refusal import RefusalError
from lightning_tui.ui.runs.lines import RunLine
from lightning_tui.ui.threads import Worker

if TYPE_CHECKING:
    from lightning_tui.record import RunDirectory
    from lightning_tui.ui.runs.services import RunDetails, RunServices

POST_PERIOD_S = 0.05
"""How often what has been read so far is shown while all runs are read for the first time."""
LOOK_PERIOD_S = 1.0
DETAILS_PERIOD_S = 2.0
"""How often the selected run is read again while it lives."""


class RunsRead(Message):
    """The runs, as far as they have been read; newest first is not promised."""

    def __init__(self, lines: tuple[RunLine, ...], is_complete: bool) -> None:
        self.lines = lines
        self.is_complete = is_complete
        super().__init__()


class RunsUnread(Message):
    """The runs home cannot be read; the sentence says why."""

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence
        super().__init__()


class DetailsRead(Message):
    """What there is to tell of a run; `details` is `None` where it cannot be read, and the sentence says why."""

    def __init__(self, directory: str, details: RunDetails | None, sentence: str = "") -> None:
        self.directory = directory
        self.details = details
        self.sentence = sentence
        super().__init__()


class RunsWatch(Worker):
    """Reads all runs; then again whenever one was made or deleted, and those that live every second."""

    def __init__(self, services: RunServices, post: Callable[[Message], object]) -> None:
        super().__init__("reading the runs", post)
        self._services = services
        self._lines: dict[str, RunLine] = {}
        self._wake = threading.Event()
        self._changed: set[str] = set()
        self._lock = threading.Lock()

    def stop(self) -> None:
        super().stop()
        self._wake.set()

    def look_again(self, directory: str) -> None:
        """Read this run again, now: something of it was changed."""
        with self._lock:
            self._changed.add(directory)
        self._wake.set()

    def _body(self) -> None:
        seen: object = self
        while not self._stop.is_set():
            mark = self._services.mark()
            if mark != seen:
                seen = mark
                self._read_all()
            else:
                self._read_changed()
            self._wake.wait(LOOK_PERIOD_S)
            self._wake.clear()

    def _read_all(self) -> None:
        found: dict[str, RunLine] = {}
        told_at = time.monotonic()
        try:
            for line in self._services.lines():
                found[line.directory] = line
                if self._stop.is_set():
                    return
                if not self._lines and time.monotonic() - told_at > POST_PERIOD_S:
                    self._post(RunsRead(tuple(found.values()), False))
                    told_at = time.monotonic()
        except RefusalError as error:
            self._lines = {}
            self._post(RunsUnread(str(error)))
            return
        self._lines = found
        self._post(RunsRead(tuple(found.values()), True))

    def _read_changed(self) -> None:
        with self._lock:
            changed, self._changed = self._changed, set()
        wanted = [line for line in self._lines.values() if not line.is_over or line.directory in changed]
        read = {line.directory: self._read(line) for line in wanted if not self._stop.is_set()}
        if any(self._lines[directory] != line for directory, line in read.items()):
            self._lines |= read
            self._post(RunsRead(tuple(self._lines.values()), True))

    def _read(self, line: RunLine) -> RunLine:
        from lightning_tui.ui.runs.services import unreadable_line

        try:
            return self._services.line(line.run)
        except RefusalError as error:
            return unreadable_line(line.run, str(error))


class DetailsReader(Worker):
    """Reads what is told of one run: of the one that was wanted last."""

    def __init__(self, services: RunServices, post: Callable[[Message], object]) -> None:
        super().__init__("reading the run", post)
        self._services = services
        self._wanted: RunDirectory | None = None
        self._wake = threading.Event()

    def stop(self) -> None:
        super().stop()
        self._wake.set()

    def want(self, directory: RunDirectory | None) -> None:
        """Tell this run from now on."""
        self._wanted = directory
        self._wake.set()

    def _body(self) -> None:
        is_alive = False
        while not self._stop.is_set():
            self._wake.wait(DETAILS_PERIOD_S if is_alive else None)
            self._wake.clear()
            wanted = self._wanted
            is_alive = wanted is not None and not self._stop.is_set() and self._tell(wanted)

    def _tell(self, directory: RunDirectory) -> bool:
        """Read it, and say whether there may be more to read later."""
        try:
            details = self._services.details(directory)
        except RefusalError as error:
            self._post(DetailsRead(str(directory.path), None, str(error)))
            return False
        self._post(DetailsRead(str(directory.path), details))
        return not details.snapshot.is_over
