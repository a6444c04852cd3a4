"""What may go, and what never does; and what deleting touches."""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec
import pytest

from lightning_tui.record import RecordError, RunDirectory, RunState, RunStore
from lightning_tui.record.append import EventLog
from lightning_tui.record.events import SupervisorStarted
from lightning_tui.record.pruning import is_free, runs_to_prune
from lightning_tui.record.summaries import RunSummary
from tests.record.events import _DEFAULTS
from tests.record.test_store import create, end

DAY = 86400.0
NOW = 100 * DAY
MINE = os.uname().nodename


def run(number: int, *, size: int = 10, **changes: object) -> RunSummary:
    """Run `number` began on day `number` and took a day."""
    plain = RunSummary(
        id=f"r{number}", directory=f"/home/r{number}", state=RunState.FINISHED, detail="", is_over=True,
        program="train.py", folder="/", created_at=number * DAY, started_at=number * DAY,
        ended_at=(number + 1) * DAY, progress=None, metric=None, size=size, host=MINE, parent=None,
        name=None, note=None,
    )  # fmt: skip
    return msgspec.structs.replace(plain, **changes)


def ids(runs: list[RunSummary]) -> list[str]:
    return [each.id for each in runs]


def test_by_age_counts_from_the_end() -> None:
    runs = [run(90), run(68), run(69), run(10, ended_at=NOW - DAY)]
    assert ids(runs_to_prune(runs, now=NOW, older_than_s=30 * DAY)) == ["r68"]
    assert ids(runs_to_prune(runs, now=NOW, older_than_s=29.9 * DAY)) == ["r68", "r69"]


def test_by_number_keeps_the_newest() -> None:
    runs = [run(3), run(1), run(5), run(4)]
    assert ids(runs_to_prune(runs, now=NOW, keep=2)) == ["r1", "r3"]
    assert runs_to_prune(runs, now=NOW, keep=4) == []


def test_by_size_takes_the_oldest_until_the_rest_fits() -> None:
    runs = [run(1, size=30), run(2, size=5), run(3, size=40), run(4, size=25)]
    assert ids(runs_to_prune(runs, now=NOW, keep_size=100)) == []
    assert ids(runs_to_prune(runs, now=NOW, keep_size=70)) == ["r1"]
    assert ids(runs_to_prune(runs, now=NOW, keep_size=69)) == ["r1", "r2"]
    assert ids(runs_to_prune(runs, now=NOW, keep_size=0)) == ["r1", "r2", "r3", "r4"]


def test_what_is_not_over_stays_with_its_parent_and_counts() -> None:
    live = run(9, state=RunState.TRAINING, is_over=False, ended_at=None, parent="r1", size=100)
    afar = run(3, state=RunState.LOST, host="elsewhere")
    lost = run(4, state=RunState.LOST)
    runs = [live, run(1), run(2), afar, lost]
    assert ids(runs_to_prune(runs, now=NOW, keep_size=0, keep=1, older_than_s=0)) == ["r2", "r4"]
    assert not is_free(live)
    assert not is_free(afar)


def test_deleting_follows_no_link_and_leaves_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "model.ckpt").write_text("weights")
    store = RunStore(tmp_path / "home")
    directory, other = create(store), create(store)
    end(directory)
    (directory.checkpoints / "link").symlink_to(tmp_path / "precious")
    (directory.checkpoints / "last.ckpt").symlink_to(tmp_path / "precious" / "model.ckpt")
    store.delete(directory)
    assert sorted(path.name for path in store.home.iterdir()) == [other.id]
    assert (tmp_path / "precious" / "model.ckpt").read_text() == "weights"
    (store.home / "linked").symlink_to(tmp_path / "precious")
    for path in (store.home / "linked", tmp_path / "precious", store.home / ".." / "precious", store.home):
        with pytest.raises(RecordError, match="not a run"):
            store.delete(RunDirectory(path))


def test_a_run_that_may_live_on_another_host_is_not_deleted(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    directory = create(store)
    EventLog(directory.supervisor_log(0)).append(SupervisorStarted, **{**_DEFAULTS[SupervisorStarted], "host": "afar"})
    with pytest.raises(RecordError, match="still active"):
        store.delete(directory)
    long_ago = time.time() - 7200
    os.utime(directory.supervisor_log(0), (long_ago, long_ago))
    store.delete(directory)
    assert not directory.path.exists()
