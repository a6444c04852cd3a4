"""Commands that act on a run: stop, kill, checkpoint, rm."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

from lightning_tui.cli import COULD_NOT, DONE, WRONG_USAGE
from lightning_tui.cli.arguments import settings_of
from lightning_tui.cli.terminal import say
from lightning_tui.cli.watching import POLL_S, store_of
from lightning_tui.launch import request_checkpoint, request_kill, request_stop
from lightning_tui.record import Command, RecordError, RunDirectory, RunReader, RunSnapshot, RunState, RunStore

CHECKPOINT_PATIENCE_S = 600.0
_RUNG_WORDS = {
    "asked": ("asked it to finish its step and save", "SIGTERM in {:.0f} s if it does not answer"),
    "sigterm": ("sent SIGTERM to rank 0", "SIGKILL in {:.0f} s if it does not end"),
    "sigkill": ("sent SIGKILL to every process of the run", ""),
}
"""What each rung did, and what comes next where there is a time for it."""
_STOP_CODES = {RunState.STOPPED: 0, RunState.FINISHED: 0, RunState.FAILED: 1, RunState.KILLED: 4, RunState.LOST: 5}
"""A stop that ended gently is success; where it took SIGKILL, or the run failed meanwhile, a script must know."""


def stop(arguments: argparse.Namespace) -> int:
    """`lightning-tui stop RUN`: ask, and stay until the run is over."""
    settings = settings_of(arguments)
    directory = RunStore(settings.runs_home).find(arguments.run)
    request_stop(directory, after=arguments.after, stop_patience_s=settings.stop_patience_s)
    return _STOP_CODES.get(_wait_for_end(directory).state, COULD_NOT)


def kill(arguments: argparse.Namespace) -> int:
    """`lightning-tui kill RUN`."""
    directory = store_of(arguments).find(arguments.run)
    request_kill(directory)
    return COULD_NOT if _wait_for_end(directory).state is RunState.LOST else DONE


def checkpoint(arguments: argparse.Namespace) -> int:
    """`lightning-tui checkpoint RUN`: ask, and stay until it is answered."""
    directory = store_of(arguments).find(arguments.run)
    command = request_checkpoint(directory)
    return _wait_for_answer(directory, command)


def remove(arguments: argparse.Namespace) -> int:
    """`lightning-tui rm RUN...`."""
    store = store_of(arguments)
    directories = [store.find(name) for name in arguments.runs]
    if not arguments.yes and not _confirmed(directories):
        return WRONG_USAGE
    failed = False
    for directory in directories:
        try:
            store.delete(directory)
            say(f"deleted {directory.id}")
        except RecordError as error:
            say(str(error))
            failed = True
    return COULD_NOT if failed else DONE


def _confirmed(directories: list[RunDirectory]) -> bool:
    if not sys.stdin.isatty():
        say("rm asks before it deletes, and there is no terminal to ask on. Say --yes to delete.")
        return False
    names = ", ".join(directory.id for directory in directories)
    sys.stderr.write(f"Delete {names} with all files? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() in ("y", "yes"):
        return True
    say("nothing was deleted")
    return False


def _wait_for_end(directory: RunDirectory) -> RunSnapshot:
    """Report each rung once until the run is over, then how it ended and what was saved."""
    told: set[str] = set()

    def tell_rung(snapshot: RunSnapshot) -> None:
        stopping = snapshot.stopping
        if stopping is not None and stopping.rung not in told:
            told.add(stopping.rung)
            done, then = _RUNG_WORDS[stopping.rung]
            if stopping.next_rung_at is not None:
                done = f"{done}; {then.format(stopping.next_rung_at - time.time())}"
            say(done)

    snapshot = _watch(directory, lambda snapshot: snapshot.is_over, tell_rung)
    say(f"{directory.id}: {snapshot.state.value}" + (f" · {snapshot.detail}" if snapshot.detail else ""))
    for saved in snapshot.checkpoints[-1:]:
        say(f"the last checkpoint is of step {saved.global_step}: {saved.path}")
    return snapshot


def _wait_for_answer(directory: RunDirectory, command: Command) -> int:
    deadline = time.monotonic() + CHECKPOINT_PATIENCE_S

    def answered(snapshot: RunSnapshot) -> bool:
        status = _status(snapshot, command)
        return status in ("done", "refused") or snapshot.is_over or time.monotonic() > deadline

    snapshot = _watch(directory, answered)
    view = next((v for v in snapshot.commands if v.command.id == command.id), None)
    if view is not None and view.status == "done":
        say(f"done at step {view.global_step}" + (f": {view.detail}" if view.detail else ""))
        return DONE
    reason = (
        view.detail if view is not None and view.detail else f"the run is {snapshot.state.value} and did not answer"
    )
    say(f"not done: {reason}")
    return COULD_NOT


def _status(snapshot: RunSnapshot, command: Command) -> str:
    return next((view.status for view in snapshot.commands if view.command.id == command.id), "asked")


def _watch(
    directory: RunDirectory,
    until: Callable[[RunSnapshot], bool],
    each: Callable[[RunSnapshot], None] = lambda snapshot: None,
) -> RunSnapshot:
    reader = RunReader(directory)
    while True:
        reader.poll()
        snapshot = reader.snapshot()
        each(snapshot)
        if until(snapshot):
            return snapshot
        time.sleep(POLL_S)
