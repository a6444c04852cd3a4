"""Advice on the run that is followed: found in a thread, told in one quiet line, put away with a key."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from lightning_tui.text.units import plural
from lightning_tui.ui.drawing.canvas import printable
from lightning_tui.ui.drawing.rows import EMPTY, Row
from lightning_tui.ui.orders import ONLY_WATCHES
from lightning_tui.ui.threads import Worker
from lightning_tui.ui.view import AdviceLine
from lightning_tui.ui.words import ADVICE_MARKS

if TYPE_CHECKING:
    from textual.message import Message

    from lightning_tui.diagnosis import Suggestion
    from lightning_tui.diagnosis.live import Advice, Seen
    from lightning_tui.record import RunDirectory
    from lightning_tui.ui.port import Port
    from lightning_tui.ui.services import RunAdvice, Services
    from lightning_tui.ui.threads import Follower
    from lightning_tui.ui.view import View

FIRST_S = 0.5
"""The first look waits until the first frames are drawn: it imports the rules."""
PERIOD_S = 0.5
TOLD_S = 120.0
"""So long a title stands on the screen; then only the count is left."""
NOTHING_TO_ADVISE = "no suggestions for this run"
NO_RUN_YET = "no run is open"


class AdviceThread(Worker):
    """Looks at what a follower has read. What is found, and what was seen before, is left in slots."""

    def __init__(
        self,
        follower: Follower,
        advise: Callable[[RunDirectory], RunAdvice],
        clock: Callable[[], float],
        post: Callable[[Message], object],
        *,
        may_write: bool,
    ) -> None:
        super().__init__("looking for suggestions", post)
        self.newest: tuple[Advice, ...] = ()
        """Replaced whole."""
        self.seen_before: Seen | None = None
        """What the run directory remembers; `None` until that was read."""
        self._follower = follower
        self._advise = advise
        self._clock = clock
        self._may_write = may_write
        self._to_write: Seen | None = None
        self._wakes = threading.Event()

    def remember(self, seen: Seen) -> None:
        self._to_write = seen
        self._wakes.set()

    def stop(self) -> None:
        super().stop()
        self._wakes.set()

    def _body(self) -> None:
        if self._stop.wait(FIRST_S):
            return
        advice = self._advise(self._follower.directory)
        from lightning_tui.diagnosis.live import read_seen

        self.seen_before = read_seen(self._follower.directory)
        run = None
        while not self._stop.is_set():
            before, run = run, self._follower.newest
            if run is not None and run is not before:
                self.newest = advice.look(run, self._clock())
            self._write()
            self._wakes.wait(PERIOD_S)
            self._wakes.clear()
        self._write()

    def _write(self) -> None:
        seen, self._to_write = self._to_write, None
        if seen is not None and self._may_write:
            from lightning_tui.diagnosis.live import write_seen

            write_seen(self._follower.directory, seen)


class Advising:
    """The cockpit's advice. Its methods run on the event loop; what takes time runs in the thread."""

    def __init__(self, port: Port, services: Services) -> None:
        self._port = port
        self._services = services
        self._thread: AdviceThread | None = None
        self._leaving: AdviceThread | None = None
        self._told: frozenset[str] = frozenset()
        self._dismissed: frozenset[str] = frozenset()
        self._known: tuple[Advice, ...] = ()
        self._is_known = False
        self._shown_since: dict[str, float] = {}

    @property
    def advice(self) -> tuple[Advice, ...]:
        return tuple(advice for advice in self._known if advice.id not in self._dismissed)

    def follow(self, follower: Follower | None) -> None:
        """Advise on the run that this follower reads from now on."""
        if self._thread is not None:
            self._thread.stop()
            self._leaving = self._thread
        self._thread = None
        self._told = self._dismissed = frozenset()
        self._known, self._is_known, self._shown_since = (), False, {}
        advise = self._services.advise
        if follower is not None and advise is not None:
            self._thread = AdviceThread(
                follower,
                advise,
                self._services.clock,
                self._port.post_message,
                may_write=not self._port.view.readonly,
            )
            self._thread.start()

    def stop(self, patience_s: float) -> None:
        for thread in (self._thread, self._leaving):
            if thread is not None:
                thread.stop()
                thread.join(patience_s)

    def tick(self) -> None:
        """Take what the thread has left, and say it where it is new."""
        thread = self._thread
        if thread is None or thread.seen_before is None:
            self._show(None)
            return
        if not self._is_known:
            self._is_known = True
            self._told, self._dismissed = thread.seen_before.told, thread.seen_before.dismissed
        if thread.newest is not self._known:
            self._known = thread.newest
            self._refresh_window()
        self._let_titles_go()
        self._show(self._line())

    def open(self) -> None:
        """Open the window with all advice on this run."""
        from lightning_tui.ui.advice.window import AdviceWindow

        if self._thread is None:
            self._port.notice(NO_RUN_YET)
        elif not self.advice:
            put_away = f"; {len(self._known)} dismissed" if self._known else ""
            self._port.notice(f"{NOTHING_TO_ADVISE}{put_away}")
        else:
            self._tell(advice.id for advice in self._known)
            self._port.open(AdviceWindow(self.advice, self._take, self._dismiss))

    def _line(self) -> AdviceLine | None:
        """The line of this moment; from when on a title has stood there is noted."""
        advice, view = self.advice, self._port.view
        new = untold(advice, self._told, view)
        if new is not None:
            self._shown_since.setdefault(new.id, view.now)
        return advice_line(advice, new, view)

    def _let_titles_go(self) -> None:
        now = self._port.view.now
        self._tell(name for name, since in list(self._shown_since.items()) if now - since >= TOLD_S)

    def _show(self, line: AdviceLine | None) -> None:
        if line != self._port.view.advice:
            self._port.change(advice=line)

    def _tell(self, names: Iterable[str]) -> None:
        new = frozenset(names) - self._told
        if new:
            self._told |= new
            self._remember()

    def _dismiss(self, advice: Advice) -> tuple[Advice, ...]:
        self._dismissed |= {advice.id}
        self._told |= {advice.id}
        self._remember()
        return self.advice

    def _remember(self) -> None:
        from lightning_tui.diagnosis.live import Seen  # loaded by the thread that found the advice

        if self._thread is not None:
            self._thread.remember(Seen(self._told, self._dismissed))

    def _take(self, suggestion: Suggestion) -> str:
        """Put a suggestion's changes into the plan of the next start; returns what to say of it."""
        if self._port.view.readonly:
            return ONLY_WATCHES
        from lightning_tui.diagnosis import apply
        from lightning_tui.plan.model import PlanError

        try:
            self._port.change(plan=apply(self._port.view.plan, suggestion))
        except PlanError as error:
            return str(error)
        return "set in the plan of the next run"

    def _refresh_window(self) -> None:
        from lightning_tui.ui.advice.window import AdviceWindow

        window = self._port.window
        if isinstance(window, AdviceWindow):
            window.take(self.advice)


def untold(advice: Sequence[Advice], told: Collection[str], view: View) -> Advice | None:
    """The gravest that is new. A run that is over has said what counts; advice is then for the next one."""
    if not view.is_active:
        return None
    return next((each for each in advice if each.id not in told and each.until is None), None)


def advice_line(advice: Sequence[Advice], new: Advice | None, view: View) -> AdviceLine | None:
    """`new` and how many more there are; without it how many there are."""
    if not advice:
        return None
    key: Row = ((" ", "text"), (view.key("advice"), "accent+b"))
    if new is None:
        return AdviceLine(EMPTY, ((plural(len(advice), "suggestion"), "dim"), *key))
    more: Row = ((f" · 1 of {len(advice)}", "dim"),) if len(advice) > 1 else EMPTY
    return AdviceLine(printable((ADVICE_MARKS[new.severity], (new.title, "text"))), (*more, *key))
