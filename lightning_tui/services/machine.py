"""What is this machine, and what does a program find on it?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from lightning_tui.environment import Environment, Software, inspect_environment, probe_software, with_software
from lightning_tui.gpus import GpuSampler, HostReader
from lightning_tui.record import GpuSample, HostSample
from lightning_tui.settings import Settings

_FIRST_LOOK_S = 1.0
"""How long the first look at the GPUs may keep the host's readings waiting."""


class Hardware(NamedTuple):
    """One look at this machine while no run reports it."""

    gpus: tuple[GpuSample, ...]
    gpus_missing: str | None
    host: HostSample


def inspect_machine(
    settings: Settings, environ: Mapping[str, str], interpreter: Path | None = None, folder: Path | None = None
) -> Environment:
    """Look at this machine and at a program's folder, the current one by default; where an interpreter is named, also
    at what it has installed."""
    environment = inspect_environment(environ, runs_home=settings.runs_home, folder=folder or Path.cwd())
    return environment if interpreter is None else with_software(environment, inspect_software(interpreter))


def inspect_software(interpreter: Path) -> Software:
    """Ask an interpreter what it has installed."""
    return probe_software(interpreter)


class HardwareSampler:
    """Looks at GPUs and host; a driver that hangs holds nobody up longer than for the first look."""

    def __init__(self) -> None:
        self._sources: tuple[GpuSampler, HostReader] | None = None

    def __call__(self) -> Hardware:

        if self._sources is None:
            self._sources = (GpuSampler(), HostReader())
        gpus, host = self._sources
        reading = gpus.latest(patience_s=_FIRST_LOOK_S)
        return Hardware(gpus=reading.gpus, gpus_missing=reading.missing, host=host.read())
