"""What tests with a Pilot share: the screen as text, and waiting for a condition instead of for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from textual.pilot import Pilot
from textual.strip import Strip

from lightning_tui.plan.model import Plan
from lightning_tui.record import RunSnapshot
from lightning_tui.ui.app import CockpitApp
from lightning_tui.ui.drawing.rows import Row
from lightning_tui.ui.keys import APP_KEYS, KEYS, shown_key
from lightning_tui.ui.view import View
from tests.ui.machines import NOW

CheckGrid = Callable[[CockpitApp, str], None]


def text_grid(app: CockpitApp) -> str:
    """The screen as plain text, one line a row, blanks at line ends removed."""
    return "\n".join(strip.text.rstrip() for strip in strips(app)) + "\n"


def strips(app: CockpitApp) -> list[Strip]:
    """The screen with its styles, one strip a row."""
    return app.screen._compositor.render_strips()


async def until(pilot: Pilot[None], condition: Callable[[], object]) -> None:
    """Let the cockpit work until the condition is true."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, f"it never came true; the screen is\n{text_grid(pilot.app)}"  # type: ignore[arg-type]
        await pilot.pause(0.02)
    await pilot.pause()


def shows(app: CockpitApp, text: str) -> Callable[[], bool]:
    return lambda: text in text_grid(app)


def gone(app: CockpitApp, text: str) -> Callable[[], bool]:
    return lambda: text not in text_grid(app)


def view_of(run: RunSnapshot | None = None, **changes: Any) -> View:
    """A moment in which nothing but the run is known; the keys are the usual ones."""
    keys = {key.id: shown_key(key, {}) for key in (*KEYS, *APP_KEYS)}
    return replace(View(now=NOW, plan=Plan(), run=run, keys=keys), **changes)


def text_of(row: Row) -> str:
    """The row's text alone."""
    return "".join(text for text, _ in row)
