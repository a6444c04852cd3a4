"""Runs that are over: listed, named, compared, pruned and started again, by the real command."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from lightning_tui.record import RunState, RunStore
from lightning_tui.record.append import EventLog
from lightning_tui.record.events import CheckpointSaved
from tests.cli.command import json_lines, lightning_tui, newest_snapshot, runs
from tests.conftest import wait_until
from tests.record.test_checkpoints import write_zip
from tests.record.test_store import create, end
from tests.record.test_summaries import settle, train

FAILS_WITH_WORKERS = """
import json, os, sys
plan = json.load(open(os.environ["LIGHTNING_TUI_RUN_DIR"] + "/run.json"))["plan"]
print(sys.argv[1:], plan, flush=True)
if plan.get("num_workers") == 4:
    raise RuntimeError("DataLoader worker (pid(s) 4711) exited unexpectedly")
"""


@pytest.fixture
def store() -> RunStore:
    return RunStore(Path(os.environ["LIGHTNING_TUI_HOME"]))


def a_run(store: RunStore, now: float, values: tuple[float, ...] = (0.5, 0.25)) -> str:
    directory = create(store, now=now)
    train(directory, list(values))
    end(directory)
    settle(directory)
    return directory.id


def test_runs_are_named_noted_compared_and_listed(store: RunStore) -> None:
    first, second = a_run(store, 1.0), a_run(store, 2.0, (0.5, 0.125))
    assert lightning_tui("name", first, "base\x1bline").returncode == 1
    assert lightning_tui("name", first, "baseline").returncode == 0
    assert lightning_tui("note", "baseline", "as it was\nin May").returncode == 0
    assert lightning_tui("note", "baseline").stdout == "as it was\nin May\n"
    assert lightning_tui("note", second).returncode == 1
    newer, older = json.loads(lightning_tui("runs", "--json").stdout)
    assert (older["id"], older["name"], older["note"]) == (first, "baseline", "as it was\nin May")
    assert (newer["metric"]["best"], newer["progress"]["fraction"], newer["parent"]) == (0.125, 1.0, None)
    (store.home / "broken").mkdir()
    (store.home / "broken" / "run.json").write_text("\x1b]0;evil\x07")
    listed = lightning_tui("runs").stdout
    assert "baseline · as it was" in listed
    assert "unreadable" in listed
    assert "\x1b" not in listed
    compared = json.loads(lightning_tui("compare", "baseline", second, "--json").stdout)
    assert [(pair["name"], pair["better"]) for pair in compared["metrics"]] == [("val_loss", 1)]
    assert "0.125 (1) ★" in lightning_tui("compare", "baseline", second).stdout


def test_prune_asks_says_what_goes_and_leaves_what_lives(store: RunStore, tmp_path: Path) -> None:
    old, new = a_run(store, 1.0), a_run(store, 2.0)
    (store.home / "elsewhere").symlink_to(tmp_path)
    (tmp_path / "train.py").write_text("import time\nprint('up', flush=True)\ntime.sleep(60)\n")
    live = lightning_tui("run", "--detach", "--", "train.py", folder=tmp_path).stdout.strip()
    dry = lightning_tui("prune", "--keep", "1", "--dry-run")
    assert (dry.returncode, dry.stdout.count("train-")) == (0, 2)
    assert "2 runs of 3" in dry.stderr
    assert lightning_tui("prune", "--keep", "1").returncode == 2
    assert {directory.id for directory in runs()} == {old, new, live}
    done = lightning_tui("prune", "--keep", "1", "--yes")
    assert (done.returncode, "deleted 2 runs" in done.stderr) == (0, True)
    assert [directory.id for directory in runs()] == [live]
    nothing = lightning_tui("prune", "--older-than", "1h", "--yes")
    assert "nothing to delete" in nothing.stderr
    assert (tmp_path / "train.py").exists()
    for wrong in (
        ["--older-than", "30"],
        ["--keep-size", "x"],
        ["--keep", "0"],
        [],
        ["--keep", "1", "--keep-size", "1G"],
    ):
        assert lightning_tui("prune", *wrong).returncode == 2
    lightning_tui("kill", live)


def test_a_failed_run_is_fixed_and_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(FAILS_WITH_WORKERS)
    assert lightning_tui("run", "--set", "num_workers=4", "--", "train.py", "--a", folder=tmp_path).returncode == 1
    parent = next(runs())
    saved, torn = (write_zip(tmp_path / f"epoch=0-step={step}.ckpt") for step in (5, 9))
    os.truncate(torn, 60)
    log = EventLog(parent.events(0) / "rank-0.jsonl")
    for path, step in ((saved, 5), (torn, 9)):
        log.append(CheckpointSaved, path=str(path), epoch=0, global_step=step, size=None, seconds=None)
    log.close()
    shown = json.loads(lightning_tui("show", parent.id, "--json").stdout)["checkpoints"]
    assert [(one["step"], one["complete"]) for one in shown] == [(9, False), (5, True)]
    assert "its end is missing" in lightning_tui("show", parent.id).stdout
    refused = lightning_tui("relaunch", parent.id, "--fix", "99")
    assert (refused.returncode, "--fix 99" in refused.stderr) == (1, True)
    fixed = lightning_tui("relaunch", parent.id, "--fix", "--set", "max_epochs=2")
    assert fixed.returncode == 0, fixed.stderr
    assert f"resuming from step 5 ({saved.stat().st_size} B): {saved}" in fixed.stderr
    assert "num_workers  4 → " in fixed.stderr
    child = newest_snapshot()
    assert (child.state, child.record.parent, child.record.resumed_from) == (RunState.FINISHED, parent.id, str(saved))
    assert child.record.plan["num_workers"] != 4
    anew = lightning_tui(
        "relaunch", child.record.id, "--ckpt", "none", "--set", "max_epochs=", "--json", "--", "train.py"
    )
    lines = json_lines(anew.stdout)
    assert (lines[0]["event"], lines[-1]["state"]) == ("run", "finished")
    grandchild = newest_snapshot().record
    assert grandchild.plan == {"num_workers": child.record.plan["num_workers"]}
    assert grandchild.program.given == ["train.py"]
    healthy = lightning_tui("relaunch", grandchild.id, "--fix")
    assert (healthy.returncode, "there is nothing to fix" in healthy.stderr) == (1, True)
    none = lightning_tui("relaunch", grandchild.id, "--ckpt", "last")
    assert (none.returncode, "has no checkpoint" in none.stderr) == (1, True)


def test_a_live_run_is_relaunched_only_beside(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import time\nprint('up', flush=True)\ntime.sleep(60)\n")
    live = lightning_tui("run", "--detach", "--", "train.py", folder=tmp_path).stdout.strip()
    refused = lightning_tui("relaunch", live)
    assert (refused.returncode, "--beside" in refused.stderr) == (1, True)
    beside = lightning_tui("relaunch", live, "--beside", "--detach")
    assert beside.returncode == 0, beside.stderr
    wait_until(lambda: newest_snapshot().record.parent == live, 20, "the child")
    for run in (live, beside.stdout.strip()):
        lightning_tui("kill", run)
