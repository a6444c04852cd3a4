"""A run directory, read back, says what was written into it."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from lightning_tui.record import HostSample, RunDirectory, RunReader, RunState, RunStore, read_snapshot
from lightning_tui.record.append import EventLog
from lightning_tui.record.commands import new_command, write_command
from lightning_tui.record.directory import RUN_VARIABLE, ProgramRecord
from lightning_tui.record.events import (
    Acknowledged,
    AnyEvent,
    CheckpointRemoved,
    CheckpointSaved,
    Ended,
    Event,
    ExceptionRaised,
    FitEnd,
    Hello,
    Metrics,
    Points,
    ProgramEnd,
    Progress,
    Sampled,
    StageChanged,
    SupervisorStarted,
    TelemetryTrouble,
    TrainerSeen,
)
from lightning_tui.record.snapshot import NO_COMMANDS
from tests.record.events import make

PROGRAM = ProgramRecord(label="train.py", given=["train.py"], folder="/", interpreter="/usr/bin/python3")


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    return RunStore(tmp_path).create(program=PROGRAM, plan={"strategy": "ddp"}, now=100.0)[0]


def write(path: Path, *events: Event) -> None:
    with path.open("ab") as file:
        file.writelines(msgspec.json.encode(event) + b"\n" for event in events)


def write_rank(directory: RunDirectory, *events: Event, rank: int = 0, attempt: int = 0) -> None:
    directory.prepare_attempt(attempt)
    write(directory.events(attempt) / f"rank-{rank}.jsonl", *events)


def test_a_new_run_is_queued_then_lost(directory: RunDirectory) -> None:
    assert RunReader(directory, clock=lambda: 101.0).snapshot().state is RunState.QUEUED
    assert RunReader(directory, clock=lambda: 1000.0).snapshot().state is RunState.LOST


def test_progress_metrics_and_ranks(directory: RunDirectory) -> None:
    write_rank(
        directory,
        make(Hello),
        make(TrainerSeen, world_size=2),
        make(StageChanged),
        make(Progress, time=100.0, epoch=0, batch=0, global_step=0),
        make(Progress, time=110.0, epoch=0, batch=5, global_step=5, step_time_s=0.5, batch_size=4),
        make(Metrics, epoch=0, series={"loss": Points([1, 2], [3.0, "nan"])}),
    )
    write_rank(directory, make(Hello, rank=1), make(Progress, global_step=4, step_time_s=0.75), rank=1)
    snapshot = read_snapshot(directory)
    progress = snapshot.progress
    assert progress is not None
    assert progress.fraction == pytest.approx(0.25)
    assert progress.eta_s == pytest.approx(30.0)
    assert progress.steps_per_s == pytest.approx(2.0)
    assert progress.samples_per_s == pytest.approx(16.0)
    assert snapshot.metrics["loss"].first_broken_step == 2
    assert math.isnan(snapshot.metrics["loss"].last or 0.0)
    assert [(rank.rank, rank.global_step, rank.step_time_s) for rank in snapshot.ranks] == [(0, 5, 0.5), (1, 4, 0.75)]


def test_validation_does_not_move_the_share_of_the_fit(directory: RunDirectory) -> None:
    write_rank(
        directory,
        make(Hello),
        make(Progress, epoch=1, batch=10, total_batches=10, max_epochs=4),
        make(Progress, stage="validate", epoch=1, batch=1, total_batches=3, max_epochs=4),
    )
    progress = read_snapshot(directory).progress
    assert progress is not None
    assert progress.stage == "validate"
    assert progress.fraction == pytest.approx(0.5)


def test_the_limit_that_comes_first_counts(directory: RunDirectory) -> None:
    write_rank(directory, make(Hello), make(Progress, global_step=5, max_steps=10, max_epochs=100))
    progress = read_snapshot(directory).progress
    assert progress is not None
    assert progress.fraction == pytest.approx(0.5)


def test_a_finished_run(directory: RunDirectory) -> None:
    write_rank(directory, make(Hello), make(StageChanged), make(FitEnd), make(ProgramEnd, code=0))
    write(directory.supervisor_log(0), make(SupervisorStarted, time=100.0), make(Ended, time=130.0))
    snapshot = read_snapshot(directory)
    assert snapshot.state is RunState.FINISHED
    assert (snapshot.started_at, snapshot.ended_at) == (100.0, 130.0)
    assert snapshot.failure is None


def test_a_supervisor_that_leaves_between_two_looks_is_not_lost(directory: RunDirectory) -> None:
    write_rank(directory, make(Hello), make(StageChanged), make(FitEnd), make(ProgramEnd, code=0))
    write(directory.supervisor_log(0), make(SupervisorStarted))
    reader = RunReader(directory)
    reader.poll()
    write(directory.supervisor_log(0), make(Ended))
    assert reader.snapshot().state is RunState.FINISHED


def test_a_failed_run_names_the_rank(directory: RunDirectory) -> None:
    write_rank(directory, make(Hello), make(StageChanged), make(ExceptionRaised, time=9.0, message="peer"))
    write_rank(directory, make(Hello, rank=1), make(ExceptionRaised, time=8.0, message="first"), rank=1)
    write(directory.supervisor_log(0), make(SupervisorStarted), make(Ended, code=1))
    snapshot = read_snapshot(directory)
    assert snapshot.state is RunState.FAILED
    assert snapshot.failure is not None
    assert snapshot.failure.rank == 1
    assert [rank.state for rank in snapshot.ranks] == ["failed", "failed"]


def test_rank_0_alone_speaks_for_the_fit_and_its_metrics(directory: RunDirectory) -> None:
    write_rank(directory, make(Hello), make(StageChanged), make(FitEnd), make(ProgramEnd, code=0))
    write_rank(
        directory,
        make(Hello, rank=1),
        make(StageChanged),
        make(Metrics, epoch=0, series={"loss": Points([1], [9.0])}),
        rank=1,
    )
    write(directory.supervisor_log(0), make(SupervisorStarted), make(Ended))
    snapshot = read_snapshot(directory)
    assert snapshot.state is RunState.FINISHED
    assert "loss" not in snapshot.metrics


def test_a_spawned_process_of_a_rank_takes_over_from_the_one_that_spawned_it(directory: RunDirectory) -> None:
    write_rank(directory, make(Hello, pid=11))
    write(directory.events(0) / "rank-0-12.jsonl", make(Hello, pid=12), make(Progress, global_step=7))
    snapshot = read_snapshot(directory)
    assert [(rank.pid, rank.global_step) for rank in snapshot.ranks] == [(12, 7)]


def test_a_later_attempt_starts_anew_and_keeps_metrics(directory: RunDirectory) -> None:
    write_rank(
        directory,
        make(Hello),
        make(Metrics, epoch=0, series={"loss": Points([1], [2.0])}),
        make(ExceptionRaised),
    )
    write_rank(directory, make(Hello), make(StageChanged), attempt=1)
    snapshot = read_snapshot(directory)
    assert snapshot.attempt == 1
    assert snapshot.failure is None
    assert snapshot.metrics["loss"].last == 2.0


def test_a_command_is_asked_then_answered(directory: RunDirectory) -> None:
    command = new_command("stop")
    write_command(directory.commands, command)
    assert read_snapshot(directory).commands[0].status == "asked"
    write_rank(
        directory,
        make(Hello),
        make(Acknowledged, command=command.id, op="stop", status="taken", global_step=7),
    )
    view = read_snapshot(directory).commands[0]
    assert (view.status, view.global_step, view.command) == ("taken", 7, command)


def test_lines_that_nobody_knows_are_counted_and_passed_over(directory: RunDirectory) -> None:
    write_rank(directory, make(Hello))
    with (directory.events(0) / "rank-0.jsonl").open("ab") as file:
        file.write(b'not json\n{"event":"from_the_future","seq":1,"time":1}\n\xff\n')
    write_rank(directory, make(StageChanged, stage="validate"))
    snapshot = read_snapshot(directory)
    assert snapshot.notices == ("3 lines of the record could not be read",)
    assert snapshot.ranks[0].state == "validate"


def test_a_checkpoint_that_is_written_again_is_listed_once(directory: RunDirectory) -> None:
    saved = [make(CheckpointSaved, path="/c/last.ckpt", epoch=0, global_step=s, size=1, seconds=None) for s in (1, 2)]
    write_rank(directory, make(Hello), *saved)
    assert [c.global_step for c in read_snapshot(directory).checkpoints] == [2]


def test_a_checkpoint_that_was_deleted_is_listed_no_longer(directory: RunDirectory) -> None:
    saved = [make(CheckpointSaved, path=p, epoch=0, global_step=1, size=1, seconds=None) for p in ("/a", "/b")]
    write_rank(directory, make(Hello), *saved, make(CheckpointRemoved, path="/a"))
    assert [c.path for c in read_snapshot(directory).checkpoints] == ["/b"]


def test_broken_telemetry_is_a_notice(directory: RunDirectory) -> None:
    write_rank(directory, make(Hello), make(TelemetryTrouble, message="telemetry is off: OSError: disk full"))
    assert read_snapshot(directory).notices == ("rank 0: telemetry is off: OSError: disk full",)


def test_to_lose_a_rank_that_failed_is_no_notice_of_its_own(directory: RunDirectory) -> None:
    lost = make(TelemetryTrouble, message=f"{NO_COMMANDS}: RuntimeError: Connection closed by peer")
    write_rank(directory, make(Hello), lost)
    assert read_snapshot(directory).notices == (f"rank 0: {NO_COMMANDS}: RuntimeError: Connection closed by peer",)
    write_rank(directory, make(Hello), make(ExceptionRaised, type="ValueError", message="bad"), rank=1)
    assert read_snapshot(directory).notices == ()


def test_a_process_with_the_marker_keeps_a_run_alive(directory: RunDirectory) -> None:
    code = "import sys; print('up', flush=True); sys.stdin.read()"
    environ = {**os.environ, RUN_VARIABLE: str(directory.path)}
    with subprocess.Popen(
        [sys.executable, "-c", code], env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        write_rank(directory, make(Hello, pid=child.pid))
        write(directory.supervisor_log(0), make(SupervisorStarted))
        alive = read_snapshot(directory)
        child.communicate()
    assert (alive.state, "stop and adopt work" in alive.detail) == (RunState.LOST, True)
    assert "the end was not recorded" in read_snapshot(directory).detail


def test_the_reader_hands_events_on_with_their_source(directory: RunDirectory) -> None:
    seen: list[tuple[dict[str, int], AnyEvent]] = []
    write_rank(directory, make(Hello, rank=3), rank=3)
    write(directory.supervisor_log(0), make(SupervisorStarted))
    RunReader(directory, on_event=lambda source, event: seen.append((dict(source), event))).poll()
    assert [(source, type(event)) for source, event in seen] == [
        ({"node": 0}, SupervisorStarted),
        ({"attempt": 0, "rank": 3}, Hello),
    ]


def test_an_event_log_numbers_and_stamps_its_lines(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "log.jsonl", clock=lambda: 12.5)
    log.append(ProgramEnd, code=0)
    log.append(ProgramEnd, code=1)
    log.close()
    lines = (tmp_path / "log.jsonl").read_bytes().splitlines()
    events = [msgspec.json.decode(line, type=ProgramEnd) for line in lines]
    assert [(event.seq, event.time, event.code) for event in events] == [(0, 12.5, 0), (1, 12.5, 1)]
    assert (tmp_path / "log.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_rank_that_exits_in_the_middle_of_the_fit_is_named(directory: RunDirectory) -> None:
    write(directory.supervisor_log(0), make(SupervisorStarted))
    write_rank(directory, make(Hello), make(StageChanged), make(ExceptionRaised, message="Connection closed by peer"))
    write_rank(directory, make(Hello, rank=1), make(StageChanged), make(ProgramEnd, code=0), rank=1)
    write(directory.supervisor_log(0), make(Ended, code=1))
    snapshot = read_snapshot(directory)
    assert snapshot.state is RunState.FAILED
    assert snapshot.detail.startswith("rank 1: SystemExit")


def test_no_rank_of_a_run_that_is_over_is_said_to_train(directory: RunDirectory) -> None:
    write(directory.supervisor_log(0), make(SupervisorStarted))
    write_rank(directory, make(Hello), make(StageChanged))
    write_rank(directory, make(Hello, rank=1, pid=7), make(StageChanged), rank=1)
    write(directory.supervisor_log(0), make(Ended, code=None, signal="SIGKILL", cause="kill", survivors=(7,)))
    assert [rank.state for rank in read_snapshot(directory).ranks] == ["gone", "train"]


def test_a_rank_that_obeyed_sigterm_did_not_fail(directory: RunDirectory) -> None:
    write_rank(directory, make(Hello), make(ExceptionRaised, type="lightning.SIGTERMException", message=""))
    assert read_snapshot(directory).ranks[0].state == "exited"


def test_a_copied_run_goes_by_the_name_of_its_folder(directory: RunDirectory, tmp_path: Path) -> None:
    shutil.copytree(directory.path, tmp_path / "copied")
    assert read_snapshot(RunDirectory(tmp_path / "copied")).record.id == "copied"


def test_a_stall_is_measured_by_the_clock_of_the_first_node_alone(directory: RunDirectory) -> None:
    write_rank(
        directory,
        make(Hello),
        make(StageChanged, time=100.0),
        make(Progress, time=100.0, batch=0, global_step=0),
        make(Progress, time=105.0, batch=5, global_step=5),
    )
    host = HostSample(cpu_count=1)
    write(directory.supervisor_log(0), make(SupervisorStarted), make(Sampled, time=165.0, host=host, gpus=()))
    write(directory.supervisor_log(1), make(SupervisorStarted, node=1), make(Sampled, time=9e9, host=host, gpus=()))
    reader = RunReader(directory, clock=lambda: 5e9)
    reader.poll()
    progress = reader.snapshot().progress
    assert progress is not None
    assert (progress.usual_s, progress.stalled_s) == (1.0, 60.0)
    write(directory.supervisor_log(0), make(Ended, time=166.0, cause="kill"))
    reader.poll()
    ended = reader.snapshot().progress
    assert ended is not None
    assert ended.stalled_s == 60.0
