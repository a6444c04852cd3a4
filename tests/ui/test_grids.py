"""What stands on the screen, cell by cell, in each state and at each size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lightning_tui.record import RunSnapshot
from tests.ui import scenes
from tests.ui.support import CheckGrid, strips, text_grid, until

SIZES = {"40x12": (40, 12), "80x24": (80, 24), "120x36": (120, 36), "200x50": (200, 50)}

SCENES: dict[str, Callable[[Path], RunSnapshot] | None] = {
    "idle": None,
    "training": scenes.training,
    "validating-cpu": scenes.validating_on_cpu,
    "failed": scenes.failed,
    "finished": scenes.finished,
    "lost": scenes.lost,
    "stopping": scenes.stopping,
    "nan": scenes.broken_loss,
    "eight-gpus": scenes.eight_gpus,
}

EVERYWHERE = ("idle", "training", "failed")


DRAWN = [(scene, size) for scene in SCENES for size in SIZES if scene in EVERYWHERE or size != "200x50"]


@pytest.mark.parametrize(("scene", "size"), DRAWN)
async def test_the_screen_looks_as_stored(scene: str, size: str, tmp_path: Path, check_grid: CheckGrid) -> None:
    make = SCENES[scene]
    app = scenes.cockpit(tmp_path, make(tmp_path) if make else None)
    async with app.run_test(size=SIZES[size]) as pilot:
        await scenes.settle(app, pilot)
        check_grid(app, f"{scene}-{size}")


async def test_a_screen_too_small_says_so_in_words(tmp_path: Path) -> None:
    app = scenes.cockpit(tmp_path, scenes.training(tmp_path))
    async with app.run_test(size=(24, 4)) as pilot:
        await scenes.settle(app, pilot)
        assert " ".join(text_grid(app).split()) == "● training · the terminal is too small"


async def test_growing_and_shrinking_ends_where_it_began(tmp_path: Path) -> None:
    app = scenes.cockpit(tmp_path, scenes.training(tmp_path))
    async with app.run_test(size=(120, 36)) as pilot:
        await scenes.settle(app, pilot)
        before = text_grid(app)
        for size in ((80, 24), (200, 50), (30, 6), (10, 2), (120, 36)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        assert text_grid(app) == before


async def test_nothing_is_repainted_while_nothing_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = scenes.cockpit(tmp_path, scenes.training(tmp_path))
    async with app.run_test(size=(120, 36)) as pilot:
        await scenes.settle(app, pilot)
        await pilot.pause(0.3)
        painted: list[object] = []
        monkeypatch.setattr(app, "_display", lambda *drawn: painted.append(drawn))
        for _ in range(10):
            app.cockpit.tick()
        await pilot.pause(0.3)
        assert painted == []
        await pilot.press("tab")
        await until(pilot, lambda: painted)


async def test_the_light_theme_paints_the_same_text(tmp_path: Path) -> None:
    app = scenes.cockpit(tmp_path, scenes.failed(tmp_path))
    async with app.run_test(size=(120, 36)) as pilot:
        await scenes.settle(app, pilot)
        before = text_grid(app)
        grounds = {segment.style.bgcolor for strip in strips(app) for segment in strip if segment.style}
        app.theme = "lightning-light"
        await pilot.pause()
        assert text_grid(app) == before
        after = {segment.style.bgcolor for strip in strips(app) for segment in strip if segment.style}
        assert not grounds & after
