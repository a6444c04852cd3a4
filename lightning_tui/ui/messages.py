"""Everything that threads and windows tell the cockpit: read as the protocol between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lightning_tui.environment import Environment, Software
    from lightning_tui.plan.recommended import Recommendation
    from lightning_tui.plan.saved import SavedPlan
    from lightning_tui.record import RunDirectory, RunSnapshot, UnreadableRun
    from lightning_tui.services.cases import Export, FieldChoices, Judgement
    from lightning_tui.services.findings import Findings


class EnvironmentKnown(Message):
    """The machine has been looked at."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        super().__init__()


class SoftwareKnown(Message):
    """The program's interpreter has said what is installed in it."""

    def __init__(self, software: Software) -> None:
        self.software = software
        super().__init__()


class RunStarted(Message):
    """A run was started; it lives in this directory."""

    def __init__(self, directory: RunDirectory) -> None:
        self.directory = directory
        super().__init__()


class RunsListed(Message):
    """Some of the runs, newest first; `is_complete` when no more will come."""

    def __init__(self, runs: tuple[RunSnapshot | UnreadableRun, ...], is_complete: bool) -> None:
        self.runs = runs
        self.is_complete = is_complete
        super().__init__()


class Answered(Message):
    """An action was carried out; the sentence says what happens now."""

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence
        super().__init__()


class CommandWritten(Message):
    """A command lies where the run looks for it; the run's snapshots tell what becomes of it."""


class Refused(Message):
    """An action could not be carried out; the sentence says why and what helps."""

    def __init__(self, title: str, sentence: str) -> None:
        self.title = title
        self.sentence = sentence
        super().__init__()


class Broken(Message):
    """A thread ended by an error of our own; the rest goes on."""

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence
        super().__init__()


class ProgramFound(Message):
    """The words of the program to offer where none was named; may be empty."""

    def __init__(self, given: tuple[str, ...]) -> None:
        self.given = given
        super().__init__()


class ChoicesKnown(Message):
    """What a field of the plan may be set to."""

    def __init__(self, field: str, found: FieldChoices) -> None:
        self.field = field
        self.found = found
        super().__init__()


class PlanJudged(Message):
    """What is known of the plan that was asked about with this number."""

    def __init__(self, number: int, judgement: Judgement, is_measured: bool = False) -> None:
        self.number = number
        self.judgement = judgement
        self.is_measured = is_measured
        """Whether the program was run for it."""
        super().__init__()


class MeasureFailed(Message):
    """The program's memory could not be measured; the sentence says why, and is empty where it was given up."""

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence
        super().__init__()


class Recommended(Message):
    """The plan that suits machine and program, with reasons."""

    def __init__(self, recommendation: Recommendation) -> None:
        self.recommendation = recommendation
        super().__init__()


class PlansListed(Message):
    """The plans that were saved for the project."""

    def __init__(self, plans: Sequence[SavedPlan]) -> None:
        self.plans = plans
        super().__init__()


class PlanExported(Message):
    """The plan in its forms."""

    def __init__(self, exports: Sequence[Export]) -> None:
        self.exports = exports
        super().__init__()


class LogCopied(Message):
    """Lines of the log were taken out; `text` is for the terminal's clipboard, where it is for that."""

    def __init__(self, text: str | None, sentence: str, token: str) -> None:
        self.text = text
        self.sentence = sentence
        self.token = token
        super().__init__()


class Diagnosed(Message):
    """A run in trouble has been explained; the number is that of the question."""

    def __init__(self, number: int, findings: Findings) -> None:
        self.number = number
        self.findings = findings
        super().__init__()


class Relaunched(Message):
    """A child run was started; it lives in this directory, and the sentence says whose child it is."""

    def __init__(self, directory: RunDirectory, sentence: str) -> None:
        self.directory = directory
        self.sentence = sentence
        super().__init__()


class LeaveNow(Message):
    """What had to be done before leaving is done."""
