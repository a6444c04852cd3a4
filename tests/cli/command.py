"""Run the real command in a real child process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lightning_tui.record import RunDirectory, RunSnapshot, RunStore, read_snapshot

COMMAND = [sys.executable, "-m", "lightning_tui"]
ROOT = Path(__file__).parents[2]


def environ(**changes: str) -> dict[str, str]:
    """The test's environment, with the checkout importable from any folder."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **changes}


def lightning_tui(
    *arguments: str, folder: Path | None = None, env: Mapping[str, str] | None = None, patience_s: float = 120.0
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end, without a terminal."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        env=environ(**(env or {})),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=patience_s,
        check=False,
    )


def json_lines(output: str) -> list[dict[str, Any]]:
    """Each line of `run --json`."""
    return [json.loads(line) for line in output.splitlines()]


def runs() -> Iterator[RunDirectory]:
    """All runs of this test, newest first."""
    for directory, _ in RunStore(Path(os.environ["LIGHTNING_TUI_HOME"])).records():
        yield directory


def newest_snapshot() -> RunSnapshot:
    """The newest run of this test as it stands."""
    return read_snapshot(next(runs()))
