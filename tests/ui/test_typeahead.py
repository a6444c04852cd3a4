"""Keys that arrive in one burst, as over a slow line, go where they would have gone one by one."""

from __future__ import annotations

from pathlib import Path

from textual import events

from tests.ui import scenes
from tests.ui.support import until


async def test_keys_typed_ahead_reach_the_window_that_the_first_one_opens(tmp_path: Path) -> None:
    app = scenes.cockpit(tmp_path, None)
    async with app.run_test(size=(120, 36)) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("2")
        burst = ("a", *"accumul", "enter", "8", "enter", "escape")
        for key in burst:
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        await until(pilot, lambda: app.cockpit.view.plan.accumulate_grad_batches == 8)
        await until(pilot, lambda: app.screen is app.cockpit)
