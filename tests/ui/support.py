"""What tests with a Pilot share: the screen as text, and waiting for a condition instead of for a time."""

from __future__ import annotations

import time
from collections.abc import Callable

from textual.pilot import Pilot

from lightning_tui.ui.app import CockpitApp

CheckGrid = Callable[[CockpitApp, str], None]


def text_grid(app: CockpitApp) -> str:
    """The screen as plain text, one line a row, blanks at line ends removed."""
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips) + "\n"


async def until(pilot: Pilot[None], condition: Callable[[], object]) -> None:
    """Let the cockpit work until the condition is true."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, f"it never came true; the screen is\n{text_grid(pilot.app)}"  # type: ignore[arg-type]
        await pilot.pause(0.02)
    await pilot.pause()


def shows(app: CockpitApp, text: str) -> Callable[[], bool]:
    return lambda: text in text_grid(app)
