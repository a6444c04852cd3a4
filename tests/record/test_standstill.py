"""Which rank stands still, where, and since when; and what must not be taken for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from lightning_tui.record import RunDirectory, RunStore, read_snapshot
from lightning_tui.record.events import (
    Ended,
    Event,
    Hello,
    ProgramEnd,
    Progress,
    RankGone,
    Sampled,
    Saving,
    StageChanged,
    Stopping,
    SupervisorStarted,
)
from lightning_tui.record.pace import IDLE_EVALUATION_EDGE_S, IDLE_FIRST_BATCH_S, IDLE_SETUP_S
from lightning_tui.record.samples import HostSample
from lightning_tui.record.standstill import APART_S, LEFT_S, NodeClock, Standstill
from tests.record.events import make
from tests.record.test_history import PROGRAM, write, write_rank

IDLE, BUSY = 0.5, 180.0


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    return RunStore(tmp_path).create(program=PROGRAM, plan={}, now=0.0)[0]


def sampled(until: float, percent: float = IDLE, since: float = 0.0) -> list[Event]:
    """One sample a second, up to a time."""
    host = HostSample(cpu_count=2, run_cpu_percent=percent)
    return [make(Sampled, time=since + second, host=host, gpus=()) for second in range(int(until - since) + 1)]


def enters(stage: str, time: float, step: int = 0) -> Event:
    return make(StageChanged, stage=stage, time=time, global_step=step)


def at(step: int, time: float, stage: str = "train", batch: int | None = None, total: int | None = 100) -> Event:
    return make(
        Progress, stage=stage, time=time, global_step=step, batch=step if batch is None else batch, total_batches=total,
        batch_size=4,
    )  # fmt: skip


def trains(until: int = 20, every_s: float = 0.5) -> list[Event]:
    """From time 0 on, a step every half second."""
    return [enters("train", 0.0), *(at(step, step * every_s) for step in range(until + 1))]


def still(run: RunDirectory, samples: Sequence[Event], *ranks: Sequence[Event]) -> Standstill | None:
    write(run.supervisor_log(0), make(SupervisorStarted), *samples)
    for number, events in enumerate(ranks):
        write_rank(run, make(Hello, rank=number, pid=999_999_000 + number, time=0.0), *events, rank=number)
    return read_snapshot(run).standstill


def seen(found: Standstill | None) -> tuple[str, int, str | None, int | None] | None:
    return None if found is None else (found.kind, found.rank, found.stage, found.global_step)


def test_a_rank_that_leaves_before_setup_is_told_within_ten_seconds(directory: RunDirectory) -> None:
    found = still(directory, sampled(8), [], [make(ProgramEnd, code=0, time=2.0)])
    assert seen(found) == ("left", 1, None, None)
    assert found is not None
    assert found.words == "rank 1 left with exit code 0 before the fit began, and rank 0 waits for it: nothing for 6 s"
    assert found.limit_s == LEFT_S


def test_a_rank_that_leaves_in_setup_or_vanishes_in_training(directory: RunDirectory) -> None:
    write(directory.supervisor_log(0), make(RankGone, rank=2, pid=999_999_002, time=11.0))
    left = [enters("setup", 1.0), make(ProgramEnd, code=0, time=1.0)]
    found = still(directory, sampled(20, BUSY), trains(), left, trains())
    assert seen(found) == ("left", 1, "setup", 0)


def test_others_that_go_on_are_not_said_to_wait(directory: RunDirectory) -> None:
    assert still(directory, sampled(10, BUSY), trains(), [make(ProgramEnd, code=0, time=2.0)]) is None


def test_a_rank_that_prepares_something_alone_does_not_wait(directory: RunDirectory) -> None:
    left = [make(ProgramEnd, code=0, time=2.0)]
    assert still(directory, sampled(60, BUSY), [enters("setup", 1.0)], left) is None


@pytest.mark.parametrize("percent", [IDLE, BUSY])
def test_one_in_validation_and_one_in_training(directory: RunDirectory, percent: float) -> None:
    validating = [*trains(), enters("validate", 10.0, 20), at(20, 10.1, "validate", 3)]
    found = still(directory, sampled(18, percent), validating, [*validating, enters("train", 10.2, 20)])
    if percent == BUSY:  # it may be a long batch
        assert found is None
    else:
        assert seen(found) == ("apart", 0, "validate", 20)
        assert found is not None
        assert found.words.startswith("rank 0 is in validation near step 20, rank 1 in training near step 20; nothing")
        assert found.limit_s == APART_S


def test_a_rank_that_is_steps_behind(directory: RunDirectory) -> None:
    found = still(directory, sampled(26), trains(10, 2.0), trains(4, 2.0))
    assert seen(found) == ("apart", 1, "train", 4)


def test_what_ranks_have_not_told_yet_is_no_difference(directory: RunDirectory) -> None:
    assert still(directory, sampled(17), trains(20), trains(18)) is None
    assert seen(read_snapshot(directory).standstill) is None


def test_a_rank_that_is_silent_while_others_go_on(directory: RunDirectory) -> None:
    found = still(directory, sampled(50, BUSY), trains(100), trains(20))
    assert seen(found) == ("apart", 1, "train", 20)
    assert found is not None
    assert "while the others go on" in found.words


def test_a_first_validation_batch_has_its_limit_from_what_is_known(directory: RunDirectory) -> None:
    run = [*trains(), enters("validate", 10.0, 20)]
    found = still(directory, sampled(11 + IDLE_EVALUATION_EDGE_S), run)
    assert seen(found) == ("silent", 0, "validate", 20)
    assert found is not None
    assert found.words == "no batch for 16 s, in validation near step 20, before its first batch"


@pytest.mark.parametrize(
    ("events", "limit_s", "words"),
    [
        ([enters("setup", 0.0)], IDLE_SETUP_S, "setup has taken"),
        ([enters("sanity_check", 0.0)], IDLE_EVALUATION_EDGE_S, "in the sanity check, before its first batch"),
        ([enters("train", 0.0)], IDLE_FIRST_BATCH_S, "training waits for its first batch"),
        ([enters("train", 0.0), at(0, 0.0)], IDLE_FIRST_BATCH_S, "has not come through its first step"),
    ],
)
def test_stages_without_a_pace(
    directory: RunDirectory,
    events: list[Event],
    limit_s: float,
    words: str,
) -> None:
    assert still(directory, sampled(limit_s), events) is None
    write(directory.supervisor_log(0), *sampled(limit_s + 2, since=limit_s + 1))
    found = read_snapshot(directory).standstill
    assert found is not None
    assert words in found.words


class TestNoFalseAlarm:
    """What takes long, but moves."""

    def test_a_first_step_that_compiles(self, directory: RunDirectory) -> None:
        assert still(directory, sampled(400, BUSY), [enters("train", 0.0), at(0, 0.0)]) is None

    def test_a_setup_that_computes(self, directory: RunDirectory) -> None:
        assert still(directory, sampled(2000, BUSY), [enters("setup", 0.0)]) is None

    def test_slow_steps(self, directory: RunDirectory) -> None:
        assert still(directory, sampled(430), trains(4, 100.0)) is None

    def test_a_wait_that_was_survived_before(self, directory: RunDirectory) -> None:
        run = [*trains(), at(21, 40.0), *(at(step, 30.0 + step * 0.5) for step in range(22, 42))]
        assert still(directory, sampled(90), run) is None

    def test_a_long_checkpoint(self, directory: RunDirectory) -> None:
        saving = make(Saving, path="a.ckpt", time=10.1)
        assert still(directory, sampled(300), [*trains(), saving], trains()) is None
        write_rank(directory, make(Saving, path="a.ckpt", is_over=True, time=300.0), rank=0)
        assert read_snapshot(directory).standstill is None

    def test_a_pause(self, directory: RunDirectory) -> None:
        paused = [*trains(), enters("paused", 10.0, 20)]
        assert still(directory, sampled(900), paused, paused) is None

    def test_a_machine_that_slept(self, directory: RunDirectory) -> None:
        night = [*sampled(10), *sampled(28_810, since=28_801)]
        assert still(directory, night, trains()) is None

    def test_a_clock_that_was_set_back(self, directory: RunDirectory) -> None:
        assert still(directory, [*sampled(10), *sampled(-3590, since=-3600)], trains()) is None

    def test_a_fit_that_has_ended(self, directory: RunDirectory) -> None:
        done = [*trains(), enters("done", 10.0, 20)]
        assert still(directory, sampled(900), done, done) is None


def test_after_a_stop_what_it_stood_still_of_is_still_known(directory: RunDirectory) -> None:
    end = [
        make(Stopping, rung="sigkill", by="me", next_rung_at=None, time=40.0),
        *sampled(43, BUSY, since=41),
        make(Ended, code=None, signal="SIGKILL", cause="kill", time=43.0),
    ]
    assert seen(still(directory, [*sampled(40), *end], trains(), [*trains(), make(ProgramEnd, code=0, time=41.0)])) == (
        "silent", 0, "train", 20,
    )  # fmt: skip


def test_the_clock_of_a_node_leaves_out_what_nobody_could_have_said() -> None:
    clock = NodeClock()
    for event in [*sampled(5), *sampled(110, since=105)]:
        assert isinstance(event, Sampled)
        clock.take(event)
    assert (clock.since(4.5), clock.since(107.0)) == (5.5, 3.0)
    assert clock.is_idle
    clock.take(msgspec.structs.replace(clock_sample(), time=111.0))
    assert not clock.is_idle


def clock_sample() -> Sampled:
    (event,) = sampled(0, BUSY)
    assert isinstance(event, Sampled)
    return event
