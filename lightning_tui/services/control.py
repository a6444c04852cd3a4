"""What can be asked of a run? To stop, to die, what a training can do while it goes on, and a new supervisor."""

from __future__ import annotations

from collections.abc import Mapping

from lightning_tui.launch import adopt_run, request, request_kill, request_stop
from lightning_tui.record import Command, RunDirectory
from lightning_tui.record.commands import After, Operation
from lightning_tui.settings import Settings


def stop(
    settings: Settings,
    directory: RunDirectory,
    after: After = "batch",
    *,
    patience_s: float | None = None,
    term_patience_s: float | None = None,
) -> Command:
    """Ask for a gentle stop; asked again, for the next and harder step at once. The patience is that of this stop,
    where it is to be another than the run was started with.

    Raises:
        RecordError: the run cannot be read.
        LaunchError: the run is over, or its directory cannot be written.
    """
    return request_stop(
        directory,
        after,
        stop_patience_s=settings.stop_patience_s,
        patience_s=patience_s,
        term_patience_s=term_patience_s,
    )


def kill(directory: RunDirectory) -> Command:
    """Ask for the end of every process at once; raises as `stop` does."""
    return request_kill(directory)


def tell(settings: Settings, directory: RunDirectory, op: Operation, what: Mapping[str, object]) -> Command:
    """Ask a training for what it can do while it goes on; the run's snapshots tell the answer. `what` are the
    arguments of the operation: `value`, `group`, `level`.

    Raises:
        CommandError: it makes no sense.
        RecordError, LaunchError: as `stop` does.
    """
    return request(directory, op, stop_patience_s=settings.stop_patience_s, **what)  # type: ignore[arg-type]  # checked by the command


def adopt(settings: Settings, directory: RunDirectory) -> None:
    """Set a new supervisor over a run whose own has died.

    Raises:
        LaunchError: the run has a supervisor, is over, or none of its processes lives on this host.
    """
    adopt_run(directory, stop_patience_s=settings.stop_patience_s, term_patience_s=settings.term_patience_s)
