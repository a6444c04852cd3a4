"""How does a run go? Its reader, all snapshots, and the advice on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lightning_tui.diagnosis.live import Advice, RunAdviser
    from lightning_tui.record import RunDirectory, RunReader, RunSnapshot, UnreadableRun


def open_run(directory: RunDirectory) -> RunReader:
    """What follows a run.

    Raises:
        RecordError: it cannot be read.
    """
    from lightning_tui.record import RunReader

    return RunReader(directory)


def snapshots(home: Path) -> Iterator[RunSnapshot | UnreadableRun]:
    """Every run as it is now, newest first; what cannot be read comes last.

    Raises:
        RecordError: the home exists and cannot be read.
    """
    from lightning_tui.record import RecordError, RunStore, UnreadableRun, read_snapshot

    for directory, record in RunStore(home).records():
        if isinstance(record, UnreadableRun):
            yield record
            continue
        try:
            yield read_snapshot(directory)
        except RecordError as error:
            yield UnreadableRun(directory.id, str(directory.path), str(error))


def adviser(directory: RunDirectory) -> RunAdviser:
    """Advises on a run as it goes on."""
    from lightning_tui.diagnosis.live import RunAdviser

    return RunAdviser(directory)


def advice_on(run: RunSnapshot) -> tuple[Advice, ...]:
    """What can be advised on a run as it is, the gravest first."""
    from lightning_tui.diagnosis.live import advice_of_run
    from lightning_tui.record import RunDirectory

    return tuple(advice_of_run(RunDirectory(Path(run.directory)), run))
