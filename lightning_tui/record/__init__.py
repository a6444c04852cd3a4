"""What both sides of a run agree on: the run directory, its events, its commands, and what they add up to."""

from lightning_tui.record.command_progress import CommandProgress
from lightning_tui.record.commands import Command, CommandError, new_command, write_command
from lightning_tui.record.directory import (
    ATTEMPT_VARIABLE,
    RUN_VARIABLE,
    ProgramRecord,
    RecordError,
    RunDirectory,
    RunRecord,
    process_belongs,
    supervisor_alive,
)
from lightning_tui.record.hardware import GpuHistory, GpuKey, NodeView
from lightning_tui.record.masking import mask_secrets
from lightning_tui.record.reader import RunReader, read_snapshot
from lightning_tui.record.samples import GpuProcess, GpuSample, HostSample
from lightning_tui.record.series import Series
from lightning_tui.record.snapshot import ProgressView, RankView, RunSnapshot
from lightning_tui.record.state import Failure, RunState
from lightning_tui.record.store import RunStore, UnreadableRun

__all__ = [
    "ATTEMPT_VARIABLE",
    "RUN_VARIABLE",
    "Command",
    "CommandError",
    "CommandProgress",
    "Failure",
    "GpuHistory",
    "GpuKey",
    "GpuProcess",
    "GpuSample",
    "HostSample",
    "NodeView",
    "ProgramRecord",
    "ProgressView",
    "RankView",
    "RecordError",
    "RunDirectory",
    "RunReader",
    "RunRecord",
    "RunSnapshot",
    "RunState",
    "RunStore",
    "Series",
    "UnreadableRun",
    "mask_secrets",
    "new_command",
    "process_belongs",
    "read_snapshot",
    "supervisor_alive",
    "write_command",
]
