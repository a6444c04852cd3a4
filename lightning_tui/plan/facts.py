"""What of a machine decides on how a training can run there? Taken from the environment, pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from lightning_tui.environment import Environment, Software
    from lightning_tui.gpus import GpuSample
    from lightning_tui.plan.model import Plan


class MachineFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a machine offers a training. `None` is not known."""

    gpus: int | None = None
    """CUDA GPUs that a program may see."""
    no_gpus_because: str | None = None
    """Why a program may see none although there are some."""
    gpu_name: str | None = None
    """Where all are of one kind."""
    gpu_memory: int | None = None
    """Bytes of the smallest."""
    compute_capability: tuple[int, int] | None = None
    """The lowest among the GPUs."""
    cpus: int | None = None
    software: Software | None = None
    """What the program's interpreter has installed."""
    in_torchrun: bool = False
    """Whether torchrun has started us, as one of its ranks."""


def machine_facts(environment: Environment) -> MachineFacts:
    """Take from an environment what decides on strategies and precisions."""
    software = environment.software
    if software is not None and software.error is not None:
        software = None
    facts = MachineFacts(
        cpus=environment.host.cpus,
        software=software,
        in_torchrun="torchelastic" in environment.platform.facets,
    )
    if software is not None and software.torch_build == "cpu":
        because = f"torch {software.torch} is a CPU build" if environment.gpus else None
        return msgspec.structs.replace(facts, gpus=0, no_gpus_because=because)
    return _with_gpus(facts, environment)


def release(version: str | None) -> tuple[int, int]:
    """Return the first two numbers of a version; (0, 0) where it does not begin with two."""
    match = re.match(r"(\d+)\.(\d+)", version or "")
    return (int(match[1]), int(match[2])) if match else (0, 0)


def dotted(capability: tuple[int, int]) -> str:
    """Write a compute capability as its maker does: 8.9."""
    return f"{capability[0]}.{capability[1]}"


def _with_gpus(facts: MachineFacts, environment: Environment) -> MachineFacts:
    """Take the GPUs that CUDA lets a program see; not known where there are device files and a silent driver."""
    if not environment.gpus:
        return msgspec.structs.replace(facts, gpus=None if environment.host.gpu_devices else 0)
    seen = _seen(environment)
    capabilities = [capability for gpu in seen if (capability := _capability(gpu.compute_capability))]
    names = {gpu.name for gpu in seen}
    count = _count(environment)
    return msgspec.structs.replace(
        facts,
        gpus=count,
        no_gpus_because=None if count else "CUDA_VISIBLE_DEVICES hides all of them",
        gpu_name=names.pop() if len(names) == 1 else None,
        gpu_memory=min((gpu.memory_total for gpu in seen if gpu.memory_total is not None), default=None),
        compute_capability=min(capabilities, default=None),
    )


def _count(environment: Environment) -> int:
    if environment.visible is not None:
        return sum(device.is_seen for device in environment.visible)
    from lightning_tui.environment.visible import sees_one_slice

    slices = [gpu for gpu in environment.gpus if gpu.mig is not None]
    if slices and sees_one_slice(environment.driver):
        return 1  # and none of the whole GPUs beside it
    return len(_whole(environment.gpus)) + len(slices)


def _seen(environment: Environment) -> list[GpuSample]:
    """The readings of the GPUs that a program sees: all of them, where it cannot be told which."""
    devices = [device for device in environment.visible or () if device.is_seen]
    named = {(device.gpu, device.mig) for device in devices}
    usable = [gpu for gpu in environment.gpus if gpu.mig is not None or gpu.index not in _sliced(environment.gpus)]
    if environment.visible is None or any(device.gpu is None for device in devices):
        return usable
    # An index names the whole GPU; of one that is cut into slices CUDA gives the first.
    first = {gpu.index: gpu.mig for gpu in reversed(usable)}
    named = {(index, first.get(index) if mig is None and index is not None else mig) for index, mig in named}
    return [gpu for gpu in usable if (gpu.index, gpu.mig) in named]


def _whole(gpus: Sequence[GpuSample]) -> list[GpuSample]:
    return [gpu for gpu in gpus if gpu.mig is None and gpu.index not in _sliced(gpus)]


def _sliced(gpus: Sequence[GpuSample]) -> set[int]:
    return {gpu.index for gpu in gpus if gpu.mig is not None}


def _capability(text: str | None) -> tuple[int, int] | None:
    match = re.fullmatch(r"(\d+)\.(\d+)", text or "")
    return (int(match[1]), int(match[2])) if match else None


def facts_under(facts: MachineFacts, plan: Plan) -> MachineFacts:
    """Return what of a machine is left for a training where a plan says which devices it takes."""
    if plan.accelerator == "cpu":
        return msgspec.structs.replace(facts, gpus=0, no_gpus_because="the plan sets accelerator cpu")
    asked = len(plan.devices) if isinstance(plan.devices, list) else plan.devices
    if facts.gpus and isinstance(asked, int) and 0 < asked < facts.gpus:
        return msgspec.structs.replace(facts, gpus=asked)
    return facts
