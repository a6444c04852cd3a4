"""Start real runs of small programs, wait for what they become, and read what their supervisor said."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from lightning_tui.launch import resolve_program, start_run
from lightning_tui.record import RunDirectory, RunSnapshot, RunStore, read_snapshot
from lightning_tui.record.directory import supervisor_alive
from lightning_tui.record.events import AnyEvent, Ended, Stopping, SupervisorEvent
from tests.conftest import wait_until

EventT = TypeVar("EventT", bound=AnyEvent)


class Runs:
    """A runs home and a program folder of one test."""

    def __init__(self, home: Path, folder: Path) -> None:
        self.store = RunStore(home)
        self.folder = folder

    def start(
        self, source: str, *arguments: str, patience_s: float = 30.0, environ: Mapping[str, str] | None = None
    ) -> RunDirectory:
        """Write `source` to a file and start it with the arguments."""
        (self.folder / "program.py").write_text(source)
        program = resolve_program(
            ["program.py", *arguments],
            interpreter=Path(sys.executable),
            interpreter_is_given=True,
            folder=self.folder,
            environ=os.environ,
        )
        return start_run(
            self.store, program, {}, environ=os.environ if environ is None else environ, stop_patience_s=patience_s
        )

    def says(self, name: str) -> bool:
        """Whether the program has made a file of this name in its folder (see `SAY`)."""
        return (self.folder / name).exists()

    def wait_for(self, name: str) -> None:
        wait_until(lambda: self.says(name), 20, f"the program's word {name!r}")


SAY = """
import os, signal, subprocess, sys, time
from pathlib import Path

def say(name, text=""):
    Path(name + ".partial").write_text(str(text))
    Path(name + ".partial").rename(name)

def wait_for(name):
    while not Path(name).exists():
        time.sleep(0.01)
"""
"""Beginning of the test programs: they speak by files in their folder, and wait for such files."""


def wait_for_end(directory: RunDirectory, patience_s: float = 30.0) -> RunSnapshot:
    """Wait until the supervisor has told the end and has left."""
    wait_until(lambda: events(directory, Ended) and not supervisor_alive(directory), patience_s, "the end of the run")
    return read_snapshot(directory)


def events(directory: RunDirectory, kind: type[EventT]) -> list[EventT]:
    """The supervisor's events of one kind."""
    return [event for event in supervisor_events(directory) if isinstance(event, kind)]


def supervisor_events(directory: RunDirectory) -> list[AnyEvent]:
    """All whole lines of the supervisor's file; one that a full disk cut short is passed over."""
    decoder = msgspec.json.Decoder(SupervisorEvent)
    found: list[AnyEvent] = []
    for line in directory.supervisor_log(0).read_bytes().split(b"\n")[:-1]:
        try:
            found.append(decoder.decode(line))
        except msgspec.DecodeError:
            continue
    return found


def rungs(directory: RunDirectory) -> list[str]:
    """The rungs that were taken, in order, each once."""
    return list(dict.fromkeys(event.rung for event in events(directory, Stopping)))


def supervisor_pid(directory: RunDirectory) -> int:
    supervisor = read_snapshot(directory).supervisor
    assert supervisor is not None
    return supervisor.pid


def program_pid(directory: RunDirectory) -> int:
    supervisor = read_snapshot(directory).supervisor
    assert supervisor is not None
    return supervisor.child_pid


def output(directory: RunDirectory) -> str:
    return directory.output(0, 0).read_text(errors="replace")


def all_bytes(files: Iterable[Path]) -> bytes:
    return b"\n".join(path.read_bytes() for path in files if path.is_file())
