"""What does the host say? CPU and memory of this machine (or of the container we are in), and a run's share of them."""

from __future__ import annotations

import math
import os
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from lightning_tui.gpus.cgroups import MemoryLimit, control_groups, cpu_quota, memory_limit, memory_used
from lightning_tui.record.samples import HostSample

if TYPE_CHECKING:
    import psutil


class HostReader:
    """Reads the host. CPU shares are over the time since the last `read`, so the first one has none."""

    def __init__(self, root: Path = Path("/")) -> None:
        """Touch nothing yet. The control groups are read below `root`."""
        self._root = root
        self._limit: MemoryLimit | None = None
        self._cpus: int | None = None
        self._processes: dict[int, psutil.Process] = {}
        self._is_first = True

    def read(self, run_pids: Collection[int] = ()) -> HostSample:
        """Look once; `run_pids` are the run's own processes."""
        import psutil

        if self._is_first:
            groups = control_groups(self._root)
            self._limit, self._cpus = memory_limit(groups), _cpu_count(cpu_quota(groups))
        percent = psutil.cpu_percent(None)
        memory = psutil.virtual_memory()
        used, total = self._memory(memory.total - memory.available, memory.total)
        cpu, resident, count = self._run_share(run_pids)
        sample = HostSample(
            cpu_count=self._cpus,
            cpu_percent=None if self._is_first else percent,
            memory_used=used,
            memory_total=total,
            run_cpu_percent=cpu,
            run_memory=resident,
            run_processes=count,
        )
        self._is_first = False
        return sample

    def _memory(self, used: int, total: int) -> tuple[int, int]:
        """Used and total bytes: of our control group where it is limited below the host's memory."""
        if self._limit is None or self._limit.limit >= total:
            return used, total
        current = memory_used(self._limit.group)
        return (used if current is None else current), self._limit.limit

    def _run_share(self, pids: Collection[int]) -> tuple[float | None, int, int]:
        """CPU in percent of one, resident bytes, and number of processes; a new one's CPU share is not known yet."""
        import psutil

        shares, resident, known = [], 0, {}
        for pid in pids:
            try:
                before = self._processes.get(pid)
                process = before or psutil.Process(pid)
                with process.oneshot():
                    percent = process.cpu_percent(None)
                    resident += process.memory_info().rss
            except psutil.Error:
                continue
            known[pid] = process
            if before is not None:
                shares.append(percent)
        self._processes = known
        return (round(sum(shares), 1) if shares else None), resident, len(known)


def _cpu_count(quota: float | None) -> int:
    """CPUs that this process may use: by affinity, and by the control group's quota, rounded up."""
    allowed = len(os.sched_getaffinity(0))
    return allowed if quota is None else min(allowed, math.ceil(quota))
