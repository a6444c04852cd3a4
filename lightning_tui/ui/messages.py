"""What do threads and windows report to the screens? Every message, as the protocol between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lightning_tui.environment import Environment, Software
    from lightning_tui.plan.model import Plan
    from lightning_tui.plan.recommended import Recommendation
    from lightning_tui.plan.saved import SavedPlan
    from lightning_tui.record import RunDirectory, RunSnapshot, UnreadableRun
    from lightning_tui.ui.failure.findings import Findings
    from lightning_tui.ui.plan_services import Export, FieldChoices, Judgement
    from lightning_tui.ui.runs.lines import RunLine
    from lightning_tui.ui.runs.services import Origin, PruneRule, RunDetails


@dataclass
class EnvironmentKnown(Message):
    """The machine has been looked at."""

    environment: Environment


@dataclass
class SoftwareKnown(Message):
    """The program's interpreter has said what is installed in it."""

    software: Software


@dataclass
class RunStarted(Message):
    """A run was started; it lives in this directory."""

    directory: RunDirectory


@dataclass
class RunsListed(Message):
    """Some of the runs, newest first; `is_complete` when no more will come."""

    runs: tuple[RunSnapshot | UnreadableRun, ...]
    is_complete: bool


@dataclass
class Answered(Message):
    """An action was carried out; the sentence says what happens now."""

    sentence: str


class CommandWritten(Message):
    """A command lies where the run looks for it; the run's snapshots tell what becomes of it."""


@dataclass
class Refused(Message):
    """An action could not be carried out; the sentence says why and what helps."""

    title: str
    sentence: str


@dataclass
class Broken(Message):
    """A thread ended by an error of our own; the rest goes on."""

    sentence: str


@dataclass
class ProgramFound(Message):
    """The words of the program to offer where none was named; may be empty."""

    given: tuple[str, ...]


@dataclass
class ChoicesKnown(Message):
    """What a field of the plan may be set to."""

    field: str
    found: FieldChoices


@dataclass
class PlanJudged(Message):
    """What is known of the plan that was asked about with this number."""

    number: int
    judgement: Judgement
    is_measured: bool = False
    """Whether the program was run for it."""


@dataclass
class MeasureFailed(Message):
    """The program's memory could not be measured; the sentence says why, and is empty where it was given up."""

    sentence: str


@dataclass
class Recommended(Message):
    """The plan that suits machine and program, with reasons."""

    recommendation: Recommendation


@dataclass
class PlansListed(Message):
    """The plans that were saved for the project."""

    plans: Sequence[SavedPlan]


@dataclass
class PlanExported(Message):
    """The plan in its forms."""

    exports: Sequence[Export]


@dataclass
class LogCopied(Message):
    """Lines of the log were taken out; `text` is for the terminal's clipboard, where it is for that."""

    text: str | None
    sentence: str
    token: str


@dataclass
class Diagnosed(Message):
    """A run in trouble has been explained; the number is that of the question."""

    number: int
    findings: Findings


@dataclass
class Relaunched(Message):
    """A child run was started; it lives in this directory, and the sentence says whose child it is."""

    directory: RunDirectory
    sentence: str


class LeaveNow(Message):
    """What had to be done before leaving is done."""


# ------------------------------------------------------------------------------------------------ the runs screen


@dataclass
class RunsRead(Message):
    """The runs, as far as they have been read; newest first is not promised."""

    lines: tuple[RunLine, ...]
    is_complete: bool


@dataclass
class RunsUnread(Message):
    """The runs home cannot be read; the sentence says why."""

    sentence: str


@dataclass
class DetailsRead(Message):
    """What there is to tell of a run; `details` is `None` where it cannot be read, and the sentence says why."""

    directory: str
    details: RunDetails | None
    sentence: str = ""


@dataclass
class ChildPlanned(Message):
    """The plan that a child of this run would have; it is to be started at once, or to be changed first."""

    origin: Origin
    snapshot: RunSnapshot
    plan: Plan
    starts_now: bool


@dataclass
class BothRead(Message):
    """Two runs that were asked for together, and what for."""

    lines: Sequence[RunLine]
    details: Sequence[RunDetails]
    is_overlay: bool


@dataclass
class CheckpointsRead(Message):
    """What there is to tell of a run whose checkpoints were asked for."""

    line: RunLine
    details: RunDetails


@dataclass
class PruneKnown(Message):
    """What a rule would delete."""

    rule: PruneRule
    lines: Sequence[RunLine]


@dataclass
class Deleted(Message):
    """These runs were deleted; `refusals` say why others were not."""

    lines: Sequence[RunLine]
    refusals: Sequence[str]


class CursorMoved(Message):
    """Another run is selected, or what is typed has changed which runs are shown."""


@dataclass
class FilterTyped(Message):
    """The words that are looked for."""

    text: str
