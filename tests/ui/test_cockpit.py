"""What the keys do, with a fake outside: starting, stopping, attaching, editing, leaving; a refusal is no crash."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input

from lightning_tui.plan.catalog import Choice
from lightning_tui.plan.model import Plan
from lightning_tui.record import RunState
from lightning_tui.ui.windows.window import TextWindow
from tests.ui import machines, scenes
from tests.ui.outside import FakeOutside
from tests.ui.support import shows, strips, text_grid, until

SIZE = (120, 36)


async def test_start_gives_the_chosen_program_and_plan_and_follows_the_run(tmp_path: Path) -> None:
    outside = FakeOutside()
    app = scenes.cockpit(tmp_path, None, outside, plan=Plan(precision="bf16-mixed"))
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        outside.snapshot = scenes.training(tmp_path)
        scenes.write_logs(outside.snapshot)
        await pilot.press("s")
        await until(pilot, shows(app, "● training"))
        await until(pilot, shows(app, "epoch 2 step 1200"))
        assert outside.asked == [("start", (("train.py", "--size", "124M"), {"precision": "bf16-mixed"}))]
        await pilot.press("s")
        await until(pilot, shows(app, "x stops it first"))
        assert len(outside.asked) == 1


async def test_a_start_that_is_refused_says_why_and_leaves_the_cockpit_ready(tmp_path: Path) -> None:
    outside = FakeOutside(refusal="There is no file 'train.py' here. Did you mean trainer.py?")
    app = scenes.cockpit(tmp_path, None, outside)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, TextWindow))
        grid = text_grid(app)
        assert "The run could not be started" in grid
        assert "Did you mean trainer.py?" in grid
        await pilot.press("escape")
        await until(pilot, shows(app, "○ ready"))


async def test_stop_asks_gently_then_offers_harder_steps(tmp_path: Path) -> None:
    outside = FakeOutside()
    run = scenes.training(tmp_path)
    app = scenes.cockpit(tmp_path, run, outside)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("x")
        await until(pilot, lambda: outside.asked == [("stop", Path(run.directory))])
        assert "stop requested" in text_grid(app)
        assert outside.reader is not None
        outside.reader.now = scenes.stopping(tmp_path)
        await until(pilot, shows(app, "◒ stopping"))
        await pilot.press("x")
        await until(pilot, shows(app, "kill every process of the run"))
        await pilot.press("enter")
        await pilot.pause()
        assert len(outside.asked) == 1, "waiting is the default"
        await pilot.press("x", "down", "enter")
        await until(pilot, lambda: len(outside.asked) == 2)
        await pilot.press("x", "down", "down", "enter")
        await until(pilot, lambda: outside.asked[-1] == ("kill", Path(run.directory)))


async def test_what_was_said_of_a_live_run_goes_when_it_has_ended(tmp_path: Path) -> None:
    outside = FakeOutside()
    app = scenes.cockpit(tmp_path, scenes.training(tmp_path), outside)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("s")
        await until(pilot, shows(app, "x stops it first"))
        assert outside.reader is not None
        outside.reader.now = scenes.finished(tmp_path)
        await until(pilot, shows(app, "✔ finished"))
        assert "stops it first" not in text_grid(app)


async def test_the_last_program_is_offered_where_none_was_named(tmp_path: Path) -> None:
    app = scenes.cockpit(tmp_path, None, FakeOutside(last_program=("other.py", "--lr", "1")), given=None)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await until(pilot, shows(app, "other.py --lr 1"))


async def test_quit_asks_only_while_a_run_is_going_on(tmp_path: Path) -> None:
    app = scenes.cockpit(tmp_path, scenes.finished(tmp_path))
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("q")
        await until(pilot, lambda: app.return_code == 0)


async def test_quit_leaves_a_run_running_by_default(tmp_path: Path) -> None:
    outside = FakeOutside()
    app = scenes.cockpit(tmp_path, scenes.training(tmp_path), outside)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("q")
        await until(pilot, shows(app, "quit, and leave it running"))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.cockpit)
        await pilot.press("q", "enter")
        await until(pilot, lambda: app.return_code == 0)
        assert outside.asked == []


async def test_quit_can_stop_the_run_first(tmp_path: Path) -> None:
    outside = FakeOutside()
    app = scenes.cockpit(tmp_path, scenes.training(tmp_path), outside)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("q", "down", "enter")
        await until(pilot, lambda: app.return_code == 0)
        assert [what for what, _ in outside.asked] == ["stop"]


async def test_a_watching_cockpit_neither_starts_nor_stops(tmp_path: Path) -> None:
    outside = FakeOutside()
    app = scenes.cockpit(tmp_path, scenes.training(tmp_path), outside, readonly=True)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("x", "s")
        await until(pilot, shows(app, "this cockpit is read-only"))
        assert outside.asked == []


async def test_a_field_is_chosen_from_a_list_where_the_impossible_cannot_be_taken(tmp_path: Path) -> None:
    choices = (Choice("auto", True, "lets Lightning choose", True), Choice("fsdp", False, "needs a CUDA GPU"))
    app = scenes.cockpit(tmp_path, None, FakeOutside(choices=choices))
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("2", "enter")
        await until(pilot, shows(app, "recommended"))
        await pilot.press("down", "down", "enter")
        await pilot.pause()
        assert "needs a CUDA GPU" in text_grid(app)
        assert app.cockpit.view.plan.strategy is None
        await pilot.press("up", "enter")
        await until(pilot, lambda: app.cockpit.view.plan.strategy == "auto")


async def test_a_typed_value_that_is_wrong_is_explained_in_place(tmp_path: Path) -> None:
    app = scenes.cockpit(tmp_path, None)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("2", "down", "down", "enter")
        await until(pilot, shows(app, "other …"))
        await pilot.press("o", "t", "h", "enter")
        await until(pilot, lambda: bool(app.screen.query(Input)))
        app.screen.query_one(Input).value = "lots"
        await pilot.press("enter")
        await until(pilot, shows(app, "Allowed: a number above 0"))
        app.screen.query_one(Input).value = "0,2"
        await pilot.press("enter")
        await until(pilot, lambda: app.cockpit.view.plan.devices == [0, 2])
        assert "0, 2" in text_grid(app)


async def test_a_program_is_typed_where_none_was_chosen(tmp_path: Path) -> None:
    app = scenes.cockpit(tmp_path, None, given=None)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        assert "selects a program" in text_grid(app)
        await pilot.press("s")
        await until(pilot, lambda: bool(app.screen.query(Input)))
        app.screen.query_one(Input).value = "train.py 'unclosed"
        await pilot.press("enter")
        await until(pilot, shows(app, "quotes do not match"))
        app.screen.query_one(Input).value = "other.py --lr '3e-4'"
        await pilot.press("enter")
        await until(pilot, shows(app, "other.py --lr 3e-4"))
        assert app.cockpit.view.program is not None
        assert app.cockpit.view.program.given == ("other.py", "--lr", "3e-4")


async def test_a_run_that_is_attached_to_brings_its_program_and_plan(tmp_path: Path) -> None:
    outside = FakeOutside()
    run = scenes.finished(tmp_path)
    scenes.write_logs(run)
    app = scenes.cockpit(tmp_path, None, outside)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        outside.snapshot, outside.runs = run, (run,)
        await pilot.press("r")
        await until(pilot, shows(app, "✔ finished"))
        await pilot.press("enter")
        await until(pilot, shows(app, "epoch 2 step 1200"))
        assert app.cockpit.view.program is not None
        assert app.cockpit.view.program.given == ("train.py", "--size", "124M")
        assert app.cockpit.view.plan.precision == "bf16-mixed"


async def test_a_masked_command_line_is_not_started_again(tmp_path: Path) -> None:
    run = scenes.finished(tmp_path)
    program = machines.replace_struct(scenes.PROGRAM, given=["train.py", "--token", "•••"])
    run = machines.replace_struct(run, record=machines.replace_struct(run.record, program=program))
    app = scenes.cockpit(tmp_path, run)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        assert app.cockpit.view.program is None


async def test_the_log_scrolls_follows_and_wraps(tmp_path: Path) -> None:
    run = scenes.training(tmp_path)
    app = scenes.cockpit(tmp_path, run)
    path = Path(run.directory) / "attempt-0" / "output" / "0.log"
    path.write_bytes(b"".join(b"line %d\n" % number for number in range(500)))
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await until(pilot, shows(app, "line 499"))
        await pilot.press("up", "up", "up")
        await until(pilot, lambda: "line 496" in text_grid(app) and "line 497" not in text_grid(app))
        with path.open("ab") as file:
            file.write(b"line 500\n")
        await until(pilot, shows(app, "501 lines"))
        assert "line 500" not in text_grid(app), "a reader of history is not moved"
        await pilot.press("g")
        await until(pilot, shows(app, "line 0 "))
        await pilot.press("G")
        await until(pilot, shows(app, "line 500"))
        await pilot.press("pageup", "space")
        await until(pilot, shows(app, "line 500"))
        with path.open("ab") as file:
            file.write(b"w" * 100 + b"END\n")
        await pilot.press("w")
        await until(pilot, shows(app, "wEND"))


async def test_the_log_of_another_rank_is_chosen_by_key(tmp_path: Path) -> None:
    run = scenes.training(tmp_path, ranks=2)
    app = scenes.cockpit(tmp_path, run)
    (Path(run.directory) / "attempt-0" / "output" / "1.log").write_bytes(b"I am rank one\n")
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("k", "down", "enter")
        await until(pilot, shows(app, "I am rank one"))
        await until(pilot, shows(app, "rank 1 of 2"))


async def test_hostile_output_stays_inside_the_log(tmp_path: Path) -> None:
    run = scenes.training(tmp_path, ranks=1)
    app = scenes.cockpit(tmp_path, run)
    path = Path(run.directory) / "attempt-0" / "output" / "0.log"
    path.write_bytes(b"\x1b[?1049l\x1b[2J\x1b]0;owned\x07[b]not markup[/b]\x00\xff\n")
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await until(pilot, shows(app, "[b]not markup[/b]·"))
        for strip in strips(app):
            assert strip.text.isprintable()


async def test_names_from_a_program_cannot_reach_the_terminal_either(tmp_path: Path) -> None:
    evil = "\x1b[2Jevil\x07"
    run = scenes.failed(tmp_path)
    assert run.failure is not None
    failure = machines.replace_struct(run.failure, type=evil, message=evil)
    program = machines.replace_struct(scenes.PROGRAM, label=evil, given=[evil])
    record = machines.replace_struct(run.record, program=program)
    run = machines.replace_struct(
        run, record=record, failure=failure, metrics={f"loss{evil}": scenes.curves()["train_loss"]}
    )
    app = scenes.cockpit(tmp_path, run)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        assert all(strip.text.isprintable() for strip in strips(app))
        assert "evil" in text_grid(app)


async def test_zoom_gives_a_pane_the_screen_and_back(tmp_path: Path) -> None:
    app = scenes.cockpit(tmp_path, scenes.training(tmp_path))
    async with app.run_test(size=(80, 24)) as pilot:
        await scenes.settle(app, pilot)
        before = text_grid(app)
        await pilot.press("1", "enter")
        await until(pilot, shows(app, "LIGHTNING_CLOUD_SPACE_ID"))
        assert "--shm-size=8g" in text_grid(app)
        await pilot.press("escape", "5")
        await until(pilot, lambda: text_grid(app) == before)


async def test_the_plan_opens_in_the_compact_layout_and_edits_there(tmp_path: Path) -> None:
    app = scenes.cockpit(tmp_path, None)
    async with app.run_test(size=(80, 24)) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("2", "enter")
        await until(pilot, shows(app, "as the script says"))
        await pilot.press("up", "enter")
        await until(pilot, lambda: bool(app.screen.query(Input)))


async def test_tab_goes_round_all_panes(tmp_path: Path) -> None:
    app = scenes.cockpit(tmp_path, scenes.training(tmp_path))
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        seen = []
        for _ in range(5):
            await pilot.press("tab")
            assert app.focused is not None
            seen.append(app.focused.id)
        assert seen == ["environment", "plan", "metrics", "gpus", "log"]


async def test_a_change_to_the_plan_beside_a_run_is_told_as_the_next(tmp_path: Path) -> None:
    app = scenes.cockpit(tmp_path, scenes.training(tmp_path), FakeOutside(choices=(Choice("16-mixed", True, ""),)))
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("2", "down", "enter")
        await until(pilot, shows(app, "other …"))
        await pilot.press("down", "enter")
        await until(pilot, shows(app, "next: 16-mixed"))


async def test_a_reader_that_breaks_becomes_a_sentence(tmp_path: Path) -> None:
    outside = FakeOutside()
    app = scenes.cockpit(tmp_path, scenes.training(tmp_path), outside)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        assert outside.reader is not None
        outside.reader.trouble = RuntimeError("the disk is gone")
        await until(pilot, shows(app, "following the run ended: RuntimeError: the disk is gone"))


@pytest.mark.parametrize("state", [state for state in RunState if state is not RunState.FAILED])
async def test_every_state_can_be_drawn(state: RunState, tmp_path: Path) -> None:
    run = machines.replace_struct(scenes.training(tmp_path), state=state, detail="because of a reason")
    app = scenes.cockpit(tmp_path, run)
    async with app.run_test(size=(80, 24)) as pilot:
        await scenes.settle(app, pilot)
        assert f" {state.value}" in text_grid(app).splitlines()[0]


async def test_the_palette_offers_the_keys(tmp_path: Path) -> None:
    app = scenes.cockpit(tmp_path, scenes.training(tmp_path))
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("ctrl+p")
        await until(pilot, shows(app, "Run: Start the program"))
        await pilot.press(*"whole")
        await until(pilot, lambda: "View: Zoom the pane" in text_grid(app) and "Run: Start" not in text_grid(app))
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is app.cockpit and not app.cockpit.parts.panes["plan"].display)
