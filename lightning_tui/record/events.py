"""The event types of a run: everything that the training side and the supervisor ever say, one JSON object a line.

Each line is an object with `event` (the tag), `seq` (per writer, from 0) and `time` (UTC epoch seconds). Readers ignore
unknown fields and count unknown events. Numbers that JSON cannot carry travel as `"nan"`, `"inf"` and `"-inf"`.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from lightning_tui.record.samples import GpuChange, HostSample

FORMAT_VERSION = 1

FieldValue: TypeAlias = str | int | float | bool | list[int | str] | None
"""A Trainer argument as the record shows it; an object is shown by its class name."""

Number: TypeAlias = float | Literal["nan", "inf", "-inf"]
"""A metric's value; the three words stand for what JSON cannot write."""

Cause: TypeAlias = Literal["program", "stop", "kill", "launch", "unknown"]
"""Why it ended: `program`: by itself; `stop`, `kill`: on request; `launch`: it never began; `unknown`: nobody saw."""

Stage: TypeAlias = Literal["setup", "sanity_check", "train", "validate", "test", "predict", "paused", "done"]


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """What every event carries."""

    seq: int
    time: float


# ------------------------------------------------------------------ written by the training side, one file a process


class Hello(Event, frozen=True, kw_only=True, tag="hello"):
    """A process of the run begins. Written before any line of the program runs."""

    rank: int
    local_rank: int
    node_rank: int
    world_size: int | None
    host: str
    pid: int
    started_at: float
    """When the process started, UTC epoch seconds: with the pid it is an identity."""
    executable: str
    python: str
    argv: list[str]


class TrainerField(msgspec.Struct, frozen=True):
    """One argument of the Trainer: what the plan asked for, what the script passed, what is in effect."""

    requested: FieldValue = None
    script: FieldValue = None
    actual: FieldValue = None


class TrainerSeen(Event, frozen=True, kw_only=True, tag="trainer"):
    """A Trainer is about to run a stage; said by global rank 0."""

    flavour: str
    """`lightning.pytorch` or `pytorch_lightning`."""
    lightning: str
    torch: str
    world_size: int
    fields: dict[str, TrainerField]
    parameters: int | None = None
    trainable_parameters: int | None = None
    log_dir: str | None = None


class StageChanged(Event, frozen=True, kw_only=True, tag="stage"):
    """The rank entered a stage. `done` is said when the Trainer has left its last one."""

    stage: Stage
    epoch: int
    global_step: int


class Progress(Event, frozen=True, kw_only=True, tag="progress"):
    """How far the rank is. Counts start at 0 done; totals are `None` where Lightning does not know them."""

    stage: Stage
    epoch: int
    max_epochs: int | None
    global_step: int
    max_steps: int | None
    batch: int
    """Batches done in this epoch (train) or in this evaluation."""
    total_batches: int | None
    step_time_s: float | None = None
    """Mean wall time of a batch over the last flush window, data wait included."""
    data_wait_s: float | None = None
    """Mean wait for the data of a batch over the same window."""
    batch_size: int | None = None
    """Samples in the last batch of this rank, where it can be told."""


class Points(msgspec.Struct, frozen=True):
    """Values of one metric: two columns of the same length."""

    steps: list[int]
    values: list[Number]


class Metrics(Event, frozen=True, kw_only=True, tag="metrics"):
    """New values of metrics, by name. Step is Lightning's global step."""

    epoch: int
    series: dict[str, Points]


class DeviceMemory(Event, frozen=True, kw_only=True, tag="memory"):
    """The rank's view of its device through torch's allocator, in bytes."""

    device: str
    uuid: str | None
    allocated: int
    reserved: int
    peak_allocated: int
    peak_reserved: int
    total: int | None


class Saving(Event, frozen=True, kw_only=True, tag="saving"):
    """The Trainer begins to write a checkpoint, or (`is_over`) has come back from that, whether it is whole or not."""

    path: str
    is_over: bool = False


class CheckpointSaved(Event, frozen=True, kw_only=True, tag="checkpoint"):
    """A checkpoint is complete on disk."""

    path: str
    epoch: int
    global_step: int
    size: int | None
    seconds: float | None


class CheckpointRemoved(Event, frozen=True, kw_only=True, tag="checkpoint_removed"):
    """A checkpoint of this run was deleted, as `save_top_k` does with what a better one has outdone."""

    path: str


class ExceptionRaised(Event, frozen=True, kw_only=True, tag="exception"):
    """An exception left the program's code on this rank."""

    type: str
    """Qualified name, `torch.OutOfMemoryError`."""
    message: str
    traceback: str
    hook: str | None
    """Where Lightning was (`train`, `validate`, ...), `None` outside the Trainer."""
    epoch: int | None
    global_step: int | None


class FitEnd(Event, frozen=True, kw_only=True, tag="fit_end"):
    """`Trainer.fit` came to its regular end. `finished` is false where a stop command ended it."""

    finished: bool
    reason: str
    epoch: int
    global_step: int


class Acknowledged(Event, frozen=True, kw_only=True, tag="ack"):
    """What became of a command."""

    command: str
    """The command's id."""
    op: str
    status: Literal["taken", "done", "refused"]
    global_step: int | None
    detail: str | None = None


class RankAcknowledged(Event, frozen=True, kw_only=True, tag="rank_ack"):
    """A rank is at the batch at which all ranks take a command; said by each for itself, where there are several."""

    command: str
    """The command's id."""
    global_step: int | None


