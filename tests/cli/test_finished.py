"""What is said of a run that ended well and is worth little: in one list, by `diagnose`, `show`, `run` and a fix."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.command import json_lines, lightning_tui

PROGRAM = Path(__file__).parents[1] / "programs" / "silent.py"

pytestmark = pytest.mark.e2e


def finished(tmp_path: Path, kind: str) -> tuple[str, list[str]]:
    """A finished run, and the advice that `run --json` gave."""
    done = lightning_tui("run", "--json", "--", str(PROGRAM), kind, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = json_lines(done.stdout)
    assert (lines[0]["event"], lines[-1]["event"], lines[-1]["state"]) == ("run", "end", "finished")
    return lines[0]["id"], [line["id"] for line in lines if line["event"] == "advice"]


def test_a_loss_that_broke_is_found_though_the_run_is_finished(tmp_path: Path) -> None:
    run_id, advised = finished(tmp_path, "nan")
    assert advised == ["metric-lost:train_loss"]
    found = json.loads(lightning_tui("diagnose", run_id, "--json").stdout)["diagnoses"]
    assert [one["category"] for one in found] == ["nan-loss"]
    assert "since step 12" in found[0]["title"]
    shown = json.loads(lightning_tui("show", run_id, "--json").stdout)
    assert [one["id"] for one in shown["advice"]] == advised
    assert shown["diagnoses"] == found
    assert [(fit["number"], fit["state"]) for fit in shown["fits"]] == [(1, "finished")]
    fixed = lightning_tui("relaunch", run_id, "--fix", "--set", "max_steps=2", folder=tmp_path)
    assert fixed.returncode == 0, fixed.stderr
    assert "gradient_clip_val" in fixed.stderr


def test_a_run_that_waited_for_its_data_is_told_so(tmp_path: Path) -> None:
    run_id, advised = finished(tmp_path, "slow")
    assert advised == ["data-loading"]
    found = json.loads(lightning_tui("diagnose", run_id, "--json").stdout)["diagnoses"]
    assert found[0]["category"] == "data-loading"
    assert any("num_workers" in (each["changes"] or {}) for each in found[0]["suggestions"])


def test_of_a_good_run_it_is_said_what_was_looked_at(tmp_path: Path) -> None:
    run_id, advised = finished(tmp_path, "clean")
    assert advised == []
    said = lightning_tui("diagnose", run_id).stdout
    assert said.startswith("finished; looked at its output, 2 metrics and ")
    assert said.endswith("of its hardware: nothing to improve was found.\n")
