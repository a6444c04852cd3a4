"""The state of a run follows from its facts alone."""

from __future__ import annotations

from typing import Any

import pytest

from lightning_tui.record.events import Ended, ExceptionRaised, FitEnd, ProgramEnd, RankGone
from lightning_tui.record.state import QUEUED_PATIENCE_S, Facts, Failure, RunState, derive, first_failure
from tests.record.events import make

FIT_END = make(FitEnd)
STOPPED_FIT = make(FitEnd, finished=False, reason="stop")
BOOM = Failure(rank=1, type="ValueError", message="boom\nmore")
SIGTERM = Failure(rank=0, type="lightning.fabric.utilities.exceptions.SIGTERMException", message="")


def facts(**changes: Any) -> Facts:
    return Facts(**{"age_s": 60.0, "started": True, "supervisor_alive": True, "ranks_alive": True, **changes})


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"started": False}, RunState.QUEUED),
        ({"started": False, "supervisor_alive": False, "ranks_alive": False, "age_s": 1.0}, RunState.QUEUED),
        (
            {"started": False, "supervisor_alive": False, "ranks_alive": False, "age_s": QUEUED_PATIENCE_S + 1},
            RunState.LOST,
        ),
        ({}, RunState.STARTING),
        ({"stage": "setup"}, RunState.STARTING),
        ({"stage": "sanity_check"}, RunState.STARTING),
        ({"stage": "train"}, RunState.TRAINING),
        ({"stage": "validate"}, RunState.VALIDATING),
        ({"stage": "test"}, RunState.VALIDATING),
        ({"stage": "paused"}, RunState.PAUSED),
        ({"stage": "train", "stop_asked": True}, RunState.STOPPING),
        ({"supervisor_alive": False}, RunState.LOST),
        ({"supervisor_alive": False, "ranks_alive": False}, RunState.LOST),
        ({"supervisor_alive": False, "ranks_alive": False, "fit_end": FIT_END}, RunState.FINISHED),
        ({"supervisor_alive": False, "ranks_alive": False, "fit_end": STOPPED_FIT}, RunState.LOST),
    ],
)
def test_state_of_a_run_that_has_no_end_record(changes: dict[str, Any], state: RunState) -> None:
    assert derive(facts(**changes)).state is state


@pytest.mark.parametrize(
    ("ended", "changes", "state"),
    [
        ({}, {"fit_seen": True, "fit_end": FIT_END}, RunState.FINISHED),
        ({}, {}, RunState.FINISHED),
        ({}, {"fit_seen": True}, RunState.FAILED),
        ({}, {"fit_seen": True, "telemetry_broke": True}, RunState.FINISHED),
        ({}, {"fit_seen": True, "failure": SIGTERM}, RunState.STOPPED),
        ({"code": 1}, {}, RunState.FAILED),
        ({"code": 1}, {"failure": BOOM}, RunState.FAILED),
        ({"code": 0}, {"fit_seen": True, "fit_end": FIT_END, "failure": BOOM}, RunState.FAILED),
        ({"code": None, "signal": "SIGKILL"}, {}, RunState.FAILED),
        ({"code": None, "signal": "SIGTERM"}, {}, RunState.STOPPED),
        ({"cause": "kill", "signal": "SIGKILL", "code": None}, {}, RunState.KILLED),
        ({"cause": "stop"}, {"fit_end": STOPPED_FIT, "fit_seen": True}, RunState.STOPPED),
        ({"cause": "stop"}, {"fit_end": FIT_END, "fit_seen": True}, RunState.FINISHED),
        ({"cause": "stop"}, {"failure": SIGTERM}, RunState.STOPPED),
        ({"cause": "stop", "code": 1}, {"failure": BOOM}, RunState.FAILED),
        ({"cause": "launch", "code": None, "detail": "this interpreter does not exist"}, {}, RunState.FAILED),
    ],
)
def test_state_of_a_run_that_ended(ended: dict[str, Any], changes: dict[str, Any], state: RunState) -> None:
    verdict = derive(facts(ended=make(Ended, **ended), supervisor_alive=False, ranks_alive=False, **changes))
    assert verdict.state is state
    assert verdict.state.is_final


def test_a_lost_run_whose_ranks_live_says_that_stop_works() -> None:
    assert "stop and adopt work" in derive(facts(supervisor_alive=False)).detail


def test_the_failing_rank_and_the_first_line_are_named() -> None:
    verdict = derive(facts(ended=make(Ended, code=1), failure=BOOM))
    assert verdict.detail == "rank 1: ValueError: boom"


def test_first_failure_in_time_is_named() -> None:
    late, early = make(ExceptionRaised, time=12.0, message="late"), make(ExceptionRaised, time=11.0, message="early")
    failure = first_failure([(0, late), (3, early)], [], [0, 3])
    assert failure is not None
    assert (failure.rank, failure.message) == (3, "early")


def test_a_lost_connection_is_a_consequence_of_the_rank_that_vanished() -> None:
    peer_lost = make(ExceptionRaised, time=10.0, type="RuntimeError", message="[gloo] Connection closed by peer [::1]")
    failure = first_failure([(0, peer_lost)], [make(RankGone, time=10.4, rank=1)], [0])
    assert failure is not None
    assert (failure.rank, failure.type) == (1, "lost")


def test_a_lost_connection_is_named_where_nothing_else_is_known() -> None:
    peer_lost = make(ExceptionRaised, message="Connection reset by peer")
    failure = first_failure([(0, peer_lost)], [], [0])
    assert failure is not None
    assert failure.rank == 0


def test_the_signal_that_ended_rank_0_is_named() -> None:
    gone = [make(RankGone, rank=0), make(RankGone, rank=1)]
    failure = first_failure([], gone, [], make(Ended, code=None, signal="SIGSEGV"))
    assert failure is not None
    assert (failure.rank, failure.type) == (0, "SIGSEGV")


def test_a_rank_that_said_its_last_word_did_not_vanish() -> None:
    assert first_failure([], [make(RankGone, rank=1)], [1]) is None


def test_a_rank_that_left_in_the_middle_of_the_fit_is_what_the_others_fail_of() -> None:
    peer_lost = make(ExceptionRaised, time=10.0, type="RuntimeError", message="[gloo] Connection closed by peer [::1]")
    left = make(ProgramEnd, time=10.1, code=0)
    failure = first_failure([(0, peer_lost)], [], [0, 1], None, [(1, left)])
    assert failure is not None
    assert (failure.rank, failure.type) == (1, "SystemExit")
    assert first_failure([], [], [1], None, [(1, left)]) is None
