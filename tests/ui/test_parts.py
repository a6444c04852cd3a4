"""The parts by themselves: places that never overlap, gauges that add up, metrics that pair, pages of a log."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_tui.record import Failure, GpuProcess, RunDirectory, Series
from lightning_tui.ui.arrangement import arrange, kind_of
from lightning_tui.ui.keys import PANES
from lightning_tui.ui.logindex import LogIndex
from lightning_tui.ui.metrics import Quantity, chosen, falls, following, learning_rate, quantities
from lightning_tui.ui.panes.gpus import FREE, OTHERS, OURS, RESERVED, gauge, gpu_row, segments
from lightning_tui.ui.panes.log import last_frame, last_page, page_from
from lightning_tui.ui.rows import width_of
from lightning_tui.ui.threads import Follower
from tests.ui import scenes
from tests.ui.scenes import GIB, FakeOutside, FakeReader, l40s, replace_struct, text_of


@given(st.integers(1, 260), st.integers(1, 80), st.integers(1, 64), st.sampled_from([None, *PANES]))
def test_places_cover_the_screen_and_never_overlap(width: int, height: int, gpus: int, zoomed: str | None) -> None:
    _, places = arrange(width, height, gpus, zoomed)
    cells: set[tuple[int, int]] = set()
    for place in places.values():
        own = {(x, y) for x in range(place.x, place.x + place.width) for y in range(place.y, place.y + place.height)}
        assert own
        assert not own & cells
        cells |= own
    assert cells == {(x, y) for x in range(width) for y in range(height)}


def test_the_log_keeps_a_useful_height_at_every_size() -> None:
    for width, height in ((80, 24), (100, 30), (120, 36), (200, 50), (80, 60)):
        for gpus in (1, 4, 8, 64):
            assert arrange(width, height, gpus).places["log"].height >= 8


def test_layouts_by_size() -> None:
    assert [kind_of(*size) for size in ((200, 50), (120, 36), (80, 24), (40, 12))] == [
        "wide",
        "normal",
        "compact",
        "small",
    ]


@given(st.lists(st.integers(0, 100), min_size=3, max_size=3), st.integers(1, 60))
def test_a_gauge_is_as_wide_as_asked_whatever_it_shows(amounts: list[int], width: int) -> None:
    row = gauge(list(zip((OURS, RESERVED, OTHERS), amounts, strict=True)), 100, width)
    assert width_of(row) == width


def test_segments_differ_by_glyph_and_add_up() -> None:
    assert len({OURS[0], RESERVED[0], OTHERS[0], FREE[0]}) == 4
    run = scenes.training(Path("/none"))
    gpu = l40s(0, 31.0, 98, 70, 280)
    parts = segments(gpu, [run.ranks[0]])
    assert sum(amount for _, amount in parts) == gpu.memory_used
    assert parts[0][1] == run.ranks[0].allocated


def test_without_telemetry_the_driver_says_what_is_ours() -> None:
    gpu = replace_struct(l40s(0, 10, 5, 40, 60), processes=(GpuProcess(1, 4 * GIB, ours=True), GpuProcess(2, 3 * GIB)))
    assert segments(gpu, []) == [(OURS, 0), (RESERVED, 4 * GIB), (OTHERS, 6 * GIB)]


def test_the_rank_stays_in_a_gpu_row_longer_than_heat_and_power() -> None:
    run = scenes.training(Path("/none"))
    gpu = l40s(0, 31.0, 98, 70, 280)
    texts = {width: text_of(gpu_row(gpu, run.ranks, width, True)) for width in range(40, 120)}
    assert all("r0" in text for text in texts.values() if "°C" in text or " W" in text)
    assert all(word in texts[66] for word in ("r0", "°C", " W", "98 %"))


def test_what_a_gpu_does_not_tell_is_not_zero() -> None:
    silent = replace_struct(l40s(0, 1, 1, 1, 1), memory_used=None, utilization=None, temperature=None, power=None)
    text = text_of(gpu_row(silent, (), 100, False))
    assert text.count("N/A") >= 4
    assert " 0 " not in text.removeprefix(" 0 ")
    lost = replace_struct(silent, error="GPU is lost")
    assert "✖ GPU is lost" in text_of(gpu_row(lost, (), 100, False))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["train_loss", "val_loss", "lr-Adam"], [Quantity("loss", "train_loss", "val_loss")]),
        (["train_loss", "train_loss_step", "train_loss_epoch"], [Quantity("loss", "train_loss_step", None)]),
        (["val_loss_step", "val_loss_epoch"], [Quantity("loss", None, "val_loss_epoch")]),
        (["loss/train", "loss/val"], [Quantity("loss", "loss/train", "loss/val")]),
        (["loss", "valid_loss"], [Quantity("loss", "loss", "valid_loss")]),
        (["train/acc", "val/acc", "loss"], [Quantity("loss", "loss", None), Quantity("acc", "train/acc", "val/acc")]),
        (["train", "val"], [Quantity("train", "train", None), Quantity("val", "val", None)]),
        ([], []),
    ],
)
def test_metrics_find_their_other_half(names: list[str], expected: list[Quantity]) -> None:
    assert quantities(names) == expected


def test_the_next_metric_goes_round() -> None:
    found = quantities(["loss", "acc", "f1"])
    assert [quantity.name for quantity in found] == ["loss", "acc", "f1"]
    assert chosen(found, None) == found[0]
    assert [following(found, name) for name in (None, "acc", "f1")] == ["acc", "f1", "loss"]
    assert following([], None) is None
    assert learning_rate(["x", "lr-AdamW/pg1"]) == "lr-AdamW/pg1"
    assert falls(found[0])
    assert not falls(found[1])


def written_log(path: Path, lines: list[str]) -> LogIndex:
    path.write_text("".join(f"{line}\n" for line in lines))
    log = LogIndex(path)
    log.poll()
    return log


@given(st.lists(st.integers(0, 50), min_size=1, max_size=30), st.integers(3, 30), st.integers(1, 12), st.booleans())
def test_the_last_page_is_the_end_of_all_rows(lengths: list[int], width: int, height: int, wraps: bool) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        log = written_log(Path(folder) / "log", [f"{'x' * length}|" for length in lengths])
        everything = page_from(log, 0, width, 10_000, wraps)
        assert last_page(log, width, height, wraps) == everything[-height:]


def test_the_innermost_own_frame_is_named() -> None:
    failure = Failure(rank=0, type="E", message="m", traceback=scenes.TRACEBACK)
    assert last_frame(failure) == "train.py:41 in training_step"
    assert last_frame(Failure(rank=0, type="E", message="m")) == ""


def test_the_follower_shows_the_rank_that_failed_unless_another_was_chosen(tmp_path: Path) -> None:
    run = scenes.failed(tmp_path)
    scenes.write_logs(run)
    outside = FakeOutside(snapshot=run)
    follower = Follower(RunDirectory(Path(run.directory)), outside.services(), lambda message: None)
    reader = FakeReader(run)
    follower.turn(reader)
    assert follower.log_rank == 2
    assert follower.ranks == (0, 1, 2, 3)
    follower.choose_rank(1)
    follower.turn(reader)
    assert follower.log_rank == 1


def test_the_follower_hands_out_a_new_object_only_for_something_new(tmp_path: Path) -> None:
    run = scenes.training(tmp_path)
    outside = FakeOutside(snapshot=run)
    follower = Follower(RunDirectory(Path(run.directory)), outside.services(), lambda message: None)
    reader = FakeReader(run)
    follower.turn(reader)
    first = follower.newest
    reader.now = replace_struct(run)
    follower.turn(reader)
    assert follower.newest is first
    reader.now = replace_struct(run, detail="something new")
    follower.turn(reader)
    assert follower.newest is not first


def test_drawing_does_not_depend_on_how_many_values_there_were() -> None:
    series = Series()
    for step in range(20_000):
        series.add(step, float(step % 7))
    assert len(series.bins().steps) <= 4096
