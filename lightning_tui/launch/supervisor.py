"""One per run and node: starts the program, watches it, carries out stops, and says truthfully how it ended.

    python -m lightning_tui.launch.supervisor RUN_DIR --patience S -- COMMAND...
    python -m lightning_tui.launch.supervisor RUN_DIR --patience S --adopt

It is small, belongs to no terminal, and lives exactly as long as its lock is held. With `--adopt` it takes over a run
whose supervisor has died. The program's environment is its own, with the run's marker added.
"""

from __future__ import annotations

import argparse
import ctypes
import fcntl
import functools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from lightning_tui.launch.attempts import NODE, ProgramStart, begin_attempt, report_started, start_of
from lightning_tui.launch.background import Caller, in_background
from lightning_tui.launch.child import AdoptedProgram
from lightning_tui.launch.journal import Journal, read_past
from lightning_tui.launch.processes import marked_processes, process_facts
from lightning_tui.launch.ranks import RankWatch
from lightning_tui.launch.restarts import FIRST_PAUSE_S, Tally
from lightning_tui.launch.supervision import HEARD_SIGNALS, Conditions, Supervisor
from lightning_tui.record.directory import RecordError, RunDirectory
from lightning_tui.record.events import Ended

LOCK_PATIENCE_S = 1.0
"""Readers hold the lock for an instant to see whether it is free."""

_PR_SET_CHILD_SUBREAPER = 36


class SupervisorError(Exception):
    """The supervisor cannot begin; the message is for people."""


class _Options(msgspec.Struct, frozen=True):
    directory: RunDirectory
    patience_s: float
    term_patience_s: float | None
    restart_pause_s: float
    adopt: bool
    command: list[str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Begin, leave the caller, and supervise; the caller sees 0 once the run is under supervision."""
    options = _parse(sys.argv[1:] if arguments is None else list(arguments))
    return in_background(functools.partial(_supervise, options))


def _parse(arguments: list[str]) -> _Options:
    own, command = arguments, []
    if "--" in arguments:
        at = arguments.index("--")
        own, command = arguments[:at], arguments[at + 1 :]
    parser = argparse.ArgumentParser(prog="lightning_tui.launch.supervisor", usage="%(prog)s RUN_DIR ... -- COMMAND")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--patience", type=float, default=30.0, help="seconds that each step of a stop waits")
    parser.add_argument("--term-patience", type=float, help="seconds that SIGTERM waits, where it is not the same")
    parser.add_argument("--restart-pause", type=float, default=FIRST_PAUSE_S, help="seconds before the first restart")
    parser.add_argument("--adopt", action="store_true", help="take over a run whose supervisor has died")
    options = parser.parse_args(own)
    if bool(command) == options.adopt:
        parser.error("either --adopt, or a command after --")
    return _Options(
        RunDirectory(options.directory.absolute()),
        options.patience,
        options.term_patience,
        options.restart_pause,
        options.adopt,
        command,
    )


def _supervise(options: _Options, caller: Caller) -> int:
    _detach_from_signals()
    _adopt_orphans()
    try:
        lock = _hold_lock(options.directory.supervisor_lock(NODE))
        journal = Journal(options.directory.supervisor_log(NODE))
        supervisor = _adopt(options, journal) if options.adopt else _start(options, journal, caller)
    except (SupervisorError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    caller.let_go()
    if supervisor is not None:
        supervisor.run()
    os.close(lock)
    return 0


def _start(options: _Options, journal: Journal, caller: Caller) -> Supervisor | None:
    """Start the program; `None` where it could not be, which is then written as the run's end."""
    if not caller.still_waits():
        raise SupervisorError("The process that requested this run gave up waiting; nothing was started.")
    directory, attempt = options.directory, 0
    start = ProgramStart(options.command, dict(os.environ), Path.cwd())
    try:
        program = begin_attempt(directory, start, attempt)
    except (OSError, subprocess.SubprocessError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        detail = f"{options.command[0]} cannot be started: {reason}. Choose another Python with --python PATH."
        journal.report(Ended, code=None, signal=None, cause="launch", detail=detail)
        return None
    _leave_stdin()
    report_started(journal, attempt, program.pid, options.command)
    ranks = RankWatch(directory, attempt)
    return Supervisor(directory, program, attempt, ranks, journal, _conditions(options, start, Tally()))


def _adopt(options: _Options, journal: Journal) -> Supervisor:
    """Take over what a dead supervisor left.

    Raises:
        SupervisorError: the run has never begun, or has ended.
    """
    directory = options.directory
    past = read_past(directory)
    if past.started is None or past.ended is not None:
        raise SupervisorError(f"The run {directory.id} has {'ended' if past.ended else 'never begun'}.")
    attempt = past.started.attempt
    ranks = RankWatch(directory, attempt)
    ranks.read()
    pid = _main_process(past.started.child_pid, ranks.pids, marked_processes(directory))
    report_started(journal, attempt, pid or past.started.child_pid, past.started.command)
    last = past.restarting
    tally = Tally() if last is None else Tally(last.number, 0, last.global_step or 0)
    # Only of the process that was started itself is the command that of the program.
    start = start_of(pid) if pid == past.started.child_pid else None
    return Supervisor(directory, AdoptedProgram(pid), attempt, ranks, journal, _conditions(options, start, tally))


def _conditions(options: _Options, start: ProgramStart | None, tally: Tally) -> Conditions:
    return Conditions(
        patience_s=options.patience_s,
        term_patience_s=options.term_patience_s,
        start=start,
        most_restarts=_most_restarts(options.directory),
        first_pause_s=options.restart_pause_s,
        tally=tally,
    )


def _most_restarts(directory: RunDirectory) -> int:
    try:
        return directory.read_record().max_restarts
    except RecordError:  # a run that cannot be read can still be seen to its end
        return 0


def _main_process(child: int, ranks: Sequence[int], marked: Sequence[int]) -> int | None:
    """The process that SIGTERM goes to: the one that was started, else the lowest rank, else the oldest of all."""
    for pid in (child, *ranks):
        if pid in marked:
            return pid
    ages = {pid: facts.ticks for pid in marked if (facts := process_facts(pid)) is not None}
    return min(ages, key=lambda pid: ages[pid], default=None)


def _detach_from_signals() -> None:
    """Outlive the terminal; hear of SIGTERM and of children only when they are waited for."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, HEARD_SIGNALS)


def _leave_stdin() -> None:
    """What the caller handed on is read by the program alone, and by its first start alone."""
    nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    os.dup2(nothing, 0)
    os.close(nothing)


def _adopt_orphans() -> None:
    """Become the parent of every process of the run that loses its own (Linux)."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _hold_lock(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + LOCK_PATIENCE_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise SupervisorError("Another supervisor is already watching this run.") from None
            time.sleep(0.02)
        except OSError as error:
            raise SupervisorError(
                f"{path} cannot be locked: {error.strerror}. Choose a runs home on a file system with locks: "
                "--home PATH."
            ) from error


if __name__ == "__main__":
    sys.exit(main())
