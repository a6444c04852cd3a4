"""Whose is a process that the driver names by its pid, and does it belong to the run?"""

from __future__ import annotations

import os
import pwd
from collections.abc import Collection
from pathlib import Path

from lightning_tui.record.samples import GpuProcess

_PROC = Path("/proc")

_FIRST_NAMESPACE = "pid:[4026531836]"
"""The host's own pid namespace: its number is fixed (PROC_PID_INIT_INO in the kernel's include/linux/proc_ns.h)."""


class ProcessNames:
    """Looks processes up by their pid. NVML gives the host's pids, which mean nothing in a container with its own.

    There a pid that is one of the run's own is still taken for it, since some drivers translate; of every other it is
    unknown whose it is.
    """

    def __init__(self, proc: Path = _PROC) -> None:
        self._proc = proc
        self._is_nested = _is_nested(proc)
        self._logins: dict[int, str] = {}

    def identify(self, pid: int, memory: int | None, ours: Collection[int]) -> GpuProcess:
        """Say who runs it and what it is called, as far as that can be told."""
        is_ours = pid in ours
        if self._is_nested and not is_ours:
            return GpuProcess(pid, memory, ours=None)
        return GpuProcess(pid, memory, ours=is_ours, owner=self._owner(pid), name=self._name(pid))

    def _owner(self, pid: int) -> str | None:
        try:
            user = (self._proc / str(pid)).stat().st_uid
        except OSError:  # gone, or /proc hides what is not ours
            return None
        if user not in self._logins:
            self._logins[user] = _login(user)
        return self._logins[user]

    def _name(self, pid: int) -> str | None:
        try:
            return (self._proc / str(pid) / "comm").read_text(errors="replace").strip() or None
        except OSError:
            return None


def _login(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def _is_nested(proc: Path) -> bool:
    """Whether our pids are those of a container and not the host's; where that cannot be seen, they may be."""
    try:
        return os.readlink(proc / "self" / "ns" / "pid") != _FIRST_NAMESPACE  # noqa: PTH115 the text, not a path
    except OSError:
        return True
