"""Are the logged values sound? Losses and metrics that are no numbers, and losses that jump."""

from __future__ import annotations

from collections.abc import Iterator

from lightning_tui.diagnosis.live.model import Advice
from lightning_tui.diagnosis.live.rule_input import RuleInput
from lightning_tui.diagnosis.live.spikes import Spike
from lightning_tui.diagnosis.model import Suggestion
from lightning_tui.record import Series
from lightning_tui.record.events import CheckpointSaved
from lightning_tui.text.units import count, number, plural

LOSS_VALUES = 2
"""Broken values of a loss: one alone may be how a program says "not yet"."""
OTHER_VALUES = 5
"""The same of other metrics, which must have been numbers before and be none now."""
RECOVERED_VALUES = 3
HALVES = ("16-mixed", "16-true", "16", "transformer-engine-float16")
"""Under these the gradient scaler skips steps with infinite gradients: part of its work, and no news."""


def lost_values(moment: RuleInput) -> Iterator[Advice]:
    """A loss or metric is NaN or infinite; the first one in time is the one that is told."""
    lost = [
        (series.first_broken_step or 0, name, series)
        for name, series in moment.run.metrics.items()
        if series.broken_count and _is_news(name, series, str(moment.actual("precision")))
    ]
    if not lost:
        return
    step, name, series = min(lost, key=lambda found: (found[0], not _is_loss(found[1]), found[1]))
    also = [other for _, other, _ in lost if other != name]
    yield _lost(moment, name, series, step, also)


def _is_loss(name: str) -> bool:
    return "loss" in name.lower()


def _is_news(name: str, series: Series, precision: str) -> bool:
    is_lost_now = series.broken_since is not None
    if _is_loss(name):
        return series.broken_count >= (LOSS_VALUES if is_lost_now else RECOVERED_VALUES)
    if "grad" in name.lower() and precision in HALVES:
        return False
    return is_lost_now and series.broken_count >= OTHER_VALUES and series.lowest is not None


def _lost(moment: RuleInput, name: str, series: Series, step: int, also: list[str]) -> Advice:
    is_lost_now = series.broken_since is not None
    how_much = f"{count(series.broken_count)} of {count(series.count)} values"
    # Not the newest value: it changes all the time.
    said = "is NaN or infinite" if is_lost_now else "was NaN or infinite for a while"
    cause = f"{how_much} are NaN or infinite, the first at step {count(step)}"
    if not is_lost_now:
        cause += f"; it recovered, and is now {number(series.last or 0.0)}"
    if also:
        cause += f". After it: {', '.join(sorted(also)[:3])}"
    return Advice(
        id=f"metric-lost:{name}",
        severity="error" if is_lost_now and _is_loss(name) else "warning",
        title=f"{name} {said} since step {count(step)}"
        if is_lost_now
        else f"{name} {said}, first at step {count(step)}",
        cause=f"{cause}. The weights are lost too once a gradient was NaN: nothing after that is trained correctly."
        if is_lost_now
        else f"{cause}.",
        suggestions=tuple(_against_nan(moment, step)),
        step=step,
    )


def _against_nan(moment: RuleInput, step: int) -> Iterator[Suggestion]:
    if moment.actual("precision") in HALVES:
        yield Suggestion(
            text="bfloat16 has the range of float32, float16 has not.", changes={"precision": "bf16-mixed"}
        )
    if not moment.actual("gradient_clip_val"):
        yield Suggestion(text="Clip gradients at 1.0.", changes={"gradient_clip_val": 1.0})
    good = checkpoint_before(moment, step)
    if good is not None:
        yield Suggestion(
            text=f"Start again from the checkpoint of step {count(good.global_step)}, with a lower learning rate.",
            changes={"ckpt_path": good.path},
        )
    if not moment.actual("detect_anomaly"):
        yield Suggestion(
            text="Find the first invalid gradient: detect_anomaly names the operation, at a third of the speed.",
            changes={"detect_anomaly": True},
        )


def checkpoint_before(moment: RuleInput, step: int) -> CheckpointSaved | None:
    """The newest checkpoint from before a step."""
    return max(
        (saved for saved in moment.run.checkpoints if saved.global_step < step),
        key=lambda saved: saved.global_step,
        default=None,
    )


def spikes(moment: RuleInput) -> Iterator[Advice]:
    """A training loss jumped and stayed: see `spikes.DEVIATIONS` and `spikes.KEPT`."""
    for spike in moment.seen.losses.spikes.values():
        yield _spiked(moment, spike)


def _spiked(moment: RuleInput, spike: Spike) -> Advice:
    back = (
        "It has not come back."
        if spike.back_at is None
        else f"It recovered after {plural(max(1, spike.back_at - spike.step), 'step')}."
    )
    good = checkpoint_before(moment, spike.step)
    clip = moment.actual("gradient_clip_val")
    found: list[Suggestion] = []
    if not clip:
        found.append(Suggestion(text="Clip gradients at 1.0.", changes={"gradient_clip_val": 1.0}))
    if good is not None and spike.back_at is None:
        found.append(
            Suggestion(
                text=f"Start again from the checkpoint of step {count(good.global_step)}.",
                changes={"ckpt_path": good.path},
            )
        )
    found.append(Suggestion(text="Lower the learning rate, or warm it up; check the batches of that step."))
    return Advice(
        id=f"loss-spike:{spike.metric}",
        severity="warning" if spike.back_at is None else "hint",
        title=f"{spike.metric} jumped from {number(spike.before)} to {number(spike.peak)} at step {count(spike.step)}",
        cause=f"It stayed above {number(spike.limit)}, far above its usual noise. {back}",
        suggestions=tuple(found),
        step=spike.step,
    )


VALUE_RULES = (lost_values, spikes)
