"""Ask something of a run. Where its supervisor has died, a new one is set to see it through."""

from __future__ import annotations

import os
import time
from typing import Any

from lightning_tui.launch.adoption import begin_adoption
from lightning_tui.launch.journal import read_past
from lightning_tui.launch.local import LaunchError
from lightning_tui.launch.processes import marked_processes
from lightning_tui.record.commands import Command, Operation, new_command, write_command
from lightning_tui.record.directory import RunDirectory, supervisor_alive
from lightning_tui.record.state import QUEUED_PATIENCE_S


def request(directory: RunDirectory, op: Operation, *, stop_patience_s: float = 30.0, **what: Any) -> Command:
    """Ask for anything that a command can ask for; what becomes of it is told by the run's snapshots. A second `stop`
    takes the next, harder rung at once; `kill` is SIGKILL of the whole run.

    Args:
        what: further arguments of `new_command`.
        stop_patience_s: of a supervisor that has to be set over an orphaned run.

    Raises:
        CommandError: it makes no sense.
        RecordError: the run cannot be read.
        LaunchError: the run is over, or its directory cannot be written.
    """
    command = new_command(op, **what)
    needs_adoption = not supervisor_alive(directory) and _is_orphaned(directory)
    try:
        write_command(directory.commands, command)
    except OSError as error:
        raise LaunchError(f"The run {directory.id} cannot be given a command: {error.strerror or error}.") from error
    if needs_adoption:
        begin_adoption(directory, stop_patience_s=stop_patience_s)
    return command


def _is_orphaned(directory: RunDirectory) -> bool:
    """Whether processes of this unsupervised run live on this host; if not, it must be about to begin, or elsewhere.

    Raises:
        LaunchError: the run is over.
    """
    past = read_past(directory)
    if past.ended is not None:
        raise LaunchError(f"The run {directory.id} has already ended.")
    if marked_processes(directory):
        return True
    if past.started is None and time.time() - directory.read_record().created_at < QUEUED_PATIENCE_S:
        return False
    if past.started is not None and past.started.host != os.uname().nodename:
        return False
    raise LaunchError(f"The run {directory.id} is lost: neither its supervisor nor any of its processes is running.")
