"""Programs that hang: recognised while they do, with the rank and the place, and a stop ends them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

import pytest

from lightning_tui.diagnosis import diagnose, evidence_of_run
from lightning_tui.launch import request
from lightning_tui.record import RunSnapshot, RunState, pace, standstill
from lightning_tui.record.standstill import Kind, Standstill
from tests.failures.failing import Lab, ended, wait_for

pytestmark = pytest.mark.e2e

STOP_S = 25.0
"""All of a stop: what a validation may be silent by default, and twice the patience that the tests give."""


@pytest.fixture
def lab(private_places: Path, tmp_path: Path) -> Lab:
    return Lab(private_places / "runs", tmp_path)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes ten seconds and more is seen in two, in this process, which only reads."""
    for name in ("STALL_FLOOR_S", "IDLE_FIRST_BATCH_S", "IDLE_EVALUATION_EDGE_S"):
        monkeypatch.setattr(pace, name, 2.0)
    monkeypatch.setattr(standstill, "APART_S", 1.0)
    monkeypatch.setattr(standstill, "IDLE_S", 1.0)


class Hang(NamedTuple):
    """A program, and what is to be said of it."""

    mode: str
    category: str
    kind: Kind
    rank: int
    words: str


HANGS = [
    Hang("validation", "stall", "apart", 0, "rank 0 is in validation"),
    Hang("leave", "rank-exited-early", "left", 1, "rank 1 left with exit code 0 before the fit began"),
    Hang("leave-setup", "rank-exited-early", "left", 1, "rank 1 left with exit code 0 before the fit began"),
    Hang("worker", "stall", "silent", 0, "training waits for its first batch"),
    Hang("lock", "stall", "silent", 0, "in training near step "),
    Hang("mismatch", "stall", "silent", 0, "in training near step "),
]


@pytest.mark.parametrize("hang", HANGS, ids=[hang.mode for hang in HANGS])
@pytest.mark.usefixtures("impatient")
def test_a_hang_is_told_with_its_place_and_a_stop_ends_it(hang: Hang, lab: Lab) -> None:
    directory = lab.start(["hangs.py", hang.mode], stop_patience_s=1.0)
    found: list[Standstill] = []

    def is_told(run: RunSnapshot) -> bool:
        found.extend([run.standstill] if run.standstill is not None else [])
        return bool(found)

    wait_for(directory, is_told)
    still = found[0]
    assert (still.kind, still.rank) == (hang.kind, hang.rank), still
    assert hang.words in still.words
    assert still.silent_s < 10, "it was seen soon"
    root = diagnose(evidence_of_run(directory))[0]
    assert (root.category, root.rank) == (hang.category, hang.rank)
    assert root.cause.lower().startswith(still.words.lower()[:20])

    asked = time.monotonic()
    request(directory, "stop")
    run = ended(directory)
    assert time.monotonic() - asked < STOP_S
    assert run.snapshot.state in (RunState.KILLED, RunState.STOPPED), run.snapshot.detail
    assert run.root.category == hang.category, "what it stood still of is known after its end too"


@pytest.mark.usefixtures("impatient")
def test_a_slow_loader_is_no_hang(lab: Lab) -> None:
    directory = lab.start(["hangs.py", "slow"])
    still: list[Standstill] = []
    waits: list[float] = []

    def is_over(run: RunSnapshot) -> bool:
        still.extend([run.standstill] if run.standstill is not None else [])
        if run.progress is not None and run.progress.step_time_s:
            waits.append((run.progress.data_wait_s or 0.0) / run.progress.step_time_s)
        return run.is_over

    wait_for(directory, is_over)
    assert still == []
    assert max(waits) > 0.5, "it is slow for its data"
    run = ended(directory)
    assert (run.snapshot.state, run.found) == (RunState.FINISHED, ())
