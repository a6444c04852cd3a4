"""Rules about the GPUs, and about who else uses them."""

from __future__ import annotations

from collections.abc import Iterator

from lightning_tui.environment.model import Environment, Finding
from lightning_tui.gpus import GpuProcess, GpuSample
from lightning_tui.gpus.absence import KEPT_OUT
from lightning_tui.text.units import plural, size

BUSY_SHARE = 0.05
"""Share of a GPU's memory that others may hold before it counts: a desktop takes about as much."""


def _silent_driver(environment: Environment) -> Iterator[Finding]:
    devices = environment.host.gpu_devices
    if not environment.gpus and "/dev/nvidia0" in devices:
        yield Finding(
            "gpu-driver",
            "warning",
            "There is an NVIDIA GPU, but its driver does not answer",
            f"/dev/nvidia0 exists; {environment.gpus_missing or 'no GPU was found'}.",
            "Run nvidia-smi: it names the problem. In a container, ask for the capability 'utility' besides 'compute'.",
        )


def _container_without_gpus(environment: Environment) -> Iterator[Finding]:
    missing = environment.gpus_missing or ""
    if not environment.gpus and missing.startswith(KEPT_OUT):
        yield Finding(
            "container-without-gpus",
            "info",
            "This container was given no GPU",
            f"{missing[0].upper()}{missing[1:]}: its runtime is configured so.",
            "If the machine has GPUs, start the container with --gpus all (Kubernetes: ask for nvidia.com/gpu).",
        )


def _hidden_gpus(environment: Environment) -> Iterator[Finding]:
    visible = environment.visible
    whole = [gpu for gpu in environment.gpus if gpu.mig is None]
    if visible is None or not whole:
        return
    seen = [device for device in visible if device.is_seen]
    wrong = [device for device in visible if not device.is_seen]
    given = f"CUDA_VISIBLE_DEVICES={environment.visible_devices}"
    remedy = "Unset CUDA_VISIBLE_DEVICES, or name GPUs by the indices or UUIDs that nvidia-smi -L shows."
    if wrong:
        first = wrong[0]
        title = f"Programs see {len(seen)} of the {plural(len(visible), 'device')} that CUDA_VISIBLE_DEVICES names"
        yield Finding("visible-devices", "warning", title, f"{given}, entry {first.entry!r}: {first.note}.", remedy)
    elif not seen:
        detail = "It is set, and empty."
        yield Finding("hidden-gpus", "warning", "CUDA_VISIBLE_DEVICES hides every GPU", detail, remedy)
    elif len(seen) < len(whole):
        title = f"Programs see {len(seen)} of {len(whole)} GPUs"
        yield Finding("hidden-gpus", "info", title, f"{given}.", "Unset CUDA_VISIBLE_DEVICES to use them all.")


def _device_order(environment: Environment) -> Iterator[Finding]:
    unsure = [device for device in environment.visible or () if device.is_seen and device.gpu is None and device.note]
    if unsure and len({gpu.name for gpu in environment.gpus}) > 1:
        yield Finding(
            "device-order",
            "warning",
            "CUDA may number these GPUs in another order than nvidia-smi",
            f"The GPUs differ, and CUDA numbers the fastest first: entry {unsure[0].entry!r} of CUDA_VISIBLE_DEVICES "
            "may be another GPU than nvidia-smi's.",
            "Set CUDA_DEVICE_ORDER=PCI_BUS_ID, or name GPUs by their UUIDs.",
        )


def _busy(environment: Environment) -> Iterator[Finding]:
    sliced = {gpu.index for gpu in environment.gpus if gpu.mig is not None}
    devices = [gpu for gpu in environment.gpus if gpu.mig is not None or gpu.index not in sliced]
    busy = [gpu for gpu in devices if _held(gpu) > BUSY_SHARE * (gpu.memory_total or 0) and _held(gpu)]
    if not busy:
        return
    names = ", ".join(map(_label, busy))
    fullest = max(busy, key=_held)
    who = ", ".join(_described(process) for process in sorted(fullest.processes or (), key=_memory, reverse=True)[:3])
    yield Finding(
        "busy-gpus",
        "warning",
        f"{'GPU' if len(busy) == 1 else 'GPUs'} {names} already in use",
        f"GPU {_label(fullest)}: {size(_held(fullest))} held by {who}.",
        "Wait for these processes, end them, or choose other GPUs with CUDA_VISIBLE_DEVICES or devices.",
    )


def _label(gpu: GpuSample) -> str:
    return str(gpu.index) if gpu.mig is None else f"{gpu.index}:{gpu.mig}"


def _held(gpu: GpuSample) -> int:
    """Bytes that processes hold; 0 also where the driver does not tell."""
    return sum(_memory(process) for process in gpu.processes or () if not process.ours)


def _memory(process: GpuProcess) -> int:
    return process.memory or 0


def _described(process: GpuProcess) -> str:
    owner = f" of {process.owner}" if process.owner else ""
    return f"{process.name or 'process'} {process.pid}{owner}"


RULES = (_silent_driver, _container_without_gpus, _hidden_gpus, _device_order, _busy)
