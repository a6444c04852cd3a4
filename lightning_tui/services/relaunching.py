"""A run again with something changed: with which fix, from which checkpoint, and may it start?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from lightning_tui.diagnosis import Diagnosis
from lightning_tui.plan.comparison import changed_fields
from lightning_tui.plan.model import Plan, plan_from_mapping
from lightning_tui.record import RunDirectory, RunSnapshot, read_snapshot
from lightning_tui.refusal import RefusalError
from lightning_tui.services.children import ANEW, CHECKPOINT_WORDS, plan_of_child, program_of_run, relaunch
from lightning_tui.services.explaining import beginning_of, fixes_of
from lightning_tui.services.findings import TRUST, Beginning, Fix
from lightning_tui.services.machine import inspect_machine
from lightning_tui.services.programs import ProgramChoice
from lightning_tui.services.runs import Origin
from lightning_tui.services.starting import check_may_start
from lightning_tui.settings import Settings

FIRST = 0
"""In place of a suggestion's number: the best of them."""


class NothingToFixError(RefusalError):
    """Nothing is known to be wrong, or no change of the plan cures it."""


class NoSuchFixError(RefusalError):
    """The suggestion of that number changes no plan."""


class TrustNeededError(RefusalError):
    """The fix lets a file run its own code, and nobody has said that it may."""


class NoCheckpointError(RefusalError):
    """There is no checkpoint to go on from."""


class RelaunchRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a child shall be."""

    changes: Mapping[str, Any] = {}
    """Of the plan; `None` takes a field back to "as the script says"."""
    fix: int | None = None
    """Number of a suggestion in the diagnosis, from 1, or `FIRST`."""
    checkpoint: str | None = None
    """A path, `last`, or `none` for the beginning; not given: the last one, where there is one."""
    given: Sequence[str] | None = None
    """The program's words, where they are to be others."""
    trusts: bool = False
    """Whether a person has said yes to a fix that lets a file run its own code."""


class Child(msgspec.Struct, frozen=True, kw_only=True):
    """A child that may be started: what was asked for, worked out."""

    parent: RunSnapshot
    changes: Mapping[str, Any]
    beginning: Beginning
    before: Plan
    after: Plan
    given: Sequence[str] | None
    cause: Diagnosis | None = None
    fix: Fix | None = None
    """What it cures the cause by."""


def plan_relaunch(
    settings: Settings, environ: Mapping[str, str], directory: RunDirectory, request: RelaunchRequest
) -> Child:
    """Work out what a child of the run would be.

    Raises:
        RecordError, PlanError: the run cannot be read, the changes make no plan.
        NothingToFixError, NoSuchFixError, NoCheckpointError: what was asked for is not there.
    """
    run = read_snapshot(directory)
    cause, fix = (None, None) if request.fix is None else _fix(settings, environ, run, request)
    changes = {**(fix.changes if fix is not None else {}), **request.changes}
    if request.checkpoint == ANEW and _script_resumes(run):
        changes = {**changes, "ckpt_path": ANEW}
    beginning = _beginning(request.checkpoint, changes, run, cause)
    return Child(
        parent=run,
        changes=changes,
        beginning=beginning,
        before=plan_from_mapping(run.record.plan),
        after=plan_of_child(run.record, changes, beginning.checkpoint),
        given=request.given,
        cause=cause,
        fix=fix,
    )


def _script_resumes(run: RunSnapshot) -> bool:
    field = run.trainer.fields.get("ckpt_path") if run.trainer is not None else None
    return field is not None and field.script is not None


def _fix(
    settings: Settings, environ: Mapping[str, str], run: RunSnapshot, request: RelaunchRequest
) -> tuple[Diagnosis, Fix]:
    number = request.fix or FIRST
    environment = inspect_machine(settings, environ, Path(run.record.program.interpreter)) if number == FIRST else None
    cause, fixes = fixes_of(run, environment)
    run_id, usable = run.record.id, {fix.number: fix for fix in fixes}
    if cause is None:
        raise NothingToFixError(f"No failure was diagnosed in {run_id}: there is nothing to fix.")
    if not usable:
        what = f"no change of the plan fixes this. See the suggestions: lightning-tui diagnose {run_id}"
        raise NothingToFixError(f"{cause.title}: {what}")
    if number == FIRST:
        number = min(usable, key=lambda each: (usable[each].trust and not request.trusts, *_order(usable[each])))
    if number not in usable:
        what = f"{cause.title}: these suggestions are: {', '.join(map(str, sorted(usable)))}."
        raise NoSuchFixError(f"--fix {number} is no change of the plan. {what}")
    if usable[number].trust and not request.trusts:
        raise TrustNeededError(f"{cause.title}. Fix {number}: {usable[number].text} {TRUST}")
    return cause, usable[number]


