"""What strategies and precisions are there, and can they work on this machine? Each with its reason.

The rules are Lightning's own: `trainer/connectors/accelerator_connector.py`, and the precision plugins of FSDP,
DeepSpeed and XLA.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from lightning_tui.plan.facts import MachineFacts, dotted, release
from lightning_tui.plan.model import PRECISIONS

if TYPE_CHECKING:
    from lightning_tui.environment import Software

KNOWN_STRATEGIES = (
    "auto",
    "ddp",
    "fsdp",
    "deepspeed_stage_2",
    "deepspeed_stage_3",
    "ddp_find_unused_parameters_true",
    "model_parallel",
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
"""The names in Lightning 2.6's own registry, and those that are not in it; the most used first."""

UNREGISTERED = frozenset({"auto", "model_parallel"})
"""Strategies that Lightning knows under no name of its registry."""

_SHARDED = ("32-true", "16-true", "bf16-true", "16-mixed", "bf16-mixed")

PRECISIONS_OF: dict[str, tuple[str, ...]] = {
    "fsdp": _SHARDED,
    "deepspeed": _SHARDED,
    "xla": ("32-true", "16-true", "bf16-true"),
    "model_parallel": ("32-true", "bf16-mixed", "bf16-true", "16-true"),
}
"""The only precisions of some families of strategies; the others take all."""

_FULL_NAMES = {"16": "16-mixed", "bf16": "bf16-mixed", "32": "32-true", "64": "64-true"}


class Choice(msgspec.Struct, frozen=True):
    """One value of a plan field, and whether it can work here."""

    name: str
    available: bool
    reason: str
    recommended: bool = False


def strategy_family(name: str) -> str:
    """Return `ddp`, `fsdp`, `deepspeed`, `xla`, or the name itself where it has no family."""
    if name.startswith(("xla", "single_xla", "single_tpu")):
        return "xla"
    return next((family for family in ("ddp", "fsdp", "deepspeed") if name.startswith(family)), name)


def full_precision_name(name: str) -> str:
    """Return today's name of a precision: 16, 32, 64 and bf16 are Lightning's old ones."""
    return _FULL_NAMES.get(name, name)


def strategy_choices(facts: MachineFacts, *, registered: Sequence[str] = (), best: str | None = None) -> list[Choice]:
    """List all strategies, the most used first, and one of them as recommended.

    `registered` are the names in the registry of the program's own Lightning (see `registered_strategies`); where they
    are not known, those of Lightning 2.6 are taken.
    """
    best = best or ("ddp" if (facts.gpus or 0) > 1 else "auto")
    names = dict.fromkeys((*KNOWN_STRATEGIES, *registered))
    return [_strategy(name, facts, registered, recommended=name == best) for name in names]


def precision_choices(facts: MachineFacts, *, strategy: str | None = None, best: str | None = None) -> list[Choice]:
    """List all precisions that Lightning takes, for a strategy where one is named."""
    best = best or best_precision(facts)
    choices = []
    for name in PRECISIONS:
        obstacle = precision_obstacle(name, facts, strategy)
        choices.append(Choice(name, obstacle is None, obstacle or _precision_note(name, facts), name == best))
    return choices


def best_precision(facts: MachineFacts) -> str:
    """Return the fastest precision that keeps weights in 32 bit and that the hardware does itself."""
    if not facts.gpus or facts.compute_capability is None or facts.compute_capability < (7, 0):
        return "32-true"
    return "bf16-mixed" if facts.compute_capability >= (8, 0) else "16-mixed"


def strategy_obstacle(name: str, facts: MachineFacts) -> str | None:
    """Say why a strategy surely cannot work here, in words that follow its name; else `None`."""
    family = strategy_family(name)
    if family in ("fsdp", "deepspeed") and facts.gpus == 0:
        return f"needs a CUDA GPU{_because(facts)}"
    if family == "xla":
        return _xla_obstacle(name)
    if name == "single_device" and facts.gpus:
        return "when chosen by name it stays on the CPU, whatever the accelerator; for one GPU use auto with devices 1"
    if name.startswith("ddp_spawn") and facts.in_torchrun:
        return "would start ranks of its own in each rank that torchrun has started; use ddp"
    return _package_obstacle(family, facts.software) if facts.software is not None else None


def precision_obstacle(name: str, facts: MachineFacts, strategy: str | None = None) -> str | None:
    """Say why a precision surely cannot work here, or with a strategy, in words that follow its name; else `None`."""
    name = full_precision_name(name)
    family = strategy_family(strategy or "")
    allowed = PRECISIONS_OF.get(family, PRECISIONS)
    if name not in allowed:
        return f"is not supported with {family}, only {', '.join(allowed)}"
    return _transformer_engine_obstacle(facts) if name.startswith("transformer-engine") else None


def install_command(software: Software | None, package: str) -> str:
    """Write the command that installs a package where the program's Python finds it."""
    return f"{software.interpreter if software is not None else 'python'} -m pip install '{package}'"


