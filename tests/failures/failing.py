"""Run a failing program as a real run, and read from its directory what the diagnosis says of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lightning_tui.diagnosis import Diagnosis, diagnose, evidence_of_run
from lightning_tui.diagnosis.model import CodeHint
from lightning_tui.launch import resolve_program, start_run
from lightning_tui.record import RunDirectory, RunReader, RunSnapshot, RunStore
from lightning_tui.services.children import relaunch
from lightning_tui.settings import Settings
from tests.conftest import wait_until
from tests.launch.support import wait_for_end

PROGRAMS = Path(__file__).parents[1] / "programs" / "failing"
PATIENCE_S = 120.0


class Ended(NamedTuple):
    """A run that is over."""

    directory: RunDirectory
    snapshot: RunSnapshot
    output: str
    found: tuple[Diagnosis, ...]

    @property
    def root(self) -> Diagnosis:
        """The first diagnosis: what it all comes from."""
        assert self.found, self.last_words
        return self.found[0]

    @property
    def last_words(self) -> str:
        """The end of the output, for a test that fails."""
        return self.output[-1500:]


class Lab:
    """A folder to work in, and a home of runs."""

    def __init__(self, home: Path, folder: Path) -> None:
        self.settings = Settings(runs_home=home, runs_home_reason="test")
        self.folder = folder

    def start(
        self,
        words: list[str],
        plan: Mapping[str, Any] | None = None,
        interpreter: Path | None = None,
        stop_patience_s: float = 30.0,
    ) -> RunDirectory:
        """Start a program of `tests/programs/failing` in the folder."""
        program = resolve_program(
            [str(PROGRAMS / words[0]) if (PROGRAMS / words[0]).is_file() else words[0], *words[1:]],
            interpreter=interpreter or Path(sys.executable),
            interpreter_is_given=True,
            folder=self.folder,
            environ=os.environ,
        )
        store = RunStore(self.settings.runs_home)
        return start_run(store, program, plan or {}, environ=os.environ, stop_patience_s=stop_patience_s)

    def suffer(
        self,
        words: list[str],
        plan: Mapping[str, Any] | None = None,
        interpreter: Path | None = None,
        meanwhile: Callable[[RunDirectory], None] = lambda _: None,
    ) -> Ended:
        """Start a program, do something meanwhile, and wait for its end."""
        directory = self.start(words, plan, interpreter)
        meanwhile(directory)
        return ended(directory)

    def again(self, failed: Ended, changes: Mapping[str, Any], checkpoint: str | None = None) -> RunDirectory:
        """Relaunch with what a suggestion changes."""
        return relaunch(self.settings, failed.directory, changes, checkpoint=checkpoint, environ=os.environ)


def ended(directory: RunDirectory) -> Ended:
    """Wait for the end, and diagnose."""
    snapshot = wait_for_end(directory, PATIENCE_S)
    words = "\n".join(path.read_text(errors="replace") for path in directory.outputs(0).values())
    return Ended(directory, snapshot, words, diagnose(evidence_of_run(directory, snapshot)))


def wait_for(directory: RunDirectory, condition: Callable[[RunSnapshot], bool]) -> None:
    """Follow a run until a condition holds of it."""
    reader = RunReader(directory)

    def holds() -> bool:
        reader.poll()
        return condition(reader.snapshot())

    wait_until(holds, PATIENCE_S)


def changes_of(diagnosis: Diagnosis, *fields: str) -> dict[str, Any]:
    """The changes of the first suggestion that changes just these fields."""
    offered = [suggestion.changes for suggestion in diagnosis.suggestions if suggestion.changes]
    for changes in offered:
        if set(changes) == set(fields):
            return changes
    raise AssertionError(f"{diagnosis.category} offers {offered}, nothing that changes {', '.join(fields)}")


def check_place(where: CodeHint | None, program: str, mark: str = "# here") -> None:
    """The hint names the line of the program that ends with the mark."""
    assert where is not None
    lines = (PROGRAMS / program).read_text().splitlines()
    (expected,) = [number for number, line in enumerate(lines, 1) if line.endswith(mark)]
    assert (Path(where.path).name, where.line) == (program, expected)
