"""Leave the caller: go on as a process of nobody's, and tell the caller when the work has begun."""

from __future__ import annotations

import os
import select
from collections.abc import Callable


class Caller:
    """The process that waits for word that the work has begun."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def still_waits(self) -> bool:
        """Whether it is there; one that lost patience has been told that nothing was started."""
        poll = select.poll()
        poll.register(self._descriptor, 0)
        return not poll.poll(0)

    def let_go(self) -> None:
        """Say that the work has begun."""
        try:
            os.write(self._descriptor, b"1")
        except BrokenPipeError:  # it left at this very moment
            pass
        finally:
            os.close(self._descriptor)


def in_background(work: Callable[[Caller], int]) -> int:
    """Run `work` in a process that belongs to no caller, in a session of its own; its result is its exit code.

    Returns, in this process, as soon as the work says that it has begun (0) or has ended without saying so (1). The
    caller waits for this process alone, so no zombie is left to it.
    """
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.close(reading)
        os.setsid()
        os._exit(_result(work, Caller(writing)))
    os.close(writing)
    return 0 if os.read(reading, 1) else 1


def _result(work: Callable[[Caller], int], caller: Caller) -> int:
    import traceback

    try:
        return work(caller)
    except BaseException:  # noqa: BLE001 the outer rim of a process: its last words go to its stderr file
        traceback.print_exc()
        return 1
