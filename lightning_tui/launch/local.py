"""Start a run on this machine: make its directory, and leave it to a supervisor that belongs to nobody."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning_tui
from lightning_tui.launch.allocation import allocation_change
from lightning_tui.launch.child import start_session
from lightning_tui.launch.program import Program
from lightning_tui.launch.scope import scope_words
from lightning_tui.record.directory import (
    ATTEMPT_VARIABLE,
    RESUME_VARIABLE,
    RUN_VARIABLE,
    ProgramRecord,
    RunDirectory,
)
from lightning_tui.record.masking import mask_secrets
from lightning_tui.record.store import RunStore
from lightning_tui.refusal import RefusalError

SHIM = Path(lightning_tui.__file__).parent / "runner" / "lightning_tui_runner" / "shim.py"

START_PATIENCE_S = 30.0
"""How long a supervisor may take to begin; from a cold network disk its imports alone take seconds."""

_OF_A_RUN = (RUN_VARIABLE, ATTEMPT_VARIABLE, RESUME_VARIABLE)

_BOOT = (
    "import sys; sys.path[:] = sys.argv.pop(1).split({separator!r}); "
    "from lightning_tui.launch.supervisor import main; sys.exit(main())"
)


class LaunchError(RefusalError):
    """A run that cannot be started, or not be reached; the message is for people."""


def start_run(
    store: RunStore,
    program: Program,
    plan_changes: Mapping[str, Any],
    *,
    environ: Mapping[str, str],
    parent: str | None = None,
    resumed_from: str | None = None,
    environment: Mapping[str, str] | None = None,
    stop_patience_s: float = 30.0,
    term_patience_s: float | None = None,
    max_restarts: int = 0,
    restart_pause_s: float | None = None,
    now: float | None = None,
    stdin: int = subprocess.DEVNULL,
) -> RunDirectory:
    """Start `program` under the plan, detached; returns as soon as it is under supervision.

    `environ` is what the program gets as its environment, but for what `allocation_change` says and what was typed
    before the program; `stdin` is the descriptor that it reads from. A program whose
    interpreter turns out not to start is no error here: the run's record tells how it ended. After a failure that a
    restart may cure it is started again, up to `max_restarts` times in a row without getting on; the first time after
    `restart_pause_s` seconds.

    Raises:
        RecordError: the run directory cannot be made.
        LaunchError: the supervisor did not begin; nothing is running.
    """
    from lightning_tui.environment.platform import detect_platform  # late: to stop or kill a run needs it not

    change = allocation_change(environ, plan_changes.get("devices"))
    directory, _ = store.create(
        program=ProgramRecord(
            label=" ".join(mask_secrets(program.label.split(" "))),
            given=mask_secrets(program.given),
            folder=str(program.folder),
            interpreter=str(program.interpreter),
        ),
        plan=dict(plan_changes),
        now=time.time() if now is None else now,
        parent=parent,
        resumed_from=resumed_from,
        made_by=f"lightning-tui {lightning_tui.__version__}",
        environment={
            "platform": detect_platform(environ).label,
            **(environment or {}),
            **({"slurm": change.reason} if change else {}),
        },
        max_restarts=max_restarts,
    )
    command = [str(program.interpreter), str(SHIM), "--", *program.shim_arguments]
    pause = [] if restart_pause_s is None else ["--restart-pause", str(restart_pause_s)]
    begin_supervision(
        directory,
        [*patience_arguments(stop_patience_s, term_patience_s), *pause, "--", *command],
        folder=program.folder,
        environ={**environ, **(change.variables if change else {}), **program.environment},
        stdin=stdin,
    )
    return directory


def patience_arguments(stop_patience_s: float, term_patience_s: float | None) -> list[str]:
    """What tells a supervisor how long each rung of a stop waits."""
    after_sigterm = [] if term_patience_s is None else ["--term-patience", str(term_patience_s)]
    return ["--patience", str(stop_patience_s), *after_sigterm]


def begin_supervision(
    directory: RunDirectory,
    arguments: Sequence[str],
    *,
    folder: Path,
    environ: Mapping[str, str],
    stdin: int = subprocess.DEVNULL,
) -> None:
    """Run a supervisor with these arguments, and wait until it has the run in hand.

    Raises:
        LaunchError: it did not begin; the message holds its own words.
    """
    own_path = os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path)
    # Isolated (-I), with our own import path: neither the program's folder nor its PYTHONPATH can shadow a module here.
    python = [sys.executable, "-I", "-c", _BOOT.format(separator=os.pathsep), own_path]
    inherited = {name: value for name, value in environ.items() if name not in _OF_A_RUN}
    try:
        command = [*scope_words(inherited), *python, str(directory.path), *arguments]
        code = _run_to_its_begin(command, directory, folder, inherited, stdin)
    except OSError as error:
        raise LaunchError(f"The supervisor cannot be started in {folder}: {error.strerror or error}.") from error
    if code == 0:
        return
    words = _last_words(directory)
    if code is None:
        raise LaunchError(f"The supervisor did not start within {START_PATIENCE_S:g} s; the run was cancelled. {words}")
    raise LaunchError(f"The supervisor could not start: {words or f'it exited with code {code} without a message.'}")


def _run_to_its_begin(
    command: Sequence[str], directory: RunDirectory, folder: Path, environ: Mapping[str, str], stdin: int
) -> int | None:
    """The exit code of the process that waits for the supervisor's begin; `None` where that took too long."""
    with start_session(command, environ, directory.supervisor_stderr(0), folder, stdin=stdin) as process:
        try:
            return process.wait(START_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()  # the supervisor behind it sees that and starts nothing
            return None


def _last_words(directory: RunDirectory) -> str:
    """The last line that the supervisor wrote to its stderr, empty where there is none."""
    try:
        lines = directory.supervisor_stderr(0).read_text(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1] if lines else ""
