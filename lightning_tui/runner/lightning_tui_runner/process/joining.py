"""How does a process join a run? It gets its own event file and, where it is not rank 0, its own output file."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import NoReturn

from .events import EventFile
from .place import Identity, Place, find_place
from .reporter import Reporter, warn

_PR_SET_PDEATHSIG = 1

_reporter: Reporter | None = None
_place: Place | None = None


def join(place: Place, identity: Identity, *, argv: list[str], is_started_by_shim: bool = True) -> Reporter:
    """Begin to report as this process; says `hello`. Never raises: what does not work is said on stderr."""
    global _reporter, _place
    _place = place
    _reporter = Reporter(_event_file(place, identity.rank, is_started_by_shim), identity.rank)
    _reporter.say("hello", **identity.as_fields(argv))
    if identity.rank > 0:
        redirect_output(place.output(identity.rank))
    return _reporter


def current_reporter() -> Reporter | None:
    """The reporter of this very process; `None` before it joined, and in a fork of one that did."""
    return _reporter if _reporter is not None and _reporter.is_mine else None


def place_of_run() -> Place | None:
    """The run that this process is part of; kept, since a program may clear its environment."""
    return _place or find_place(os.environ)


def report_trouble(error: Exception) -> None:
    """Say, once, that telemetry failed in this process, where it has joined."""
    reporter = current_reporter()
    if reporter is not None:
        reporter.trouble(error)


def warn_once(message: str) -> None:
    """Say in the program's output what of the plan is not in effect; once for all ranks."""
    reporter = current_reporter()
    if reporter is None or reporter.rank == 0:
        warn(message)


def redirect_output(path: str) -> None:
    """Let everything that this process prints, from C++ too, go to the file."""
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        os.close(descriptor)
    except OSError as error:
        warn(f"the output cannot go to {path}: {error.strerror}")


def die_with(parent: int | None) -> None:
    """Be killed when the parent process dies (Linux), and at once where it has died already."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if parent is not None and os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def leave_now() -> NoReturn:
    """End this process here: what the program does after a trial, in a `finally` too, belongs to a real training."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(0)


def heed_interrupts() -> None:
    """Let Ctrl-C mean KeyboardInterrupt again where it was inherited as ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _event_file(place: Place, rank: int, is_started_by_shim: bool) -> EventFile | None:
    try:
        return EventFile(place.events, f"rank-{rank}" if is_started_by_shim else f"rank-{rank}-{os.getpid()}")
    except OSError as error:
        warn(f"telemetry of rank {rank} is off: {error}; the program goes on")
        return None
