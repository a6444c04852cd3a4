"""The Metrics pane: which curves there are, how they are looked at, what the cursor reads, other runs, files."""

from __future__ import annotations

import csv
import json
import math
import xml.etree.ElementTree as ElementTree
from array import array
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.pilot import Pilot

from lightning_tui.record import RunDirectory, RunSnapshot, Series
from lightning_tui.record.events import Metrics, Points
from lightning_tui.record.series import Bins
from lightning_tui.refusal import RefusalError
from lightning_tui.ui.app import CockpitApp
from lightning_tui.ui.drawing.ascii import ascii_row, wants_ascii
from lightning_tui.ui.drawing.frame import Curve
from lightning_tui.ui.drawing.rows import width_of
from lightning_tui.ui.metrics import exports as metric_exports
from lightning_tui.ui.metrics.choice_window import MetricWindow
from lightning_tui.ui.metrics.curves import CurveSettings, drawn_curves, marks_of, reading_at, smoothed
from lightning_tui.ui.metrics.exports import export
from lightning_tui.ui.metrics.grouping import Member, Quantity, best_point, falls, learning_rate, quantities, rises
from lightning_tui.ui.metrics.pane import MetricsPane, grid_shape
from lightning_tui.ui.metrics.runs_window import OverlayWindow
from lightning_tui.ui.metrics.words import broken_words, pace_row, progress_row, straggler_of, values_row
from tests.record.events import make
from tests.ui import scenes
from tests.ui.machines import replace_struct
from tests.ui.outside import FakeOutside
from tests.ui.support import CheckGrid, shows, text_grid, text_of, until, view_of


def told(quantity: Quantity) -> dict[str, str]:
    return {member.role: member.name for member in quantity.members}


# ------------------------------------------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["train_loss", "val_loss"], {"loss": {"train": "train_loss", "val": "val_loss"}}),
        (
            ["train_loss", "train_loss_step", "train_loss_epoch"],
            {"loss": {"train": "train_loss_step", "train epoch": "train_loss_epoch"}},
        ),
        (["val_loss_step", "val_loss_epoch"], {"loss": {"val": "val_loss_epoch", "val step": "val_loss_step"}}),
        (["loss/train", "loss/val"], {"loss": {"train": "loss/train", "val": "loss/val"}}),
        (["loss/train", "train_loss"], {"loss": {"train": "loss/train", "train_loss": "train_loss"}}),
        (["loss", "valid_loss", "test_loss"], {"loss": {"train": "loss", "val": "valid_loss", "test": "test_loss"}}),
        (["a/train", "a/val", "loss"], {"loss": {"train": "loss"}, "a": {"train": "a/train", "val": "a/val"}}),
        (["train", "val"], {"train": {"train": "train"}, "val": {"train": "val"}}),
        (["lr-A", "lr-A/pg2", "f1"], {"f1": {"train": "f1"}, "lr": {"lr-A": "lr-A", "lr-A/pg2": "lr-A/pg2"}}),
        ([], {}),
    ],
)  # fmt: skip
def test_metrics_find_their_other_half(names: list[str], expected: dict[str, dict[str, str]]) -> None:
    found = quantities(names)
    assert {quantity.name: told(quantity) for quantity in found} == expected
    assert [quantity.name for quantity in found] == list(expected)
    for quantity in found:
        assert len(set(quantity.tokens())) == min(5, len(quantity.members))


def test_names_are_shown_without_what_is_not_printable() -> None:
    names = ["lr\t", "train_a\x1b[2J", "val_a\x1b[2J", "train/a\x1b[2J"]
    shown = [part for q in quantities(names) for part in (q.name, *(member.role for member in q.members))]
    assert all(part.isprintable() for part in shown)
    assert {member.name for q in quantities(names) for member in q.members} == set(names)
    broken = Series()
    broken.add(1, math.nan)
    assert "".join(text for text, _ in broken_words(names[1], broken)).isprintable()


@given(st.lists(st.text("abc_/.-lrtainvexhsopd", max_size=12), unique=True, max_size=12))
def test_no_metric_is_lost_but_lightnings_third_name(names: list[str]) -> None:
    drawn = [(quantity.name, member) for quantity in quantities(names) for member in quantity.members]
    told = {member.name for _, member in drawn}
    assert len(told) == len(drawn)
    for name in set(names) - told:
        (alone,) = quantities([name])
        assert (alone.name, alone.members[0].role) in {(quantity, member.role) for quantity, member in drawn}


