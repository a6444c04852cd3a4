"""The time that is left is learnt from the events: training, validations and checkpoints; stalls are told."""

from __future__ import annotations

import pytest

from lightning_tui.record.events import CheckpointSaved, Progress
from lightning_tui.record.pace import FIRST_BATCH_S, HALF_LIFE_S, Pace, epochs_of, place_of
from tests.record.events import make

BATCHES, EPOCHS = 100, 10


def train(epoch: int, batch: int, time: float) -> Progress:
    return make(
        Progress, time=time, epoch=epoch, batch=batch, total_batches=BATCHES, max_epochs=EPOCHS,
        global_step=epoch * BATCHES + batch,
    )  # fmt: skip


def validate(batch: int, time: float) -> Progress:
    return make(Progress, time=time, stage="validate", batch=batch, total_batches=20, epoch=0, max_epochs=EPOCHS)


def saved(time: float, seconds: float) -> CheckpointSaved:
    return make(CheckpointSaved, time=time, path="a.ckpt", epoch=0, global_step=1, size=1, seconds=seconds)


def fit(pace: Pace, epochs: int, *, batch_s: float, validation_s: float, save_s: float, now: float = 1000.0) -> float:
    """Train so many epochs, with a validation and a checkpoint after each; return the time."""
    pace.enters("sanity_check", now)
    pace.enters("train", now + 77)
    now += 80
    pace.progresses(train(0, 0, now))
    for epoch in range(epochs):
        for batch in range(10, BATCHES + 1, 10):
            now += 10 * batch_s
            pace.progresses(train(epoch, batch, now))
        pace.enters("validate", now)
        now += validation_s
        pace.enters("train", now)
        now += save_s
        pace.saved(saved(now, save_s))
    return now


def test_the_time_left_counts_what_is_still_to_be_done() -> None:
    pace = Pace()
    now = fit(pace, 4, batch_s=0.5, validation_s=30.0, save_s=5.0)
    assert pace.batch_s == pytest.approx(0.5)
    assert pace.validation_s == pytest.approx(30.0)
    left = pace.time_left(train(3, BATCHES, now), 0.4)
    assert left == pytest.approx(6 * (50 + 30 + 5))


def test_a_long_validation_before_the_first_epoch_ends_is_not_taken_for_training() -> None:
    pace = Pace()
    pace.enters("train", 0.0)
    for batch in range(11):
        pace.progresses(train(0, batch, float(batch)))
    pace.enters("validate", 10.0)
    pace.progresses(validate(5, 60.0))
    assert pace.usual_s() == pytest.approx(10.0)
    assert pace.time_left(validate(5, 60.0), 0.01) == pytest.approx(990 + 150, rel=0.01), "990 batches, 15 of 20 left"
    pace.enters("train", 210.0)
    pace.progresses(train(0, 11, 211.0))
    assert pace.batch_s == pytest.approx(1.0)


def test_another_attempt_keeps_what_was_learnt_and_counts_no_pause() -> None:
    pace = Pace()
    now = fit(pace, 2, batch_s=0.5, validation_s=30.0, save_s=5.0)
    pace.restarts()
    assert pace.time_left(train(0, 0, now), 0.2) is None
    pace.enters("train", now + 86_400)
    pace.progresses(train(2, 0, now + 86_400))
    pace.progresses(train(2, 10, now + 86_405))
    assert pace.batch_s == pytest.approx(0.5)
    assert pace.time_left(train(2, 10, now), 0.21) is not None


def test_a_change_of_speed_is_followed() -> None:
    pace = Pace()
    pace.progresses(train(0, 0, 0.0))
    pace.progresses(train(0, 50, 50.0))
    pace.progresses(train(1, 50, 50.0 + 100 * HALF_LIFE_S / 10))
    assert pace.batch_s == pytest.approx(HALF_LIFE_S / 10, rel=0.05)


def test_a_stall_is_told_when_far_more_than_usual_has_passed() -> None:
    pace = Pace()
    assert pace.stalled_s(1e9) is None
    pace.progresses(train(0, 0, 100.0))
    pace.progresses(train(0, 10, 112.0))
    assert pace.usual_s() == pytest.approx(1.2)
    assert pace.stalled_s(121.9) is None
    assert pace.stalled_s(292.0) == pytest.approx(180.0)
    pace.progresses(train(0, 11, 300.0))
    assert pace.stalled_s(301.0) is None


def test_that_no_first_batch_comes_is_told_after_minutes() -> None:
    pace = Pace()
    pace.enters("setup", 0.0)
    assert pace.stalled_s(1e6) is None  # to prepare data may take hours
    pace.enters("train", 100.0)
    pace.progresses(train(0, 0, 100.0))
    assert pace.stalled_s(100.0 + FIRST_BATCH_S) is None
    assert pace.stalled_s(101.0 + FIRST_BATCH_S) == FIRST_BATCH_S + 1
    pace.enters("paused", 200.0)
    assert pace.stalled_s(1e6) is None


def test_places_and_epochs() -> None:
    assert place_of(train(3, 50, 0.0)) == 350
    assert epochs_of(train(3, 50, 0.0)) == 3.5
    unknown = make(Progress, epoch=1, batch=5, total_batches=None, global_step=42)
    assert (place_of(unknown), epochs_of(unknown)) == (42, 1.0)


def test_a_pause_belongs_to_no_batch_and_no_validation_and_is_no_stall() -> None:
    pace = Pace()
    pace.enters("train", 0.0)
    for batch in range(11):
        pace.progresses(train(0, batch, float(batch)))
    pace.enters("paused", 10.5)
    pace.saved(saved(400.0, 7.0))
    assert pace.stalled_s(500.0) is None
    assert Pace.restored(pace.state()).stalled_s(500.0) is None
    pace = Pace.restored(pace.state())
    pace.enters("train", 1010.5)
    for batch in range(11, 21):
        pace.progresses(train(0, batch, 1000.0 + batch))
    assert pace.batch_s == pytest.approx(1.0, rel=0.02)
    assert pace.stalled_s(1200.0) == pytest.approx(180.0)
    pace.enters("validate", 1020.0)
    pace.progresses(validate(5, 1025.0))
    pace.enters("paused", 1025.0)
    pace.enters("validate", 2025.0)
    pace.progresses(validate(20, 2040.0))
    pace.enters("train", 2040.0)
    assert pace.validation_s == pytest.approx(20.0)
