"""Which processes belong to a run? They carry its marker in their environment, whatever their parent or session."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import stat
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from lightning_tui.record.directory import RUN_VARIABLE, RunDirectory

_PROC = Path("/proc")
_POLL_S = 0.02


class ProcessFacts(msgspec.Struct, frozen=True):
    """What the kernel says of a process. With `ticks`, its start since boot, the pid is an identity."""

    pid: int
    parent: int
    ticks: int
    is_zombie: bool


def process_facts(pid: int) -> ProcessFacts | None:
    """Look at a process; `None` where there is none."""
    data = _read(_PROC / str(pid) / "stat")
    if not data:
        return None
    fields = data[data.rfind(b")") + 2 :].split()  # the name before it may hold anything
    return ProcessFacts(pid, int(fields[1]), int(fields[19]), fields[0] in (b"Z", b"X", b"x"))


def still_lives(facts: ProcessFacts) -> bool:
    """Whether that very process, and no later one of the same pid, lives; a zombie does not."""
    now = process_facts(facts.pid)
    return now is not None and now.ticks == facts.ticks and not now.is_zombie


def started_at(pid: int) -> float | None:
    """When the process started, UTC epoch seconds."""
    facts = process_facts(pid)
    boot = _boot_time()
    return None if facts is None or boot is None else boot + facts.ticks / os.sysconf("SC_CLK_TCK")


def command_of(pid: int) -> list[str]:
    """The words that a process was started with; empty where it is gone, or not ours to look at."""
    return [os.fsdecode(word) for word in _read(_PROC / str(pid) / "cmdline").split(b"\0")[:-1]]


def environment_of(pid: int) -> dict[str, str]:
    """The environment that a process was started with; empty where it is gone, or not ours to look at."""
    entries = (entry.partition(b"=") for entry in _read(_PROC / str(pid) / "environ").split(b"\0"))
    return {os.fsdecode(name): os.fsdecode(value) for name, sign, value in entries if sign}


def folder_of(pid: int) -> Path | None:
    """A process's working directory; `None` where it is gone, or not ours to look at."""
    try:
        return (_PROC / str(pid) / "cwd").readlink()
    except OSError:
        return None


def written_files(pid: int) -> dict[str, int]:
    """Size of each regular file that a process has open for writing, by its path."""
    descriptors, found = _PROC / str(pid) / "fd", {}
    for number in _names(descriptors):
        with contextlib.suppress(OSError, ValueError):
            path = str((descriptors / number).readlink())
            if path.startswith("/") and not path.startswith(("/dev/", "/proc/")) and _is_written(pid, number):
                status = (descriptors / number).stat()
                if stat.S_ISREG(status.st_mode):
                    found[path] = status.st_size
    return found


def _is_written(pid: int, number: str) -> bool:
    for line in _read(_PROC / str(pid) / "fdinfo" / number).splitlines():
        if line.startswith(b"flags:"):
            return int(line.split()[1], 8) & os.O_ACCMODE != os.O_RDONLY
    return False


def marked_processes(directory: RunDirectory) -> list[int]:
    """Pids of all living processes on this host that carry the run's marker, ascending."""
    return processes_with(RUN_VARIABLE, str(directory.path))


def processes_with(variable: str, value: str) -> list[int]:
    """Pids of all living processes on this host that were started with this environment variable, ascending."""
    marker = os.fsencode(f"{variable}={value}")
    return [pid for pid in _all_pids() if _carries(pid, marker)]


def kill_until_gone(directory: RunDirectory, patience_s: float) -> tuple[set[int], list[int]]:
    """SIGKILL the run's processes until none is left, for at most `patience_s` seconds.

    Returns the pids of all that were killed, or tried, and of those that are still there.
    """
    deadline = time.monotonic() + patience_s
    tried: set[int] = set()
    while (left := marked_processes(directory)) and time.monotonic() < deadline:
        tried.update(left)
        send(left, signal.SIGKILL)
        time.sleep(_POLL_S)
        reap_children()
    return tried, left


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to each process; one that is gone, or is not ours any more, is passed over."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def reap_children() -> dict[int, int]:
    """Take leave of all children, own and adopted, that have ended: their wait status by pid."""
    ended: dict[int, int] = {}
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            ended[pid] = status
    return ended


def _carries(pid: int, marker: bytes) -> bool:
    data = _read(_PROC / str(pid) / "environ")
    return marker in data and marker in data.split(b"\0")


def _all_pids() -> list[int]:
    return sorted(int(name) for name in _names(_PROC) if name.isdigit())


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 names are all that is needed
    except OSError:  # of a process that is gone, or not ours to look at
        return []


@functools.cache
def _boot_time() -> float | None:
    for line in _read(_PROC / "stat").splitlines():
        if line.startswith(b"btime "):
            return float(line.split()[1])
    return None


def _read(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        chunks = []
        while chunk := os.read(descriptor, 1 << 16):
            chunks.append(chunk)
        return b"".join(chunks)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
