"""Each rule of advice speaks with the run's own numbers, and not where all is well."""

from __future__ import annotations

import math
import random
import time
from typing import Any

import msgspec
import pytest

from lightning_tui.diagnosis import apply
from lightning_tui.diagnosis.live import Advice, one_line
from lightning_tui.diagnosis.live.adviser import Adviser
from lightning_tui.diagnosis.live.rules.growth import HOST_LEAST, growth_of
from lightning_tui.diagnosis.live.spikes import BEFORE, DEVIATIONS, KEPT, spike_at
from lightning_tui.plan.model import Plan
from lightning_tui.record import Series
from tests.diagnosis.live.story import GIB, STARTED, Story

MIB = 1 << 20


def changes_of(advice: Advice) -> list[dict[str, Any]]:
    """Plan changes of all suggestions; each must be one that a plan can hold."""
    for suggestion in advice.suggestions:
        apply(Plan(), suggestion)
    return [suggestion.changes for suggestion in advice.suggestions if suggestion.changes]


# --------------------------------------------------------------------------------------------------------- healthy


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_advised_on_a_healthy_run_however_its_numbers_vary(seed: int) -> None:
    chance = random.Random(seed)
    story = Story(
        ranks=chance.choice((1, 2, 4)), gpus=chance.choice((0, 4)), step_s=chance.choice((0.02, 0.06, 0.4)),
        wait_s=0.003, batches=chance.choice((200, 400)), validation_s=chance.choice((0.5, 3.0)), noise=chance,
        loss=lambda step: 2.0 * math.exp(-step / 900) + 0.3 + 0.08 * chance.gauss(0, 1), disk_free=400 * GIB,
        throttled=chance.choice(((), ("power cap",))), clock=1500.0,
    )  # fmt: skip
    story.train(300)
    assert story.told == []


def test_the_same_noise_with_a_slow_loader_is_advised_on() -> None:
    """The test above can fail."""
    story = Story(noise=random.Random(1), step_s=0.06, wait_s=0.03)
    assert story.train(60).ids == {"data-loading"}


# ---------------------------------------------------------------------------------------------------------- speed


def test_waiting_for_data_names_share_times_and_how_many_workers() -> None:
    story = Story(step_s=0.1, wait_s=0.04, facts={"num_workers": 0}).train(60)
    advice = story.advice("data-loading")
    assert advice.title == "40 % of each step waits for data (40.0 ms of 100 ms)"
    assert "num_workers=0" in advice.cause
    assert changes_of(advice)[0] == {"num_workers": 1, "persistent_workers": True}, "one loads faster than is computed"
    assert "16 CPUs" in advice.suggestions[0].text


@pytest.mark.parametrize(
    ("ranks", "workers", "wait_s", "wanted"),
    [(1, 0, 0.08, 5), (1, 2, 0.05, 5), (1, 8, 0.09, 15), (4, 0, 0.09, 3), (4, 3, 0.09, None)],
)
def test_workers_are_counted_from_the_wait_and_the_cpus_of_a_rank(
    ranks: int, workers: int, wait_s: float, wanted: int | None
) -> None:
    story = Story(ranks=ranks, step_s=0.1, wait_s=wait_s, facts={"num_workers": workers}).train(60)
    changes = [change["num_workers"] for change in changes_of(story.advice("data-loading")) if "num_workers" in change]
    assert changes == ([] if wanted is None else [wanted])


def test_a_wait_beside_busy_gpus_or_of_a_millisecond_is_no_bottleneck() -> None:
    assert Story(gpus=1, step_s=0.1, wait_s=0.04, load=98.0).train(60).told == []
    assert Story(step_s=0.003, wait_s=0.0015, batches=100_000).train(60).told == []


def test_no_share_is_judged_in_the_first_seconds() -> None:
    story = Story(step_s=0.1, wait_s=0.08)
    assert story.train(13).told == []
    assert story.train(16).ids == {"data-loading"}


def test_advice_does_not_come_and_go_with_a_number_near_its_limit() -> None:
    story = Story(step_s=0.1, wait_s=0.03).train(60)
    for turn in range(6):
        story.wait_s = (0.02, 0.03)[turn % 2]
        story.train(30)
    assert {advice.until for advice in story.told} == {None}
    story.wait_s = 0.002
    story.train(150)
    assert story.adviser.advice[0].until is not None, "said to be past, and still there"
    story.wait_s = 0.06
    story.train(90)
    assert story.adviser.advice[0].until is None
    assert story.adviser.advice[0].since < STARTED + 60, "the same advice, not a new one"


