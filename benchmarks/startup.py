"""How long until the first frame, and until `--version` has answered?"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.report import Table, milliseconds
from benchmarks.terminal import Terminal

REPEATS = 15


def measure() -> Table:
    """Cockpit against a one-widget Textual app, `--version` against a bare interpreter, interleaved."""
    with tempfile.TemporaryDirectory() as place:
        environ = {
            **os.environ,
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "LIGHTNING_TUI_HOME": f"{place}/runs",
        }
        peer = str(Path(__file__).parent / "programs" / "one_widget.py")
        cases: dict[str, Callable[[], float]] = {
            "first frame: cockpit": lambda: _first_frame(cockpit_command(), [b"Plan", b"Log"], environ),
            "first frame: one-widget Textual app (peer)": lambda: _first_frame(
                [sys.executable, peer], [b"one widget"], environ
            ),
            "`lightning-tui --version`": lambda: _run_to_end([*cockpit_command(), "--version"]),
            "`python -c pass` (peer)": lambda: _run_to_end([sys.executable, "-c", "pass"]),
        }
        times: dict[str, list[float]] = {name: [] for name in cases}
        for case in cases.values():
            case()  # warm the caches
        for _ in range(REPEATS):
            for name, case in cases.items():
                times[name].append(case())
    rows = [
        [name, milliseconds(statistics.median(t)), f"{milliseconds(min(t))}–{milliseconds(max(t))}"]
        for name, t in times.items()
    ]
    return Table(
        title="Start-up",
        note=f"From exec, warm caches, 120x36 pty, medians of {REPEATS} interleaved repeats. "
        "Goals: first frame <= 350 ms, `--version` <= 60 ms.",
        header=["what", "median", "range"],
        rows=rows,
    )


def cockpit_command() -> list[str]:
    command = Path(sys.executable).parent / "lightning-tui"
    return [str(command)] if command.exists() else [sys.executable, "-m", "lightning_tui"]


def _first_frame(argv: Sequence[str], words: Sequence[bytes], environ: dict[str, str]) -> float:
    with Terminal(argv, environ=environ) as terminal:
        return terminal.until(words).seconds


def _run_to_end(argv: Sequence[str]) -> float:
    began = time.perf_counter()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began
