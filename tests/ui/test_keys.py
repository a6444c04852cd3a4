"""One table of keys: what the footer and the help say is what the keys do."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from textual.binding import Binding

from lightning_tui.plan.model import Plan
from lightning_tui.settings import Settings
from lightning_tui.ui.app import CockpitApp
from lightning_tui.ui.cockpit.bars import footer_row
from lightning_tui.ui.cockpit.screen import CockpitScreen
from lightning_tui.ui.drawing.rows import width_of
from lightning_tui.ui.help import help_rows
from lightning_tui.ui.keys import APP_KEYS, KEYS, shown_key
from lightning_tui.ui.view import View
from tests.ui import scenes
from tests.ui.support import text_of

ALL = (*KEYS, *APP_KEYS)


def view_of(**changes: object) -> View:
    keys = {key.id: shown_key(key, {}) for key in ALL}
    return View(now=0.0, plan=Plan(), keys=keys, **changes)  # type: ignore[arg-type]


def test_no_id_and_no_key_stands_twice() -> None:
    assert max(Counter(key.id for key in ALL).values()) == 1
    assert max(Counter(name for key in ALL for name in key.keys.split(",")).values()) == 1


def test_every_key_is_bound_under_its_id() -> None:
    bindings = [*CockpitScreen.BINDINGS, *CockpitApp.BINDINGS]
    bound = {binding.id: binding.key for binding in bindings if isinstance(binding, Binding)}
    assert bound == {key.id: key.keys for key in ALL}
    assert len(bindings) == len(ALL)


def test_every_action_exists(tmp_path: Path) -> None:
    app = scenes.cockpit(tmp_path, None)
    for key in ALL:
        name = key.action.removeprefix("app.").partition("(")[0]
        if key.action.startswith("app."):
            assert callable(getattr(CockpitApp, f"action_{name}", None)), key.action
        else:
            assert name in app.cockpit.acts, key.action


def test_only_keys_that_arrive_in_every_terminal() -> None:
    named = {"enter", "escape", "tab", "shift+tab", "up", "down", "left", "right", "pageup", "pagedown", "space"}
    named |= {"question_mark", "f1", "slash"}
    for key in ALL:
        for name in key.keys.split(","):
            assert len(name) == 1 or name in named or name.startswith("ctrl+"), name


def test_the_help_names_every_key() -> None:
    text = "\n".join(text_of(row) for row in help_rows(view_of(), 200))
    for key in ALL:
        assert f"{shown_key(key, {}):<12}{key.help}" in text


def test_the_footer_never_cuts_a_key(tmp_path: Path) -> None:
    run = scenes.training(tmp_path)
    for width in range(20, 160):
        for view in (view_of(), view_of(run=run)):
            for pane in ("plan", "log", "metrics"):
                row = footer_row(view, pane, True, width)
                assert width_of(row) <= width
                assert "…" not in text_of(row)


def test_the_footer_offers_what_works_now(tmp_path: Path) -> None:
    idle = text_of(footer_row(view_of(), "plan", False, 200))
    active = text_of(footer_row(view_of(run=scenes.training(tmp_path)), "log", False, 200))
    watching = text_of(footer_row(view_of(run=scenes.training(tmp_path), readonly=True), "log", False, 200))
    assert "s start" in idle
    assert "x stop" not in idle
    assert "x stop" in active
    assert "s start" not in active
    assert "x stop" not in watching
    assert "s start" not in watching


async def test_keys_can_be_remapped(tmp_path: Path) -> None:
    settings = Settings(runs_home=tmp_path, runs_home_reason="", keys={"zoom": "o", "runs": "ctrl+r"})
    app = scenes.cockpit(tmp_path, scenes.training(tmp_path), settings=settings)
    async with app.run_test(size=(120, 36)) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("z")
        assert app.cockpit.query_one("#metrics").display
        await pilot.press("o")
        assert not app.cockpit.query_one("#metrics").display
        assert app.cockpit.view.key("zoom") == "o"


async def test_a_remapped_key_that_does_not_exist_is_told(tmp_path: Path) -> None:
    settings = Settings(runs_home=tmp_path, runs_home_reason="", keys={"dance": "o"})
    app = scenes.cockpit(tmp_path, None, settings=settings)
    async with app.run_test(size=(120, 36)) as pilot:
        await scenes.settle(app, pilot)
        assert app.cockpit.view.notice is not None
        assert "dance" in app.cockpit.view.notice.text
