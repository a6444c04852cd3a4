"""Where am I, and is it fit to train? Platform with evidence, hardware, storage, software and what is wrong with them.

environment = inspect_environment(os.environ, runs_home=home, folder=Path.cwd())
environment = with_software(environment, probe_software(interpreter))
"""

from lightning_tui.environment.inspection import inspect_environment, with_software
from lightning_tui.environment.model import (
    Environment,
    FactEvidence,
    Finding,
    Host,
    Limit,
    Limits,
    Platform,
    Session,
    Severity,
    Slurm,
    Software,
    StoragePlace,
    StoragePlaces,
    VisibleDevice,
)
from lightning_tui.environment.platform import detect_platform
from lightning_tui.environment.report import as_json, as_text, fact_rows
from lightning_tui.environment.rules.software import reason_not_to_start
from lightning_tui.environment.software import probe_software

__all__ = [
    "Environment",
    "FactEvidence",
    "Finding",
    "Host",
    "Limit",
    "Limits",
    "Platform",
    "Session",
    "Severity",
    "Slurm",
    "Software",
    "StoragePlace",
    "StoragePlaces",
    "VisibleDevice",
    "as_json",
    "as_text",
    "detect_platform",
    "fact_rows",
    "inspect_environment",
    "probe_software",
    "reason_not_to_start",
    "with_software",
]
