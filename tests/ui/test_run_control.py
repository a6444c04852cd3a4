"""The keys that steer a run: answered within a frame, told to the end, and dead in a cockpit that only watches."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lightning_tui.record import CommandProgress, RunDirectory, RunSnapshot, RunState
from lightning_tui.record.commands import Command, new_command
from lightning_tui.ui.cockpit.bars import footer_row
from lightning_tui.ui.cockpit.state_line import message_row
from lightning_tui.ui.messages import Refused
from lightning_tui.ui.orders import Orders
from lightning_tui.ui.steering.windows import parsed_rate
from tests.ui import machines, scenes
from tests.ui.machines import replace_struct
from tests.ui.outside import FakeOutside
from tests.ui.support import shows, text_grid, text_of, until, view_of

SIZE = (120, 36)


def paused(folder: Path, by: str = "ada@lab-7 5") -> RunSnapshot:
    """A run that somebody has paused half a minute ago."""
    pause = replace_struct(new_command("pause"), by=by)
    told = CommandProgress(
        command=pause,
        status="done",
        taken_step=1204,
        taken_at=machines.NOW - 31,
        done_step=1204,
        done_at=machines.NOW - 31,
    )
    return replace_struct(scenes.training(folder), state=RunState.PAUSED, commands=(told,))


@pytest.mark.parametrize(
    ("keys", "expected", "said"),
    [
        (["c"], ("checkpoint", None), "requested: a checkpoint"),
        (["p"], ("pause", None), "requested: pause"),
        (["v"], ("validate", None), "requested: validation"),
        (["e"], ("stop", {"after": "epoch"}), "requested: stop after this epoch"),
        (["l", *"3e-4", "enter"], ("set-lr", {"value": 3e-4, "group": None}), "requested: learning rate 0.0003"),
        (["l", *"1=0.5", "enter"], ("set-lr", {"value": 0.5, "group": 1}), "learning rate 0.5 in group 1"),
        (["D", "up", "enter"], ("log-level", {"level": "debug"}), "requested: log level debug"),
    ],
)
async def test_each_key_asks_and_says_so(
    keys: list[str], expected: tuple[str, object], said: str, tmp_path: Path
) -> None:
    outside, run = FakeOutside(), scenes.training(tmp_path)
    app = scenes.cockpit(tmp_path, run, outside)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press(*keys)
        await until(pilot, lambda: bool(outside.asked))
        op, what = expected
        assert outside.asked == [(op, what or Path(run.directory))]
        assert said in text_grid(app)


async def test_what_becomes_of_a_command_is_told_step_by_step_and_whoever_asked(tmp_path: Path) -> None:
    outside, run = FakeOutside(), scenes.training(tmp_path, ranks=2)
    app = scenes.cockpit(tmp_path, run, outside)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("c")
        await until(pilot, shows(app, "requested: a checkpoint"))
        assert outside.reader is not None
        save = new_command("checkpoint")
        stands = CommandProgress(command=save, status="asked", waiting_for=(0,), waiting_s=0.2)
        for progress, said in [
            (stands, "checkpoint: asked"),
            (replace_struct(stands, ranks_taken=(0,), taken_step=1205, waiting_for=(1,), waiting_s=12.0),
             "checkpoint: 1 of 2 ranks there at step 1 205 · waiting for rank 1 since 12 s"),
            (replace_struct(stands, status="taken", taken_step=1205, ranks_taken=(0, 1), waiting_for=()),
             "checkpoint: taken at step 1 205 by all 2 ranks · saving"),
            (replace_struct(stands, status="done", taken_step=1205, done_step=1205, done_at=save.time + 0.2,
                            waiting_for=()),
             "checkpoint: done at step 1 205 · 0.2 s"),
        ]:  # fmt: skip
            outside.reader.now = replace_struct(run, commands=(progress,))
            await until(pilot, shows(app, said))
        by_another = replace_struct(new_command("validate"), by="bob@lab-9 77")
        refused = CommandProgress(command=by_another, status="refused", detail="this fit has no validation")
        outside.reader.now = replace_struct(run, commands=(refused,))
        await until(pilot, shows(app, "bob@lab-9: validation: refused: this fit has no validation"))


async def test_a_paused_run_says_since_when_and_by_whom_and_the_same_key_resumes_it(tmp_path: Path) -> None:
    outside = FakeOutside()
    app = scenes.cockpit(tmp_path, paused(tmp_path), outside)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        grid = text_grid(app)
        assert "‖ paused" in grid
        assert "paused at step 1 204 by ada@lab-7 for 00:00:31 · p resumes" in grid
        assert "p resume" in grid.splitlines()[-1]
        assert "ETA" not in grid
        await pilot.press("p")
        await until(pilot, lambda: [what for what, _ in outside.asked] == ["resume"])


def test_resuming_is_offered_at_any_width_that_offers_anything(tmp_path: Path) -> None:
    view = view_of(paused(tmp_path))
    assert "p resume" in text_of(footer_row(view, "log", False, 80))
    assert "p resume" in text_of(footer_row(view, "log", False, 44))
    own = view_of(paused(tmp_path, by=f"me@here {os.getpid()}"))
    assert text_of(message_row(own)) == "paused at step 1 204 for 00:00:31 · p resumes"


@pytest.mark.parametrize("make", [scenes.finished, scenes.stopping])
@pytest.mark.parametrize("key", ["c", "p", "v", "e"])
async def test_nothing_is_asked_of_a_run_that_ends_or_has_ended(
    key: str, make: Callable[[Path], RunSnapshot], tmp_path: Path
) -> None:
    outside = FakeOutside()
    app = scenes.cockpit(tmp_path, make(tmp_path), outside)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        assert "c checkpoint" not in text_grid(app)
        await pilot.press(key)
        await pilot.pause()
        assert app.cockpit.view.notice is not None
        assert outside.asked == []


async def test_a_watching_cockpit_asks_nothing_by_any_key(tmp_path: Path) -> None:
    outside = FakeOutside()
    app = scenes.cockpit(tmp_path, scenes.training(tmp_path), outside, readonly=True)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        for key in "xcpvelD":
            await pilot.press(key)
            assert "this cockpit is read-only" in text_grid(app)
            assert app.screen is app.cockpit
        assert outside.asked == []


def test_a_watching_cockpits_orders_refuse_whoever_gives_them(tmp_path: Path) -> None:
    outside = FakeOutside()
    posted: list[object] = []
    orders = Orders(outside.services(), posted.append, readonly=True)
    directory = RunDirectory(tmp_path)
    orders.change("asking", "The run could not be stopped", lambda: orders.services.kill(directory), posted.append)
    assert [type(message) for message in posted] == [Refused]
    assert outside.asked == []


@pytest.mark.parametrize("text", ["", "fast", "0", "-1", "nan", "inf", "x=1", "1=", "-1=0.1"])
def test_a_rate_that_is_none_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match=r"such as 3e-4|0=3e-4"):
        parsed_rate(text)


def test_a_stop_that_waits_says_for_what(tmp_path: Path) -> None:
    def said(command: Command) -> str:
        stop = CommandProgress(command=command, status="taken", taken_step=7)
        run = replace_struct(scenes.stopping(tmp_path), commands=(stop,))
        stopping = replace_struct(run.stopping, next_rung_at=None)  # type: ignore[type-var]
        return text_of(message_row(view_of(replace_struct(run, stopping=stopping))))

    assert said(new_command("stop")) == "finishing the batch and saving"
    assert said(new_command("stop", after="epoch")) == "it stops after this epoch"
    assert said(new_command("stop", after="validation")) == "it stops after the next validation"