def test_which_way_is_better() -> None:
    loss, acc, other = (Quantity(name, (Member("val", name),)) for name in ("loss", "top1_acc", "weight_norm"))
    assert (falls(loss), rises(loss)) == (True, False)
    assert (falls(acc), rises(acc)) == (False, True)
    assert (falls(other), rises(other)) == (False, False)
    series = Series()
    for step, value in enumerate((2.0, 1.0, 3.0)):
        series.add(step, value)
    assert best_point(loss, {"loss": series}) == (loss.members[0], (1, 1.0))
    assert best_point(acc, {"top1_acc": series}) == (acc.members[0], (2, 3.0))
    assert best_point(other, {"weight_norm": series}) is None
    assert learning_rate(["x", "lr-AdamW/pg1"]) == "lr-AdamW/pg1"


# ------------------------------------------------------------------------------------------------------------ curves


def test_smoothing_ends_where_a_steady_curve_is_and_passes_over_nan() -> None:
    xs = array("d", range(1000))
    assert list(smoothed(xs, [3.0] * 1000, 0.9)) == pytest.approx([3.0] * 1000)
    steps = [1.0] * 500 + [2.0] * 500
    line = smoothed(xs, steps, 0.99)
    assert 1.0 < line[510] < 1.2
    assert line[999] == pytest.approx(2.0, abs=0.02)
    steps[700] = math.nan
    assert math.isnan(smoothed(xs, steps, 0.9)[700])
    assert not math.isnan(smoothed(xs, steps, 0.9)[701])


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=60), st.sampled_from([0.6, 0.9, 0.99]))
def test_a_smoothed_curve_stays_within_its_values(values: list[float], weight: float) -> None:
    line = smoothed([float(x) for x in range(len(values))], values, weight)
    slack = 1e-6 * max(map(abs, values)) + 1e-12
    assert all(min(values) - slack <= value <= max(values) + slack for value in line)


def test_epochs_and_times_take_the_place_of_steps(tmp_path: Path) -> None:
    run = scenes.many_metrics(tmp_path)
    loss = quantities(run.metrics)[0]
    by_epoch = drawn_curves(run, loss, CurveSettings(unit="epoch"))[-1].curve.bins.steps
    assert (by_epoch[0], by_epoch[-1]) == pytest.approx((0.2, 2.4))
    by_time = drawn_curves(run, loss, CurveSettings(unit="time"))[-1].curve.bins.steps
    assert (by_time[0], by_time[-1]) == pytest.approx((14 + 60, 14 + 720))
    best, saved = marks_of(run, loss, CurveSettings(unit="epoch"))
    assert (best.x, best.value) == pytest.approx((2.4, run.metrics["val_loss"].lowest))
    assert saved.x == pytest.approx(2.0)
    assert saved.value is None


def test_a_cursor_reads_the_span_of_its_cell_or_the_value_before() -> None:
    values = array("d", [1.0, 5.0, 3.0, math.nan])
    curve = Curve("train", Bins(array("d", [0, 10, 20, 30]), values, values, bytearray([0, 0, 0, 1])))
    reading = reading_at(curve, 5, 25)
    assert reading is not None
    assert (reading.mean, reading.low, reading.high, reading.is_broken) == (4.0, 3.0, 5.0, False)
    before = reading_at(curve, 12, 15)
    assert before is not None
    assert (before.x, before.mean) == (10, 5.0)
    broken = reading_at(curve, 29, 31)
    assert broken is not None
    assert broken.is_broken
    assert math.isnan(broken.mean)
    assert reading_at(curve, -5, -1) is None


@pytest.mark.parametrize(
    ("width", "height", "count", "expected"),
    [(70, 11, 6, (1, 1)), (116, 32, 6, (2, 3)), (196, 46, 6, (3, 2)), (196, 46, 1, (1, 1)), (70, 34, 2, (1, 2)),
     (116, 32, 30, (2, 3)), (20, 4, 3, (1, 1))],
)  # fmt: skip
def test_a_grid_takes_the_room_there_is(width: int, height: int, count: int, expected: tuple[int, int]) -> None:
    assert grid_shape(width, height, count) == expected


