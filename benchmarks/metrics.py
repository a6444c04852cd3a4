"""What does it cost to look at curves? Opening a run of 100 metrics and 400 000 steps, and drawing a million points."""

from __future__ import annotations

import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from benchmarks.report import Table
from lightning_tui.record import ProgramRecord, RunDirectory, RunReader, RunStore, Series
from lightning_tui.record.series import CAPACITY
from lightning_tui.ui.drawing.chart import chart
from lightning_tui.ui.drawing.frame import ChartStyle
from lightning_tui.ui.metrics.curves import CurveSettings, drawn_curves
from lightning_tui.ui.metrics.grouping import quantities
from tests.ui import machines, scenes

ResultT = TypeVar("ResultT")

METRICS, STEPS = 100, int(os.environ.get("LIGHTNING_TUI_BENCH_STEPS", "400000"))
POINTS = 1_000_000
STEPS_PER_LINE = 32
"""As many as the telemetry writes of each metric at once."""
WIDTH, HEIGHT = 110, 25
PEER = "0.30 s (W&B LEET, its own report of the same size, on another machine)"


def measure() -> Table:
    """Open twice, without and with the index, then draw."""
    with tempfile.TemporaryDirectory() as folder:
        directory = _record(Path(folder))
        size = (directory.events(0) / "rank-0.jsonl").stat().st_size
        first, _ = _cpu(lambda: _read(directory))
        again, snapshot_metrics = _cpu(lambda: _read(directory))
        assert snapshot_metrics == METRICS
        index = next((directory.path / "index").iterdir()).stat().st_size
        redraws = {
            "one curve": _redraw(CurveSettings()),
            "smoothed, log scale, over time": _redraw(CurveSettings(is_log=True, smoothing=0.99, unit="time")),
        }
    rows = [
        ("open for the first time", f"{first:.1f} s", "–"),
        ("open again, with the index", f"{again:.2f} s", PEER),
*(
            (f"redraw {POINTS // 1_000_000} million points, {name}", f"{spent * 1000:.1f} ms", "–")
            for name, spent in redraws.items()
        ),
    ]  # fmt: skip
    return Table(
        title="Metrics",
        note=f"{METRICS} metrics x {STEPS:,} steps ({size / 1e6:.0f} MB of events, {index / 1e6:.0f} MB index, "
        f"{CAPACITY} bins a metric at most), a chart of {WIDTH}x{HEIGHT} cells; CPU time, redraws' median. "
        "Goals: 0.3 s to open again, 10 ms to redraw.",
        header=["what", "lightning-tui", "peer"],
        rows=rows,
    )


def _record(home: Path) -> RunDirectory:
    """Write the event file; only steps differ from line to line, to write it fast."""
    program = ProgramRecord(label="bench", given=["bench"], folder=str(home), interpreter="python")
    directory, _ = RunStore(home).create(program=program, plan={}, now=time.time())
    chance = random.Random(1)
    values = [",".join(f"{2 + chance.gauss(0, 0.1):.6f}" for _ in range(STEPS_PER_LINE)) for _ in range(METRICS)]
    with (directory.events(0) / "rank-0.jsonl").open("w") as file:
        for number, first in enumerate(range(0, STEPS, STEPS_PER_LINE)):
            steps = ",".join(map(str, range(first, first + STEPS_PER_LINE)))
            series = ",".join(
                f'"metric_{name:03d}":{{"steps":[{steps}],"values":[{column}]}}' for name, column in enumerate(values)
            )
            file.write(f'{{"event":"metrics","seq":{number},"time":{first},"epoch":0,"series":{{{series}}}}}\n')
    return directory


def _read(directory: RunDirectory) -> int:
    reader = RunReader(directory)
    while reader.poll():
        pass
    return len(reader.snapshot().metrics)


def _redraw(settings: CurveSettings) -> float:
    """CPU seconds to draw a chart anew."""
    chance = random.Random(2)
    series = Series()
    for step in range(POINTS):
        series.add(step, 1.0 + 3.0 / (1 + step / 1e5) + chance.gauss(0, 0.05))
    with tempfile.TemporaryDirectory() as folder:
        run = scenes.training(Path(folder))
    run = machines.replace_struct(run, metrics={"train_loss": series}, timeline=scenes.timeline(POINTS, POINTS // 10))
    loss = quantities(run.metrics)[0]
    look = ChartStyle(settings.is_log, None, None, (), settings.unit)

    def draw() -> None:
        chart([one.curve for one in drawn_curves(run, loss, settings)], WIDTH, HEIGHT, look)

    return statistics.median(_cpu(draw)[0] for _ in range(15))


def _cpu(act: Callable[[], ResultT]) -> tuple[float, ResultT]:
    began = time.process_time()
    result = act()
    return time.process_time() - began, result
