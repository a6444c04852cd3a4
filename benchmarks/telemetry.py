"""What does telemetry add to a training step, beside what Lightning's own progress bars add?"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.report import Table
from benchmarks.startup import cockpit_command
from benchmarks.terminal import Terminal

REPEATS = 5
PROGRAM = Path(__file__).parent / "programs" / "steps.py"


def measure() -> Table:
    """The same 3,000 tiny steps bare, with each bar on a real pty, and under lightning-tui."""
    variants = {
        "bare": "none",
        "TQDMProgressBar (peer)": "tqdm",
        "RichProgressBar (peer)": "rich",
        "lightning-tui": "none",
    }
    medians: dict[str, list[float]] = {name: [] for name in variants}
    means: dict[str, list[float]] = {name: [] for name in variants}
    with tempfile.TemporaryDirectory() as place:
        for _ in range(REPEATS):
            for name, bar in variants.items():
                steps = _run(bar, Path(place), under_us=name == "lightning-tui")
                medians[name].append(statistics.median(steps))
                means[name].append(statistics.fmean(steps))
    bare_median, bare_mean = statistics.median(medians["bare"]), statistics.median(means["bare"])
    rows = [
        [
            name,
            f"{statistics.median(medians[name]) * 1e6:.0f} µs",
            f"{(statistics.median(medians[name]) - bare_median) * 1e6:+.0f} µs",
            f"{(statistics.median(means[name]) - bare_mean) * 1e6:+.0f} µs",
        ]
        for name in variants
    ]
    return Table(
        title="Added time per training step",
        note=f"3,000 steps of one linear layer on one CPU thread, {REPEATS} interleaved repeats each, in a pty; "
        "the added mean holds the flushes too. lightning-tui is the whole product: `run`, supervisor, telemetry.",
        header=["variant", "median step", "added (median)", "added (mean)"],
        rows=rows,
    )


def _run(bar: str, place: Path, *, under_us: bool) -> list[float]:
    out = place / "steps.json"
    out.unlink(missing_ok=True)
    program = [str(PROGRAM), "--bar", bar, "--out", str(out)]
    ours = [*cockpit_command(), "run", "--python", sys.executable, "--"]
    argv = [*ours, *program] if under_us else [sys.executable, *program]
    environ = {**os.environ, "TERM": "xterm-256color", "LIGHTNING_TUI_HOME": str(place / "runs")}
    with Terminal(argv, environ=environ) as terminal:
        terminal.drain(120.0)
    times: list[float] = json.loads(out.read_text())
    return times
