"""An exception that the program caught is no failure of the run; one that left it is, whatever was caught before."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from lightning_tui.record import RunDirectory, RunSnapshot, RunState, RunStore, read_snapshot
from lightning_tui.record.directory import ProgramRecord
from lightning_tui.record.events import (
    Ended,
    Event,
    ExceptionRaised,
    FitEnd,
    Hello,
    ProgramEnd,
    StageChanged,
    SupervisorStarted,
)
from tests.record.events import make

PROGRAM = ProgramRecord(label="train.py", given=["train.py"], folder="/", interpreter="/usr/bin/python3")
TRAIN, DONE = make(StageChanged, stage="train"), make(StageChanged, stage="done")
PRUNED = make(ExceptionRaised, type="TrialPruned", message="pruned at epoch 0", time=10.0)
BOOM = make(ExceptionRaised, type="ValueError", message="boom", time=20.0)
LEFT_WELL = make(ProgramEnd, code=0, raised="")


def told(home: Path, ended: Ended, ranks: dict[int, list[Event]]) -> RunSnapshot:
    directory, _ = RunStore(home).create(program=PROGRAM, plan={}, now=100.0)
    directory.prepare_attempt(0)
    for rank, events in ranks.items():
        write(directory.events(0) / f"rank-{rank}.jsonl", make(Hello, rank=rank), *events)
    write(directory.supervisor / "0.jsonl", make(SupervisorStarted), ended)
    return read_snapshot(RunDirectory(directory.path))


def write(path: Path, *events: Event) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(msgspec.json.encode(event) + b"\n" for event in events))


@pytest.mark.parametrize(
    "events",
    [
        [TRAIN, PRUNED, DONE, TRAIN, make(FitEnd), DONE, LEFT_WELL],
        [TRAIN, make(FitEnd), TRAIN, PRUNED, DONE, LEFT_WELL],
        [TRAIN, PRUNED, DONE, LEFT_WELL],
        [TRAIN, PRUNED, DONE],
    ],
    ids=["then a whole fit", "in the last fit", "in the only fit", "left by os._exit(0)"],
)
def test_a_caught_exception_is_no_failure(tmp_path: Path, events: list[Event]) -> None:
    run = told(tmp_path, make(Ended, code=0), {0: events})
    assert run.state is RunState.FINISHED
    assert run.failure is None
    assert [each.type for each in run.caught] == ["TrialPruned"]
    assert any("caught 1 exception" in notice and "TrialPruned: pruned" in notice for notice in run.notices)


def test_the_exception_that_left_is_the_failure_and_not_an_earlier_one(tmp_path: Path) -> None:
    events = [TRAIN, PRUNED, DONE, BOOM, make(ProgramEnd, code=1, raised="ValueError")]
    run = told(tmp_path, make(Ended, code=1), {0: events})
    assert run.state is RunState.FAILED
    assert run.failure is not None
    assert run.failure.type == "ValueError"


def test_the_cause_of_the_exception_that_left_stays_the_failure(tmp_path: Path) -> None:
    chained = msgspec.structs.replace(BOOM, traceback="TrialPruned: pruned at epoch 0\n\nThe above exception was ...")
    run = told(tmp_path, make(Ended, code=1), {0: [TRAIN, PRUNED, chained, make(ProgramEnd, code=1, raised="X")]})
    assert run.failure is not None
    assert run.failure.type == "TrialPruned"


def test_an_exit_after_a_caught_exception_is_told_as_that_exception(tmp_path: Path) -> None:
    run = told(tmp_path, make(Ended, code=1), {0: [TRAIN, BOOM, make(ProgramEnd, code=1, raised="SystemExit")]})
    assert run.state is RunState.FAILED
    assert run.detail == "rank 0: ValueError: boom"


def test_another_rank_that_left_with_an_exception_has_failed(tmp_path: Path) -> None:
    other = [TRAIN, BOOM, make(ProgramEnd, code=1, raised="ValueError")]
    run = told(tmp_path, make(Ended, code=0), {0: [TRAIN, make(FitEnd), LEFT_WELL], 1: other})
    assert run.state is RunState.FAILED
    assert run.detail == "rank 1: ValueError: boom"


def test_the_parent_of_spawned_ranks_may_catch_what_they_raised(tmp_path: Path) -> None:
    spawned = [TRAIN, BOOM, make(ProgramEnd, code=0)]
    run = told(tmp_path, make(Ended, code=0), {0: spawned, 1: spawned})
    assert run.state is RunState.FINISHED
    assert told(tmp_path, make(Ended, code=1), {0: spawned}).state is RunState.FAILED


def test_an_exit_after_the_fit_says_that_training_was_complete_and_quotes_the_program(tmp_path: Path) -> None:
    end = make(ProgramEnd, code=1, raised="SystemExit", text="accuracy below the gate\nof 0.9")
    run = told(tmp_path, make(Ended, code=1), {0: [TRAIN, make(FitEnd), DONE, end]})
    assert run.state is RunState.FAILED
    assert run.detail == "training was complete; then the program exited with code 1: accuracy below the gate"


def test_an_interrupt_that_lightning_swallowed_is_still_a_stop(tmp_path: Path) -> None:
    interrupt = make(ExceptionRaised, type="lightning.fabric.utilities.exceptions.SIGTERMException", message="")
    run = told(tmp_path, make(Ended, code=0), {0: [TRAIN, interrupt, LEFT_WELL]})
    assert run.state is RunState.STOPPED
