"""Commands that open the cockpit: cockpit, demo, attach. What its first frame does not need is imported late."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from lightning_tui.cli import COULD_NOT, WRONG_USAGE
from lightning_tui.cli.arguments import interpreter_of, settings_of
from lightning_tui.cli.terminal import say
from lightning_tui.plan.model import Plan

if TYPE_CHECKING:
    from lightning_tui.record import RunDirectory
    from lightning_tui.settings import Settings


def cockpit(arguments: argparse.Namespace) -> int:
    """`lightning-tui [-- PROGRAM]`."""
    settings = settings_of(arguments)
    if not _has_terminal():
        say(
            "the cockpit needs a terminal on stdin, stdout and stderr. Without a terminal use: lightning-tui run "
            "-- PROGRAM"
        )
        return WRONG_USAGE
    return _open_cockpit(arguments, settings, given=arguments.program or None)


def demo(arguments: argparse.Namespace) -> int:
    """`lightning-tui demo`; without a terminal the example runs with plain lines."""
    size = ["--size", arguments.size] if arguments.size else []
    arguments.program = ["demo", *size, *(arguments.program or [])]
    if _has_terminal():
        return _open_cockpit(arguments, settings_of(arguments), given=arguments.program, start_at_once=True)
    from lightning_tui.cli.starting import start_and_follow

    return start_and_follow(arguments, Plan(), as_json=False)


def attach(arguments: argparse.Namespace) -> int:
    """`lightning-tui attach [RUN]`; without a terminal the output is followed with plain lines."""
    from lightning_tui.record import RunStore

    settings = settings_of(arguments)
    store = RunStore(settings.runs_home)
    directory = store.find(arguments.run) if arguments.run else store.newest()
    if directory is None:
        say(f"there are no runs in {store.home} yet. Start one with: lightning-tui demo")
        return COULD_NOT
    directory.read_record()
    if _has_terminal():
        return _open_cockpit(arguments, settings, attach_to=directory)
    from lightning_tui.cli.starting import follow_text

    return follow_text(directory, settings)


def _open_cockpit(
    arguments: argparse.Namespace,
    settings: Settings,
    *,
    given: list[str] | None = None,
    attach_to: RunDirectory | None = None,
    start_at_once: bool = False,
) -> int:
    from lightning_tui.ui import CockpitOptions, run_cockpit

    interpreter, is_given = interpreter_of(arguments)
    return run_cockpit(
        CockpitOptions(
            settings=settings,
            given=given,
            interpreter=interpreter,
            interpreter_is_given=is_given,
            plan=Plan(),
            attach=attach_to,
            start_at_once=start_at_once,
            environ=dict(os.environ),
            readonly=getattr(arguments, "readonly", False),
            is_ascii=getattr(arguments, "ascii", False),
        )
    )


def _has_terminal() -> bool:
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return os.environ.get("TERM") != "dumb" and all(stream is not None and stream.isatty() for stream in streams)
