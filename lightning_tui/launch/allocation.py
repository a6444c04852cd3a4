"""A run that is started here, inside a Slurm allocation but not by srun: what must its program not read from Slurm?

Lightning takes `SLURM_NTASKS` for srun having started all ranks. Where nobody has, it refuses ("--ntasks is not
supported") or waits for ever for ranks that nobody starts. Where the job is named `interactive` it ignores the
allocation and starts its ranks itself (`lightning/fabric/plugins/environments/slurm.py`, `_is_slurm_interactive_mode`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


class EnvironmentChange(msgspec.Struct, frozen=True):
    """Variables that a run gets otherwise than its starter had them, and why."""

    variables: dict[str, str]
    reason: str


def allocation_change(environ: Mapping[str, str], devices: Any = None) -> EnvironmentChange | None:
    """Return what to change so that Lightning starts its own ranks; `None` where nothing must be.

    `devices` are the plan's. With one task and one device nothing is changed: Lightning is then right about Slurm, and
    can requeue the job.
    """
    from lightning_tui.environment.platform import INTERACTIVE_JOB_NAMES  # late: to stop or kill a run needs it not

    tasks = environ.get("SLURM_NTASKS")
    if tasks is None or environ.get("SLURM_JOB_NAME") in INTERACTIVE_JOB_NAMES or _is_one_of_several(environ):
        return None
    if _number(tasks) == 1 and not _are_several(devices):
        return None
    return EnvironmentChange(
        {"SLURM_JOB_NAME": "interactive"},
        f"SLURM_NTASKS={tasks} without srun: the program sees SLURM_JOB_NAME=interactive, so that Lightning starts its "
        "own ranks on this machine and does not wait for others",
    )


def _is_one_of_several(environ: Mapping[str, str]) -> bool:
    """Whether srun started us as one of several tasks: Lightning's reading is then right."""
    in_step = bool(environ.get("SLURM_STEP_ID"))
    return in_step and _number(environ.get("SLURM_STEP_NUM_TASKS") or environ.get("SLURM_NTASKS") or "") > 1


def _are_several(devices: Any) -> bool:
    return devices in ("auto", -1) or (len(devices) if isinstance(devices, list) else devices or 1) > 1


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0
