"""A run in trouble: its card, the way to its evidence, its report, and the window that relaunches it with a fix."""

from __future__ import annotations

import stat
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lightning_tui.diagnosis import Diagnosis, Suggestion
from lightning_tui.diagnosis.model import CodeHint, EvidenceLine
from lightning_tui.record import Failure, RunDirectory, RunSnapshot, RunState
from lightning_tui.services.findings import (
    Beginning,
    FieldChange,
    Findings,
    Fix,
    OutputPlace,
    is_told,
    trouble_of,
)
from lightning_tui.ui.app import CockpitApp
from lightning_tui.ui.drawing.rows import width_of
from lightning_tui.ui.failure.actions import sentence_of
from lightning_tui.ui.failure.card import card_height, failure_card
from lightning_tui.ui.failure.fix_window import FixWindow
from lightning_tui.ui.failure.report_window import ReportWindow, report_rows
from lightning_tui.ui.failure.words import beginning_words, change_words
from lightning_tui.ui.windows.window import TextWindow
from tests.ui import scenes
from tests.ui.machines import replace_struct
from tests.ui.outside import FakeOutside
from tests.ui.support import gone, shows, text_grid, text_of, until

SIZE = (120, 36)
TITLE = "The GPU's memory is full"


def cockpit(tmp_path: Path, run: RunSnapshot | None = None, **changes: Any) -> tuple[CockpitApp, FakeOutside]:
    outside = FakeOutside()
    return scenes.cockpit(tmp_path, run or scenes.failed(tmp_path), outside, **changes), outside


def diagnosis(**changes: Any) -> Diagnosis:
    known: dict[str, Any] = {
        "category": "user-exception",
        "title": "ValueError in the program",
        "cause": "A value is not what was expected: no such colour",
        "suggestions": (),
        "evidence": EvidenceLine(None, "ValueError: no such colour"),
    }
    return Diagnosis(**{**known, **changes})


def fix(**changes: Any) -> Fix:
    known: dict[str, Any] = {
        "text": "Use fewer workers: each holds a copy.",
        "changes": {"num_workers": 2},
        "fields": (FieldChange("num_workers", 4, 2),),
        "beginning": Beginning(reason="no checkpoint was saved"),
    }
    return Fix(**{**known, **changes})


def found(run: RunSnapshot, *fixes: Fix, **changes: Any) -> Findings:
    trouble = trouble_of(run)
    assert trouble is not None
    return Findings(
        trouble, fixes=fixes, **{"diagnoses": (diagnosis(),), "report": "Error:\nno such colour\n", **changes}
    )


# ------------------------------------------------------------------------------------------------------------ the card


