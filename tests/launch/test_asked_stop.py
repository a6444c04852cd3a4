"""The first rung of a stop: what the supervisor does with each way in which telemetry may answer.

Telemetry is a fake here (`fake_telemetry.py`), so that it can refuse, linger and be deaf.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from lightning_tui.launch import request
from lightning_tui.record import RunDirectory, RunSnapshot
from lightning_tui.record.events import Stopping
from tests.conftest import wait_until
from tests.launch.support import Runs, events, rungs, wait_for_end

FAKE = Path(__file__).with_name("fake_telemetry.py").read_text()


def start(runs: Runs, mode: str, patience_s: float) -> RunDirectory:
    directory = runs.start(FAKE, mode, patience_s=patience_s)
    runs.wait_for("up")
    return directory


def stopped(directory: RunDirectory) -> RunSnapshot:
    request(directory, "stop")
    return wait_for_end(directory)


def test_a_stop_that_is_obeyed_needs_no_signal_and_waits_for_its_checkpoint(runs: Runs) -> None:
    """The checkpoint takes 1.5 seconds, longer than the patience of 0.5 s; while it grows, the countdown says so."""
    directory = start(runs, "obey", 0.5)
    ended = stopped(directory).ended
    assert ended is not None
    assert (ended.code, ended.signal, ended.cause, ended.detail) == (0, None, "stop", None)
    assert rungs(directory) == ["asked"]
    told = [event.saved_bytes for event in events(directory, Stopping) if event.is_saving]
    assert len(told) >= 2
    assert 0 < (told[-1] or 0) <= 1_500_000
    assert not events(directory, Stopping)[-1].is_saving
    assert ended.proof is not None
    assert (ended.proof.processes_gone, ended.proof.survivors, ended.proof.gpu_released) == (1, (), None)
    checkpoint = ended.proof.checkpoint
    assert checkpoint is not None
    assert (Path(checkpoint.path).name, checkpoint.is_complete) == ("stopped.ckpt", False), "zeros are no checkpoint"


def test_a_validation_that_is_longer_than_the_patience_is_waited_for(runs: Runs) -> None:
    directory = start(runs, "validate", 0.5)
    ended = stopped(directory).ended
    assert ended is not None
    assert (ended.code, ended.signal, ended.cause) == (0, None, "stop")
    assert rungs(directory) == ["asked"]
    assert any(event.is_validating and not event.is_saving for event in events(directory, Stopping))


def test_one_that_goes_on_after_its_checkpoint_gets_sigterm(runs: Runs) -> None:
    directory = start(runs, "linger", 0.3)
    ended = stopped(directory).ended
    assert ended is not None
    assert (ended.signal, ended.cause) == ("SIGTERM", "stop")
    assert rungs(directory) == ["asked", "sigterm"]


@pytest.mark.parametrize(("mode", "patience_s"), [("refuse", 600.0), ("deaf", 0.3)])
def test_one_that_does_not_obey_gets_sigterm(runs: Runs, mode: str, patience_s: float) -> None:
    directory = start(runs, mode, patience_s)
    ended = stopped(directory).ended
    assert ended is not None
    assert (ended.signal, ended.cause) == ("SIGTERM", "stop")
    assert rungs(directory)[-1] == "sigterm"


def test_the_countdown_is_told_anew_when_it_changes(runs: Runs) -> None:
    directory = start(runs, "obey", 30)
    stopped(directory)
    told = [event.next_rung_at for event in events(directory, Stopping)]
    assert len(set(told)) >= 2
    assert None not in told


def test_after_the_epoch_there_is_no_countdown(runs: Runs) -> None:
    directory = start(runs, "deaf", 0.3)
    request(directory, "stop", after="epoch")
    wait_until(lambda: events(directory, Stopping), what="the stop")
    (asked,) = events(directory, Stopping)
    assert (asked.rung, asked.next_rung_at) == ("asked", None)
    request(directory, "kill")
    wait_for_end(directory)
    assert rungs(directory) == ["asked", "sigkill"]


def test_a_run_that_ends_before_it_is_asked_twice_is_as_it_ended(runs: Runs) -> None:
    directory = start(runs, "deaf", 30)
    request(directory, "stop")
    wait_until(lambda: events(directory, Stopping), what="the stop")
    (runs.folder / "leave").touch()
    ended = wait_for_end(directory).ended
    assert ended is not None
    assert (ended.code, ended.cause) == (0, "stop")
