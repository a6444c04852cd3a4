"""One look at where we are, fast, without a child process or the network; software is added when it is known."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from lightning_tui.environment.cluster import count_nodes, inspect_slurm
from lightning_tui.environment.findings import find_problems
from lightning_tui.environment.host import inspect_host
from lightning_tui.environment.model import Environment, Software
from lightning_tui.environment.platform import detect_platform, platform_with_software
from lightning_tui.environment.session import inspect_session
from lightning_tui.environment.storage import inspect_storage
from lightning_tui.environment.visible import VARIABLE, visible_devices
from lightning_tui.gpus import GpuReader, PatientReader


def inspect_environment(
    environ: Mapping[str, str],
    *,
    runs_home: Path,
    folder: Path,
    root: Path = Path("/"),
    reader: GpuReader | None = None,
    clock: Callable[[], float] = time.time,
) -> Environment:
    """Look at platform, host, GPUs and storage, and judge them; /proc, /sys and the like are read below `root`.

    It takes milliseconds, but a driver may take seconds and a network file system any time: not for an event loop.
    The driver is asked about itself where there are GPUs only.
    """
    own_reader = reader or PatientReader(environ=environ)
    gpus = own_reader.read()
    driver = own_reader.driver_facts() if gpus else None
    if reader is None:
        own_reader.close()
    slurm = inspect_slurm(environ)
    environment = Environment(
        platform=detect_platform(environ, root),
        host=msgspec.structs.replace(inspect_host(root), now=clock()),
        storage=inspect_storage(environ, runs_home=runs_home, folder=folder, root=root),
        gpus=gpus,
        gpus_missing=None if gpus else own_reader.missing,
        visible_devices=environ.get(VARIABLE),
        visible=visible_devices(environ, gpus, driver),
        driver=driver,
        session=inspect_session(environ, root),
        nodes=count_nodes(environ, slurm),
        slurm=slurm,
    )
    return msgspec.structs.replace(environment, findings=find_problems(environment))


def with_software(environment: Environment, software: Software) -> Environment:
    """Add what the program's interpreter has installed, and judge again."""
    platform = platform_with_software(environment.platform, software)
    known = msgspec.structs.replace(environment, platform=platform, software=software)
    return msgspec.structs.replace(known, findings=find_problems(known))