async def test_the_card_tells_what_happened_why_and_what_helps(tmp_path: Path) -> None:
    app, _ = cockpit(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("5")
        grid = text_grid(app)
        assert f"{TITLE}   rank 2 · step 1204 · 27.0 of 45.0 GiB" in grid
        assert "train.py:41 in training_step  loss = self.model(batch)" in grid
        assert "f  batch size 32 → 16, accumulate 4 → 8, from step 1000" in grid
        assert "2  strategy ddp → fsdp" in grid
        assert "enter line 22   i report   y copy it" in grid
        assert "▸ torch.OutOfMemoryError: CUDA out of memory." in grid, "the error's own line stays in sight"
        assert "f fix" in grid.splitlines()[-1]


async def test_nothing_jumps_when_the_diagnosis_comes(tmp_path: Path) -> None:
    app, outside = cockpit(tmp_path)
    outside.may_explain = threading.Event()
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("5")
        await until(pilot, shows(app, "looking for the cause"))
        before = text_grid(app).splitlines()
        (top,) = (y for y, line in enumerate(before) if "╭╴ torch.OutOfMemoryError" in line)
        assert "CUDA out of memory. Tried to allocate 2.11 GiB." in before[top + 1], "what is known is told at once"
        await pilot.press("f")
        await until(pilot, shows(app, "the diagnosis is not ready yet"))
        outside.may_explain.set()
        await until(pilot, shows(app, TITLE))
        after = text_grid(app).splitlines()
        assert f"╭╴ {TITLE}" in after[top]
        log = [line[42:] for line in before[:top]]
        assert [line[42:] for line in after[2:top]] == log[2:], "the log above it has not moved"


@pytest.mark.parametrize("width", [36, 74, 90])
def test_the_card_fits_and_leaves_the_log_its_lines(tmp_path: Path, width: int) -> None:
    app, outside = cockpit(tmp_path)
    run = scenes.failed(tmp_path)
    known = replace(app.cockpit.view, run=run, findings=outside._explain(run, None, False))
    for height in range(40):
        for view in (known, replace(known, findings=None), replace(known, readonly=True)):
            rows = failure_card(view, width, height)
            assert len(rows) == card_height(height)
            assert height < 3 or height - len(rows) >= 2
            assert all(width_of(row) <= width for row in rows)
            text = "\n".join(map(text_of, rows))
            if view is known and rows:
                assert TITLE in text
                assert "f " in text


async def test_it_is_explained_once_and_again_when_the_machine_is_known(tmp_path: Path) -> None:
    app, outside = cockpit(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await until(pilot, shows(app, TITLE))
        times = outside.asked.count(("explain", "ended"))
        assert 1 <= times <= 2
        assert outside.reader is not None
        assert outside.snapshot is not None
        outside.reader.now = replace_struct(outside.snapshot, notices=("something is left over",))
        await until(pilot, shows(app, "something is left over"))
        assert outside.asked.count(("explain", "ended")) == times


async def test_an_unknown_failure_is_told_in_plain_words_with_the_programs_own_line(tmp_path: Path) -> None:
    run = scenes.failed(tmp_path)
    failure = Failure(
        rank=2,
        type="colours.NoSuchColour",
        message="there is no mauve",
        traceback=scenes.TRACEBACK.rpartition("torch.")[0] + "colours.NoSuchColour: there is no mauve\n",
        hook="train",
    )
    output = RunDirectory(Path(run.directory)).output(0, 2)
    output.parent.mkdir(parents=True)
    output.write_text(failure.traceback)
    app, _ = cockpit(tmp_path, replace_struct(run, failure=failure))
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        grid = text_grid(app)
        assert "NoSuchColour" in grid
        assert "there is no mauve" in grid
        assert "train.py:41 in training_step  loss = self.model(batch)" in grid
        assert "f fix" not in grid
        await pilot.press("f")
        await until(pilot, shows(app, "no change of the plan fixes this"))


async def test_a_run_that_stands_still_is_told_of_until_it_goes_on(tmp_path: Path) -> None:
    run = scenes.stalled(tmp_path)
    app, outside = cockpit(tmp_path, run)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        assert app.cockpit.view.findings is not None
        assert app.cockpit.view.findings.root is not None
        assert app.cockpit.view.findings.root.category == "stall"
        title = app.cockpit.view.findings.root.title
        assert title in text_grid(app)
        assert outside.asked.count(("explain", "stalled")) <= 2
        await pilot.press("f")
        await until(pilot, lambda: "x stops it first" in text_grid(app) or "no change of the plan" in text_grid(app))
        assert outside.reader is not None
        assert run.progress is not None
        outside.reader.now = replace_struct(run, progress=replace_struct(run.progress, stalled_s=None), standstill=None)
        await until(pilot, gone(app, title))


async def test_a_run_that_stood_still_can_be_fixed_once_it_was_ended(tmp_path: Path) -> None:
    run = scenes.stalled(tmp_path)
    app, outside = cockpit(tmp_path, run)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        found = app.cockpit.view.findings
        assert found is not None
        assert not app.cockpit.view.can_fix
        ended = scenes.failed(tmp_path).ended
        assert ended is not None
        killed = replace_struct(run, state=RunState.KILLED, ended=replace_struct(ended, cause="kill"))
        assert outside.reader is not None
        outside.reader.now = killed
        await until(pilot, lambda: app.cockpit.view.state == "killed")
        assert app.cockpit.view.findings is found
        assert app.cockpit.view.can_fix == bool(found.fixes)


def test_what_was_asked_for_is_no_failure(tmp_path: Path) -> None:
    run = scenes.failed(tmp_path)
    assert run.ended is not None
    from_outside = replace_struct(run, state=RunState.STOPPED, failure=None)
    asked = replace_struct(from_outside, ended=replace_struct(run.ended, cause="stop"))
    assert trouble_of(asked) is None
    assert trouble_of(scenes.training(tmp_path)) is None
    assert trouble_of(scenes.finished(tmp_path)) is None
    for category, told in (("sigterm", False), ("slurm-time-limit", True)):
        assert is_told(from_outside, found(from_outside, diagnoses=(diagnosis(category=category),))) is told


# --------------------------------------------------------------------------------------------- evidence and report


async def test_enter_goes_to_the_line_that_shows_it_and_y_copies_the_report(tmp_path: Path) -> None:
    app, _ = cockpit(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("5")
        assert "trainer.fit(model, data)" not in text_grid(app), "the traceback is folded"
        await pilot.press("enter")
        await until(pilot, lambda: app.cockpit.parts.log.place.mark == 21)
        grid = text_grid(app)
        assert "trainer.fit(model, data)" in grid
        assert "torch.OutOfMemoryError: CUDA out of memory. Tried" in grid
        assert TITLE in grid
        await pilot.press("y")
        await until(pilot, shows(app, "copied the report"))
        copied = Path(app.cockpit.view.run.directory if app.cockpit.view.run else "") / "copied.txt"
        assert copied.read_text().startswith(f"Error:\n{TITLE}")
        assert stat.S_IMODE(copied.stat().st_mode) == 0o600
        await pilot.press("g", "V", "y")
        await until(pilot, shows(app, "copied 1 line"))
        assert not copied.read_text().startswith("Error:"), "what is selected goes before the report"


async def test_the_evidence_of_another_rank_is_shown_in_its_own_output(tmp_path: Path) -> None:
    run = scenes.failed(tmp_path)
    app, outside = cockpit(tmp_path, run)
    outside.findings = found(run, evidence=OutputPlace(3, 4))
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        assert "rank 2 of 4" in text_grid(app)
        await pilot.press("5", "enter")
        await until(pilot, shows(app, "rank 3 of 4"))
        await until(pilot, lambda: app.cockpit.parts.log.place.mark == 4)


async def test_the_report_opens_as_a_text_that_scrolls_and_is_copied(tmp_path: Path) -> None:
    app, _ = cockpit(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("i")
        await until(pilot, lambda: isinstance(app.screen, ReportWindow))
        assert "Suggestion:" in text_grid(app)
        assert 'File "/home/ada/work/train.py", line 41' not in text_grid(app)
        await pilot.press("G")
        await until(pilot, shows(app, 'File "/home/ada/work/train.py", line 41'))
        await pilot.press("y")
        await until(pilot, shows(app, "copied the report"))


def test_long_lines_of_a_report_are_broken_and_nothing_of_them_steers_the_terminal() -> None:
    report = "Error:\n" + "word " * 40 + "\n\nFull Traceback:\n    " + "x" * 100 + "\x1b[2J\n"
    rows = report_rows(report, "/runs/a\x1b/report.txt", 40)
    assert all(width_of(row) <= 40 for row in rows[2:])
    assert all(text_of(row).isprintable() for row in rows)
    assert sum("word" in text_of(row) for row in rows) == 5


# ------------------------------------------------------------------------------------------------------- fixing it


async def test_two_keys_relaunch_it_and_the_cockpit_follows_the_child(tmp_path: Path) -> None:
    run = scenes.failed(tmp_path)
    app, outside = cockpit(tmp_path, run)
    child = scenes.training(tmp_path)
    outside.child = replace_struct(
        child,
        record=replace_struct(
            child.record, id="train-c41d22", parent=run.record.id, resumed_from="/r/epoch=1-step=1000.ckpt"
        ),
        directory=str(tmp_path / "train-c41d22"),
    )
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("f")
        await until(pilot, shows(app, "a new run, child of train-7f3a01"))
        grid = text_grid(app)
        assert "Halve the batch and double the accumulation." in grid
        assert "batch size       32  →  16" in grid
        assert "accumulate        4  →  8" in grid
        assert "from epoch=1-step=1000.ckpt · step 1 000 · epoch 1 · saved 1 min ago" in grid
        await pilot.press("enter")
        await until(pilot, shows(app, "relaunched from train-7f3a01 at step 1000"))
        app.cockpit.change(notice=None)
        await until(pilot, shows(app, "relaunched from train-7f3a01 · epoch=1-step=1000.ckpt"))
        await until(pilot, shows(app, "#c41d22"))
        await until(pilot, shows(app, "● training"))
        changes = {"batch_size": 16, "accumulate_grad_batches": 8}
        (asked,) = [what for name, what in outside.asked if name == "relaunch"]
        assert asked == (Path(run.directory), changes, str(Path(run.directory, "checkpoints/epoch=1-step=1000.ckpt")))
        assert TITLE not in text_grid(app)


async def test_digits_open_an_alternative_while_the_log_has_the_focus(tmp_path: Path) -> None:
    app, outside = cockpit(tmp_path)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("3", "2")
        assert app.cockpit.focused is app.cockpit.parts.plan, "elsewhere they jump to panes"
        await pilot.press("5", "2")
        await until(pilot, lambda: isinstance(app.screen, FixWindow))
        assert isinstance(app.screen, FixWindow)
        assert app.screen.list.current.changes == {"strategy": "fsdp"}
        await pilot.press("1")
        assert app.screen.list.current.changes == {"batch_size": 16, "accumulate_grad_batches": 8}
        await pilot.press("down")
        assert app.screen.list.current.changes == {"strategy": "fsdp"}
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.cockpit)
        assert not [name for name, _ in outside.asked if name == "relaunch"]
        await pilot.press("5", "4")
        assert app.cockpit.focused is app.cockpit.parts.panes["gpus"], "there is no fourth one"


async def test_a_cockpit_that_only_watches_neither_offers_nor_takes_it(tmp_path: Path) -> None:
    app, outside = cockpit(tmp_path, readonly=True)
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        grid = text_grid(app)
        assert TITLE in grid
        assert "f fix" not in grid
        assert "f  batch" not in grid
        await pilot.press("f")
        await until(pilot, shows(app, "this cockpit is read-only"))
        assert app.screen is app.cockpit
        assert not [name for name, _ in outside.asked if name == "relaunch"]


async def test_a_relaunch_that_is_refused_says_why_and_the_run_stays(tmp_path: Path) -> None:
    app, outside = cockpit(tmp_path)
    outside.refusal = "train-7f3a01 ran in /home/ada/work, and that folder no longer exists."
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("f", "enter")
        await until(pilot, lambda: isinstance(app.screen, TextWindow))
        await until(pilot, shows(app, "and that folder"))
        assert "relaunching" not in text_grid(app)
        await pilot.press("escape")
        await until(pilot, shows(app, TITLE))


async def test_what_asks_for_trust_is_left_by_enter_and_started_by_a_key_of_its_own(tmp_path: Path) -> None:
    run = scenes.failed(tmp_path)
    app, outside = cockpit(tmp_path, run)
    outside.findings, outside.child = found(run, fix(trust=True)), scenes.training(tmp_path / "child")
    async with app.run_test(size=SIZE) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("f")
        await until(pilot, shows(app, "Start it only if you trust"))
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is app.cockpit)
        assert not [name for name, _ in outside.asked if name == "relaunch"]
        await pilot.press("f")
        await until(pilot, lambda: isinstance(app.screen, FixWindow))
        await pilot.press("y")
        await until(pilot, lambda: [name for name, _ in outside.asked if name == "relaunch"])
        await until(pilot, shows(app, "● training"))


async def test_what_cannot_work_here_is_last_and_cannot_be_started(tmp_path: Path) -> None:
    run = scenes.failed(tmp_path)
    app, outside = cockpit(tmp_path, run)
    outside.findings = found(run, fix(obstacle="strategy='fsdp' needs a CUDA GPU."))
    async with app.run_test(size=(80, 24)) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("f")
        await until(pilot, shows(app, "It cannot work here: strategy='fsdp' needs a CUDA GPU."))
        await pilot.press("enter", "y")
        assert isinstance(app.screen, FixWindow)
        assert not [name for name, _ in outside.asked if name == "relaunch"]


@pytest.mark.parametrize("size", [(80, 24), (40, 12), (28, 8)])
async def test_the_window_fits_small_screens(tmp_path: Path, size: tuple[int, int]) -> None:
    app, _ = cockpit(tmp_path)
    async with app.run_test(size=size) as pilot:
        await scenes.settle(app, pilot)
        await pilot.press("f")
        await until(pilot, lambda: isinstance(app.screen, FixWindow))
        await until(pilot, lambda: "→  16" in text_grid(app) or size[1] < 10)


def test_changes_and_beginnings_in_words() -> None:
    assert change_words(fix()) == "num workers 4 → 2"
    assert change_words(fix(fields=(FieldChange("precision", None, "bf16-mixed"),))) == "precision → bf16-mixed"
    assert change_words(fix(fields=())) == "start again"
    assert beginning_words(Beginning("/r/last.ckpt", 400)) == ("from last.ckpt step 400", "from step 400")
    assert beginning_words(Beginning("/r/epoch=1-step=400.ckpt", 400))[0] == "from step 400"
    assert beginning_words(Beginning(reason="no checkpoint was saved"))[0] == "from the beginning"
    assert sentence_of("a-1", fix()) == "relaunched from a-1, from the beginning"
    assert sentence_of("a-1", fix(beginning=Beginning("/r/last.ckpt", 400))) == "relaunched from a-1 at step 400"


def test_hints_have_no_key_and_consequences_are_only_counted(tmp_path: Path) -> None:
    run = scenes.failed(tmp_path)
    app, _ = cockpit(tmp_path)
    hints = (Suggestion(text="Load with weights_only=False.", trust=True), Suggestion(text="Fix the colour."))
    where = CodeHint("/home/ada/paint.py", 7, "mix", "palette[name]")
    root = diagnosis(suggestions=hints, where=where)
    after = (diagnosis(category="a", title="A peer went away", consequence=True), diagnosis(category="b", title="Odd"))
    findings = found(run, diagnoses=(root, *after))
    text = "\n".join(map(text_of, failure_card(replace(app.cockpit.view, run=run, findings=findings), 80, 40)))
    assert "▲ Load with weights_only=False." in text
    assert "· Fix the colour." in text
    assert "paint.py:7 in mix  palette[name]" in text
    assert "also · 1 consequence · Odd" in text
    assert "A peer went away" not in text
    assert "s start again" in text
