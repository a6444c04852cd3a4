"""What strategies and precisions are there, and can they work on this machine? Each with its reason."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from lightning_tui.plan.model import PRECISIONS

if TYPE_CHECKING:
    from lightning_tui.environment import Environment

KNOWN_STRATEGIES = (
    "auto",
    "ddp",
    "fsdp",
    "deepspeed_stage_2",
    "deepspeed_stage_3",
    "ddp_find_unused_parameters_true",
    "ddp_spawn",
    "ddp_fork",
    "ddp_notebook",
    "fsdp_cpu_offload",
    "deepspeed",
    "deepspeed_stage_1",
    "deepspeed_stage_2_offload",
    "deepspeed_stage_3_offload",
    "deepspeed_stage_3_offload_nvme",
    "single_device",
    "ddp_find_unused_parameters_false",
    "ddp_spawn_find_unused_parameters_false",
    "ddp_spawn_find_unused_parameters_true",
    "ddp_fork_find_unused_parameters_false",
    "ddp_fork_find_unused_parameters_true",
    "ddp_notebook_find_unused_parameters_false",
    "ddp_notebook_find_unused_parameters_true",
    "xla",
    "xla_debug",
    "single_xla",
    "single_tpu",
)
"""The names in Lightning 2.6's own registry, and "auto"; the most used first."""


class Choice(msgspec.Struct, frozen=True):
    """One value of a plan field, and whether it can work here."""

    name: str
    available: bool
    reason: str
    recommended: bool = False


class MachineFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a machine offers a training. `None` is not known."""

    gpus: int | None = None
    """CUDA GPUs that a program may see."""
    compute_capability: tuple[int, int] | None = None
    """The lowest among the GPUs."""
    cpus: int | None = None
    has_deepspeed: bool | None = None
    has_transformer_engine: bool | None = None


def machine_facts(environment: Environment) -> MachineFacts:
    """Take from an environment what decides on strategies and precisions."""
    software = environment.software
    is_known = software is not None and software.error is None
    capabilities = (_capability(gpu.compute_capability) for gpu in environment.gpus)
    return MachineFacts(
        gpus=_visible_gpus(environment),
        compute_capability=min(filter(None, capabilities), default=None),
        cpus=environment.host.cpus,
        has_deepspeed=software.deepspeed is not None if software and is_known else None,
        has_transformer_engine=software.transformer_engine is not None if software and is_known else None,
    )


def strategy_choices(facts: MachineFacts) -> list[Choice]:
    """List all strategies that Lightning knows by name, the most used first."""
    best = "ddp" if (facts.gpus or 0) > 1 else "auto"
    return [_strategy(name, facts, recommended=name == best) for name in KNOWN_STRATEGIES]


def precision_choices(facts: MachineFacts) -> list[Choice]:
    """List all precisions that Lightning takes."""
    best = _best_precision(facts)
    return [
        Choice(name, obstacle is None, obstacle or _precision_note(name, facts), name == best)
        for name in PRECISIONS
        for obstacle in [precision_obstacle(name, facts)]
    ]


def strategy_obstacle(name: str, facts: MachineFacts) -> str | None:
    """Say why a strategy surely cannot work here, or `None`."""
    if name.startswith(("fsdp", "deepspeed")) and facts.gpus == 0:
        return "needs a CUDA GPU"
    if name.startswith("deepspeed") and facts.has_deepspeed is False:
        return "needs the package deepspeed"
    if name in ("xla", "xla_debug", "single_xla", "single_tpu"):
        return "needs a TPU"
    return None


def precision_obstacle(name: str, facts: MachineFacts) -> str | None:
    """Say why a precision surely cannot work here, or `None`."""
    if not name.startswith("transformer-engine"):
        return None
    if facts.gpus == 0:
        return "needs a CUDA GPU"
    if facts.compute_capability is not None and facts.compute_capability < (8, 9):
        return f"FP8 needs compute 8.9, this is {_dotted(facts.compute_capability)}"
    return "needs the package transformer-engine" if facts.has_transformer_engine is False else None


def _strategy(name: str, facts: MachineFacts, recommended: bool) -> Choice:
    obstacle = strategy_obstacle(name, facts)
    return Choice(name, obstacle is None, obstacle or _strategy_note(name, facts), recommended)


def _strategy_note(name: str, facts: MachineFacts) -> str:
    if name == "auto":
        return "Lightning chooses: one device alone, ddp on several"
    if name == "ddp":
        return f"one process for each of {facts.gpus} GPUs" if (facts.gpus or 0) > 1 else "one process for each device"
    notes = [note for pattern, note in _STRATEGY_NOTES if re.match(pattern, name)]
    return " · ".join(notes)


_STRATEGY_NOTES = (
    (r"ddp_spawn", "as ddp, but everything must pickle"),
    (r"ddp_fork", "as ddp by fork: CUDA must not be used before"),
    (r"ddp_notebook", "ddp_fork by another name, for notebooks"),
    (r".*unused_parameters_true", "tolerates parameters without gradient, slower"),
    (r".*unused_parameters_false", "every parameter must get a gradient (the default)"),
    (r"fsdp", "shards parameters over the GPUs: for models that do not fit one"),
    (r"deepspeed(_stage_[123])?", "ZeRO: shards optimizer, gradients or parameters over the GPUs"),
    (r".*offload_nvme", "offloads to NVMe"),
    (r".*offload$", "offloads to CPU memory, slower"),
    (r"single_device", "one device, whatever there is"),
)


def _best_precision(facts: MachineFacts) -> str:
    if not facts.gpus or facts.compute_capability is None or facts.compute_capability < (7, 0):
        return "32-true"
    return "bf16-mixed" if facts.compute_capability >= (8, 0) else "16-mixed"


def _precision_note(name: str, facts: MachineFacts) -> str:
    if name == "16-mixed" and facts.gpus == 0:
        return "on a CPU Lightning makes it bf16-mixed"
    if name.startswith("bf16"):
        return f"{_PRECISION_NOTES[name]}, {_bf16_speed(facts)}"
    return _PRECISION_NOTES[name]


def _bf16_speed(facts: MachineFacts) -> str:
    if facts.gpus == 0:
        return "fast on CPUs with AMX or AVX512-BF16 alone"
    if facts.compute_capability is None:
        return "fast from compute 8.0"
    speed = "fast" if facts.compute_capability >= (8, 0) else "emulated and slow"
    return f"{speed} on compute {_dotted(facts.compute_capability)}"


_PRECISION_NOTES = {
    "32-true": "full precision, Lightning's default",
    "16-mixed": "half the activations, with loss scaling",
    "bf16-mixed": "half the activations, no loss scaling",
    "16-true": "weights in 16 bit too: half the memory, may not converge",
    "bf16-true": "weights in bfloat16 too: half the memory",
    "64-true": "double precision, slow",
    "transformer-engine": "FP8 where it helps, weights in bfloat16",
    "transformer-engine-float16": "FP8 where it helps, weights in float16",
}


def _visible_gpus(environment: Environment) -> int | None:
    """Count the GPUs that CUDA lets a program see; not known where there are device files and a silent driver."""
    present = len(environment.gpus)
    if not present:
        return None if environment.host.gpu_devices else 0
    if environment.visible_devices is None:
        return present
    count = 0
    for entry in environment.visible_devices.split(","):
        if not _names_gpu(entry.strip(), present):
            break  # CUDA ignores all that follows too
        count += 1
    return count


def _names_gpu(entry: str, present: int) -> bool:
    return int(entry) < present if entry.isdecimal() else entry.startswith(("GPU-", "MIG-"))


def _capability(text: str | None) -> tuple[int, int] | None:
    match = re.fullmatch(r"(\d+)\.(\d+)", text or "")
    return (int(match[1]), int(match[2])) if match else None


def _dotted(capability: tuple[int, int]) -> str:
    return f"{capability[0]}.{capability[1]}"
