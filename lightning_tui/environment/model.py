"""What is known about a machine: frozen facts. Sizes in bytes; what could not be found out is `None`, never 0."""

from __future__ import annotations

from typing import Literal

import msgspec

from lightning_tui.gpus import DriverFacts, GpuSample

Severity = Literal["error", "warning", "info"]

UNLIMITED = -1
"""A limit that is none, as in `resource.RLIM_INFINITY`."""


class FactEvidence(msgspec.Struct, frozen=True):
    """What a conclusion rests on: a variable or a path, and its value ("set" where the value is nobody's business)."""

    name: str
    value: str


class Platform(msgspec.Struct, frozen=True, kw_only=True):
    """Where we are: the family by Lightning's own rules, the finer kind, and how we got here."""

    family: str
    """`lightning_cloud`, `lightning_compute`, `lightning_local`, `other` or `unknown`."""
    kind: str
    """`studio`, `lightning-job`, `lightning-machine`, `slurm`, `torchelastic`, `kubernetes`, `colab`, `kaggle`,
    `jupyter`, `container`, `wsl`, `local` or `unknown`."""
    label: str
    """For people: "Lightning Studio", "Slurm allocation", "local machine"."""
    evidence: tuple[FactEvidence, ...] = ()
    facets: tuple[str, ...] = ()
    """What is true besides: `ssh`, `tmux`, `screen`, `container`, `kubernetes`, `wsl`, `slurm`, `batch` or
    `interactive` (of a Slurm job), `torchelastic`, `notebook`."""
    facet_evidence: tuple[FactEvidence, ...] = ()
    """What shows the facets, so far as it is not the platform's own evidence."""
    reason: str | None = None
    """Why the platform is unknown, where it is."""


class Limit(msgspec.Struct, frozen=True):
    """What `ulimit` sets, in bytes or pieces; `UNLIMITED` where there is none."""

    soft: int | None
    """What holds now."""
    hard: int | None
    """Up to where a user may raise it."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The kernel's limits on this process, which every program started from it inherits."""

    open_files: Limit | None = None
    locked_memory: Limit | None = None
    processes: Limit | None = None
    """Processes and threads of the user."""
    core_size: Limit | None = None
    stack: Limit | None = None


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """The machine, or what its control groups leave of it."""

    hostname: str | None = None
    loopback_address: str | None = None
    """What /etc/hosts gives for the host's own name, where that is a loopback address."""
    system: str | None = None
    """The distribution's own name for itself."""
    kernel: str | None = None
    cpus: int | None = None
    """CPUs that this process may use: by affinity, and by the control group's quota (rounded up)."""
    cpus_online: int | None = None
    cpu_quota: float | None = None
    """Whole CPUs' worth of time that the control group grants."""
    memory_total: int | None = None
    """Of the machine, or the control group's limit where that is lower."""
    memory_available: int | None = None
    memory_is_limited: bool = False
    """Whether a control group sets the total."""
    shared_memory_total: int | None = None
    """Size of /dev/shm, through which data workers and NCCL pass data."""
    shared_memory_free: int | None = None
    gpu_devices: tuple[str, ...] = ()
    """Device files of GPUs of any maker; they are there even where the driver's readings are not."""
    infiniband: tuple[str, ...] = ()
    """Adapters for InfiniBand or RoCE, by the kernel's names."""
    limits: Limits | None = None
    now: float | None = None
    """What the clock said at the time of the look, in seconds since 1970 (UTC)."""


class StoragePlace(msgspec.Struct, frozen=True, kw_only=True):
    """A folder that matters and the storage below it."""

    path: str
    exists: bool = False
    writable: bool | None = None
    """Of the folder, or of the nearest one above it that exists."""
    free: int | None = None
    total: int | None = None
    file_system: str | None = None
    """The kernel's name for its type: ext4, nfs4, fuse.gcsfuse."""
    medium: str | None = None
    """`local`, `network`, `fuse`, `memory` or `host` (a share of the host's)."""
    mount: str | None = None
    read_only: bool | None = None
    """Whether it is mounted so that nobody can write."""
    time_ahead_s: float | None = None
    """How far the file system's clock is ahead of this machine's; asked of a network file system's runs home alone."""
    error: str | None = None
    """Why it could not be looked at, or not be used."""


