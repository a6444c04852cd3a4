"""The JSON shapes of the contract, made from snapshots.

Unknown is `null`, never 0; sizes in bytes, times in UTC epoch seconds.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec

from lightning_tui.record import CommandProgress, ProgressView, RunDirectory, RunSnapshot, Series, UnreadableRun
from lightning_tui.record.checkpoints import Checkpoint, checkpoints_of
from lightning_tui.record.comparison import Comparison
from lightning_tui.record.effect import plan_without_effect
from lightning_tui.record.summaries import RunSummary


def run_row(run: RunSummary | UnreadableRun) -> dict[str, Any]:
    """One entry of `runs --json`."""
    if isinstance(run, UnreadableRun):
        names = ("state", "program", "created_at", "ended_at", "progress", "name", "note", "parent", "metric", "size")
        return {"id": run.id, **dict.fromkeys(names), "directory": run.directory, "problem": run.problem}
    return {
        "id": run.id,
        "state": run.state.value,
        "program": run.program,
        "created_at": run.created_at,
        "ended_at": run.ended_at,
        "progress": _progress(run.progress),
        "directory": run.directory,
        "name": run.name,
        "note": run.note,
        "parent": run.parent,
        "metric": _json_safe(msgspec.to_builtins(run.metric)),
        "size": run.size,
    }


def comparison_object(compared: Comparison) -> dict[str, Any]:
    """The object of `compare --json`."""
    safe: dict[str, Any] = _json_safe(msgspec.to_builtins(compared))
    return safe


def _json_safe(value: Any) -> Any:
    """The same without the numbers that JSON cannot write."""
    if isinstance(value, dict):
        return {name: _json_safe(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json_safe(item) for item in value]
    return finite(value) if isinstance(value, float) else value


def run_details(run: RunSnapshot) -> dict[str, Any]:
    """The object of `show --json`."""
    from lightning_tui.cli.advising import advice_rows
    from lightning_tui.cli.diagnosing import as_json
    from lightning_tui.services.explaining import explain_run

    return {
        "id": run.record.id,
        "state": run.state.value,
        "detail": run.detail or None,
        "directory": run.directory,
        "program": msgspec.to_builtins(run.record.program),
        "plan": run.record.plan,
        "plan_without_effect": list(plan_without_effect(run)),
        "parent": run.record.parent,
        "created_at": run.record.created_at,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "trainer": msgspec.to_builtins(run.trainer.fields) if run.trainer else {},
        "progress": _progress(run.progress),
        "metrics": {name: _metric(series) for name, series in run.metrics.items()},
        "ranks": [
            {
                "rank": rank.rank,
                "host": rank.host,
                "pid": rank.pid,
                "state": rank.state,
                "global_step": rank.global_step,
                "allocated": rank.allocated,
                "reserved": rank.reserved,
                "step_time_s": rank.step_time_s,
            }
            for rank in run.ranks
        ],
        "checkpoints": [_checkpoint(c) for c in checkpoints_of(RunDirectory(Path(run.directory)), run)],
        "commands": [command_row(view) for view in run.commands],
        "exit": run_exit(run),
        "restarts": [msgspec.to_builtins(restart) for restart in run.restarts],
        "proof": msgspec.to_builtins(run.ended.proof) if run.ended is not None else None,
        "failure": msgspec.to_builtins(run.failure) if run.failure else None,
        "diagnoses": as_json(explain_run(run).diagnoses),
        "advice": advice_rows(run),
        "notices": list(run.notices),
    }


def run_exit(run: RunSnapshot) -> dict[str, Any]:
    """How the run ended: code, signal, and its cause as a word of `Ended.cause`; all `null` while it has not."""
    ended = run.ended
    return {
        "code": ended.code if ended else None,
        "signal": ended.signal if ended else None,
        "cause": ended.cause if ended else None,
    }


def command_row(view: CommandProgress) -> dict[str, Any]:
    """One of `commands` in `show --json`, and the last line of a command that waits for its answer."""
    command = view.command
    return {
        "id": command.id,
        "op": command.op,
        "by": command.by,
        "time": command.time,
        "status": view.status,
        "global_step": view.global_step,
        "taken_step": view.taken_step,
        "taken_at": view.taken_at,
        "ranks_taken": list(view.ranks_taken),
        "waiting_for": list(view.waiting_for),
        "done_at": view.done_at,
        "detail": view.detail,
    }


def _checkpoint(checkpoint: Checkpoint) -> dict[str, Any]:
    return {
        "path": checkpoint.path,
        "step": checkpoint.global_step,
        "epoch": checkpoint.epoch,
        "size": checkpoint.size,
        "saved_at": checkpoint.saved_at,
        "metrics": {name: finite(value) for name, value in checkpoint.metrics.items()},
        "complete": checkpoint.is_complete,
        "problem": checkpoint.problem,
    }


def _progress(progress: ProgressView | None) -> dict[str, Any]:
    names = ("epoch", "max_epochs", "global_step", "batch", "total_batches", "fraction", "eta_s")
    return {name: getattr(progress, name) if progress else None for name in names}


def _metric(series: Series) -> dict[str, Any]:
    return {
        "last": finite(series.last),
        "step": series.last_step,
        "min": finite(series.lowest),
        "max": finite(series.highest),
    }


def finite(value: float | None) -> float | str | None:
    """JSON has no NaN: such a value is written as the word, as in the event files."""
    if value is None or math.isfinite(value):
        return value
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
