"""Commands that only look: show, doctor."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from lightning_tui.cli import DONE
from lightning_tui.cli.advising import advice_lines
from lightning_tui.cli.arguments import interpreter_of, settings_of
from lightning_tui.cli.as_json import run_details
from lightning_tui.cli.terminal import duration, heed_closed_pipe, significant, size
from lightning_tui.record import (
    ProgressView,
    RunDirectory,
    RunReader,
    RunSnapshot,
    RunState,
    RunStore,
    read_snapshot,
)
from lightning_tui.record.best import leading_metric
from lightning_tui.record.checkpoints import Checkpoint, checkpoints_of
from lightning_tui.record.exports import write_metrics
from lightning_tui.record.snapshot import FitView
from lightning_tui.services.machine import inspect_machine
from lightning_tui.text.safe import harmless
from lightning_tui.text.units import STATE_GLYPHS

POLL_S = 0.1


def store_of(arguments: argparse.Namespace) -> RunStore:
    return RunStore(settings_of(arguments).runs_home)


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


def follow_output(
    path: Path, directory: RunDirectory, offset: int = 0, look: Callable[[RunSnapshot], None] | None = None
) -> Iterator[bytes]:
    """The bytes of an output file from `offset` on as they come, until the run is over and all is read.

    Where the run is started again, the same rank's file of the next attempt follows. `look` gets each snapshot.
    """
    reader = RunReader(directory)
    over = False
    while True:
        for chunk in read_chunks(path, offset):
            offset += len(chunk)
            yield chunk
        following = _of_next_attempt(path, reader)
        if following != path:
            path, offset = following, 0
            continue
        if over:
            return
        reader.poll()
        snapshot = reader.snapshot()
        over = snapshot.is_over
        if look is not None:
            look(snapshot)
        if not over:
            heed_closed_pipe()
            time.sleep(POLL_S)


def _of_next_attempt(path: Path, reader: RunReader) -> Path:
    """The output file of the attempt that follows the one of `path`; the same one where there is none yet."""
    rank, attempt = path.name.removesuffix(".log"), path.parent.parent.name.removeprefix("attempt-")
    if not (rank.isdecimal() and attempt.isdecimal()) or int(attempt) >= reader.history.attempt:
        return path
    return reader.directory.output(int(attempt) + 1, int(rank))


def doctor(arguments: argparse.Namespace) -> int:
    """`lightning-tui doctor`."""
    import shutil

    from lightning_tui.environment import as_json, as_text

    settings = settings_of(arguments)
    environment = inspect_machine(settings, os.environ, interpreter_of(arguments)[0])
    if arguments.json:
        print(json.dumps(as_json(environment)))
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        print("\n".join(as_text(environment, width, settings.runs_home_reason)))
    return DONE


def marked(state: RunState) -> str:
    """A state's mark and word."""
    return f"{STATE_GLYPHS[state.value]} {state.value}"


def when(seconds: float) -> str:
    """A moment in local time."""
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
    except (OverflowError, OSError, ValueError):  # a clock, or a hand, that wrote nonsense
        return "N/A"


def table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows of the same length as lines with columns; nothing in a cell ends a line."""
    rows = [tuple(map(harmless, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _details(run: RunSnapshot) -> list[str]:
    lines = _labelled(
        [
            ("Run", run.record.id),
            ("State", marked(run.state) + (f" · {run.detail}" if run.detail else "")),
            ("Program", " ".join(run.record.program.given)),
            ("Folder", run.record.program.folder),
            ("Python", run.record.program.interpreter),
            ("Plan", " ".join(f"{name}={value}" for name, value in run.record.plan.items()) or "as the script says"),
            ("Directory", run.directory),
            *_progress_lines(run),
        ]
    )
    if run.trainer is None and run.state.is_final:
        lines += ["", "Trainer: none was seen in this program; only its output, exit and hardware are recorded."]
    if run.trainer:
        lines += ["", "Trainer                   requested / script / actual"]
        lines += [
            f"  {name:<23} {_value(field.requested)} / {_value(field.script)} / {_value(field.actual)}"
            for name, field in run.trainer.fields.items()
        ]
    if run.metrics:
        lines += ["", "Metrics                   last (step), lowest, highest"]
        lines += [
            f"  {harmless(name):<23} {significant(s.last)} ({s.last_step}), "
            f"{significant(s.lowest)}, {significant(s.highest)}"
            for name, s in sorted(run.metrics.items())
        ]
    if run.fit_count > 1:
        lines += ["", "Fits", *map(_fit_line, sorted(run.fits, key=lambda fit: fit.number))]
    if run.ranks:
        lines += ["", "Ranks"]
        lines += [f"  rank {r.rank}  {r.host}  pid {r.pid}  {r.state}  step {_value(r.global_step)}" for r in run.ranks]
    if found := checkpoints_of(RunDirectory(Path(run.directory)), run):
        lines += ["", "Checkpoints, newest first"]
        lines += [_checkpoint_line(checkpoint) for checkpoint in found]
    lines += [f"Notice: {notice}" for notice in run.notices]
    if advice := advice_lines(run):
        lines += ["", "Advice", *advice]
    if run.failure and run.failure.traceback:
        lines += ["", run.failure.traceback.rstrip()]
    return [harmless(line, keeps="\n") for line in lines]


def _fit_line(fit: FitView) -> str:
    step = fit.progress.global_step if fit.progress is not None else None
    metric = leading_metric(fit.metrics, fit.trainer)
    best = "" if metric is None else f"{metric.name} {significant(metric.last if metric.best is None else metric.best)}"
    state = f"{fit.state} {fit.exception}" if fit.exception is not None else fit.state
    return f"  fit {fit.number:<4} {state:<22} step {_value(step):<8} {best}".rstrip()


def _checkpoint_line(checkpoint: Checkpoint) -> str:
    problem = f"  ! {checkpoint.problem}" if checkpoint.problem else ""
    return f"  step {_value(checkpoint.global_step):<8} {size(checkpoint.size):>10}  {checkpoint.path}{problem}"


def _progress_lines(run: RunSnapshot) -> list[tuple[str, str]]:
    lines = [("Took", duration(run.took_s(time.time())))]
    if sentence := run.fits_sentence():
        lines.append(("Fits", sentence))
    if run.progress:
        p = run.progress
        share = "N/A" if p.fraction is None else f"{math.floor(p.fraction * 100)} %"
        eta = "" if run.is_over else f" · ETA {duration(p.eta_s)}"
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