class ProgramEnd(Event, frozen=True, kw_only=True, tag="exit"):
    """The process leaves in an orderly way; missing where it was killed."""

    code: int
    raised: str | None = None
    """Type of the exception that left the program, `SystemExit` included; empty where none did, `None` where the
    process cannot tell (a spawned rank)."""
    text: str | None = None
    """What the program gave to `sys.exit` as a text."""
    traceback: str | None = None
    """Of a `SystemExit` with a code other than 0: who called it."""


class TelemetryTrouble(Event, frozen=True, kw_only=True, tag="telemetry_trouble"):
    """Telemetry of this rank, or its taking of commands, failed and is off from here; training goes on."""

    message: str


# ------------------------------------------------------------------------------------------ written by a supervisor


class SupervisorStarted(Event, frozen=True, kw_only=True, tag="supervisor_started"):
    """The supervisor holds its lock and has started the program."""

    node: int
    host: str
    pid: int
    started_at: float
    boot_id: str | None
    attempt: int
    child_pid: int
    child_started_at: float | None
    command: list[str]


class Sampled(Event, frozen=True, kw_only=True, tag="sample", omit_defaults=True):
    """One look at the node's hardware."""

    host: HostSample
    gpus: tuple[GpuChange, ...]
    """All GPUs that there are, each with what is new of it: `record.hardware` makes whole readings of that."""
    gpus_missing: str | None = None
    """Why there are no GPU readings, in words."""
    output_bytes: dict[str, int] = {}
    """Size of each rank's output file at this moment, by rank: the index from time to offset."""


class RankGone(Event, frozen=True, kw_only=True, tag="rank_gone"):
    """A rank's process vanished; said when it is noticed, whatever the rank itself wrote."""

    rank: int
    pid: int


class Stopping(Event, frozen=True, kw_only=True, tag="stopping"):
    """A rung of the stop ladder was taken: `asked` (command), `sigterm` (to rank 0), `sigkill` (to all)."""

    rung: Literal["asked", "sigterm", "sigkill"]
    by: str
    next_rung_at: float | None
    """UTC epoch seconds of the next, harder rung; `None` where there is none."""
    is_saving: bool = False
    """Whether it waits for a checkpoint that is being written; `next_rung_at` is then when it waits no longer."""
    is_validating: bool = False
    """Whether it waits for a validation in the same way."""
    saved_bytes: int | None = None
    """How much of a checkpoint is on disk so far; `None` where it cannot be seen."""

    @property
    def is_held(self) -> bool:
        """Whether the next rung waits for what goes on."""
        return self.is_saving or self.is_validating


class Restarting(Event, frozen=True, kw_only=True, tag="restarting"):
    """An attempt has failed of something that another one may not meet: the program is started again."""

    attempt: int
    """Number of the attempt that begins."""
    number: int
    """Which restart it is since the training last got on; from 1."""
    most: int
    """How many of those there may be."""
    after: str
    """What ended the attempt before, in a few words."""
    category: str
    """The same as `diagnose` names it."""
    code: int | None
    signal: str | None
    checkpoint: str | None
    """From where it goes on; `None`: from the beginning, or from where the plan says."""
    global_step: int | None
    """Step of that checkpoint."""
    begins_at: float
    """UTC epoch seconds."""


class RecordGap(Event, frozen=True, kw_only=True, tag="record_gap"):
    """The writer's file took nothing for a while: samples or progress and metrics of that time are missing."""

    since: float
    """UTC epoch seconds."""
    seconds: float
    reason: str


class Survivor(msgspec.Struct, frozen=True):
    """A process that not even SIGKILL has ended."""

    pid: int
    command: str


class CheckpointProof(msgspec.Struct, frozen=True, kw_only=True):
    """The newest checkpoint of a run as it lies on disk after the end."""

    path: str
    global_step: int | None
    size: int | None
    is_complete: bool | None
    """Whether it looks as if it can be loaded; `None` where that was not looked at."""
    problem: str | None = None
    """Why it does not."""


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What was found after an end: who is gone, what is free again, what is kept. Bytes; unknown is `None`."""

    ranks_gone: int
    processes_gone: int
    """All processes of the run on this node, data workers and the like included."""
    gpu_released: int | None = None
    """GPU memory that the run's processes held, and hold no more."""
    gpu_held: int | None = None
    """GPU memory that they still hold."""
    checkpoint: CheckpointProof | None = None
    survivors: tuple[Survivor, ...] = ()


class Ended(Event, frozen=True, kw_only=True, tag="ended"):
    """The program is gone and nothing of it is left, or what is left is named."""

    code: int | None
    signal: str | None
    """Name of the signal that ended the program (`SIGKILL`)."""
    cause: Cause
    detail: str | None = None
    cleaned: int = 0
    """Processes of the run that had to be killed after the program had ended."""
    survivors: tuple[int, ...] = ()
    """Pids that could not be killed."""
    proof: Proof | None = None
    """What was found after the end."""
    not_restarted: str | None = None
    """Why it was not started again, where that was wanted."""


RankEvent: TypeAlias = (
    Hello
    | TrainerSeen
    | StageChanged
    | Progress
    | Metrics
    | DeviceMemory
    | Saving
    | CheckpointSaved
    | CheckpointRemoved
    | ExceptionRaised
    | FitEnd
    | Acknowledged
    | RankAcknowledged
    | ProgramEnd
    | TelemetryTrouble
    | RecordGap
)
SupervisorEvent: TypeAlias = SupervisorStarted | Sampled | RankGone | Stopping | Restarting | RecordGap | Ended
AnyEvent: TypeAlias = RankEvent | SupervisorEvent
