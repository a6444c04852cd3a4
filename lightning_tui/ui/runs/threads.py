"""The runs screen's threads: one reads all runs, one the selected run, and each order has its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from textual.message import Message

from lightning_tui.record import UnreadableRun
from lightning_tui.refusal import RefusalError
from lightning_tui.services.runs import ListedRun, directory_of
from lightning_tui.ui.messages import DetailsRead, Refused, Returned, RunsRead, RunsUnread
from lightning_tui.ui.runs.listing import is_over
from lightning_tui.ui.threads import Action, Worker

if TYPE_CHECKING:
    from textual.message import Message

    from lightning_tui.record import RunDirectory
    from lightning_tui.ui.services import RunServices

T = TypeVar("T")

POST_PERIOD_S = 0.05
"""How often what has been read so far is shown while all runs are read for the first time."""
LOOK_PERIOD_S = 1.0
DETAILS_PERIOD_S = 2.0
"""How often the selected run is read again while it lives."""
CLOSING_PATIENCE_S = 0.3


class RunsWatch(Worker):
    """Reads all runs; then again whenever one was made or deleted, and those that live every second."""

    def __init__(self, services: RunServices, post: Callable[[Message], object]) -> None:
        super().__init__("reading the runs", post)
        self._services = services
        self._runs: dict[str, ListedRun] = {}
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
        found: dict[str, ListedRun] = {}
        told_at = time.monotonic()
        try:
            for run in self._services.runs():
                found[run.directory] = run
                if self._stop.is_set():
                    return
                if not self._runs and time.monotonic() - told_at > POST_PERIOD_S:
                    self._post(RunsRead(tuple(found.values()), False))
                    told_at = time.monotonic()
        except RefusalError as error:
            self._runs = {}
            self._post(RunsUnread(str(error)))
            return
        self._runs = found
        self._post(RunsRead(tuple(found.values()), True))

    def _read_changed(self) -> None:
        with self._lock:
            changed, self._changed = self._changed, set()
        wanted = [run for run in self._runs.values() if not is_over(run) or run.directory in changed]
        read = {run.directory: self._read(run) for run in wanted if not self._stop.is_set()}
        if any(self._runs[directory] != run for directory, run in read.items()):
            self._runs |= read
            self._post(RunsRead(tuple(self._runs.values()), True))

    def _read(self, run: ListedRun) -> ListedRun:
        try:
            return self._services.run(directory_of(run))
        except RefusalError as error:
            return UnreadableRun(run.id, run.directory, str(error))


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


class RunsThreads:
    """All threads of one visit of the screen: after its end nothing that they say is heard any more."""

    def __init__(self, services: RunServices, post: Callable[[Message], object]) -> None:
        self._ended = threading.Event()
        self._post_to_screen = post
        self.watch = RunsWatch(services, self._post)
        self.reader = DetailsReader(services, self._post)

    def start(self) -> None:
        """Begin to read."""
        self.watch.start()
        self.reader.start()

    def end(self) -> None:
        """End them, and wait for that a little."""
        self._ended.set()
        for worker in (self.watch, self.reader):
            worker.stop()
        for worker in (self.watch, self.reader):
            worker.join(CLOSING_PATIENCE_S)

    def ask(self, refusal: str, act: Callable[[], T], take: Callable[[T], object]) -> None:
        """Do something in a thread of its own, and take what it returns on the event loop.

        `refusal` is the title under which it is said why it could not be done.
        """

        def answer() -> Message:
            try:
                found = act()
            except RefusalError as error:
                return Refused(refusal, str(error))
            return Returned(lambda: take(found))

        Action("reading the runs", answer, self._post).start()

    def _post(self, message: Message) -> None:
        if not self._ended.is_set():
            self._post_to_screen(message)
