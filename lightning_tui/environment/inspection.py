"""One look at where we are, fast, without a child process or the network; software is added when it is known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from lightning_tui.environment.findings import find_problems
from lightning_tui.environment.host import inspect_host
from lightning_tui.environment.model import Environment, Slurm, Software
from lightning_tui.environment.platform import detect_platform, platform_with_software
from lightning_tui.environment.storage import inspect_storage
from lightning_tui.gpus import GpuReader


def inspect_environment(
    environ: Mapping[str, str],
    *,
    runs_home: Path,
    folder: Path,
    root: Path = Path("/"),
    reader: GpuReader | None = None,
) -> Environment:
    """Look at platform, host, GPUs and storage, and judge them; /proc, /sys and the like are read below `root`.

    It takes milliseconds, but a driver or a network file system may block as long as it likes: not for an event loop.
    """
    own_reader = reader or GpuReader()
    gpus = own_reader.read()
    if reader is None:
        own_reader.close()
    environment = Environment(
        platform=detect_platform(environ, root),
        host=inspect_host(root),
        storage=inspect_storage(environ, runs_home=runs_home, folder=folder, root=root),
        gpus=gpus,
        gpus_missing=own_reader.missing,
        visible_devices=environ.get("CUDA_VISIBLE_DEVICES"),
        slurm=_slurm(environ),
    )
    return msgspec.structs.replace(environment, findings=find_problems(environment))


def with_software(environment: Environment, software: Software) -> Environment:
    """Add what the program's interpreter has installed, and judge again."""
    platform = platform_with_software(environment.platform, software)
    known = msgspec.structs.replace(environment, platform=platform, software=software)
    return msgspec.structs.replace(known, findings=find_problems(known))


def _slurm(environ: Mapping[str, str]) -> Slurm | None:
    if not environ.get("SLURM_JOB_ID") and not environ.get("SLURM_NTASKS"):
        return None
    return Slurm(
        job_id=environ.get("SLURM_JOB_ID"),
        job_name=environ.get("SLURM_JOB_NAME"),
        tasks=environ.get("SLURM_NTASKS"),
        tasks_per_node=environ.get("SLURM_NTASKS_PER_NODE"),
        in_step=bool(environ.get("SLURM_STEP_ID")),
    )
