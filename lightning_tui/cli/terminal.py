"""What reaches the terminal: messages on stderr, data on stdout, and nothing that could steer the terminal."""

from __future__ import annotations

import select
import sys
from typing import BinaryIO

from lightning_tui.text import units as words
from lightning_tui.text.safe import harmless, harmless_output


def say(message: str) -> None:
    """Tell a person something, on stderr: what it quotes of a program is made harmless."""
    text = harmless(message, keeps="\n")
    print(f"lightning-tui: {text}", file=sys.stderr, flush=True)


def write_output(output: bytes, sink: BinaryIO, *, to_terminal: bool) -> None:
    """Write a program's output: as it is into a pipe, made harmless onto a terminal."""
    sink.write(harmless_output(output) if to_terminal else output)
    sink.flush()


def heed_closed_pipe() -> None:
    """Notice that the reader of our stdout (`| head`) has left, before there is anything more to write.

    Raises:
        BrokenPipeError: it has.
    """
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)  # an error is told unasked
    if any(seen & select.POLLERR for _, seen in poll.poll(0)):
        raise BrokenPipeError


def duration(seconds: float | None) -> str:
    """`00:12:31`, or `N/A`."""
    return words.NOT_KNOWN if seconds is None else words.duration(seconds)


def significant(value: float | None) -> str:
    """Three significant digits, or `N/A`."""
    return words.NOT_KNOWN if value is None else words.number(value)


def written(value: object) -> str:
    """A plan's value as it is typed."""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def size(amount: int | None) -> str:
    """Bytes with a unit, or `N/A`."""
    return words.NOT_KNOWN if amount is None else words.size(amount)
