"""One look a second at the node's hardware, such that a driver that hangs holds nobody up."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Collection

import msgspec

from lightning_tui.gpus import GpuReader, HostReader
from lightning_tui.launch.processes import marked_processes
from lightning_tui.record.directory import RunDirectory
from lightning_tui.record.samples import GpuSample, HostSample

PERIOD_S = 1.0
STALE_S = 5.0
"""A reading of the GPUs that is older is shown no more."""

_SCAN_SHARE = 0.005
"""Looking for the run's processes may take this share of one CPU."""


class GpuReading(msgspec.Struct, frozen=True):
    """What the GPUs said, and when on the monotonic clock."""

    at: float
    gpus: tuple[GpuSample, ...] = ()
    missing: str | None = None


class GpuWatch:
    """Reads the GPUs once a second in a thread of its own, which ends where there is nothing to read."""

    def __init__(self) -> None:
        self.ours: Collection[int] = ()
        """Pids of the run's processes, for the thread to mark."""
        self._latest = GpuReading(time.monotonic(), missing="the NVIDIA driver has not answered yet")
        self._wake = threading.Event()
        self._stopped = False
        self._asked_at = 0.0
        self._thread = threading.Thread(target=self._read_for_ever, name="gpus", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self, patience_s: float = 0.0) -> None:
        """End the thread; one that hangs in the driver is left behind after `patience_s` seconds."""
        self._stopped = True
        self._wake.set()
        self._thread.join(patience_s)

    def latest(self) -> GpuReading:
        """Return the newest reading; one that is stale is replaced by the reason why there is none."""
        latest, now = self._latest, time.monotonic()
        if not self._thread.is_alive() or now - latest.at < STALE_S:
            return latest
        return GpuReading(latest.at, missing=f"the NVIDIA driver has not answered for {now - latest.at:.0f} s")

    def wait_for_newer(self, than: float, patience_s: float) -> None:
        """Wait until the newest reading began after `than` (monotonic), where the driver plays along."""
        deadline = time.monotonic() + patience_s
        self._wake.set()
        while self._thread.is_alive() and self._asked_at < than and time.monotonic() < deadline:
            time.sleep(0.02)

    def _read_for_ever(self) -> None:
        try:
            reader = GpuReader()
            while not self._stopped and not reader.gives_up:
                self._read_once(reader)
                self._wake.wait(0 if reader.gives_up else PERIOD_S)
                self._wake.clear()
        except Exception as error:  # noqa: BLE001 a driver's library may do anything; the run is supervised on
            self._latest = GpuReading(time.monotonic(), missing=f"GPU readings broke: {error!r}")

    def _read_once(self, reader: GpuReader) -> None:
        asked_at = time.monotonic()
        gpus = reader.read(self.ours)
        self._latest = GpuReading(time.monotonic(), gpus, reader.missing)
        self._asked_at = asked_at


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
