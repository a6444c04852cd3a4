"""Run a program once in a child of its own, of which nothing stays behind: no process, no file, no words."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

import msgspec

from lightning_tui.launch.local import SHIM, LaunchError
from lightning_tui.launch.processes import processes_with, send
from lightning_tui.launch.program import Program
from lightning_tui.record.directory import ATTEMPT_VARIABLE, RUN_VARIABLE

MARK = "LIGHTNING_TUI_THROWAWAY"
"""By this, with the folder for its value, all processes of a child are known."""

_POLL_S = 0.05
_GONE_PATIENCE_S = 5.0
_LAST_BYTES = 16 * 1024

_QUIET = {"PYTHONUNBUFFERED": "1", "WANDB_MODE": "disabled", "NEPTUNE_MODE": "debug", "HYDRA_FULL_ERROR": "1"}
"""Its last words come through, trackers send nothing, and Hydra lets errors through."""

_RANK_VARIABLES = (
    "RANK",
    "LOCAL_RANK",
    "GROUP_RANK",
    "NODE_RANK",
    "WORLD_SIZE",
    "LOCAL_WORLD_SIZE",
    "TORCHELASTIC_RUN_ID",
)
"""What would make the one process a rank of something larger."""


class Cancelled(Exception):  # noqa: N818  # it is no error
    """It was given up on request."""


class ThrowawayEnd(msgspec.Struct, frozen=True):
    """How the child ended."""

    code: int
    """Its exit code; of a child that a signal ended, the signal's number, negative."""
    last_words: str
    """The end of what it printed."""
    is_out_of_time: bool = False
    is_cancelled: bool = False

    def or_cancelled(self) -> ThrowawayEnd:
        """Return it.

        Raises:
            Cancelled: it was given up.
        """
        if self.is_cancelled:
            raise Cancelled
        return self


def run_throwaway(
    program: Program,
    folder: Path,
    *,
    environ: Mapping[str, str],
    each: Callable[[], None] = lambda: None,
    is_cancelled: Callable[[], bool] = lambda: False,
    time_limit_s: float,
) -> ThrowawayEnd:
    """Run the program through the shim to its end, calling `each` all the while and once after it; leave no process.

    `folder`, an absolute path, is what the child may write to; its temporary files go there too. The child dies with
    this thread. Blocks meanwhile.

    Raises:
        LaunchError: it cannot be started.
        Exception: whatever `each` raises.
    """
    deadline = time.monotonic() + time_limit_s
    process = _start(program, folder, environ)
    assert process.stdout is not None
    output = _ChildOutput(process.stdout)
    try:
        cut = _follow(process, output, each, is_cancelled, deadline)
    finally:
        _end_all(process, folder)
        output.close()
    return ThrowawayEnd(process.returncode, output.last_words(), cut == "time", cut == "cancelled")


def _start(program: Program, folder: Path, environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    temporary = folder / "tmp"
    temporary.mkdir()
    command = [str(program.interpreter), str(SHIM), "--parent", str(os.getpid()), "--", *program.shim_arguments]
    try:
        return subprocess.Popen(
            command,
            cwd=program.folder,
            env={**_alone(environ), **_QUIET, MARK: str(folder), "TMPDIR": str(temporary)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        reason = error.strerror or error
        raise LaunchError(f"{program.interpreter} cannot be started in {program.folder}: {reason}.") from error


def _alone(environ: Mapping[str, str]) -> dict[str, str]:
    """The program's own variables, as of one process that is no part of a run."""
    unwanted = (RUN_VARIABLE, ATTEMPT_VARIABLE, *_RANK_VARIABLES)
    kept = {name: value for name, value in environ.items() if name not in unwanted}
    if any(name.startswith("SLURM_") for name in kept):
        kept["SLURM_JOB_NAME"] = "bash"  # by this Lightning knows that it is not one of a job's tasks
    return kept


def _follow(
    process: subprocess.Popen[bytes],
    output: _ChildOutput,
    each: Callable[[], None],
    is_cancelled: Callable[[], bool],
    deadline: float,
) -> str | None:
    """Watch until the child has ended; what cut it short, where something did."""
    while True:
        is_over = process.poll() is not None
        output.read(0.0 if is_over else _POLL_S)
        each()
        if is_over:
            return None
        if is_cancelled():
            return "cancelled"
        if time.monotonic() > deadline:
            return "time"


class _ChildOutput:
    """The end of what a child prints; the rest is thrown away, so that a talkative one fills no disk."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._end = b""

    def read(self, patience_s: float) -> None:
        """Take what there is, waiting for at most so long."""
        readable, _, _ = select.select([self._stream], [], [], patience_s)
        if not readable:
            return
        data = os.read(self._stream.fileno(), 1 << 16)  # a pipe holds no more
        self._end = (self._end + data)[-_LAST_BYTES:]
        if not data:  # it has closed its output and goes on
            time.sleep(patience_s)

    def last_words(self) -> str:
        return self._end.decode(errors="replace")

    def close(self) -> None:
        self._stream.close()


def _end_all(process: subprocess.Popen[bytes], folder: Path) -> None:
    """SIGKILL the child's group, and what has left that but carries the mark: loaders, services of loggers."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + _GONE_PATIENCE_S
    while (left := processes_with(MARK, str(folder))) and time.monotonic() < deadline:
        send(left, signal.SIGKILL)
        time.sleep(_POLL_S)
