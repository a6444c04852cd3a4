"""Advice from the telemetry and the output of a real training: while it runs on stderr, afterwards in `show`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.command import lightning_tui, runs

PROGRAM = Path(__file__).parents[2] / "programs" / "wasteful.py"


@pytest.mark.e2e
def test_a_wasteful_program_is_advised_on_while_it_runs_and_afterwards() -> None:
    done = lightning_tui("run", "--", str(PROGRAM))
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stderr.splitlines() if "advice: " in line]
    told = {
        "waits for data": "--set num_workers=",
        "of the time is validation": "--val-check-interval ",
        "train_loss is NaN or infinite since step 4": "--gradient-clip-val 1.0",
    }
    for title, flag in told.items():
        lines = [line for line in said if title in line]
        assert len(lines) == 1, (title, said)
        assert flag in lines[0]
    assert len(said) == len(told), said
    run = next(runs())
    shown = json.loads(lightning_tui("show", run.id, "--json").stdout)["advice"]
    assert {advice["id"] for advice in shown} == {"data-loading", "validation", "metric-lost:train_loss"}
    by_id = {advice["id"]: advice for advice in shown}
    assert by_id["metric-lost:train_loss"]["severity"] == "error"
    assert 40 <= by_id["metric-lost:train_loss"]["step"] <= 41
    assert by_id["data-loading"]["suggestions"][0]["changes"]["persistent_workers"] is True
    assert all(advice["since"] > 1e9 for advice in shown)
    assert sum("waits for data" in line for line in lightning_tui("show", run.id).stdout.splitlines()) == 1
