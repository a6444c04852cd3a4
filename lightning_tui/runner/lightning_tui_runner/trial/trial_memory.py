"""How much memory does a trial take, and is there room for the next one?"""

from __future__ import annotations

import os
from typing import Any

_RESERVE = 0.15
"""Share of the available memory of a CPU machine that a trial must leave: short of it the kernel kills processes."""


def meter_of(device: Any) -> GpuMeter | HostMeter:
    """What measures the memory of trials on this device."""
    return GpuMeter(device) if device.type == "cuda" else HostMeter()


class GpuMeter:
    """The peak of CUDA's allocator; it says itself when there is no more."""

    limit = None

    def __init__(self, device: Any) -> None:
        import torch

        self._cuda: Any = torch.cuda
        self._device = device

    def begin(self) -> None:
        self._cuda.reset_peak_memory_stats(self._device)

    def end(self, size: int) -> None:
        pass

    def has_room_for(self, size: int) -> bool:
        return True

    def peak(self) -> int | None:
        return int(self._cuda.max_memory_allocated(self._device))


class HostMeter:
    """The process's own memory. The kernel gives more than there is and kills later: so each trial is judged before."""

    def __init__(self) -> None:
        self._base: int | None = None
        self._per_sample = 0.0
        available = _available()
        self.limit = None if available is None else int(available * (1 - _RESERVE))

    def begin(self) -> None:
        if self._base is None:
            self._base = _status_bytes("VmRSS")
        _forget_peak()

    def end(self, size: int) -> None:
        """Learn how much a sample takes: too much rather than too little, since not all grows with the batch."""
        peak = self.peak()
        if peak is not None and self._base is not None:
            self._per_sample = (peak - self._base) / size

    def has_room_for(self, size: int) -> bool:
        available, now = _available(), _status_bytes("VmRSS")
        if available is None or now is None or self._base is None:
            return True
        return self._base + self._per_sample * size < now + available * (1 - _RESERVE)

    def peak(self) -> int | None:
        return _status_bytes("VmHWM")


def _status_bytes(name: str) -> int | None:
    return _kib_field("/proc/self/status", name)


def _available() -> int | None:
    """Bytes that may still be taken: of the machine, or of the control group where that is less."""
    found = [_kib_field("/proc/meminfo", "MemAvailable"), _left_in_group()]
    return min((amount for amount in found if amount is not None), default=None)


def _left_in_group(folder: str = "/sys/fs/cgroup") -> int | None:
    used = _number_in(os.path.join(folder, "memory.current")) or _number_in(
        os.path.join(folder, "memory", "memory.usage_in_bytes")
    )
    most = _number_in(os.path.join(folder, "memory.max")) or _number_in(
        os.path.join(folder, "memory", "memory.limit_in_bytes")
    )
    return None if used is None or most is None else max(0, most - used)


def _number_in(path: str) -> int | None:
    try:
        with open(path, encoding="ascii") as file:
            text = file.read().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None


def _kib_field(path: str, name: str) -> int | None:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith(f"{name}:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None


def _forget_peak() -> None:
    """Let the kernel count the peak anew (`man 5 proc`, clear_refs)."""
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
    except OSError:
        pass
