"""Which checkpoints are there, and which are whole: judged of real files, and of what a kill or a full disk leaves."""

from __future__ import annotations

import math
import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from lightning_tui.record import RunDirectory, RunStore, read_snapshot
from lightning_tui.record.append import EventLog
from lightning_tui.record.checkpoints import Checkpoint, checkpoints_of, last_good, whats_torn
from lightning_tui.record.events import CheckpointRemoved, CheckpointSaved, Hello, Metrics, Points, Progress
from tests.record.events import _DEFAULTS
from tests.record.test_store import create

SAVE = """
import sys, torch, torch.distributed.checkpoint as dcp
from pathlib import Path

out = Path(sys.argv[1])
states = {"w": torch.randn(100, 100), "b": torch.randn(100)}
torch.save({"state_dict": states, "global_step": 3}, out / "zip.ckpt")
torch.save({"state_dict": states}, out / "old.ckpt", _use_new_zipfile_serialization=False)
dcp.save({"model": states, "optimizer_0": {"m": torch.zeros(9), "lr": 0.1}}, checkpoint_id=str(out / "sharded.ckpt"))
torch.save({"epoch": 1}, out / "sharded.ckpt" / "meta.pt")
(out / "deepspeed.ckpt" / "checkpoint").mkdir(parents=True)
torch.save(states, out / "deepspeed.ckpt" / "checkpoint" / "mp_rank_00_model_states.pt")
torch.save(states, out / "deepspeed.ckpt" / "checkpoint" / "zero_pp_rank_0_mp_rank_00_optim_states.pt")
(out / "deepspeed.ckpt" / "latest").write_text("checkpoint")
"""
"""DeepSpeed's layout stands for DeepSpeed itself, which needs CUDA to be of use."""


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What torch itself saves."""
    out = tmp_path_factory.mktemp("saved")
    subprocess.run([sys.executable, "-W", "ignore", "-c", SAVE, str(out)], check=True, capture_output=True)
    return out


@pytest.fixture
def copied(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "copied"))


def cut(path: Path, size: int) -> None:
    os.truncate(path, size)


@pytest.mark.parametrize("name", ["zip.ckpt", "sharded.ckpt", "deepspeed.ckpt"])
def test_what_torch_has_saved_is_whole(saved: Path, name: str) -> None:
    assert whats_torn(saved / name) is None


def test_an_old_pickle_is_whole_only_on_the_runs_word(copied: Path) -> None:
    size = (copied / "old.ckpt").stat().st_size
    assert whats_torn(copied / "old.ckpt") is not None
    assert whats_torn(copied / "old.ckpt", size, was_told=True) is None
    cut(copied / "old.ckpt", size - 1)
    assert "of" in (whats_torn(copied / "old.ckpt", size, was_told=True) or "")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.99, 0.9999])
def test_a_file_cut_short_anywhere_is_torn(copied: Path, share: float) -> None:
    path = copied / "zip.ckpt"
    cut(path, int(path.stat().st_size * share))
    assert whats_torn(path) is not None
    assert whats_torn(path, was_told=True) is not None


def test_a_zip_whose_middle_is_missing_is_torn(copied: Path) -> None:
    content = (copied / "zip.ckpt").read_bytes()
    (copied / "zip.ckpt").write_bytes(content[:1000] + content[-20_000:])
    assert whats_torn(copied / "zip.ckpt") is not None


def shorten_shard(folder: Path) -> None:
    shard = next(folder.glob("*.distcp"))
    cut(shard, shard.stat().st_size - 1)


def remove_shard(folder: Path) -> None:
    next(folder.glob("*.distcp")).unlink()


def tear_metadata(folder: Path) -> None:
    cut(folder / ".metadata", (folder / ".metadata").stat().st_size // 2)


def remove_metadata(folder: Path) -> None:
    (folder / ".metadata").unlink()


def tear_meta(folder: Path) -> None:
    cut(folder / "meta.pt", 100)


@pytest.mark.parametrize("damage", [shorten_shard, remove_shard, tear_metadata, remove_metadata, tear_meta])
def test_a_sharded_checkpoint_needs_all_its_parts(copied: Path, damage: Any) -> None:
    damage(copied / "sharded.ckpt")
    assert whats_torn(copied / "sharded.ckpt") is not None


def test_a_deepspeed_folder_needs_its_last_word_and_whole_states(copied: Path) -> None:
    folder = copied / "deepspeed.ckpt"
    states = folder / "checkpoint" / "zero_pp_rank_0_mp_rank_00_optim_states.pt"
    cut(states, 2000)
    assert states.name in (whats_torn(folder) or "")
    (folder / "latest").unlink()
    assert "latest" in (whats_torn(folder) or "")


def test_metadata_runs_no_code(copied: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (os.mkdir, (str(tmp_path / "sprung"),))

    (copied / "sharded.ckpt" / ".metadata").write_bytes(pickle.dumps({"storage_data": Trap()}))
    whats_torn(copied / "sharded.ckpt")
    assert not (tmp_path / "sprung").exists()


# ------------------------------------------------------------------------------------------------------ of a run


def write_zip(path: Path, size: int = 100) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.pkl", os.urandom(size))
    return path


class Telling:
    """A run that logs a loss at each step and tells of checkpoints."""

    def __init__(self, home: Path) -> None:
        self.directory = create(RunStore(home))
        self.log = EventLog(self.directory.events(0) / "rank-0.jsonl")
        self.log.append(Hello, **_DEFAULTS[Hello])

    def logs(self, steps: list[int], values: list[Any], name: str = "val_loss") -> None:
        self.log.append(Metrics, epoch=0, series={name: Points(steps, values)})

    def saves(self, path: Path, step: int) -> None:
        size = path.stat().st_size if path.is_file() else None
        self.log.append(CheckpointSaved, path=str(path), epoch=0, global_step=step, size=size, seconds=0.1)

    def found(self) -> tuple[Checkpoint, ...]:
        return checkpoints_of(self.directory, read_snapshot(self.directory))


def test_checkpoints_stand_newest_first_with_the_metrics_of_their_step(tmp_path: Path) -> None:
    run = Telling(tmp_path)
    places = [write_zip(tmp_path / "elsewhere" / f"{step}.ckpt") for step in (10, 20, 30)]
    run.logs([5, 10, 15, 20, 25], [5.0, 4.0, 3.0, 2.0, 1.0])
    run.logs([100], [0.5], name="later")
    for path, step in zip(places, (10, 20, 30), strict=True):
        run.saves(path, step)
    run.log.append(CheckpointRemoved, path=str(places[1]))
    places[1].unlink()
    newest, oldest = run.found()
    assert (newest.path, newest.global_step, newest.metrics) == (str(places[2]), 30, {"val_loss": 1.0})
    assert (oldest.global_step, oldest.metrics) == (10, {"val_loss": 4.0})
    assert newest.is_complete
    assert newest.size == places[2].stat().st_size
    assert last_good(run.found()) == newest


def test_a_torn_checkpoint_and_one_of_a_broken_loss_are_no_good(tmp_path: Path) -> None:
    run = Telling(tmp_path)
    good, broken, torn = (write_zip(tmp_path / f"{name}.ckpt") for name in ("good", "broken", "torn"))
    run.logs([10, 20], [1.0, "nan"])
    run.saves(good, 10)
    run.saves(broken, 20)
    run.saves(torn, 30)
    cut(torn, torn.stat().st_size - 10)
    found = {Path(checkpoint.path).stem: checkpoint for checkpoint in run.found()}
    assert not found["torn"].is_complete
    assert found["broken"].is_complete
    assert math.isnan(found["broken"].metrics["val_loss"])
    assert "val_loss" in (found["broken"].problem or "")
    best = last_good(run.found())
    assert best is not None
    assert best.path == str(good)


def test_files_that_no_event_tells_of_are_found_once(tmp_path: Path) -> None:
    run = Telling(tmp_path)
    told = write_zip(run.directory.checkpoints / "lightning_logs" / "epoch=0-step=5.ckpt")
    untold = write_zip(run.directory.checkpoints / "epoch=1-step=12.ckpt")
    write_zip(run.directory.checkpoints / ".lr_find_1.ckpt")
    (run.directory.checkpoints / "last.ckpt").symlink_to(told)
    run.saves(told, 5)
    found = {checkpoint.path: checkpoint for checkpoint in run.found()}
    assert set(found) == {str(told), str(untold)}
    assert (found[str(untold)].global_step, found[str(untold)].epoch) == (12, 1)
    assert found[str(untold)].is_complete


def test_a_remote_checkpoint_is_taken_at_its_word_and_a_missing_one_is_not_there(tmp_path: Path) -> None:
    run = Telling(tmp_path)
    run.log.append(CheckpointSaved, path="s3://bucket/run/last.ckpt", epoch=0, global_step=7, size=None, seconds=None)
    run.log.append(CheckpointSaved, path=str(tmp_path / "gone.ckpt"), epoch=0, global_step=9, size=10, seconds=None)
    (only,) = run.found()
    assert (only.path, only.is_complete, only.global_step) == ("s3://bucket/run/last.ckpt", True, 7)


def test_a_child_may_go_on_from_where_its_parent_let_it_begin(tmp_path: Path) -> None:
    begun_from = write_zip(tmp_path / "epoch=0-step=16.ckpt")
    store, parent = RunStore(tmp_path / "home"), create(RunStore(tmp_path / "home"))
    child, _ = store.create(
        program=parent.read_record().program, plan={}, now=2.0, parent=parent.id, resumed_from=str(begun_from)
    )
    (found,) = checkpoints_of(child, read_snapshot(child))
    assert (found.path, found.global_step, found.is_complete) == (str(begun_from), 16, True)


def test_a_long_series_still_tells_the_value_near_a_step(tmp_path: Path) -> None:
    run = Telling(tmp_path)
    run.log.append(Progress, **_DEFAULTS[Progress])
    run.logs(list(range(20_000)), [float(step) for step in range(20_000)], name="train_loss")
    path = write_zip(tmp_path / "a.ckpt")
    run.saves(path, 10_000)
    (checkpoint,) = run.found()
    assert checkpoint.metrics["train_loss"] == pytest.approx(10_000, abs=16)


def test_after_a_restart_the_newer_value_of_a_step_counts(tmp_path: Path) -> None:
    run = Telling(tmp_path)
    run.logs([0, 10, 20, 30], [9.0, 8.0, 7.0, 6.0])
    run.logs([15, 25, 35], [1.0, 2.0, 3.0])
    for step in (5, 15, 30):
        run.saves(write_zip(tmp_path / f"{step}.ckpt"), step)
    assert {c.global_step: c.metrics["val_loss"] for c in run.found()} == {5: 9.0, 15: 1.0, 30: 2.0}


def test_a_run_directory_without_checkpoints_has_none(tmp_path: Path) -> None:
    directory = create(RunStore(tmp_path))
    shutil.rmtree(directory.checkpoints)
    assert checkpoints_of(RunDirectory(directory.path), read_snapshot(directory)) == ()
