"""In which colours the main scenes stand, cell by cell; and that no wrong colour or attribute goes unseen."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from rich.style import Style
from textual import constants
from textual.widgets import Input

from lightning_tui.record import RunSnapshot
from lightning_tui.ui.app import CockpitApp
from lightning_tui.ui.drawing.theme import DARK, LIGHT, Palette
from tests.ui import scenes
from tests.ui.conftest import UPDATE
from tests.ui.outside import FakeOutside
from tests.ui.support import CheckGrid, shows, text_grid, until

SIZES = {"80x24": (80, 24), "120x36": (120, 36)}


class Scene(NamedTuple):
    """A run, what is around it, the keys that lead to the place, and words that are there when all is drawn."""

    run: Callable[[Path], RunSnapshot] | None
    words: str
    keys: tuple[str, ...] = ()
    outside: Callable[[], FakeOutside] = FakeOutside


SCENES = {
    "training": Scene(scenes.training, "epoch 2 step 1200"),
    "failed": Scene(scenes.failed, "memory is full"),
    "plan": Scene(None, "bf16-mixed", ("2", "z"), scenes.on_gpus),
    "strategy": Scene(None, "type to search", ("2", "z", "enter"), scenes.on_gpus),
    "gpus": Scene(scenes.eight_gpus, "allocated", ("4", "z", "down")),
    "metrics": Scene(scenes.many_metrics, "tokens_per_s", ("3", "z", "left", "left")),
    "log": Scene(scenes.long_log, "14 found", ("5", "z", "slash", *"best", "enter")),
    "runs": Scene(None, "Checkpoints 4", ("r",), scenes.on_runs),
    "help": Scene(scenes.training, "─ Keys ─", ("question_mark",)),
}


@asynccontextmanager
async def drawn(name: str, size: str, folder: Path, theme: str = DARK, **options: Any) -> AsyncIterator[CockpitApp]:
    """The scene on the screen, with a cursor that does not blink."""
    scene = SCENES[name]
    app = scenes.cockpit(
        folder, scene.run(folder) if scene.run else None, scene.outside(), **{"plan": scenes.PLAN, **options}
    )
    async with app.run_test(size=SIZES[size]) as pilot:
        app.theme = theme
        await scenes.settle(app, pilot)
        await pilot.press(*scene.keys)
        await until(pilot, shows(app, scene.words))
        for field in app.screen.query(Input):
            field.cursor_blink = False
        await pilot.pause()
        yield app


@pytest.mark.parametrize(("name", "size"), [("training", "80x24"), *((name, "120x36") for name in SCENES)])
async def test_the_scene_has_the_colours_that_are_stored(
    name: str, size: str, tmp_path: Path, check_colours: CheckGrid
) -> None:
    async with drawn(name, size, tmp_path) as app:
        check_colours(app, f"{name}-{size}")


async def test_on_a_light_ground(tmp_path: Path, check_colours: CheckGrid) -> None:
    async with drawn("failed", "120x36", tmp_path, theme=LIGHT) as app:
        check_colours(app, "failed-light-120x36")


async def test_sixteen_colours_and_ascii(
    tmp_path: Path, check_colours: CheckGrid, check_grid: CheckGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "COLOR_SYSTEM", "standard")
    async with drawn("failed", "80x24", tmp_path, is_ascii=True) as app:
        assert text_grid(app).isascii()
        check_grid(app, "failed-ascii-80x24")
        check_colours(app, "failed-ascii-16-colours-80x24")


BREAKS: dict[str, Callable[[str, Style], Style]] = {
    "another colour for a token": lambda token, style: style + Style(color="#00ff00") if token == "good" else style,
    "a token of another meaning": lambda token, style: style + Style(color="#ff7382") if token == "good" else style,
    "another ground": lambda token, style: style + Style(bgcolor="#1b1c26") if "+" not in token else style,
    "no bold": lambda token, style: style + Style(bold=False),
    "an underline": lambda token, style: style + Style(underline=True) if token == "accent+b" else style,
}


@pytest.mark.parametrize("change", BREAKS)
async def test_a_wrong_colour_is_found_though_the_text_is_the_same(
    change: str, tmp_path: Path, check_colours: CheckGrid, check_grid: CheckGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = Palette.style

    def wrong(palette: Palette, token: str, ground: str) -> Style:
        return BREAKS[change](token, right(palette, token, ground))

    monkeypatch.setattr(Palette, "style", wrong)
    monkeypatch.delenv(UPDATE, raising=False)
    async with drawn("training", "120x36", tmp_path) as app:
        check_grid(app, "training-120x36")
        with pytest.raises(AssertionError, match=r"differs from training-120x36\.txt"):
            check_colours(app, "training-120x36")
