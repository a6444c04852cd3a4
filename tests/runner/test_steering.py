"""Commands to a running training: taken by all ranks at the same batch, answered, and never a danger to it."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from lightning_tui.record import CommandProgress, RunDirectory, read_snapshot
from lightning_tui.record.commands import Command, Operation, new_command, write_command
from lightning_tui.record.events import (
    Acknowledged,
    ExceptionRaised,
    FitEnd,
    Hello,
    ProgramEnd,
    Progress,
    RankAcknowledged,
    StageChanged,
    TelemetryTrouble,
    TrainerSeen,
)
from tests.conftest import wait_until

from .running import PROGRAMS, Outcome, events_in, run, run_in_run, running

pytestmark = pytest.mark.e2e

PAUSABLE = str(PROGRAMS / "pausable.py")
STEERED = str(PROGRAMS / "steered.py")
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--"]
FIRST_RATES = [0.001, 0.002]
REFERENCE_STEPS = 600


class Launcher(NamedTuple):
    """How the ranks come to be, and the event files of the first two."""

    name: str
    devices: int
    words: list[str]
    ranks: tuple[int | str, ...]

    @property
    def strategy(self) -> str:
        return "ddp" if self.name == "torchrun" else self.name


LAUNCHERS = [
    Launcher("auto", 1, [], (0,)),
    Launcher("ddp", 2, [], (0, 1)),
    Launcher("ddp_spawn", 2, [], ("0-*", "1-*")),
    Launcher("ddp_fork", 2, [], ("0-*", "1-*")),
    Launcher("torchrun", 2, TORCHRUN, (0, 1)),
    Launcher("model_parallel", 2, [], (0, 1)),
]


class Session:
    """A program that trains, and what is asked of it one after the other."""

    def __init__(self, directory: RunDirectory, place: Path, ranks: tuple[int | str, ...]) -> None:
        self.directory = directory
        self.place = place
        self.ranks = ranks

    def write(self, command: Command) -> Command:
        write_command(self.directory.commands, command)
        return command

    def answers(self, command: Command) -> list[Acknowledged]:
        events = events_in(self.directory, self.ranks[0])
        return [event for event in events if isinstance(event, Acknowledged) and event.command == command.id]

    def answer(self, command: Command) -> Acknowledged:
        """The last word on a command, once it has come."""
        wait_until(lambda: self.answers(command)[-1:] and self.answers(command)[-1].status != "taken", what=command.op)
        return self.answers(command)[-1]

    def ask(self, op: Operation, **what: Any) -> Acknowledged:
        return self.answer(self.write(new_command(op, **what)))

    def done(self, op: Operation, **what: Any) -> Acknowledged:
        answer = self.ask(op, **what)
        assert answer.status == "done", answer
        return answer

    def refused(self, op: Operation, **what: Any) -> str:
        answer = self.ask(op, **what)
        assert answer.status == "refused", answer
        return str(answer.detail)

    def wait_for_stage(self, stage: str) -> StageChanged:
        wait_until(lambda: self.stages() and self.stages()[-1].stage == stage, what=stage)
        return self.stages()[-1]

    def stages(self, rank: int | str | None = None) -> list[StageChanged]:
        events = events_in(self.directory, self.ranks[0] if rank is None else rank)
        return [event for event in events if isinstance(event, StageChanged)]

    def wait_for_training(self) -> None:
        for rank in self.ranks:
            wait_until(lambda rank=rank: is_training(self.directory, rank), what="training")  # type: ignore[misc]

    def end(self, process: Any) -> Outcome:
        code = process.wait(timeout=60)
        return Outcome(code, (self.place / "said.txt").read_text(), "", self.directory)

    def noted(self, rank: int, what: str = "step") -> dict[int, dict[str, Any]]:
        """What the program itself wrote down, by step."""
        lines = map(json.loads, (self.place / f"out-{rank}.jsonl").read_text().splitlines())
        return {line[what]: line for line in lines if what in line}


def is_training(directory: RunDirectory, rank: int | str = 0) -> bool:
    return any(isinstance(e, Progress) and e.stage == "train" and e.batch for e in events_in(directory, rank))


def words_of(place: Path, launcher: Launcher, *more: str) -> list[str]:
    given = ["--launcher", launcher.strategy, "--devices", str(launcher.devices)]
    return [STEERED, str(place / "out"), *given, *more]


@cache
def reference(devices: int, strategy: str, place: Path) -> list[dict[int, float]]:
    """The losses of each rank in a bare run that nobody asks anything of; there is one for all who test at once."""
    folder = place / f"{strategy}-{devices}"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "whole").exists():
            run_bare(folder, Launcher(strategy, devices, [], ()))
            (folder / "whole").touch()
    session = Session(RunDirectory(folder), folder, ())
    return [{step: note["loss"] for step, note in session.noted(rank).items()} for rank in range(devices)]


def run_bare(folder: Path, launcher: Launcher) -> None:
    """Twice at most: the port that Lightning finds free may be another test's when its ranks come to use it."""
    words = words_of(folder, launcher, "--pause", "0", "--max-steps", str(REFERENCE_STEPS))
    for _ in range(2):
        for old in folder.glob("out-*.jsonl"):
            old.unlink()
        done = run([sys.executable, *words], cwd=folder)
        if done.returncode == 0 or "EADDRINUSE" not in done.stderr:
            break
    assert done.returncode == 0, done.stderr


