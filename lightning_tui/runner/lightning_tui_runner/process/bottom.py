"""Where does the program's stack begin? At its own `<module>`, as in a bare Python, for whoever walks it.

Once the main module has failed, Python calls `sys.excepthook`, and by then no frame of ours is left. So the shim fails
on purpose, and the program runs from there: below it stands one frame, which passes for one of Python's own import.
Such frames `warnings` and `logging` leave out, and no reader takes them for somebody's code.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # importing `typing` takes longer than all of ours that a program without a run needs
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

_LAST = ("last_exc", "last_type", "last_value", "last_traceback")
_shims_own: list[object] = []
"""The main module that Python has begun with: it goes back to its names at the very end."""


class _Begins(BaseException):
    """Leaves the shim."""


def run_from_the_bottom(
    prepare: Callable[[], tuple[Callable[..., object], tuple[Any, ...]]],
    left: Callable[[BaseException | None], None],
) -> NoReturn:
    """Leave the main module, and then call what `prepare` returns; `left` is told by which exception that ended.

    What `left` raises is how the process ends; where it returns, the exit code is 1, as of a program that failed.
    """
    hook = sys.excepthook
    _shims_own.append(sys.modules["__main__"])

    def enter(*_: object) -> None:
        _forget(hook)
        raised: BaseException | None = None
        try:
            call, arguments = prepare()
            call(*arguments)
        except BaseException as error:  # noqa: BLE001  # it is shown as Python shows what nobody caught
            error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
            raised = error
        left(raised)

    enter.__code__ = enter.__code__.replace(
        co_filename="<frozen importlib._bootstrap>", co_name="_call_with_frames_removed"
    )
    sys.excepthook = enter
    raise _Begins


def show_uncaught(error: BaseException) -> None:
    """Do what Python does with an exception that left the main module.

    Raises:
        SystemExit: the program's own hook left with it.
    """
    shown = (type(error), error, error.__traceback__)
    for name, value in zip(_LAST, (error, *shown), strict=True):
        if name != "last_exc" or sys.version_info >= (3, 12):
            setattr(sys, name, value)
    try:
        sys.excepthook(*shown)
        return
    except SystemExit:
        raise
    except BaseException as another:  # noqa: BLE001  # the program's own hook may fail
        failed = another
    from .tracebacks import hide_our_frames

    hide_our_frames(failed)
    sys.stderr.write("Error in sys.excepthook:\n")
    sys.__excepthook__(type(failed), failed, failed.__traceback__)
    sys.stderr.write("\nOriginal exception was:\n")
    sys.__excepthook__(*shown)


def end_by_interrupt() -> None:
    """Let Python end this process as one does that nobody told what Ctrl-C means: by SIGINT itself."""
    try:  # noqa: SIM105  # nothing that needs an import at this point
        exec("raise KeyboardInterrupt")  # of code that was given as text Python takes note
    except KeyboardInterrupt:
        pass


def _forget(hook: Any) -> None:
    sys.excepthook = hook
    for name in _LAST:
        sys.__dict__.pop(name, None)
