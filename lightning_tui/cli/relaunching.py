"""The command `relaunch`: a run again with something changed, from where it was or from the start."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

import msgspec

from lightning_tui.cli.arguments import plan_of, settings_of
from lightning_tui.cli.starting import follow_new
from lightning_tui.cli.terminal import say, size
from lightning_tui.plan.comparison import changed_fields
from lightning_tui.plan.fields import FLAGS
from lightning_tui.plan.model import field_name
from lightning_tui.record import RunDirectory, RunSnapshot, RunStore
from lightning_tui.services.findings import Beginning
from lightning_tui.services.relaunching import (
    Child,
    RelaunchRequest,
    TrustNeededError,
    check_child,
    plan_relaunch,
    start_child,
)
from lightning_tui.settings import Settings


def relaunch(arguments: argparse.Namespace) -> int:
    """`lightning-tui relaunch RUN [--fix [N]] [--ckpt PATH|last|none] [PLAN] [-- PROGRAM]`."""
    settings = settings_of(arguments)
    request = RelaunchRequest(
        changes=_typed_changes(arguments),
        fix=arguments.fix,
        checkpoint=arguments.ckpt,
        given=arguments.program,
        trusts=arguments.yes,
    )
    parent = RunStore(settings.runs_home).find(arguments.run)
    child = _planned(settings, parent, request)
    if child.cause is not None and child.fix is not None:
        say(f"{child.cause.title}. Fix: {child.fix.text}")
    say(beginning_words(child.beginning))
    check_child(settings, os.environ, child)
    for line in _difference(child):
        say(line)
    return follow_new(
        lambda: start_child(settings, os.environ, child, beside=arguments.beside, max_restarts=arguments.max_restarts),
        settings,
        as_json=arguments.json,
        detach=arguments.detach,
    )


def _planned(settings: Settings, parent: RunDirectory, request: RelaunchRequest) -> Child:
    """What asks for trust is asked at a terminal; elsewhere `--yes` answers."""
    try:
        return plan_relaunch(settings, os.environ, parent, request)
    except TrustNeededError as error:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise TrustNeededError(f"{error} To say so: --yes") from None
        say(str(error))
        if input("Do you trust it? [y/N] ").strip().lower() not in ("y", "yes"):
            raise
        return plan_relaunch(settings, os.environ, parent, msgspec.structs.replace(request, trusts=True))


def _typed_changes(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the plan flags say; an empty value takes a field back to "as the script says"."""
    typed = {name: getattr(arguments, name) for name in FLAGS}
    typed |= {field_name(name): value for name, _, value in (each.partition("=") for each in arguments.set)}
    taken_back = {name: None for name, value in typed.items() if value is not None and not value.strip()}
    return {**taken_back, **plan_of(arguments).changes()}


def beginning_words(beginning: Beginning) -> str:
    """From where the child goes on: which step, how large, where; or why from the beginning."""
    if beginning.checkpoint is None:
        typed = beginning.reason.startswith("from ")
        return f"resuming {beginning.reason}" if typed else f"starting without a checkpoint: {beginning.reason}"
    step = "a checkpoint" if beginning.step is None else f"step {beginning.step}"
    return f"resuming from {step} ({size(beginning.size)}): {beginning.checkpoint}"


def _difference(child: Child) -> list[str]:
    run_id, changed = child.parent.record.id, changed_fields(child.before, child.after)
    if not changed:
        return [f"{run_id} again, with the same plan"]
    width = max(map(len, changed))
    return [
        f"{run_id} again, with",
        *(
            f"  {name:<{width}}  {_was(name, old, child.parent)} → {_value_text(new)}"
            for name, (old, new) in changed.items()
        ),
    ]


def _was(name: str, value: Any, snapshot: RunSnapshot) -> str:
    field = snapshot.trainer.fields.get(name) if snapshot.trainer is not None else None
    if value is None and field is not None and field.actual is not None:
        return f"{_value_text(value)} ({field.actual})"
    return _value_text(value)


def _value_text(value: Any) -> str:
    return "as the script says" if value is None else str(value)
