"""A list of runs: kept for those that are over, true at all times, and never stopped by one that is broken."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightning_tui.record import RunDirectory, RunState, RunStore, UnreadableRun, read_snapshot
from lightning_tui.record import summaries as module
from lightning_tui.record.append import EventLog
from lightning_tui.record.events import FitEnd, Hello, Metrics, Points, Progress, StageChanged, SupervisorStarted
from lightning_tui.record.notes import set_name, set_note
from lightning_tui.record.summaries import RunSummary, leave_summary
from tests.record.events import _DEFAULTS
from tests.record.test_store import create, end

LONG_AGO = 1_700_000_000.0


class Looks:
    """Counts how many runs were read, and not taken from what is kept."""

    def __init__(self, store: RunStore) -> None:
        self.store = store
        self.read: list[str] = []

    def list(self) -> list[RunSummary | UnreadableRun]:
        self.read.clear()
        return list(self.store.summaries())


@pytest.fixture
def looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Looks:
    looks = Looks(RunStore(tmp_path / "home"))

    def counted(directory: RunDirectory) -> object:
        looks.read.append(directory.id)
        return read_snapshot(directory)

    monkeypatch.setattr(module, "read_snapshot", counted)
    return looks


def train(directory: RunDirectory, values: list[float], *, finished: bool = True) -> None:
    log = EventLog(directory.events(0) / "rank-0.jsonl")
    log.append(Hello, **_DEFAULTS[Hello])
    log.append(StageChanged, stage="train", epoch=0, global_step=0)
    log.append(Metrics, epoch=0, series={"val_loss": Points(list(range(len(values))), list(values))})
    log.append(Progress, **_DEFAULTS[Progress])
    if finished:
        log.append(FitEnd, finished=True, reason="max_epochs", epoch=2, global_step=20)
    log.close()


def settle(directory: RunDirectory, moment: float = LONG_AGO) -> None:
    """Let all of it look as if nobody had touched it for long."""
    for path in (directory.path, *directory.path.rglob("*")):
        os.utime(path, (moment, moment), follow_symlinks=False)


def finished_run(store: RunStore, now: float = 1.0) -> RunDirectory:
    directory = create(store, now=now)
    train(directory, [0.5, 0.25, 0.75])
    end(directory)
    settle(directory)
    return directory


def test_a_row_says_what_a_list_needs(looks: Looks) -> None:
    directory = finished_run(looks.store)
    (row,) = looks.list()
    assert isinstance(row, RunSummary)
    assert (row.id, row.state, row.is_over, row.program) == (directory.id, RunState.FINISHED, True, "train.py")
    assert row.metric is not None
    assert (row.metric.name, row.metric.last, row.metric.best, row.metric.best_step) == ("val_loss", 0.75, 0.25, 1)
    assert row.progress is not None
    assert row.progress.fraction == 1.0
    assert row.size
    assert row.directory == str(directory.path)


def test_runs_that_are_over_are_read_once(looks: Looks) -> None:
    runs = {finished_run(looks.store, now=float(n)).id for n in range(3)}
    first = looks.list()
    assert set(looks.read) == runs
    assert looks.list() == first
    assert looks.read == []
    assert [row.id for row in first] == [row.id for row in looks.list()]
    kept = looks.store.home / "summaries.msgpack"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    kept.unlink()
    assert looks.list() == first
    assert set(looks.read) == runs


def append_event(directory: RunDirectory) -> None:
    train(directory, [0.1])


def new_attempt(directory: RunDirectory) -> None:
    directory.prepare_attempt(1)


def edit_record(directory: RunDirectory) -> None:
    path = directory.path / "run.json"
    path.write_text(path.read_text().replace("train.py", "other.py"))


def save_checkpoint(directory: RunDirectory) -> None:
    (directory.checkpoints / "late.ckpt").write_bytes(b"x" * 5000)


def name_it(directory: RunDirectory) -> None:
    set_name(directory, "baseline")


def new_rank(directory: RunDirectory) -> None:
    (directory.events(0) / "rank-1.jsonl").write_text("")


@pytest.mark.parametrize("change", [append_event, new_attempt, edit_record, save_checkpoint, name_it, new_rank])
def test_what_has_changed_is_read_again(looks: Looks, change: object) -> None:
    directory, other = finished_run(looks.store), finished_run(looks.store, now=2.0)
    looks.list()
    change(directory)  # type: ignore[operator]
    fresh = looks.list()
    assert looks.read == [directory.id]
    assert {row.id for row in fresh} == {directory.id, other.id}


def test_what_a_supervisor_has_left_spares_the_first_list(looks: Looks) -> None:
    directory = finished_run(looks.store)
    leave_summary(directory, read_snapshot(directory))
    left = directory.path / module.FILE
    assert stat.S_IMODE(left.stat().st_mode) == 0o600
    (row,) = looks.list()
    assert isinstance(row, RunSummary)
    assert (row.state, row.metric is not None, looks.read) == (RunState.FINISHED, True, [])
    left.unlink()
    assert (looks.list(), looks.read) == ([row], []), "it is kept with the others from then on"


@pytest.mark.parametrize("change", [append_event, new_attempt, edit_record, save_checkpoint, name_it, new_rank])
def test_what_a_supervisor_has_left_is_not_trusted_where_something_has_changed(looks: Looks, change: object) -> None:
    directory = finished_run(looks.store)
    leave_summary(directory, read_snapshot(directory))
    change(directory)  # type: ignore[operator]
    looks.list()
    assert looks.read == [directory.id]


def test_a_copied_or_torn_summary_is_not_trusted(looks: Looks) -> None:
    directory = finished_run(looks.store)
    leave_summary(directory, read_snapshot(directory))
    copy = looks.store.home / "copy-000000"
    shutil.copytree(directory.path, copy)
    (directory.path / module.FILE).write_bytes((copy / module.FILE).read_bytes()[:-1])
    looks.list()
    assert set(looks.read) == {directory.id, copy.name}


def test_no_summary_is_left_of_a_run_that_is_lost_or_was_noted_just_now(looks: Looks) -> None:
    lost, noted = create(looks.store), finished_run(looks.store)
    set_note(noted, "a note of this very moment")
    for directory in (lost, noted):
        leave_summary(directory, read_snapshot(directory))
        assert not (directory.path / module.FILE).exists()


def test_a_deleted_checkpoint_counts_no_more(looks: Looks) -> None:
    directory = finished_run(looks.store)
    save_checkpoint(directory)
    settle(directory)
    (before,) = looks.list()
    (directory.checkpoints / "late.ckpt").unlink()
    (after,) = looks.list()
    assert isinstance(before, RunSummary)
    assert isinstance(after, RunSummary)
    assert (before.size or 0) > (after.size or 0) > 0


def test_a_live_run_is_never_kept(looks: Looks) -> None:
    directory = create(looks.store, now=time.time() - 100)
    EventLog(directory.supervisor_log(0)).append(SupervisorStarted, **_DEFAULTS[SupervisorStarted])
    train(directory, [1.0], finished=False)
    settle(directory)
    descriptor = os.open(directory.supervisor_lock(0), os.O_CREAT | os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        for _ in range(2):
            (row,) = looks.list()
            assert isinstance(row, RunSummary)
            assert row.state is RunState.TRAINING
            assert looks.read == [directory.id]
    finally:
        os.close(descriptor)
    (row,) = looks.list()
    assert isinstance(row, RunSummary)
    assert row.state is RunState.LOST


def test_what_was_changed_just_now_is_not_kept(looks: Looks) -> None:
    directory = create(looks.store)
    end(directory)
    looks.list()
    looks.list()
    assert looks.read == [directory.id]


def test_a_run_lost_here_may_live_on_another_host(looks: Looks, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = create(looks.store, now=LONG_AGO)
    EventLog(directory.supervisor_log(0)).append(SupervisorStarted, **_DEFAULTS[SupervisorStarted])
    settle(directory)
    looks.list()
    looks.list()
    assert looks.read == []
    here = os.uname()
    with monkeypatch.context() as patch:
        patch.setattr(os, "uname", lambda: type(here)((here.sysname, "other", here.release, here.version, "")))
        looks.list()
        assert looks.read == [directory.id]


@pytest.mark.parametrize("content", [b"", b"garbage", b"\0" * 5000])
def test_a_damaged_file_of_what_is_kept_costs_time_alone(looks: Looks, content: bytes) -> None:
    directory = finished_run(looks.store)
    first = looks.list()
    (looks.store.home / "summaries.msgpack").write_bytes(content)
    assert looks.list() == first
    assert looks.read == [directory.id]


def test_one_changed_byte_is_noticed(looks: Looks) -> None:
    finished_run(looks.store)
    first = looks.list()
    path = looks.store.home / "summaries.msgpack"
    content = bytearray(path.read_bytes())
    content[content.index(b"finished")] ^= 1
    path.write_bytes(content)
    assert looks.list() == first


def test_a_home_that_moved_keeps_what_it_has(looks: Looks, tmp_path: Path) -> None:
    finished_run(looks.store)
    looks.list()
    looks.store.home.rename(tmp_path / "moved")
    looks.store = RunStore(tmp_path / "moved")
    (row,) = looks.list()
    assert looks.read == []
    assert row.directory.startswith(str(tmp_path / "moved"))


def test_a_home_that_cannot_be_written_is_listed_all_the_same(looks: Looks) -> None:
    finished_run(looks.store)
    (looks.store.home / "summaries.msgpack").mkdir()
    assert len(looks.list()) == 1
    assert list(looks.store.home.glob(".*")) == []


def test_rows_come_one_by_one_newest_first_and_a_look_that_is_broken_off_is_kept(looks: Looks) -> None:
    old, new = finished_run(looks.store, now=1.0), finished_run(looks.store, now=2.0)
    rows = looks.store.summaries()
    assert next(rows).id == new.id
    assert looks.read == [new.id]
    assert isinstance(rows, Iterator)
    rows.close()  # type: ignore[attr-defined]
    assert [row.id for row in looks.list()] == [new.id, old.id]
    assert looks.read == [old.id]


def test_a_deleted_run_is_forgotten(looks: Looks) -> None:
    gone, left = finished_run(looks.store), finished_run(looks.store, now=2.0)
    looks.list()
    looks.store.delete(gone)
    set_note(left, "changed")
    settle(left)
    assert [row.id for row in looks.list()] == [left.id]
    assert gone.id.encode() not in (looks.store.home / "summaries.msgpack").read_bytes()


# ------------------------------------------------------------------------------------------------------ broken ones


def newer_format(path: Path) -> None:
    record = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps({**record, "format_version": 99}))


def unknown_events(path: Path) -> None:
    (path / "attempt-0" / "events" / "rank-0.jsonl").write_text('{"event":"dance","seq":0,"time":1}\nnonsense\n{"ev')


def fields_of_tomorrow(path: Path) -> None:
    record = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps({**record, "colour": "blue"}))


def fields_of_yesterday(path: Path) -> None:
    record = json.loads((path / "run.json").read_text())
    kept = ("id", "created_at", "program", "plan", "format_version")
    (path / "run.json").write_text(json.dumps({name: record[name] for name in kept}))


def cut_record(path: Path) -> None:
    (path / "run.json").write_bytes((path / "run.json").read_bytes()[:40])


def wrong_types(path: Path) -> None:
    record = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps({**record, "created_at": "yesterday"}))


def no_record(path: Path) -> None:
    (path / "run.json").unlink()


def no_folders(path: Path) -> None:
    for name in ("supervisor", "attempt-0", "commands", "checkpoints"):
        shutil.rmtree(path / name)


def folders_that_are_files(path: Path) -> None:
    no_folders(path)
    for name in ("supervisor", "attempt-0", "commands", "checkpoints", "notes.json", "index"):
        (path / name).write_text("not a folder")


def nonsense_notes(path: Path) -> None:
    (path / "notes.json").write_text('{"name": 7}')


def nonsense_time(path: Path) -> None:
    record = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps({**record, "created_at": 1e300}))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (newer_format, "format version 99"),
        (cut_record, "not a valid run record"),
        (wrong_types, "not a valid run record"),
        (no_record, "run.json is missing"),
        (unknown_events, None),
        (fields_of_tomorrow, None),
        (fields_of_yesterday, None),
        (no_folders, None),
        (folders_that_are_files, None),
        (nonsense_notes, None),
        (nonsense_time, None),
    ],
)
def test_a_damaged_run_is_listed_and_stops_nothing(looks: Looks, damage: object, says: str | None) -> None:
    directory, good = finished_run(looks.store), finished_run(looks.store, now=2.0)
    damage(directory.path)  # type: ignore[operator]
    settle(directory)
    for _ in range(2):
        rows = {row.id: row for row in looks.list()}
        assert isinstance(rows[good.id], RunSummary)
        row = rows[directory.id]
        if says is None:
            assert isinstance(row, RunSummary)
        else:
            assert isinstance(row, UnreadableRun)
            assert says in row.problem
    looks.store.delete(directory)
    assert [row.id for row in looks.list()] == [good.id]


def test_a_run_that_is_just_being_made_is_not_there_yet(looks: Looks) -> None:
    directory = create(looks.store)
    (directory.path / "run.json").unlink()
    assert looks.list() == []


def test_other_things_in_the_home_are_no_runs(looks: Looks, tmp_path: Path) -> None:
    directory = finished_run(looks.store)
    (looks.store.home / "photos").mkdir()
    (looks.store.home / ".deleting-train-7f3a01-0b1c2d").mkdir()
    (looks.store.home / "link").symlink_to(directory.path)
    assert [row.id for row in looks.list()] == [directory.id]


def test_deletions_that_were_cut_short_are_swept(looks: Looks, tmp_path: Path) -> None:
    directory = finished_run(looks.store)
    doomed = looks.store.home / ".deleting-train-7f3a01-0b1c2d"
    doomed.mkdir()
    (doomed / "big.ckpt").write_text("x")
    (tmp_path / "precious").mkdir()
    (looks.store.home / ".deleting-link").symlink_to(tmp_path / "precious")
    looks.store.sweep()
    assert not doomed.exists()
    assert (tmp_path / "precious").is_dir()
    assert directory.path.is_dir()


def test_a_screenful_is_not_held_up_by_the_rest(looks: Looks) -> None:
    for number in range(6):
        finished_run(looks.store, now=float(number))
    assert len(list(itertools.islice(looks.store.summaries(), 2))) == 2
    assert len(looks.read) == 2
