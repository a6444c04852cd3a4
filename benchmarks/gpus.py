"""What does it cost to show GPUs? The idle cockpit against nvitop, a GPU monitor, both on the same made-up GPUs.

The GPUs come from the stand-in for the driver's library that the tests use, so that no driver's own cost is measured.
nvitop's screen is GPL-3: it is installed into a folder of its own and run as a program, never imported.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.report import Table
from benchmarks.startup import cockpit_command
from benchmarks.terminal import Terminal
from lightning_tui.ui.threads import HARDWARE_PERIOD_S
from tests.gpus.stub import build_stub, write_scene

COUNTS = (8, 64)
SETTLE_S = 8.0
WINDOW_S = 20.0
COLUMNS, ROWS = 120, 80
"""Room for both programs to draw each of 64 GPUs."""

_STEADY: Mapping[str, object] = {}
_MOVING = {"utilization": "35..97", "memory": "20000..62000", "temperature": "48..79", "power": "180..640"}
SCENES = {"nothing changes": _STEADY, "all readings move": _MOVING}


class Cost(NamedTuple):
    """What a program took while it showed the GPUs."""

    cpu: float
    """Share of one core."""
    bytes_per_s: float
    """Written to the terminal."""


def measure() -> Table:
    """Both programs side by side, in turn, for each number of GPUs and each scene."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        build_stub(place)
        nvitop = _install_nvitop(place / "nvitop")
        rows = []
        for count in COUNTS:
            for scene, settings in SCENES.items():
                environ = _environ(place, {"gpus": count, **settings})
                rows.append(_row("lightning-tui", count, scene, _cost(cockpit_command(), [b"Plan", b"Log"], environ)))
                if nvitop is not None:
                    command = [nvitop, "--interval", "1"]
                    rows.append(_row("nvitop (peer)", count, scene, _cost(command, [b"NVITOP"], environ)))
    missing = "" if nvitop is not None else " nvitop could not be installed here, so there is no peer."
    return Table(
        title="Showing GPUs",
        note="The idle cockpit and nvitop on the same stand-in for NVIDIA's library. The driver is asked once a "
        f"second, nvitop draws every second, the cockpit every {HARDWARE_PERIOD_S:.0f} s; {COLUMNS}x{ROWS} pty, "
        f"{WINDOW_S:.0f} s each after {SETTLE_S:.0f} s to settle.{missing} Goals: at most half of nvitop's CPU, "
        "at most 2 % of a core at 64 GPUs, under 1 KB/s where nothing changes.",
        header=["program", "GPUs", "scene", "CPU (one core)", "to the terminal"],
        rows=rows,
    )


def _row(program: str, count: int, scene: str, cost: Cost) -> Sequence[str]:
    return program, str(count), scene, f"{cost.cpu:.1%}", f"{cost.bytes_per_s / 1000:.2f} KB/s"


def _cost(argv: Sequence[str], words: Sequence[bytes], environ: Mapping[str, str]) -> Cost:
    with Terminal(argv, columns=COLUMNS, rows=ROWS, environ=environ) as terminal, _lasting(terminal):
        terminal.until(words)
        terminal.drain(SETTLE_S)
        before = _cpu_seconds(terminal.pid)
        written = terminal.drain(WINDOW_S)
        return Cost((_cpu_seconds(terminal.pid) - before) / WINDOW_S, written / WINDOW_S)


@contextmanager
def _lasting(terminal: Terminal) -> Iterator[None]:
    """Say what the program wrote last where it ended too soon."""
    try:
        yield
    except (TimeoutError, psutil.Error) as error:
        raise RuntimeError(f"the program ended too soon: {terminal.output[-500:]!r}") from error


def _cpu_seconds(pid: int) -> float:
    """CPU time of a program and of the children that it waited for."""
    return sum(psutil.Process(pid).cpu_times()[:4])


def _environ(place: Path, scene: Mapping[str, object]) -> dict[str, str]:
    return {
        **os.environ,
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "LD_LIBRARY_PATH": str(place),
        "FAKE_NVML_SCENE": str(write_scene(place / "scene", scene)),
        "LIGHTNING_TUI_HOME": str(place / "runs"),
    }


def _install_nvitop(folder: Path) -> str | None:
    """Path of the program; `None` where it cannot be installed."""
    try:
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, capture_output=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "nvitop"]
        subprocess.run(pip, check=True, capture_output=True, timeout=300)
    except (subprocess.SubprocessError, OSError):
        return None
    return str(folder / "bin" / "nvitop")