def test_its_text_is_not_changed_more_often_than_every_quarter_of_a_minute() -> None:
    story = Story(step_s=0.1, wait_s=0.04, noise=random.Random(3)).train(120)
    assert 1 < len(story.told) <= 8


def test_a_rank_that_waits_for_data_holds_the_others_up() -> None:
    story = Story(ranks=4, step_s=0.1, ranks_wait_s={2: 0.04}).train(60)
    advice = story.advice("straggler")
    assert advice.rank == 2
    assert advice.title == "Rank 2 delays the others: it waits 40.0 ms for data, they 1.00 ms"
    assert "gpu" not in {each.partition("-")[0] for each in story.ids}


def test_a_rank_with_longer_steps_is_named_with_its_host() -> None:
    story = Story(ranks=4, step_s=0.1, ranks_step_s={3: 0.18}).train(60)
    assert story.advice("straggler").rank == 3
    assert "180 ms a step, the others 100 ms" in story.advice("straggler").title
    assert Story(ranks=2, step_s=0.1, ranks_step_s={1: 0.11}).train(60).told == []


def test_logging_every_quick_step_is_said_with_entries_per_second() -> None:
    story = Story(step_s=0.004, batches=5000, facts={"log_every_n_steps": 1}).train(40)
    assert story.advice("log-interval").title == "Logged every step, and a step takes 4.00 ms: 250 entries a second"
    assert changes_of(story.advice("log-interval")) == [{"log_every_n_steps": 50}]
    assert Story(step_s=0.04, facts={"log_every_n_steps": 1}).train(60).told == []
    assert Story(step_s=0.004, batches=5000).train(40).told == []


def test_validation_after_every_batch_is_said_with_its_share() -> None:
    story = Story(step_s=0.5, validation_s=1.5, facts={"val_check_interval": 1}, batches=500)
    for _ in range(30):
        story.train(0.1).validate()
    advice = story.advice("validation")
    assert advice.title == "75 % of the time is validation: 1.50 s after every batch"
    assert changes_of(advice)[0] == {"val_check_interval": 27}, "a tenth of the time"


def test_validation_as_long_as_ten_epochs_is_wanted_more_seldom() -> None:
    story = Story(step_s=0.05, batches=40, validation_s=6.0).train(80)
    assert story.ids == {"validation"}
    change = changes_of(story.advice("validation"))[0]
    assert change["val_check_interval"] == 1.0
    assert 24 <= change["check_val_every_n_epoch"] <= 30, "54 s of training to 6 s"
    assert Story(step_s=0.05, batches=400, validation_s=6.0).train(200).told == [], "a quarter of the time is usual"


# ----------------------------------------------------------------------------------------------------------- GPUs


def test_idle_gpus_are_told_where_data_is_not_the_reason() -> None:
    story = Story(ranks=2, gpus=2, step_s=0.1, load=18.0, facts={"compile": None}).train(120)
    advice = story.advice("gpu-idle")
    assert advice.title == "The 2 GPUs are busy for only 18 % of the time while it trains"
    assert "1.00 ms of 100 ms" in advice.cause
    assert changes_of(advice) == [{"compile": "default"}], "no larger batch: two thirds of the memory are used"
    waiting = Story(ranks=2, gpus=2, step_s=0.1, wait_s=0.06, load=18.0).train(120)
    assert waiting.ids == {"data-loading"}
    assert "busy for 18 %" in waiting.advice("data-loading").cause


def test_heat_is_told_with_the_gpu_its_rank_and_clock() -> None:
    story = Story(ranks=2, gpus=2, throttled=("power cap", "heat"), clock=990.0).train(60)
    hot = [advice for advice in story.adviser.advice if advice.id.startswith("gpu-throttled")]
    assert [advice.rank for advice in hot] == [0, 1]
    assert hot[0].title == "GPU 0 is slowed down by heat, at 50 % of its highest clock"
    capped = Story(gpus=1, throttled=("power cap",), clock=890.0).train(120)
    assert "power limit, at 45 %" in capped.adviser.advice[0].title
    assert Story(gpus=1, throttled=("power cap",), clock=1500.0).train(120).told == [], "how a busy GPU runs"


