"""The peer of the log bench: a Textual app that follows a file into a RichLog, ten thousand lines kept; `w` answers."""

from __future__ import annotations

import collections
import sys
import threading
import time
from pathlib import Path
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.widgets import RichLog, Static


class Follow(App[None]):
    """A thread reads, a timer writes what came in one go, twenty times a second."""

    BINDINGS: ClassVar = [("w", "answer", "answer")]

    def compose(self) -> ComposeResult:
        yield RichLog(max_lines=10_000)
        yield Static("state", id="state")

    def on_mount(self) -> None:
        self.came: collections.deque[str] = collections.deque()
        self.answers = 0
        threading.Thread(target=self.read, daemon=True).start()
        self.set_interval(1 / 20, self.drain)

    def read(self) -> None:
        with Path(sys.argv[1]).open(errors="replace") as file:
            while True:
                line = file.readline()
                if line:
                    self.came.append(line.rstrip("\n"))
                else:
                    time.sleep(0.01)

    def drain(self) -> None:
        if self.came:
            lines = [self.came.popleft() for _ in range(len(self.came))]
            self.query_one(RichLog).write("\n".join(lines))

    def action_answer(self) -> None:
        self.answers += 1
        self.query_one("#state", Static).update("wrapped" if self.answers % 2 else "cut")


if __name__ == "__main__":
    Follow().run()
