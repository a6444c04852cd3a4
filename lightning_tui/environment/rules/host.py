"""Rules about the machine, its limits, and the session that one sits in."""

from __future__ import annotations

import time
from collections.abc import Iterator

from lightning_tui.environment.model import UNLIMITED, Environment, Finding, Limit
from lightning_tui.text.units import GIB, count, size

SHARED_MEMORY_SMALL = 1 * GIB
"""Less does not hold the batches that a few data workers have ready; containers get 64 MiB unless asked."""

OPEN_FILES_LOW = 4096
"""Data workers hand tensors over as open files, one each: a few workers on each of eight GPUs exceed the usual 1024."""

PROCESSES_LOW = 1024
"""Ranks, their data workers and the threads of each library all count."""

RELEASED_AT = 1_767_225_600.0
"""2026-01-01: no clock that is right can show an earlier time to this program."""

_COLOURLESS = frozenset({"", "dumb", "unknown", "vt100", "vt102", "vt220"})
_LASTING = ("ssh", "tmux", "screen")


def _small_shared_memory(environment: Environment) -> Iterator[Finding]:
    total = environment.host.shared_memory_total
    matters = bool(environment.gpus) or "container" in environment.platform.facets
    if total is not None and total < SHARED_MEMORY_SMALL and matters:
        yield Finding(
            "small-shm",
            "warning",
            f"Shared memory is only {size(total)}",
            "DataLoader workers and NCCL pass data through /dev/shm; when it is full they fail with a bus error.",
            "Start the container with --shm-size=8g or --ipc=host (Kubernetes: mount a memory emptyDir there), or "
            "train with num_workers=0.",
        )


def _few_open_files(environment: Environment) -> Iterator[Finding]:
    limit = environment.host.limits.open_files if environment.host.limits else None
    if limit is not None and _is_below(limit, OPEN_FILES_LOW):
        yield Finding(
            "low-open-files",
            "warning" if environment.gpus else "info",
            f"Only {count(limit.soft or 0)} files may be open at a time",
            "DataLoader workers pass each tensor as an open file: with many of them a training ends with "
            "'Too many open files'.",
            _raise_limit("n", limit, OPEN_FILES_LOW),
        )


def _few_processes(environment: Environment) -> Iterator[Finding]:
    limit = environment.host.limits.processes if environment.host.limits else None
    if limit is not None and _is_below(limit, PROCESSES_LOW):
        yield Finding(
            "low-processes",
            "warning",
            f"Only {count(limit.soft or 0)} processes and threads are allowed",
            "Every rank, DataLoader worker and library thread counts; above the limit nothing can be started.",
            _raise_limit("u", limit, PROCESSES_LOW),
        )


def _locked_memory(environment: Environment) -> Iterator[Finding]:
    host = environment.host
    limit = host.limits.locked_memory if host.limits else None
    if host.infiniband and limit is not None and limit.soft is not None and limit.soft != UNLIMITED:
        yield Finding(
            "locked-memory",
            "warning",
            f"Only {size(limit.soft)} may be locked in memory, but there is InfiniBand ({', '.join(host.infiniband)})",
            "NCCL locks its buffers to register them with the adapter, and fails if it cannot.",
            "Set the limit to unlimited (ulimit -l unlimited, /etc/security/limits.conf, Slurm's "
            "PropagateResourceLimits, or docker run --ulimit memlock=-1).",
        )


def _is_below(limit: Limit, wanted: int) -> bool:
    return limit.soft is not None and limit.soft != UNLIMITED and limit.soft < wanted


def _raise_limit(letter: str, limit: Limit, wanted: int) -> str:
    if limit.hard is None or _is_below(Limit(limit.hard, None), wanted):
        return "Ask the administrator to raise the hard limit (/etc/security/limits.conf, docker run --ulimit)."
    highest = wanted * 16 if limit.hard == UNLIMITED else min(limit.hard, wanted * 16)
    return f"ulimit -{letter} {highest} before starting lightning-tui; runs inherit the limit."


def _no_colours(environment: Environment) -> Iterator[Finding]:
    term = environment.session.term
    if term is not None and term in _COLOURLESS:
        what = f"TERM is {term}" if term else "TERM is not set"
        yield Finding(
            "no-colours",
            "info",
            f"{what}: this terminal has no colours",
            "The cockpit needs a terminal that can place its cursor; the other commands do not.",
            "In a real terminal: export TERM=xterm-256color.",
        )


def _killed_at_logout(environment: Environment) -> Iterator[Finding]:
    session = environment.session
    if not session.kills_processes or not any(facet in environment.platform.facets for facet in _LASTING):
        return
    if session.lingers:
        yield Finding(
            "killed-at-logout",
            "info",
            "tmux and screen end when you log out, runs do not",
            "logind's KillUserProcesses=yes ends the processes of a session. Lingering is enabled for you, so each "
            "run gets a scope of its own if systemd-run --user works.",
            "Start tmux or screen in a scope too: systemd-run --user --scope tmux.",
        )
    else:
        yield Finding(
            "killed-at-logout",
            "warning",
            "Runs end when you log out",
            "logind's KillUserProcesses=yes ends all processes of a session, including tmux, screen and runs.",
            "loginctl enable-linger; each run is then given a scope of its own (systemd-run --user --scope).",
        )


def _clock_before_release(environment: Environment) -> Iterator[Finding]:
    now = environment.host.now
    if now is not None and now < RELEASED_AT:
        yield Finding(
            "clock-wrong",
            "warning",
            f"The clock shows {time.strftime('%Y-%m-%d', time.gmtime(now))}, which is far in the past",
            "Times of runs will be wrong, and certificates of servers will be refused.",
            "Set the clock by the network (timedatectl set-ntp true, or chronyd).",
        )


RULES = (
    _small_shared_memory,
    _few_open_files,
    _few_processes,
    _locked_memory,
    _killed_at_logout,
    _clock_before_release,
    _no_colours,
)
