"""Is the work safe? No checkpoint for long, and disks that will be full before the end."""

from __future__ import annotations

import math
from collections.abc import Iterator

from lightning_tui.diagnosis.live.model import Advice
from lightning_tui.diagnosis.live.rule_input import RuleInput
from lightning_tui.diagnosis.model import Suggestion
from lightning_tui.text.units import plural, short_duration, size

OFF_S = 120.0
"""With checkpoints switched off none will ever come, so that is said early, of a run that takes long."""
LONG_RUN_S = 600.0
NONE_S = 1800.0
"""Half an hour of work without a checkpoint: Lightning saves at the end of an epoch, which may be days away."""
EVERY_S = 600.0
"""A checkpoint in about ten minutes is what is suggested."""
LEAST_LEFT_S = 300.0

LEAST_CHECKPOINTS = 3
MARGIN = 1.0
FALLING_S = 600.0
HORIZON_S = 6 * 3600.0
"""Where the end is not known: a disk that is full within six hours."""


def no_checkpoint(moment: RuleInput) -> Iterator[Advice]:
    """Much work would be lost: see `OFF_S`, `NONE_S`."""
    run, progress = moment.run, moment.run.progress
    began = run.started_at
    if began is None or progress is None or moment.seen.fit_s < OFF_S / 2:
        return
    saved = [checkpoint.time for checkpoint in run.checkpoints if checkpoint.time >= began]
    at_risk = moment.now - (max(saved) if saved else began)
    is_off = moment.actual("enable_checkpointing") is False and not saved
    left = progress.eta_s
    if is_off:
        is_due = at_risk >= OFF_S and (left is None or at_risk + left >= LONG_RUN_S)
    else:
        is_due = at_risk >= NONE_S and (left is None or left >= LEAST_LEFT_S)
    if not is_due:
        return
    what = "Checkpoints are disabled" if is_off else "No checkpoint" + (" since then" if saved else " yet")
    yield Advice(
        id="no-checkpoint",
        severity="warning",
        title=f"{what}: {_time(at_risk)} of training would be lost"
        if is_off
        else f"{what}: a failure now would lose {_time(at_risk)} of training",
        cause=_why_none(is_off, left),
        suggestions=tuple(_saving(moment, is_off)),
        step=progress.global_step,
    )


def _why_none(is_off: bool, left: float | None) -> str:
    rest = "" if left is None else f" {_time(left)} remain."
    if is_off:
        return f"enable_checkpointing is False, so this run saves no checkpoint.{rest}"
    return f"Lightning saves at the end of an epoch, and after a validation; there has been none for this long.{rest}"


def _saving(moment: RuleInput, is_off: bool) -> Iterator[Suggestion]:
    if is_off:
        yield Suggestion(text="Enable checkpoints for the next run.", changes={"enable_checkpointing": True})
        return
    batch_s = moment.seen.train_batch_s
    if batch_s:
        steps = max(1, round(EVERY_S / batch_s / (moment.whole("accumulate_grad_batches") or 1)))
        yield Suggestion(
            text=f"Save every {plural(steps, 'step')}, which is about every {EVERY_S / 60:.0f} minutes.",
            changes={"checkpoint_every_n_steps": steps},
        )
    yield Suggestion(text="Save one now: see the key in the cockpit's footer, or lightning-tui checkpoint RUN.")


def disk(moment: RuleInput) -> Iterator[Advice]:
    """The disk will be full before the end, by the checkpoints to come or by how fast it fills."""
    free = moment.seen.disk[-1][1] if moment.seen.disk else None
    if free is None:
        return
    needed = bytes_to_come(moment)
    if needed is not None and needed * MARGIN > free:
        kept = [c.size for c in moment.run.checkpoints if c.size]
        yield Advice(
            id="disk",
            severity="warning",
            title=f"The disk will be full: {size(needed)} of checkpoints are still to be written, {size(free)} "
            "are free",
            cause=f"{plural(len(kept), 'checkpoint')} are kept so far ({size(sum(kept))}), and more will be "
            "written at the same rate.",
            suggestions=(
                Suggestion(text="Keep only the best one.", changes={"checkpoint_save_top_k": 1}),
                Suggestion(text="Write them to a larger disk (plan field checkpoint_dir)."),
            ),
        )
        return
    full_in = _full_in(moment)
    left = moment.run.progress.eta_s if moment.run.progress is not None else None
    if full_in is not None and full_in < (HORIZON_S if left is None else left):
        yield Advice(
            id="disk",
            severity="warning",
            title=f"The disk will be full in about {_time(full_in)}: {size(free)} are left",
            cause="Its free space has fallen steadily"
            + ("." if left is None else f", and the run has {_time(left)} left."),
            suggestions=(
                Suggestion(text="Check what else writes there, and keep fewer checkpoints.",
                           changes={"checkpoint_save_top_k": 1}),
            ),
        )  # fmt: skip


def bytes_to_come(moment: RuleInput) -> int | None:
    """Bytes that further checkpoints will take, if as many are kept for each part of the fit as so far."""
    progress = moment.run.progress
    kept = [checkpoint for checkpoint in moment.run.checkpoints if checkpoint.size]
    if progress is None or not progress.fraction or len(kept) < LEAST_CHECKPOINTS:
        return None
    # Where only some are kept, new ones take the place of old ones: then the oldest is not from the beginning.
    steps = sorted(checkpoint.global_step for checkpoint in kept)
    gap = (steps[-1] - steps[0]) / (len(steps) - 1)
    is_all = moment.whole("checkpoint_save_top_k") == -1 or (gap > 0 and steps[0] <= 1.5 * gap)
    if not is_all or moment.whole("checkpoint_save_top_k") not in (None, -1):
        return None
    total = sum(checkpoint.size or 0 for checkpoint in kept)
    return int(total * (1 - progress.fraction) / progress.fraction)


def _full_in(moment: RuleInput) -> float | None:
    """Seconds until the disk is full, if it fills as it did: through ten minutes at least, in both halves of them."""
    points = moment.seen.disk
    span = points[-1][0] - points[0][0]
    if span < FALLING_S:
        return None
    (began, first), (half, middle), (end, last) = points[0], points[len(points) // 2], points[-1]
    if half <= began or end <= half:
        return None
    rates = ((first - middle) / (half - began), (middle - last) / (end - half))
    if min(rates) <= 0 or min(rates) < 0.25 * max(rates):
        return None
    seconds = last / min(rates)
    return seconds if math.isfinite(seconds) else None


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 60 else short_duration(seconds)


NO_CHECKPOINT_RULES = (no_checkpoint,)
DISK_RULES = (disk,)