def test_pageable_batches_matter_to_gpus_that_are_not_busy() -> None:
    off = {"pin_memory": False}
    assert changes_of(Story(gpus=1, load=60.0, facts=off).train(60).advice("pin-memory")) == [{"pin_memory": True}]
    assert Story(gpus=1, load=97.0, facts=off).train(60).told == []
    assert Story(gpus=0, facts=off).train(60).told == []


# --------------------------------------------------------------------------------------------------------- memory


def test_main_memory_that_grows_with_every_epoch_is_told_before_it_is_full() -> None:
    story = Story(batches=240, host_memory=lambda epoch: 6 * GIB + epoch * GIB // 2, epochs=500).train(12 * 14)
    advice = next(advice for advice in story.told if advice.id.startswith("memory-growth"))
    assert "grows by 512 MiB an epoch: 6.5 GiB → 8.5 GiB" in advice.title
    assert "52 GiB left) is full in about 104 epochs" in advice.cause
    assert advice.severity == "warning", "that is before the end"


def test_memory_of_a_gpu_that_grows_is_told_with_its_rank() -> None:
    story = Story(gpus=1, batches=240, gpu_memory=lambda epoch: 20 * GIB + epoch * 300 * MIB, epochs=9).train(12 * 14)
    advice = story.advice("gpu-memory-growth")
    assert advice.rank == 0
    assert "grows by 300 MiB an epoch" in advice.title


@pytest.mark.parametrize(
    "peaks",
    [
        [6000] * 9,
        [6000, 7000, 7400, 7500, 7520, 7525],
        [6000, 6900, 6000, 6900, 6000, 6900],
        [6000, 6010, 6020, 6030, 6040],
        [6000, 7000, 8000, 9000],
        [9000, 8000, 7000, 6000, 5000],
    ],
    ids=["flat", "levels off", "saw", "little", "too few", "falls"],
)
def test_what_fills_up_or_varies_is_no_growth(peaks: list[int]) -> None:
    assert growth_of([peak * MIB for peak in peaks], HOST_LEAST) is None
    assert growth_of([peak * MIB for peak in (6000, 6500, 7000, 7500, 8000)], HOST_LEAST) is not None


# ---------------------------------------------------------------------------------------------------- checkpoints


def test_no_checkpoint_is_told_with_the_time_that_would_be_lost() -> None:
    off = Story(saves=False, facts={"enable_checkpointing": False}).train(200)
    assert off.advice("no-checkpoint").title.startswith("Checkpoints are disabled: 03:")
    assert changes_of(off.advice("no-checkpoint")) == [{"enable_checkpointing": True}]
    late = Story(batches=100_000, step_s=0.5).train(1000)
    assert late.told == []
    late.train(1000)
    assert late.advice("no-checkpoint").title.startswith("No checkpoint yet: a failure now would lose 33:")
    assert changes_of(late.advice("no-checkpoint")) == [{"checkpoint_every_n_steps": 1200}]
    late.save().train(100)
    assert late.adviser.advice[0].until is not None


def test_a_short_run_without_checkpoints_is_as_it_should_be() -> None:
    story = Story(saves=False, facts={"enable_checkpointing": False}, epochs=20).train(190)
    assert story.told == []


def test_a_disk_that_the_checkpoints_to_come_will_fill_is_told() -> None:
    story = Story(saves=False, facts={"checkpoint_save_top_k": -1}, epochs=100, disk_free=60 * GIB)
    for epoch in range(8):
        story.train(11).save(f"{epoch}.ckpt", 2 * GIB)
    advice = story.train(6).advice("disk")
    assert "are still to be written, 60 GiB are free" in advice.title
    assert {"checkpoint_save_top_k": 1} in changes_of(advice)
    story = Story(facts={"checkpoint_save_top_k": 1}, disk_free=60 * GIB).train(100)
    assert story.told == [], "the new one takes the place of the old one"


def test_a_disk_that_something_fills_is_told_by_when_it_is_full() -> None:
    story = Story(disk_free=100 * GIB, epochs=1000)
    for left in range(100, 30, -1):
        story.disk_free = left * GIB
        story.train(10)
    assert "The disk will be full in about 0" in story.advice("disk").title
    assert "GiB are left" in story.advice("disk").title


# --------------------------------------------------------------------------------------------------------- values


def test_a_lost_loss_is_told_at_once_with_its_first_step_and_a_way_back() -> None:
    story = Story(batches=100, facts={"precision": "16-mixed", "gradient_clip_val": None},
                  loss=lambda step: 1.0 if step < 240 else "nan").train(20)  # fmt: skip
    advice = story.advice("metric-lost:train_loss")
    assert (advice.severity, advice.step) == ("error", 240)
    assert advice.title == "train_loss is NaN or infinite since step 240"
    found = changes_of(advice)
    assert found[:3] == [{"precision": "bf16-mixed"}, {"gradient_clip_val": 1.0}, {"ckpt_path": "/w/last.ckpt"}]
    assert any("detect_anomaly" in suggestion.text for suggestion in advice.suggestions)


def test_one_value_that_is_no_number_is_no_news() -> None:
    story = Story(loss=lambda step: "nan" if step == 100 else 1.0 / (step + 1)).train(30)
    assert story.told == []
    story = Story(loss=lambda step: "inf" if step in (100, 105, 110) else 1.0 / (step + 1)).train(30)
    assert story.advice("metric-lost:train_loss").severity == "warning"


def test_a_loss_that_jumps_and_stays_is_told_and_again_when_it_is_back() -> None:
    chance = random.Random(2)

    def loss(step: int) -> float:
        return (3.1 if 300 <= step < 420 else 0.5) + chance.gauss(0, 0.02)

    story = Story(loss=loss, facts={"gradient_clip_val": None}).train(18)
    advice = story.advice("loss-spike:train_loss")
    assert advice.step is not None
    assert 299 <= advice.step <= 301
    assert advice.title.startswith("train_loss jumped from 0.50") or advice.title.startswith(
        "train_loss jumped from 0.49"
    )
    assert "It has not come back" in advice.cause
    assert {"gradient_clip_val": 1.0} in changes_of(advice)
    story.train(30)
    assert "It recovered after 1" in story.adviser.advice[0].cause
    assert story.adviser.advice[0].severity == "hint"


def test_a_spike_is_far_beyond_the_noise_and_more_than_one_point() -> None:
    before = [1.0 + 0.01 * (-1) ** place for place in range(BEFORE)]
    assert spike_at([*before, *[9.0] * KEPT], BEFORE) is not None
    assert spike_at([*before, *[9.0] * (KEPT - 1), 1.0], BEFORE) is None
    assert spike_at([*before, *[1.0 + DEVIATIONS * 0.01] * KEPT], BEFORE) is None
    assert spike_at([*before, *[math.nan] * KEPT], BEFORE) is None


# -------------------------------------------------------------------------------------------------- text and cost


def test_names_from_programs_cannot_steer_a_terminal() -> None:
    story = Story()
    series = Series()
    for step in range(9):
        series.add(step, math.nan if step > 3 else 1.0)
    run = story.snapshot()
    hostile = msgspec.structs.replace(run, metrics={"loss\x1b]0;x\x07\nnext": series})
    found = Adviser().update(hostile, STARTED + 1)
    assert found
    assert all(each.title.isprintable() and each.cause.isprintable() for each in found)
    assert all(one_line(each).isprintable() for each in found)


def test_what_it_keeps_does_not_grow_with_the_run() -> None:
    """Bounded by construction: every collection in it has a limit, a rank or a GPU for its key."""
    story = Story(ranks=2, gpus=2, loss=lambda step: 1.0).train(400)
    memory = story.adviser._seen
    assert 0 < len(memory._pieces) <= 256
    assert memory.disk.maxlen is not None
    assert memory.rank_laps
    assert memory.host_laps
    assert all(laps.done.maxlen is not None for laps in (*memory.rank_laps.values(), *memory.host_laps.values()))
    assert len(story.adviser._candidates) <= 1


def cost_of_a_look() -> float:
    """Median seconds of a look at a run of 8 ranks, for `python -c`; no test asserts a time."""
    story = Story(ranks=8, gpus=8, loss=lambda step: 1.0, step_s=0.02)
    story.train(100)
    snapshot, took = story.snapshot(), []
    for turn in range(400):
        began = time.perf_counter()
        story.adviser.update(snapshot, story.now + turn / 2)
        took.append(time.perf_counter() - began)
    return sorted(took)[200]
