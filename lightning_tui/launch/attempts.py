"""How an attempt of a run begins, and what can be learnt of one that has ended."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from lightning_tui.launch.child import Exit, StartedProgram
from lightning_tui.launch.journal import Journal
from lightning_tui.launch.processes import command_of, environment_of, folder_of, started_at
from lightning_tui.launch.restarts import AttemptEnd
from lightning_tui.launch.variables import planned_variables
from lightning_tui.record.directory import (
    ATTEMPT_VARIABLE,
    RESUME_VARIABLE,
    RUN_VARIABLE,
    RecordError,
    RunDirectory,
    boot_id,
)
from lightning_tui.record.events import Cause, Ended, SupervisorStarted
from lightning_tui.record.masking import mask_secrets
from lightning_tui.record.samples import HostSample
from lightning_tui.record.state import RunState

if TYPE_CHECKING:
    from lightning_tui.record.checkpoints import Checkpoint
    from lightning_tui.record.reader import RunReader
    from lightning_tui.record.snapshot import RunSnapshot

NODE = 0

DIAGNOSIS_PATIENCE_S = 60.0

_ASK = (
    "import sys; sys.path[:] = sys.argv.pop(1).split({separator!r}); "
    "from lightning_tui.cli import main; sys.exit(main(sys.argv[1:]))"
)


class ProgramStart(msgspec.Struct, frozen=True):
    """All that it takes to start the program, and to start it again."""

    command: list[str]
    environ: Mapping[str, str]
    folder: Path | None = None
    """Where it runs; `None`: where the supervisor does."""


class AttemptReview(msgspec.Struct, frozen=True):
    """What the record says when an attempt has ended."""

    snapshot: RunSnapshot
    """As it would be if that were the end of the run."""
    checkpoints: tuple[Checkpoint, ...]
    """Newest first."""
    reader: RunReader
    """What has read it, for the supervisor's own last words."""


def begin_attempt(
    directory: RunDirectory, start: ProgramStart, attempt: int, resume_from: str | None = None
) -> StartedProgram:
    """Start the program as attempt number `attempt`; its `fit` goes on from the checkpoint `resume_from`.

    Raises:
        OSError: the attempt's folders cannot be made, or the program cannot be started.
        subprocess.SubprocessError: the new process could not be prepared.
    """
    directory.prepare_attempt(attempt)
    marked = {name: value for name, value in start.environ.items() if name != RESUME_VARIABLE}
    marked |= planned_variables(_plan(directory))
    marked |= {RUN_VARIABLE: str(directory.path), ATTEMPT_VARIABLE: str(attempt), "PYTHONUNBUFFERED": "1"}
    if resume_from is not None:
        marked[RESUME_VARIABLE] = resume_from
    return StartedProgram(start.command, marked, directory.output(attempt, 0), start.folder)


def _plan(directory: RunDirectory) -> Mapping[str, Any]:
    try:
        return directory.read_record().plan
    except RecordError:  # the runner says so where the program can be read
        return {}


def start_of(pid: int | None) -> ProgramStart | None:
    """How a living process was started, secrets included, as the kernel keeps it; `None` where it does not tell."""
    command, environ = ([], {}) if pid is None else (command_of(pid), environment_of(pid))
    return ProgramStart(command, environ, folder_of(pid)) if pid is not None and command and environ else None


def report_started(journal: Journal, attempt: int, child_pid: int, command: Sequence[str]) -> None:
    """Say who supervises which program."""
    journal.report(
        SupervisorStarted,
        node=NODE,
        host=os.uname().nodename,
        pid=os.getpid(),
        started_at=started_at(os.getpid()) or time.time(),
        boot_id=boot_id(),
        attempt=attempt,
        child_pid=child_pid,
        child_started_at=started_at(child_pid),
        command=mask_secrets(command),
    )


def review_attempt(directory: RunDirectory, end: Exit, cause: Cause) -> AttemptReview | None:
    """Read the whole record as it is once the program is gone; `None` where it cannot be read."""
    from lightning_tui.record.checkpoints import checkpoints_of  # not needed before the end
    from lightning_tui.record.reader import RunReader
    from lightning_tui.record.snapshot import snapshot_of

    with contextlib.suppress(RecordError, OSError, ValueError):
        reader = RunReader(directory)
        while reader.poll():
            pass
        ended = Ended(seq=0, time=time.time(), code=end.code, signal=end.signal, cause=cause)
        reader.history.apply_supervisor_event(ended)
        snapshot = snapshot_of(reader.history, supervisor_alive=True, ranks_alive=False, now=time.time())
        return AttemptReview(snapshot, checkpoints_of(directory, snapshot), reader)
    return None


def leave_for_lists(directory: RunDirectory, reader: RunReader) -> None:
    """Once all is said: spare the first list of the runs home that it reads this run as a whole."""
    from lightning_tui.record.snapshot import snapshot_of
    from lightning_tui.record.summaries import leave_summary

    with contextlib.suppress(RecordError, OSError, ValueError):
        while reader.poll():
            pass
        leave_summary(directory, snapshot_of(reader.history, supervisor_alive=True, ranks_alive=False, now=time.time()))


def how_it_ended(directory: RunDirectory, end: Exit, review: AttemptReview, host: HostSample | None) -> AttemptEnd:
    """What is known of a failed attempt; the diagnosis is asked of `lightning-tui diagnose`, as a person would ask."""
    from lightning_tui.record.checkpoints import last_good

    progress, good = review.snapshot.progress, last_good(review.checkpoints)
    has_failed = review.snapshot.state in (RunState.FAILED, RunState.LOST, RunState.STOPPED)
    category, title = _diagnosis(directory) if has_failed else (None, "")
    return AttemptEnd(
        has_failed=has_failed,
        category=category,
        title=title,
        signal=end.signal,
        step=progress.global_step if progress is not None else None,
        good_step=good.global_step if good is not None else None,
        memory_share=_share(host),
        in_slurm="SLURM_JOB_ID" in os.environ,
    )


def _share(host: HostSample | None) -> float | None:
    if host is None or host.memory_used is None or not host.memory_total:
        return None
    return host.memory_used / host.memory_total


def _diagnosis(directory: RunDirectory) -> tuple[str | None, str]:
    """Category and title of the root cause; (`None`, "") where nothing was found, or nobody answers."""
    own_path = os.pathsep.join(sys.path)
    command = [sys.executable, "-I", "-c", _ASK.format(separator=os.pathsep), own_path]
    question = ["diagnose", directory.id, "--json", "--home", str(directory.path.parent)]
    with contextlib.suppress(OSError, subprocess.SubprocessError, ValueError, LookupError, TypeError):
        answer = subprocess.run(
            [*command, *question],
            cwd=directory.supervisor,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=DIAGNOSIS_PATIENCE_S,
        )
        root = json.loads(answer.stdout)["diagnoses"][0]
        return str(root["category"]), str(root["title"])
    return None, ""
