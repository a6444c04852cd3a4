"""What do a scheduler's and a launcher's variables say about this job?"""

from __future__ import annotations

from collections.abc import Mapping

from lightning_tui.environment.model import Slurm
from lightning_tui.gpus.files import number_of


def inspect_slurm(environ: Mapping[str, str]) -> Slurm | None:
    """Take what Lightning reads of Slurm; `None` where there is nothing of it."""
    if not environ.get("SLURM_JOB_ID") and not environ.get("SLURM_NTASKS"):
        return None
    return Slurm(
        job_id=environ.get("SLURM_JOB_ID"),
        job_name=environ.get("SLURM_JOB_NAME"),
        tasks=environ.get("SLURM_NTASKS"),
        tasks_per_node=environ.get("SLURM_NTASKS_PER_NODE"),
        in_step=bool(environ.get("SLURM_STEP_ID")),
        nodes=number_of(environ.get("SLURM_JOB_NUM_NODES") or environ.get("SLURM_NNODES")),
    )


def count_nodes(environ: Mapping[str, str], slurm: Slurm | None) -> int | None:
    """Count the job's machines: by Slurm, else by torchrun, which starts one agent on each (`GROUP_WORLD_SIZE`)."""
    if slurm is not None and slurm.nodes is not None:
        return slurm.nodes
    return number_of(environ.get("GROUP_WORLD_SIZE")) if environ.get("TORCHELASTIC_RUN_ID") else None
