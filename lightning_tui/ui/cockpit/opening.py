"""What the cockpit begins with: the first view, before anything has been looked at."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING

from lightning_tui.ui.keys import APP_KEYS, COMPARE_KEYS, KEYS, RUNS_KEYS, shown_key
from lightning_tui.ui.programs import choose
from lightning_tui.ui.view import View

if TYPE_CHECKING:
    from lightning_tui.environment import Environment, Software
    from lightning_tui.ui.options import CockpitOptions

_DRIVER_LIST = Path("/proc/driver/nvidia/gpus")


def first_view(options: CockpitOptions, now: float) -> View:
    """What is known at once."""
    program = choose(options, tuple(options.given)) if options.given else None
    return View(
        now=now,
        plan=options.plan,
        program=program,
        is_opening=options.attach is not None or (options.start_at_once and program is not None),
        keys={key.id: shown_key(key, options.settings.keys) for key in (*KEYS, *APP_KEYS, *RUNS_KEYS, *COMPARE_KEYS)},
        readonly=options.readonly,
        runs_home=str(options.settings.runs_home),
        runs_home_reason=options.settings.runs_home_reason,
    )


def end_of_opening() -> None:
    """Look for garbage from now on where that was put off, but never among all that the opening has brought."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def judged(environment: Environment | None, software: Software | None) -> Environment | None:
    """The machine together with what is installed: only both say what is wrong, or can work."""
    if environment is None or software is None:
        return environment
    from lightning_tui.environment import with_software

    return with_software(environment, software)


def count_of_gpus() -> int:
    """GPUs that the driver lists, without asking it: so that the pane has its size from the first frame on."""
    try:
        return sum(1 for _ in _DRIVER_LIST.iterdir())
    except OSError:
        return 0