# ------------------------------------------------------------------------------------------------------------- words


def test_nan_is_said_in_words() -> None:
    series = Series()
    for step, value in enumerate([1.0, math.nan, 2.0]):
        series.add(step, value)
    assert text_of(broken_words("train_loss", series)) == "✖ train_loss was NaN/inf 1 time, first at step 1"
    for step in range(3, 6):
        series.add(step, math.nan)
    assert text_of(broken_words("train_loss", series)) == "✖ train_loss is NaN since step 3"


def test_values_tell_the_best_and_where(tmp_path: Path) -> None:
    run = scenes.training(tmp_path)
    val = run.metrics["val_loss"]
    val.add(1204, 9.0)
    words = text_of(values_row(view_of(run), quantities(run.metrics)[0], 200))
    assert "★ 1.33 @ 1.2 k" in words
    assert "val 9.00" in words


def test_a_stall_takes_the_place_of_the_time_left_and_the_straggler_is_named(tmp_path: Path) -> None:
    run = scenes.stalled(tmp_path)
    assert "no step for 3 min · usual 1.20 s" in text_of(progress_row(view_of(run), 80))
    assert "ETA" not in text_of(progress_row(view_of(run), 80))
    words = text_of(pace_row(view_of(run), 200))
    assert "rank 2 waiting for data 19.0 ms, others 2.00 ms" in words
    assert "restarted 2 times" in words
    slow = [replace_struct(rank, step_time_s=0.09 if rank.rank == 1 else 0.04) for rank in run.ranks]
    found = straggler_of(slow)
    assert found is not None
    assert (found.rank, found.is_data) == (1, False)
    assert straggler_of(slow[:1]) is None
    assert straggler_of(scenes.training(tmp_path).ranks) is None


# -------------------------------------------------------------------------------------------------------------- keys


def pane_of(app: CockpitApp) -> MetricsPane:
    return app.cockpit.query_one(MetricsPane)


async def opened(app: CockpitApp, pilot: Pilot[None], *keys: str) -> None:
    await scenes.settle(app, pilot)
    await pilot.press("3", *keys)
    await pilot.pause()


async def test_the_way_it_is_looked_at_is_changed_by_keys_and_told(tmp_path: Path) -> None:
    app = scenes.cockpit(tmp_path, scenes.many_metrics(tmp_path))
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(app, pilot, "L", "M", "u")
        assert "loss 1/6 · log scale · EMA 0.9 · by epoch" in text_grid(app)
        await pilot.press("u", "down")
        assert "aux_loss 2/6 · log scale · EMA 0.9 · by time" in text_grid(app)
        await pilot.press("u", "L", "M", "M", "M", "M", "up", "up")
        assert " lr 6/6 ─" in text_grid(app)


async def test_the_cursor_reads_and_the_window_moves_with_it(tmp_path: Path) -> None:
    app = scenes.cockpit(tmp_path, scenes.training(tmp_path))
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(app, pilot, "left")
        pane = pane_of(app)
        assert pane.settings.cursor == 1200
        assert "step 1 200" in text_grid(app)
        await pilot.press("left", "left")
        assert "val 1.36 at step 1 100" in text_grid(app)
        await pilot.press("pageup", "pageup", "pageup")
        first = pane.settings.window
        assert first is not None
        assert first[1] - first[0] == pytest.approx(150)
        await pilot.press(*["left"] * 80)
        moved = pane.settings.window
        assert moved is not None
        assert moved[1] - moved[0] == pytest.approx(150)
        assert moved[0] < first[0]
        assert "is shown" in text_grid(app)
        await pilot.press("pagedown", "pagedown", "pagedown")
        assert pane.settings.window is None
        await pilot.press("escape")
        assert pane.settings.cursor is None


async def test_a_zoomed_pane_is_a_grid_and_enter_gives_one_chart_the_room(
    tmp_path: Path, check_grid: CheckGrid
) -> None:
    app = scenes.cockpit(tmp_path, scenes.many_metrics(tmp_path))
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(app, pilot, "z", "left", "left", "left")
        check_grid(app, "metrics-grid-120x36")
        await pilot.press("escape", "down", "enter")
        assert "grad_norm" not in text_grid(app)
        assert "aux_loss" in text_grid(app)
        await pilot.press("escape")
        assert "grad_norm" in text_grid(app)
        await pilot.press("escape")
        await until(pilot, shows(app, "Environment"))


