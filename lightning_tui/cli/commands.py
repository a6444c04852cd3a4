"""Which function does which command, and how an error becomes a sentence and an exit code."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable

from lightning_tui.cli import COULD_NOT, READER_LEFT, WRONG_USAGE
from lightning_tui.cli.terminal import say


def run_command(arguments: argparse.Namespace) -> int:
    """Carry out a parsed command and return its exit code."""
    try:
        return _function_of(arguments.command)(arguments)
    except _wrong_usage() as error:
        say(str(error))
        return WRONG_USAGE
    except _could_not() as error:
        say(str(error))
        return COULD_NOT
    except BrokenPipeError:
        # The reader of a pipe (`| head`) has left; nothing more can be said on stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_LEFT
    except KeyboardInterrupt:
        return 130


def _function_of(command: str) -> Callable[[argparse.Namespace], int]:
    """The command's function; the cockpit is opened without importing what the others need."""
    from lightning_tui.cli import opening

    openers = {"cockpit": opening.cockpit, "demo": opening.demo, "attach": opening.attach}
    if command in openers:
        return openers[command]
    if command in ("plan", "export"):
        from lightning_tui.cli import planning

        return planning.plan if command == "plan" else planning.export
    if command in ("tune", "estimate"):
        from lightning_tui.cli import estimating, tuning

        return tuning.tune if command == "tune" else estimating.estimate
    if command == "diagnose":
        from lightning_tui.cli import diagnosing

        return diagnosing.diagnose_command
    if command == "relaunch":
        from lightning_tui.cli import relaunching

        return relaunching.relaunch_command
    if command in ("runs", "compare", "name", "note", "prune", "rm"):
        from lightning_tui.cli import runs

        kept = {"runs": runs.runs, "compare": runs.compare, "name": runs.name, "note": runs.note, "prune": runs.prune}
        return {**kept, "rm": runs.remove}[command]
    from lightning_tui.cli import adopting, logs, starting, steering, watching

    return {
        "adopt": adopting.adopt,
        "run": starting.run,
        "show": watching.show,
        "logs": logs.logs,
        "doctor": watching.doctor,
        "stop": steering.stop,
        "kill": steering.kill,
        **dict.fromkeys(("pause", "resume", "checkpoint", "validate", "set-lr", "log-level"), steering.tell),
    }[command]


# Python works out what an `except` names only when there is an error: so these are not imported before one.


def _wrong_usage() -> tuple[type[Exception], ...]:
    from lightning_tui.launch import ProgramError
    from lightning_tui.plan import PlanError
    from lightning_tui.record import CommandError
    from lightning_tui.settings import SettingsError

    return CommandError, PlanError, ProgramError, SettingsError


def _could_not() -> tuple[type[Exception], ...]:
    from lightning_tui.launch import LaunchError
    from lightning_tui.record import RecordError

    return LaunchError, RecordError
