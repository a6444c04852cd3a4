"""How long does a list of 2,000 runs take? The first time, and when what it needs is kept."""

from __future__ import annotations

import itertools
import json
import os
import random
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.report import Table, milliseconds
from benchmarks.startup import cockpit_command
from lightning_tui.record import RunDirectory, RunStore, read_snapshot
from lightning_tui.record.directory import ProgramRecord
from lightning_tui.record.summaries import leave_summary

RUNS = int(os.environ.get("LIGHTNING_TUI_BENCH_RUNS", "2000"))
LONG_ONES = 50
LONG_LINES, SHORT_LINES = 2500, 40
"""Metric lines of a run: of one in `RUNS / LONG_ONES`, and of the others. A line is about 1.2 KB."""
SCREENFUL = 40
REPEATS = 9


def measure() -> Table:
    """List them without anything kept, then with, against a bare read of every `run.json`."""
    with tempfile.TemporaryDirectory() as place:
        home = Path(place) / "runs"
        size = make_runs(home)
        time.sleep(3)  # what was changed within the last seconds is not kept
        store = RunStore(home)
        screenful = _timed(lambda: len(list(itertools.islice(store.summaries(), SCREENFUL))))
        (home / "summaries.msgpack").unlink(missing_ok=True)
        first = _timed(lambda: len(list(store.summaries())))
        for directory in store.directories():
            leave_summary(directory, read_snapshot(directory))
        (home / "summaries.msgpack").unlink()
        left = _timed(lambda: len(list(store.summaries())))
        kept = (home / "summaries.msgpack").stat().st_size
        cases: dict[str, Callable[[], object]] = {
            "the list, with what is kept": lambda: len(list(store.summaries())),
            "every `run.json` read with json (peer)": lambda: len(list(_naive(home))),
            "`lightning-tui runs`": lambda: _command(["runs"], home),
            "`find -name run.json` (peer)": lambda: _find(home),
        }
        times = {name: [_timed(case) for _ in range(REPEATS)] for name, case in cases.items()}
    rows = [
        [f"first {SCREENFUL} rows, nothing kept", milliseconds(screenful), "–"],
        ["all rows, nothing kept", milliseconds(first), "–"],
        ["all rows, for the first time, as supervisors have left them", milliseconds(left), "–"],
        *(
            [name, milliseconds(statistics.median(t)), f"{milliseconds(min(t))}–{milliseconds(max(t))}"]
            for name, t in times.items()
        ),
    ]
    return Table(
        title="A list of runs",
        note=f"{RUNS:,} runs that are over, {size / 1e6:.0f} MB of events ({LONG_ONES} runs have "
        f"{LONG_LINES * 1.2 / 1e3:.0f} MB each), {kept / 1e6:.1f} MB kept; warm caches, medians of {REPEATS}. A row "
        "has state, progress, best metric and size on disk; the peers tell no more than that there is a run. "
        "Goal: 0.5 s.",
        header=["what", "median", "range"],
        rows=rows,
    )


def make_runs(home: Path, runs: int = RUNS) -> int:
    """Write runs as a finished training leaves them; returns the bytes of their event files."""
    store, chance = RunStore(home), random.Random(1)
    return sum(
        _write_run(store, number, LONG_LINES if number % max(1, runs // LONG_ONES) == 0 else SHORT_LINES, chance)
        for number in range(runs)
    )


def _write_run(store: RunStore, number: int, lines: int, chance: random.Random) -> int:
    program = ProgramRecord(label="train.py", given=["train.py"], folder="/work", interpreter="/usr/bin/python3")
    began = 1_700_000_000.0 + 3600 * number
    directory, _ = store.create(program=program, plan={"precision": "bf16-mixed"}, now=began)
    _save_checkpoint(directory)
    written = _write(directory.supervisor_log(0), _of_supervisor(began))
    return written + _write(directory.events(0) / "rank-0.jsonl", _of_rank(directory, began, lines, chance))


def _save_checkpoint(directory: RunDirectory) -> None:
    folder = directory.checkpoints / "lightning_logs" / "version_0" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "epoch=3-step=1000.ckpt").write_bytes(b"PK" * 2048)


def _write(path: Path, events: Iterator[dict[str, Any]]) -> int:
    text = "".join(json.dumps({**event, "seq": seq}) + "\n" for seq, event in enumerate(events))
    path.write_text(text)
    return len(text)


def _of_supervisor(began: float) -> Iterator[dict[str, Any]]:
    yield {
        "event": "supervisor_started", "time": began, "node": 0, "host": os.uname().nodename, "pid": 999_999_998,
        "started_at": began, "boot_id": None, "attempt": 0, "child_pid": 999_999_999, "child_started_at": None,
        "command": ["python", "train.py"],
    }  # fmt: skip
    yield {"event": "ended", "time": began + 3000, "code": 0, "signal": None, "cause": "program"}


def _of_rank(directory: RunDirectory, began: float, lines: int, chance: random.Random) -> Iterator[dict[str, Any]]:
    yield {
        "event": "hello", "time": began, "rank": 0, "local_rank": 0, "node_rank": 0, "world_size": 1,
        "host": os.uname().nodename, "pid": 999_999_999, "started_at": began, "executable": "python",
        "python": "3.11", "argv": ["train.py"],
    }  # fmt: skip
    yield {"event": "stage", "time": began + 1, "stage": "train", "epoch": 0, "global_step": 0}
    for line in range(lines):
        steps = list(range(line * 16, line * 16 + 16))
        moment = began + 2 + line
        series = {
            name: {"steps": steps, "values": [chance.random() for _ in steps]} for name in ("train_loss", "train_acc")
        }
        yield {"event": "metrics", "time": moment, "epoch": 0, "series": series}
        yield {
            "event": "progress", "time": moment, "stage": "train", "epoch": 0, "max_epochs": 1,
            "global_step": steps[-1] + 1, "max_steps": None, "batch": steps[-1] + 1, "total_batches": lines * 16,
        }  # fmt: skip
    last = {"epoch": 0, "series": {"val_loss": {"steps": [lines * 16], "values": [chance.random()]}}}
    yield {"event": "metrics", "time": began + 2900, **last}
    yield {"event": "fit_end", "time": began + 2990, "finished": True, "reason": "max_epochs", "epoch": 1,
           "global_step": lines * 16}  # fmt: skip
    yield {"event": "exit", "time": began + 2995, "code": 0}


def _naive(home: Path) -> Iterator[Any]:
    for entry in os.scandir(home):
        if entry.is_dir():
            with open(f"{entry.path}/run.json", encoding="utf-8") as file:  # noqa: PTH123 - the fastest plain way
                yield json.load(file)


def _command(words: list[str], home: Path) -> None:
    subprocess.run([*cockpit_command(), *words, "--home", str(home)], check=True, stdout=subprocess.DEVNULL)


def _find(home: Path) -> None:
    subprocess.run(["find", str(home), "-name", "run.json"], check=True, stdout=subprocess.DEVNULL)


def _timed(what: Callable[[], object]) -> float:
    began = time.perf_counter()
    what()
    return time.perf_counter() - began
