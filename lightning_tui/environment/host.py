"""What does this machine give us? CPUs, memory and shared memory, as the kernel and the control groups say."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import NamedTuple

from lightning_tui.environment.model import UNLIMITED, Host, Limit, Limits
from lightning_tui.gpus.cgroups import control_groups, cpu_quota, memory_limit, memory_used
from lightning_tui.gpus.files import field_of, first_line, lines_of, names_in, number_of


def inspect_host(root: Path = Path("/")) -> Host:
    """Read /proc, /sys and /dev/shm below `root`; what is not there stays `None`."""
    groups = control_groups(root)
    allowed = _count_cpus(field_of(root / "proc/self/status", "Cpus_allowed_list"))
    quota = cpu_quota(groups)
    memory = _memory(root, groups)
    shared_total, shared_free = _capacity(root / "dev/shm")
    hostname = first_line(root / "proc/sys/kernel/hostname")
    return Host(
        hostname=hostname,
        loopback_address=_loopback_address(root, hostname),
        system=_system_name(root),
        kernel=first_line(root / "proc/sys/kernel/osrelease"),
        cpus=min(filter(None, (allowed, math.ceil(quota) if quota else None)), default=None),
        cpus_online=_count_cpus(first_line(root / "sys/devices/system/cpu/online")),
        cpu_quota=quota,
        memory_total=memory.total,
        memory_available=memory.available,
        memory_is_limited=memory.is_limited,
        shared_memory_total=shared_total,
        shared_memory_free=shared_free,
        gpu_devices=tuple(f"/{device}" for device in _GPU_DEVICES if os.path.exists(root / device)),  # noqa: PTH110
        infiniband=names_in(root / "sys/class/infiniband"),
        limits=_limits(root),
    )


_GPU_DEVICES = ("dev/nvidia0", "dev/kfd", "dev/dxg")
"""NVIDIA's, AMD's, and any under WSL."""

_LIMITS = {
    "open_files": "Max open files",
    "locked_memory": "Max locked memory",
    "processes": "Max processes",
    "core_size": "Max core file size",
    "stack": "Max stack size",
}
"""The kernel's names in /proc/self/limits; sizes there are in bytes."""


def _limits(root: Path) -> Limits | None:
    found = {}
    for line in lines_of(root / "proc/self/limits"):
        for name, title in _LIMITS.items():
            words = line.removeprefix(title).split()
            if line.startswith(title) and len(words) >= 2:
                found[name] = Limit(_bound(words[0]), _bound(words[1]))
    return Limits(**found) if found else None


def _bound(word: str) -> int | None:
    return UNLIMITED if word == "unlimited" else number_of(word)


def _loopback_address(root: Path, hostname: str | None) -> str | None:
    """The loopback address that /etc/hosts gives our own name. Only the file is asked: a name server may not answer."""
    for line in lines_of(root / "etc/hosts"):
        address, *names = line.partition("#")[0].split() or [""]
        if hostname in names and (address.startswith("127.") or address == "::1"):
            return address
    return None


class _HostMemory(NamedTuple):
    total: int | None
    available: int | None
    is_limited: bool


def _memory(root: Path, groups: list[Path]) -> _HostMemory:
    """The machine's memory, or the tightest control group's share of it."""
    total, available = (_kibibytes(field_of(root / "proc/meminfo", name)) for name in ("MemTotal", "MemAvailable"))
    tightest = memory_limit(groups)
    if tightest is None or (total is not None and tightest.limit >= total):
        return _HostMemory(total, available, is_limited=False)
    used = memory_used(tightest.group)
    left = None if used is None else max(0, tightest.limit - used)
    return _HostMemory(tightest.limit, min((n for n in (left, available) if n is not None), default=None), True)


def _capacity(folder: Path) -> tuple[int | None, int | None]:
    try:
        answer = os.statvfs(folder)
    except OSError:
        return None, None
    return answer.f_frsize * answer.f_blocks, answer.f_frsize * answer.f_bavail


def _system_name(root: Path) -> str | None:
    for file in ("etc/os-release", "usr/lib/os-release"):
        if name := field_of(root / file, "PRETTY_NAME", separator="="):
            return name.strip("\"'")
    return None


def _count_cpus(listed: str | None) -> int | None:
    """Count what a list such as 0-3,8 names."""
    if not listed or not re.fullmatch(r"\d+(-\d+)?(,\d+(-\d+)?)*", listed):
        return None
    spans = [[int(end) for end in part.split("-")] for part in listed.split(",")]
    return sum(span[-1] - span[0] + 1 for span in spans)


def _kibibytes(text: str | None) -> int | None:
    kibibytes = number_of((text or "").partition(" ")[0])
    return None if kibibytes is None else kibibytes * 1024
