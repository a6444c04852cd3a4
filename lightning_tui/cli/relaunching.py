"""The command `relaunch`: a run again with something changed, from where it was or from the start."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning_tui.cli.arguments import settings_of
from lightning_tui.cli.plans import plan_of
from lightning_tui.cli.starting import check_start, follow_new
from lightning_tui.cli.terminal import say, size
from lightning_tui.diagnosis import Diagnosis, Suggestion, diagnose, evidence_of_run
from lightning_tui.launch.relaunch import CHECKPOINT_WORDS, checkpoint_for, plan_of_child, program_of_run, relaunch
from lightning_tui.plan import Plan, plan_from_mapping
from lightning_tui.plan.comparison import changed_fields
from lightning_tui.plan.fields import FLAGS
from lightning_tui.plan.model import field_name
from lightning_tui.record import RecordError, RunDirectory, RunSnapshot, RunStore, read_snapshot
from lightning_tui.record.checkpoints import Checkpoint, checkpoints_of


def relaunch_command(arguments: argparse.Namespace) -> int:
    """`lightning-tui relaunch RUN [--fix [N]] [--ckpt PATH|last|none] [PLAN] [-- PROGRAM]`."""
    settings = settings_of(arguments)
    parent = RunStore(settings.runs_home).find(arguments.run)
    snapshot = read_snapshot(parent)
    changes = {**_fix(arguments.fix, parent, snapshot), **_typed_changes(arguments)}
    checkpoint = _checkpoint(arguments.ckpt, changes, parent, snapshot)
    before, after = plan_from_mapping(snapshot.record.plan), plan_of_child(snapshot.record, changes, checkpoint)
    check_start(after, program_of_run(snapshot.record, arguments.program, os.environ), settings)
    for line in _difference(parent.id, before, after, snapshot):
        say(line)
    return follow_new(
        lambda: relaunch(
            settings,
            parent,
            changes,
            checkpoint=checkpoint,
            environ=os.environ,
            given=arguments.program,
            beside=arguments.beside,
            max_restarts=arguments.max_restarts,
        ),
        as_json=arguments.json,
        detach=arguments.detach,
    )


# ------------------------------------------------------------------------------------------------------ what to change


def _typed_changes(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the plan flags say; an empty value takes a field back to "as the script says"."""
    typed = {name: getattr(arguments, name) for name in FLAGS}
    typed |= {field_name(name): value for name, _, value in (each.partition("=") for each in arguments.set)}
    taken_back = {name: None for name, value in typed.items() if value is not None and not value.strip()}
    return {**taken_back, **plan_of(arguments).changes()}


def _fix(number: int | None, parent: RunDirectory, snapshot: RunSnapshot) -> Mapping[str, Any]:
    """The changes of a suggestion, by its number in what `diagnose` says.

    Raises:
        RecordError: nothing is wrong, there is no such suggestion, or it is none that a plan can carry out.
    """
    if number is None:
        return {}
    found = diagnose(evidence_of_run(parent, snapshot))
    if not found:
        raise RecordError(f"Nothing is wrong with {parent.id} that a diagnosis knows: there is nothing to fix.")
    suggestion = _suggestion(found[0], number, parent.id)
    say(f"{found[0].title}. Fix: {suggestion.text}")
    return suggestion.changes or {}


def _suggestion(diagnosis: Diagnosis, number: int, run_id: str) -> Suggestion:
    usable = [
        at
        for at, suggestion in enumerate(diagnosis.suggestions, 1)
        if suggestion.changes is not None and not suggestion.trust
    ]
    if not usable:
        raise RecordError(
            f"{diagnosis.title}: no change of the plan cures that. See what does: lightning-tui diagnose {run_id}"
        )
    number = usable[0] if number == 0 else number
    if number not in usable:
        allowed = ", ".join(map(str, usable))
        raise RecordError(
            f"--fix {number} is no change of the plan. {diagnosis.title}: these suggestions are: {allowed}."
        )
    return diagnosis.suggestions[number - 1]


# ------------------------------------------------------------------------------------------------------ from where


def _checkpoint(
    asked: str | None, changes: Mapping[str, Any], parent: RunDirectory, snapshot: RunSnapshot
) -> str | None:
    """The checkpoint to go on from, said aloud; `None` for the beginning.

    Raises:
        RecordError: `last` was asked for, and there is none.
    """
    typed = changes.get("ckpt_path")
    if asked == "none" or (asked is None and typed not in (None, *CHECKPOINT_WORDS)):
        return None
    if asked not in (None, "last"):
        return asked if "://" in asked else str(Path(asked).expanduser().absolute())
    found = checkpoints_of(parent, snapshot)
    chosen = checkpoint_for(snapshot.record, changes, found)
    if chosen is not None:
        say(f"going on from {described(chosen)}")
        return chosen.path
    why = _why_none(found)
    if asked == "last":
        raise RecordError(f"{parent.id} has no checkpoint to go on from: {why}.")
    say(f"beginning anew: {why}")
    return None


def described(checkpoint: Checkpoint) -> str:
    """One line: which step, how large, where."""
    step = "a checkpoint" if checkpoint.global_step is None else f"step {checkpoint.global_step}"
    return f"{step} ({size(checkpoint.size)}): {checkpoint.path}"


def _why_none(found: tuple[Checkpoint, ...]) -> str:
    if not found:
        return "no checkpoint of it is there"
    newest = found[0]
    return f"{newest.path} is no good, {newest.problem or 'it is what the run went on from'}"


# ------------------------------------------------------------------------------------------------------ what is said


def _difference(run_id: str, before: Plan, after: Plan, snapshot: RunSnapshot) -> list[str]:
    changed = changed_fields(before, after)
    if not changed:
        return [f"{run_id} again, under the same plan"]
    width = max(map(len, changed))
    return [
        f"{run_id} again, with",
        *(f"  {name:<{width}}  {_was(name, old, snapshot)} → {_said(new)}" for name, (old, new) in changed.items()),
    ]


def _was(name: str, value: Any, snapshot: RunSnapshot) -> str:
    field = snapshot.trainer.fields.get(name) if snapshot.trainer is not None else None
    if value is None and field is not None and field.actual is not None:
        return f"{_said(value)} ({field.actual})"
    return _said(value)


def _said(value: Any) -> str:
    return "as the script says" if value is None else str(value)
