"""A training that runs is steered from the command line: asked, waited for, answered, with an exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lightning_tui.record import RunState
from tests.conftest import wait_until

from .command import lightning_tui, newest_snapshot

pytestmark = pytest.mark.e2e

STEERED = str(Path(__file__).parent.parent / "programs" / "steered.py")


def test_a_run_is_paused_changed_resumed_and_stopped_in_its_pause(tmp_path: Path) -> None:
    started = lightning_tui("run", "--detach", "--", STEERED, str(tmp_path / "out"), folder=tmp_path)
    assert started.returncode == 0, started.stderr
    run_id = started.stdout.strip()
    wait_until(lambda: newest_snapshot().state is RunState.TRAINING, what="training")
    refused = lightning_tui("resume", run_id)
    assert refused.returncode == 1
    assert "resume: refused: the run is not paused" in refused.stderr
    paused = lightning_tui("pause", run_id)
    assert paused.returncode == 0, paused.stderr
    said = [line.removeprefix("lightning-tui: ") for line in paused.stderr.splitlines()]
    assert said[0] == "pause: asked"
    assert said[-1].startswith("pause: done at step ")
    assert newest_snapshot().state is RunState.PAUSED
    rate = lightning_tui("set-lr", run_id, "3e-4", "--group", "1", "--json")
    row = json.loads(rate.stdout)
    assert (row["run"], row["op"], row["status"], row["ranks_taken"]) == (run_id, "set-lr", "done", [0])
    assert row["detail"] == "lr 0.002 -> 0.0003 in group 1; StepLR continues from it"
    assert lightning_tui("resume", run_id).returncode == 0
    assert lightning_tui("validate", run_id).returncode == 0
    later = lightning_tui("pause", run_id, "--no-wait", "--json")
    assert (later.returncode, json.loads(later.stdout)["status"]) == (0, "asked")
    wait_until(lambda: newest_snapshot().state is RunState.PAUSED, what="the pause")
    stopped = lightning_tui("stop", run_id, "--json")
    assert stopped.returncode == 0, stopped.stderr
    row = json.loads(stopped.stdout)
    assert (row["state"], row["exit"]["cause"]) == ("stopped", "stop")
    assert Path(row["detail"]).is_file()
    assert lightning_tui("pause", run_id).returncode == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["set-lr", "x", "fast"], "'fast' is not a learning rate"),
        (["set-lr", "x", "-1"], "-1"),
        (["set-lr", "x", "1", "--group", "-1"], "--group"),
        (["log-level", "x", "loud"], "invalid choice: 'loud'"),
        (["stop", "x", "--after", "tea"], "validation"),
    ],
)
def test_what_makes_no_sense_is_wrong_usage(words: list[str], says: str) -> None:
    done = lightning_tui(*words)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
