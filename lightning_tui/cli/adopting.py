"""The command `adopt`: a new supervisor for a run whose own has died, while its ranks train on."""

from __future__ import annotations

import argparse

from lightning_tui.cli import DONE
from lightning_tui.cli.arguments import settings_of
from lightning_tui.cli.terminal import say
from lightning_tui.record import RunStore, read_snapshot
from lightning_tui.services import control


def adopt(arguments: argparse.Namespace) -> int:
    """`lightning-tui adopt RUN`."""
    settings = settings_of(arguments)
    directory = RunStore(settings.runs_home).find(arguments.run)
    control.adopt(settings, directory)
    snapshot = read_snapshot(directory)
    step = f" at step {snapshot.progress.global_step}" if snapshot.progress is not None else ""
    say(f"{directory.id}: adopted, {snapshot.state.value}{step}. Watch it with: lightning-tui attach {directory.id}")
    return DONE
