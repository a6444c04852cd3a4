"""Run a program in a real child, through the real shim with a real run directory, and read what came of it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from lightning_tui import runner
from lightning_tui.record import RunDirectory, RunStore
from lightning_tui.record.directory import ATTEMPT_VARIABLE, RUN_VARIABLE, ProgramRecord
from lightning_tui.record.events import Event, Metrics, RankEvent
from lightning_tui.record.tail import LineTail

SHIM = Path(runner.__file__).parent / "lightning_tui_runner" / "shim.py"
PROGRAMS = Path(__file__).parent.parent / "programs"
PATIENCE_S = 120.0

EventT = TypeVar("EventT", bound=Event)

_decoder = msgspec.json.Decoder(RankEvent)


class Outcome:
    """A program that has ended, with the run it was part of."""

    def __init__(self, code: int, output: str, errors: str, directory: RunDirectory) -> None:
        self.code = code
        self.output = output
        self.errors = errors
        self.directory = directory

    def events(self, rank: int | str = 0) -> list[RankEvent]:
        """All events of a rank; every line must decode. `rank` may hold a pattern, `0-*` for a forked process."""
        return events_in(self.directory, rank)

    def of(self, kind: type[EventT], rank: int | str = 0) -> list[EventT]:
        """The events of one kind."""
        return [event for event in self.events(rank) if isinstance(event, kind)]

    def metrics(self, rank: int | str = 0) -> dict[str, dict[int, float]]:
        """Each metric's values by step."""
        found: dict[str, dict[int, float]] = {}
        for event in self.of(Metrics, rank):
            for name, points in event.series.items():
                assert len(points.steps) == len(points.values)
                found.setdefault(name, {}).update(
                    {step: float(value) for step, value in zip(points.steps, points.values, strict=True)}
                )
        return found

    def log(self, rank: int) -> str:
        return self.directory.output(0, rank).read_text()


def events_in(directory: RunDirectory, rank: int | str = 0) -> list[RankEvent]:
    """Decode the events of a rank as far as they are written."""
    events: list[RankEvent] = []
    for path in sorted(directory.events(0).glob(f"rank-{rank}.jsonl")):
        lines = [_decoder.decode(line) for line in LineTail(path).poll(limit=1 << 26)]
        assert [event.seq for event in lines] == list(range(len(lines)))
        events += lines
    return events


def make_run(home: Path, plan: Mapping[str, Any] | None = None) -> RunDirectory:
    """Make a run directory with a plan."""
    program = ProgramRecord(label="program", given=["program"], folder=str(home), interpreter=sys.executable)
    return RunStore(home / "runs").create(program=program, plan=dict(plan or {}), now=time.time())[0]


def command(words: list[str], launcher: Sequence[str] = ()) -> list[str]:
    """The command line that runs a program through the shim; `launcher` are Python's words before that."""
    return [sys.executable, *launcher, str(SHIM), "--", *words]


def environment(directory: RunDirectory | None, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The child's environment: ours without what would make our checkout importable."""
    environ = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", RUN_VARIABLE)}
    # In one process: to start a pool of compilers takes longer than these programs.
    environ |= {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", "TORCHINDUCTOR_COMPILE_THREADS": "1", **(extra or {})}
    if directory is not None:
        environ |= {RUN_VARIABLE: str(directory.path), ATTEMPT_VARIABLE: "0"}
    return environ


def run_in_run(
    place: Path,
    words: list[str],
    plan: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Outcome:
    """Run a program under a plan to its end."""
    directory = make_run(place, plan)
    done = run(command(words), cwd=cwd or place, env=environment(directory, env))
    return Outcome(done.returncode, done.stdout, done.stderr, directory)


def run(words: list[str], *, cwd: Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end and return what it said."""
    env = env or environment(None)
    return subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


@contextmanager
def running(
    place: Path, words: list[str], plan: Mapping[str, Any] | None = None, launcher: Sequence[str] = ()
) -> Iterator[tuple[Any, RunDirectory]]:
    """A program that runs meanwhile; killed with its group where the test leaves it behind."""
    directory = make_run(place, plan)
    with (place / "said.txt").open("w") as said:
        process = subprocess.Popen(
            command(words, launcher),
            cwd=place,
            env=environment(directory),
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process, directory
    finally:
        if process.poll() is None:
            os.killpg(process.pid, 9)
            process.wait()
