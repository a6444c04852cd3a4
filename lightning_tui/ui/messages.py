"""What do threads and windows report to the screens? Every message, as the protocol between them.

Nobody compares or prints them: what `dataclass` would write for that is left out, for the sake of the first frame.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from textual.message import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lightning_tui.environment import Environment, Software
    from lightning_tui.plan.recommended import Recommendation
    from lightning_tui.plan.saved import SavedPlan
    from lightning_tui.record import RunDirectory, RunSnapshot, UnreadableRun
    from lightning_tui.services.cases import Export, FieldChoices, Judgement
    from lightning_tui.services.findings import Findings
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
class RunStarted(Report):
    """A run was started; it lives in this directory."""

    directory: RunDirectory


@dataclass(eq=False, repr=False)
class RunsListed(Report):
    """Some of the runs, newest first; `is_complete` when no more will come."""

    runs: tuple[RunSnapshot | UnreadableRun, ...]
    is_complete: bool


@dataclass(eq=False, repr=False)
class Answered(Report):
    """An action was carried out; the sentence says what happens now."""

    sentence: str


@dataclass(eq=False, repr=False)
class Returned(Report):
    """What was asked in a thread is there; `take` deals with it on the event loop."""

    take: Callable[[], object]


class CommandWritten(Report):
    """A command lies where the run looks for it; the run's snapshots tell what becomes of it."""


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
class ProgramFound(Report):
    """The words of the program to offer where none was named; may be empty."""

    given: tuple[str, ...]


@dataclass(eq=False, repr=False)
class ChoicesKnown(Report):
    """What a field of the plan may be set to."""

    field: str
    found: FieldChoices


@dataclass(eq=False, repr=False)
class PlanJudged(Report):
    """What is known of the plan that was asked about with this number."""

    number: int
    judgement: Judgement
    is_measured: bool = False
    """Whether the program was run for it."""


@dataclass(eq=False, repr=False)
class MeasureFailed(Report):
    """The program's memory could not be measured; the sentence says why, and is empty where it was given up."""

    sentence: str


@dataclass(eq=False, repr=False)
class Recommended(Report):
    """The plan that suits machine and program, with reasons."""

    recommendation: Recommendation


@dataclass(eq=False, repr=False)
class PlansListed(Report):
    """The plans that were saved for the project."""

    plans: Sequence[SavedPlan]


@dataclass(eq=False, repr=False)
class PlanExported(Report):
    """The plan in its forms."""

    exports: Sequence[Export]


@dataclass(eq=False, repr=False)
class LogCopied(Report):
    """Lines of the log were taken out; `text` is for the terminal's clipboard, where it is for that."""

    text: str | None
    sentence: str
    token: str


@dataclass(eq=False, repr=False)
class Diagnosed(Report):
    """A run in trouble has been explained; the number is that of the question."""

    number: int
    findings: Findings


@dataclass(eq=False, repr=False)
class Relaunched(Report):
    """A child run was started; it lives in this directory, and the sentence says whose child it is."""

    directory: RunDirectory
    sentence: str


class LeaveNow(Report):
    """What had to be done before leaving is done."""


# ------------------------------------------------------------------------------------------------ the runs screen


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
