"""Commands that only look: runs, show, doctor."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from lightning_tui.cli import DONE
from lightning_tui.cli.arguments import interpreter_of, settings_of
from lightning_tui.cli.as_json import run_details, run_row
from lightning_tui.cli.terminal import duration, heed_closed_pipe, say, significant, size
from lightning_tui.record import (
    ProgressView,
    RunDirectory,
    RunReader,
    RunSnapshot,
    RunState,
    RunStore,
    UnreadableRun,
    read_snapshot,
)
from lightning_tui.record.exports import write_metrics
from lightning_tui.words import STATE_GLYPHS

POLL_S = 0.1


def store_of(arguments: argparse.Namespace) -> RunStore:
    """The runs that this command is about."""
    return RunStore(settings_of(arguments).runs_home)


def runs(arguments: argparse.Namespace) -> int:
    """`lightning-tui runs`."""
    store = store_of(arguments)
    found = store.snapshots()
    if arguments.json:
        print(json.dumps([run_row(run) for run in found]))
    elif not found:
        say(f"there are no runs in {store.home} yet. Start one with: lightning-tui demo")
    else:
        print("\n".join(_table([_row(run) for run in found])))
    return DONE


def show(arguments: argparse.Namespace) -> int:
    """`lightning-tui show RUN`."""
    directory = store_of(arguments).find(arguments.run)
    if arguments.metrics is not None:
        write_metrics(directory, arguments.metrics, sys.stdout)
        return DONE
    snapshot = read_snapshot(directory)
    if arguments.json:
        print(json.dumps(run_details(snapshot)))
    else:
        print("\n".join(_details(snapshot)))
    return DONE


def read_chunks(path: Path, offset: int = 0) -> Iterator[bytes]:
    """The bytes of a file from `offset` to its present end; none where it does not exist (yet)."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            while chunk := file.read(1 << 18):
                yield chunk
    except FileNotFoundError:
        return


def follow_output(path: Path, directory: RunDirectory, offset: int = 0) -> Iterator[bytes]:
    """The bytes of an output file from `offset` on as they come, until the run is over and all is read."""
    reader = RunReader(directory)
    over = False
    while True:
        for chunk in read_chunks(path, offset):
            offset += len(chunk)
            yield chunk
        if over:
            return
        reader.poll()
        over = reader.snapshot().is_over
        if not over:
            heed_closed_pipe()
            time.sleep(POLL_S)


def doctor(arguments: argparse.Namespace) -> int:
    """`lightning-tui doctor`."""
    import shutil

    from lightning_tui.environment import as_json, as_text, inspect_environment, probe_software, with_software

    settings = settings_of(arguments)
    interpreter, _ = interpreter_of(arguments)
    environment = inspect_environment(os.environ, runs_home=settings.runs_home, folder=Path.cwd())
    environment = with_software(environment, probe_software(interpreter))
    if arguments.json:
        print(json.dumps(as_json(environment)))
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        print("\n".join(as_text(environment, width, settings.runs_home_reason)))
    return DONE


def _row(run: RunSnapshot | UnreadableRun) -> tuple[str, ...]:
    if isinstance(run, UnreadableRun):
        return (run.id, "? unreadable", "", "", run.problem)
    progress = run.progress
    share = f"{progress.fraction:.0%}" if progress and progress.fraction is not None else ""
    step = f"step {progress.global_step}" if progress else ""
    state = _marked(run.state)
    return (run.record.id, state, _when(run.record.created_at), f"{share} {step}".strip(), run.record.program.label)


def _marked(state: RunState) -> str:
    return f"{STATE_GLYPHS[state.value]} {state.value}"


def _when(seconds: float) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
    except (OverflowError, OSError, ValueError):  # a clock, or a hand, that wrote nonsense
        return "N/A"


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _details(run: RunSnapshot) -> list[str]:
    lines = _labelled(
        [
            ("Run", run.record.id),
            ("State", _marked(run.state) + (f" · {run.detail}" if run.detail else "")),
            ("Program", " ".join(run.record.program.given)),
            ("Folder", run.record.program.folder),
            ("Python", run.record.program.interpreter),
            ("Plan", " ".join(f"{name}={value}" for name, value in run.record.plan.items()) or "as the script says"),
            ("Directory", run.directory),
            *_progress_lines(run),
        ]
    )
    if run.trainer is None and run.state.is_final:
        lines += ["", "Trainer: none was seen in this program; its output, its end and the hardware are all there is."]
    if run.trainer:
        lines += ["", "Trainer                   requested / script / actual"]
        lines += [
            f"  {name:<23} {_value(field.requested)} / {_value(field.script)} / {_value(field.actual)}"
            for name, field in run.trainer.fields.items()
        ]
    if run.metrics:
        lines += ["", "Metrics                   last (step), lowest, highest"]
        lines += [
            f"  {name:<23} {significant(s.last)} ({s.last_step}), {significant(s.lowest)}, {significant(s.highest)}"
            for name, s in sorted(run.metrics.items())
        ]
    if run.ranks:
        lines += ["", "Ranks"]
        lines += [f"  rank {r.rank}  {r.host}  pid {r.pid}  {r.state}  step {_value(r.global_step)}" for r in run.ranks]
    if run.checkpoints:
        lines += ["", "Checkpoints"]
        lines += [f"  step {c.global_step:<8} {size(c.size):>10}  {c.path}" for c in run.checkpoints]
    lines += [f"Notice: {notice}" for notice in run.notices]
    if run.failure and run.failure.traceback:
        lines += ["", run.failure.traceback.rstrip()]
    return [_one_line(line) if "\n" not in line else _safe_block(line) for line in lines]


def _progress_lines(run: RunSnapshot) -> list[tuple[str, str]]:
    end = run.ended_at or time.time()
    lines = [("Took", duration(end - run.started_at) if run.started_at else "N/A")]
    if run.progress:
        p = run.progress
        share = "N/A" if p.fraction is None else f"{math.floor(p.fraction * 100)} %"
        eta = "" if run.state.is_final else f" · ETA {duration(p.eta_s)}"
        lines.append(("Progress", f"{share} · epoch {_epoch(p)} · step {p.global_step}{eta}"))
    return lines


def _epoch(progress: ProgressView) -> str:
    """As people count: the first one is 1, and after the last it stays there."""
    if progress.max_epochs is None or progress.max_epochs <= 0:
        return str(progress.epoch + 1)
    return f"{min(progress.epoch + 1, progress.max_epochs)}/{progress.max_epochs}"


def _labelled(pairs: list[tuple[str, str]]) -> list[str]:
    return [f"{label:<10} {value}" for label, value in pairs]


def _value(value: object) -> str:
    return "–" if value is None else str(value)


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else "·" for c in text)


def _safe_block(text: str) -> str:
    return "\n".join(_one_line(line) for line in text.split("\n"))
