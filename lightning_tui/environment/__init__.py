"""Where am I, and is it fit to train? Platform with evidence, hardware, storage, software and what is wrong with them.

environment = inspect_environment(os.environ, runs_home=home, folder=Path.cwd())
environment = with_software(environment, probe_software(interpreter))
"""

from lightning_tui.environment.inspection import inspect_environment, with_software
from lightning_tui.environment.model import (
    Environment,
    Evidence,
    Finding,
    Host,
    Place,
    Platform,
    Severity,
    Slurm,
    Software,
    Storage,
)
from lightning_tui.environment.platform import detect_platform
from lightning_tui.environment.report import as_json, as_text
from lightning_tui.environment.software import probe_software

__all__ = [
    "Environment",
    "Evidence",
    "Finding",
    "Host",
    "Place",
    "Platform",
    "Severity",
    "Slurm",
    "Software",
    "Storage",
    "as_json",
    "as_text",
    "detect_platform",
    "inspect_environment",
    "probe_software",
    "with_software",
]
