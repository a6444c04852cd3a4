"""Machines as the environment describes them, from a laptop to eight H100."""

from __future__ import annotations

from lightning_tui.environment import (
    Environment,
    Finding,
    Host,
    Platform,
    Software,
    StoragePlace,
    StoragePlaces,
    VisibleDevice,
)
from lightning_tui.gpus import GpuSample

GIB = 1 << 30
PYTHON = "/venv/bin/python"
BARE = Software(interpreter=PYTHON, python="3.12.1", torch="2.9.0", torch_build="cu130", lightning="2.6.6")


def machine(
    gpus: int = 0,
    *,
    name: str = "NVIDIA L40S",
    compute: str = "8.9",
    memory: int = 48 * GIB,
    cpus: int | None = 32,
    software: Software | None = BARE,
    visible: tuple[VisibleDevice, ...] | None = None,
    devices: tuple[str, ...] = (),
    facets: tuple[str, ...] = (),
    findings: tuple[Finding, ...] = (),
) -> Environment:
    """A machine with GPUs of one kind."""
    samples = [GpuSample(index=n, name=name, compute_capability=compute, memory_total=memory) for n in range(gpus)]
    place = StoragePlace(path="/")
    return Environment(
        platform=Platform(family="other", kind="local", label="local machine", facets=facets),
        host=Host(cpus=cpus, gpu_devices=devices),
        storage=StoragePlaces(runs_home=place, folder=place),
        gpus=tuple(samples),
        gpus_missing=None if gpus else "no NVIDIA driver found",
        visible=visible,
        software=software,
        findings=findings,
    )
