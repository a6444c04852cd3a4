"""What is known of a run in trouble: the diagnosis, changes of plan that may help, and from where a child goes on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

if TYPE_CHECKING:
    from lightning_tui.diagnosis import Diagnosis, Suggestion
    from lightning_tui.record import RunSnapshot

_ASKED_FOR = frozenset({"keyboard-interrupt", "sigterm", "sighup"})
"""What a stopped run says of being stopped is no failure."""


TRUST = "It runs code that the file or the server brings. Start it only if you trust where that comes from."


class Trouble(NamedTuple):
    """Which trouble of which attempt: each is diagnosed once. One that stands still does so until it is ended, and a
    person may end it to have it fixed."""

    directory: str
    attempt: int
    kind: Literal["ended", "stalled"]


class FieldChange(msgspec.Struct, frozen=True):
    """One field of the plan, before and after."""

    name: str
    before: Any
    """What was in effect; `None` where that is not known."""
    after: Any


class Beginning(msgspec.Struct, frozen=True):
    """From where a child run goes on."""

    checkpoint: str | None = None
    step: int | None = None
    epoch: int | None = None
    saved_at: float | None = None
    """UTC epoch seconds."""
    reason: str = ""
    """Why it begins from the beginning."""
    size: int | None = None
    """Of the checkpoint, in bytes."""


class Fix(msgspec.Struct, frozen=True):
    """A suggestion that changes the plan."""

    text: str
    changes: Mapping[str, Any]
    fields: tuple[FieldChange, ...]
    """What they are to a person: where it goes on from is its beginning."""
    beginning: Beginning
    trust: bool = False
    """Whether it asks to trust a file or a server."""
    tried_in: str | None = None
    """A run of this one's line in which these fields were changed already."""
    obstacle: str | None = None
    """Why it cannot work on this machine."""
    number: int = 1
    """Of the suggestion in its diagnosis, from 1."""


class OutputPlace(NamedTuple):
    """A line of the output: whose file, and its number from 0."""

    rank: int
    line: int


class Findings(msgspec.Struct, frozen=True):
    """All that the card, the window and the report of a run in trouble are drawn from."""

    trouble: Trouble
    diagnoses: tuple[Diagnosis, ...] = ()
    """The root cause first; empty where nothing can be said."""
    fixes: tuple[Fix, ...] = ()
    """In the order of their keys."""
    evidence: OutputPlace | None = None
    """Where the output shows it."""
    report: str = ""
    report_path: str | None = None
    """Where the report was written; `None` where it was not."""

    @property
    def root(self) -> Diagnosis | None:
        return self.diagnoses[0] if self.diagnoses else None

    @property
    def hints(self) -> tuple[Suggestion, ...]:
        """What the plan cannot change."""
        return tuple(each for each in self.root.suggestions if not each.changes) if self.root is not None else ()


def trouble_of(run: RunSnapshot | None) -> Trouble | None:
    """What is wrong with a run at first sight: it ended badly, is lost, or stands still; `None` where nothing is."""
    if run is None:
        return None
    state = run.state.value
    is_stopped_from_outside = state == "stopped" and run.ended is not None and run.ended.cause == "program"
    if state == "failed" or is_stopped_from_outside or (state == "lost" and run.is_over):
        return Trouble(run.directory, run.attempt, "ended")
    is_ended_by_a_person = run.ended is not None and run.ended.cause in ("stop", "kill")
    is_stalled = run.standstill is not None
    if is_stalled and (not run.is_over or is_ended_by_a_person):
        return Trouble(run.directory, run.attempt, "stalled")
    return None


def findings_for(run: RunSnapshot | None, findings: Findings | None) -> Findings | None:
    """The findings, where they are of this run as it is now."""
    return findings if findings is not None and findings.trouble == trouble_of(run) else None


def is_told(run: RunSnapshot | None, findings: Findings | None) -> bool:
    """Whether there is something to tell of on a card: a failure always, the rest where a cause was found."""
    trouble = trouble_of(run)
    if run is None or trouble is None:
        return False
    found = findings_for(run, findings)
    root = found.root if found is not None else None
    if trouble.kind == "stalled":
        return root is not None
    if run.state.value == "stopped":
        return root is not None and root.severity == "error" and root.category not in _ASKED_FOR
    if run.state.value == "failed":
        return True
    return root is not None and root.severity == "error"


def order_of_trouble(found: Sequence[Diagnosis], trouble: Trouble | None, has_raised: bool) -> tuple[Diagnosis, ...]:
    """Of a run that stands still, that is the trouble: an error that stands in its output is one that it has overcome,
    unless a rank has fallen of it."""
    if trouble is not None and trouble.kind == "stalled" and not has_raised:
        found = sorted(found, key=lambda diagnosis: diagnosis.category not in ("stall", "rank-exited-early"))
    return tuple(found)


def in_order(fixes: Iterable[Fix]) -> tuple[Fix, ...]:
    """What can work before what cannot, and what was not tried before what was."""
    return tuple(sorted(fixes, key=lambda fix: (fix.obstacle is not None, fix.trust, fix.tried_in is not None)))
