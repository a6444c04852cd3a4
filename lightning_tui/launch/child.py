"""The program that a supervisor watches: one that it has started, or one that a dead supervisor has left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from lightning_tui.launch.processes import ProcessFacts, process_facts, reap_children, send, still_lives


class Exit(msgspec.Struct, frozen=True):
    """How a program ended; both are `None` where nobody could see it."""

    code: int | None = None
    signal: str | None = None


class WatchedProgram(Protocol):
    """What the supervisor needs of a program."""

    @property
    def pid(self) -> int | None: ...

    def exit(self) -> Exit | None:
        """How it ended; `None` while it lives."""

    def terminate(self) -> None:
        """Send SIGTERM to its main process alone: sent to all ranks at once it can deadlock Lightning."""

    def kill(self) -> None:
        """SIGKILL its process group."""


def start_session(
    command: Sequence[str], environment: Mapping[str, str], output: Path, folder: Path | None, **more: Any
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own; what it prints goes to the end of `output`, a private file.

    Raises:
        OSError: it cannot be started, or the output file cannot be opened.
        subprocess.SubprocessError: the new process could not be prepared.
    """
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        return subprocess.Popen(
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
            **more,
        )
    finally:
        os.close(descriptor)


class StartedProgram:
    """A child of this process, in a session of its own. All other children are reaped along with it."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], output: Path, folder: Path | None = None
    ) -> None:
        """Start it in `folder` (`None`: here), with signals as a fresh process has them; raises as `start_session`."""
        # safe here: it takes no lock that another thread may hold
        self._process = start_session(command, environment, output, folder, preexec_fn=_reset_signals)
        self.pid = self._process.pid

    def exit(self) -> Exit | None:
        status = reap_children().get(self.pid)
        if status is not None:
            self._process.returncode = os.waitstatus_to_exitcode(status)
        return None if self._process.returncode is None else _exit_of(self._process.returncode)

    def terminate(self) -> None:
        if self._process.returncode is None:
            send([self.pid], signal.SIGTERM)

    def kill(self) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)


class AdoptedProgram:
    """Somebody else's child: its end can be seen, but not how it ended."""

    def __init__(self, pid: int | None) -> None:
        """Watch the process `pid`; `None` stands for one that is gone already."""
        self._facts: ProcessFacts | None = None if pid is None else process_facts(pid)
        self.pid = pid

    def exit(self) -> Exit | None:
        return None if self._lives() else Exit()

    def terminate(self) -> None:
        if self._facts is not None and self._lives():
            send([self._facts.pid], signal.SIGTERM)

    def kill(self) -> None:
        """Nothing to do: the marker finds all of the run, and whose the group is by now is not known."""

    def _lives(self) -> bool:
        return self._facts is not None and still_lives(self._facts)


def _exit_of(returncode: int) -> Exit:
    if returncode >= 0:
        return Exit(code=returncode)
    try:
        return Exit(signal=signal.Signals(-returncode).name)
    except ValueError:  # a real-time signal has no name
        return Exit(signal=f"signal {-returncode}")


def _reset_signals() -> None:
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
