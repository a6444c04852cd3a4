"""The supervisor on real programs that end, fail, flood, fork and hang: how it says they ended, and what is left."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from lightning_tui.launch import request
from lightning_tui.launch.local import LaunchError, begin_supervision
from lightning_tui.launch.processes import marked_processes
from lightning_tui.record import RunDirectory, RunState, read_snapshot
from lightning_tui.record.directory import ATTEMPT_VARIABLE, RUN_VARIABLE, supervisor_alive
from lightning_tui.record.events import Ended, RankGone, Sampled, Stopping
from tests.conftest import wait_until
from tests.gpus.stub import build_stub, write_scene
from tests.launch.support import (
    SAY,
    Runs,
    events,
    output,
    program_pid,
    rungs,
    supervisor_pid,
    wait_for_end,
)

MIB = 1 << 20


@pytest.mark.parametrize(
    ("source", "code", "signal_name", "state"),
    [
        ("print('hello')", 0, None, RunState.FINISHED),
        ("import sys; sys.exit(3)", 3, None, RunState.FAILED),
        ("raise ValueError('broken')", 1, None, RunState.FAILED),
        ("import os; os._exit(0)", 0, None, RunState.FINISHED),
        ("import os; os.abort()", None, "SIGABRT", RunState.FAILED),
    ],
)
def test_the_end_is_told_as_it_was(
    runs: Runs, source: str, code: int | None, signal_name: str | None, state: RunState
) -> None:
    directory = runs.start(source)
    snapshot = wait_for_end(directory)
    ended = snapshot.ended
    assert ended is not None
    assert (ended.code, ended.signal, ended.cause, ended.cleaned) == (code, signal_name, "program", 0)
    assert snapshot.state is state
    assert directory.supervisor_stderr(0).read_text() == ""


def test_output_is_in_the_file_in_order_and_nothing_comes_from_stdin(runs: Runs) -> None:
    directory = runs.start(
        "import os, sys\nprint('out')\nprint('err', file=sys.stderr)\nos.system('echo from a child')\nprint(input())"
    )
    wait_for_end(directory)
    assert output(directory).startswith("out\nerr\nfrom a child\n")
    assert "EOFError" in output(directory)


def test_the_program_starts_as_if_by_hand(runs: Runs) -> None:
    """Default signals though the caller ignores some, a session of its own, its folder, its environment, the marker."""
    source = SAY + (
        "import json\n"
        "say('facts', json.dumps([signal.getsignal(signal.SIGINT) is signal.default_int_handler,"
        "signal.getsignal(signal.SIGHUP) == signal.SIG_DFL, list(signal.pthread_sigmask(0, ())),"
        "os.getsid(0) == os.getpid(),"
        f"os.getcwd(), os.environ['MINE'], os.environ['{RUN_VARIABLE}'], os.environ['{ATTEMPT_VARIABLE}'], sys.argv]))"
    )
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGHUP)}
    try:
        environ = os.environ | {"MINE": "yes", RUN_VARIABLE: "/another/run", ATTEMPT_VARIABLE: "7"}
        directory = runs.start(source, "--lr", "1", environ=environ)
    finally:
        for number, action in before.items():
            signal.signal(number, action)
    wait_for_end(directory)
    facts = (runs.folder / "facts").read_text()
    assert facts == (
        f'[true, true, [], true, "{runs.folder}", "yes", "{directory.path}", "0", ["program.py", "--lr", "1"]]'
    )


def test_100_mb_of_output_are_all_there_and_cost_the_supervisor_nothing(runs: Runs) -> None:
    source = SAY + (
        "wait_for('go')\n"
        f"for number in range(100): os.write(1, (str(number % 10) * {MIB - 1}).encode() + b'\\n')\n"
        "say('written'); wait_for('leave')"
    )
    directory = runs.start(source)
    wait_until(lambda: events(directory, Sampled), what="the first sample")
    supervisor = psutil.Process(supervisor_pid(directory))
    before = supervisor.memory_info().rss
    (runs.folder / "go").touch()
    runs.wait_for("written")
    seen = len(events(directory, Sampled))
    wait_until(lambda: len(events(directory, Sampled)) > seen, what="a sample after the flood")
    after = supervisor.memory_info().rss
    (runs.folder / "leave").touch()
    wait_for_end(directory)
    with directory.output(0, 0).open("rb") as file:
        assert [line[:1] for line in file] == [str(number % 10).encode() for number in range(100)]
    assert directory.output(0, 0).stat().st_size == 100 * MIB
    assert events(directory, Sampled)[-1].output_bytes == {"0": 100 * MIB}
    assert after - before < 4 * MIB
    assert after < 40 * MIB


def test_samples_tell_of_the_host_and_the_runs_share(runs: Runs) -> None:
    directory = runs.start(SAY + "wait_for('leave')")
    wait_until(lambda: len(events(directory, Sampled)) >= 3, what="three samples")
    (runs.folder / "leave").touch()
    wait_for_end(directory)
    sample = events(directory, Sampled)[2]
    assert (sample.host.run_processes, sample.host.cpu_percent is None) == (1, False)
    assert (sample.host.run_memory or 0) > MIB
    assert sample.gpus or sample.gpus_missing


class TestLeftovers:
    """Nothing of a run outlives it, except what not even SIGKILL ends."""

    def test_a_process_in_a_session_of_its_own_is_cleaned(self, runs: Runs) -> None:
        source = SAY + "say('pid', subprocess.Popen(['sleep', '1000'], start_new_session=True).pid)"
        directory = runs.start(source)
        ended = wait_for_end(directory).ended
        assert ended is not None
        assert (ended.code, ended.cause, ended.cleaned, ended.survivors) == (0, "program", 1, ())
        assert not psutil.pid_exists(int((runs.folder / "pid").read_text()))

    def test_one_that_ends_by_itself_in_a_moment_is_left_alone(self, runs: Runs) -> None:
        directory = runs.start(SAY + "subprocess.Popen(['sh', '-c', 'sleep 0.5; touch late'])")
        ended = wait_for_end(directory).ended
        assert ended is not None
        assert ended.cleaned == 0
        assert runs.says("late")


class TestStop:
    """The ladder on real processes. None of these programs has a Trainer."""

    def test_a_program_without_a_trainer_gets_sigterm_soon(self, runs: Runs) -> None:
        directory = runs.start(SAY + "say('up'); time.sleep(1000)")
        runs.wait_for("up")
        command = request(directory, "stop")
        snapshot = wait_for_end(directory)
        assert snapshot.ended is not None
        assert (snapshot.ended.signal, snapshot.ended.cause) == ("SIGTERM", "stop")
        assert snapshot.state is RunState.STOPPED
        assert rungs(directory) == ["asked", "sigterm"]
        asked = events(directory, Stopping)[0]
        assert asked.by == command.by
        assert asked.next_rung_at is not None
        assert asked.time < asked.next_rung_at < asked.time + 2

    def test_sigterm_goes_to_the_main_process_alone(self, runs: Runs) -> None:
        child = (
            "import signal, time; signal.signal(15, lambda *_: open('child-got-it', 'w'));"
            "open('up', 'w'); time.sleep(1000)"
        )
        source = SAY + (
            f"child = subprocess.Popen([sys.executable, '-c', {child!r}])\n"
            "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.3), child.kill(), sys.exit(0)))\n"
            "while True: time.sleep(1)"
        )
        directory = runs.start(source)
        runs.wait_for("up")
        request(directory, "stop")
        snapshot = wait_for_end(directory)
        assert snapshot.ended is not None
        assert (snapshot.ended.code, snapshot.ended.cause) == (0, "stop")
        assert not runs.says("child-got-it")

    def test_one_that_ignores_sigterm_is_killed_after_the_patience(self, runs: Runs) -> None:
        source = SAY + (
            "signal.signal(signal.SIGTERM, lambda *_: say('ignored'))\n"
            "subprocess.Popen(['sleep', '1000'], start_new_session=True)\n"
            "say('up')\nwhile True: time.sleep(1)"
        )
        directory = runs.start(source, patience_s=0.5)
        runs.wait_for("up")
        request(directory, "stop")
        snapshot = wait_for_end(directory)
        assert snapshot.ended is not None
        assert (snapshot.ended.signal, snapshot.ended.cause) == ("SIGKILL", "kill")
        assert snapshot.state is RunState.KILLED
        assert runs.says("ignored")
        assert rungs(directory) == ["asked", "sigterm", "sigkill"]
        assert events(directory, Stopping)[-1].next_rung_at is None

    def test_a_second_stop_is_harder_at_once(self, runs: Runs) -> None:
        source = SAY + "signal.signal(signal.SIGTERM, lambda *_: None)\nsay('up')\nwhile True: time.sleep(1)"
        directory = runs.start(source, patience_s=600)
        runs.wait_for("up")
        for rung in ("asked", "sigterm", "sigkill"):
            request(directory, "stop")
            wait_until(lambda: rungs(directory)[-1:] == [rung], what=rung)  # noqa: B023 called in this very turn
        assert wait_for_end(directory).state is RunState.KILLED

    def test_kill_is_at_once_and_for_all(self, runs: Runs) -> None:
        source = SAY + (
            "signal.signal(signal.SIGTERM, lambda *_: say('sigterm'))\n"
            "subprocess.Popen(['sleep', '1000'], start_new_session=True)\nsay('up')\ntime.sleep(1000)"
        )
        directory = runs.start(source)
        runs.wait_for("up")
        request(directory, "kill")
        snapshot = wait_for_end(directory)
        assert snapshot.ended is not None
        assert (snapshot.ended.signal, snapshot.ended.cause) == ("SIGKILL", "kill")
        assert rungs(directory) == ["sigkill"]
        assert not runs.says("sigterm")
        assert events(directory, RankGone) == [], "who was killed on request is no loss"

    def test_sigterm_to_the_supervisor_is_a_gentle_stop(self, runs: Runs) -> None:
        directory = runs.start(SAY + "say('up'); time.sleep(1000)")
        runs.wait_for("up")
        os.kill(supervisor_pid(directory), signal.SIGTERM)
        snapshot = wait_for_end(directory)
        assert snapshot.state is RunState.STOPPED
        assert [view.command.by for view in snapshot.commands] == ["SIGTERM to the supervisor"]
        assert rungs(directory) == ["asked", "sigterm"]

    def test_the_supervisor_ignores_hangup_and_interrupt(self, runs: Runs) -> None:
        directory = runs.start(SAY + "wait_for('leave')")
        pid = supervisor_pid(directory)
        for number in (signal.SIGHUP, signal.SIGINT):
            os.kill(pid, number)
        (runs.folder / "leave").touch()
        assert wait_for_end(directory).state is RunState.FINISHED


class TestRanks:
    """A rank that vanishes is named, the lowest first; one that we ended ourselves is not."""

    def test_a_killed_main_process_is_rank_0(self, runs: Runs) -> None:
        directory = runs.start(SAY + "say('up'); time.sleep(1000)")
        runs.wait_for("up")
        os.kill(program_pid(directory), signal.SIGKILL)
        snapshot = wait_for_end(directory)
        assert [(event.rank, event.pid) for event in events(directory, RankGone)] == [(0, program_pid(directory))]
        assert snapshot.state is RunState.FAILED
        assert "rank 0" in snapshot.detail

    SECOND_RANK = SAY + (
        "import json\n"
        "rank = subprocess.Popen(['sleep', '1000'])\n"
        f"path = Path(os.environ['{RUN_VARIABLE}']) / 'attempt-0/events/rank-1.jsonl'\n"
        "hello = dict(event='hello', seq=0, time=time.time(), rank=1, local_rank=1, node_rank=0, world_size=2, "
        "host=os.uname().nodename, pid=rank.pid, started_at=time.time(), executable='', python='', argv=[])\n"
        "path.write_text(json.dumps(hello) + '\\n')\nsay('rank', rank.pid)\nwait_for('leave')"
    )
    """A program that says hello for a second rank of its own."""

    def start_two_ranks(self, runs: Runs) -> tuple[RunDirectory, int]:
        """Start it; returns the run and the pid of rank 1, once the supervisor has surely heard of it."""
        directory = runs.start(self.SECOND_RANK)
        runs.wait_for("rank")
        pid = int((runs.folder / "rank").read_text())
        seen = len(events(directory, Sampled))
        wait_until(lambda: len(events(directory, Sampled)) >= seen + 2, what="two samples, and so a look at the ranks")
        return directory, pid

    def test_a_killed_rank_is_noticed_while_the_others_go_on(self, runs: Runs) -> None:
        directory, pid = self.start_two_ranks(runs)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: events(directory, RankGone), what="the loss of rank 1")
        assert [(event.rank, event.pid) for event in events(directory, RankGone)] == [(1, pid)]
        assert events(directory, Ended) == []
        (runs.folder / "leave").touch()
        snapshot = wait_for_end(directory)
        assert snapshot.state is RunState.FAILED
        assert "rank 1" in snapshot.detail

    def test_ranks_that_are_killed_on_request_are_no_loss(self, runs: Runs) -> None:
        directory, _ = self.start_two_ranks(runs)
        request(directory, "kill")
        assert wait_for_end(directory).state is RunState.KILLED
        assert events(directory, RankGone) == []


def test_a_second_supervisor_is_refused(runs: Runs) -> None:
    directory = runs.start(SAY + "wait_for('leave')")
    for arguments in (["--", sys.executable, "-c", "open('second', 'w')"], ["--adopt"]):
        with pytest.raises(LaunchError, match="Another supervisor is already watching this run"):
            begin_supervision(directory, arguments, folder=runs.folder, environ=os.environ)
    (runs.folder / "leave").touch()
    assert wait_for_end(directory).state is RunState.FINISHED
    assert not runs.says("second")


def test_a_full_disk_stops_no_supervision_and_is_made_up_for(runs: Runs) -> None:
    """The supervisor's files cannot grow while the program ends; once they can, its end is told."""
    directory = runs.start(SAY + "wait_for('leave'); sys.exit(5)")
    wait_until(lambda: events(directory, Sampled), what="the first sample")
    pid, log = supervisor_pid(directory), directory.supervisor_log(0)
    program = program_pid(directory)
    unlimited = resource.prlimit(pid, resource.RLIMIT_FSIZE, (log.stat().st_size + 10, resource.RLIM_INFINITY))
    (runs.folder / "leave").touch()
    wait_until(lambda: not psutil.pid_exists(program), 20, "the program's end, and that it is reaped")
    assert supervisor_alive(directory)
    assert b'"ended"' not in log.read_bytes()
    resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)
    snapshot = wait_for_end(directory)
    assert snapshot.ended is not None
    assert (snapshot.ended.code, snapshot.ended.cause) == (5, "program")


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is needed to build the stand-in library")
class TestGpus:
    """GPUs come from a stand-in for the driver's library."""

    def test_gpus_are_sampled_up_to_the_end(self, runs: Runs, tmp_path: Path) -> None:
        scene = write_scene(tmp_path / "scene", {"gpus": 2, "throttle": 4})
        environ = os.environ | {"LD_LIBRARY_PATH": str(build_stub(tmp_path)), "FAKE_NVML_SCENE": str(scene)}
        directory = runs.start(SAY + "wait_for('leave')", environ=environ)
        wait_until(
            lambda: sum(bool(sample.gpus) for sample in events(directory, Sampled)) > 1, what="two samples of GPUs"
        )
        pid = program_pid(directory)
        write_scene(scene, {"gpus": 2, "processes.1": f"{pid}:4096"})
        (runs.folder / "leave").touch()
        snapshot = wait_for_end(directory)
        (node,) = snapshot.nodes
        assert (node.name, node.gpus_missing) == (os.uname().nodename, None)
        assert [(gpu.index, gpu.uuid) for gpu in node.gpus] == [(0, "GPU-00000000"), (1, "GPU-00000001")]
        assert [process.pid for process in node.gpus[1].processes or ()] == [pid], "the last look is a thorough one"
        assert node.gpus[1].throttled == ()
        assert len(snapshot.gpu_history[node.name, 1, None].utilization) >= 2
        assert directory.supervisor_log(0).read_bytes().count(b"GPU-00000001") == 1

    def test_a_driver_that_hangs_holds_nobody_up(self, runs: Runs, tmp_path: Path) -> None:
        environ = os.environ | {"LD_LIBRARY_PATH": str(build_stub(tmp_path)), "FAKE_NVML_HANG": "0"}
        directory = runs.start(SAY + "wait_for('leave')", environ=environ)
        wait_until(lambda: len(events(directory, Sampled)) >= 2, what="two samples")
        (runs.folder / "leave").touch()
        assert wait_for_end(directory).state is RunState.FINISHED
        sample = events(directory, Sampled)[1]
        assert (sample.gpus, sample.host.cpu_percent is None) == ((), False)
        assert "has not answered" in str(sample.gpus_missing)


