"""The JSON shapes of the contract, made from snapshots.

Unknown is `null`, never 0; sizes in bytes, times in UTC epoch seconds.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from lightning_tui.record import CommandView, ProgressView, RunSnapshot, Series, UnreadableRun


def run_row(run: RunSnapshot | UnreadableRun) -> dict[str, Any]:
    """One entry of `runs --json`."""
    if isinstance(run, UnreadableRun):
        names = ("state", "program", "created_at", "ended_at", "progress")
        return {"id": run.id, **dict.fromkeys(names), "directory": run.directory, "problem": run.problem}
    return {
        "id": run.record.id,
        "state": run.state.value,
        "program": run.record.program.label,
        "created_at": run.record.created_at,
        "ended_at": run.ended_at,
        "progress": _progress(run.progress),
        "directory": run.directory,
    }


def run_details(run: RunSnapshot) -> dict[str, Any]:
    """The object of `show --json`."""
    from lightning_tui.cli.diagnosing import diagnoses_of_run

    return {
        "id": run.record.id,
        "state": run.state.value,
        "detail": run.detail or None,
        "directory": run.directory,
        "program": msgspec.to_builtins(run.record.program),
        "plan": run.record.plan,
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
        "checkpoints": [{"path": c.path, "step": c.global_step, "size": c.size} for c in run.checkpoints],
        "commands": [_command(view) for view in run.commands],
        "exit": run_exit(run),
        "failure": msgspec.to_builtins(run.failure) if run.failure else None,
        "diagnoses": diagnoses_of_run(run),
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


def _command(view: CommandView) -> dict[str, Any]:
    command = view.command
    return {
        "id": command.id,
        "op": command.op,
        "by": command.by,
        "time": command.time,
        "status": view.status,
        "global_step": view.global_step,
        "detail": view.detail,
    }


def _progress(progress: ProgressView | None) -> dict[str, Any]:
    names = ("epoch", "max_epochs", "global_step", "batch", "total_batches", "fraction", "eta_s")
    return {name: getattr(progress, name) if progress else None for name in names}


def _metric(series: Series) -> dict[str, Any]:
    return {
        "last": _finite(series.last),
        "step": series.last_step,
        "min": _finite(series.lowest),
        "max": _finite(series.highest),
    }


def _finite(value: float | None) -> float | str | None:
    """JSON has no NaN: such a value is written as the word, as in the event files."""
    if value is None or math.isfinite(value):
        return value
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
