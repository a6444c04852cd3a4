"""The voice of this process in the run: says events, and never lets an error of its own reach the program."""

from __future__ import annotations

import os
import sys
import time

from .events import EventFile
from .tracebacks import formatted, type_name

_RECORDED = "__lightning_tui_recorded__"


class Reporter:
    """Says what happens in this process. When telemetry breaks it says that once, and is silent from then on."""

    def __init__(self, file: EventFile | None, rank: int) -> None:
        """Report as `rank` into `file`; without a file nothing is said."""
        self.rank = rank
        self.is_on = file is not None
        self._file = file
        self._pid = os.getpid()
        self._unsaid_trouble: str | None = None
        self._lost: tuple[float, float, str] | None = None
        """Since when the disk takes nothing, by both clocks, and why."""
        self._owed: list[tuple[str, dict[str, object]]] = []

    @property
    def is_mine(self) -> bool:
        """Whether this is still the process that the reporter was made in; a fork must not write into its file."""
        return os.getpid() == self._pid

    def note(self, event: str, **fields: object) -> None:
        """Say an event with the next `flush`."""
        if self.is_on and self._file is not None and self.is_mine:
            self._file.add(event, fields)

    def flush(self) -> None:
        """Write what was noted; where the disk does not take it, it is lost, and the next is tried again."""
        if self.is_on and self._file is not None and self.is_mine:
            try:
                self._file.flush()
                if self._lost is not None:
                    self._make_up()
            except OSError as error:
                self._lose(error)

    def say(self, event: str, **fields: object) -> None:
        self.note(event, **fields)
        self.flush()

    def insist(self, event: str, **fields: object) -> None:
        """Say at once what tells how the run ended or what became of a command; tried even after trouble."""
        if self.is_on:
            self.say(event, **fields)
            if self._lost is not None:
                self._owed.append((event, fields))
        if not self.is_on:
            self._try_to_report(event, **fields)

    def exception(self, error: BaseException, hook: str | None, epoch: int | None, global_step: int | None) -> None:
        """Say that an exception left the program's code; one that was said already is not said again."""
        if getattr(error, _RECORDED, False):
            return
        self.insist(
            "exception",
            type=type_name(error),
            message=_message(error),
            traceback=formatted(error),
            hook=hook,
            epoch=epoch,
            global_step=global_step,
        )
        error.__dict__[_RECORDED] = True

    def trouble(self, error: BaseException) -> None:
        """Say, once, that telemetry failed; from here on only last words are tried."""
        if self.is_on and self.is_mine:
            self.is_on = False
            self.complain(f"telemetry is off: {described(error)}")

    def _lose(self, error: OSError) -> None:
        """Say, once, that events are lost; the record tells of it when it takes any again."""
        if self._lost is None:
            self._lost = (time.time(), time.monotonic(), error.strerror or str(error))
            warn(f"rank {self.rank}: events cannot be written: {self._lost[2]}; the program goes on")

    def _make_up(self) -> None:
        """Say that events were lost, and those again that matter most."""
        if self._file is None or self._lost is None:
            return
        since, began, reason = self._lost
        seconds = round(time.monotonic() - began, 1)
        self._file.add("record_gap", {"since": since, "seconds": seconds, "reason": reason})
        for event, fields in self._owed:
            self._file.add(event, fields)
        self._file.flush()
        self._lost, self._owed = None, []

    def complain(self, message: str) -> None:
        """Say on stderr and in the record what no longer works."""
        warn(f"rank {self.rank}: {message}; the program goes on")
        self._unsaid_trouble = message
        self._try_to_report()

    def _try_to_report(self, event: str | None = None, **fields: object) -> None:
        if self._file is None or not self.is_mine:
            return
        try:
            if self._unsaid_trouble is not None:
                self._file.add("telemetry_trouble", {"message": self._unsaid_trouble})
            if event is not None:
                self._file.add(event, fields)
            self._file.flush()
            self._unsaid_trouble = None
        except OSError:
            pass  # it was said on stderr, and is tried again with the next last word


def described(error: BaseException) -> str:
    """Return an exception in one line."""
    return f"{type_name(error)}: {_message(error)}"


def warn(message: str) -> None:
    """Say one line on stderr, where there is one."""
    try:
        sys.stderr.write(f"lightning-tui: {message}\n")
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        pass


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001  # the program's own exception class may fail to describe itself
        return "(the exception cannot be shown)"
