"""Commands that act on a run: stop, adopt, kill, what a training can be told while it runs."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

from lightning_tui.cli import COULD_NOT, DONE
from lightning_tui.cli.arguments import settings_of
from lightning_tui.cli.as_json import command_row, run_exit
from lightning_tui.cli.terminal import say
from lightning_tui.cli.watching import POLL_S, store_of
from lightning_tui.record import (
    Command,
    CommandProgress,
    RunDirectory,
    RunReader,
    RunSnapshot,
    RunState,
    RunStore,
    read_snapshot,
)
from lightning_tui.record.command_words import is_told, name_of, status_words, waiting_words
from lightning_tui.record.state import holding_sentence, proof_sentence
from lightning_tui.services import control

ANSWER_PATIENCE_S = 600.0
"""How long an answer is waited for; the command stays asked after that."""
WAITING_SAID_EVERY_S = 10.0
_RUNG_WORDS = {
    "asked": ("requested: finish the {} and save", "SIGTERM in {:.0f} s if there is no answer"),
    "sigterm": ("sent SIGTERM to rank 0", "SIGKILL in {:.0f} s if it does not exit"),
    "sigkill": ("sent SIGKILL to every process of the run", ""),
}
"""What each rung did, and what comes next where there is a time for it."""
_STOP_CODES = {RunState.STOPPED: 0, RunState.FINISHED: 0, RunState.FAILED: 1, RunState.KILLED: 4, RunState.LOST: 5}
"""A stop that ended gently is success; where it took SIGKILL, or the run failed meanwhile, a script must know."""


def stop(arguments: argparse.Namespace) -> int:
    """`lightning-tui stop RUN`: ask, and stay until the run is over."""
    settings = settings_of(arguments)
    directory = RunStore(settings.runs_home).find(arguments.run)
    patience = {"patience_s": arguments.patience, "term_patience_s": arguments.term_patience}
    command = control.stop(settings, directory, arguments.after, **patience)
    if arguments.no_wait:
        return _leave_asked(directory, command, as_json=arguments.json)
    return _STOP_CODES.get(_wait_for_end(directory, command, as_json=arguments.json).state, COULD_NOT)


def adopt(arguments: argparse.Namespace) -> int:
    """`lightning-tui adopt RUN`."""
    settings = settings_of(arguments)
    directory = RunStore(settings.runs_home).find(arguments.run)
    control.adopt(settings, directory)
    snapshot = read_snapshot(directory)
    step = f" at step {snapshot.progress.global_step}" if snapshot.progress is not None else ""
    say(f"{directory.id}: adopted, {snapshot.state.value}{step}. Watch it with: lightning-tui attach {directory.id}")
    return DONE


def kill(arguments: argparse.Namespace) -> int:
    """`lightning-tui kill RUN`."""
    directory = store_of(arguments).find(arguments.run)
    command = control.kill(directory)
    if arguments.no_wait:
        return _leave_asked(directory, command, as_json=arguments.json)
    ended = _wait_for_end(directory, command, as_json=arguments.json)
    return COULD_NOT if ended.state is RunState.LOST else DONE


def tell(arguments: argparse.Namespace) -> int:
    """`lightning-tui pause|resume|checkpoint|validate|set-lr|log-level RUN`: ask, and stay until it is answered."""
    settings = settings_of(arguments)
    directory = RunStore(settings.runs_home).find(arguments.run)
    told = {name: getattr(arguments, name) for name in ("value", "group", "level") if name in arguments}
    command = control.tell(settings, directory, arguments.command, told)
    if arguments.no_wait:
        return _leave_asked(directory, command, as_json=arguments.json)
    return _wait_for_answer(directory, command, as_json=arguments.json)


def _leave_asked(directory: RunDirectory, command: Command, *, as_json: bool) -> int:
    say(f"{name_of(command)}: requested; not waiting for the result")
    if as_json:
        _print_command(directory, CommandProgress(command=command, status="asked"))
    return DONE


def _print_command(directory: RunDirectory, progress: CommandProgress) -> None:
    print(json.dumps({"run": directory.id, **command_row(progress)}), flush=True)


def _wait_for_end(directory: RunDirectory, command: Command, *, as_json: bool) -> RunSnapshot:
    """Report each rung once until the run is over, then how it ended and what was saved."""
    told: set[str] = set()
    progress, saving = _CommandReporter(command), _SavingReporter()
    what = "step" if command.after == "batch" else command.after

    def tell_rung(snapshot: RunSnapshot) -> None:
        stopping = snapshot.stopping
        if stopping is not None and stopping.rung not in told:
            told.add(stopping.rung)
            done, then = _RUNG_WORDS[stopping.rung]
            done = done.format(what)
            if stopping.next_rung_at is not None and not stopping.is_held:
                done = f"{done}; {then.format(stopping.next_rung_at - time.time())}"
            say(done)
        saving.tell(snapshot)
        progress.tell(snapshot)

    snapshot = _watch(directory, lambda snapshot: snapshot.is_over, tell_rung)
    say(f"{directory.id}: {snapshot.state.value}" + (f" · {snapshot.detail}" if snapshot.detail else ""))
    proof = snapshot.ended.proof if snapshot.ended is not None else None
    if proof is not None:
        say(proof_sentence(proof))
    for saved in snapshot.checkpoints[-1:]:
        say(f"the last checkpoint is of step {saved.global_step}: {saved.path}")
    if as_json:
        row = command_row(_progress_of(snapshot, command))
        print(json.dumps({"run": directory.id, **row, "state": snapshot.state.value, "exit": run_exit(snapshot)}))
    return snapshot


def _wait_for_answer(directory: RunDirectory, command: Command, *, as_json: bool) -> int:
    deadline = time.monotonic() + ANSWER_PATIENCE_S
    telling = _CommandReporter(command)

    def answered(snapshot: RunSnapshot) -> bool:
        return _progress_of(snapshot, command).is_settled or snapshot.is_over or time.monotonic() > deadline

    snapshot = _watch(directory, answered, telling.tell)
    progress = _progress_of(snapshot, command)
    if not progress.is_settled:
        say(
            f"no answer: the run is {snapshot.state.value}. The request remains, and is carried out when the run "
            "accepts it"
        )
    if as_json:
        _print_command(directory, progress)
    return DONE if progress.status == "done" else COULD_NOT


class _CommandReporter:
    """Says each stage of a command once, and from time to time who is waited for."""

    def __init__(self, command: Command) -> None:
        self._command = command
        self._said = ""
        self._waiting_due = time.monotonic() + 1.0

    def tell(self, snapshot: RunSnapshot) -> None:
        progress = _progress_of(snapshot, self._command)
        stage = status_words(progress, snapshot)
        if stage != self._said and self._command.op != "kill":
            self._said = stage
            say(f"{stage}: {progress.detail}" if is_told(progress) else stage)
        waiting = waiting_words(progress, snapshot)
        if waiting and time.monotonic() >= self._waiting_due:
            self._waiting_due = time.monotonic() + WAITING_SAID_EVERY_S
            say(waiting)


class _SavingReporter:
    """Says from time to time that the stop waits for a checkpoint."""

    def __init__(self) -> None:
        self._due = 0.0

    def tell(self, snapshot: RunSnapshot) -> None:
        """Say it where it is so, and has not been said for a while."""
        stopping = snapshot.stopping
        if stopping is not None and stopping.is_held and time.monotonic() >= self._due and not snapshot.is_over:
            self._due = time.monotonic() + WAITING_SAID_EVERY_S
            say(holding_sentence(stopping))


def _progress_of(snapshot: RunSnapshot, command: Command) -> CommandProgress:
    asked = CommandProgress(command=command, status="asked")
    return next((progress for progress in snapshot.commands if progress.id == command.id), asked)


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
