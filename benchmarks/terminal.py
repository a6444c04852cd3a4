"""A real pseudo-terminal with a program in it: its output as it arrives, and the answers a modern terminal gives."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import NamedTuple

_QUERY, _ANSWER = b"\x1b[?2026$p", b"\x1b[?2026;2$y"
"""Textual asks whether the terminal can hold back partial frames; a modern one can."""


class Painted(NamedTuple):
    """What it took until a program had painted."""

    seconds: float
    output: bytes


class Terminal:
    """A child in a pty of its own; use it in a `with` block, which ends the child."""

    def __init__(
        self, argv: Sequence[str], *, columns: int = 120, rows: int = 36, environ: Mapping[str, str] | None = None
    ) -> None:
        self.started = time.perf_counter()
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            try:
                os.execvpe(argv[0], list(argv), dict(environ if environ is not None else os.environ))
            finally:
                os._exit(127)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.output = b""

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            os.kill(self.pid, signal.SIGTERM)
            self.drain(3.0)
        finally:
            os.close(self.master)
            os.waitpid(self.pid, 0)

    def until(self, words: Sequence[bytes], patience_s: float = 30.0) -> Painted:
        """Read until all words have come.

        Raises:
            TimeoutError: they did not come in time; the message shows the end of the output.
        """
        deadline = time.perf_counter() + patience_s
        while not all(word in self.output for word in words):
            if time.perf_counter() > deadline or not self._read(deadline):
                raise TimeoutError(f"{words} did not appear; last output: {self.output[-500:]!r}")
        return Painted(time.perf_counter() - self.started, self.output)

    def drain(self, seconds: float) -> int:
        """Read for so long, or until the program has gone; return how many bytes came."""
        deadline, before = time.perf_counter() + seconds, len(self.output)
        while time.perf_counter() < deadline and self._read(deadline):
            pass
        return len(self.output) - before

    def send(self, keys: bytes) -> None:
        """Type."""
        os.write(self.master, keys)

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self.master], [], [], max(0.0, deadline - time.perf_counter()))
        if not ready:
            return True
        try:
            chunk = os.read(self.master, 1 << 16)
        except OSError:
            return False
        if _QUERY in chunk:
            os.write(self.master, _ANSWER)
        self.output += chunk
        return bool(chunk)
