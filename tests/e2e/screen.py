"""A terminal with the cockpit in it: a real pty whose bytes are drawn by pyte, so that a test can read the screen."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Sequence
from types import TracebackType

import pyte
import pytest

from benchmarks.terminal import Terminal
from tests.cli.command import environ

_PRIVATE = re.compile(rb"\x1b\[[<>=?][0-9;]*[a-zA-Z$]*[pu]|\x1b\[[<>=][0-9;]*[a-zA-Z]")
"""Sequences that pyte does not know and would print (kitty keyboard, mode queries)."""


class Screen:
    """The cockpit on a screen of its own; closing it closes the terminal as a lost connection does."""

    def __init__(self, *arguments: str, columns: int = 120, rows: int = 36, argv: Sequence[str] | None = None) -> None:
        command = list(argv) if argv else [sys.executable, "-m", "lightning_tui", *arguments]
        env = environ(TERM="xterm-256color", COLUMNS=str(columns), LINES=str(rows))
        self.terminal = Terminal(command, columns=columns, rows=rows, environ=env)
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._fed = 0
        self._closed = False

    @property
    def pid(self) -> int:
        """The cockpit's process."""
        return self.terminal.pid

    def text(self) -> str:
        """What stands on the screen now."""
        self.terminal.drain(0.05)
        fresh, self._fed = self.terminal.output[self._fed :], len(self.terminal.output)
        self._stream.feed(_PRIVATE.sub(b"", fresh))
        return "\n".join(self._screen.display)

    def wait_for(self, *words: str, patience_s: float = 60.0) -> str:
        """Wait until all words stand on the screen."""
        deadline = time.monotonic() + patience_s
        while not all(word in (text := self.text()) for word in words):
            if time.monotonic() > deadline:
                pytest.fail(f"{words} did not appear within {patience_s:g} s; the screen shows:\n{text}")
        return text

    def wait_until_gone(self, words: str, patience_s: float = 20.0) -> None:
        """Wait until the words stand on the screen no longer."""
        deadline = time.monotonic() + patience_s
        while words in (text := self.text()):
            if time.monotonic() > deadline:
                pytest.fail(f"{words!r} did not go within {patience_s:g} s; the screen shows:\n{text}")

    def press(self, keys: str) -> None:
        """Type keys."""
        self.terminal.send(keys.encode())

    def wait_for_exit(self, patience_s: float = 20.0) -> int:
        """Wait for the cockpit to leave and return its exit code."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            self.terminal.drain(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._close_terminal()
                return os.waitstatus_to_exitcode(status)
        pytest.fail(f"the cockpit did not leave within {patience_s:g} s; the screen shows:\n{self.text()}")

    def kill(self) -> None:
        """SIGKILL the cockpit and close its terminal."""
        os.kill(self.pid, signal.SIGKILL)
        self._close_terminal()
        os.waitpid(self.pid, 0)

    def _close_terminal(self) -> None:
        self._closed = True
        os.close(self.terminal.master)

    def __enter__(self) -> Screen:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._closed:
            self.kill()