async def test_metrics_are_searched_and_marked(tmp_path: Path, check_grid: CheckGrid) -> None:
    app = scenes.cockpit(tmp_path, scenes.many_metrics(tmp_path))
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(app, pilot, "m", *"grad")
        assert isinstance(app.screen, MetricWindow)
        assert "tokens_per_s" not in text_grid(app)
        await pilot.press("space", *["backspace"] * 4, *"acc", "space")
        check_grid(app, "metrics-choice-120x36")
        await pilot.press("enter", "z")
        await until(pilot, shows(app, "grad_norm"))
        assert [quantity.name for quantity in pane_of(app).shown()] == ["grad_norm", "acc"]
        await pilot.press("m", *"lr", "enter")
        await pilot.pause()
        assert pane_of(app).settings.current == "grad_norm", "what is not marked is not gone to"
        await pilot.press("m", "escape")
        await pilot.pause()
        assert len(pane_of(app).shown()) == 2


async def test_other_runs_are_laid_under_this_one(tmp_path: Path, check_grid: CheckGrid) -> None:
    outside = FakeOutside(runs=scenes.earlier_runs(tmp_path))
    app = scenes.cockpit(tmp_path, scenes.many_metrics(tmp_path), outside)
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(app, pilot, "z", "enter", "o")
        await until(pilot, lambda: isinstance(app.screen, OverlayWindow) and len(app.screen.list.items) == 2)
        await pilot.press("space", "down", "space", "enter")
        await until(pilot, lambda: len(pane_of(app).others) == 2)
        await pilot.press("left", "left", "left", "left")
        assert "vs ● #19e4d7" in text_grid(app)
        assert "● #19e4d7 train" in text_grid(app)
        check_grid(app, "metrics-overlay-120x36")
        await pilot.press("escape", "o")
        await until(pilot, lambda: isinstance(app.screen, OverlayWindow) and len(app.screen.list.items) == 2)
        await pilot.press("space", "down", "space", "enter")
        await until(pilot, lambda: not pane_of(app).others)


async def test_closing_the_list_of_runs_ends_its_reading(tmp_path: Path) -> None:
    run = scenes.earlier_runs(tmp_path)[0]
    read: list[int] = []

    def endless() -> Iterator[RunSnapshot]:
        while True:
            read.append(1)
            yield replace_struct(run, metrics={})

    outside = FakeOutside()
    app = scenes.cockpit(tmp_path, scenes.training(tmp_path), outside)
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(app, pilot)
        outside._runs = endless  # type: ignore[method-assign]
        object.__setattr__(app.cockpit.features.metrics._services, "runs", endless)
        await pilot.press("o")
        await until(pilot, lambda: len(read) > 3)
        window = app.screen
        assert isinstance(window, OverlayWindow)
        await pilot.press("escape")
        await until(pilot, lambda: not window._reading._thread.is_alive())


async def test_without_metrics_the_keys_say_so(tmp_path: Path) -> None:
    app = scenes.cockpit(tmp_path, replace_struct(scenes.training(tmp_path), metrics={}))
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(app, pilot, "left", "pageup", "down", "m")
        assert "no metric has been logged yet" in text_grid(app)


# ------------------------------------------------------------------------------------------------------------- files


def recorded(tmp_path: Path) -> RunSnapshot:
    """A run whose event file is there."""
    run = scenes.many_metrics(tmp_path)
    directory = RunDirectory(Path(run.directory))
    directory.create(run.record)
    events = [
        make(Metrics, epoch=3, series={"train_loss": Points([1, 2], [0.5, "nan"]), "val, loss": Points([2], [1.0])})
    ]
    path = directory.events(0) / "rank-0.jsonl"
    path.write_bytes(b"".join(msgspec.json.encode(event) + b"\n" for event in events))
    return run


