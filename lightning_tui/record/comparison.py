"""In what do two runs differ: plan, what the Trainer really used, metrics, time? Pure; words are for others."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from lightning_tui.record.best import MetricSummary, metric_summary
from lightning_tui.record.events import FieldValue
from lightning_tui.record.snapshot import RunSnapshot


class FieldDifference(msgspec.Struct, frozen=True, kw_only=True):
    """A field of the plan in which two runs differ, as set or as in effect. In a pair the first run's value leads."""

    name: str
    planned: tuple[FieldValue, FieldValue]
    """What the plans say; `None` is "as the script says"."""
    actual: tuple[FieldValue, FieldValue]
    """What the Trainer really used; `None` where it was not seen."""


class MetricPair(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of two runs; `None` where a run did not log it."""

    name: str
    first: MetricSummary | None
    second: MetricSummary | None
    better: int | None
    """0 or 1, the run with the better best value; `None` where that is not known, or they are equal."""


class RunTotals(msgspec.Struct, frozen=True, kw_only=True):
    """What one run adds up to."""

    id: str
    state: str
    duration_s: float | None
    """From its start to its end, or to now; `None` where nobody saw its end."""
    global_step: int | None
    step_time_s: float | None
    """Mean wall time of a batch, when last told."""
    world_size: int | None
    peak_memory: int | None
    """The highest of all ranks, bytes on the device."""
    checkpoints: int
    program: str
    versions: str | None
    """torch and lightning."""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Two runs side by side."""

    first: RunTotals
    second: RunTotals
    fields: tuple[FieldDifference, ...]
    """Only those in which they differ, in the order of the plan's fields as far as the Trainer told them."""
    metrics: tuple[MetricPair, ...]
    """All, by name; those that both have come first."""


def compare_runs(first: RunSnapshot, second: RunSnapshot, now: float) -> Comparison:
    """Put two runs side by side. `now` is UTC epoch seconds: the end of what is not over yet."""
    return Comparison(
        first=_sums(first, now),
        second=_sums(second, now),
        fields=_fields(first, second),
        metrics=_metrics(first, second),
    )


def _fields(first: RunSnapshot, second: RunSnapshot) -> tuple[FieldDifference, ...]:
    actual = (_actual(first), _actual(second))
    names = dict.fromkeys((*actual[0], *actual[1], *first.record.plan, *second.record.plan))
    found = (
        FieldDifference(
            name=name,
            planned=(first.record.plan.get(name), second.record.plan.get(name)),
            actual=(actual[0].get(name), actual[1].get(name)),
        )
        for name in names
    )
    both_seen = first.trainer is not None and second.trainer is not None
    return tuple(
        each
        for each in found
        if each.planned[0] != each.planned[1] or (both_seen and _differ(each.name, *each.actual, first, second))
    )


def _differ(name: str, one: FieldValue, other: FieldValue, first: RunSnapshot, second: RunSnapshot) -> bool:
    """Whether two values in effect differ; each run's own folder is no difference."""
    if isinstance(one, str) and isinstance(other, str) and one != other:
        return one.replace(first.directory, second.directory) != other
    return one != other


def _actual(run: RunSnapshot) -> Mapping[str, FieldValue]:
    fields = run.trainer.fields if run.trainer is not None else {}
    return {name: field.actual for name, field in fields.items()}


def _metrics(first: RunSnapshot, second: RunSnapshot) -> tuple[MetricPair, ...]:
    names = sorted(
        {*first.metrics, *second.metrics}, key=lambda n: (not (n in first.metrics and n in second.metrics), n)
    )
    return tuple(_pair(name, _summary(name, first), _summary(name, second)) for name in names)


def _summary(name: str, run: RunSnapshot) -> MetricSummary | None:
    return metric_summary(name, run.metrics[name], run.trainer) if name in run.metrics else None


def _pair(name: str, first: MetricSummary | None, second: MetricSummary | None) -> MetricPair:
    return MetricPair(name=name, first=first, second=second, better=_better(first, second))


def _better(first: MetricSummary | None, second: MetricSummary | None) -> int | None:
    if first is None or second is None or first.mode != second.mode or first.best is None or second.best is None:
        return None
    if first.best == second.best:
        return None
    is_first = first.best < second.best if first.mode == "min" else first.best > second.best
    return 0 if is_first else 1


def _sums(run: RunSnapshot, now: float) -> RunTotals:
    step = run.progress.global_step if run.progress is not None else None
    peaks = [rank.peak_allocated for rank in run.ranks if rank.peak_allocated is not None]
    trainer = run.trainer
    return RunTotals(
        id=run.record.id,
        state=run.state.value,
        duration_s=run.took_s(now),
        global_step=step,
        step_time_s=run.progress.step_time_s if run.progress is not None else None,
        world_size=trainer.world_size if trainer is not None else None,
        peak_memory=max(peaks, default=None),
        checkpoints=len(run.checkpoints),
        program=" ".join(run.record.program.given),
        versions=f"torch {trainer.torch} · {trainer.flavour} {trainer.lightning}" if trainer is not None else None,
    )
