"""How a command and what becomes of it are said, on the screen as in plain lines."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lightning_tui.text.units import count, number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lightning_tui.record import Command, CommandProgress, RunSnapshot

WAITED_S = 1.0
"""Who is waited for is said from here on; before that it says nothing."""

_NAMES = {"pause": "pause", "resume": "resume", "validate": "validation", "checkpoint": "checkpoint", "kill": "kill"}
_AT_WORK = {
    "setup": "starting",
    "sanity_check": "in its sanity check",
    "validate": "validating",
    "test": "testing",
    "predict": "predicting",
    "done": "between two fits or after the last one",
}
_NOT_SAID = frozenset({"kill"})
"""The supervisor carries it out, and the run's state tells it."""


def name_of(command: Command) -> str:
    """The command in a few words: `pause`, `stop after the epoch`, `learning rate 1.00e-3`."""
    if command.op == "stop":
        return "stop" if command.after == "batch" else f"stop after the {command.after}"
    if command.op == "set-lr" and command.value is not None:
        of_group = "" if command.group is None else f" of group {command.group}"
        return f"learning rate {number(command.value)}{of_group}"
    if command.op == "log-level":
        return f"log level {command.level}"
    return _NAMES.get(command.op, command.op)


def asked_words(op: str, what: Mapping[str, object]) -> str:
    """What is said at once when a key has asked for it."""
    if op == "set-lr":
        of_group = "" if what.get("group") is None else f" in group {what['group']}"
        return f"requested: learning rate {what.get('value'):g}{of_group}"
    if op == "log-level":
        return f"requested: log level {what.get('level')}"
    return {
        "stop": f"requested: stop after this {what.get('after', 'batch')}",
        "checkpoint": "requested: a checkpoint, saved after this batch",
        "pause": "requested: pause, all ranks wait after this batch",
        "resume": "requested: resume",
        "validate": "requested: validation, after this batch",
    }.get(op, f"requested: {op}")


def said_by(progress: CommandProgress) -> str:
    """`ada@node1: ` where somebody else has asked for it, in another process."""
    is_own = progress.by.endswith(f" {os.getpid()}")
    return "" if is_own or not progress.by else f"{progress.command.asker}: "


def is_told(progress: CommandProgress) -> bool:
    """Whether what it says of its end is more than that it is done."""
    return progress.status == "done" and bool(progress.detail) and progress.op not in ("stop", "pause", "log-level")


def progress_words(progress: CommandProgress, run: RunSnapshot) -> str:
    """Where a command stands, and who is waited for."""
    waiting = waiting_words(progress, run)
    return status_words(progress, run) + (f" · {waiting}" if waiting else "")


def status_words(progress: CommandProgress, run: RunSnapshot) -> str:
    """Where a command stands: asked, taken at which step by whom, done or refused, and how long that took."""
    name = name_of(progress.command)
    if progress.status == "refused":
        return f"{name}: refused: {progress.detail or 'no reason given'}"
    if progress.status == "asked":
        there = taken_by(progress, run)
        return f"{name}: asked" if not progress.ranks_taken else f"{name}: {there} there{_at(progress.taken_step)}"
    if progress.status == "done":
        return f"{name}: done{_at(progress.global_step)}{_took(progress)}"
    later = _later_words(progress)
    return f"{name}: taken{_at(progress.taken_step)} by {taken_by(progress, run)}" + (f" · {later}" if later else "")


def taken_by(progress: CommandProgress, run: RunSnapshot) -> str:
    """Which ranks are at the batch: `rank 0`, `all 8 ranks`, `7 of 8 ranks`."""
    several = len(run.ranks)
    if several <= 1:
        return "rank 0"
    if not progress.waiting_for:
        return f"all {several} ranks"
    return f"{several - len(progress.waiting_for)} of {several} ranks"


def waiting_words(progress: CommandProgress, run: RunSnapshot) -> str:
    """Who keeps a command waiting, and for how long, once that is worth a word; else empty."""
    if not progress.waiting_for or progress.waiting_s is None or progress.waiting_s < WAITED_S:
        return ""
    since = f"since {progress.waiting_s:.0f} s"
    if progress.ranks_taken:
        return f"waiting for {_ranks(progress.waiting_for)} {since}"
    stage = next((rank.state for rank in run.ranks if rank.rank == 0), "setup")
    if stage in _AT_WORK:
        batch = "next training batch" if len(run.ranks) > 1 else "next batch"
        return f"rank 0 is {_AT_WORK[stage]}: taken at its {batch}; waiting {since}"
    if len(run.ranks) > 1:
        return f"waiting for rank 0 {since}: it, or a rank that it waits for, has not reached its next batch"
    return f"waiting for rank 0 {since}: it has not reached its next batch"


def pending(run: RunSnapshot) -> CommandProgress | None:
    """The newest command of which more will become, `None` where there is none."""
    if run.is_over:
        return None
    return next((p for p in reversed(run.commands) if not p.is_settled and p.op not in _NOT_SAID), None)


def _later_words(progress: CommandProgress) -> str:
    if progress.op == "stop" and progress.command.after != "batch":
        return f"it stops after this {progress.command.after}"
    if progress.op == "stop":
        return "saving a checkpoint"
    if progress.op == "checkpoint":
        return "saving"
    return "it runs after this batch" if progress.op == "validate" else ""


def _at(step: int | None) -> str:
    return "" if step is None else f" at step {count(step)}"


def _took(progress: CommandProgress) -> str:
    seconds = progress.took_s
    return "" if seconds is None else f" · {seconds:.1f} s"


def _ranks(numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"rank {numbers[0]}"
    if len(numbers) <= 4:
        return f"ranks {', '.join(map(str, numbers))}"
    return f"{len(numbers)} ranks, the first is {numbers[0]}"
