"""How much of the machine do our control groups grant? Both versions, each with the groups above it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from lightning_tui.gpus.files import field_of, first_line, lines_of, number_of


class MemoryLimit(NamedTuple):
    """The tightest limit, and the group that sets it."""

    limit: int
    group: Path


def control_groups(root: Path = Path("/")) -> list[Path]:
    """Folders of the groups that we are in, of both versions, each with those above it."""
    found: dict[Path, None] = {}
    for line in lines_of(root / "proc/self/cgroup"):
        _, _, rest = line.partition(":")
        controllers, _, inside = rest.partition(":")
        mounts = [f"sys/fs/cgroup/{name}" for name in controllers.split(",") if name in ("cpu", "memory")]
        for mount in mounts if controllers else ("sys/fs/cgroup", "sys/fs/cgroup/unified"):
            found.update(dict.fromkeys(_upwards(root / mount, inside)))
    return list(found)


def cpu_quota(groups: Sequence[Path]) -> float | None:
    """Whole CPUs' worth of time that the tightest group grants; `None` where none limits it."""
    return min(filter(None, map(_cpu_quota, groups)), default=None)


def memory_limit(groups: Sequence[Path]) -> MemoryLimit | None:
    """The tightest limit of memory, in bytes; `None` where no group sets one."""
    limits = [MemoryLimit(limit, group) for group in groups if (limit := _memory_limit(group)) is not None]
    return min(limits, default=None)


def memory_used(group: Path) -> int | None:
    """Bytes in use, without the file cache that the kernel takes back when memory gets short."""
    for current, cache in (("memory.current", "inactive_file"), ("memory.usage_in_bytes", "total_inactive_file")):
        used = number_of(first_line(group / current))
        if used is not None:
            return used - (number_of(field_of(group / "memory.stat", cache, separator=" ")) or 0)
    return None


def _upwards(mount: Path, inside: str) -> Iterator[Path]:
    """Yield the group's folder and all above it. In a container the path may lead nowhere; the mount is then ours."""
    parts = [part for part in inside.split("/") if part not in ("", "..")]
    for length in range(len(parts), -1, -1):
        yield mount.joinpath(*parts[:length])


def _cpu_quota(group: Path) -> float | None:
    """Of version 2, else of version 1."""
    words = (first_line(group / "cpu.max") or "").split()
    if len(words) != 2:
        words = [first_line(group / f"cpu.cfs_{name}_us") or "" for name in ("quota", "period")]
    quota, period = map(number_of, words)
    return quota / period if quota and period and quota > 0 else None


def _memory_limit(group: Path) -> int | None:
    limit = number_of(first_line(group / "memory.max"))
    return limit if limit is not None else number_of(first_line(group / "memory.limit_in_bytes"))
