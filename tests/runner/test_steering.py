"""Commands to a running training: taken by all ranks at the same batch, answered, and never a danger to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from lightning_tui.record import RunDirectory, new_command, write_command
from lightning_tui.record.commands import Command
from lightning_tui.record.events import (
    Acknowledged,
    CheckpointSaved,
    FitEnd,
    ProgramEnd,
    Progress,
    StageChanged,
    TrainerSeen,
)
from tests.conftest import wait_until

from .running import PROGRAMS, Outcome, events_in, run_in_run, running

pytestmark = pytest.mark.e2e

PAUSABLE = str(PROGRAMS / "pausable.py")


def acknowledged(directory: RunDirectory, rank: int | str = 0) -> list[Acknowledged]:
    return [event for event in events_in(directory, rank) if isinstance(event, Acknowledged)]


def is_training(directory: RunDirectory, rank: int | str = 0) -> bool:
    return any(isinstance(e, Progress) and e.stage == "train" and e.batch for e in events_in(directory, rank))


def ask(directory: RunDirectory, command: Command) -> Command:
    write_command(directory.commands, command)
    return command


def end_of(process: Any, directory: RunDirectory, place: Path) -> Outcome:
    code = process.wait(timeout=60)
    return Outcome(code, (place / "said.txt").read_text(), "", directory)


def steps_of(directory: RunDirectory, rank: int | str) -> int:
    return next(event.global_step for event in events_in(directory, rank) if isinstance(event, FitEnd))


def check_checkpoint(path: str, step: int) -> None:
    import torch

    content = torch.load(path, weights_only=False)
    assert content["global_step"] == step
    assert "state_dict" in content
    assert not [key for key in content["callbacks"] if "LightningTui" in key]


@pytest.mark.parametrize("strategy", ["auto", "ddp", "ddp_spawn"])
def test_a_stop_saves_and_ends_the_fit_on_all_ranks_at_once(strategy: str, tmp_path: Path) -> None:
    plan = {} if strategy == "auto" else {"strategy": strategy, "devices": 2}
    first, second = ("0-*", "1-*") if strategy == "ddp_spawn" else (0, 1)
    with running(tmp_path, [PAUSABLE], plan) as (process, directory):
        wait_until(lambda: is_training(directory, first), what="training")
        unknown = ask(directory, msgspec.structs.replace(new_command("stop"), op="dance"))
        (directory.commands / "000-not-a-command.json").write_text("{")
        for_others = ask(directory, new_command("kill"))
        save = ask(directory, new_command("checkpoint"))
        wait_until(lambda: len(acknowledged(directory, first)) >= 3, what="the checkpoint")
        stop = ask(directory, new_command("stop"))
        outcome = end_of(process, directory, tmp_path)
    assert outcome.code == 0, outcome.output
    acks = {(ack.command, ack.status): ack for ack in outcome.of(Acknowledged, first)}
    assert (for_others.id, "taken") not in acks
    assert "dance" in str(acks[unknown.id, "refused"].detail)
    assert set(acks) == {(unknown.id, "refused"), *((c.id, s) for c in (save, stop) for s in ("taken", "done"))}
    end = outcome.of(FitEnd, first)[-1]
    assert (end.finished, end.reason, end.global_step) == (False, "stop", acks[stop.id, "taken"].global_step)
    assert end.global_step < 2000
    check_the_saves(outcome, first, acks[save.id, "done"], acks[stop.id, "done"])
    assert "validating" not in outcome.output
    assert "an epoch's end" not in outcome.output
    assert outcome.of(ProgramEnd)[-1].code == 0
    if strategy != "auto":
        assert steps_of(directory, second) == end.global_step
        assert not outcome.of(Acknowledged, second)


def check_the_saves(outcome: Outcome, rank: int | str, save: Acknowledged, stop: Acknowledged) -> None:
    saved = {event.global_step: event.path for event in outcome.of(CheckpointSaved, rank)}
    for ack in (save, stop):
        assert ack.global_step is not None
        assert saved[ack.global_step] == ack.detail
        check_checkpoint(saved[ack.global_step], ack.global_step)
    expected = outcome.directory.checkpoints / f"stopped-epoch=0-step={stop.global_step}.ckpt"
    assert stop.detail == str(expected)


def test_a_stop_after_the_epoch_waits_for_its_validation_and_can_be_resumed(tmp_path: Path) -> None:
    with running(tmp_path, [PAUSABLE, "--batches", "150"]) as (process, directory):
        wait_until(lambda: is_training(directory), what="training")
        stop = ask(directory, new_command("stop", after="epoch"))
        outcome = end_of(process, directory, tmp_path)
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


def test_a_checkpoint_that_cannot_be_saved_is_refused_and_training_goes_on(tmp_path: Path) -> None:
    plan = {"strategy": "ddp", "devices": 2, "max_steps": 400}
    with running(tmp_path, [PAUSABLE], plan) as (process, directory):
        wait_until(lambda: is_training(directory), what="training")
        directory.checkpoints.rmdir()
        directory.checkpoints.write_text("no folder")
        ask(directory, new_command("checkpoint"))
        wait_until(lambda: len(acknowledged(directory)) == 2, what="an answer")
        directory.checkpoints.unlink()
        ask(directory, new_command("stop"))
        outcome = end_of(process, directory, tmp_path)
    assert outcome.code == 0, outcome.output
    assert [ack.status for ack in outcome.of(Acknowledged)] == ["taken", "refused", "taken", "done"]
    assert "could not be saved" in str(outcome.of(Acknowledged)[1].detail)
    assert outcome.of(FitEnd)[-1].reason == "stop"
