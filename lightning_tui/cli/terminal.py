"""What reaches the terminal: messages on stderr, data on stdout, and nothing that could steer the terminal."""

from __future__ import annotations

import re
import select
import sys
from typing import BinaryIO

from lightning_tui.text import units as words

_UNSAFE = re.compile(rb"\x1b(?!\[[0-9;:]*m)|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]|\xc2[\x80-\x9f]")


def say(message: str) -> None:
    """Tell a person something, on stderr: what it quotes of a program is made harmless."""
    print(f"lightning-tui: {safe_lines(message)}", file=sys.stderr, flush=True)


def harmless(output: bytes) -> bytes:
    """Replace what could steer a terminal by a dot; text, tabs, line ends, `\\r` and colours stay."""
    return _UNSAFE.sub(b"\xc2\xb7", output)


def one_line(text: str) -> str:
    """Text from elsewhere with a dot for everything that is no printable sign, line ends included."""
    return "".join(c if c.isprintable() else "·" for c in text)


def safe_lines(text: str) -> str:
    """The same of each line of a text."""
    return "\n".join(one_line(line) for line in text.split("\n"))


def write_output(output: bytes, sink: BinaryIO, *, to_terminal: bool) -> None:
    """Write a program's output: as it is into a pipe, made harmless onto a terminal."""
    sink.write(harmless(output) if to_terminal else output)
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
