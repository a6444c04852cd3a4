"""The whole way for real: the cockpit in a pty, a real training behind it, and everything that may happen to either."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from lightning_tui.record import RunDirectory, RunSnapshot, RunState, read_snapshot
from lightning_tui.record.directory import process_belongs
from tests.cli.command import lightning_tui, newest_snapshot, runs
from tests.conftest import wait_until
from tests.e2e.screen import Screen

pytestmark = pytest.mark.e2e


def processes_of(directory: RunDirectory) -> list[int]:
    return [pid for pid in psutil.pids() if process_belongs(pid, directory)]


def step_of(snapshot: RunSnapshot) -> int:
    return snapshot.progress.global_step if snapshot.progress else 0


def has_run() -> bool:
    return any(True for _ in runs())


def wait_for_steps(steps: int, patience_s: float = 120.0) -> RunSnapshot:
    wait_until(lambda: has_run() and step_of(newest_snapshot()) >= steps, patience_s, f"step {steps}")
    return newest_snapshot()


def test_the_training_outlives_the_screen_and_stops_from_another() -> None:
    with Screen("demo") as first:
        first.wait_for("training", "loss", patience_s=120)
        before = wait_for_steps(5)
        first.kill()
    directory = next(runs())
    wait_for_steps(step_of(before) + 5)
    assert newest_snapshot().state in (RunState.TRAINING, RunState.VALIDATING)

    with Screen("attach") as second:
        second.wait_for("training", "loss", directory.id.rpartition("-")[2])
        wait_for_steps(step_of(newest_snapshot()) + 5)
        second.press("x")
        second.wait_for("stopped", patience_s=90)
        assert processes_of(directory) == []
        stopped = read_snapshot(directory)
        assert stopped.state is RunState.STOPPED
        assert [
            c.path for c in stopped.checkpoints if Path(c.path).name.startswith("stopped-") and Path(c.path).exists()
        ]
        assert {"train_loss", "lr-AdamW"} <= set(stopped.metrics)
        assert "lr" not in stopped.metrics, "the demo shows its learning rate itself"
        second.press("q")
        assert second.wait_for_exit() == 0
    assert b"\x1b[?1049l" in second.terminal.output


def test_a_killed_supervisor_is_said_and_stop_still_works() -> None:
    started = lightning_tui("run", "--detach", "--", "demo")
    assert started.returncode == 0, started.stderr
    directory = next(runs())
    before = wait_for_steps(5)
    assert before.supervisor is not None
    os.kill(before.supervisor.pid, signal.SIGKILL)
    wait_until(lambda: newest_snapshot().state is RunState.LOST, what="state lost")
    wait_for_steps(step_of(before) + 5)
    with Screen("attach") as screen:
        screen.wait_for("lost", "stop works")
    done = lightning_tui("stop", directory.id)
    assert done.returncode == 0, done.stderr
    assert newest_snapshot().state is RunState.STOPPED
    assert processes_of(directory) == []


def test_the_cockpit_never_imports_torch(tmp_path: Path) -> None:
    out = tmp_path / "modules.json"
    program = tmp_path / "quick.py"
    program.write_text("print('hello from the program')\n")
    script = (
        "import json, sys\n"
        "from lightning_tui.cli import main\n"
        f"code = main(['--', {str(program)!r}])\n"
        f"open({str(out)!r}, 'w').write(json.dumps(sorted(sys.modules)))\n"
        "sys.exit(code)\n"
    )
    with Screen(argv=[sys.executable, "-c", script]) as screen:
        screen.wait_for("start")
        screen.press("s")
        screen.wait_for("finished", "hello from the program")
        screen.press("q")
        assert screen.wait_for_exit() == 0
    modules = set(json.loads(out.read_text()))
    assert "textual" in modules
    assert not modules & {"torch", "lightning", "pytorch_lightning"}


def test_garbage_and_escape_sequences_leave_the_terminal_intact(tmp_path: Path) -> None:
    program = tmp_path / "garbage.py"
    program.write_text(
        "import sys, os\n"
        "sys.stdout.buffer.write(bytes(range(256)) + b'\\x1b[2J\\x1b[?1049l\\x1b]0;owned\\x07')\n"
        "sys.stdout.buffer.write(b'\\x1b[31mred\\x1b[0m\\n')\n"
        "sys.stdout.buffer.write(os.urandom(200000))\n"
        "sys.stdout.buffer.flush()\n"
        "print('\\nthe last line')\n"
    )
    with Screen("--", str(program), columns=80, rows=24) as screen:
        screen.wait_for("start")
        screen.press("s")
        screen.wait_for("finished", "the last line")
        assert screen.terminal.output.count(b"\x1b[?1049l") == 0
        screen.press("q")
        assert screen.wait_for_exit() == 0
    assert b"\x1b]0;owned" not in screen.terminal.output


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_signals_leave_the_terminal_clean(tmp_path: Path, number: signal.Signals, code: int) -> None:
    program = tmp_path / "quick.py"
    program.write_text("")
    with Screen("--", str(program)) as screen:
        screen.wait_for("start")
        os.kill(screen.pid, number)
        assert screen.wait_for_exit() == code
    assert b"\x1b[?1049l" in screen.terminal.output


def test_a_missing_program_is_a_sentence_on_the_screen(tmp_path: Path) -> None:
    with Screen("--", str(tmp_path / "nowhere.py")) as screen:
        screen.wait_for("start")
        screen.press("s")
        screen.wait_for("could not be started", "no such file")
        assert not has_run()
        screen.press("\x1b")
        screen.wait_until_gone("could not be started")  # else the two keys are read as alt+q
        screen.press("q")
        assert screen.wait_for_exit() == 0
