"""What a diagnosis is made from, what it says, and what a rule of it looks like: frozen data alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import msgspec

from lightning_tui.plan.model import Plan, plan_from_mapping
from lightning_tui.record.events import FieldValue
from lightning_tui.record.samples import GpuSample, HostSample
from lightning_tui.record.standstill import Standstill

Severity: TypeAlias = Literal["error", "warning", "hint"]
"""`hint`: nothing is wrong, and it could be better."""


class OutputTail(msgspec.Struct, frozen=True):
    """The end of one stream of a program's output."""

    text: str
    rank: int | None = None
    first_line: int = 1
    """Number of the text's first line in the whole output."""


class ReportedException(msgspec.Struct, frozen=True, kw_only=True):
    """An exception as telemetry reported it."""

    type: str
    """Qualified name."""
    message: str
    traceback: str = ""
    rank: int | None = None
    hook: str | None = None
    time: float = 0.0
    """UTC epoch seconds."""


class Conduct(msgspec.Struct, frozen=True, kw_only=True):
    """How the processes of a run behaved, from its record: what no output says."""

    vanished: tuple[int, ...] = ()
    """Ranks whose process went without a word, first one first."""
    left_early: tuple[int, ...] = ()
    """Ranks that left with exit code 0 while others were training."""
    left_before: int | None = None
    """The rank that left with exit code 0 before the fit began, where the others failed of that."""
    program_exit: int | None = None
    """Exit code of a program that ended itself amid the fit."""
    exit_text: str = ""
    """What the program gave to `sys.exit` as a text."""
    exit_traceback: str = ""
    """Who called `sys.exit` with a code other than 0."""
    complete_at: int | None = None
    """Global step at which the last fit was complete, of a program that left with a code of its own after it."""
    finished: bool = False
    """Whether it came to its regular end: what it said of errors, it overcame."""
    ended_on_request: bool = False
    nan_metrics: tuple[str, ...] = ()
    """Metrics whose newest value is NaN or infinite."""
    silent_s: float | None = None
    """Seconds since the last sign of life, of a run that should be training, or was when a person ended it; `None`
    while that is usual."""
    standstill: Standstill | None = None
    """The same, with the rank to look at and where that is."""
    step_time_s: float | None = None
    host_growth: tuple[int, int] | None = None
    """First and last of a steadily growing use of main memory by the run's processes, bytes."""
    device_growth: tuple[int, int] | None = None
    """The same of allocated GPU memory."""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """All that a diagnosis may look at. What is not known is empty or `None`."""

    outputs: tuple[OutputTail, ...] = ()
    exceptions: tuple[ReportedException, ...] = ()
    exit_code: int | None = None
    signal: str | None = None
    """Name of the signal that ended the program (`SIGKILL`)."""
    plan: Mapping[str, Any] = {}
    """The fields that the user set."""
    actual: Mapping[str, FieldValue] = {}
    """The Trainer's arguments and the data loading in effect."""
    script: Mapping[str, FieldValue] = {}
    """What the program itself passes to its Trainer."""
    logged: tuple[str, ...] = ()
    """Names of the metrics that were logged."""
    told: str = ""
    """The text in which the failure shows, for what is computed from it."""
    batch_size: int | None = None
    """Samples in a batch of one rank."""
    batches: int | None = None
    """Training batches of an epoch."""
    world_size: int | None = None
    gpus: tuple[GpuSample, ...] = ()
    host: HostSample | None = None
    conduct: Conduct = Conduct()
    of_run: bool = False
    """Whether it comes from a run's record: what that does not know of the Trainer then was not there."""
    only_rank: int | None = None
    """The rank of a run that has one alone."""
    command: tuple[str, ...] = ()
    """The program and its arguments, as they were given."""
    folder: str = ""
    """Where it was started."""
    samples: int = 0
    """Looks at the hardware that its supervisors took."""
    has_checkpoint: bool = False
    """Whether the run has left a checkpoint that another can go on from."""
    has_neighbour: bool = False
    """Whether a whole checkpoint lies beside the one that the run was to begin from."""

    def value(self, field: str) -> Any:
        """What is in effect for a plan field: the plan's value, else the Trainer's, else `None`."""
        set_by_user = self.plan.get(field)
        return self.actual.get(field) if set_by_user is None else set_by_user


