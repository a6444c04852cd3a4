"""Invented machines for tests and pictures: hosts, GPUs and their history, software, a model that was measured."""

from __future__ import annotations

import random
from typing import TypeVar

import msgspec

from lightning_tui.environment import Environment, FactEvidence, Host, Platform, Software, StoragePlace, StoragePlaces
from lightning_tui.environment.findings import find_problems
from lightning_tui.plan.probe import BlockFacts, Measurement, ProgramProbe
from lightning_tui.record import (
    GpuHistory,
    GpuKey,
    GpuProcess,
    GpuSample,
    HostSample,
    NodeView,
)

StructT = TypeVar("StructT", bound=msgspec.Struct)
NOW = 1_790_000_751.0
STARTED = 1_790_000_000.0
GIB = 1 << 30


def replace_struct(value: StructT, **changes: object) -> StructT:
    """A frozen struct with other values."""
    return msgspec.structs.replace(value, **changes)


NO_DRIVER = "the NVIDIA driver library is not installed"


def cpu_software() -> Software:
    return Software(
        interpreter="/usr/bin/python", python="3.11.7", torch="2.13.0+cpu", torch_build="cpu", lightning="2.6.6"
    )


def idle_host() -> HostSample:
    return HostSample(cpu_count=8, cpu_percent=12.0, memory_used=6 * GIB, memory_total=32 * GIB)


def busy_host() -> HostSample:
    return replace_struct(
        idle_host(), cpu_percent=61.0, run_cpu_percent=390.0, run_memory=5 * GIB, run_processes=3, memory_used=11 * GIB
    )


def local_machine() -> Environment:
    place = StoragePlace(
        path="/home/ada/work",
        exists=True,
        writable=True,
        free=412 * GIB,
        total=900 * GIB,
        file_system="ext4",
        medium="local",
    )
    return Environment(
        platform=Platform(family="other", kind="local", label="local machine", facets=("ssh", "tmux")),
        host=Host(hostname="lab-7", system="Debian 12", cpus=8, memory_total=32 * GIB),
        storage=StoragePlaces(runs_home=place, folder=place),
    )


def studio() -> Environment:
    machine = local_machine()
    machine = replace_struct(
        machine,
        host=replace_struct(machine.host, shared_memory_total=64 << 20, shared_memory_free=64 << 20),
        platform=Platform(
            family="lightning_cloud",
            kind="studio",
            label="Lightning Studio",
            evidence=(FactEvidence("LIGHTNING_CLOUD_SPACE_ID", "set"),),
        ),
        gpus=tuple(replace_struct(gpu, processes=()) for gpu in four_gpus()),
    )
    return replace_struct(machine, findings=find_problems(machine))


def l40s(index: int, used: float, load: float, heat: float, power: float) -> GpuSample:
    return GpuSample(
        index=index,
        uuid=f"GPU-{index}",
        name="NVIDIA L40S",
        compute_capability="8.9",
        memory_used=int(used * GIB),
        memory_total=45 * GIB,
        utilization=load,
        temperature=heat,
        power=power,
        power_limit=350.0,
        processes=(),
    )


def in_use(gpu: GpuSample, pid: int, others: float = 0.0) -> GpuSample:
    """The reading while one rank of the run, and `others` GiB of somebody else, are on the GPU."""
    theirs = int(others * GIB)
    ours = GpuProcess(pid=pid, memory=(gpu.memory_used or 0) - theirs, ours=True, owner="ada", name="python")
    stranger = GpuProcess(pid=40217, memory=theirs, owner="bob", name="python3")
    return replace_struct(
        gpu,
        processes=(ours, stranger) if theirs else (ours,),
        clock=2310.0,
        clock_limit=2520.0,
        throttled=("power cap",) if (gpu.power or 0) > 285 else (),
        ecc_errors=0,
    )


def history_of(gpu: GpuSample, seed: int, points: int = 600) -> GpuHistory:
    """Ten invented minutes before the reading; a minute of them is not known."""
    chance = random.Random(seed)
    load = gpu.utilization or 0.0
    used = gpu.memory_used or 0
    loads = [
        min(100.0, max(0.0, load + chance.gauss(0, 3) - (45 if second % 150 < 12 else 0))) for second in range(points)
    ]
    memory = [int(used * min(1.0, 0.4 + second / 60)) for second in range(points)]
    unknown = range(200, 260)
    return GpuHistory(
        utilization=tuple(
            None if second in unknown or gpu.utilization is None else value for second, value in enumerate(loads)
        ),
        memory_used=tuple(None if second in unknown else value for second, value in enumerate(memory)),
    )


def histories(nodes: tuple[NodeView, ...]) -> dict[GpuKey, GpuHistory]:
    return {
        (node.name, gpu.index, gpu.mig): history_of(gpu, 100 * number + gpu.index)
        for number, node in enumerate(nodes)
        for gpu in node.gpus
    }


def four_gpus() -> tuple[GpuSample, ...]:
    return (
        in_use(l40s(0, 31.0, 98, 71, 289), 11, others=2.9),
        in_use(l40s(1, 29.2, 97, 69, 281), 12),
        in_use(l40s(2, 29.2, 41, 66, 214), 13),
        in_use(l40s(3, 29.7, 98, 86, 286), 14),
    )


def gpt_probe() -> ProgramProbe:
    """What looking into an invented GPT of 124 million parameters would find."""
    state = 124_439_808 * 4

    def step(precision: str, batch_size: int, recomputes: bool) -> Measurement:
        of_batch = int(batch_size / 32 * (27.1 if precision == "32-true" else 15.4) * GIB * (0.24 if recomputes else 1))
        return Measurement(
            precision=precision, batch_size=batch_size, peak=of_batch * 5 // 4 + 4 * state, parameters=state,
            gradients=state, optimizer=2 * state, activations=of_batch, temporary=of_batch // 6, update=state // 4,
            activation_checkpointing=recomputes,
        )  # fmt: skip

    return ProgramProbe(
        parameters=124_439_808,
        trainable=124_439_808,
        parameter_bytes=state,
        buffer_bytes=0,
        dtypes=("float32",),
        blocks=(BlockFacts(kind="Block", path="model.Block", count=12, parameters=7_087_872),),
        optimizer="AdamW",
        optimizer_bytes_per_parameter=8.0,
        batch_size=32,
        trainer={"max_epochs": 10, "gradient_clip_val": 1.0},
        measurements=tuple(
            step(precision, batch_size, recomputes)
            for precision in ("32-true", "bf16-mixed")
            for batch_size in (32, 64)
            for recomputes in (False, True)
        ),
    )