class TestAdoption:
    """A supervisor that is killed takes nothing with it, and another can take its place."""

    def orphaned(self, runs: Runs, source: str = "say('up'); time.sleep(1000)") -> tuple[int, Runs]:
        directory = runs.start(SAY + source)
        runs.wait_for("up")
        os.kill(supervisor_pid(directory), signal.SIGKILL)
        wait_until(lambda: not supervisor_alive(directory), what="the supervisor's death")
        return program_pid(directory), runs

    def test_the_program_goes_on_and_a_stop_still_works(self, runs: Runs) -> None:
        pid, _ = self.orphaned(runs)
        (directory,) = runs.store.directories()
        snapshot = read_snapshot(directory)
        assert (snapshot.state, snapshot.detail) == (
            RunState.LOST,
            "supervisor gone, ranks still training: stop and adopt work",
        )
        assert marked_processes(directory) == [pid]
        request(directory, "stop")
        snapshot = wait_for_end(directory)
        assert snapshot.ended is not None
        assert (snapshot.ended.code, snapshot.ended.signal, snapshot.ended.cause) == (None, None, "stop")
        assert snapshot.state is RunState.STOPPED
        assert rungs(directory) == ["asked", "sigterm"]
        numbers = [event.seq for kind in (Sampled, Stopping, Ended) for event in events(directory, kind)]
        assert len(numbers) == len(set(numbers)), "the second supervisor goes on counting"

    def test_kill_works_too(self, runs: Runs) -> None:
        self.orphaned(runs, "subprocess.Popen(['sleep', '1000'], start_new_session=True); say('up'); time.sleep(1000)")
        (directory,) = runs.store.directories()
        assert len(marked_processes(directory)) == 2
        request(directory, "kill")
        snapshot = wait_for_end(directory)
        assert snapshot.ended is not None
        assert (snapshot.ended.cause, snapshot.state) == ("kill", RunState.KILLED)

    def test_an_end_that_nobody_asked_for_is_unknown(self, runs: Runs) -> None:
        self.orphaned(runs, "say('up'); wait_for('leave')")
        (directory,) = runs.store.directories()
        begin_supervision(directory, ["--adopt"], folder=runs.folder, environ=os.environ)
        (runs.folder / "leave").touch()
        snapshot = wait_for_end(directory)
        assert snapshot.ended is not None
        assert (snapshot.ended.code, snapshot.ended.cause) == (None, "unknown")

    def test_a_run_that_is_over_is_not_adopted(self, runs: Runs) -> None:
        directory = runs.start("")
        wait_for_end(directory)
        with pytest.raises(LaunchError, match="has ended"):
            begin_supervision(directory, ["--adopt"], folder=runs.folder, environ=os.environ)


def test_usage_is_checked(tmp_path: Path) -> None:
    for arguments in ([], [str(tmp_path)], [str(tmp_path), "--adopt", "--", "x"], [str(tmp_path), "--patience", "x"]):
        done = subprocess.run(
            [sys.executable, "-m", "lightning_tui.launch.supervisor", *arguments], capture_output=True, check=False
        )
        assert done.returncode == 2
        assert b"usage" in done.stderr
