"""May a failed program be started again? A pure decision: what a restart can cure, and when it gets nowhere.

What failed is told by the category that `lightning-tui diagnose` gives it. A restart cures what came from outside and
goes by: a killed process, a lost connection, a preempted step. It does not cure what would happen again.
"""

from __future__ import annotations

import msgspec

CURABLE = frozenset(
    {
        "worker-sigkill",
        "dataloader-worker-killed",
        "dataloader-timeout",
        "rendezvous-timeout",
        "rendezvous-connection",
        "address-in-use",
        "collective-timeout-gloo",
        "gloo-connection-closed",
        "nccl-timeout",
        "nccl-remote-error",
        "nccl-unhandled-system-error",
        "hf-rate-limit-or-outage",
        "experiment-tracker-connection",
        "platform-connection",
        "slurm-preempt-requeue",
    }
)
"""Categories of `diagnosis` that another attempt may well not meet."""

KILLED = frozenset({"worker-sigkill", "dataloader-worker-killed"})
"""Of these the kernel is the killer where the host's memory was full, and would be again."""

MEMORY_IS_FULL = 0.92
"""Share of the host's memory from which a SIGKILL is taken for the kernel's, as `diagnosis` takes it."""

MOST_IDLE = 2
"""Attempts in a row that may make no step."""

FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 300.0


class AttemptEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt ended, and what is known of why."""

    has_failed: bool
    """Whether it ended neither as it should nor as somebody asked."""
    category: str | None = None
    """Root cause as `diagnose` names it."""
    title: str = ""
    signal: str | None = None
    """That ended the program."""
    step: int | None = None
    """Global step that it came to; `None` where none was told."""
    good_step: int | None = None
    """Step of the last good checkpoint; `None` where there is none."""
    memory_share: float | None = None
    """Of the host's memory that was in use at the end, 0 to 1."""
    in_slurm: bool = False


class Tally(msgspec.Struct, frozen=True):
    """What earlier restarts have come to."""

    in_a_row: int = 0
    """Restarts since the training last got on."""
    idle: int = 0
    """Attempts in a row that made no step."""
    began_at: int = 0
    """Step that the present attempt began from."""


class Decision(msgspec.Struct, frozen=True):
    """Whether to start again. `reason` is what ended the attempt, or why there is no other one; empty: no wonder."""

    tally: Tally | None
    reason: str = ""
    category: str = ""


def decide(end: AttemptEnd, tally: Tally, most: int) -> Decision:
    """Say whether to start again, and how many restarts it makes then."""
    if not end.has_failed or most == 0:
        return Decision(None)
    category, title = _cause(end)
    obstacle = _why_not_curable(end, category, title)
    if obstacle is not None:
        return Decision(None, obstacle)
    has_got_on = end.good_step is not None and end.good_step > tally.began_at
    in_a_row = (0 if has_got_on else tally.in_a_row) + 1
    made_a_step = end.step is not None and end.step > tally.began_at
    idle = 0 if made_a_step else tally.idle + 1
    if idle >= MOST_IDLE:
        return Decision(None, f"{idle} attempts in a row did not complete a step")
    if in_a_row > most:
        return Decision(None, f"{most} {'restart' if most == 1 else 'restarts'} did not get past step {tally.began_at}")
    return Decision(Tally(in_a_row, idle, end.good_step or 0), title, category)


def pause_s(in_a_row: int, first_s: float = FIRST_PAUSE_S) -> float:
    """Seconds to wait before a restart: twice as long each time."""
    return min(LONGEST_PAUSE_S, first_s * 2.0 ** min(in_a_row - 1, 16))


def _cause(end: AttemptEnd) -> tuple[str, str]:
    """Category and words; a program that says nothing is known by the signal that ended it."""
    if end.category is not None:
        return end.category, end.title or end.category
    by_signal = {"SIGKILL": ("worker-sigkill", "killed by SIGKILL"), "SIGTERM": ("sigterm", "SIGTERM from outside")}
    return by_signal.get(end.signal or "", ("", "an unknown failure"))


def _why_not_curable(end: AttemptEnd, category: str, title: str) -> str | None:
    if category == "sigterm" and end.in_slurm:
        return None
    if category not in CURABLE:
        return f"a restart does not fix this: {title}"
    if category in KILLED and (end.memory_share or 0.0) >= MEMORY_IS_FULL:
        return "main memory was full, and would be full again"
    return None