class StoragePlaces(msgspec.Struct, frozen=True, kw_only=True):
    """The places where a run leaves something."""

    runs_home: StoragePlace
    folder: StoragePlace
    """The current folder."""
    persistent: StoragePlace | None = None
    """Storage that the platform keeps, where it names one."""
    persistent_reason: str | None = None
    """Why that is the persistent storage."""
    checkpoints: StoragePlace | None = None
    """Where runs leave their checkpoints unless their script says otherwise: in the run's folder, here called RUN."""
    data: StoragePlace | None = None
    """Where data goes on persistent storage."""
    artifacts: StoragePlace | None = None
    """Where a job of Lightning's platform leaves its results."""
    home: StoragePlace | None = None
    """The user's home folder."""


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """Who sits here, at what terminal, and whether what they start outlives the login."""

    user: str | None = None
    uid: int | None = None
    term: str | None = None
    """`TERM`, empty where it is not set."""
    kills_processes: bool = False
    """Whether logind ends all processes of this session when the user logs out."""
    lingers: bool = False
    """Whether the user's own service manager, and what it has started, lives on after that."""


class VisibleDevice(msgspec.Struct, frozen=True):
    """One entry of `CUDA_VISIBLE_DEVICES`, and the GPU that it stands for."""

    entry: str
    gpu: int | None = None
    """NVML index; `None` where it stands for none, or which one cannot be told."""
    mig: int | None = None
    """Number of the MIG slice on it."""
    note: str | None = None
    """Why there is no GPU, or why it cannot be told."""
    is_seen: bool = True
    """Whether CUDA lets a program see it."""


class Slurm(msgspec.Struct, frozen=True, kw_only=True):
    """What Slurm's variables say to Lightning."""

    job_id: str | None = None
    job_name: str | None = None
    tasks: str | None = None
    tasks_per_node: str | None = None
    in_step: bool = False
    """Whether srun started us."""
    nodes: int | None = None


class Software(msgspec.Struct, frozen=True, kw_only=True):
    """What an interpreter has installed, by its metadata; nothing was imported. Versions, `None` where absent."""

    interpreter: str
    python: str | None = None
    torch: str | None = None
    torch_build: str | None = None
    """What torch was built for: `cpu`, `cu130`, `rocm6.4`."""
    torch_cuda: str | None = None
    """Version of CUDA that torch was built with, as `13.0`."""
    torch_architectures: tuple[str, ...] | None = None
    """GPU architectures that torch brings code for: `sm_90`, `compute_90`."""
    lightning: str | None = None
    pytorch_lightning: str | None = None
    deepspeed: str | None = None
    bitsandbytes: str | None = None
    transformer_engine: str | None = None
    torchmetrics: str | None = None
    error: str | None = None
    """Why the interpreter could not be asked; everything else is then unknown."""

    @property
    def has_lightning(self) -> bool:
        """Whether either flavour of Lightning is installed."""
        return self.lightning is not None or self.pytorch_lightning is not None


class Finding(msgspec.Struct, frozen=True):
    """Something that is wrong, or worth knowing, before a training starts."""

    id: str
    severity: Severity
    title: str
    detail: str
    remedy: str


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """Where we are, and whether it is fit to train."""

    platform: Platform
    host: Host
    storage: StoragePlaces
    gpus: tuple[GpuSample, ...] = ()
    gpus_missing: str | None = None
    """Why there is no GPU to be seen, where there is none."""
    visible_devices: str | None = None
    """`CUDA_VISIBLE_DEVICES`, where it is set: the GPUs that a program is let see."""
    visible: tuple[VisibleDevice, ...] | None = None
    """The same, entry by entry with the GPU that each stands for; `None` where the variable is not set."""
    driver: DriverFacts | None = None
    """`None` where there is no GPU."""
    session: Session = Session()
    nodes: int | None = None
    """Machines that a scheduler or launcher gave to this job."""
    slurm: Slurm | None = None
    software: Software | None = None
    """`None` until an interpreter was asked."""
    findings: tuple[Finding, ...] = ()
