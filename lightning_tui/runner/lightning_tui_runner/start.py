"""From the shim's command line to the program's end: join the run, run the program, say how it left."""

from __future__ import annotations

import atexit
import os
import sys

from .process.bottom import end_by_interrupt, run_from_the_bottom, show_uncaught
from .process.program import Program

TYPE_CHECKING = False  # importing `typing` takes longer than all of ours that a program without a run needs
if TYPE_CHECKING:
    from typing import NoReturn

    from .process.place import Place

REHEARSAL_VARIABLE = "LIGHTNING_TUI_REHEARSAL"
"""Names the folder of an order to do something else in the place of `fit`."""

PROBE_VARIABLE = "LIGHTNING_TUI_PROBE_ANSWER"
"""Names the file for what is found out about the program; logs and checkpoints of the program go to its folder."""

_USAGE = "usage: shim.py [--parent PID] -- PROGRAM [ARGS...]"


def main(arguments: list[str], given: dict[str, object]) -> NoReturn:
    """Run the program named after `--`, once whatever is raised here has left the main module."""
    parent, words = _parse(arguments)
    program = Program(words)
    if REHEARSAL_VARIABLE in os.environ or PROBE_VARIABLE in os.environ:
        _try_out(program, parent, given)
    end = _begin(words, parent)
    run_from_the_bottom(lambda: program.prepare(given), end.left)


def _try_out(program: Program, parent: int | None, given: dict[str, object]) -> NoReturn:
    """Run it up to its `fit` in a process that dies with the thread that wants to know: nobody else waits."""
    from .process import joining

    joining.die_with(parent)
    joining.heed_interrupts()
    if REHEARSAL_VARIABLE in os.environ:
        from .trial.rehearsal import Rehearsal

        Rehearsal(os.environ[REHEARSAL_VARIABLE]).run(program, given)
    from .trial.probe import probe

    probe(program, os.environ[PROBE_VARIABLE], given)


class _End:
    """How the program leaves; said last of all, when its threads and exit handlers are done."""

    def __init__(self) -> None:
        self.code: int | None = None
        self._left_by: dict[str, object] = {"raised": ""}

    def left(self, error: BaseException | None) -> None:
        """The program has left by this exception, or at its last line: leave in the same way.

        Raises:
            SystemExit: but where the interpreter shall end by an interrupt.
        """
        if error is None:
            self.code = 0
            raise SystemExit
        from .process.tracebacks import hide_our_frames

        self._note(hide_our_frames(error))
        if isinstance(error, SystemExit):
            raise error
        show_uncaught(error)
        if not isinstance(error, KeyboardInterrupt):
            raise SystemExit(1)
        end_by_interrupt()

    def _note(self, error: BaseException) -> None:
        from .process import joining

        self.code = _exit_code(error)
        self._left_by = _how_it_left(error, self.code)
        reporter = joining.current_reporter()
        if reporter is not None and not isinstance(error, SystemExit):
            reporter.exception(error, None, None, None)

    def say(self) -> None:
        from .process import joining

        reporter = joining.current_reporter()
        if reporter is not None and self.code is not None:
            reporter.insist("exit", code=self.code, **self._left_by)


def _begin(words: list[str], parent: int | None) -> _End:
    """Join the run, where the environment names one."""
    from .process.place import find_place

    end = _End()
    place = find_place(os.environ)
    if place is not None:
        try:
            _join(place, words, parent, end)
        except Exception as error:  # noqa: BLE001  # fail open: the program runs whatever is wrong with us
            from .process.joining import report_trouble

            report_trouble(error)
    return end


def _join(place: Place, words: list[str], parent: int | None, end: _End) -> None:
    from . import installation
    from .process import joining
    from .process.forgiving_output import forgive_full_disks
    from .process.place import find_identity

    identity = find_identity(os.environ)
    joining.join(place, identity, argv=place.shown_arguments(words))
    forgive_full_disks()
    atexit.register(end.say)
    joining.heed_interrupts()
    if identity.rank > 0 and parent != 0:
        joining.die_with(parent)
    installation.install(place)


def _parse(arguments: list[str]) -> tuple[int | None, list[str]]:
    before, dashes, words = _split(arguments)
    if not dashes or not words or (before and (len(before) != 2 or before[0] != "--parent")):
        sys.stderr.write(_USAGE + "\n")
        raise SystemExit(2)
    return (int(before[1]) if before else None), words


def _split(arguments: list[str]) -> tuple[list[str], bool, list[str]]:
    if "--" not in arguments:
        return arguments, False, []
    place = arguments.index("--")
    return arguments[:place], True, arguments[place + 1 :]


def _how_it_left(error: BaseException, code: int) -> dict[str, object]:
    """What the event `exit` tells of the exception that leaves the program."""
    from .process.tracebacks import formatted, type_name

    left: dict[str, object] = {"raised": type_name(error)}
    if isinstance(error, SystemExit) and code:
        left["traceback"] = formatted(error)
        if error.code is not None and not isinstance(error.code, int):
            left["text"] = str(error.code)
    return left


def _exit_code(error: BaseException) -> int:
    """Return the exit code that Python makes of an exception that leaves the main program."""
    if isinstance(error, KeyboardInterrupt):
        return 130
    if not isinstance(error, SystemExit):
        return 1
    if error.code is None:
        return 0
    return error.code & 0xFF if isinstance(error.code, int) else 1
