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


class Memory(Event, frozen=True, kw_only=True, tag="memory"):
    """The rank's view of its device through torch's allocator, in bytes."""

    device: str
    uuid: str | None
    allocated: int
    reserved: int
    peak_allocated: int
    peak_reserved: int
    total: int | None


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


class ProgramEnd(Event, frozen=True, kw_only=True, tag="exit"):
    """The process leaves in an orderly way; missing where it was killed."""

    code: int


class TelemetryTrouble(Event, frozen=True, kw_only=True, tag="telemetry_trouble"):
    """Telemetry of this rank failed and is off from here; training goes on."""

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


class Ended(Event, frozen=True, kw_only=True, tag="ended"):
    """The program is gone and nothing of it is left, or what is left is named."""

    code: int | None
    signal: str | None
    """Name of the signal that ended the program (`SIGKILL`)."""
    cause: Literal["program", "stop", "kill", "launch", "unknown"]
    """`program`: by itself; `stop`/`kill`: on request; `launch`: it never started; `unknown`: nobody could see."""
    detail: str | None = None
    cleaned: int = 0
    """Processes of the run that had to be killed after the program had ended."""
    survivors: tuple[int, ...] = ()
    """Pids that could not be killed."""


RankEvent: TypeAlias = (
    Hello
    | TrainerSeen
    | StageChanged
    | Progress
    | Metrics
    | Memory
    | CheckpointSaved
    | CheckpointRemoved
    | ExceptionRaised
    | FitEnd
    | Acknowledged
    | ProgramEnd
    | TelemetryTrouble
)
SupervisorEvent: TypeAlias = SupervisorStarted | Sampled | RankGone | Stopping | Ended
AnyEvent: TypeAlias = RankEvent | SupervisorEvent
