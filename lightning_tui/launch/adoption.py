"""Take over a run whose supervisor has died, while its processes live on: a new supervisor sees them to their end."""

from __future__ import annotations

import os

from lightning_tui.launch.journal import read_past
from lightning_tui.launch.local import LaunchError, begin_supervision, patience_arguments
from lightning_tui.launch.processes import marked_processes
from lightning_tui.record.directory import RunDirectory, boot_id, supervisor_alive


def adopt_run(directory: RunDirectory, *, stop_patience_s: float = 30.0, term_patience_s: float | None = None) -> None:
    """Set a new supervisor over the run; returns once it has the run in hand.

    Raises:
        LaunchError: the run has a supervisor, is over, or none of its processes lives on this host.
    """
    reason = why_not_adoptable(directory)
    if reason is not None:
        raise LaunchError(reason)
    begin_adoption(directory, stop_patience_s=stop_patience_s, term_patience_s=term_patience_s)


def begin_adoption(directory: RunDirectory, *, stop_patience_s: float, term_patience_s: float | None = None) -> None:
    """Start the supervisor that adopts; that somebody else was quicker is as good.

    Raises:
        LaunchError: it did not begin.
    """
    arguments = [*patience_arguments(stop_patience_s, term_patience_s), "--adopt"]
    try:
        begin_supervision(directory, arguments, folder=directory.path, environ=os.environ)
    except LaunchError:
        if not supervisor_alive(directory):
            raise


def why_not_adoptable(directory: RunDirectory) -> str | None:
    """One sentence, with what to do instead; `None` where the run can be adopted."""
    if supervisor_alive(directory):
        return f"The run {directory.id} still has its supervisor; there is nothing to adopt."
    past = read_past(directory)
    if past.started is None:
        return f"The run {directory.id} has never started."
    if past.ended is not None:
        return f"The run {directory.id} has already ended."
    if past.started.host != os.uname().nodename:
        return f"The run {directory.id} ran on {past.started.host}. Adopt it there: lightning-tui adopt {directory.id}"
    if marked_processes(directory):
        return None
    was = ": the host was rebooted" if past.started.boot_id not in (None, boot_id()) else ""
    return (
        f"No process of {directory.id} is running any more{was}. Resume "
        f"from its last complete checkpoint: lightning-tui relaunch {directory.id}"
    )
