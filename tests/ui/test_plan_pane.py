"""The plan on the screen: its rows, the windows that change it, and how few keys lead from a bare start to a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from lightning_tui.plan.estimate import Estimate
from lightning_tui.plan.facts import machine_facts
from lightning_tui.plan.fields import FIELD_TEXTS, GROUPS
from lightning_tui.plan.model import FIELDS, Plan
from lightning_tui.plan.outlook import Outlook, outlook
from lightning_tui.plan.saved import SavedPlan
from lightning_tui.record.events import TrainerField
from lightning_tui.ui.app import CockpitApp
from lightning_tui.ui.drawing.rows import width_of
from lightning_tui.ui.plan.export_window import ExportWindow, folded
from lightning_tui.ui.plan.memory import bar, line, span_words
from lightning_tui.ui.plan.memory_windows import MeasuringWindow, MemoryWindow
from lightning_tui.ui.plan.pane import field_row
from lightning_tui.ui.plan.words import is_unasked
from lightning_tui.ui.windows.search import matching
from lightning_tui.ui.windows.window import Item
from tests.ui import machines, scenes
from tests.ui.machines import GIB
from tests.ui.outside import FakeOutside
from tests.ui.support import CheckGrid, shows, text_grid, text_of, until

SIZE = (120, 36)


async def press(app: CockpitApp, pilot: Pilot[None], keys: str) -> None:
    """Press keys one after another; a window that a thread has to answer for is waited for."""
    for key in keys.split():
        before = app.screen
        await pilot.press(key)
        if key in ("enter", "a", "R", "P", "b") and before is app.cockpit:
            await until(pilot, lambda: app.screen is not app.cockpit)


def expected_memory(plan: Plan) -> Outlook:
    """What the rules say of the invented model on the invented GPUs."""
    return outlook(machines.gpt_probe(), plan, machine_facts(machines.studio()))


# ----------------------------------------------------------------------------------------------------------------- keys


async def test_from_a_bare_start_to_a_run_in_less_than_fifteen_keys(tmp_path: Path) -> None:
    outside = FakeOutside()
    app = scenes.cockpit(tmp_path, None, outside)
    keys: list[str] = []

    async with app.run_test(size=SIZE) as pilot:

        async def pressed(*pressed_keys: str) -> None:
            keys.extend(pressed_keys)
            await press(app, pilot, " ".join(pressed_keys))

        await scenes.settle(app, pilot)
        await pressed("enter", "f", "enter")
        assert "fsdp: needs a CUDA GPU" in text_grid(app), "enter refuses what is dim, and says why"
        await pressed("escape", "down", "enter", "b", "enter")
        await until(pilot, lambda: app.cockpit.view.plan == Plan(precision="bf16-mixed"))
        await pressed("down", "down", "enter", "4", "enter")
        await until(pilot, lambda: app.cockpit.view.plan.accumulate_grad_batches == 4)
        outside.snapshot = scenes.training(tmp_path)
        await pressed("s")
        await until(pilot, shows(app, "● training"))
    plan = {"precision": "bf16-mixed", "accumulate_grad_batches": 4}
    assert outside.asked == [("start", (("train.py", "--size", "124M"), plan))]
    assert len(keys) < 15


async def test_a_watching_cockpit_shows_the_command_and_changes_nothing(tmp_path: Path) -> None:
    app = scenes.cockpit(tmp_path, scenes.training(tmp_path), readonly=True)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        for key in ("a", "R", "P"):
            app.cockpit.change(notice=None)
            await pilot.press("2", key)
            await until(pilot, shows(app, "this cockpit is read-only"))
        await press(app, pilot, "b")
        assert isinstance(app.screen, ExportWindow)


# --------------------------------------------------------------------------------------------------- fields and choices


def test_every_field_has_a_group_a_short_label_and_help() -> None:
    assert set(FIELD_TEXTS) == set(FIELDS)
    assert {text.group for text in FIELD_TEXTS.values()} == set(GROUPS)
    assert len({text.label for text in FIELD_TEXTS.values()}) == len(FIELDS)
    for text in FIELD_TEXTS.values():
        assert len(text.label) <= 18
        assert len(text.help) <= 66
        assert not text.help.endswith(".")


@pytest.mark.parametrize(
    ("name", "seen", "unasked"),
    [
        ("precision", TrainerField("bf16-mixed", "32-true", "16-mixed"), True),
        ("precision", TrainerField(None, "16-mixed", "bf16-mixed"), True),
        ("precision", TrainerField("bf16-mixed", "32-true", "bf16-mixed"), False),
        ("precision", TrainerField(None, 16, "16-mixed"), False),
        ("strategy", TrainerField(None, "auto", "ddp"), False),
        ("strategy", TrainerField(None, "ddp_spawn", "ddp"), True),
        ("strategy", TrainerField("ddp_find_unused_parameters_true", "auto", "ddp"), False),
        ("strategy", TrainerField(None, "FSDPStrategy", "fsdp"), False),
        ("devices", TrainerField("auto", None, 4), False),
        ("devices", TrainerField([0, 2], None, [0, 2]), False),
        ("devices", TrainerField(None, "0,2", 2), False),
        ("devices", TrainerField(4, None, 1), True),
        ("accelerator", TrainerField(None, "gpu", "cuda"), False),
        ("accelerator", TrainerField("gpu", None, "cpu"), True),
        ("max_epochs", TrainerField(None, None, 1000), False),
        ("val_check_interval", TrainerField(None, 1, 1.0), False),
        ("max_time", TrainerField("0:1:0:0", None, "00:01:00:00"), False),
        ("ckpt_path", TrainerField("last", None, "/runs/last.ckpt"), False),
        ("batch_size", TrainerField(64, 32, None), False),
    ],
)
def test_a_difference_that_nobody_asked_for_is_told_apart(name: str, seen: TrainerField, unasked: bool) -> None:
    assert is_unasked(name, seen) is unasked


async def test_what_the_trainer_made_of_the_plan_is_shown_with_a_warning_where_it_differs(tmp_path: Path) -> None:
    run = scenes.training(tmp_path)
    assert run.trainer is not None
    fields = {**run.trainer.fields, "precision": TrainerField("bf16-mixed", "32-true", "16-mixed")}
    app = scenes.cockpit(
        tmp_path, machines.replace_struct(run, trainer=machines.replace_struct(run.trainer, fields=fields))
    )
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        view = app.cockpit.view
        assert text_of(field_row(view, "precision", 38, 14)).split(maxsplit=1)[1] == "16-mixed ▲ asked bf16-mixed"
        assert "▲ asked bf16-mixed" in text_grid(app)
        assert text_of(field_row(view, "strategy", 38, 14)).split() == ["strategy", "ddp", "script:", "auto"]
        changed = replace(view, plan=machines.replace_struct(view.plan, precision="32-true"))
        assert "next: 32-true" in text_of(field_row(changed, "precision", 38, 14))
        for width in range(20, 130):
            assert width_of(field_row(view, "precision", width, 14)) <= width


def test_what_is_searched_for_is_found_best_first() -> None:
    names = ("ddp", "ddp_find_unused", "fsdp", "bf16-mixed")
    items = [Item(name, ((name, "text"),)) for name in names]

    def found(text: str) -> list[str]:
        return [item.value for item in matching(items, text, str)]

    assert found("f") == ["fsdp", "ddp_find_unused", "bf16-mixed"]
    assert found("DDP_F") == ["ddp_find_unused"]
    assert found("bf16_m") == ["bf16-mixed"]
    assert found("zzz") == []


async def test_the_list_of_strategies_grows_when_the_programs_lightning_has_answered(tmp_path: Path) -> None:
    registered = ("auto", "ddp", "fsdp", "my_strategy")
    app = scenes.cockpit(tmp_path, None, FakeOutside(registered=registered))
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await press(app, pilot, "enter")
        await until(pilot, shows(app, "my_strategy"))
        assert "ddp_find_unused_parameters_true" not in text_grid(app), "variants are found by searching"
        await press(app, pilot, "f i n d _ u n")
        assert "ddp_find_unused_parameter" in text_grid(app)
        await press(app, pilot, "backspace " * 7 + "m y enter")
        await until(pilot, lambda: app.cockpit.view.plan.strategy == "my_strategy")


async def test_any_field_is_found_explained_and_set_by_the_list_of_all(tmp_path: Path) -> None:
    app = scenes.cockpit(tmp_path, None)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await press(app, pilot, "a t o p")
        assert "Number of best checkpoints to keep" in text_grid(app)
        await pilot.press("enter")
        await until(pilot, lambda: bool(app.screen.query(Input)))
        await press(app, pilot, "minus 2 enter")
        await until(pilot, shows(app, "Allowed: a whole number, -1 or more"))
        await press(app, pilot, "backspace 1 enter")
        await until(pilot, lambda: app.cockpit.view.plan.checkpoint_save_top_k == -1)
        assert "save top k    all" in text_grid(app), "what is set has its row"
        await press(app, pilot, "a b e n c h enter")
        await until(pilot, shows(app, "other …"))
        await press(app, pilot, "t enter")
        await until(pilot, lambda: app.cockpit.view.plan.benchmark is True)


async def test_a_plan_that_cannot_work_says_so_before_it_is_started(tmp_path: Path) -> None:
    app = scenes.cockpit(tmp_path, None, plan=Plan(strategy="fsdp"))
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await until(pilot, shows(app, "▲ strategy='fsdp' needs a CUDA GPU"))


# ------------------------------------------------------------------------------------------ recommended, by name, exact


async def test_the_recommended_plan_is_taken_but_for_what_was_unmarked(tmp_path: Path) -> None:
    app = scenes.cockpit(tmp_path, None, scenes.on_gpus(), plan=Plan(precision="bf16-mixed", max_epochs=3))
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await press(app, pilot, "R")
        assert "one process for each of 4 GPUs" in text_grid(app)
        assert "= precision" in text_grid(app)
        await press(app, pilot, "space enter")
        await until(pilot, lambda: app.cockpit.view.plan.strategy == "ddp")
        plan = app.cockpit.view.plan
        assert (plan.accelerator, plan.devices, plan.max_epochs) == (None, 4, 3)
        await until(pilot, shows(app, "recommended"))


async def test_plans_are_saved_loaded_and_deleted_by_name(tmp_path: Path) -> None:
    broken = SavedPlan(name="old", path=Path("/p/old.toml"), plan=None, problem="stratgy is no field", saved_at=0.0)
    outside = FakeOutside(saved={"old": broken})
    app = scenes.cockpit(tmp_path, None, outside, plan=scenes.PLAN)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await press(app, pilot, "P enter")
        await until(pilot, lambda: bool(app.screen.query(Input)))
        await press(app, pilot, "slash x enter")
        await until(pilot, shows(app, "is not a valid name of a plan"))
        await press(app, pilot, "backspace backspace m i n e enter")
        await until(pilot, lambda: "mine" in outside.saved)
        assert outside.saved["mine"].plan == scenes.PLAN
        await press(app, pilot, "P")
        await until(pilot, shows(app, "mine"))
        await press(app, pilot, "down enter")
        await until(pilot, lambda: app.cockpit.view.plan == Plan())
        await press(app, pilot, "P")
        await until(pilot, shows(app, "cannot be read"))
        await press(app, pilot, "down down down enter")
        assert "stratgy is no field" in text_grid(app), "a broken one cannot be loaded, and says why"
        await press(app, pilot, "up enter")
        await until(pilot, lambda: app.cockpit.view.plan == scenes.PLAN)
        await press(app, pilot, "P")
        await until(pilot, shows(app, "mine"))
        await press(app, pilot, "down down d enter")
        assert "mine" in outside.saved, "keeping is the default"
        await press(app, pilot, "d down enter")
        await until(pilot, lambda: "mine" not in outside.saved)


async def test_presets_are_plans_by_name_too(tmp_path: Path) -> None:
    app = scenes.cockpit(tmp_path, None)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await press(app, pilot, "P")
        assert "The plan sets no field" in text_grid(app)
        await press(app, pilot, "enter down down down enter")
        await until(pilot, lambda: app.cockpit.view.plan.max_epochs == 1000)


async def test_the_exact_command_is_shown_copied_and_written_with_secrets_masked(tmp_path: Path) -> None:
    outside = FakeOutside()
    given = ["train.py", "--api-key", "hf_abcdefgh12345", "--note", "two  blanks"]
    app = scenes.cockpit(tmp_path, None, outside, plan=scenes.PLAN, given=given)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await press(app, pilot, "b")
        grid = text_grid(app)
        assert "lightning-tui run --strategy ddp --precision bf16-mixed" in grid
        assert "'two  blanks'" in grid
        await press(app, pilot, "y")
        assert app.clipboard.startswith("lightning-tui run ")
        assert app.clipboard.count("--api-key '•••' --note 'two  blanks'\n") == 2
        await until(pilot, lambda: "secrets are masked" in getattr(app.cockpit.view.notice, "text", ""))
        await press(app, pilot, "right")
        assert 'strategy="ddp"' in text_grid(app)
        await press(app, pilot, "right")
        assert "trainer:" in text_grid(app)
        await press(app, pilot, "w")
        await until(pilot, lambda: bool(app.screen.query(Input)))
        await press(app, pilot, "enter")
        await until(pilot, lambda: bool(outside.written))
        [(path, text)] = outside.written
        assert path.name == "trainer.yaml"
        assert "accumulate_grad_batches: 4" in text
        assert "hf_abcdefgh12345" not in grid + text + app.clipboard


def test_a_folded_line_keeps_every_character() -> None:
    text = "lightning-tui run --set " + "x" * 90 + "  --  train.py 'a   b' " * 5
    for width in (20, 40, 79):
        rows = folded(text, width)
        assert all(width_of(row) <= width for row in rows)
        assert "".join(row[-1][0] for row in rows) == text


# --------------------------------------------------------------------------------------------------------------- memory


async def test_the_memory_is_measured_after_asking_once_for_each_program(tmp_path: Path) -> None:
    outside = scenes.on_gpus(measured=False)
    app = scenes.cockpit(tmp_path, None, outside, plan=scenes.PLAN)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        assert "unknown  enter measures" in text_grid(app)
        await press(app, pilot, "pagedown up enter enter")
        await until(pilot, lambda: app.screen is app.cockpit)
        assert outside.asked == [], "not now is the default"
        await press(app, pilot, "enter down enter")
        await until(pilot, shows(app, "The memory could not be measured"))
        assert "there is no module" in text_grid(app)
        await press(app, pilot, "escape")
        assert "unknown: The program" in text_grid(app)
        outside.measured = machines.gpt_probe()
        await press(app, pilot, "enter")
        await until(pilot, shows(app, "Memory of train.py"))
        assert [what for what, _ in outside.asked] == ["measure", "measure"], "it was allowed before"
        await press(app, pilot, "escape")
        expected = expected_memory(scenes.PLAN)
        await until(pilot, shows(app, f"{span_words(expected.present)} of 45.0 GiB"))
        assert "✔ fits" in text_grid(app)
        assert "124 M params · batch 32" in text_grid(app)
        assert f"largest batch {expected.largest_batch}" in text_grid(app)


async def test_measuring_can_be_given_up(tmp_path: Path) -> None:
    outside = scenes.on_gpus(measured=False)
    outside.holds_measuring = True
    app = scenes.cockpit(tmp_path, None, outside, plan=scenes.PLAN)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await press(app, pilot, "pagedown up enter down enter")
        await until(pilot, lambda: isinstance(app.screen, MeasuringWindow))
        assert "train.py runs up to its fit" in text_grid(app)
        await press(app, pilot, "escape")
        await until(pilot, shows(app, "measuring was cancelled"))
        assert app.screen is app.cockpit


async def test_what_saves_memory_is_taken_from_the_window_of_the_memory(tmp_path: Path) -> None:
    app = scenes.cockpit(tmp_path, None, scenes.on_gpus(), plan=Plan(precision="64-true"))
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await until(pilot, shows(app, "✖ too large"))
        best = expected_memory(Plan(precision="64-true")).knobs[0].text
        assert f"▸ {best[:20]}" in text_grid(app), "the pane says what helps most"
        await press(app, pilot, "pagedown up enter")
        assert "Method       a step on fake tensors" in text_grid(app)
        assert isinstance(app.screen, MemoryWindow)
        lines = [text_of(item.left) for item in app.screen.list.items]
        await press(app, pilot, "down " * lines.index("compute in bf16-mixed") + "enter")
        await until(pilot, lambda: app.cockpit.view.plan.precision == "bf16-mixed")
        await until(pilot, shows(app, "✔ fits"))


async def test_each_choice_of_strategy_and_precision_tells_its_memory(tmp_path: Path) -> None:
    app = scenes.cockpit(tmp_path, None, scenes.on_gpus(), plan=scenes.PLAN)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await press(app, pilot, "down enter")
        grid = text_grid(app)
        assert "memory of 45.0 GiB a GPU" in grid
        for precision, word in (("32-true", "✔ fits"), ("64-true", "✖ too large")):
            found = expected_memory(machines.replace_struct(scenes.PLAN, precision=precision)).present
            assert f"{span_words(found)} GiB  {word}" in grid


def test_an_estimate_is_drawn_within_its_width_whatever_it_is() -> None:
    def estimate(low: int | None, high: int | None) -> Estimate:
        return Estimate(
            strategy="ddp", precision="32-true", devices=1, low=low, high=high, fits="tight", method="formula"
        )

    for low, high in ((0, 0), (10, 20), (10, None), (44, 46), (60, 90), (None, None)):
        found = estimate(low and low * GIB, high and high * GIB)
        assert width_of(bar(found, 45 * GIB, 20)) == width_of(line(found, 45 * GIB, 20)) == 20
    assert span_words(estimate(10 * GIB, 20 * GIB)) == "10.0–20.0"
    assert span_words(estimate(10 * GIB, None)) == "10.0 or more"
    assert span_words(estimate(None, None)) == "N/A"


# ------------------------------------------------------------------------------------------------------------- pictures


@pytest.mark.parametrize(
    ("name", "size", "keys"),
    [
        ("plan-zoomed-80x24", (80, 24), "2 enter"),
        ("plan-zoomed-120x36", (120, 36), "2 z"),
        ("strategy-80x24", (80, 24), "2 enter enter"),
        ("strategy-120x36", (120, 36), "2 z enter"),
        ("precision-120x36", (120, 36), "2 z down enter"),
        ("fields-80x24", (80, 24), "2 enter a"),
        ("recommended-120x36", (120, 36), "2 z R"),
        ("recommended-80x24", (80, 24), "2 enter R"),
        ("plans-80x24", (80, 24), "2 enter P"),
        ("command-80x24", (80, 24), "2 enter b"),
        ("memory-120x36", (120, 36), "2 z pagedown up enter"),
        ("memory-80x24", (80, 24), "2 enter pagedown up enter"),
    ],
)
async def test_the_plan_and_its_windows_look_as_stored(
    name: str, size: tuple[int, int], keys: str, tmp_path: Path, check_grid: CheckGrid
) -> None:
    app = scenes.cockpit(tmp_path, None, scenes.on_gpus(), plan=scenes.PLAN)
    async with app.run_test(size=size) as pilot:
        await scenes.settle(app, pilot)
        for key in keys.split():
            before = app.screen
            zoom = app.cockpit.parts.zoomed
            await pilot.press(key)
            if key == "enter" and zoom is None:
                await until(pilot, lambda: app.cockpit.parts.zoomed is not None)
            elif key in ("enter", "a", "R", "P", "b"):
                await until(pilot, lambda before=before: app.screen is not before)  # type: ignore[misc]
        await pilot.pause()
        check_grid(app, name)
