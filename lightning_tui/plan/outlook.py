"""What does a plan, as it stands, need of each GPU's memory? Pure arithmetic on what a probe found."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lightning_tui.plan.estimate import Calibration, Estimate, estimate
from lightning_tui.plan.facts import MachineFacts
from lightning_tui.plan.model import Plan
from lightning_tui.plan.probe import ProgramProbe
from lightning_tui.plan.savings import Knob, knobs, largest_batch
from lightning_tui.plan.setting import Setting, setting_of


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """The memory of one plan."""

    probe: ProgramProbe
    setting: Setting
    present: Estimate
    capacity: int | None
    """Bytes of the smallest GPU; `None` where there is none, or it is not known."""
    batch_size: int | None
    """Samples of a batch of each device: the plan's, else the program's own."""
    largest_batch: int | None
    """Samples of each device that fit for certain; `None` where that is not known."""
    knobs: tuple[Knob, ...]
    """Single changes that save memory, the one that saves most first."""


def outlook(probe: ProgramProbe, plan: Plan, facts: MachineFacts, calibration: Calibration | None = None) -> Outlook:
    """Work out what the plan needs; what it leaves to the script is as the script says."""
    setting = setting_of(probe, plan, facts)
    capacity = facts.gpu_memory if facts.gpus else None
    return Outlook(
        probe=probe,
        setting=setting,
        present=estimate(probe, setting, capacity, calibration),
        capacity=capacity,
        batch_size=plan.batch_size or probe.batch_size,
        largest_batch=largest_batch(probe, setting, capacity, calibration),
        knobs=tuple(knobs(probe, setting, _accumulated(probe, plan), calibration)),
    )


def estimates_by(
    field: str,
    values: Sequence[str],
    probe: ProgramProbe,
    plan: Plan,
    facts: MachineFacts,
    calibration: Calibration | None = None,
) -> dict[str, Estimate]:
    """Estimate the plan with each of these strategies, or precisions, in place of its own."""
    capacity = facts.gpu_memory if facts.gpus else None
    setting = setting_of(probe, plan, facts)
    return {value: estimate(probe, setting.under({field: value}), capacity, calibration) for value in values}


def _accumulated(probe: ProgramProbe, plan: Plan) -> int:
    script = probe.trainer.get("accumulate_grad_batches")
    return plan.accumulate_grad_batches or (script if isinstance(script, int) else 1)
