"""Ask something of a run. Where its supervisor has died, a new one is set to see it through."""

from __future__ import annotations

import os
import time

import msgspec

from lightning_tui.launch.adoption import begin_adoption
from lightning_tui.launch.journal import read_past
from lightning_tui.launch.local import LaunchError
from lightning_tui.launch.processes import marked_processes
from lightning_tui.record.commands import After, Command, Level, Operation, new_command, write_command
from lightning_tui.record.directory import RunDirectory, supervisor_alive
from lightning_tui.record.state import QUEUED_PATIENCE_S


def request(
    directory: RunDirectory,
    op: Operation,
    *,
    after: After = "batch",
    value: float | None = None,
    group: int | None = None,
    level: Level | None = None,
    stop_patience_s: float = 30.0,
) -> Command:
    """Ask for anything that a command can ask for; what becomes of it is told by the run's snapshots.

    Args:
        after: for `stop`.
        value: for `set-lr`: the learning rate.
        group: for `set-lr`: number of the parameter group; `None` for all.
        level: for `log-level`.
        stop_patience_s: of a supervisor that has to be set over an orphaned run.

    Raises:
        CommandError: it makes no sense.
        RecordError: the run cannot be read.
        LaunchError: the run is over, or its directory cannot be written.
    """
    return _request(directory, new_command(op, after=after, value=value, group=group, level=level), stop_patience_s)


def request_stop(
    directory: RunDirectory,
    after: After = "batch",
    *,
    stop_patience_s: float = 30.0,
    patience_s: float | None = None,
    term_patience_s: float | None = None,
) -> Command:
    """Ask for a gentle stop; a second one takes the next, harder rung at once.

    Args:
        after: what is to be finished first.
        stop_patience_s: of a supervisor that has to be set over an orphaned run.
        patience_s: how long this stop waits before SIGTERM; `None`: as the run was started with.
        term_patience_s: how long it waits after SIGTERM before SIGKILL; `None`: as the run was started with.

    Raises:
        RecordError: the run cannot be read.
        LaunchError: the run is over, or its directory cannot be written.
    """
    command = new_command("stop", after=after)
    command = msgspec.structs.replace(command, patience_s=patience_s, term_patience_s=term_patience_s)
    return _request(directory, command, stop_patience_s)


def request_kill(directory: RunDirectory) -> Command:
    """Ask for SIGKILL of the whole run, at once.

    Raises:
        RecordError: the run cannot be read.
        LaunchError: the run is over, or its directory cannot be written.
    """
    return _request(directory, new_command("kill"))


def _request(directory: RunDirectory, command: Command, stop_patience_s: float = 30.0) -> Command:
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
