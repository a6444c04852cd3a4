"""What does a plan, as it stands, need of each GPU's memory? Pure arithmetic on what a probe found."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lightning_tui.plan.combinations import device_count
from lightning_tui.plan.estimate import Calibration, Estimate, Knob, estimate, knobs, largest_batch
from lightning_tui.plan.facts import MachineFacts
from lightning_tui.plan.model import Plan
from lightning_tui.plan.probe import ProgramProbe

_CLASSES = {
    "DDPStrategy": "ddp",
    "FSDPStrategy": "fsdp",
    "DeepSpeedStrategy": "deepspeed",
    "ModelParallelStrategy": "model_parallel",
    "SingleDeviceStrategy": "single_device",
}
"""Strategies that a script passes as objects; a probe names their class."""


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """The memory of one plan."""

    probe: ProgramProbe
    present: Estimate
    capacity: int | None
    """Bytes of the smallest GPU; `None` where there is none, or it is not known."""
    batch_size: int | None
    """Samples of a batch of each device: the plan's, else the program's own."""
    largest_batch: int | None
    """Samples of each device that fit for certain; `None` where that is not known."""
    knobs: tuple[Knob, ...]
    """Single changes that save memory, the one that saves most first."""


class _Setting(msgspec.Struct, frozen=True):
    """What an estimate depends on besides the model: the plan's values, where it has none the script's."""

    strategy: str
    precision: str
    devices: int
    options: dict[str, object]
    batch_size: int | None
    recomputes: bool


def outlook(probe: ProgramProbe, plan: Plan, facts: MachineFacts, calibration: Calibration | None = None) -> Outlook:
    """Work out what the plan needs; what it leaves to the script is as the script says."""
    setting = _setting(probe, plan, facts)
    capacity = facts.gpu_memory if facts.gpus else None
    return Outlook(
        probe=probe,
        present=_estimate(probe, setting, capacity, calibration),
        capacity=capacity,
        batch_size=plan.batch_size or probe.batch_size,
        largest_batch=largest_batch(
            probe,
            strategy=setting.strategy,
            precision=setting.precision,
            devices=setting.devices,
            gpu_memory=capacity,
            activation_checkpointing=setting.recomputes,
            calibration=calibration,
            options=setting.options,
        ),
        knobs=tuple(
            knobs(
                probe,
                strategy=setting.strategy,
                precision=setting.precision,
                devices=setting.devices,
                batch_size=setting.batch_size,
                accumulate_grad_batches=_accumulated(probe, plan),
                activation_checkpointing=setting.recomputes,
                calibration=calibration,
                options=setting.options,
            )
        ),
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
    setting = _setting(probe, plan, facts)
    return {
        value: _estimate(probe, msgspec.structs.replace(setting, **{field: value}), capacity, calibration)
        for value in values
    }


def _estimate(
    probe: ProgramProbe, setting: _Setting, capacity: int | None, calibration: Calibration | None
) -> Estimate:
    return estimate(
        probe,
        strategy=setting.strategy,
        precision=setting.precision,
        devices=setting.devices,
        gpu_memory=capacity,
        batch_size=setting.batch_size,
        activation_checkpointing=setting.recomputes,
        calibration=calibration,
        options=setting.options,
    )


def _setting(probe: ProgramProbe, plan: Plan, facts: MachineFacts) -> _Setting:
    strategy = plan.strategy or str(probe.trainer.get("strategy") or "auto")
    precision = plan.precision or str(probe.trainer.get("precision") or "32-true")
    return _Setting(
        strategy=_CLASSES.get(strategy, strategy),
        precision=precision,
        devices=_devices(probe, plan, facts),
        options=plan.changes(),
        batch_size=plan.batch_size,
        recomputes=bool(plan.activation_checkpointing),
    )


def _devices(probe: ProgramProbe, plan: Plan, facts: MachineFacts) -> int:
    """All devices of all nodes: among them the states are divided. The Trainer's own default is all GPUs."""
    script = probe.trainer.get("devices")
    devices = plan.devices if plan.devices is not None else script if isinstance(script, int | str | list) else "auto"
    counted = device_count(msgspec.structs.replace(plan, devices=devices), facts)
    return max(1, counted or 1) * (plan.num_nodes or 1)


def _accumulated(probe: ProgramProbe, plan: Plan) -> int:
    script = probe.trainer.get("accumulate_grad_batches")
    return plan.accumulate_grad_batches or (script if isinstance(script, int) else 1)
