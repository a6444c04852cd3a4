"""What is wrong with this machine, or worth knowing before a training starts? One small rule for each answer."""

from __future__ import annotations

from collections.abc import Iterator

from lightning_tui.environment.model import Environment, Finding

COMPROMISED = frozenset({"2.6.2", "2.6.3"})
"""Releases of lightning that carried malicious code (GHSA-w37p-236h-pfx3)."""

GIB = 2**30
DISK_SPENT = 1 * GIB
DISK_LOW = 10 * GIB
SHARED_MEMORY_SMALL = 1 * GIB

_INSTALL = "-m pip install torch 'lightning!=2.6.2,!=2.6.3'"


def find_problems(environment: Environment) -> tuple[Finding, ...]:
    """Apply every rule; the worst first."""
    found = [finding for rule in _RULES for finding in rule(environment)]
    return tuple(sorted(found, key=lambda finding: ("error", "warning", "info").index(finding.severity)))


def _compromised_lightning(environment: Environment) -> Iterator[Finding]:
    software = environment.software
    if software is None:
        return
    for name, version in (("lightning", software.lightning), ("pytorch-lightning", software.pytorch_lightning)):
        if version in COMPROMISED:
            yield Finding(
                "compromised-lightning",
                "error",
                f"{name} {version} is a compromised release",
                "Versions 2.6.2 and 2.6.3 were published with code that steals credentials (GHSA-w37p-236h-pfx3).",
                f"Do not import it. {software.interpreter} -m pip install '{name}>=2.6.4', then renew the keys and "
                "tokens that this machine could read.",
            )


def _interpreter_unknown(environment: Environment) -> Iterator[Finding]:
    software = environment.software
    if software is not None and software.error is not None:
        yield Finding(
            "interpreter-unknown",
            "warning",
            "The program's Python could not be asked what it has installed",
            f"{software.interpreter}: {software.error}.",
            "Choose another interpreter with --python, or activate the environment that has torch and lightning.",
        )


def _missing_packages(environment: Environment) -> Iterator[Finding]:
    software = environment.software
    if software is None or software.error is not None:
        return
    for name, is_there in (("torch", software.torch is not None), ("lightning", software.has_lightning)):
        if not is_there:
            yield Finding(
                f"no-{name}",
                "error",
                f"The program's Python has no {name}",
                f"{software.interpreter} (Python {software.python}) has no package {name}.",
                f"{software.interpreter} {_INSTALL}, or choose another interpreter with --python.",
            )


def _two_flavours(environment: Environment) -> Iterator[Finding]:
    software = environment.software
    if software is None or software.lightning is None or software.pytorch_lightning is None:
        return
    if software.lightning != software.pytorch_lightning:
        yield Finding(
            "two-lightnings",
            "warning",
            "Two versions of Lightning are installed",
            f"lightning {software.lightning} and pytorch-lightning {software.pytorch_lightning}: a Trainer of one does "
            "not accept modules and callbacks of the other.",
            f"{software.interpreter} -m pip install 'lightning=={software.lightning}' "
            f"'pytorch-lightning=={software.lightning}', or import one of them alone.",
        )


def _cpu_torch_beside_gpus(environment: Environment) -> Iterator[Finding]:
    software = environment.software
    if environment.gpus and software is not None and software.torch_build == "cpu":
        yield Finding(
            "cpu-torch",
            "warning",
            "torch is a CPU build, but there are GPUs",
            f"torch {software.torch} cannot use the {len(environment.gpus)} GPU(s) of this machine.",
            "Install a CUDA build of torch: https://pytorch.org/get-started/locally names the command.",
        )


def _runs_home(environment: Environment) -> Iterator[Finding]:
    place = environment.storage.runs_home
    trouble = place.error or ("no permission to write" if place.writable is False else None)
    if trouble is not None:
        yield Finding(
            "runs-home",
            "error",
            "The place for runs cannot be used",
            f"{place.path}: {trouble}.",
            "Put runs elsewhere with --home or LIGHTNING_TUI_HOME, or correct the permissions.",
        )
    if place.free is not None and place.free < DISK_LOW:
        yield Finding(
            "low-disk",
            "error" if place.free < DISK_SPENT else "warning",
            f"Only {gib(place.free)} left for runs and their checkpoints",
            f"{place.path} lies on {place.mount or 'a disk'} with {gib(place.free)} free.",
            "Free some space, or put runs elsewhere with --home or LIGHTNING_TUI_HOME.",
        )


def _silent_driver(environment: Environment) -> Iterator[Finding]:
    devices = environment.host.gpu_devices
    if not environment.gpus and "/dev/nvidia0" in devices:
        yield Finding(
            "gpu-driver",
            "warning",
            "There is an NVIDIA GPU, but its driver tells nothing",
            f"/dev/nvidia0 exists; {environment.gpus_missing or 'no GPU was found'}.",
            "Run nvidia-smi: it names the trouble. In a container, ask for the capability 'utility' besides 'compute'.",
        )


def _small_shared_memory(environment: Environment) -> Iterator[Finding]:
    total = environment.host.shared_memory_total
    matters = bool(environment.gpus) or "container" in environment.platform.facets
    if total is not None and total < SHARED_MEMORY_SMALL and matters:
        yield Finding(
            "small-shm",
            "warning",
            f"Shared memory is only {gib(total)}",
            "Data workers and NCCL pass data through /dev/shm; where it is full they die with a bus error.",
            "Start the container with --shm-size=8g or --ipc=host (Kubernetes: mount a memory emptyDir there), or "
            "train with num_workers=0.",
        )


def _slurm_leftovers(environment: Environment) -> Iterator[Finding]:
    """Lightning takes SLURM_NTASKS for srun having started all ranks, unless the job is named bash or interactive."""
    slurm = environment.slurm
    if slurm is None or slurm.in_step or slurm.job_name in ("bash", "interactive"):
        return
    tasks = int(slurm.tasks) if slurm.tasks is not None and slurm.tasks.isdecimal() else 1
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
            "Slurm's variables make Lightning wait for ranks that nobody starts",
            f"SLURM_NTASKS={tasks} is set, but srun did not start this shell: Lightning waits for {tasks - 1} more.",
            remedy,
        )


_RULES = (
    _compromised_lightning,
    _missing_packages,
    _interpreter_unknown,
    _slurm_leftovers,
    _runs_home,
    _small_shared_memory,
    _silent_driver,
    _cpu_torch_beside_gpus,
    _two_flavours,
)


def gib(size: int) -> str:
    """Write bytes for people, in GiB, or MiB below one."""
    if size < GIB:
        return f"{size / 2**20:.0f} MiB"
    return f"{size / GIB:.3g} GiB" if size < 1000 * GIB else f"{size / GIB:.0f} GiB"