def test_all_values_are_written_as_a_table(tmp_path: Path) -> None:
    run = recorded(tmp_path)
    path = export(run, None, CurveSettings(), (), "csv")
    assert path == Path(run.directory) / "exports" / "metrics.csv"
    assert list(csv.reader(path.read_text().splitlines())) == [
        ["metric", "step", "epoch", "time", "value", "fit"],
        ["train_loss", "1", "3", "100.0", "0.5", "1"],
        ["train_loss", "2", "3", "100.0", "nan", "1"],
        ["val, loss", "2", "3", "100.0", "1.0", "1"],
    ]
    assert path.stat().st_mode & 0o777 == 0o600
    columns = json.loads(export(run, None, CurveSettings(), (), "json").read_text())["metrics"]
    table = {"step": [1, 2], "epoch": [3, 3], "time": [100.0, 100.0], "value": [0.5, "nan"], "fit": [1, 1]}
    assert columns["train_loss"] == table
    assert [entry.name for entry in sorted(path.parent.iterdir())] == ["metrics.csv", "metrics.json"]


@pytest.mark.parametrize(
    "settings", [CurveSettings(), CurveSettings(is_log=True, smoothing=0.9, unit="time", window=(100, 300))]
)
def test_a_picture_is_well_formed_and_says_what_it_shows(tmp_path: Path, settings: CurveSettings) -> None:
    run = recorded(tmp_path)
    evil = replace_struct(run.record, program=replace_struct(run.record.program, label="<a&b>\x1b"))
    run = replace_struct(run, record=evil)
    path = export(run, quantities(run.metrics)[0], settings, (), "svg")
    root = ElementTree.parse(path).getroot()
    texts = [element.text or "" for element in root.iter() if element.tag.endswith("text")]
    assert texts[0].startswith("loss · <a&b> · train-7f3a01")
    assert any(text.startswith("val 1.33") for text in texts)
    lines = [element for element in root.iter() if element.tag.endswith("polyline")]
    assert len(lines) == 3


def test_what_cannot_be_written_is_refused_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = replace_struct(scenes.many_metrics(tmp_path), directory=str(tmp_path / "gone"))
    with pytest.raises(RefusalError, match=r"--metrics csv > metrics\.csv"):
        export(run, None, CurveSettings(), (), "csv")
    nothing = replace_struct(recorded(tmp_path), metrics={"loss": Series()})
    with pytest.raises(RefusalError, match="no finite value"):
        export(nothing, quantities(nothing.metrics)[0], CurveSettings(), (), "svg")
    monkeypatch.setattr(metric_exports, "can_write_png", lambda: False)
    with pytest.raises(RefusalError, match="pip install resvg_py"):
        export(recorded(tmp_path / "other"), quantities(run.metrics)[0], CurveSettings(), (), "png")


async def test_the_export_is_chosen_and_its_path_told(tmp_path: Path) -> None:
    run = recorded(tmp_path)
    app = scenes.cockpit(tmp_path, run)
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(app, pilot, "X", "down", "down", "enter")
        await until(pilot, shows(app, "written: "))
        assert (Path(run.directory) / "exports" / "loss.svg").exists()


# ------------------------------------------------------------------------------------------------------------- ASCII


async def test_a_terminal_without_unicode_gets_ascii_alone(tmp_path: Path) -> None:
    app = scenes.cockpit(tmp_path, scenes.training(tmp_path), environ={"LIGHTNING_TUI_ASCII": "1"})
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(app, pilot, "left")
        grid = text_grid(app)
        assert grid.isascii()
        assert all(len(line) <= 120 for line in grid.splitlines())
        assert "Metrics" in grid
        assert grid.count("-") > 200


@given(st.text(max_size=40))
def test_ascii_is_as_wide_as_what_it_stands_for(text: str) -> None:
    shown = "".join(character for character in text if character.isprintable())
    row = ((shown, "text"),)
    assert width_of(ascii_row(row)) == width_of(row)
    assert text_of(ascii_row(row)).isascii()


def test_dots_keep_their_place_and_the_switch_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert text_of(ascii_row((("⠉⠒⠤⣀⡇ ★", "text"),))) == "'-._| *"
    monkeypatch.setattr("locale.getpreferredencoding", lambda _: "ANSI_X3.4-1968")
    assert wants_ascii({})
    assert not wants_ascii({"LIGHTNING_TUI_ASCII": "0"})
    monkeypatch.setattr("locale.getpreferredencoding", lambda _: "UTF-8")
    assert not wants_ascii({})
    assert wants_ascii({"LIGHTNING_TUI_ASCII": "1"})
