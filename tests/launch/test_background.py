"""Leaving the caller: what it sees, and that work is not begun for a caller that has gone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import wait_until

_PROGRAM = """
import os, sys, time
from pathlib import Path
from lightning_tui.launch.background import in_background

def work(caller):
    Path("pid").write_text(str(os.getpid()))
    while not Path("go").exists():
        time.sleep(0.01)
    Path("waits").write_text(str(caller.still_waits()))
    {then}

sys.exit(in_background(work))
"""

AFTER_LETTING_GO = """caller.let_go()
    for _ in range(6000):
        if Path("end").exists():
            break
        time.sleep(0.01)
    Path("done").touch()
    return 0
"""


def begin(folder: Path, then: str) -> subprocess.Popen[bytes]:
    environ = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM.format(then=then)], cwd=folder, env=environ, stderr=subprocess.PIPE
    )


def test_the_caller_is_let_go_when_the_work_has_begun(tmp_path: Path) -> None:
    with begin(tmp_path, AFTER_LETTING_GO) as process:
        (tmp_path / "go").touch()
        assert process.wait(30) == 0
        assert not (tmp_path / "done").exists()
        (tmp_path / "end").touch()
    wait_until((tmp_path / "done").exists, what="the end of the work")
    assert (tmp_path / "waits").read_text() == "True"


def test_work_that_fails_before_it_begins_is_told(tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    with begin(tmp_path, "raise ValueError('broken')") as process:
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert b"ValueError: broken" in errors


def test_a_caller_that_has_gone_is_noticed(tmp_path: Path) -> None:
    with begin(tmp_path, "caller.let_go(); Path('done').touch(); return 0") as process:
        wait_until((tmp_path / "pid").exists, what="the work")
        process.kill()
    (tmp_path / "go").touch()
    wait_until((tmp_path / "done").exists, what="the end of the work")
    assert (tmp_path / "waits").read_text() == "False"
