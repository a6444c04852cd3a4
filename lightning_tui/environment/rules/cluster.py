"""Rules about Slurm, and about jobs of several machines."""

from __future__ import annotations

from collections.abc import Iterator

from lightning_tui.environment.model import Environment, Finding
from lightning_tui.environment.platform import INTERACTIVE_JOB_NAMES
from lightning_tui.gpus.files import number_of


def _slurm_leftovers(environment: Environment) -> Iterator[Finding]:
    """Lightning takes SLURM_NTASKS for srun having started all ranks, unless the job is named bash or interactive."""
    slurm = environment.slurm
    if slurm is None or slurm.in_step or slurm.job_name in INTERACTIVE_JOB_NAMES:
        return
    tasks = number_of(slurm.tasks) or 1
    if tasks <= 1:
        return
    remedy = "Start the program with srun, or set SLURM_JOB_NAME=interactive so that Lightning ignores the allocation."
    if slurm.tasks_per_node is None:
        yield Finding(
            "slurm-ntasks",
            "error",
            "Slurm's variables make Lightning refuse to start",
            f"SLURM_NTASKS={tasks} is set without SLURM_NTASKS_PER_NODE.",
            f"Allocate with --ntasks-per-node. {remedy}",
        )
    else:
        yield Finding(
            "slurm-without-srun",
            "error",
            "Slurm's variables make Lightning wait for ranks that are never started",
            f"SLURM_NTASKS={tasks} is set, but srun did not start this shell: Lightning waits for {tasks - 1} more.",
            remedy,
        )


def _slurm_ignored(environment: Environment) -> Iterator[Finding]:
    slurm = environment.slurm
    if slurm is not None and slurm.job_name in INTERACTIVE_JOB_NAMES:
        nodes = f" The job's {slurm.nodes} nodes stay unused except this one." if (slurm.nodes or 1) > 1 else ""
        yield Finding(
            "slurm-ignored",
            "info",
            f"Lightning ignores this Slurm job, because it is named {slurm.job_name}",
            f"It starts its own ranks, on this machine only.{nodes}",
            "One machine needs nothing more. For several, submit with sbatch a script that calls srun.",
        )


def _name_is_loopback(environment: Environment) -> Iterator[Finding]:
    host = environment.host
    if (environment.nodes or 1) > 1 and host.loopback_address is not None:
        yield Finding(
            "loopback-name",
            "warning",
            f"{host.hostname} resolves its own name to {host.loopback_address}, and the job has "
            f"{environment.nodes} machines",
            "A library that looks up its own name, as gloo does, listens on the loopback interface and never "
            "meets the other nodes.",
            f"Remove {host.hostname} from the loopback line in /etc/hosts, or set GLOO_SOCKET_IFNAME and "
            "NCCL_SOCKET_IFNAME to the network's interface.",
        )


RULES = (_slurm_leftovers, _slurm_ignored, _name_is_loopback)
