"""What one look at the hardware says: frozen readings of GPUs and of the host, as they are recorded and drawn.

Every reading that the driver or the system did not give is `None`, never 0.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType


class GpuProcess(msgspec.Struct, frozen=True):
    """One process that holds memory on a GPU."""

    pid: int
    memory: int | None
    """Bytes, `None` where the driver does not tell (containers, MIG)."""
    ours: bool | None = False
    """Whether the process carries the marker of the run that the sample belongs to; `None` where the driver's pids
    are the host's and ours a container's, so that nobody can tell."""
    owner: str | None = None
    """Login name of the user it runs as."""
    name: str | None = None
    """Short name of its program, as the kernel keeps it."""


class GpuSample(msgspec.Struct, frozen=True, kw_only=True):
    """One GPU at one moment. Memory in bytes, utilization in percent, temperature in °C, power in W."""

    index: int
    """NVML index (PCI order); it ignores `CUDA_VISIBLE_DEVICES`."""
    mig: int | None = None
    """Number of the MIG slice on GPU `index`; `None` for a whole GPU."""
    uuid: str | None = None
    name: str | None = None
    compute_capability: str | None = None
    memory_used: int | None = None
    memory_total: int | None = None
    utilization: float | None = None
    temperature: float | None = None
    power: float | None = None
    power_limit: float | None = None
    clock: float | None = None
    """Of the streaming multiprocessors, in MHz."""
    clock_limit: float | None = None
    """The highest that this GPU can run at, in MHz."""
    throttled: tuple[str, ...] | None = None
    """Why the clock is held down ("power cap", "heat"); empty when it is not."""
    ecc_errors: int | None = None
    """Uncorrected memory errors since the driver was loaded."""
    processes: tuple[GpuProcess, ...] | None = None
    error: str | None = None
    """Why this GPU gave nothing ("GPU is lost"), `None` when it answered."""
    stale_s: float | None = None
    """How old the reading is, in seconds, where the driver has stopped to answer; `None` while it is fresh."""


class GpuChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One GPU in a recorded sample: a field of `GpuSample` that is left out is as in the node's sample before."""

    index: int
    mig: int | None = None
    uuid: str | UnsetType | None = UNSET
    name: str | UnsetType | None = UNSET
    compute_capability: str | UnsetType | None = UNSET
    memory_used: int | UnsetType | None = UNSET
    memory_total: int | UnsetType | None = UNSET
    utilization: float | UnsetType | None = UNSET
    temperature: float | UnsetType | None = UNSET
    power: float | UnsetType | None = UNSET
    power_limit: float | UnsetType | None = UNSET
    clock: float | UnsetType | None = UNSET
    clock_limit: float | UnsetType | None = UNSET
    throttled: tuple[str, ...] | UnsetType | None = UNSET
    ecc_errors: int | UnsetType | None = UNSET
    processes: tuple[GpuProcess, ...] | UnsetType | None = UNSET
    error: str | UnsetType | None = UNSET
    stale_s: float | UnsetType | None = UNSET

    @property
    def key(self) -> tuple[int, int | None]:
        """What it is a change of: the GPU's index, and the number of the slice."""
        return self.index, self.mig


_CHANGING = tuple(name for name in GpuChange.__struct_fields__ if name not in ("index", "mig"))


def change_of(before: GpuSample | None, now: GpuSample) -> GpuChange:
    """What `now` says that `before` did not; all of it, unknowns too, where there was none before."""
    if before is None:
        return GpuChange(**{name: getattr(now, name) for name in GpuChange.__struct_fields__})
    said = ((name, getattr(now, name), getattr(before, name)) for name in _CHANGING)
    return GpuChange(index=now.index, mig=now.mig, **{name: new for name, new, old in said if new != old})


def fields_of(change: GpuChange) -> dict[str, Any]:
    """The fields of a `GpuSample` that the change says something of."""
    said = ((name, getattr(change, name)) for name in _CHANGING)
    return {name: value for name, value in said if value is not UNSET}


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