def _order(fix: Fix) -> tuple[bool, bool, int]:
    return fix.obstacle is not None, fix.tried_in is not None, fix.number


def _beginning(asked: str | None, changes: Mapping[str, Any], run: RunSnapshot, cause: Diagnosis | None) -> Beginning:
    """From where the child goes on. Only a fix begins anew where its plan cannot read the checkpoint: whoever types a
    change that has this effect is refused when it is started."""
    typed = changes.get("ckpt_path")
    if asked is None and typed == ANEW:
        return Beginning(reason="without the checkpoint of before, as the plan says")
    if asked is None and typed not in (None, *CHECKPOINT_WORDS):
        return Beginning(reason=f"from {typed}, as the plan says")
    if asked == "none":
        return Beginning(reason="as asked")
    if asked not in (None, "last"):
        return Beginning(asked if "://" in asked else str(Path(asked).expanduser().absolute()))
    found = beginning_of(run, cause, changes, takes_unreadable=asked == "last" or cause is None)
    if asked == "last" and found.checkpoint is None:
        raise NoCheckpointError(f"{run.record.id} has no checkpoint to resume from: {found.reason}.")
    return found


def check_child(settings: Settings, environ: Mapping[str, str], child: Child) -> None:
    """Check that the child may start.

    Raises:
        LaunchError: its program cannot be started as it was.
        CompromisedReleaseError, PlanError: it must not, or cannot, work here.
    """
    program = program_of_run(child.parent.record, child.given, environ)
    check_may_start(settings, environ, program.interpreter, child.after, program.folder)


def start_child(
    settings: Settings,
    environ: Mapping[str, str],
    child: Child,
    *,
    beside: bool = False,
    max_restarts: int | None = None,
) -> RunDirectory:
    """Start a child that was checked; raises as `children.relaunch` does."""
    return relaunch(
        settings,
        RunDirectory(Path(child.parent.directory)),
        child.changes,
        checkpoint=child.beginning.checkpoint,
        environ=environ,
        given=child.given,
        beside=beside,
        max_restarts=max_restarts,
    )


def relaunch_with_fix(
    settings: Settings, environ: Mapping[str, str], directory: RunDirectory, fix: Fix
) -> RunDirectory:
    """Check and start a child with what a fix changes, from where the fix begins; raises as these two do."""
    request = RelaunchRequest(trusts=fix.trust, changes=fix.changes, checkpoint=fix.beginning.checkpoint or "none")
    child = plan_relaunch(settings, environ, directory, request)
    check_child(settings, environ, child)
    return start_child(settings, environ, child)


def relaunch_under(
    settings: Settings, environ: Mapping[str, str], origin: Origin, choice: ProgramChoice, plan: Plan
) -> RunDirectory:
    """Start a child of a run under a plan that a person has edited.

    Raises:
        RecordError, PlanError, LaunchError: the run cannot be read, the plan cannot work, it cannot be started.
        CompromisedReleaseError: the interpreter must not be run.
    """
    record = origin.run.read_record()
    given = None if list(choice.given) == record.program.given else list(choice.given)
    program = program_of_run(record, given, environ)
    check_may_start(settings, environ, program.interpreter, plan, program.folder)
    resumed = plan_of_child(record, {}, origin.checkpoint)
    checkpoint = origin.checkpoint if plan.ckpt_path == resumed.ckpt_path else None
    changed = changed_fields(plan_of_child(record, {}, checkpoint), plan)
    changes = {name: after for name, (_, after) in changed.items()}
    return relaunch(settings, origin.run, changes, checkpoint=checkpoint, environ=environ, given=given)
