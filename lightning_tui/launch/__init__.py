"""Start it, and reach it: what a program is, how a run begins, and how it is asked to stop."""

from lightning_tui.launch.adoption import adopt_run
from lightning_tui.launch.control import request, request_kill, request_stop
from lightning_tui.launch.local import LaunchError, start_run
from lightning_tui.launch.processes import marked_processes
from lightning_tui.launch.program import Program, ProgramError, resolve_program

__all__ = [
    "LaunchError",
    "Program",
    "ProgramError",
    "adopt_run",
    "marked_processes",
    "request",
    "request_kill",
    "request_stop",
    "resolve_program",
    "start_run",
]
