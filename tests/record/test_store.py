"""The runs home: make, list, find and delete runs, and never anything else."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lightning_tui.record import RecordError, RunDirectory, RunStore, UnreadableRun, mask_secrets
from lightning_tui.record.append import EventLog
from lightning_tui.record.commands import new_command, read_commands, write_command
from lightning_tui.record.directory import RUN_VARIABLE, ProgramRecord, supervisor_alive
from lightning_tui.record.events import Ended, SupervisorStarted


def program(label: str = "train.py") -> ProgramRecord:
    return ProgramRecord(label=label, given=[label], folder="/", interpreter="/usr/bin/python3")


def create(store: RunStore, label: str = "train.py", now: float = 1.0) -> RunDirectory:
    return store.create(program=program(label), plan={}, now=now)[0]


def end(directory: RunDirectory) -> None:
    log = EventLog(directory.supervisor_log(0))
    log.append(
        SupervisorStarted,
        node=0,
        host="h",
        pid=1,
        started_at=0.0,
        boot_id=None,
        attempt=0,
        child_pid=999_999_999,
        child_started_at=None,
        command=[],
    )
    log.append(Ended, code=0, signal=None, cause="program")
    log.close()


def test_a_run_is_private(tmp_path: Path) -> None:
    directory = create(RunStore(tmp_path / "home"))
    folders = [path for path in directory.path.rglob("*") if path.is_dir()]
    assert {path.stat().st_mode & 0o777 for path in [directory.path, *folders]} == {0o700}
    assert (directory.path / "run.json").stat().st_mode & 0o777 == 0o600


def test_runs_are_listed_newest_first_and_broken_ones_last(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    old, new = create(store, now=1.0), create(store, now=2.0)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.json").write_text("{")
    (tmp_path / "not a run").mkdir()
    records = store.records()
    assert [directory.id for directory, _ in records] == [new.id, old.id, "broken"]
    assert isinstance(records[-1][1], UnreadableRun)


def test_a_home_that_does_not_exist_holds_no_runs(tmp_path: Path) -> None:
    assert RunStore(tmp_path / "nowhere").records() == []
    assert RunStore(tmp_path / "nowhere").newest() is None


def test_a_run_of_a_newer_format_says_so(tmp_path: Path) -> None:
    directory = create(RunStore(tmp_path))
    text = (directory.path / "run.json").read_text()
    (directory.path / "run.json").write_text(text.replace('"format_version": 1', '"format_version": 99'))
    with pytest.raises(RecordError, match="format version 99"):
        directory.read_record()
    (directory.path / "run.json").write_text('{"format_version": 99, "name": "no field that we know"}')
    with pytest.raises(RecordError, match="format version 99"):
        directory.read_record()


def test_find_by_id_prefix_and_tail(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    one, two = create(store, "alpha.py"), create(store, "beta.py")
    assert store.find(one.id).id == one.id
    assert store.find("bet").id == two.id
    assert store.find(two.id.rpartition("-")[2]).id == two.id


def test_find_refuses_what_is_unknown_or_means_several(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    create(store)
    create(store)
    with pytest.raises(RecordError, match="more than one run"):
        store.find("train")
    with pytest.raises(RecordError, match="No run has the id or name 'x'"):
        store.find("x")
    with pytest.raises(RecordError, match="No run"):
        store.find("")


def test_the_newest_active_run_comes_before_a_newer_one_that_is_over(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    active, _over = create(store, now=1.0), create(store, now=2.0)
    descriptor = os.open(active.supervisor_lock(0), os.O_CREAT | os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        assert supervisor_alive(active)
        newest = store.newest()
        assert newest is not None
        assert newest.id == active.id
    finally:
        os.close(descriptor)
    assert not supervisor_alive(active)


def test_only_runs_that_are_over_are_deleted(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "home")
    directory = create(store)
    end(directory)
    descriptor = os.open(directory.supervisor_lock(0), os.O_CREAT | os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(RecordError, match="still active"):
        store.delete(directory)
    os.close(descriptor)
    store.delete(directory)
    assert not directory.path.exists()


def test_nothing_outside_the_home_is_deleted(tmp_path: Path) -> None:
    store, other = RunStore(tmp_path / "home"), RunStore(tmp_path / "other")
    foreign = create(other)
    end(foreign)
    store.home.mkdir()
    (store.home / "link").symlink_to(foreign.path)
    for directory in (foreign, RunDirectory(store.home / "link"), RunDirectory(store.home / "..")):
        with pytest.raises(RecordError, match="nothing was deleted"):
            store.delete(directory)
    assert foreign.path.exists()


def test_a_home_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match="--home"):
        create(RunStore(tmp_path / "file" / "home"))


def test_commands_are_read_once_and_foreign_files_are_passed_over(tmp_path: Path) -> None:
    first, second = new_command("stop", after="epoch"), new_command("kill")
    write_command(tmp_path, first)
    (tmp_path / "000-foreign.json").write_text("nonsense")
    (tmp_path / "half.partial").write_text("{")
    seen: set[str] = set()
    assert read_commands(tmp_path, seen) == [first]
    write_command(tmp_path, second)
    assert read_commands(tmp_path, seen) == [second]
    assert read_commands(tmp_path / "nowhere", set()) == []


@pytest.mark.parametrize(
    ("given", "masked"),
    [
        (["--api-key", "abc", "--lr", "1"], ["--api-key", "•••", "--lr", "1"]),
        (["--wandb_token=abc"], ["--wandb_token=•••"]),
        (["logger.api_key=abc", "model.lr=0.1"], ["logger.api_key=•••", "model.lr=0.1"]),
        (["hf_abcdefghijklmnop"], ["•••"]),
        (["--x=sk-abcdefghijkl"], ["--x=•••"]),
        (["--tokenizer", "gpt2", "--max-tokens", "5"], ["--tokenizer", "gpt2", "--max-tokens", "5"]),
        (["train.py", "--password", "p"], ["train.py", "--password", "•••"]),
    ],
)
def test_secrets_are_masked(given: list[str], masked: list[str]) -> None:
    assert mask_secrets(given) == masked


def test_a_run_that_cannot_be_read_is_not_deleted_while_a_process_of_it_lives(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    directory = create(store)
    (directory.path / "run.json").write_text("edited by hand")
    process = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env={RUN_VARIABLE: str(directory.path)}
    )
    try:
        with pytest.raises(RecordError, match="is still active"):
            store.delete(directory)
    finally:
        process.communicate(b"\n")
    store.delete(directory)
    with pytest.raises(RecordError, match="no longer exists"):
        store.delete(directory)
