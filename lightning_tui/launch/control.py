"""Ask something of a run: stop, kill, checkpoint. Where its supervisor has died, a new one is set to see it through."""

from __future__ import annotations

import os
import time
from typing import Literal

from lightning_tui.launch.journal import read_past
from lightning_tui.launch.local import LaunchError, begin_supervision
from lightning_tui.launch.processes import marked_processes
from lightning_tui.record.commands import Command, new_command, write_command
from lightning_tui.record.directory import RunDirectory, supervisor_alive
from lightning_tui.record.state import QUEUED_PATIENCE_S


def request_stop(
    directory: RunDirectory, after: Literal["batch", "epoch"] = "batch", *, stop_patience_s: float = 30.0
) -> Command:
    """Ask for a gentle stop; a second one takes the next, harder rung at once.

    Raises:
        RecordError: the run cannot be read.
        LaunchError: the run is over, or its directory cannot be written.
    """
    return _request(directory, new_command("stop", after=after), stop_patience_s)


def request_kill(directory: RunDirectory) -> Command:
    """Ask for SIGKILL of the whole run, at once.

    Raises:
        RecordError: the run cannot be read.
        LaunchError: the run is over, or its directory cannot be written.
    """
    return _request(directory, new_command("kill"))


def request_checkpoint(directory: RunDirectory) -> Command:
    """Ask for a checkpoint at the next batch.

    Raises:
        RecordError: the run cannot be read.
        LaunchError: the run is over, or its directory cannot be written.
    """
    return _request(directory, new_command("checkpoint"))


def _request(directory: RunDirectory, command: Command, stop_patience_s: float = 30.0) -> Command:
    needs_adoption = not supervisor_alive(directory) and _is_orphaned(directory)
    try:
        write_command(directory.commands, command)
    except OSError as error:
        raise LaunchError(f"The run {directory.id} cannot be told: {error.strerror or error}.") from error
    if needs_adoption:
        _adopt(directory, stop_patience_s)
    return command


def _is_orphaned(directory: RunDirectory) -> bool:
    """Whether processes of this unsupervised run live on this host; if not, it must be about to begin, or elsewhere.

    Raises:
        LaunchError: the run is over.
    """
    past = read_past(directory)
    if past.ended is not None:
        raise LaunchError(f"The run {directory.id} is over already.")
    if marked_processes(directory):
        return True
    if past.started is None and time.time() - directory.read_record().created_at < QUEUED_PATIENCE_S:
        return False
    if past.started is not None and past.started.host != os.uname().nodename:
        return False
    raise LaunchError(f"The run {directory.id} is gone: neither its supervisor nor any of its processes lives.")


def _adopt(directory: RunDirectory, stop_patience_s: float) -> None:
    arguments = ["--patience", str(stop_patience_s), "--adopt"]
    try:
        begin_supervision(directory, arguments, folder=directory.path, environ=os.environ)
    except LaunchError:
        if not supervisor_alive(directory):  # else somebody else was quicker, and that is as good
            raise
