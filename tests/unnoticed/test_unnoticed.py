"""Programs of every kind end, print and leave files behind as they do without us.

To spare the time of importing Lightning twice for each, both sides run in forks of one process that has it imported:
under us through the shim's own `main` in a real run directory, bare by what `python PROGRAM` does. That the shim itself
makes the same of a program as Python is shown by whole processes in `tests/runner/test_program.py`.
"""

from __future__ import annotations

import json
import py_compile
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lightning_tui.launch.local import SHIM
from lightning_tui.record.events import FitEnd, ProgramEnd, TelemetryTrouble
from tests.runner.running import PROGRAMS, environment, events_in, make_run

from .cases import CASES, Case

pytestmark = pytest.mark.e2e

_HOME = PROGRAMS / "unnoticed"
_OWN = {"stdin", "stdout", "stderr"}

Run = Callable[[dict[str, Any]], Any]


class Left(NamedTuple):
    """All that somebody outside sees of a program."""

    code: int
    output: str
    errors: str
    files: dict[str, str]


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Run one job in a fork of the process that has Lightning imported; returns its exit code."""
    process = subprocess.Popen(
        [sys.executable, str(_HOME / "preloaded.py"), str(SHIM.parents[1])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(None),
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def run(job: dict[str, Any]) -> Any:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    yield run
    process.stdin.close()
    process.wait(60)
    process.stdout.close()


@pytest.mark.parametrize("name", CASES)
def test_a_program_does_not_notice_us(name: str, run: Run, tmp_path: Path) -> None:
    case = CASES[name]
    directory = make_run(tmp_path)
    bare = left_by(case, "bare", run, tmp_path / "bare", environment(None))
    ours = left_by(case, "ours", run, tmp_path / "ours", environment(directory))
    assert ours == bare
    events = events_in(directory)
    assert [event for event in events if isinstance(event, TelemetryTrouble)] == []
    assert [event.finished for event in events if isinstance(event, FitEnd)] == [True] * case.fits
    told = [event.code for event in events if isinstance(event, ProgramEnd)]
    assert told in ([], [ours.code]) or ours.code < 0


def test_there_are_many() -> None:
    assert len(CASES) >= 70


def left_by(case: Case, side: str, run: Run, place: Path, environ: dict[str, str]) -> Left:
    folder = place / "folder"
    folder.mkdir(parents=True)
    write(case, folder)
    (place / "stdin").write_text(case.stdin)
    for name in ("stdout", "stderr"):
        (place / name).touch()
    streams = {name: str(place / name) for name in _OWN}
    code = run({"side": side, "folder": str(folder), "words": case.words, "environ": environ, **streams})
    text = {name: normalised((place / name).read_bytes(), folder) for name in ("stdout", "stderr")}
    return Left(code, text["stdout"], text["stderr"], files_in(folder))


def write(case: Case, folder: Path) -> None:
    """`a.pyz!/x` is a file in an archive, `a.pyc!` is compiled."""
    (folder / "tiny.py").write_text((_HOME / "tiny.py").read_text())
    (folder / "train.py").write_text(case.source)
    for name, content in case.files.items():
        path, mark, inner = name.partition("!")
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if not mark:
            target.write_text(content)
        elif inner:
            with zipfile.ZipFile(target, "w") as archive:
                archive.writestr(inner[1:], content)
        else:
            (folder / "source").write_text(content)
            py_compile.compile(str(folder / "source"), str(target), dfile="source", doraise=True)


def normalised(data: bytes, folder: Path) -> str:
    text = data.decode(errors="replace").replace(str(folder), "FOLDER")
    text = re.sub(r"0x[0-9a-f]{6,}", "0xADDRESS", text)
    text = re.sub(r"(\r[^\r\n]*)+\n?", "", text)  # a progress bar, which the screen shows in its own way
    below = r'  File "<frozen importlib._bootstrap>", line \d+, in _call_with_frames_removed\n'
    harness = r'  File "[^"]*/preloaded.py", line .*\n(    .*\n)*'
    return re.sub(harness, "", re.sub(below, "", text))


def files_in(folder: Path) -> dict[str, str]:
    """Text of all files; of binary ones, which hold times and addresses, the first bytes."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)
    return {
        str(path.relative_to(folder)): normalised(path.read_bytes() if is_text(path) else path.read_bytes()[:2], folder)
        for path in files
    }


def is_text(path: Path) -> bool:
    return path.suffix in (".py", ".csv", ".yaml", ".txt", ".log")
