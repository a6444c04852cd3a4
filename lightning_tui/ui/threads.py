"""The cockpit's slow work, each in a daemon thread: follow a run, look at the machine, carry out one action.

The law: threads never touch widgets. They leave the newest value in a slot that a timer drains, or post one message.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from lightning_tui.refusal import RefusalError
from lightning_tui.ui.messages import Broken, EnvironmentKnown, Refused, Returned

if TYPE_CHECKING:
    from textual.message import Message

    from lightning_tui.record import RunDirectory, RunSnapshot
    from lightning_tui.services.machine import Hardware
    from lightning_tui.ui.services import Reader, Services

T = TypeVar("T")

FOLLOW_PERIOD_S = 0.1
REST_PERIOD_S = 0.5
HARDWARE_PERIOD_S = 1.0
FIRST_PERIOD_S = 0.5
"""A first reading of the CPU's load needs a second look."""


class Worker:
    """A daemon thread with a stop event; an error in its body becomes one message, never a crash."""

    def __init__(self, name: str, post: Callable[[Message], object]) -> None:
        self._post = post
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def is_running(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        self._stop.set()

    def join(self, patience_s: float) -> None:
        """Wait for its end, but no longer than this."""
        if self._thread.ident is not None:
            self._thread.join(patience_s)

    def _run(self) -> None:
        try:
            self._body()
        except Exception as error:  # noqa: BLE001 - the outer rim of a thread: elsewhere the error would be lost
            if not self._stop.is_set():
                self._post(Broken(f"{self._thread.name} ended: {type(error).__name__}: {error}"))

    def _body(self) -> None:
        raise NotImplementedError


class Follower(Worker):
    """Reads one run, about ten times a second; `read_output` reads with it what its ranks print."""

    def __init__(
        self,
        directory: RunDirectory,
        services: Services,
        post: Callable[[Message], object],
        read_output: Callable[[RunSnapshot], bool],
    ) -> None:
        """Make it; `read_output` says whether there is more to read at once."""
        super().__init__("following the run", post)
        self.directory = directory
        self.newest: RunSnapshot | None = None
        """Replaced whole; a new object means that something is new."""
        self._read_output = read_output
        self._open = services.open_run
        self._is_behind = False

    def turn(self, reader: Reader) -> None:
        """Read what is new, once."""
        is_new = reader.poll()
        snapshot = reader.snapshot()
        if is_new or self.newest is None or snapshot != self.newest:
            self.newest = snapshot
        self._is_behind = self._read_output(snapshot)

    def _body(self) -> None:
        reader = self._open(self.directory)
        while not self._stop.is_set():
            self.turn(reader)
            if not self._is_behind:
                self._stop.wait(self._period())

    def _period(self) -> float:
        state = self.newest.state if self.newest is not None else None
        is_quiet = state is not None and (state.is_final or state.value == "lost")
        return REST_PERIOD_S if is_quiet else FOLLOW_PERIOD_S


class MachineWatch(Worker):
    """Looks at the machine once, then samples its GPUs and host as long as no run reports them."""

    def __init__(self, services: Services, post: Callable[[Message], object]) -> None:
        super().__init__("inspecting the machine", post)
        self.newest: Hardware | None = None
        self.is_wanted = threading.Event()
        self.is_wanted.set()
        self._services = services

    def _body(self) -> None:
        self.newest = self._services.hardware()
        self._post(EnvironmentKnown(self._services.environment()))
        period = FIRST_PERIOD_S
        while not self._stop.wait(period):
            period = HARDWARE_PERIOD_S
            if self.is_wanted.is_set():
                self.newest = self._services.hardware()


class Action(Worker):
    """One thing to do that touches disk or processes; what it returns is taken on the event loop.

    `refusal` is the title under which it is said why it could not be done, or takes that sentence itself.
    """

    def __init__(
        self,
        name: str,
        refusal: str | Callable[[str], object],
        act: Callable[[], T],
        take: Callable[[T], object],
        post: Callable[[Message], object],
    ) -> None:
        super().__init__(name, post)
        self._refusal = refusal
        self._act: Callable[[], Message] = lambda: Returned(partial(take, act()))

    def _body(self) -> None:
        try:
            answer = self._act()
        except RefusalError as error:
            why, refusal = str(error), self._refusal
            answer = Refused(refusal, why) if isinstance(refusal, str) else Returned(partial(refusal, why))
        self._post(answer)