def _xla_obstacle(name: str) -> str:
    if name in ("single_xla", "single_tpu"):  # the registry makes it without the device that it needs
        return "cannot be chosen by name: with auto, Lightning uses it on one TPU core"
    return "needs a TPU and the package torch_xla"


def _package_obstacle(family: str, software: Software) -> str | None:
    torch = release(software.torch)
    if family == "deepspeed":
        if software.deepspeed is None:
            return f"needs the package deepspeed: {install_command(software, 'deepspeed>=0.16')}"
        if torch >= (2, 6) and release(software.deepspeed) < (0, 16):
            return (
                f"needs DeepSpeed 0.16 or newer with PyTorch 2.6 or newer, and {software.deepspeed} is installed: "
                f"{install_command(software, 'deepspeed>=0.16')}"
            )
    if family == "model_parallel" and software.torch is not None and torch < (2, 4):
        return f"needs PyTorch 2.4 or newer, and {software.torch} is installed"
    return None


def _transformer_engine_obstacle(facts: MachineFacts) -> str | None:
    if facts.gpus == 0:
        return f"needs a CUDA GPU{_because(facts)}"
    if facts.compute_capability is not None and facts.compute_capability < (8, 9):
        return f"needs compute 8.9 for FP8, and this is {dotted(facts.compute_capability)}"
    if facts.software is not None and facts.software.transformer_engine is None:
        return f"needs the package transformer-engine: {install_command(facts.software, 'transformer-engine[pytorch]')}"
    return None


def _because(facts: MachineFacts) -> str:
    return f" ({facts.no_gpus_because})" if facts.no_gpus_because else ""


def _strategy(name: str, facts: MachineFacts, registered: Sequence[str], recommended: bool) -> Choice:
    obstacle = strategy_obstacle(name, facts)
    if obstacle is None and registered and name not in registered and name not in UNREGISTERED:
        obstacle = f"is not known to the program's Lightning{_lightning_version(facts)}"
    return Choice(name, obstacle is None, obstacle or _strategy_note(name, facts), recommended)


def _lightning_version(facts: MachineFacts) -> str:
    software = facts.software
    version = (software.lightning or software.pytorch_lightning) if software is not None else None
    return f" {version}" if version else ""


def _strategy_note(name: str, facts: MachineFacts) -> str:
    if name == "auto":
        return "Lightning chooses: ddp on several devices, else none"
    if name == "ddp":
        return f"one process for each of {facts.gpus} GPUs" if (facts.gpus or 0) > 1 else "one process for each device"
    base, _, choice = name.partition("_find_unused_parameters_")
    if choice:
        return f"{base}, {_UNUSED_PARAMETERS[choice]}"
    notes = [note for pattern, note in _STRATEGY_NOTES if re.match(pattern, name)]
    return " · ".join(notes) or "registered by the program's own Lightning or a package of it"


_UNUSED_PARAMETERS = {
    "true": "accepts parameters without a gradient, slower",
    "false": "every parameter must get a gradient (the default)",
}
_STRATEGY_NOTES = (
    (r"ddp_spawn", "as ddp, but everything must be picklable"),
    (r"ddp_fork", "as ddp, by fork: CUDA must not be used before"),
    (r"ddp_notebook", "another name of ddp_fork, for notebooks; use ddp in a script"),
    (r"fsdp", "shards parameters over the GPUs, for models that do not fit one"),
    (r"model_parallel", "FSDP2 and tensor parallelism that the model itself sets up in configure_model"),
    (r"deepspeed(_stage_[123])?", "ZeRO: shards optimizer, gradients or parameters over the GPUs"),
    (r".*offload_nvme", "offloads to NVMe"),
    (r".*offload$", "offloads to main memory, slower"),
    (r"single_device", "one device: the CPU"),
)


def _precision_note(name: str, facts: MachineFacts) -> str:
    if name == "16-mixed" and facts.gpus == 0:
        return "on a CPU Lightning changes it to bf16-mixed"
    if name.startswith("bf16"):
        return f"{_PRECISION_NOTES[name]}, {_bf16_speed(facts)}"
    return _PRECISION_NOTES[name]


def _bf16_speed(facts: MachineFacts) -> str:
    if facts.gpus == 0:
        return "fast only on CPUs with AMX or AVX512-BF16"
    if facts.compute_capability is None:
        return "fast from compute 8.0"
    speed = "fast" if facts.compute_capability >= (8, 0) else "emulated and slow"
    return f"{speed} on compute {dotted(facts.compute_capability)}"


_PRECISION_NOTES = {
    "32-true": "full precision, Lightning's default",
    "16-mixed": "half the activations, with loss scaling",
    "bf16-mixed": "half the activations, no loss scaling",
    "16-true": "16-bit weights too: half the memory, may not converge",
    "bf16-true": "weights in bfloat16 too: half the memory",
    "64-true": "double precision, slow",
    "transformer-engine": "FP8 where it helps, weights in bfloat16",
    "transformer-engine-float16": "FP8 where it helps, weights in float16",
}
