"""The cockpit as a process on a real pseudo-terminal: what it imports, how it ends, what a stalled terminal does."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest

from lightning_tui.record import RunStore
from lightning_tui.record.directory import ProgramRecord
from tests.conftest import wait_until

ROOT = Path(__file__).resolve().parents[2]

HEAVY = ("torch", "lightning", "pytorch_lightning", "psutil", "pynvml", "numpy")
LATER = (
    *("record", "output", "environment", "launch", "gpus", "diagnosis", "runner", "demo", "ui.modals"),
    *("services.estimating", "services.explaining", "services.plans", "services.relaunching", "services.starting"),
    *("ui.logfollow", "ui.logindex", "ui.logsearch", "ui.logcopy", "ui.metric_exports", "ui.metric_svg"),
)
"""Parts of the house that the first frame does not need: each takes milliseconds to import."""

OPEN = """
import os, sys
from pathlib import Path
from lightning_tui.plan.model import Plan
from lightning_tui.settings import Settings
from lightning_tui.ui import CockpitOptions, run_cockpit
settings = Settings(runs_home=Path(sys.argv[1]), runs_home_reason="test")
attach = None
if len(sys.argv) > 2:
    from lightning_tui.record import RunDirectory
    attach = RunDirectory(Path(sys.argv[2]))
{before}
sys.exit(run_cockpit(CockpitOptions(settings=settings, given=["demo"], interpreter=Path(sys.executable),
    interpreter_is_given=False, plan=Plan(), attach=attach, start_at_once=False, environ=dict(os.environ))))
"""

AT_FIRST_FRAME = """
from lightning_tui.ui.cockpit.screen import CockpitScreen
def begin(self):
    Path(os.environ["SEEN"]).write_text("\\n".join(sys.modules))
    self.app.exit()
CockpitScreen._begin = begin
"""


def without_size(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without what would override the terminal's own size (test runners set it)."""
    return {name: value for name, value in environ.items() if name not in ("COLUMNS", "LINES")}


class Terminal:
    """A cockpit on a pseudo-terminal; its output is read only when somebody asks."""

    def __init__(self, *arguments: str, before: str = "", **environ: str) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 36, 120, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-c", OPEN.replace("{before}", before), *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=ROOT,
            env={**without_size(os.environ), "TERM": "xterm-256color", **environ},
            start_new_session=True,
        )
        os.close(slave)
        self.output = b""

    def read(self, patience_s: float = 0.1) -> None:
        """Take what has been written."""
        while select.select([self.master], [], [], patience_s)[0]:
            try:
                data = os.read(self.master, 1 << 16)
            except OSError:
                return
            if not data:
                return
            self.output += data

    def unread(self) -> int:
        """Bytes that have been written and wait to be taken."""
        return int(struct.unpack("i", fcntl.ioctl(self.master, termios.FIONREAD, bytes(4)))[0])

    def read_until(self, text: bytes, patience_s: float = 30.0) -> None:
        """Read until `text` has been written."""
        deadline = time.monotonic() + patience_s
        while text not in self.output:
            assert time.monotonic() < deadline, f"{text!r} never came; the output ends with {self.output[-500:]!r}"
            self.read()

    def is_stopped(self) -> bool:
        """Whether ctrl+z has taken effect; reads on, since what is not read holds the cockpit up."""
        self.read(0.02)
        return psutil.Process(self.process.pid).status() == psutil.STATUS_STOPPED

    def end(self, patience_s: float = 20.0) -> int:
        """Wait for the process to end, reading on."""
        deadline = time.monotonic() + patience_s
        while self.process.poll() is None:
            assert time.monotonic() < deadline, "the cockpit does not end"
            self.read(0.05)
        self.read()
        return self.process.returncode

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)


@pytest.fixture
def open_terminals() -> Iterator[list[Terminal]]:
    terminals: list[Terminal] = []
    yield terminals
    for terminal in terminals:
        terminal.close()


def test_importing_the_package_does_not_import_textual() -> None:
    code = "import sys, lightning_tui.ui; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = modules.stdout.split()
    assert not [name for name in ("textual", "rich", "msgspec", *HEAVY) if name in loaded]


def test_nothing_slow_is_imported_before_the_first_frame(tmp_path: Path, open_terminals: list[Terminal]) -> None:
    seen = tmp_path / "modules"
    terminal = Terminal(str(tmp_path / "runs"), before=AT_FIRST_FRAME, SEEN=str(seen))
    open_terminals.append(terminal)
    assert terminal.end() == 0
    loaded = seen.read_text().split("\n")
    assert "textual" in loaded
    later = tuple(f"lightning_tui.{name}" for name in LATER)
    assert not [name for name in loaded if name in HEAVY or name.startswith(tuple(f"{part}." for part in later))]
    assert not set(loaded) & set(later)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_restores_the_terminal(
    number: signal.Signals, code: int, tmp_path: Path, open_terminals: list[Terminal]
) -> None:
    terminal = Terminal(str(tmp_path / "runs"))
    open_terminals.append(terminal)
    terminal.read_until(b"Environment")
    terminal.process.send_signal(number)
    assert terminal.end() == code
    assert terminal.output.rfind(b"\x1b[?1049l") > terminal.output.rfind(b"\x1b[?1049h")
    assert terminal.output.rfind(b"\x1b[?25h") > terminal.output.rfind(b"\x1b[?25l")


def test_the_quit_key_ends_it_and_restores_the_terminal(tmp_path: Path, open_terminals: list[Terminal]) -> None:
    terminal = Terminal(str(tmp_path / "runs"))
    open_terminals.append(terminal)
    terminal.read_until(b"Platform")
    os.write(terminal.master, b"q")
    assert terminal.end() == 0
    assert terminal.output.rfind(b"\x1b[?1049l") > terminal.output.rfind(b"\x1b[?1049h")


def test_after_ctrl_z_and_fg_the_whole_screen_is_drawn_again(tmp_path: Path, open_terminals: list[Terminal]) -> None:
    terminal = Terminal(str(tmp_path / "runs"))
    open_terminals.append(terminal)
    terminal.read_until(b"Platform")
    os.write(terminal.master, b"\x1a")
    wait_until(terminal.is_stopped, 20.0, "the stop")
    terminal.read(0.3)
    terminal.output = b""
    terminal.process.send_signal(signal.SIGCONT)
    for words in (b"lightning-tui", b"Environment", b"precision", b"No run yet", b"palette"):
        terminal.read_until(words)


def test_sigterm_ends_it_while_the_terminal_takes_nothing(tmp_path: Path, open_terminals: list[Terminal]) -> None:
    program = ProgramRecord(label="x.py", given=["x.py"], folder="/", interpreter=sys.executable)
    directory, _ = RunStore(tmp_path / "runs").create(program=program, plan={}, now=time.time())
    log = directory.output(0, 0)
    log.write_bytes(b"first line of the log\n")
    terminal = Terminal(str(tmp_path / "runs"), str(directory.path))
    open_terminals.append(terminal)
    terminal.read_until(b"first line")
    held, since, began = 0, time.monotonic(), time.monotonic()
    with log.open("ab", buffering=0) as file:
        while not held or time.monotonic() < since + 3:  # nobody reads: the terminal's buffer fills, then it stands
            assert time.monotonic() < began + 60
            file.write(os.urandom(3000).hex().encode() + b"\n")
            time.sleep(0.02)
            if terminal.unread() != held:
                held, since = terminal.unread(), time.monotonic()
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.process.wait(timeout=15) == 143
