"""A failure and its way out, for real: one of two ranks runs out of memory, the card, `f`, a child that ends well."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from lightning_tui.record import RunState, RunStore, read_snapshot
from tests.cli.command import lightning_tui, runs
from tests.e2e.screen import Screen

pytestmark = pytest.mark.e2e

PROGRAM = Path(__file__).parents[1] / "programs" / "out_of_memory.py"


def test_two_keys_relaunch_a_run_that_ran_out_of_memory_and_the_child_finishes() -> None:
    with Screen("--", str(PROGRAM), "--fits", "16", "--batch-size", "32") as screen:
        screen.wait_for("start")
        screen.press("s")
        screen.wait_for(
            "failed", "memory is full", "rank 1", "batch size 32 → 16, accumulate 1 → 2", "step 20", patience_s=120
        )
        parent = read_snapshot(next(runs()))
        report = Path(parent.directory) / "report.txt"
        assert stat.S_IMODE(report.stat().st_mode) == 0o600
        assert "Full Traceback:" in report.read_text()

        screen.press("f")
        screen.wait_for("child of", "32  →  16", "last.ckpt", "start")
        screen.press("\r")
        screen.wait_for("relaunched from", "at step 20", patience_s=60)
        screen.wait_for("finished", "done at step 30", patience_s=120)
        screen.press("q")
        assert screen.wait_for_exit() == 0

    report.unlink()
    assert "memory is full" in lightning_tui("diagnose", parent.record.id).stdout
    assert stat.S_IMODE(report.stat().st_mode) == 0o600, "where nobody watches, diagnose leaves it"

    store = RunStore(Path(parent.directory).parent)
    child = next(record for _, record in store.records() if getattr(record, "parent", None) == parent.record.id)
    seen = read_snapshot(store.find(child.id))
    assert seen.state is RunState.FINISHED
    assert seen.trainer is not None
    assert seen.trainer.fields["accumulate_grad_batches"].actual == 2
    assert seen.trainer.fields["batch_size"].actual == 16
    assert seen.progress is not None
    assert seen.progress.global_step == 30
    assert min(seen.metrics["train_loss"].bins().steps) >= 20, "it went on from the checkpoint"
