"""Advice on runs without a screen: in `show`, and once each on stderr while `run` follows."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from lightning_tui.cli.terminal import say
from lightning_tui.record import RunDirectory, RunSnapshot

if TYPE_CHECKING:
    from lightning_tui.diagnosis.live import RunAdviser

FIRST_S = 3.0
"""Nothing can be advised in the first seconds, so nothing is loaded for it."""


def advice_lines(run: RunSnapshot) -> list[str]:
    """The same for people, one line each."""
    from lightning_tui.diagnosis.live import advice_of_run, one_line

    return [f"  {one_line(advice)}" for advice in advice_of_run(RunDirectory(Path(run.directory)), run)]


class AdviceOnStderr:
    """Says each advice once, as one line, while a run is followed: from some seconds on, so that one that fails at once
    is not kept waiting for the rules."""

    def __init__(self, directory: RunDirectory) -> None:
        self._directory = directory
        self._from = time.monotonic() + FIRST_S
        self._adviser: RunAdviser | None = None
        self._said: set[str] = set()

    def look(self, run: RunSnapshot) -> None:
        """Look at the run, where it is time to, and say what is new."""
        if time.monotonic() < self._from and not run.is_over:
            return
        from lightning_tui.diagnosis.live import RunAdviser, one_line

        self._adviser = self._adviser or RunAdviser(self._directory)
        for advice in self._adviser.look(run, time.time()):
            if advice.id not in self._said and advice.until is None:
                self._said.add(advice.id)
                say(f"advice: {one_line(advice)}")
