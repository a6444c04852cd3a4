"""Restarts: what is worth another attempt, from which checkpoint, and when it gets nowhere. The training is a fake."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import msgspec
import pytest

from lightning_tui.diagnosis.rules import all_rules
from lightning_tui.launch import request, resolve_program, start_run
from lightning_tui.launch.local import begin_supervision
from lightning_tui.launch.restarts import CURABLE, KILLED, AttemptEnd, Tally, decide, pause_s
from lightning_tui.record import RunDirectory, RunState, read_snapshot
from lightning_tui.record.commands import Operation
from lightning_tui.record.directory import supervisor_alive
from lightning_tui.record.events import Restarting
from lightning_tui.record.summaries import Summaries, summarize
from tests.conftest import wait_until
from tests.launch.support import Runs, events, program_pid, supervisor_pid, wait_for_end

FAKE = Path(__file__).with_name("fake_training.py").read_text()

KILLED_AT_9 = AttemptEnd(
    has_failed=True, category="worker-sigkill", title="Rank 0 was killed", signal="SIGKILL", step=9, good_step=8
)


def start(runs: Runs, *ends: str, most: int = 3, pause: float = 0.1) -> RunDirectory:
    (runs.folder / "program.py").write_text(FAKE)
    program = resolve_program(
        ["program.py", *ends],
        interpreter=Path(sys.executable),
        interpreter_is_given=True,
        folder=runs.folder,
        environ=os.environ,
    )
    return start_run(runs.store, program, {}, environ=os.environ, max_restarts=most, restart_pause_s=pause)


class TestDecision:
    """The decision by itself."""

    def test_what_does_not_fail_or_may_not_be_restarted_is_no_matter(self) -> None:
        assert decide(msgspec.structs.replace(KILLED_AT_9, has_failed=False), Tally(), 3).reason == ""
        assert decide(KILLED_AT_9, Tally(), 0).tally is None

    def test_a_killed_worker_is_restarted_from_its_checkpoint(self) -> None:
        decision = decide(KILLED_AT_9, Tally(), 3)
        assert decision.tally == Tally(in_a_row=1, idle=0, began_at=8)
        assert (decision.reason, decision.category) == ("Rank 0 was killed", "worker-sigkill")

    @pytest.mark.parametrize(
        "category",
        [
            *("shape-mismatch", "cuda-oom", "nan-loss", "missing-module", "user-exception", "host-oom-killed"),
            *("disk-full", "keyboard-interrupt", "gpu-hardware-error", "collective-mismatch", "sigterm"),
        ],
    )
    def test_what_comes_again_is_not(self, category: str) -> None:
        decision = decide(msgspec.structs.replace(KILLED_AT_9, category=category, title="It broke"), Tally(), 3)
        assert decision.tally is None
        assert decision.reason == "a restart does not fix this: It broke"

    def test_a_kill_where_memory_was_full_was_the_kernels(self) -> None:
        decision = decide(msgspec.structs.replace(KILLED_AT_9, memory_share=0.97), Tally(), 3)
        assert "memory was full" in decision.reason

    def test_a_program_that_says_nothing_is_known_by_its_signal(self) -> None:
        silent = AttemptEnd(has_failed=True, signal="SIGKILL")
        assert decide(silent, Tally(), 3).tally == Tally(1, 1, 0)
        assert decide(msgspec.structs.replace(silent, signal=None), Tally(), 3).tally is None

    def test_sigterm_from_outside_is_a_preemption_in_a_slurm_job_alone(self) -> None:
        end = AttemptEnd(has_failed=True, category="sigterm", signal="SIGTERM", step=9, good_step=8)
        assert decide(end, Tally(), 3).tally is None
        assert decide(msgspec.structs.replace(end, in_slurm=True), Tally(), 3).tally is not None

    def test_getting_on_counts_from_the_start_again(self) -> None:
        tally = Tally(in_a_row=3, began_at=8)
        assert decide(msgspec.structs.replace(KILLED_AT_9, step=13, good_step=12), tally, 3).tally == Tally(1, 0, 12)
        stuck = decide(msgspec.structs.replace(KILLED_AT_9, step=11), tally, 3)
        assert (stuck.tally, stuck.reason) == (None, "3 restarts did not get past step 8")

    def test_a_loop_without_a_step_ends_it(self) -> None:
        end = msgspec.structs.replace(KILLED_AT_9, step=None, good_step=None)
        first = decide(end, Tally(), 100)
        assert first.tally is not None
        assert decide(end, first.tally, 100).reason == "2 attempts in a row did not complete a step"

    def test_the_pause_grows_up_to_a_limit(self) -> None:
        assert [pause_s(number) for number in (1, 2, 3, 7, 1000)] == [5, 10, 20, 300, 300]

    def test_diagnosis_knows_all_these_categories(self) -> None:
        assert {rule.category for rule in all_rules()} >= CURABLE | KILLED


class TestRuns:
    """Real supervisors over fake trainings."""

    def test_it_goes_on_from_the_last_good_checkpoint_until_it_is_done(self, runs: Runs) -> None:
        directory = start(runs, "kill@6", "kill@10", "finish@16")
        snapshot = wait_for_end(directory)
        assert (snapshot.state, snapshot.attempt) == (RunState.FINISHED, 2)
        told = [(r.attempt, r.number, r.most, r.category, r.signal, r.global_step) for r in snapshot.restarts]
        assert told == [(1, 1, 3, "worker-sigkill", "SIGKILL", 4), (2, 1, 3, "worker-sigkill", "SIGKILL", 8)]
        assert "restart 1 of 3 from step 8 after: " in snapshot.notices[-1]
        assert snapshot.progress is not None
        assert snapshot.progress.global_step == 16
        assert (snapshot.metrics["train_loss"].count, snapshot.timeline is not None) == (6 + 6 + 8, True)
        assert directory.attempts() == [0, 1, 2]
        assert snapshot.ended is not None
        assert (snapshot.ended.code, snapshot.ended.cause, snapshot.failure) == (0, "program", None)
        assert snapshot.ended.proof is not None
        assert snapshot.ended.proof.ranks_gone == 1
        left = Summaries(runs.store.home).get(directory.id)
        assert left is not None, "the first list need not read it"
        assert msgspec.structs.replace(left, size=None) == msgspec.structs.replace(summarize(directory), size=None)

    def test_what_a_restart_does_not_cure_ends_the_run(self, runs: Runs) -> None:
        snapshot = wait_for_end(start(runs, "shape@6"))
        assert (snapshot.state, snapshot.restarts) == (RunState.FAILED, ())
        assert [notice for notice in snapshot.notices if notice.startswith("not restarted: a restart does not fix")]
        assert "shapes cannot be multiplied" in snapshot.detail

    @pytest.mark.parametrize(("end", "state"), [("stop", RunState.STOPPED), ("kill", RunState.KILLED)])
    def test_a_pause_can_be_ended(self, runs: Runs, end: Operation, state: RunState) -> None:
        directory = start(runs, "kill@6", pause=1000)
        wait_until(lambda: events(directory, Restarting), 30, "the restart")
        waiting = read_snapshot(directory)
        assert waiting.state is RunState.STARTING
        assert waiting.detail.startswith("restart 1 of 3 from step 4 after: ")
        request(directory, end)
        snapshot = wait_for_end(directory)
        assert snapshot.state is state
        assert "while waiting to restart" in snapshot.detail
        assert snapshot.notices == (), "that restart never came"

    def test_a_supervisor_that_has_adopted_the_run_starts_it_again_too(self, runs: Runs) -> None:
        """It reads from the kernel how the program was started, which no file says in full."""
        directory = start(runs, "wait@6", "finish@9")
        runs.wait_for("attempt-0")
        os.kill(supervisor_pid(directory), signal.SIGKILL)
        wait_until(lambda: not supervisor_alive(directory), what="the supervisor's death")
        begin_supervision(directory, ["--adopt", "--restart-pause", "0.1"], folder=directory.path, environ={})
        os.kill(program_pid(directory), signal.SIGKILL)
        snapshot = wait_for_end(directory)
        assert (snapshot.state, snapshot.attempt, len(snapshot.restarts)) == (RunState.FINISHED, 1, 1)
        assert snapshot.restarts[0].global_step == 4
