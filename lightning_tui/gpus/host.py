"""What does the host say? CPU and memory of this machine (or of the container we are in), and a run's share of them."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from lightning_tui.record.samples import HostSample

if TYPE_CHECKING:
    import psutil


class HostReader:
    """Reads the host. CPU shares are over the time since the last `read`, so the first one has none."""

    def __init__(self, cgroup: Path | None = None) -> None:
        """Touch nothing yet. `cgroup` is the folder of our control group; by default it is looked up."""
        self._cgroup = cgroup
        self._limit: tuple[Path, int] | None = None
        self._processes: dict[int, psutil.Process] = {}
        self._is_first = True

    def read(self, run_pids: Collection[int] = ()) -> HostSample:
        """Look once; `run_pids` are the run's own processes."""
        import psutil

        if self._is_first:
            self._limit = _memory_limit(self._cgroup or _own_cgroup())
        percent = psutil.cpu_percent(None)
        memory = psutil.virtual_memory()
        used, total = self._memory(memory.total - memory.available, memory.total)
        cpu, resident, count = self._run_share(run_pids)
        sample = HostSample(
            cpu_count=len(os.sched_getaffinity(0)),
            cpu_percent=None if self._is_first else percent,
            memory_used=used,
            memory_total=total,
            run_cpu_percent=None if self._is_first else cpu,
            run_memory=resident,
            run_processes=count,
        )
        self._is_first = False
        return sample

    def _memory(self, used: int, total: int) -> tuple[int, int]:
        """Used and total bytes: of our control group where it is limited below the host's memory."""
        if self._limit is None or self._limit[1] >= total:
            return used, total
        folder, limit = self._limit
        current = _number(folder / "memory.current")
        return (used if current is None else current - _reclaimable(folder)), limit

    def _run_share(self, pids: Collection[int]) -> tuple[float, int, int]:
        import psutil

        cpu, resident, known = 0.0, 0, {}
        for pid in pids:
            try:
                process = self._processes.get(pid) or psutil.Process(pid)
                with process.oneshot():
                    cpu += process.cpu_percent(None)
                    resident += process.memory_info().rss
                known[pid] = process
            except psutil.Error:
                continue
        self._processes = known
        return cpu, resident, len(known)


def _own_cgroup() -> Path:
    """Folder of this process's control group (version 2)."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        lines = []
    inside = next((line[3:] for line in lines if line.startswith("0::")), "/")
    return Path("/sys/fs/cgroup") / inside.lstrip("/")


def _memory_limit(folder: Path) -> tuple[Path, int] | None:
    """Find the tightest limit from this control group up: the folder that sets it, and its bytes."""
    limits = [(limit, place) for place in (folder, *folder.parents) if (limit := _number(place / "memory.max"))]
    return (min(limits)[1], min(limits)[0]) if limits else None


def _reclaimable(folder: Path) -> int:
    """Bytes of file cache that the kernel takes back when memory gets short: they are not really used."""
    try:
        fields = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return int(fields.get("inactive_file", 0))
    except (OSError, ValueError):
        return 0


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # missing, or the word "max"
        return None
