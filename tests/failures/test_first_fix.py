"""The first fix that `relaunch --fix` takes: does the run finish with it alone?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from lightning_tui.record import RunState
from lightning_tui.services.relaunching import (
    FIRST,
    Child,
    RelaunchRequest,
    TrustNeededError,
    check_child,
    plan_relaunch,
    start_child,
)
from tests.failures.failing import Ended, Lab, ended

pytestmark = pytest.mark.e2e

FIXES: list[tuple[str, str, dict[str, Any]]] = [
    ("memory", "cuda-oom", {"batch_size": 8, "accumulate_grad_batches": 8}),
    ("shared-memory", "dataloader-shm", {"num_workers": 0}),
    ("port", "address-in-use", {"env": ["MASTER_PORT=free"]}),
    ("missing-checkpoint", "checkpoint-not-found", {"ckpt_path": "none"}),
    ("stops-by", "early-stopping-metric-missing", {"early_stopping_monitor": "val_loss"}),
    ("best-by", "checkpoint-monitor-missing", {"checkpoint_monitor": "val_loss", "checkpoint_mode": "min"}),
]


@pytest.fixture
def lab(private_places: Path, tmp_path: Path) -> Lab:
    return Lab(private_places / "runs", tmp_path)


def child_of(lab: Lab, run: Ended, *, fix: int = FIRST, trusts: bool = False) -> Child:
    return plan_relaunch(lab.settings, os.environ, run.directory, RelaunchRequest(fix=fix, trusts=trusts))


def relaunched(lab: Lab, child: Child) -> Ended:
    check_child(lab.settings, os.environ, child)
    return ended(start_child(lab.settings, os.environ, child))


@pytest.mark.parametrize(("way", "category", "changes"), FIXES, ids=[way for way, *_ in FIXES])
def test_the_first_fix_ends_well(lab: Lab, way: str, category: str, changes: dict[str, Any]) -> None:
    run = lab.suffer(["cured.py", way])
    assert run.root.category == category, run.last_words
    child = child_of(lab, run)
    assert dict(child.changes) == changes
    again = relaunched(lab, child)
    assert again.snapshot.state is RunState.FINISHED, again.last_words
    assert "trained to step" in again.output


def test_a_torn_checkpoint_of_the_script_gives_way_to_its_neighbour(lab: Lab) -> None:
    run = lab.suffer(["cured.py", "torn-checkpoint"])
    assert run.root.category == "checkpoint-corrupted", run.last_words
    child = child_of(lab, run)
    assert child.beginning.checkpoint == str(lab.folder / "kept" / "first.ckpt")
    again = relaunched(lab, child)
    assert again.snapshot.state is RunState.FINISHED, again.last_words
    assert "trained to step 16" in again.output


def test_to_trust_a_file_takes_a_word(lab: Lab) -> None:
    run = lab.suffer(["cured.py", "untrusted-checkpoint"])
    assert run.root.category == "weights-only-unpickling", run.last_words
    assert dict(child_of(lab, run).changes) == {"ckpt_path": "none"}
    trusting = child_of(lab, run, trusts=True)
    assert trusting.fix is not None
    with pytest.raises(TrustNeededError):
        child_of(lab, run, fix=trusting.fix.number)
    again = relaunched(lab, trusting)
    assert again.snapshot.state is RunState.FINISHED, again.last_words
    assert "trained to step 16" in again.output
