"""What does a strategy leave on each GPU of what one device would need?

- DDP keeps all of it on every GPU, and gradients once more in its buckets, unless these are views
  (`gradient_as_bucket_view` in PyTorch's documentation of DistributedDataParallel).
- FSDP and DeepSpeed divide states by the number of GPUs: ZeRO's equations (Rajbhandari et al., arXiv:1910.02054,
  section 5). Stage 1 divides the optimizer's states, stage 2 gradients too, stage 3 (FULL_SHARD) parameters too. What
  is computed on is whole meanwhile: FSDP gathers one unit and prefetches the next (PyTorch's documentation of it).
- DeepSpeed computes in 16 bit on copies of fp32 parameters (the K = 12 of ZeRO's table 1), and communicates in buckets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from lightning_tui.plan.probe import ProgramProbe
from lightning_tui.plan.setting import Setting
from lightning_tui.plan.training_step import Step
from lightning_tui.runner.lightning_tui_runner.plan.options import STRATEGIES, meant_strategy, strategy_arguments

_DEEPSPEED_BUCKET = 200_000_000
"""Elements in each of the two buckets (`lightning/pytorch/strategies/deepspeed.py`, `*_bucket_size`)."""


class Sharding(msgspec.Struct, frozen=True, kw_only=True):
    """What a strategy leaves of each state on one GPU, as a share, and what it adds, in bytes."""

    parameters: float = 1.0
    gradients: float = 1.0
    optimizer: float = 1.0
    added: tuple[tuple[str, float, float], ...] = ()
    """Name, lower and upper end."""
    omits: tuple[str, ...] = ()


def sharding(probe: ProgramProbe, setting: Setting, step: Step) -> Sharding | None:
    """Return how the setting's strategy shards a step; `None` where that is not known."""
    name = meant_strategy(setting.strategy, setting.options)
    if name == "auto" and setting.devices > 1:
        name = "ddp"
    if name in ("auto", "single_device"):
        return Sharding()
    class_name, named = STRATEGIES.get(name, ("", {}))
    arguments = strategy_arguments(class_name, named, setting.options, lambda names, min_params: True)
    if class_name == "DDPStrategy":
        return _ddp(step, arguments)
    if class_name == "FSDPStrategy":
        return _fsdp(probe, setting, step, arguments)
    return _deepspeed(probe, setting, step, arguments) if class_name == "DeepSpeedStrategy" else None


def shares(step: Step, sharded: Sharding, *, upper: bool) -> list[tuple[str, float]]:
    """What is there at the worst moment: in forward and backward, or in the optimizer's update."""
    states = [
        ("parameters", step.parameters * sharded.parameters),
        ("optimizer", step.optimizer * sharded.optimizer),
    ]
    added = [(name, high if upper else low) for name, low, high in sharded.added]
    computing = [
        ("gradients", step.live_gradients * sharded.gradients),
        ("activations", step.activations),
        ("temporary", step.temporary),
    ]
    updating = [
        ("gradients", step.gradients * sharded.gradients),
        ("update", step.update * sharded.optimizer),
    ]
    worst = max(computing, updating, key=lambda parts: sum(size for _, size in parts))
    return [*states, *worst, *added]


def _ddp(step: Step, arguments: Mapping[str, object]) -> Sharding:
    buckets = 0.0 if arguments.get("gradient_as_bucket_view") else step.gradients
    return Sharding(added=(("gradient buckets", buckets, buckets),))


def _fsdp(probe: ProgramProbe, setting: Setting, step: Step, arguments: Mapping[str, object]) -> Sharding:
    if arguments.get("sharding_strategy") == "NO_SHARD":
        return _ddp(step, arguments)
    width = 0.5 if setting.is_mixed else 1.0  # it gathers, and reduces, in the precision of computing
    whole = (step.parameters + step.gradients) * width
    low = high = whole
    omits: tuple[str, ...] = ()
    largest = max((block.parameters for block in probe.blocks), default=0)
    if largest and probe.parameters and arguments.get("sharding_strategy") != "SHARD_GRAD_OP":
        # The unit that is computed on and the one that is fetched meanwhile, and gradients of one.
        unit = (2 * step.parameters + step.gradients) * width * largest / probe.parameters
        rest = step.parameters * width * _share_outside_blocks(probe)
        low = min(whole, unit + rest)
        if "auto_wrap_policy" in arguments:
            high = low
        else:
            omits = ("the upper end gathers the whole model at once: fsdp_wrap_classes makes smaller units",)
    share = 0.0 if arguments.get("cpu_offload") else 1 / setting.devices
    return Sharding(
        parameters=share, gradients=share, optimizer=share, added=(("gathered units", low, high),), omits=omits
    )


def _share_outside_blocks(probe: ProgramProbe) -> float:
    inside = sum(block.count * block.parameters for block in probe.blocks)
    return max(0.0, 1 - inside / (probe.parameters or 1))


def _deepspeed(probe: ProgramProbe, setting: Setting, step: Step, arguments: Mapping[str, Any]) -> Sharding:
    stage: int = arguments.get("stage", 2)  # the class's default
    devices, is_16_bit = setting.devices, setting.full_precision not in ("32-true", "64-true")
    # Measured states are fp32 under mixed precision, and halved already under a true one.
    copy = 0.5 if setting.is_mixed else 1.0
    offloads_optimizer = arguments.get("offload_optimizer")
    offloads_parameters = stage == 3 and arguments.get("offload_parameters")
    optimizer = 0.0 if offloads_optimizer else 1 / devices if stage >= 1 else 1.0
    gradients = copy * (0.0 if offloads_optimizer else 1 / devices if stage >= 2 else 1.0)
    parameters = copy * (0.0 if offloads_parameters else 1 / devices if stage == 3 else 1.0)
    masters = 4.0 * (probe.trainable or 0) * optimizer if is_16_bit else 0.0
    bucket = min(_DEEPSPEED_BUCKET, probe.trainable or 0) * (2.0 if is_16_bit else 4.0)
    added = [("fp32 parameters", masters, masters), ("communication buckets", bucket, 2 * bucket)]
    if stage == 3:
        whole = (step.parameters + step.gradients) * copy
        largest = max((block.parameters for block in probe.blocks), default=0) / (probe.parameters or 1)
        added.append(("gathered parameters", min(whole, 2 * whole * (largest or 1)), whole))
    if is_16_bit and not setting.is_mixed:
        optimizer *= 2  # its states stay fp32
    return Sharding(parameters=parameters, gradients=gradients, optimizer=optimizer, added=tuple(added))
