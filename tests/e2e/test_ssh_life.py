"""What a connection does to a cockpit over a running program: storms of resizes, a stall, ctrl+z, hang-ups."""

from __future__ import annotations

import fcntl
import re
import signal
import struct
import termios
import time
from pathlib import Path

import psutil
import pytest

from lightning_tui.launch import request
from lightning_tui.record import RunState
from tests.cli.command import newest_snapshot, runs
from tests.conftest import wait_until
from tests.e2e.screen import Screen
from tests.launch.support import program_pid

pytestmark = pytest.mark.e2e

PROGRAM = """
import time
from pathlib import Path
for number in range(1_000_000):
    Path("count.partial").write_text(str(number))
    Path("count.partial").rename("count")
    print(f"line {number} " + "x" * 200)
    time.sleep(0.005)
"""
MODES_TO_LEAVE = (b"1049", b"1000", b"1003", b"1006", b"2004")
"""The other screen, three of the mouse, and pasting: what a cockpit that left them on would do to the shell."""


def resize(screen: Screen, columns: int, rows: int) -> None:
    fcntl.ioctl(screen.terminal.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def newest_line(screen: Screen) -> int:
    return max((int(number) for number in re.findall(r"line (\d+) x", screen.text())), default=-1)


def is_clean(output: bytes) -> bool:
    """Whether all that was switched on was switched off after that, and the cursor is shown."""
    left = [output.rfind(b"\x1b[?%sl" % mode) >= output.rfind(b"\x1b[?%sh" % mode) for mode in MODES_TO_LEAVE]
    return all(left) and output.rfind(b"\x1b[?25h") > output.rfind(b"\x1b[?25l")


def test_whatever_the_connection_does_the_run_goes_on_and_the_terminal_is_left_clean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "prints.py"
    program.write_text(PROGRAM)
    counted = tmp_path / "count"

    def goes_on() -> None:
        before = int(counted.read_text())
        wait_until(lambda: int(counted.read_text()) > before + 5, 20, "more of the program's work")

    monkeypatch.chdir(tmp_path)
    with Screen("--", str(program)) as screen:
        screen.wait_for("start")
        screen.press("s")
        screen.wait_for("line ", patience_s=60)
        for number in range(150):
            resize(screen, 40 + number % 100, 10 + number % 40)
        resize(screen, 120, 36)
        screen.wait_for("line ", "prints.py")
        goes_on()
        stalled_until = time.monotonic() + 3  # nobody reads: the terminal's buffer is full, the cockpit waits for it
        wait_until(lambda: time.monotonic() > stalled_until)
        goes_on()
        newest = int(counted.read_text())
        wait_until(lambda: newest_line(screen) >= newest, 30, "a screen that has caught up")
        screen.press("\x1a")
        cockpit = psutil.Process(screen.pid)
        wait_until(lambda: screen.text() is not None and cockpit.status() == psutil.STATUS_STOPPED, 20, "the stop")
        screen.terminal.drain(0.2)
        assert is_clean(screen.terminal.output), "the shell has the terminal while the cockpit is put aside"
        goes_on()
        cockpit.send_signal(signal.SIGCONT)
        screen.wait_for("line ", "prints.py")
        cockpit.send_signal(signal.SIGHUP)
        assert screen.wait_for_exit() == 129
    assert is_clean(screen.terminal.output)
    goes_on()
    (directory,) = runs()
    assert psutil.pid_exists(program_pid(directory))
    request(directory, "stop")
    wait_until(lambda: newest_snapshot().state.is_final, what="the end")
    assert newest_snapshot().state is RunState.STOPPED
