"""With which strategy, precision, devices and batches does a program run under a plan, the script's own included?"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from lightning_tui.plan.catalog import full_precision_name
from lightning_tui.plan.combinations import device_count
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


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What the memory of each GPU depends on besides the model."""

    strategy: str
    precision: str
    devices: int
    """All of all nodes: the states are divided among them."""
    batch_size: int | None = None
    """Samples of each device; `None` stands for the program's own."""
    activation_checkpointing: bool = False
    options: Mapping[str, object] = {}
    """Fields of a plan, of which those that belong to the strategy count."""

    @property
    def full_precision(self) -> str:
        return full_precision_name(self.precision)

    @property
    def is_mixed(self) -> bool:
        """Whether 16 bit are computed with, and parameters kept in 32."""
        return self.full_precision.endswith("-mixed")

    def under(self, changes: Mapping[str, object]) -> Setting:
        """This setting with some fields of a plan changed."""
        own = {name: value for name, value in changes.items() if name in ("strategy", "precision", "batch_size")}
        recomputes = self.activation_checkpointing or "activation_checkpointing" in changes
        options = {**self.options, **changes}
        return msgspec.structs.replace(self, **own, activation_checkpointing=recomputes, options=options)


def setting_of(probe: ProgramProbe, plan: Plan, facts: MachineFacts) -> Setting:
    """Take the plan's values, and where it has none the script's, as a probe saw them."""
    strategy = plan.strategy or str(probe.trainer.get("strategy") or "auto")
    return Setting(
        strategy=_CLASSES.get(strategy, strategy),
        precision=plan.precision or str(probe.trainer.get("precision") or "32-true"),
        devices=_devices(probe, plan, facts),
        batch_size=plan.batch_size,
        activation_checkpointing=bool(plan.activation_checkpointing),
        options=plan.changes(),
    )


def _devices(probe: ProgramProbe, plan: Plan, facts: MachineFacts) -> int:
    """The Trainer's own default is all GPUs."""
    script = probe.trainer.get("devices")
    devices = plan.devices if plan.devices is not None else script if isinstance(script, int | str | list) else "auto"
    counted = device_count(msgspec.structs.replace(plan, devices=devices), facts)
    return max(1, counted or 1) * (plan.num_nodes or 1)
