"""What a supervisor samples once a second, and how little of it has to be written down."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence

from lightning_tui.gpus import HostReader
from lightning_tui.launch.processes import marked_processes
from lightning_tui.record.directory import RunDirectory
from lightning_tui.record.samples import GpuChange, GpuSample, HostSample, change_of

PERIOD_S = 1.0

REPEAT_S = 300.0
"""All is said again so often, for a reader that has lost a line."""

_SCAN_SHARE = 0.005
"""Looking for the run's processes may take this share of one CPU."""


class GpuNews:
    """Tells what is new of the GPUs since the sample that was written before: most of a reading never changes."""

    def __init__(self) -> None:
        self._written: dict[tuple[int, int | None], GpuSample] = {}
        self._repeat_at = 0.0

    def changes(self, gpus: Sequence[GpuSample], now: float) -> tuple[GpuChange, ...]:
        """Return what to write of these readings; `now` is monotonic."""
        if now >= self._repeat_at:
            self._written, self._repeat_at = {}, now + REPEAT_S
        before, self._written = self._written, {(gpu.index, gpu.mig): gpu for gpu in gpus}
        return tuple(change_of(before.get(key), gpu) for key, gpu in self._written.items())

    def forget(self) -> None:
        """What was to be written was not: the next time say all."""
        self._repeat_at = 0.0


class HostWatch:
    """Reads the host, and keeps the list of the run's processes fresh without spending much on it."""

    def __init__(self, directory: RunDirectory) -> None:
        self._directory = directory
        self._reader = HostReader()
        self._scan_due = 0.0
        self.pids: list[int] = []

    def read(self) -> HostSample:
        """Look once; a host that cannot be read gives a sample of nothing known."""
        self._find_processes()
        with contextlib.suppress(OSError, ValueError, RuntimeError):  # a restricted /proc
            return self._reader.read(self.pids)
        return HostSample()

    def _find_processes(self) -> None:
        began = time.monotonic()
        if began < self._scan_due:
            return
        self.pids = marked_processes(self._directory)
        took = time.monotonic() - began
        self._scan_due = began + max(PERIOD_S / 2, took / _SCAN_SHARE)
