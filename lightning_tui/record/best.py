"""Which way is a metric better, and which one speaks for a run? As far as names and the checkpoint's monitor tell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

import msgspec

from lightning_tui.record.events import TrainerSeen
from lightning_tui.record.series import Series, SeriesPoint

_FALLING = ("loss", "error", "perplexity", "ppl", "mse", "mae", "rmse", "nll", "wer", "cer", "fid")
_RISING = ("acc", "f1", "auc", "auroc", "precision", "recall", "iou", "miou", "map", "bleu", "rouge", "dice", "reward",
           "psnr", "ssim", "r2", "top1", "top5", "score")  # fmt: skip
_VALIDATION = re.compile(r"(?:^|[/_.\-\s])(?:val|valid|validation|eval|dev|test)(?:$|[/_.\-\s])", re.IGNORECASE)
_RATE = re.compile(r"^(?:lr|learning_rate)\b|^lr-", re.IGNORECASE)

Mode: TypeAlias = Literal["min", "max"]


class MetricSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One metric in a line. `None` is not known: `best` where nothing tells which way is better."""

    name: str
    last: float | None
    last_step: int | None
    mode: Mode | None
    best: float | None
    best_step: int | None


def falls(name: str) -> bool:
    """Whether less is better, as far as the name tells."""
    return any(word in name.lower() for word in _FALLING)


def rises(name: str) -> bool:
    """Whether more is better, as far as the name tells."""
    words = re.split(r"[^a-z0-9]+", name.lower())
    return not falls(name) and any(word.startswith(good) for word in words for good in _RISING)


def mode_of(name: str, trainer: TrainerSeen | None = None) -> Mode | None:
    """Which way is better: as the Trainer's checkpoint callback has it where it monitors this metric, else by name."""
    if trainer is not None and _actual(trainer, "checkpoint_monitor") == name:
        mode = _actual(trainer, "checkpoint_mode")
        if mode in ("min", "max"):
            return "min" if mode == "min" else "max"
    return "min" if falls(name) else "max" if rises(name) else None


def metric_summary(name: str, series: Series, trainer: TrainerSeen | None = None) -> MetricSummary:
    """The metric's last and best value."""
    mode = mode_of(name, trainer)
    best: SeriesPoint | None = {"min": series.lowest_point, "max": series.highest_point, None: None}[mode]
    return MetricSummary(
        name=name,
        last=series.last,
        last_step=series.last_step,
        mode=mode,
        best=best.value if best is not None else None,
        best_step=best.step if best is not None else None,
    )


def leading_metric(series: Mapping[str, Series], trainer: TrainerSeen | None = None) -> MetricSummary | None:
    """The metric by which runs are told apart: what checkpoints are chosen by, else a validation loss, else a loss.

    `None` where no metric but learning rates was logged.
    """
    monitored = _actual(trainer, "checkpoint_monitor") if trainer is not None else None
    name = monitored if isinstance(monitored, str) and monitored in series else _leading_name(series)
    return None if name is None else metric_summary(name, series[name], trainer)


def _leading_name(names: Iterable[str]) -> str | None:
    def order(name: str) -> tuple[bool, bool, bool, int, str]:
        in_validation, is_loss = bool(_VALIDATION.search(name)), "loss" in name.lower()
        return (not in_validation, not is_loss, mode_of(name) is None, len(name), name)

    return min((name for name in names if not _RATE.search(name)), key=order, default=None)


def _actual(trainer: TrainerSeen, field: str) -> object:
    return trainer.fields[field].actual if field in trainer.fields else None
