"""The command that starts a program without a screen, and how a run is followed with plain lines or JSON."""

from __future__ import annotations

import argparse
import itertools
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec

from lightning_tui.cli import COULD_NOT, DONE
from lightning_tui.cli.advising import AdviceOnStderr
from lightning_tui.cli.arguments import program_of, refuse_compromised, settings_of
from lightning_tui.cli.as_json import run_exit
from lightning_tui.cli.plans import plan_of
from lightning_tui.cli.terminal import duration, heed_closed_pipe, say, write_output
from lightning_tui.cli.watching import POLL_S, follow_output
from lightning_tui.launch import LaunchError, Program, request_stop, start_run
from lightning_tui.plan import Plan
from lightning_tui.record import RecordError, RunDirectory, RunReader, RunSnapshot, RunState, RunStore
from lightning_tui.record.events import AnyEvent
from lightning_tui.record.state import restart_sentence
from lightning_tui.settings import Settings

EXIT_CODES: dict[RunState, int] = {
    RunState.FINISHED: 0,
    RunState.FAILED: 1,
    RunState.STOPPED: 3,
    RunState.KILLED: 4,
    RunState.LOST: 5,
}
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_STOP_WORDS = (
    "stopping: it finishes its step and saves. Again: SIGTERM, without saving",
    "stopping harder: SIGTERM. Again: SIGKILL to every process of the run",
    "killing every process of the run",
)
"""What the first, the second and each further Ctrl-C asks for."""


def run(arguments: argparse.Namespace) -> int:
    """`lightning-tui run [PLAN] -- PROGRAM`."""
    return start_and_follow(arguments, plan_of(arguments), as_json=arguments.json, detach=arguments.detach)


def start_and_follow(arguments: argparse.Namespace, plan: Plan, *, as_json: bool, detach: bool = False) -> int:
    """Start the program; return at once (`detach`), or follow it and return what its end means as an exit code."""
    settings = settings_of(arguments)
    program = program_of(arguments)
    most = getattr(arguments, "max_restarts", None)  # `demo` has no such option
    check_start(plan, program, settings)

    def start() -> RunDirectory:
        return start_run(
            RunStore(settings.runs_home),
            program,
            plan.changes(),
            environ=os.environ,
            stop_patience_s=settings.stop_patience_s,
            term_patience_s=settings.term_patience_s,
            max_restarts=settings.max_restarts if most is None else most,
        )

    return follow_new(start, as_json=as_json, detach=detach)


def follow_new(start: Callable[[], RunDirectory], *, as_json: bool, detach: bool) -> int:
    """Start a run; return at once (`detach`), or follow it and return what its end means as an exit code."""
    with _signals_held():
        directory = start()
        if as_json:
            return _follow_json(directory, detach=detach)
        if detach:
            print(directory.id)
            say(f"started in {directory.path}. Watch it with: lightning-tui attach {directory.id}")
            return DONE
        say(f"run {directory.id} in {directory.path}")
        return follow_text(directory)


def check_start(plan: Plan, program: Program, settings: Settings) -> None:
    """Refuse what surely cannot work, and what must not run, before anything is started.

    Raises:
        PlanError: the plan cannot work here.
        ProgramError: the interpreter's Lightning is a compromised release.
    """
    from lightning_tui.environment import inspect_environment, probe_software, with_software

    software = probe_software(program.interpreter)
    refuse_compromised(software)
    if not plan.changes():
        return
    from lightning_tui.plan import check_plan, machine_facts

    environment = inspect_environment(os.environ, runs_home=settings.runs_home, folder=program.folder)
    facts = machine_facts(with_software(environment, software))
    check_plan(plan, facts=facts, interpreter=program.interpreter)


def follow_text(directory: RunDirectory) -> int:
    """Write the run's output until it ends; returns what its end means as an exit code."""
    attempts = directory.attempts()
    output = directory.output(attempts[-1] if attempts else 0, 0)
    advice, restarts = AdviceOnStderr(directory), _RestartsTold()

    def look(snapshot: RunSnapshot) -> None:
        restarts.look(snapshot)
        advice.look(snapshot)

    with _signals_stop(directory):
        for chunk in follow_output(output, directory, look=look):
            write_output(chunk, sys.stdout.buffer, to_terminal=sys.stdout.isatty())
    reader = RunReader(directory)
    reader.poll()
    snapshot = reader.snapshot()
    took = f" after {duration((snapshot.ended_at or time.time()) - snapshot.started_at)}" if snapshot.started_at else ""
    say(f"{directory.id}: {snapshot.state.value}{took}" + (f" · {snapshot.detail}" if snapshot.detail else ""))
    return EXIT_CODES.get(snapshot.state, COULD_NOT)


class _RestartsTold:
    """Says each restart of the program once."""

    def __init__(self) -> None:
        self._told = 0

    def look(self, run: RunSnapshot) -> None:
        """Say what is new."""
        for restart in run.restarts[self._told :]:
            say(restart_sentence(restart))
        self._told = len(run.restarts)


def _follow_json(directory: RunDirectory, *, detach: bool) -> int:
    _print_json({"event": "run", "id": directory.id, "directory": str(directory.path)})
    if detach:
        return DONE
    pending: list[dict[str, Any]] = []
    reader = RunReader(directory, on_event=lambda source, event: pending.append(_event_line(source, event)))
    with _signals_stop(directory):
        snapshot = _print_events(reader, pending)
    _print_json({"event": "end", "state": snapshot.state.value, "exit": run_exit(snapshot)})
    return EXIT_CODES.get(snapshot.state, COULD_NOT)


def _print_events(reader: RunReader, pending: list[dict[str, Any]]) -> RunSnapshot:
    over = False
    while True:
        reader.poll()
        for line in pending:
            _print_json(line)
        pending.clear()
        snapshot = reader.snapshot()
        if over:
            return snapshot
        over = snapshot.is_over
        if not over:
            heed_closed_pipe()
            time.sleep(POLL_S)


def _event_line(source: Mapping[str, int], event: AnyEvent) -> dict[str, Any]:
    values: dict[str, Any] = msgspec.to_builtins(event)
    return {"event": values.pop("event"), **source, **values}


def _print_json(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


@contextmanager
def _signals_held() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait until they can stop the run: else they would leave one that nobody was told of."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)


@contextmanager
def _signals_stop(directory: RunDirectory) -> Iterator[None]:
    """While following, Ctrl-C and SIGTERM ask the run to stop, each time harder. SIGHUP leaves it running."""
    count = itertools.count(1)

    def ask() -> None:
        try:
            request_stop(directory)
        except (LaunchError, RecordError, OSError) as error:
            say(str(error))

    def on_signal(number: int, frame: object) -> None:
        say(_STOP_WORDS[min(next(count), len(_STOP_WORDS)) - 1])
        threading.Thread(target=ask, daemon=True).start()

    previous = {number: signal.signal(number, on_signal) for number in _STOP_SIGNALS}
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
