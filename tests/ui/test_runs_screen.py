"""The runs screen: what it lists, compares, relaunches, resumes, deletes and notes; the runs home is a fake."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from textual.pilot import Pilot

from lightning_tui.record import UnreadableRun
from lightning_tui.record.summaries import RunSummary
from lightning_tui.services.runs import Deletion, PruneRule, directory_of
from lightning_tui.settings import Settings
from lightning_tui.ui.app import CockpitApp
from lightning_tui.ui.keys import APP_KEYS, COMPARE_KEYS, RUNS_KEYS, shown_key
from lightning_tui.ui.runs import table
from lightning_tui.ui.runs.asking import typed_rule
from lightning_tui.ui.runs.comparison import ComparisonScreen
from lightning_tui.ui.runs.listing import ORDERS, matching, ordered, state_of
from lightning_tui.ui.runs.screen import RunsScreen
from tests.ui import machines, run_scenes, scenes
from tests.ui.outside import FakeOutside
from tests.ui.support import CheckGrid, shows, text_grid, until

HOME = scenes.RUNS_HOME
"""No such folder: all of it is told by the fake."""


async def opened(app: CockpitApp, pilot: Pilot[None]) -> RunsScreen:
    """Press `r`, and wait until all runs are there."""
    await scenes.settle(app, pilot)
    await pilot.press("r")
    await until(pilot, lambda: isinstance(app.screen, RunsScreen) and app.screen.table.listing.is_complete)
    assert isinstance(app.screen, RunsScreen)
    return app.screen


def relaunched(outside: FakeOutside) -> list[Any]:
    return [what for asked, what in outside.asked if asked == "relaunch"]


def ids(screen: RunsScreen) -> list[str]:
    return [line.id for line in screen.table.runs]


# ------------------------------------------------------------------------------------------------------- the list


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (40, 12)])
async def test_the_list_and_what_is_told_of_the_selected_run(
    size: tuple[int, int], check_grid: CheckGrid, tmp_path: Path
) -> None:
    app = scenes.cockpit(tmp_path, None, scenes.on_runs())
    async with app.run_test(size=size) as pilot:
        await opened(app, pilot)
        if size != (40, 12):
            await until(pilot, shows(app, "Checkpoints 4"))
        check_grid(app, f"runs-{size[0]}x{size[1]}")


async def test_details_come_when_the_screen_has_grown_to_have_room_for_them(tmp_path: Path) -> None:
    app = scenes.cockpit(tmp_path, None, scenes.on_runs())
    async with app.run_test(size=(40, 12)) as pilot:
        await opened(app, pilot)
        await pilot.press("down")
        await pilot.resize_terminal(120, 36)
        await until(pilot, shows(app, "accumulate_grad_batches"))


async def test_of_2000_runs_only_those_in_sight_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []

    def counted(line: Any, *given: Any, **named: Any) -> Any:
        drawn.append(line.id)
        return row(line, *given, **named)

    row = table.run_row
    monkeypatch.setattr(table, "run_row", counted)
    outside = FakeOutside(listed=run_scenes.thousands(HOME))
    app = scenes.cockpit(tmp_path, None, outside)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(app, pilot)
        assert len(screen.table.runs) == 2000
        in_sight = screen.table.page() + 1
        assert len(set(drawn)) <= in_sight, "no other rows were ever made"
        drawn.clear()
        await pilot.press("G")
        await until(pilot, shows(app, "2 000 of 2 000"))
        assert "train-0007cf" in drawn
        assert len(set(drawn)) <= 2 * in_sight
        await pilot.press("slash", *"killed 0007c")
        await until(pilot, shows(app, "/ killed 0007c▏ 4 of 2 000"))
        assert len(set(drawn)) <= 3 * in_sight + 4


async def test_typing_filters_and_escape_takes_it_back(tmp_path: Path) -> None:
    app = scenes.cockpit(tmp_path, None, scenes.on_runs())
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(app, pilot)
        await pilot.press("slash", *"sweep FIN")
        await until(pilot, shows(app, "/ sweep FIN▏ 2 of 10"))
        assert ids(screen) == ["sweep-lr-aa0e19", "sweep-lr-2f0d63"]
        await pilot.press("backspace", "enter", "down")
        assert screen.table.current is not None
        assert screen.table.current.id == "sweep-lr-2f0d63", "keys are keys again"
        await pilot.press("escape")
        await until(pilot, lambda: len(screen.table.runs) == 10)
        assert screen.table.current.id == "sweep-lr-2f0d63", "the cursor stays on its run"
        await pilot.press("slash", *"paper", "x")
        await until(pilot, shows(app, "No run has 'paperx'"))
        await pilot.press("escape", "escape")
        await until(pilot, lambda: app.screen is app.cockpit)


def test_words_of_the_note_the_name_and_the_state_are_found() -> None:
    lines, _ = run_scenes.runs_home(HOME)
    assert [line.id for line in matching(lines, "paper")] == ["train-5c2e90"]
    assert [line.id for line in matching(lines, "baseline")] == ["train-5c2e90"]
    assert {state_of(run) for run in matching(lines, "failed")} == {"failed"}
    assert len(matching(lines, " ")) == len(lines)


def test_every_order_keeps_all_runs_and_puts_the_unknown_last() -> None:
    lines, _ = run_scenes.runs_home(HOME)
    by = {order.name: ordered(lines, order, machines.NOW) for order in ORDERS}
    assert {tuple(sorted(line.id for line in found)) for found in by.values()} == {
        tuple(sorted(line.id for line in lines))
    }
    assert all(isinstance(found[-1], UnreadableRun) for found in by.values())
    assert [line.id for line in by["when"][:2]] == ["train-7f3a01", "train-5c2e90"]
    assert by["size"][0].id == "train-5c2e90"
    assert by["best"][0].id == "demo-c41d08"
    assert by["took"][0].id == "demo-c41d08"
    assert by["state"][0].id == "train-7f3a01"
    accurate = [
        msgspec.structs.replace(run, metric=msgspec.structs.replace(run.metric, mode="max"))
        for run in lines
        if isinstance(run, RunSummary) and run.metric is not None and run.program != "train.py"
    ]
    assert ordered(accurate, ORDERS[1], machines.NOW)[0].id == "sweep-lr-3f1c55", "of accuracies the highest is best"


async def test_sorting_lights_its_column(tmp_path: Path) -> None:
    app = scenes.cockpit(tmp_path, None, scenes.on_runs())
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(app, pilot)
        assert "when ↓" in text_grid(app)
        await pilot.press("s", "s", "s")
        await until(pilot, shows(app, "size ↓"))
        assert "largest first" in text_grid(app)


async def test_a_run_that_comes_or_goes_leaves_the_cursor_on_its_run(tmp_path: Path) -> None:
    outside = scenes.on_runs()
    app = scenes.cockpit(tmp_path, None, outside)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(app, pilot)
        await pilot.press("down", "down", "space", "up")
        selected = screen.table.current
        assert selected is not None
        assert selected.id == "train-91b0d4"
        assert outside.listed is not None
        outside.listed, outside.mark = outside.listed[1:], 1
        screen.threads.watch.look_again("")
        await until(pilot, lambda: len(screen.table.runs) == 9)
        assert screen.table.current == selected
        outside.listed, outside.mark = tuple(line for line in outside.listed if line != selected), 2
        screen.threads.watch.look_again("")
        await until(pilot, lambda: len(screen.table.runs) == 8)
        assert screen.table.current is not None
        assert screen.table.current.id == "train-0b7742", "it stands where the run stood that has vanished"
        assert screen.table.listing.marked == (), "a mark goes with its run"


async def test_a_runs_home_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    outside = scenes.on_runs(refusal="The runs home /home/ada/runs cannot be read: Permission denied.")
    app = scenes.cockpit(tmp_path, None, outside)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(app, pilot)
        assert "cannot be read: Permission" in text_grid(app)
        await pilot.press("enter", "c", "n", "k", "d", "t", "space", "o", "down")
        assert app.screen is screen, "there is nothing to do anything with"


async def test_an_unreadable_run_is_told_and_can_only_be_deleted(tmp_path: Path) -> None:
    outside = scenes.on_runs()
    app = scenes.cockpit(tmp_path, None, outside)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(app, pilot)
        await pilot.press("G", "enter")
        await until(pilot, shows(app, "lightning-tui   run.json has format version 7"))
        await pilot.press("n", "k", "t", "space")
        assert app.screen is screen
        assert screen.table.listing.marked == ()
        await pilot.press("d", "down", "enter")
        await until(pilot, lambda: outside.asked == [("delete", HOME / "train-newer-6d2b11")])


# ---------------------------------------------------------------------------------------------------- comparing


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_two_runs_are_compared(size: tuple[int, int], check_grid: CheckGrid, tmp_path: Path) -> None:
    app = scenes.cockpit(tmp_path, None, scenes.on_runs())
    async with app.run_test(size=size) as pilot:
        await opened(app, pilot)
        await pilot.press("c")
        await until(pilot, shows(app, "space marks the first run"))
        await pilot.press("down", "space", "c")
        await until(pilot, lambda: isinstance(app.screen, ComparisonScreen))
        check_grid(app, f"runs-compare-{size[0]}x{size[1]}")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))


async def test_three_marked_runs_are_not_compared(tmp_path: Path) -> None:
    app = scenes.cockpit(tmp_path, None, scenes.on_runs())
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(app, pilot)
        await pilot.press("space", "space", "space", "c")
        await until(pilot, shows(app, "3 runs are marked: two can be compared"))
        await pilot.press("escape")
        assert screen.table.listing.marked == ()


async def test_the_curves_of_two_runs_are_laid_over_each_other(tmp_path: Path) -> None:
    outside = scenes.on_runs()
    app = scenes.cockpit(tmp_path, None, outside)
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(app, pilot)
        outside.snapshot = outside.runs[1]
        await pilot.press("down", "space", "c")
        await until(pilot, lambda: isinstance(app.screen, ComparisonScreen))
        await pilot.press("o")
        await until(pilot, lambda: bool(app.cockpit.parts.metrics.others))
        assert app.screen is app.cockpit
        assert [other.id for other in app.cockpit.parts.metrics.others] == ["train-91b0d4"]
        assert app.cockpit.view.run is not None
        assert app.cockpit.view.run.record.id == "train-5c2e90"


# ----------------------------------------------------------------------------------------- relaunching, resuming


async def test_a_relaunch_opens_the_fields_and_start_makes_a_child(tmp_path: Path) -> None:
    outside = scenes.on_runs()
    app = scenes.cockpit(tmp_path, None, outside)
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(app, pilot)
        outside.snapshot = outside.runs[2]
        await pilot.press("down", "down", "n")
        await until(pilot, shows(app, "All fields of the plan"))
        await pilot.press(*"max_epochs", "enter", "3", "enter")
        await until(pilot, shows(app, "↳ s starts a child of #91b0d4"))
        assert relaunched(outside) == []
        await pilot.press("s")
        await until(pilot, lambda: relaunched(outside))
        plan = {"precision": "32-true", "max_epochs": 3}
        given = ("train.py", "--size", "124M")
        assert relaunched(outside) == [("train-91b0d4", None, given, plan)]
        await until(pilot, lambda: app.cockpit.view.run is not None)
        assert app.cockpit.view.origin is None, "the next start is no child any more"


@pytest.mark.parametrize(("key", "then"), [("k", "Checkpoints of"), ("n", "All fields of the plan"), ("c", "Two runs")])
async def test_a_key_that_is_pressed_twice_asks_once(key: str, then: str, tmp_path: Path) -> None:
    outside = scenes.on_runs()
    app = scenes.cockpit(tmp_path, None, outside)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(app, pilot)
        outside.snapshot = outside.runs[1]
        await pilot.press("down", "space")
        action = {"k": "checkpoints", "n": "relaunch", "c": "compare"}[key]
        await screen.run_action(action)
        await screen.run_action(action)
        await until(pilot, shows(app, then))
        await until(pilot, lambda: not any(thread.name == "asking about runs" for thread in threading.enumerate()))
        await pilot.pause()
        assert len(app.screen_stack) == (2 if key == "n" else 3)


async def test_escape_lets_the_next_run_be_nobodys_child(tmp_path: Path) -> None:
    outside = scenes.on_runs()
    app = scenes.cockpit(tmp_path, None, outside)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        outside.snapshot = outside.runs[1]
        await pilot.press("down", "n")
        await until(pilot, shows(app, "All fields of the plan"))
        await pilot.press("escape")
        await until(pilot, shows(app, "s starts a child of #5c2e90"))
        await pilot.press("escape")
        await until(pilot, lambda: app.cockpit.view.origin is None)


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_checkpoints_are_listed_and_those_that_are_no_good_are_not_offered(
    size: tuple[int, int], check_grid: CheckGrid, tmp_path: Path
) -> None:
    outside = scenes.on_runs()
    app = scenes.cockpit(tmp_path, None, outside)
    async with app.run_test(size=size) as pilot:
        await opened(app, pilot)
        await pilot.press("down", "k")
        await until(pilot, shows(app, "Checkpoints of baseline #5c2e90"))
        check_grid(app, f"runs-checkpoints-{size[0]}x{size[1]}")
        await pilot.press("up", "enter")
        assert "812340000 of 1524713390 bytes" in text_grid(app)
        assert "Resume from" not in text_grid(app)
        await pilot.press("down", "down", "enter")
        await until(pilot, shows(app, "Resume from step 1 000"))
        outside.snapshot = outside.runs[0]
        await pilot.press("enter")
        await until(pilot, lambda: relaunched(outside))
        path = "/r/checkpoints/epoch=7-step=1000.ckpt"
        ((parent, checkpoint, _, plan),) = relaunched(outside)
        assert (parent, checkpoint) == ("train-5c2e90", path)
        assert plan["ckpt_path"] == path
        await until(pilot, lambda: app.cockpit.view.run is not None)


async def test_a_resumed_plan_can_be_changed_first(tmp_path: Path) -> None:
    outside = scenes.on_runs()
    app = scenes.cockpit(tmp_path, None, outside)
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(app, pilot)
        outside.snapshot = outside.runs[1]
        await pilot.press("down", "k")
        await until(pilot, shows(app, "Checkpoints of"))
        await pilot.press("enter", "down", "enter")
        await until(pilot, shows(app, "All fields of the plan"))
        await pilot.press("escape")
        await until(pilot, shows(app, "s starts a child of #5c2e90 from step 1 100"))
        assert outside.asked == []
        assert app.cockpit.view.plan.ckpt_path == "/r/checkpoints/epoch=8-step=1100.ckpt"


async def test_resuming_beside_a_run_that_is_going_on_waits_for_its_stop(tmp_path: Path) -> None:
    outside = scenes.on_runs()
    app = scenes.cockpit(tmp_path, scenes.training(tmp_path), outside)
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(app, pilot)
        await pilot.press("down", "k")
        await until(pilot, shows(app, "Checkpoints of"))
        await pilot.press("enter", "enter")
        await until(pilot, shows(app, "a run is active: x stops it first"))
        assert outside.asked == []
        assert app.cockpit.view.run is not None
        assert app.cockpit.view.run.record.id == "train-7f3a01", "the run that is going on stays on the screen"


# ------------------------------------------------------------------------------------------- deleting and naming


async def test_a_run_is_deleted_after_asking_and_never_a_live_one(tmp_path: Path) -> None:
    outside = scenes.on_runs()
    app = scenes.cockpit(tmp_path, None, outside)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(app, pilot)
        await pilot.press("d")
        await until(pilot, shows(app, "is training: an active run cannot be deleted"))
        assert app.screen is screen
        await pilot.press("down", "d", "enter")
        assert outside.asked == [], "keeping is the default"
        await pilot.press("d", "down")
        assert "4.31 GiB" in text_grid(app)
        assert "2 children" in text_grid(app)
        await pilot.press("enter")
        await until(pilot, shows(app, "deleted: baseline #5c2e90, 4.31 GiB freed"))
        assert outside.asked == [("delete", HOME / "train-5c2e90")]
        assert "train-5c2e90" not in ids(screen)


async def test_a_deleted_run_that_the_list_has_lost_already_is_named(tmp_path: Path) -> None:
    outside = scenes.on_runs()
    app = scenes.cockpit(tmp_path, None, outside)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(app, pilot)
        assert outside.listed is not None
        lost = outside.listed[1]
        outside.listed, outside.mark = (outside.listed[0], *outside.listed[2:]), 1
        screen.threads.watch.look_again("")
        await until(pilot, lambda: lost.id not in ids(screen))
        screen.actions._show_deleted([lost], Deletion((directory_of(lost),), 4096, ()))
        await until(pilot, shows(app, "deleted: baseline #5c2e90, 4 KiB freed"))


async def test_marked_runs_are_deleted_together(tmp_path: Path) -> None:
    outside = scenes.on_runs()
    app = scenes.cockpit(tmp_path, None, outside)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(app, pilot)
        await pilot.press("down", "down", "space", "space", "d", "down", "enter")
        await until(pilot, shows(app, "deleted: 2 runs"))
        assert {path for _, path in outside.asked} == {HOME / "train-91b0d4", HOME / "train-0b7742"}
        assert screen.table.listing.marked == ()


async def test_one_run_that_cannot_be_deleted_keeps_no_other_one(tmp_path: Path) -> None:
    outside = scenes.on_runs()
    app = scenes.cockpit(tmp_path, None, outside)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(app, pilot)
        await pilot.press("down", "down", "space", "space", "d", "down")
        first, second = screen.table.listing.marked
        assert outside.listed is not None
        outside.listed = tuple(line for line in outside.listed if line.directory != first)
        await pilot.press("enter")
        await until(pilot, shows(app, "Not everything could be deleted"))
        assert [path for _, path in outside.asked] == [Path(second)]


async def test_pruning_shows_first_what_would_go(tmp_path: Path) -> None:
    outside = scenes.on_runs()
    app = scenes.cockpit(tmp_path, None, outside)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        await pilot.press("P", "down", "enter")
        await until(pilot, shows(app, "2 runs would be deleted"))
        assert outside.asked == [("prune", PruneRule(older_than_s=30 * 86_400.0))]
        assert "sweep-lr.py #2f0d63" in text_grid(app)
        await pilot.press("enter")
        assert len(outside.asked) == 1, "keeping is the default"
        await pilot.press("P", "enter")
        await until(pilot, shows(app, "2 runs would be deleted"))
        await pilot.press("down", "enter")
        await until(pilot, shows(app, "deleted: 2 runs, 3.01 GiB freed"))
        assert [asked for asked, _ in outside.asked] == ["prune"] * 3 + ["delete"] * 2, "asked again at the last moment"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("14 days", PruneRule(older_than_s=14 * 86_400.0)),
        ("0.5d", PruneRule(older_than_s=43_200.0)),
        ("5 GiB", PruneRule(keep_size=5 << 30)),
        ("500mib", PruneRule(keep_size=500 << 20)),
        ("10", PruneRule(keep=10)),
    ],
)
def test_a_rule_can_be_typed(text: str, rule: PruneRule) -> None:
    assert typed_rule(text) == rule


@pytest.mark.parametrize("text", ["", "all", "-3", "5 parsecs", "1e9 d"])
def test_what_is_no_rule_is_refused_with_what_is_one(text: str) -> None:
    with pytest.raises(ValueError, match="14 days"):
        typed_rule(text)


async def test_a_typed_rule_is_previewed_too(tmp_path: Path) -> None:
    outside = scenes.on_runs()
    app = scenes.cockpit(tmp_path, None, outside)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        await pilot.press("P", "end", "enter")
        await until(pilot, shows(app, "14 days: those that ended longer ago."))
        await pilot.press("2", "enter")
        await until(pilot, shows(app, "2 runs would be deleted"))
        assert outside.asked == [("prune", PruneRule(keep=2))]


async def test_the_palette_offers_what_the_screen_can_do(tmp_path: Path) -> None:
    app = scenes.cockpit(tmp_path, None, scenes.on_runs())
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(app, pilot)
        commands = {command.title: command for command in app.get_system_commands(cast("Any", screen))}
        assert "Runs screen: Sort by the next column" in commands
        assert not any(title.startswith("Run: ") for title in commands)
        await commands["Runs screen: Sort by the next column"].callback()
        assert "best ↓" in text_grid(app)


async def test_a_run_gets_a_name_and_a_note(tmp_path: Path) -> None:
    outside = scenes.on_runs()
    app = scenes.cockpit(tmp_path, None, outside)
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(app, pilot)
        await pilot.press("t", *"warm", "tab", *"lr 1", "enter")
        await until(pilot, shows(app, "warm #7f3a01"))
        assert outside.asked == [("words", ("train-7f3a01", "warm", "lr 1"))]


async def test_a_hostile_name_steers_no_terminal_and_an_untouched_note_keeps_its_lines(tmp_path: Path) -> None:
    outside = scenes.on_runs()
    assert outside.listed is not None
    assert isinstance(outside.listed[0], RunSummary)
    hostile = msgspec.structs.replace(outside.listed[0], name="na\x1b[2Jme[/x]", note="one\ntwo")
    outside.listed = (hostile,)
    app = scenes.cockpit(tmp_path, None, outside)
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(app, pilot)
        await pilot.press("t")
        await until(pilot, shows(app, "one·two"))
        assert "name[/x]" in text_grid(app)
        assert "\x1b" not in text_grid(app)
        await pilot.press("enter")
        await until(pilot, lambda: bool(outside.asked))
        assert outside.asked == [("words", (hostile.id, "name[/x]", "one\ntwo"))]


async def test_a_deletion_that_is_refused_says_why(tmp_path: Path) -> None:
    outside = scenes.on_runs()
    app = scenes.cockpit(tmp_path, None, outside)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot)
        await pilot.press("down", "d", "down")
        assert outside.listed is not None
        assert isinstance(outside.listed[1], RunSummary)
        alive = msgspec.structs.replace(outside.listed[1], is_over=False)
        outside.listed = (outside.listed[0], alive, *outside.listed[2:])
        await pilot.press("enter")
        await until(pilot, shows(app, "is still active. Stop it first"))
        assert outside.asked == []


async def test_a_cockpit_that_only_watches_changes_nothing(tmp_path: Path) -> None:
    outside = scenes.on_runs()
    app = scenes.cockpit(tmp_path, None, outside, readonly=True)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(app, pilot)
        grid = text_grid(app)
        assert "d delete" not in grid
        assert "n relaunch" not in grid
        assert "c compare" in grid
        await pilot.press("down")
        for key in ("d", "P", "t", "n"):
            screen._notice = None
            await pilot.press(key)
            await until(pilot, shows(app, "this cockpit is read-only"))
            assert app.screen is screen
        screen._notice = None
        await pilot.press("k")
        await until(pilot, shows(app, "Checkpoints of"))
        await pilot.press("enter")
        await until(pilot, shows(app, "this cockpit is read-only"))
        screen.actions._delete(screen.table.runs[1:2])
        assert outside.asked == [], "nor do the actions, whatever key calls them"


# ---------------------------------------------------------------------------------------------------------- keys


def test_no_id_and_no_key_of_the_screen_stands_twice() -> None:
    for keys in ((*RUNS_KEYS, *APP_KEYS), (*COMPARE_KEYS, *APP_KEYS)):
        names = [name for key in keys for name in key.keys.split(",")]
        assert len(names) == len(set(names))
        assert len({key.id for key in keys}) == len(keys)


def test_every_action_of_the_keys_exists() -> None:
    for keys, owner in ((RUNS_KEYS, RunsScreen), (COMPARE_KEYS, ComparisonScreen)):
        for key in keys:
            assert callable(getattr(owner, f"action_{key.action}", None)), key.action


async def test_the_keys_are_remapped_and_the_help_lists_them(tmp_path: Path) -> None:
    settings = Settings(runs_home=HOME, runs_home_reason="", keys={"runs-sort": "u", "runs-mark": "m"})
    app = scenes.cockpit(tmp_path, None, scenes.on_runs(), settings=settings)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(app, pilot)
        await pilot.press("u")
        await until(pilot, shows(app, "best ↓"))
        await pilot.press("m")
        assert len(screen.table.listing.marked) == 1
        await pilot.press("question_mark")
        await until(pilot, shows(app, "Runs screen"))
        grid = text_grid(app)
        for key in RUNS_KEYS:
            assert f"{shown_key(key, settings.keys):<12}{key.help}" in grid
