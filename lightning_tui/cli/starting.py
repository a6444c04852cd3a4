"""The command that starts a program without a screen, and how a run is followed with plain lines or JSON."""

from __future__ import annotations

import argparse
import itertools
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec

from lightning_tui.cli import COULD_NOT, DONE
from lightning_tui.cli.advising import AdviceWatch
from lightning_tui.cli.arguments import choice_of, plan_of, settings_of
from lightning_tui.cli.as_json import advice_rows, run_exit
from lightning_tui.cli.terminal import duration, heed_closed_pipe, say, write_output
from lightning_tui.cli.watching import POLL_S, follow_output
from lightning_tui.plan.model import Plan
from lightning_tui.record import RunDirectory, RunReader, RunSnapshot, RunState
from lightning_tui.record.effect import without_effect_sentence
from lightning_tui.record.events import AnyEvent
from lightning_tui.record.state import restart_sentence
from lightning_tui.refusal import RefusalError
from lightning_tui.services import control, starting
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
    "stopping: finishing the batch and saving a checkpoint. Again: SIGTERM, without saving",
    "stopping with SIGTERM. Again: SIGKILL to every process of the run",
    "killing every process of the run",
)
"""What the first, the second and each further Ctrl-C asks for."""


def run(arguments: argparse.Namespace) -> int:
    """`lightning-tui run [PLAN] -- PROGRAM`."""
    return start_and_follow(arguments, plan_of(arguments), as_json=arguments.json, detach=arguments.detach)


def start_and_follow(arguments: argparse.Namespace, plan: Plan, *, as_json: bool, detach: bool = False) -> int:
    """Start the program; return at once (`detach`), or follow it and return what its end means as an exit code."""
    settings = settings_of(arguments)
    program = starting.check_start(settings, os.environ, choice_of(arguments), plan)
    most = getattr(arguments, "max_restarts", None)  # `demo` has no such option
    stdin = subprocess.DEVNULL if detach else _stdin_to_hand_on()
    return follow_new(
        lambda: starting.start_checked(settings, os.environ, program, plan, most, stdin),
        settings,
        as_json=as_json,
        detach=detach,
    )


def _stdin_to_hand_on() -> int:
    """What is piped in, or read from a file, is meant for the program; a terminal is not, as the run outlives it."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:  # it is closed
        return subprocess.DEVNULL
    return 0 if stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode) else subprocess.DEVNULL


def follow_new(start: Callable[[], RunDirectory], settings: Settings, *, as_json: bool, detach: bool) -> int:
    """Start a run; return at once (`detach`), or follow it and return what its end means as an exit code."""
    with _signals_held():
        directory = start()
        if as_json:
            return _follow_json(directory, settings, detach=detach)
        if detach:
            print(directory.id)
            say(f"started in {directory.path}. Watch it with: lightning-tui attach {directory.id}")
            return DONE
        say(f"run {directory.id} in {directory.path}")
        return follow_text(directory, settings)


def follow_text(directory: RunDirectory, settings: Settings) -> int:
    """Write the run's output until it ends; returns what its end means as an exit code."""
    attempts = directory.attempts()
    output = directory.output(attempts[-1] if attempts else 0, 0)
    advice, restarts = AdviceWatch(directory), _RestartReporter()

    def look(snapshot: RunSnapshot) -> None:
        restarts.look(snapshot)
        advice.say(snapshot)

    with _signals_stop(directory, settings):
        for chunk in follow_output(output, directory, look=look):
            write_output(chunk, sys.stdout.buffer, to_terminal=sys.stdout.isatty())
    reader = RunReader(directory)
    reader.poll()
    snapshot = reader.snapshot()
    if (untaken := without_effect_sentence(snapshot)) is not None:
        say(untaken)
    took = f" after {duration((snapshot.ended_at or time.time()) - snapshot.started_at)}" if snapshot.started_at else ""
    say(f"{directory.id}: {snapshot.state.value}{took}" + (f" · {snapshot.detail}" if snapshot.detail else ""))
    return EXIT_CODES.get(snapshot.state, COULD_NOT)


class _RestartReporter:
    """Says each restart of the program once."""

    def __init__(self) -> None:
        self._told = 0

    def look(self, run: RunSnapshot) -> None:
        for restart in run.restarts[self._told :]:
            say(restart_sentence(restart))
        self._told = len(run.restarts)


def _follow_json(directory: RunDirectory, settings: Settings, *, detach: bool) -> int:
    _print_json({"event": "run", "id": directory.id, "directory": str(directory.path)})
    if detach:
        return DONE
    pending: list[dict[str, Any]] = []
    reader = RunReader(directory, on_event=lambda source, event: pending.append(_event_line(source, event)))
    with _signals_stop(directory, settings):
        snapshot = _print_events(reader, pending, AdviceWatch(directory))
    _print_json({"event": "end", "state": snapshot.state.value, "exit": run_exit(snapshot)})
    return EXIT_CODES.get(snapshot.state, COULD_NOT)


def _print_events(reader: RunReader, pending: list[dict[str, Any]], advice: AdviceWatch) -> RunSnapshot:
    over = False
    while True:
        reader.poll()
        for line in pending:
            _print_json(line)
        pending.clear()
        snapshot = reader.snapshot()
        for row in advice_rows(advice.new(snapshot)):
            _print_json({"event": "advice", **row})
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
def _signals_stop(directory: RunDirectory, settings: Settings) -> Iterator[None]:
    """While following, Ctrl-C and SIGTERM ask the run to stop, each time harder. SIGHUP leaves it running."""
    count = itertools.count(1)

    def ask() -> None:
        try:
            control.stop(settings, directory)
        except (RefusalError, OSError) as error:
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
