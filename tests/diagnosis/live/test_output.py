"""Warnings in the output become advice, each once, as the file grows; and what a long record still tells afterwards."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from lightning_tui.diagnosis.live import Adviser, Around, OutputWarnings, Seen, advice_of_run, read_seen, write_seen
from lightning_tui.diagnosis.live import replay as replaying
from lightning_tui.diagnosis.live.output import PIECE
from lightning_tui.record import ProgramRecord, RunDirectory, RunRecord, RunSnapshot, read_snapshot
from lightning_tui.record.events import Event, Hello, Metrics, Points, Progress, StageChanged, SupervisorStarted
from tests.diagnosis.live.story import STARTED, Story
from tests.record.events import make

SYNC = (
    "/env/logger_connector/result.py:431: It is recommended to use `self.log('val_loss', ..., sync_dist=True)` when "
    "logging on epoch level in distributed setting to accumulate the metric across devices.\n"
)
WORKERS = "The 'train_dataloader' does not have many workers which may be a bottleneck. Consider increasing it.\n"
CHATTER = "step 12 train_loss 1.3 num_workers sync_dist warning: nothing\n"


@pytest.fixture
def run(tmp_path: Path) -> RunSnapshot:
    directory = RunDirectory(tmp_path / "train-1")
    program = ProgramRecord(label="train.py", given=["train.py"], folder="/w", interpreter="/usr/bin/python")
    directory.create(RunRecord(id="train-1", created_at=STARTED, program=program, plan={}))
    return read_snapshot(directory)


def directory_of(run: RunSnapshot) -> RunDirectory:
    return RunDirectory(Path(run.directory))


def test_a_warning_is_found_once_also_where_it_comes_in_two_pieces(run: RunSnapshot) -> None:
    output = OutputWarnings(directory_of(run))
    path = directory_of(run).output(0, 0)
    assert output.read_new(run) == ()
    with path.open("a") as file:
        print(CHATTER, SYNC[:90], sep="", end="", file=file, flush=True)
        assert output.read_new(run) == ()
        print(SYNC[90:], end="", file=file, flush=True)
        found = output.read_new(run)
        print(SYNC, end="", file=file, flush=True)
    assert [each.category for each in found] == ["sync-dist-warning"]
    assert "val_loss" in found[0].cause
    assert output.read_new(run) == ()


def test_of_a_long_output_the_beginning_and_the_end_are_read(run: RunSnapshot) -> None:
    path = directory_of(run).output(0, 0)
    path.write_text(WORKERS + CHATTER * (6 * PIECE // len(CHATTER) * 4) + SYNC)
    output = OutputWarnings(directory_of(run))
    found = [each.category for _ in range(3) for each in output.read_new(run)]
    assert found == ["dataloader-workers-warning", "sync-dist-warning"]


def test_a_missing_sync_dist_is_advice_at_once(run: RunSnapshot) -> None:
    directory_of(run).output(0, 0).write_text(SYNC)
    story = Story(ranks=2)
    found = Adviser().update(
        story.snapshot(), STARTED, Around(warnings=OutputWarnings(directory_of(run)).read_new(run))
    )
    assert [(advice.id, advice.severity) for advice in found] == [("sync-dist-warning", "warning")]
    assert "sync_dist=True" in found[0].suggestions[0].text


@pytest.mark.parametrize(("wait_s", "is_told"), [(0.001, False), (0.016, True), (0.05, False)])
def test_few_workers_are_told_of_only_where_data_is_waited_for(run: RunSnapshot, wait_s: float, is_told: bool) -> None:
    """Above a quarter of the step it is told with numbers instead."""
    directory_of(run).output(0, 0).write_text(WORKERS)
    story = Story(step_s=0.1, wait_s=wait_s)
    story.adviser.update(story.snapshot(), STARTED, Around(warnings=OutputWarnings(directory_of(run)).read_new(run)))
    story.train(60)
    assert ("dataloader-workers-warning" in story.ids) is is_told
    assert ("data-loading" in story.ids) is (wait_s == 0.05)


def test_what_was_seen_is_remembered_and_a_damaged_file_is_no_trouble(run: RunSnapshot) -> None:
    directory = directory_of(run)
    assert read_seen(directory) == Seen()
    seen = Seen(told=frozenset({"a", "b"}), dismissed=frozenset({"a"}))
    write_seen(directory, seen)
    assert read_seen(directory) == seen
    assert not list(directory.path.glob(".advice*"))
    assert (directory.path / "advice.json").stat().st_mode & 0o777 == 0o600
    (directory.path / "advice.json").write_text('{"told": 3')
    assert read_seen(directory) == Seen()
    write_seen(RunDirectory(directory.path / "not" / "there"), seen)


def test_of_a_long_record_the_end_is_read_again_and_all_metrics_count(
    run: RunSnapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loss that broke early is told though its lines are not read a second time."""
    directory = directory_of(run)
    write(directory.supervisor_log(0), [make(SupervisorStarted, time=STARTED)])
    events: list[Event] = [make(Hello, time=STARTED), make(StageChanged, time=STARTED)]
    for step in range(1, 4000):
        at = STARTED + step * 0.1
        told = {"global_step": step, "batch": step, "total_batches": 9000, "step_time_s": 0.1}
        events.append(make(Progress, time=at, data_wait_s=0.06 if step > 3000 else 0.001, **told))
        value = "nan" if 100 <= step < 110 else 1.0
        events.append(make(Metrics, time=at, epoch=0, series={"loss": Points([step], [value])}))  # type: ignore[list-item]
    write(directory.events(0) / "rank-0.jsonl", events)
    with monkeypatch.context() as patched:
        patched.setattr(replaying, "MOST_BYTES", 200_000)
        patched.setattr(replaying, "LEAST_BYTES", 100_000)
        found = {advice.id: advice for advice in advice_of_run(directory, read_snapshot(directory))}
    assert found.keys() == {"data-loading", "metric-lost:loss"}
    assert found["metric-lost:loss"].step == 100
    assert found["data-loading"].since > STARTED + 300


def write(path: Path, events: list[Event]) -> None:
    path.write_bytes(b"".join(msgspec.json.encode(event) + b"\n" for event in events))