def shared_place(factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of this session have."""
    base = factory.getbasetemp()
    place = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "reference"
    place.mkdir(exist_ok=True)
    return place


def check_checkpoint(path: str | None, step: int | None) -> None:
    import torch

    assert path is not None
    content = torch.load(path, weights_only=False)
    assert content["global_step"] == step
    assert "state_dict" in content
    assert not [key for key in content["callbacks"] if "LightningTui" in key]


# ------------------------------------------------------------------------------------------------------- the matrix


@pytest.mark.parametrize("launcher", LAUNCHERS, ids=lambda launcher: launcher.name)
def test_each_command_is_taken_by_all_ranks_at_once_and_has_its_effect(
    launcher: Launcher, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    words = words_of(tmp_path, launcher)
    with running(tmp_path, words, launcher=launcher.words) as (process, directory):
        session = Session(directory, tmp_path, launcher.ranks)
        session.wait_for_training()
        strangers = ask_what_cannot_be_done(session)
        saved = save_after_a_failure(session, whole=launcher.name != "model_parallel")
        paused, resumed = pause_and_resume(session)
        set_rate = session.done("set-lr", value=0.5)
        one_rate = session.done("set-lr", value=0.25, group=1)
        validated = session.done("validate")
        session.done("log-level", level="debug")
        stop = session.done("stop")
        outcome = session.end(process)
    assert outcome.code == 0, outcome.output
    assert not outcome.of(TelemetryTrouble, launcher.ranks[0])
    check_same_steps(outcome, launcher, stop)
    check_strangers(outcome, launcher.ranks[0], strangers)
    check_rates(session, set_rate, one_rate)
    check_pause(session, paused, resumed)
    same_as = launcher.strategy if launcher.name in ("auto", "model_parallel") else "ddp"
    check_losses(session, reference(launcher.devices, same_as, shared_place(tmp_path_factory)), until=set_rate)
    for rank in range(launcher.devices):
        assert list(session.noted(rank, "validated")) == [validated.global_step]
    assert "calling callback hook" in outcome.output, "the log level is in effect"
    if launcher.name != "model_parallel":
        check_checkpoint(saved.detail, saved.global_step)
        check_checkpoint(stop.detail, stop.global_step)
    assert outcome.of(ProgramEnd, launcher.ranks[0])[-1].code == 0


def ask_what_cannot_be_done(session: Session) -> list[Command]:
    """An order that is none, one that is for the supervisor alone, and what makes no sense now."""
    unknown = session.write(msgspec.structs.replace(new_command("stop"), op="dance"))
    (session.directory.commands / "000-not-a-command.json").write_text("{")
    for_others = session.write(new_command("kill"))
    assert "'dance' is not a known command" in str(session.answer(unknown).detail)
    assert session.refused("resume") == "the run is not paused"
    assert session.refused("set-lr", value=1.0, group=7) == (
        "there is no parameter group 7: the optimizers have groups 0 to 1"
    )
    nonsense = msgspec.structs.replace(new_command("set-lr", value=1.0), value=-1.0)
    assert session.answer(session.write(nonsense)).detail == "-1.0 is not a learning rate. Allowed: a number above 0"
    return [unknown, for_others]


def save_after_a_failure(session: Session, *, whole: bool) -> Acknowledged:
    """A checkpoint that cannot be saved is refused, and training goes on. (`whole`: in one file.)"""
    if whole:
        session.directory.checkpoints.rmdir()
        session.directory.checkpoints.write_text("no folder")
        assert "could not be saved" in session.refused("checkpoint")
        session.directory.checkpoints.unlink()
        session.directory.checkpoints.mkdir()
    return session.done("checkpoint")


def pause_and_resume(session: Session) -> tuple[Acknowledged, Acknowledged]:
    """Stand still for a while in which other commands are taken."""
    paused = session.done("pause")
    for rank in session.ranks:
        wait_until(lambda rank=rank: session.stages(rank)[-1].stage == "paused", what="all ranks paused")  # type: ignore[misc]
    assert session.refused("pause") == "the run is already paused"
    assert session.done("checkpoint").global_step == paused.global_step
    snapshot = read_snapshot(session.directory)
    assert {rank.state for rank in snapshot.ranks} == {"paused"}
    assert snapshot.progress is not None
    assert snapshot.progress.stalled_s is None
    return paused, session.done("resume")


def check_same_steps(outcome: Outcome, launcher: Launcher, stop: Acknowledged) -> None:
    first, *others = launcher.ranks
    taken = [(ack.command, ack.global_step) for ack in outcome.of(Acknowledged, first) if ack.status == "taken"]
    end = outcome.of(FitEnd, first)[-1]
    assert (end.finished, end.reason, end.global_step) == (False, "stop", stop.global_step)
    for rank in others:
        here = [(ack.command, ack.global_step) for ack in outcome.of(RankAcknowledged, rank)]
        assert here == [(ack.command, ack.global_step) for ack in outcome.of(RankAcknowledged, first)]
        assert set(here) >= set(taken)
        assert outcome.of(FitEnd, rank)[-1].global_step == end.global_step
        assert not outcome.of(Acknowledged, rank)
    for view in read_snapshot(outcome.directory).commands:
        if view.taken_step is not None:
            assert view.ranks_taken == tuple(range(launcher.devices))
            assert view.status in ("done", "refused")
            assert (view.waiting_for, view.is_settled) == ((), True)


def check_strangers(outcome: Outcome, rank: int | str, strangers: list[Command]) -> None:
    unknown, for_others = strangers
    acks = [ack for ack in outcome.of(Acknowledged, rank) if ack.command in (unknown.id, for_others.id)]
    assert [(ack.command, ack.status) for ack in acks] == [(unknown.id, "refused")]


def check_rates(session: Session, set_rate: Acknowledged, one_rate: Acknowledged) -> None:
    """What the live optimizer had, as the program wrote it down."""
    assert set_rate.detail == "lr 0.001, 0.002 -> 0.5 in 2 groups; StepLR continues from it"
    assert one_rate.detail == "lr 0.5 -> 0.25 in group 1; StepLR continues from it"
    first, second = set_rate.global_step, one_rate.global_step
    assert first is not None
    assert second is not None
    for rank in range(len(session.ranks)):
        for step, note in session.noted(rank).items():
            expected = FIRST_RATES if step < first else [0.5, 0.5] if step < second else [0.5, 0.25]
            assert note["rates"] == pytest.approx(expected), step
        assert max(session.noted(rank)) >= second


def check_pause(session: Session, paused: Acknowledged, resumed: Acknowledged) -> None:
    assert resumed.global_step == paused.global_step
    assert "paused for" in str(resumed.detail)
    for rank, name in enumerate(session.ranks):
        still = next(event for event in session.stages(name) if event.stage == "paused")
        notes = session.noted(rank)
        assert not [step for step, note in notes.items() if still.time < note["time"] < resumed.time]
        assert max(step for step, note in notes.items() if note["time"] <= still.time) + 1 == paused.global_step
    steps = [e.step_time_s for e in events_in(session.directory, session.ranks[0]) if isinstance(e, Progress)]
    assert max(seconds for seconds in steps if seconds) < resumed.time - paused.time


def check_losses(session: Session, expected: list[dict[int, float]], until: Acknowledged) -> None:
    assert until.global_step is not None
    assert until.global_step < REFERENCE_STEPS, "the reference run is too short"
    for rank, losses in enumerate(expected):
        notes = session.noted(rank)
        mine = {step: notes[step]["loss"] for step in range(until.global_step)}
        assert mine == {step: losses[step] for step in range(until.global_step)}


# ------------------------------------------------------------------------------------------- what one launcher shows


def test_a_rank_that_hangs_is_named_and_a_pause_ends_with_a_rank_that_dies(tmp_path: Path) -> None:
    launcher = LAUNCHERS[1]
    with running(tmp_path, words_of(tmp_path, launcher)) as (process, directory):
        session = Session(directory, tmp_path, launcher.ranks)
        session.wait_for_training()
        session.done("pause")
        pid = next(event.pid for event in events_in(directory, 1) if isinstance(event, Hello))
        os.kill(pid, signal.SIGSTOP)
        save = session.write(new_command("checkpoint"))
        wait_until(lambda: progress_of(directory, save).ranks_taken == (0,), what="rank 0")
        seen = progress_of(directory, save)
        assert (seen.status, seen.waiting_for) == ("asked", (1,))
        os.kill(pid, signal.SIGCONT)
        assert session.answer(save).status == "done"
        wait_until(lambda: progress_of(directory, save).is_settled, what="rank 1")
        os.kill(pid, signal.SIGKILL)
        outcome = session.end(process)
    assert outcome.code != 0
    seen_by_us = [stage.stage for stage in outcome.of(StageChanged)][-2:] == ["paused", "train"]
    assert seen_by_us == ("commands are no longer accepted" in outcome.output)
    assert seen_by_us or "Forcefully terminating" in outcome.output, "Lightning's own watch may be quicker"


def test_sigterm_ends_a_pause_as_it_ends_a_training(tmp_path: Path) -> None:
    """Lightning answers it with a collective of its own, which ranks that only wait for us could never join."""
    launcher = LAUNCHERS[1]
    with running(tmp_path, words_of(tmp_path, launcher)) as (process, directory):
        session = Session(directory, tmp_path, launcher.ranks)
        session.wait_for_training()
        session.done("pause")
        process.terminate()
        outcome = session.end(process)
    assert [stage.stage for stage in outcome.of(StageChanged)][-2:] == ["paused", "train"]
    (error,) = outcome.of(ExceptionRaised)
    assert error.type.endswith("SIGTERMException"), "told as what Lightning makes of it"
    assert error.hook == "train"
    assert isinstance(outcome.events()[-1], ProgramEnd)


def progress_of(directory: RunDirectory, command: Command) -> CommandProgress:
    return next(view for view in read_snapshot(directory).commands if view.id == command.id)


def test_amid_a_validation_of_one_process_a_pause_and_a_stop_are_taken_at_once(tmp_path: Path) -> None:
    launcher = LAUNCHERS[0]
    with running(tmp_path, words_of(tmp_path, launcher, "--validation-pause", "0.03")) as (process, directory):
        session = Session(directory, tmp_path, launcher.ranks)
        session.wait_for_training()
        validate = session.write(new_command("validate"))
        session.wait_for_stage("validate")
        session.done("pause")
        session.wait_for_stage("paused")
        assert session.refused("validate") == "a validation is already running or requested"
        session.done("resume")
        session.wait_for_stage("validate")
        stop = session.done("stop")
        outcome = session.end(process)
    assert outcome.code == 0, outcome.output
    assert session.answer(validate).detail == "the fit ended first"
    end = outcome.of(FitEnd)[-1]
    assert (end.reason, end.global_step) == ("stop", stop.global_step)
    assert "val_loss" not in outcome.metrics(), "a part of a validation has no metrics"
    check_checkpoint(stop.detail, stop.global_step)
    (tmp_path / "again").mkdir()
    more = ["--ckpt", str(stop.detail), "--max-steps", str(end.global_step + 3), "--pause", "0"]
    resumed = run_in_run(tmp_path / "again", words_of(tmp_path / "again", launcher, *more))
    assert resumed.code == 0, resumed.errors
    steps = Session(resumed.directory, tmp_path / "again", (0,)).noted(0)
    assert list(steps) == [end.global_step, end.global_step + 1, end.global_step + 2]


def test_a_stop_after_the_epoch_waits_for_its_validation_and_can_be_resumed(tmp_path: Path) -> None:
    with running(tmp_path, [PAUSABLE, "--batches", "150"]) as (process, directory):
        session = Session(directory, tmp_path, (0,))
        session.wait_for_training()
        stop = session.write(new_command("stop", after="epoch"))
        outcome = session.end(process)
    assert outcome.code == 0, outcome.output
    end = outcome.of(FitEnd)[-1]
    assert (end.finished, end.reason, end.global_step) == (False, "stop", 150)
    assert outcome.output.count("validating") == outcome.output.count("an epoch's end") == 1
    assert [event.stage for event in outcome.of(StageChanged)] == ["setup", "train", "validate", "train", "done"]
    taken, done = outcome.of(Acknowledged)
    assert (taken.status, done.status) == ("taken", "done")
    assert taken.command == stop.id
    assert taken.global_step is not None
    assert taken.global_step < 150
    assert outcome.metrics()["val_loss"]
    plan = {"ckpt_path": done.detail, "limit_train_batches": 4, "max_epochs": 2}
    resumed = run_in_run(tmp_path, [PAUSABLE], plan)
    assert resumed.code == 0, resumed.errors
    assert sorted(resumed.metrics()["loss"]) == [151, 152, 153, 154]
    assert resumed.of(TrainerSeen)[-1].fields["ckpt_path"].actual == done.detail
    assert resumed.of(TrainerSeen)[-1].fields["limit_train_batches"].actual == 4
