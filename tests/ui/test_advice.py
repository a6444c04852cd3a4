"""Advice on the screen: one quiet line, a window, into the plan, put away, and remembered."""

from __future__ import annotations

from pathlib import Path

import pytest

from lightning_tui.diagnosis.live import read_seen
from lightning_tui.record import RunDirectory, RunState
from lightning_tui.ui.advice import actions as advising
from lightning_tui.ui.advice.window import AdviceWindow
from lightning_tui.ui.app import CockpitApp
from tests.ui import scenes
from tests.ui.advice_scenes import FakeAdvice, much_to_advise
from tests.ui.outside import FakeOutside
from tests.ui.support import shows, text_grid, until

SIZES = [(120, 36), (80, 24)]


def cockpit(folder: Path, **changes: object) -> tuple[CockpitApp, RunDirectory]:
    run = scenes.training(folder)
    app = scenes.cockpit(folder, run, FakeOutside(advice=FakeAdvice(*much_to_advise())), **changes)
    return app, RunDirectory(Path(run.directory))


def border(app: CockpitApp) -> str:
    """The log pane's upper one."""
    return next(line for line in text_grid(app).splitlines() if "5 Log" in line)


@pytest.mark.parametrize("size", SIZES)
async def test_the_gravest_advice_stands_in_one_line_and_nothing_else_moves(
    tmp_path: Path, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    app, _ = cockpit(tmp_path)
    async with app.run_test(size=size) as pilot:
        await scenes.settle(app, pilot)
        before = text_grid(app).splitlines()
        await until(pilot, shows(app, "of 6 A ─"))
        after = text_grid(app).splitlines()
        assert [place for place, (old, new) in enumerate(zip(before, after, strict=True)) if old != new] == [
            after.index(border(app))
        ]
        assert much_to_advise()[0].title[:40] in border(app)


async def test_the_window_tells_all_of_it_and_what_was_seen_becomes_a_count(tmp_path: Path) -> None:
    app, directory = cockpit(tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        await scenes.settle(app, pilot)
        await until(pilot, shows(app, "of 6 A ─"))
        await pilot.press("A")
        await until(pilot, lambda: isinstance(app.screen, AdviceWindow))
        grid = text_grid(app)
        first = much_to_advise()[0]
        assert all(advice.title[:40] in grid for advice in much_to_advise())
        assert first.cause[:50] in grid
        await pilot.press("escape")
        await until(pilot, shows(app, f"{len(much_to_advise())} suggestions A ─"))
        await until(pilot, lambda: read_seen(directory).told == {advice.id for advice in much_to_advise()})


async def test_enter_puts_the_change_into_the_plan_of_the_next_start(tmp_path: Path) -> None:
    app, _ = cockpit(tmp_path)
    async with app.run_test(size=(120, 36)) as pilot:
        await scenes.settle(app, pilot)
        await until(pilot, shows(app, "of 6 A ─"))
        await pilot.press("A")
        await until(pilot, lambda: isinstance(app.screen, AdviceWindow))
        wanted = next(place for place, advice in enumerate(much_to_advise()) if advice.id == "data-loading")
        for _ in range(wanted):
            await pilot.press("down")
        await pilot.press("enter")
        await until(pilot, shows(app, "set in the plan of the next run"))
        assert app.cockpit.view.plan.num_workers == 3
        assert app.cockpit.view.plan.strategy == "ddp", "what was chosen before stays"
        await pilot.press("3")
        await until(pilot, shows(app, "the plan cannot change this"))


async def test_what_is_put_away_is_gone_for_this_run_and_the_next_cockpit_knows(tmp_path: Path) -> None:
    app, directory = cockpit(tmp_path)
    everything = {advice.id for advice in much_to_advise()}
    async with app.run_test(size=(120, 36)) as pilot:
        await scenes.settle(app, pilot)
        await until(pilot, shows(app, "of 6 A ─"))
        await pilot.press("A")
        await until(pilot, lambda: isinstance(app.screen, AdviceWindow))
        await pilot.press(*"d" * len(everything))
        await until(pilot, lambda: app.screen is app.cockpit)
        await until(pilot, lambda: read_seen(directory).dismissed == everything)
        await until(pilot, lambda: " A ─" not in border(app))
        await pilot.press("A")
        await until(pilot, shows(app, "no suggestions for this run"))
    again, _ = cockpit(tmp_path)
    async with again.run_test(size=(120, 36)) as pilot:
        await scenes.settle(again, pilot)
        await until(
            pilot, lambda: again.cockpit.features.advising is not None and again.cockpit.features.advising._known
        )
        await pilot.pause()
        assert " A ─" not in border(again)


async def test_a_title_gives_way_to_the_count_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app, _ = cockpit(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(advising, "TOLD_S", 0.0)  # the clock of the scene stands still
        async with app.run_test(size=(120, 36)) as pilot:
            await scenes.settle(app, pilot)
            await until(pilot, shows(app, f"{len(much_to_advise())} suggestions A ─"))


async def test_one_that_only_watches_writes_and_changes_nothing(tmp_path: Path) -> None:
    app, directory = cockpit(tmp_path, readonly=True)
    async with app.run_test(size=(120, 36)) as pilot:
        await scenes.settle(app, pilot)
        await until(pilot, shows(app, "of 6 A ─"))
        await pilot.press("A", "d")
        await until(pilot, lambda: isinstance(app.screen, AdviceWindow))
        plan = app.cockpit.view.plan
        await pilot.press("enter")
        await until(pilot, shows(app, "this cockpit is read-only"))
        assert app.cockpit.view.plan is plan
    assert not (directory.path / "advice.json").exists()


async def test_over_a_run_that_has_ended_only_the_count_is_left(tmp_path: Path) -> None:
    run = scenes.finished(tmp_path)
    assert run.state is RunState.FINISHED
    app = scenes.cockpit(tmp_path, run, FakeOutside(advice=FakeAdvice(*much_to_advise())))
    async with app.run_test(size=(120, 36)) as pilot:
        await scenes.settle(app, pilot)
        await until(pilot, shows(app, f"{len(much_to_advise())} suggestions A ─"))
