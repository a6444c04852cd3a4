"""Which runs may go? By age, by number or by the room that they take; never one that is not over. Pure."""

from __future__ import annotations

import os
from collections.abc import Sequence

from lightning_tui.record.state import RunState
from lightning_tui.record.summaries import RunSummary


def runs_to_prune(
    runs: Sequence[RunSummary],
    *,
    now: float,
    older_than_s: float | None = None,
    keep_size: int | None = None,
    keep: int | None = None,
) -> list[RunSummary]:
    """The runs to delete, oldest first: all that are over and ended so long ago; the oldest until the rest takes at
    most `keep_size` bytes; all but the newest `keep`. With several conditions, what any of them asks for.

    Kept in any case: runs that are not over, those that look lost from here and belong to another host, and the
    parents of runs that are not over, whose checkpoints they may still need.
    """
    newest_first = sorted(runs, key=lambda run: run.created_at, reverse=True)
    needed = {run.parent for run in runs if not run.is_over}
    free = [run for run in newest_first if is_free(run) and run.id not in needed]
    doomed: set[str] = set()
    if older_than_s is not None:
        doomed |= {run.id for run in free if now - (run.ended_at or run.created_at) > older_than_s}
    if keep is not None:
        beyond = {run.id for run in newest_first[keep:]}
        doomed |= {run.id for run in free if run.id in beyond}
    if keep_size is not None:
        doomed |= _until_small(newest_first, free, keep_size)
    return [run for run in reversed(free) if run.id in doomed]


def is_free(run: RunSummary) -> bool:
    """Whether the run is surely over, as far as can be seen from this host."""
    is_elsewhere = run.host is not None and run.host != os.uname().nodename
    return run.is_over and not (run.state is RunState.LOST and is_elsewhere)


def _until_small(runs: Sequence[RunSummary], free: Sequence[RunSummary], keep_size: int) -> set[str]:
    total = sum(run.size or 0 for run in runs)
    doomed: set[str] = set()
    for run in reversed(free):
        if total <= keep_size:
            break
        total -= run.size or 0
        doomed.add(run.id)
    return doomed
