"""What a plan can mend: each diagnosis of a real run offers a change, and the run that is started again with it gets
past the failure. Programs with several troubles are led through them one after another, up to a run that finishes."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from lightning_tui.diagnosis import diagnose, evidence_of_run
from lightning_tui.launch import request_kill
from lightning_tui.record import RunDirectory, RunState, pace, process_belongs, read_snapshot
from lightning_tui.record.checkpoints import checkpoints_of, last_good
from tests.failures import machines
from tests.failures.failing import Ended, Lab, changes_of, check_place, ended, wait_for
from tests.launch.support import program_pid

pytestmark = pytest.mark.e2e


@pytest.fixture
def lab(private_places: Path, tmp_path: Path) -> Lab:
    return Lab(private_places / "runs", tmp_path)


def check(run: Ended, category: str, rank: int = 0) -> None:
    assert (run.root.category, run.root.rank, run.root.severity) == (category, rank, "error"), run.last_words


def check_finished(run: Ended, words: str) -> None:
    assert run.snapshot.state is RunState.FINISHED, run.last_words
    assert words in run.output
    assert run.found == ()


def good_checkpoint(run: Ended) -> tuple[str, int]:
    """Path and global step of the checkpoint from which a relaunch goes on."""
    good = last_good(checkpoints_of(run.directory, run.snapshot))
    assert good is not None
    assert good.global_step is not None
    return good.path, good.global_step


def saved_steps(run: Ended) -> list[int]:
    """Global steps at which it saved: the first one shows where it went on from."""
    return sorted({saved.global_step for saved in run.snapshot.checkpoints})


def test_a_program_from_a_server_is_led_to_its_end(lab: Lab) -> None:
    run = lab.suffer(["from_a_server.py"])
    check(run, "no-gpu-available")
    check_place(run.root.where, "from_a_server.py", "# here: no-gpu-available")

    run = ended(lab.again(run, changes_of(run.root, "accelerator")))
    check(run, "spawn-pickling")
    check_place(run.root.where, "from_a_server.py", "# here: spawn-pickling")

    run = ended(lab.again(run, changes_of(run.root, "strategy")))
    check(run, "dataloader-worker-killed")

    run = ended(lab.again(run, changes_of(run.root, "num_workers")))
    check(run, "cuda-oom")
    check_place(run.root.where, "from_a_server.py", "# here: cuda-oom")
    halved = changes_of(run.root, "batch_size", "accumulate_grad_batches")
    assert halved == {"batch_size": 8, "accumulate_grad_batches": 2}

    run = ended(lab.again(run, halved))
    check(run, "checkpoint-monitor-missing")
    assert "val_loss" in run.root.cause

    run = ended(lab.again(run, changes_of(run.root, "checkpoint_monitor", "checkpoint_mode")))
    check_finished(run, "trained 2 steps in 4 batches")
    assert run.snapshot.record.plan == {
        "accelerator": "cpu",
        "strategy": "ddp",
        "num_workers": 0,
        "checkpoint_monitor": "train_loss",
        "checkpoint_mode": "min",
        **halved,
    }


def test_a_small_machine_is_enough_in_the_end(lab: Lab) -> None:
    python = machines.with_mounts(lab.folder, machines.TINY_SHARED_MEMORY, machines.SMALL_DISK)
    run = lab.suffer(["small_machine.py"], interpreter=python)
    check(run, "dataloader-shm")

    run = ended(lab.again(run, changes_of(run.root, "num_workers")))
    check(run, "nan-loss")

    run = ended(lab.again(run, changes_of(run.root, "gradient_clip_val")))
    check(run, "host-memory-alloc")
    check_place(run.root.where, "small_machine.py", "# here: host-memory-alloc")

    run = ended(lab.again(run, changes_of(run.root, "batch_size", "accumulate_grad_batches")))
    check(run, "disk-full")

    run = ended(lab.again(run, changes_of(run.root, "checkpoint_save_top_k")))
    check_finished(run, "kept 1")


def test_a_run_that_stands_still_is_told_while_it_lives(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait is a stall from 10 s on; from 2 s on in this process, which only reads."""
    directory = lab.start(["hanging_loader.py"])
    with monkeypatch.context() as patched:
        patched.setattr(pace, "STALL_FLOOR_S", 2.0)
        wait_for(directory, lambda run: run.progress is not None and run.progress.stalled_s is not None)
        (stall,) = diagnose(evidence_of_run(directory))
    assert stall.category == "stall"
    assert read_snapshot(directory).state is RunState.TRAINING
    request_kill(directory)
    killed = ended(directory)
    assert killed.snapshot.state is RunState.KILLED

    (lab.folder / "hold").touch()
    alone = lab.again(killed, changes_of(stall, "num_workers"))
    wait_for(alone, lambda run: len(run.checkpoints) == 2)
    os.kill(program_pid(alone), signal.SIGTERM)
    run = ended(alone)
    check(run, "sigterm")

    path, step = good_checkpoint(run)
    (lab.folder / "hold").unlink()
    run = ended(lab.again(run, changes_of(run.root, "ckpt_path"), path))
    check_finished(run, "trained 24 steps")
    assert (step, saved_steps(run)[0]) == (6, 9)


def test_two_ranks_with_unused_parameters_then_with_one_killed(lab: Lab) -> None:
    run = lab.suffer(["ranks.py"])
    assert run.root.category == "ddp-unused-parameters", run.last_words
    assert run.root.rank in (0, 1)  # both raise it, at the same time
    assert {raised.rank for raised in evidence_of_run(run.directory).exceptions} == {0, 1}
    check_place(run.root.where, "ranks.py", "# here: ddp-unused-parameters")

    second = lab.again(run, changes_of(run.root, "strategy", "ddp_find_unused_parameters"))
    wait_for(second, lambda run: len(run.checkpoints) == 2)
    os.kill(pid_of_rank(second, 1), signal.SIGKILL)
    run = ended(second)
    check(run, "worker-sigkill", rank=1)
    assert run.snapshot.state is RunState.FAILED
    assert run.snapshot.failure is not None
    assert run.snapshot.failure.rank == 1
    assert not [pid for pid in psutil.pids() if process_belongs(pid, second)], "nothing is left"

    newest = checkpoints_of(run.directory, run.snapshot)[0]
    assert newest.global_step == 6
    os.truncate(newest.path, 500)  # as if it had been killed while it saved
    path, step = good_checkpoint(run)
    assert step == 3
    (lab.folder / "go").touch()
    run = ended(lab.again(run, changes_of(run.root, "ckpt_path"), path))
    check_finished(run, "trained 12 steps")
    assert saved_steps(run) == [6, 9, 12]


def test_a_rank_that_leaves_early(lab: Lab) -> None:
    run = lab.suffer(["ranks.py", "leave"])
    check(run, "rank-exited-early", rank=1)


def pid_of_rank(directory: RunDirectory, rank: int) -> int:
    (pid,) = [each.pid for each in read_snapshot(directory).ranks if each.rank == rank]
    return pid
