"""What does this machine give us? CPUs, memory and shared memory, as the kernel and the control groups say."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from lightning_tui.environment.model import Host


def inspect_host(root: Path = Path("/")) -> Host:
    """Read /proc, /sys and /dev/shm below `root`; what is not there stays `None`."""
    groups = _control_groups(root)
    allowed = _count_cpus(_field(root / "proc/self/status", "Cpus_allowed_list"))
    quota = min(filter(None, map(_cpu_quota, groups)), default=None)
    memory = _memory(root, groups)
    shared_total, shared_free = _capacity(root / "dev/shm")
    return Host(
        hostname=_line(root / "proc/sys/kernel/hostname"),
        system=_system_name(root),
        kernel=_line(root / "proc/sys/kernel/osrelease"),
        cpus=min(filter(None, (allowed, math.ceil(quota) if quota else None)), default=None),
        cpus_online=_count_cpus(_line(root / "sys/devices/system/cpu/online")),
        cpu_quota=quota,
        memory_total=memory.total,
        memory_available=memory.available,
        memory_is_limited=memory.is_limited,
        shared_memory_total=shared_total,
        shared_memory_free=shared_free,
        gpu_devices=tuple(f"/{device}" for device in _GPU_DEVICES if os.path.exists(root / device)),  # noqa: PTH110
    )


_GPU_DEVICES = ("dev/nvidia0", "dev/kfd", "dev/dxg")
"""NVIDIA's, AMD's, and any under WSL."""


class _Memory(NamedTuple):
    total: int | None
    available: int | None
    is_limited: bool


def _memory(root: Path, groups: list[Path]) -> _Memory:
    """The machine's memory, or the tightest control group's share of it."""
    total, available = (_kibibytes(_field(root / "proc/meminfo", name)) for name in ("MemTotal", "MemAvailable"))
    limits = [(limit, group) for group in groups if (limit := _memory_limit(group)) is not None]
    if not limits or (total is not None and min(limits)[0] >= total):
        return _Memory(total, available, is_limited=False)
    limit, group = min(limits)
    used = _memory_used(group)
    left = None if used is None else max(0, limit - used)
    return _Memory(limit, min((value for value in (left, available) if value is not None), default=None), True)


def _control_groups(root: Path) -> list[Path]:
    """Folders of the groups that we are in, of both versions, each with those above it."""
    found: dict[Path, None] = {}
    for line in _lines(root / "proc/self/cgroup"):
        _, _, rest = line.partition(":")
        controllers, _, inside = rest.partition(":")
        mounts = [f"sys/fs/cgroup/{name}" for name in controllers.split(",") if name in ("cpu", "memory")]
        for mount in mounts if controllers else ("sys/fs/cgroup", "sys/fs/cgroup/unified"):
            found.update(dict.fromkeys(_upwards(root / mount, inside)))
    return list(found)


def _upwards(mount: Path, inside: str) -> Iterator[Path]:
    """Yield the group's folder and all above it. In a container the path may lead nowhere; the mount is then ours."""
    parts = [part for part in inside.split("/") if part not in ("", "..")]
    for length in range(len(parts), -1, -1):
        yield mount.joinpath(*parts[:length])


def _cpu_quota(group: Path) -> float | None:
    """Whole CPUs' worth of time: of version 2, else of version 1."""
    words = (_line(group / "cpu.max") or "").split()
    if len(words) != 2:
        words = [_line(group / f"cpu.cfs_{name}_us") or "" for name in ("quota", "period")]
    quota, period = map(_number, words)
    return quota / period if quota and period and quota > 0 else None


def _memory_limit(group: Path) -> int | None:
    limit = _number(_line(group / "memory.max"))
    return limit if limit is not None else _number(_line(group / "memory.limit_in_bytes"))


def _memory_used(group: Path) -> int | None:
    """Bytes in use, without the file cache that the kernel takes back when memory gets short."""
    for current, cache in (("memory.current", "inactive_file"), ("memory.usage_in_bytes", "total_inactive_file")):
        used = _number(_line(group / current))
        if used is not None:
            return used - (_number(_field(group / "memory.stat", cache, separator=" ")) or 0)
    return None


def _capacity(folder: Path) -> tuple[int | None, int | None]:
    try:
        answer = os.statvfs(folder)
    except OSError:
        return None, None
    return answer.f_frsize * answer.f_blocks, answer.f_frsize * answer.f_bavail


def _system_name(root: Path) -> str | None:
    for file in ("etc/os-release", "usr/lib/os-release"):
        if name := _field(root / file, "PRETTY_NAME", separator="="):
            return name.strip("\"'")
    return None


def _count_cpus(listed: str | None) -> int | None:
    """Count what a list such as 0-3,8 names."""
    if not listed or not re.fullmatch(r"\d+(-\d+)?(,\d+(-\d+)?)*", listed):
        return None
    spans = [[int(end) for end in part.split("-")] for part in listed.split(",")]
    return sum(span[-1] - span[0] + 1 for span in spans)


def _kibibytes(text: str | None) -> int | None:
    kibibytes = _number((text or "").partition(" ")[0])
    return None if kibibytes is None else kibibytes * 1024


def _field(file: Path, name: str, separator: str = ":") -> str | None:
    for line in _lines(file):
        key, _, value = line.partition(separator)
        if key == name:
            return value.strip()
    return None


def _line(file: Path) -> str | None:
    return next((line.strip() for line in _lines(file)), None)


def _lines(file: Path) -> Iterable[str]:
    try:
        return file.read_text(errors="replace").splitlines()
    except OSError:
        return ()


def _number(text: str | None) -> int | None:
    try:
        return int(text or "")
    except ValueError:  # "max"
        return None
