"""Faults of the ground below a run: a full disk, a quota, a home that is moved or gone, another host, another boot."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import psutil
import pytest

from lightning_tui.launch import adopt_run
from lightning_tui.launch.child import AdoptedProgram
from lightning_tui.launch.journal import Journal
from lightning_tui.launch.local import LaunchError
from lightning_tui.launch.processes import process_facts
from lightning_tui.record import RunDirectory, RunReader, RunState, RunStore, read_snapshot
from lightning_tui.record.directory import boot_id
from lightning_tui.record.events import Ended, Event, Hello, Progress, RankGone, RecordGap, Sampled, SupervisorStarted
from lightning_tui.record.snapshot import snapshot_of
from tests.conftest import wait_until
from tests.launch.support import SAY, Runs, events, program_pid, supervisor_pid, wait_for_end
from tests.record.events import make

ON_A_FULL_DISK = """
import os, sys, time
from pathlib import Path

from lightning_tui.launch import resolve_program, start_run
from lightning_tui.record import RunStore, read_snapshot
from lightning_tui.record.directory import supervisor_alive

home, folder = Path(sys.argv[1]), Path(sys.argv[2])

def wait_until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)

def count():
    return int((folder / "count").read_text() or 0) if (folder / "count").exists() else 0

program = resolve_program(["program.py"], interpreter=Path(sys.executable), interpreter_is_given=True,
                          folder=folder, environ=os.environ)
directory = start_run(RunStore(home), program, {}, environ=os.environ)
wait_until(lambda: b'"sample"' in directory.supervisor_log(0).read_bytes())
filler = os.open(home / "filler", os.O_WRONLY | os.O_CREAT)
try:
    while True:
        os.write(filler, bytes(1 << 12))
except OSError as error:
    print(error.strerror, flush=True)
log = directory.supervisor_log(0)
with log.open("a") as file:  # a page of it may still have room: fill that too
    start, end = '{"event":"sample","seq":0,"time":0,"host":{},"gpus":[],"pad":"', '"}'
    file.write(start + "x" * (-(log.stat().st_size + len(start) + len(end) + 1) % 4096) + end + chr(10))
before, size = count(), log.stat().st_size
wait_until(lambda: count() > before + 70)
assert supervisor_alive(directory)
grown = directory.supervisor_log(0).stat().st_size - size
os.close(filler)
(home / "filler").unlink()
(folder / "leave").touch()
wait_until(lambda: not supervisor_alive(directory))
snapshot = read_snapshot(directory)
print(grown, snapshot.ended.code, snapshot.ended.cause, "|".join(snapshot.notices))
"""


def write(path: Path, *events: Event) -> None:
    with path.open("ab") as file:
        file.write(b"".join(msgspec.json.encode(event) + b"\n" for event in events))


def write_rank(directory: RunDirectory, *events: Event) -> None:
    write(directory.events(0) / "rank-0.jsonl", *events)


def _small_disk_is_allowed() -> bool:
    if shutil.which("unshare") is None:
        return False
    trial = ["unshare", "-rm", "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", "/mnt"]
    return subprocess.run(trial, capture_output=True, check=False).returncode == 0


def test_a_disk_that_fills_up_stops_neither_training_nor_supervision(runs: Runs, tmp_path: Path) -> None:
    """A real file system of one megabyte, which only the processes of this test see."""
    if not _small_disk_is_allowed():
        pytest.skip("this machine lets nobody mount a file system of their own (unshare -rm)")
    (runs.folder / "program.py").write_text(
        SAY + "number = 0\nwhile not Path('leave').exists():\n"
        "    number += 1; say('count', number); print('x' * 1000); time.sleep(0.02)\n"
    )
    (tmp_path / "job.py").write_text(ON_A_FULL_DISK)
    runs.store.home.mkdir()
    mount = 'mount -t tmpfs -o size=1m tmpfs "$1" && exec "$2" "$3" "$1" "$4"'
    words = [str(runs.store.home), sys.executable, str(tmp_path / "job.py"), str(runs.folder)]
    environ = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", mount, "sh", *words], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    reason, result = done.stdout.splitlines()
    assert reason == os.strerror(errno.ENOSPC)
    grown, code, cause, notices = result.split(" ", 3)
    assert (int(grown) < 4096, code, cause) == (True, "0", "program")
    assert f"{reason}: samples of " in notices


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE])
def test_what_cannot_be_written_is_owed_and_the_gap_is_told_once(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Disk full, quota, read-only, a broken or a stale file system: `os.write` is made to fail as they let it."""
    path = tmp_path / "0.jsonl"
    journal = Journal(path)

    def refuse(descriptor: int, data: bytes) -> int:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as broken:
        broken.setattr("lightning_tui.record.append.os.write", refuse)
        journal.report(RankGone, rank=1, pid=7)
        for _ in range(3):
            assert not journal.settle()
    assert path.read_bytes() == b""
    assert journal.settle()
    assert journal.settle()
    told = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(event["event"], event["seq"]) for event in told] == [("rank_gone", 0), ("record_gap", 1)]
    assert told[1]["reason"] == os.strerror(number)