class CodeHint(msgspec.Struct, frozen=True):
    """A place in the program's source."""

    path: str
    line: int
    function: str | None = None
    code: str | None = None


class Suggestion(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to do. `changes` are plan fields and their new values."""

    text: str
    changes: dict[str, Any] | None = None
    hint: CodeHint | None = None
    """Where in the program it is to be done."""
    trust: bool = False
    """Whether it asks to trust a file or a server: it must never be done without a person's word."""


class EvidenceLine(msgspec.Struct, frozen=True):
    """The line that the diagnosis rests on; `line` is `None` where it comes from telemetry or an exit status."""

    line: int | None
    text: str


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """What happened, why, and what to do."""

    category: str
    title: str
    cause: str
    suggestions: tuple[Suggestion, ...]
    evidence: EvidenceLine
    rank: int | None = None
    severity: Severity = "error"
    consequence: bool = False
    """Whether something else must have gone wrong first."""
    where: CodeHint | None = None
    """The program's own last frame, where there is a traceback."""
    docs: str | None = None
    traceback: str = ""


def apply(plan: Plan, suggestion: Suggestion) -> Plan:
    """Return the plan with a suggestion's changes; the same plan where it has none.

    Raises:
        PlanError: a change that no plan can hold.
    """
    if not suggestion.changes:
        return plan
    return plan_from_mapping({**plan.changes(), **suggestion.changes})


class SuggestionTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """A suggestion as a rule holds it. `{name}` in the text takes what the rule's signs captured."""

    text: str
    changes: dict[str, Any] | None = None
    """`{name}` in a value takes what was captured; where that is not known, nothing is changed."""
    computed: str | None = None
    """Name of a function of `changes.COMPUTED` that makes the changes from the run's facts."""
    in_code: bool = False
    """Whether the program's own frame is where it is to be done."""
    trust: bool = False


class Sign(msgspec.Struct, frozen=True, kw_only=True):
    """One form in which a failure shows. All conditions that are given must hold, in one exception or on one line."""

    has: tuple[str, ...] = ()
    """Plain substrings, lower case; the first is the rarest and is looked for first."""
    pattern: str | None = None
    """A regular expression, case ignored, that must match where `has` holds. Its named groups fill the texts."""
    detail: str | None = None
    """A regular expression whose named groups fill the texts where it matches; no condition."""
    types: tuple[str, ...] = ()
    """Last component of the exception's type."""
    where: Literal["exception", "line", "any"] = "exception"
    frame: str | None = None
    """Substring of the path of some frame of the traceback."""
    last_frame: str | None = None
    """Substring of the path or function of the traceback's innermost frame."""
    lacks: tuple[str, ...] = ()
    """Substrings that must not stand in the same exception or line."""
    elsewhere: tuple[str, ...] = ()
    """Substrings of which one at least must stand somewhere in the output."""
    nowhere: tuple[str, ...] = ()
    """Substrings that must stand nowhere in the output."""
    weight: int | None = None
    ignored_too: bool = False
    """Whether it counts in an exception that Python ignored (in a destructor)."""
    at_least: int = 1
    """On how many lines it must show."""
    cause: str | None = None
    """What is said instead of the rule's own cause."""
    suggestions: tuple[SuggestionTemplate, ...] = ()
    """What helps in this form alone, said before the rule's own."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One category of failure: its signs, and what is said of it."""

    category: str
    title: str
    cause: str
    signs: tuple[Sign, ...] = ()
    suggestions: tuple[SuggestionTemplate, ...] = ()
    severity: Severity = "error"
    weight: int = 60
    """Order among causes that show together: the higher, the nearer to the root.
    70 names the thing itself, 60 is an ordinary cause, 40 a generic one, below 30 are consequences."""
    docs: str | None = None
    examples: tuple[str, ...] = ()
    """Texts that the rule must recognise; its own test."""


CONSEQUENCE_BELOW = 30
UNKNOWN_WEIGHT = 35
"""An exception that no rule knows: more telling than a consequence, less than any rule."""
