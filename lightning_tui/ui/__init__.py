"""What a person sees: the cockpit. Importing this package is light; Textual is imported when the cockpit opens."""

from __future__ import annotations

import gc
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lightning_tui.plan.model import Plan
    from lightning_tui.record import RunDirectory
    from lightning_tui.settings import Settings

__all__ = ["CockpitOptions", "run_cockpit"]


@dataclass(frozen=True)
class CockpitOptions:
    """How the cockpit opens."""

    settings: Settings
    given: list[str] | None
    """The words after `--`; `None` where no program was named: then the one that ran last here is offered."""
    interpreter: Path
    interpreter_is_given: bool
    plan: Plan
    attach: RunDirectory | None
    """The run to open on."""
    start_at_once: bool
    environ: Mapping[str, str]
    """The environment that runs get, copied before Textual changes its own."""
    readonly: bool = False
    """Whether the cockpit only watches."""
    is_ascii: bool = False
    """Whether ASCII is asked for; where it is not, the environment and the terminal's encoding decide."""


def run_cockpit(options: CockpitOptions) -> int:
    """Open the cockpit on this terminal and stay until the user leaves.

    Returns the exit code: 0, or 128 and the signal's number where one ended it.
    """
    gc.disable()  # what is imported and built up to the first frame stays: not to look through it again saves 70 ms
    from lightning_tui.ui.app import CockpitApp
    from lightning_tui.ui.services import real_services

    app = CockpitApp(options, real_services(options.settings, options.environ), handles_signals=True)
    app.run()
    view = app.cockpit.view
    if view.run is not None and view.is_active:
        run_id = view.run.record.id
        sys.stdout.write(f"The run {run_id} goes on. Back to it: lightning-tui attach {run_id}\n")
    return app.return_code or 0