def test_a_home_that_is_moved_away_takes_the_run_along(runs: Runs, tmp_path: Path) -> None:
    directory = runs.start(SAY + "say('up'); wait_for('leave')")
    wait_until(lambda: events(directory, Sampled), what="the first sample")
    moved = RunDirectory(tmp_path / "elsewhere" / directory.id)
    runs.store.home.rename(moved.path.parent)
    assert psutil.pid_exists(program_pid(moved))
    (runs.folder / "leave").touch()
    snapshot = wait_for_end(moved)
    assert (snapshot.state, snapshot.record.id) == (RunState.FINISHED, directory.id)
    assert moved.supervisor_stderr(0).read_text() == ""


def test_a_home_that_is_gone_and_commands_that_cannot_be_read_end_no_training(runs: Runs) -> None:
    directory = runs.start(SAY + "say('up'); wait_for('leave'); say('done')")
    wait_until(lambda: events(directory, Sampled), what="the first sample")
    supervisor = psutil.Process(supervisor_pid(directory))
    shutil.rmtree(directory.commands)
    directory.commands.write_text("no folder any more")
    seen = len(events(directory, Sampled))
    wait_until(lambda: len(events(directory, Sampled)) > seen, what="samples all the same")
    shutil.rmtree(runs.store.home)
    (runs.folder / "leave").touch()
    runs.wait_for("done")
    wait_until(lambda: not supervisor.is_running(), 20, "the supervisor's end, with nobody left to tell")


def test_a_process_that_has_got_the_pid_of_another_is_not_taken_for_it() -> None:
    facts = process_facts(os.getpid())
    assert facts is not None
    program = AdoptedProgram(os.getpid())
    assert program.exit() is None
    program._facts = type(facts)(facts.pid, facts.parent, facts.ticks - 1, False)
    assert program.exit() is not None
    program.terminate()  # would end this very process


@pytest.fixture
def left(tmp_path: Path) -> RunDirectory:
    """A run whose supervisor said that it began, and nothing after that."""
    from lightning_tui.record.directory import ProgramRecord

    record = ProgramRecord(label="x", given=["x"], folder="/", interpreter="python")
    directory, _ = RunStore(tmp_path / "home").create(program=record, plan={}, now=0.0)
    write_rank(directory, make(Hello), make(Progress, global_step=412))
    return directory


def test_a_host_that_was_started_anew_is_told_with_the_last_step(left: RunDirectory) -> None:
    write(left.supervisor_log(0), make(SupervisorStarted, boot_id="of-another-boot"))
    snapshot = read_snapshot(left)
    assert snapshot.state is RunState.LOST
    assert snapshot.detail.startswith("the host was rebooted; last known step 412: relaunch")
    with pytest.raises(LaunchError, match=r"the host was rebooted.*lightning-tui relaunch"):
        adopt_run(left)


def test_a_run_of_another_host_is_not_adopted_from_here_and_lives_while_it_is_heard_of(left: RunDirectory) -> None:
    log = left.supervisor_log(0)
    write(log, make(SupervisorStarted, host="node7", boot_id="of-node7"))
    reader = RunReader(left)
    while reader.poll():
        pass
    lost = reader.snapshot()
    assert (lost.state, lost.detail) == (
        RunState.LOST,
        "it runs or ran on node7; its supervisor cannot be seen from this machine; last known step 412",
    )
    with pytest.raises(LaunchError, match=r"ran on node7\. Adopt it there"):
        adopt_run(left)
    with log.open("a") as file:
        file.write('{"event":"sample","seq":1,"time":1.0,"host":{},"gpus":[]}\n')
    reader.poll()
    assert reader.snapshot().state is RunState.TRAINING, "its lock may not be seen from here, but it speaks"


def test_this_host_has_a_boot_id() -> None:
    assert boot_id() == Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def test_a_clock_that_jumps_confuses_no_estimate(left: RunDirectory) -> None:
    """Set back by a day amid the training, and forth by a week: what is derived of times stays possible."""
    day = 86_400.0
    times = [*range(1000, 1010), *(1010 - day + n for n in range(10)), *(1020 + 7 * day + n for n in range(10))]
    steps = [
        make(Progress, time=float(time), global_step=n + 1, batch=n + 1, total_batches=100, max_epochs=1)
        for n, time in enumerate(times)
    ]
    write_rank(left, make(Hello), *steps)
    write(left.supervisor_log(0), make(SupervisorStarted, boot_id=boot_id(), time=1000.0), make(Ended, time=900.0))
    progress = read_snapshot(left).progress
    assert progress is not None
    assert progress.global_step == 30
    reader = RunReader(left)
    reader.poll()
    reader.history.ended = None
    live = snapshot_of(reader.history, supervisor_alive=True, ranks_alive=True, now=5.0).progress
    assert live is not None
    assert live.eta_s is not None
    assert 0 <= live.eta_s < 100 * day
    assert live.usual_s is not None
    assert live.usual_s >= 0


def test_a_gap_is_a_notice(left: RunDirectory) -> None:
    write(
        left.supervisor_log(0),
        make(SupervisorStarted),
        RecordGap(seq=9, time=1.0, since=0.0, seconds=61, reason="No space left on device"),
    )
    assert read_snapshot(left).notices == ("No space left on device: samples of 61 s are missing from the record",)
