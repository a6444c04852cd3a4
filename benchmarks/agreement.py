"""What does it cost that two ranks can be told something at the same step?"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.report import Table
from benchmarks.startup import cockpit_command

REPEATS = 7
STEPS = 600
PROGRAM = Path(__file__).parent / "programs" / "ranks.py"


def measure(repeats: int = REPEATS, steps: int = STEPS) -> Table:
    """Two ranks bare, with a broadcast after each step, and under lightning-tui; the repeats are interleaved."""
    variants = {"no agreement": "no", "a broadcast each step (peer)": "each-step", "lightning-tui": "no"}
    medians: dict[str, list[float]] = {name: [] for name in variants}
    means: dict[str, list[float]] = {name: [] for name in variants}
    with tempfile.TemporaryDirectory() as place:
        for _ in range(repeats):
            for name, agree in variants.items():
                times = _run(agree, steps, Path(place), under_us=name == "lightning-tui")
                medians[name].append(statistics.median(times))
                means[name].append(statistics.fmean(times))
    bare_median, bare_mean = (statistics.median(kind["no agreement"]) for kind in (medians, means))
    rows = [
        [
            name,
            f"{statistics.median(medians[name]) * 1e3:.2f} ms",
            f"{(statistics.median(medians[name]) - bare_median) * 1e6:+.0f} µs",
            f"{(statistics.median(means[name]) - bare_mean) * 1e6:+.0f} µs",
            f"{(max(means[name]) - min(means[name])) * 1e6:.0f} µs",
        ]
        for name in variants
    ]
    return Table(
        title="Agreement of two ranks",
        note=f"{steps} steps of about 15 ms of a small DDP model on two gloo ranks, {repeats} interleaved repeats "
        "each. Under lightning-tui all of it runs: supervisor, telemetry of both ranks, commands agreed by both. "
        "The spread is that of the same variant's means between repeats: what is smaller is noise.",
        header=["variant", "median step", "added (median)", "added (mean)", "spread of the means"],
        rows=rows,
    )


def _run(agree: str, steps: int, place: Path, *, under_us: bool) -> list[float]:
    out = place / "steps.json"
    out.unlink(missing_ok=True)
    program = [str(PROGRAM), "--agree", agree, "--steps", str(steps), "--out", str(out)]
    ours = [*cockpit_command(), "run", "--python", sys.executable, "--"]
    argv = [*ours, *program] if under_us else [sys.executable, *program]
    environ = {**os.environ, "LIGHTNING_TUI_HOME": str(place / "runs")}
    subprocess.run(argv, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, timeout=300)
    times: list[float] = json.loads(out.read_text())
    return times
