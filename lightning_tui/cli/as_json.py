"""The JSON shapes of the contract, made from snapshots.

Unknown is `null`, never 0; sizes in bytes, times in UTC epoch seconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from lightning_tui.record import CommandProgress, ProgressView, RunDirectory, RunSnapshot, Series, UnreadableRun
from lightning_tui.record.checkpoints import Checkpoint, checkpoints_of
from lightning_tui.record.comparison import Comparison
from lightning_tui.record.effect import plan_without_effect
from lightning_tui.record.snapshot import FitView
from lightning_tui.record.summaries import RunSummary

if TYPE_CHECKING:
    from lightning_tui.diagnosis import Diagnosis
    from lightning_tui.diagnosis.live import Advice


def run_row(run: RunSummary | UnreadableRun) -> dict[str, Any]:
    """One entry of `runs --json`."""
    if isinstance(run, UnreadableRun):
        names = ("state", "program", "created_at", "ended_at", "progress", "name", "note", "parent", "metric", "size")
        return {"id": run.id, **dict.fromkeys(names), "directory": run.directory, "problem": run.problem}
    return {
        "id": run.id,
        "state": run.state.value,
        **picked(run, "program", "created_at", "ended_at"),
        "progress": _progress(run.progress),
        **picked(run, "directory", "name", "note", "parent"),
        "metric": _json_safe(msgspec.to_builtins(run.metric)),
        "size": run.size,
    }


def picked(value: object, *names: str) -> dict[str, Any]:
    """These of its fields, as they are; all `None` where there is no value."""
    return {name: None if value is None else getattr(value, name) for name in names}


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
    from lightning_tui.services.explaining import explain_run

    explained = explain_run(run)
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
        **picked(run, "started_at", "ended_at"),
        "trainer": msgspec.to_builtins(run.trainer.fields) if run.trainer else {},
        "progress": _progress(run.progress),
        "standstill": msgspec.to_builtins(run.standstill),
        "metrics": {name: _metric(series) for name, series in run.metrics.items()},
        "fits": [_fit(fit) for fit in run.fits],
        "fits_left_out": dict(run.fits_left_out),
        "ranks": [
            picked(rank, "rank", "host", "pid", "state", "global_step", "allocated", "reserved", "step_time_s")
            for rank in run.ranks
        ],
        "checkpoints": [_checkpoint(c) for c in checkpoints_of(RunDirectory(Path(run.directory)), run)],
        "commands": [command_row(view) for view in run.commands],
        "exit": run_exit(run),
        "restarts": [msgspec.to_builtins(restart) for restart in run.restarts],
        "proof": msgspec.to_builtins(run.ended.proof) if run.ended is not None else None,
        "failure": msgspec.to_builtins(run.failure) if run.failure else None,
        "diagnoses": diagnosis_rows(explained.diagnoses),
        "advice": advice_rows(explained.advice),
        "notices": list(run.notices),
    }


def diagnosis_rows(found: Sequence[Diagnosis]) -> list[dict[str, Any]]:
    """The `diagnoses` of `diagnose --json` and `show --json`, root cause first."""
    return [
        {
            **picked(diagnosis, "category", "title", "cause", "severity", "consequence"),
            "suggestions": [picked(each, "text", "changes", "trust") for each in diagnosis.suggestions],
            "evidence": picked(diagnosis.evidence, "line", "text"),
            "rank": diagnosis.rank,
            "where": diagnosis.where and picked(diagnosis.where, "path", "line", "code"),
            "docs": diagnosis.docs,
        }
        for diagnosis in found
    ]


def advice_rows(advice: Iterable[Advice]) -> list[dict[str, Any]]:
    """The `advice` of `show --json`: the gravest first."""
    return [
        {
            **picked(each, "id", "severity", "title", "cause"),
            "suggestions": [picked(one, "text", "changes") for one in each.suggestions],
            **picked(each, "rank", "step", "since", "until"),
        }
        for each in advice
    ]


def _fit(fit: FitView) -> dict[str, Any]:
    return {
        **picked(fit, "number", "state", "exception"),
        "trainer": msgspec.to_builtins(fit.trainer.fields) if fit.trainer else {},
        "progress": _progress(fit.progress),
        "metrics": {name: _metric(series) for name, series in fit.metrics.items()},
        **picked(fit, "began_at", "ended_at"),
    }


def run_exit(run: RunSnapshot) -> dict[str, Any]:
    """How the run ended: code, signal, and its cause as a word of `Ended.cause`; all `null` while it has not."""
    return picked(run.ended, "code", "signal", "cause")


def command_row(view: CommandProgress) -> dict[str, Any]:
    """One of `commands` in `show --json`, and the last line of a command that waits for its answer."""
    stages = ("status", "global_step", "taken_step", "taken_at", "ranks_taken", "waiting_for", "done_at", "detail")
    return {**picked(view.command, "id", "op", "by", "time"), **picked(view, *stages)}


def _checkpoint(checkpoint: Checkpoint) -> dict[str, Any]:
    return {
        "path": checkpoint.path,
        "step": checkpoint.global_step,
        **picked(checkpoint, "epoch", "size", "saved_at"),
        "metrics": {name: finite(value) for name, value in checkpoint.metrics.items()},
        "complete": checkpoint.is_complete,
        "problem": checkpoint.problem,
    }


def _progress(progress: ProgressView | None) -> dict[str, Any]:
    names = ("epoch", "max_epochs", "global_step", "batch", "total_batches", "fraction", "eta_s")
    return picked(progress, *names)


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
