"""What do threads and windows report to the screens? Every message, as the protocol between them.

Nobody compares or prints them: what `dataclass` would write for that is left out, for the sake of the first frame.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from textual.message import Message

if TYPE_CHECKING:
    from collections.abc import Callable

    from lightning_tui.environment import Environment, Software
    from lightning_tui.record import RunSnapshot, UnreadableRun
    from lightning_tui.services.runs import ListedRun, RunDetails


class Report(Message):
    """What a thread or a window reports to a screen."""


Takes = Mapping[type[Report], Callable[[Any], None]]
"""Reports, and what takes each of them."""


@dataclass(eq=False, repr=False)
class EnvironmentKnown(Report):
    """The machine has been looked at."""

    environment: Environment


@dataclass(eq=False, repr=False)
class SoftwareKnown(Report):
    """The program's interpreter has said what is installed in it."""

    software: Software


@dataclass(eq=False, repr=False)
class RunsListed(Report):
    """Some of the runs, newest first; `is_complete` when no more will come."""

    runs: tuple[RunSnapshot | UnreadableRun, ...]
    is_complete: bool


@dataclass(eq=False, repr=False)
class Returned(Report):
    """What was asked in a thread is there; `take` deals with it on the event loop."""

    take: Callable[[], object]


@dataclass(eq=False, repr=False)
class Refused(Report):
    """An action could not be carried out; the sentence says why and what helps."""

    title: str
    sentence: str


@dataclass(eq=False, repr=False)
class Broken(Report):
    """A thread ended by an error of our own; the rest goes on."""

    sentence: str


@dataclass(eq=False, repr=False)
class LogCopied(Report):
    """Lines of the log were taken out; `text` is for the terminal's clipboard, where it is for that."""

    text: str | None
    sentence: str
    token: str


class LeaveNow(Report):
    """What had to be done before leaving is done."""


@dataclass(eq=False, repr=False)
class RunsRead(Report):
    """The runs, as far as they have been read; newest first is not promised."""

    runs: tuple[ListedRun, ...]
    is_complete: bool


@dataclass(eq=False, repr=False)
class RunsUnread(Report):
    """The runs home cannot be read; the sentence says why."""

    sentence: str


@dataclass(eq=False, repr=False)
class DetailsRead(Report):
    """What there is to tell of a run; `details` is `None` where it cannot be read, and the sentence says why."""

    directory: str
    details: RunDetails | None
    sentence: str = ""


class CursorMoved(Report):
    """Another run is selected, or what is typed has changed which runs are shown."""


class FilterTyped(Report):
    """Other words are looked for."""
