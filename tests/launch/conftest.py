"""Gives each test a runs home of its own, and fails where anything of its runs outlives it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightning_tui.record import RunStore
from lightning_tui.record.directory import RUN_VARIABLE, supervisor_alive
from tests.conftest import wait_until
from tests.launch.support import Runs


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    """Start runs here; after the test no process of theirs and no supervisor may be alive."""
    folder = tmp_path / "project"
    folder.mkdir()
    runs = Runs(tmp_path / "home", folder)
    yield runs
    try:
        wait_until(lambda: not _alive(runs.store), 15, "the end of all processes of the test's runs")
    finally:
        for pid in _marked(runs.store):
            os.kill(pid, signal.SIGKILL)


def _alive(store: RunStore) -> bool:
    return bool(_marked(store)) or any(supervisor_alive(directory) for directory in store.directories())


def _marked(store: RunStore) -> list[int]:
    start = os.fsencode(f"{RUN_VARIABLE}={store.home}/")
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if any(item.startswith(start) for item in (entry / "environ").read_bytes().split(b"\0")):
                found.append(int(entry.name))
        except (OSError, ValueError):
            continue
    return found
