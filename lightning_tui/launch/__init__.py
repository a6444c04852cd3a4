"""Start it, and reach it: what a program is, how a run begins, and how it is asked to stop."""

from lightning_tui.launch.adoption import adopt_run
from lightning_tui.launch.control import request
from lightning_tui.launch.local import start_run
from lightning_tui.launch.program import Program, resolve_program

__all__ = [
    "Program",
    "adopt_run",
    "request",
    "resolve_program",
    "start_run",
]
