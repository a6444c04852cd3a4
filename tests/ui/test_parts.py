"""The parts by themselves: places that never overlap, pages of a log."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from lightning_tui.record import Failure, RunDirectory, Series
from lightning_tui.ui.cockpit.arrangement import arrange, kind_of
from lightning_tui.ui.failure.words import last_frame
from lightning_tui.ui.keys import PANES
from lightning_tui.ui.log.following import OutputFollower
from lightning_tui.ui.threads import Follower
from tests.ui import scenes
from tests.ui.machines import replace_struct
from tests.ui.outside import FakeOutside, FakeReader


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


def test_the_innermost_own_frame_is_named() -> None:
    failure = Failure(rank=0, type="E", message="m", traceback=scenes.TRACEBACK)
    assert last_frame(failure) == "train.py:41 in training_step"
    assert last_frame(Failure(rank=0, type="E", message="m")) == ""


def test_the_follower_shows_the_rank_that_failed_unless_another_was_chosen(tmp_path: Path) -> None:
    run = scenes.failed(tmp_path)
    scenes.write_logs(run)
    outside = FakeOutside(snapshot=run)
    directory = RunDirectory(Path(run.directory))
    output = OutputFollower(directory)
    follower = Follower(directory, outside.services(), lambda message: None, output.turn)
    reader = FakeReader(run)
    follower.turn(reader)
    assert output.newest is not None
    assert output.newest.rank == 2
    assert output.newest.ranks == (0, 1, 2, 3)
    output.choose(1)
    follower.turn(reader)
    assert output.newest.rank == 1


def test_the_follower_hands_out_a_new_object_only_for_something_new(tmp_path: Path) -> None:
    run = scenes.training(tmp_path)
    outside = FakeOutside(snapshot=run)
    follower = Follower(
        RunDirectory(Path(run.directory)), outside.services(), lambda message: None, lambda snapshot: False
    )
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
