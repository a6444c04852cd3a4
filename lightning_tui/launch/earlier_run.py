"""How much memory did the same program really take when it last ran here? Its estimates are calibrated by that."""

from __future__ import annotations

from typing import Any

from lightning_tui.launch.program import Program
from lightning_tui.plan.estimate import Calibration
from lightning_tui.plan.setting import Setting
from lightning_tui.record import RecordError, RunRecord, RunSnapshot, RunStore, mask_secrets, read_snapshot

_LOOKED_INTO = 5
"""Runs of the program whose events are read, the newest first."""

_ENOUGH_STEPS = 2
"""From the second step on the optimizer's state is there."""

_OPTIONS = ("ddp_", "fsdp_", "deepspeed_")


def earlier_run(store: RunStore, program: Program) -> tuple[str, Calibration] | None:
    """The newest run of the program, in its folder and with the same arguments, of which peaks were recorded.

    Its id and what it took; `None` where there is none. A program that has changed meanwhile is found all the same:
    the estimate passes over a peak that cannot be its own.

    Raises:
        RecordError: the runs home exists and cannot be read.
    """
    given, folder = mask_secrets(program.given), str(program.folder)
    same = [
        directory
        for directory, record in store.records()
        if isinstance(record, RunRecord) and (record.program.given, record.program.folder) == (given, folder)
    ]
    for directory in same[:_LOOKED_INTO]:
        try:
            found = calibration_of(read_snapshot(directory))
        except RecordError:  # deleted meanwhile
            continue
        if found is not None:
            return directory.id, found
    return None


def calibration_of(run: RunSnapshot) -> Calibration | None:
    """What a run says about the program's memory; `None` where it did not train on GPUs, or for too few steps."""
    peaks = [rank.peak_allocated for rank in run.ranks if rank.peak_allocated is not None]
    if run.trainer is None or run.progress is None or run.progress.global_step < _ENOUGH_STEPS or not peaks:
        return None
    actual: dict[str, Any] = {
        name: field.actual for name, field in run.trainer.fields.items() if field.actual is not None
    }
    strategy, precision, batch_size = (actual.get(name) for name in ("strategy", "precision", "batch_size"))
    if not isinstance(strategy, str) or not isinstance(precision, str):
        return None
    setting = Setting(
        strategy=strategy,
        precision=precision,
        devices=run.trainer.world_size,
        batch_size=batch_size if isinstance(batch_size, int) else None,
        activation_checkpointing=bool(actual.get("activation_checkpointing")),
        options={name: value for name, value in actual.items() if name.startswith(_OPTIONS)},
    )
    return Calibration(max(peaks), setting)
