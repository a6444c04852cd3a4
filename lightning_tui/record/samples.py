"""What one look at the hardware says: frozen readings of GPUs and of the host, as they are recorded and drawn.

Every reading that the driver or the system did not give is `None`, never 0.
"""

from __future__ import annotations

import msgspec


class GpuProcess(msgspec.Struct, frozen=True):
    """One process that holds memory on a GPU."""

    pid: int
    memory: int | None
    """Bytes, `None` where the driver does not tell (containers, MIG)."""
    ours: bool = False
    """Whether the process carries the marker of the run that the sample belongs to."""


class GpuSample(msgspec.Struct, frozen=True, kw_only=True):
    """One GPU at one moment. Memory in bytes, utilization in percent, temperature in °C, power in W."""

    index: int
    """NVML index (PCI order); it ignores `CUDA_VISIBLE_DEVICES`."""
    uuid: str | None = None
    name: str | None = None
    compute_capability: str | None = None
    memory_used: int | None = None
    memory_total: int | None = None
    utilization: float | None = None
    temperature: float | None = None
    power: float | None = None
    power_limit: float | None = None
    processes: tuple[GpuProcess, ...] | None = None
    error: str | None = None
    """Why this GPU gave nothing ("GPU is lost"), `None` when it answered."""


class HostSample(msgspec.Struct, frozen=True, kw_only=True):
    """The host at one moment, and the share of it that the run's own processes take. Memory in bytes."""

    cpu_count: int | None = None
    """CPUs that this process may use."""
    cpu_percent: float | None = None
    """0 to 100 over all CPUs of the host."""
    memory_used: int | None = None
    memory_total: int | None = None
    run_cpu_percent: float | None = None
    """100 is one CPU fully used by the run."""
    run_memory: int | None = None
    """Resident bytes of all the run's processes (shared pages count in each)."""
    run_processes: int | None = None
