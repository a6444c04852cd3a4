"""Starting a run: what is written, what the caller is left with, and that the run belongs to nobody."""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import subprocess
import sys
import termios
import time
from pathlib import Path

import psutil
import pytest

from lightning_tui.launch import Program, request, start_run
from lightning_tui.launch.local import LaunchError
from lightning_tui.record import RecordError, RunDirectory, RunState, RunStore, read_snapshot
from lightning_tui.record.commands import read_commands
from lightning_tui.record.directory import ProgramRecord
from lightning_tui.record.events import Sampled
from tests.conftest import wait_until
from tests.launch.support import SAY, Runs, all_bytes, events, program_pid, supervisor_pid, wait_for_end

SECRET = "hf_0123456789abcdefghij"


def program(folder: Path, *arguments: str, interpreter: str = sys.executable) -> Program:
    return Program(
        label="program.py",
        given=list(arguments),
        shim_arguments=list(arguments),
        folder=folder,
        interpreter=Path(interpreter),
    )


def test_the_record_says_what_was_asked(runs: Runs) -> None:
    directory = start_run(
        runs.store,
        program(runs.folder, "-m", "this"),
        {"max_steps": 30},
        environ=os.environ,
        parent="earlier-123456",
        environment={"platform": "local"},
        now=1234.5,
    )
    wait_for_end(directory)
    record = directory.read_record()
    assert (record.created_at, record.parent, record.plan) == (1234.5, "earlier-123456", {"max_steps": 30})
    assert record.environment == {"platform": "local"}
    assert record.made_by.startswith("lightning-tui ")
    assert record.program.folder == str(runs.folder)


def test_secrets_reach_the_program_and_no_file(runs: Runs) -> None:
    directory = runs.start(SAY + "say('secrets', sys.argv[2:])", "--api-key", "s3cret-word", f"token={SECRET}")
    wait_for_end(directory)
    assert "s3cret-word" in (runs.folder / "secrets").read_text()
    assert SECRET in (runs.folder / "secrets").read_text()
    written = all_bytes(directory.path.rglob("*"))
    assert b"s3cret-word" not in written
    assert SECRET.encode() not in written
    assert directory.read_record().program.given == ["program.py", "--api-key", "•••", "token=•••"]


def test_all_of_it_is_private(runs: Runs) -> None:
    before = os.umask(0)
    try:
        directory = runs.start(SAY + "say('mask', os.umask(0))")
    finally:
        os.umask(before)
    assert wait_for_end(directory).state is RunState.FINISHED
    for path in (directory.path, *directory.path.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert (runs.folder / "mask").read_text() == "0", "the program's own files are its own business"


def test_nothing_is_left_to_the_caller(runs: Runs) -> None:
    directory = runs.start(SAY + "wait_for('leave')")
    assert psutil.Process().children() == []
    wait_until(lambda: events(directory, Sampled), what="the first sample, with which all modules are loaded")
    supervisor = psutil.Process(supervisor_pid(directory))
    assert os.getsid(supervisor.pid) not in (os.getsid(0), os.getsid(program_pid(directory)))
    descriptors = [str(entry.readlink()) for entry in Path(f"/proc/{supervisor.pid}/fd").iterdir()]
    allowed = ("/dev/null", str(directory.path))
    assert [target for target in descriptors if not target.startswith(allowed)] == []
    (runs.folder / "leave").touch()
    wait_for_end(directory)


def test_the_run_outlives_its_caller_and_the_terminal(runs: Runs) -> None:
    """The caller is killed and its terminal hung up, as a dropped connection does it."""
    (runs.folder / "program.py").write_text(
        SAY + "for n in range(100000):\n    say('count', n)\n    print(n)\n    time.sleep(0.02)"
    )
    caller_code = (
        "import os, sys, time; from pathlib import Path\n"
        "from lightning_tui.launch import resolve_program, start_run\n"
        "from lightning_tui.record import RunStore\n"
        "folder = Path(sys.argv[2])\n"
        "program = resolve_program(['program.py'], interpreter=Path(sys.executable), interpreter_is_given=True,"
        " folder=folder, environ=os.environ)\n"
        "start_run(RunStore(Path(sys.argv[1])), program, {}, environ=os.environ)\n"
        "(folder / 'started').touch(); time.sleep(1000)"
    )
    terminal, end = os.openpty()
    caller = subprocess.Popen(
        [sys.executable, "-c", caller_code, str(runs.store.home), str(runs.folder)],
        stdin=end,
        stdout=end,
        stderr=end,
        start_new_session=True,
        preexec_fn=lambda: _take_terminal(end),
    )
    os.close(end)
    try:
        runs.wait_for("started")
        runs.wait_for("count")
    finally:
        caller.kill()
        caller.wait()
        os.close(terminal)
    (directory,) = runs.store.directories()
    count = int((runs.folder / "count").read_text())
    wait_until(lambda: int((runs.folder / "count").read_text()) > count + 10, what="more of the program's work")
    assert read_snapshot(directory).state is RunState.STARTING
    request(directory, "stop")
    assert wait_for_end(directory).state is RunState.STOPPED


def _take_terminal(descriptor: int) -> None:
    fcntl.ioctl(descriptor, termios.TIOCSCTTY, 0)


def test_modules_of_the_programs_folder_do_not_reach_the_supervisor(runs: Runs) -> None:
    """A project may well have a `msgspec.py` or a `json.py`, and point PYTHONPATH at them."""
    for name in ("msgspec", "psutil", "json", "argparse", "sitecustomize"):
        (runs.folder / f"{name}.py").write_text(f"open({str(runs.folder / 'shadowed')!r}, 'w')")
    environ = os.environ | {"PYTHONPATH": str(runs.folder)}
    directory = start_run(runs.store, program(runs.folder, "program.py", interpreter="/bin/true"), {}, environ=environ)
    snapshot = wait_for_end(directory)
    assert snapshot.ended is not None
    assert snapshot.ended.code == 0
    assert not runs.says("shadowed")


class TestCannotStart:
    """Clear words for every way in which a run does not even begin."""

    def test_a_missing_interpreter_is_the_end_of_the_run(self, runs: Runs) -> None:
        directory = start_run(
            runs.store, program(runs.folder, "x.py", interpreter="/nowhere/python"), {}, environ=os.environ
        )
        snapshot = wait_for_end(directory)
        assert snapshot.ended is not None
        assert snapshot.ended.cause == "launch"
        assert snapshot.state is RunState.FAILED
        assert "/nowhere/python cannot be started: No such file or directory" in snapshot.detail
        assert "--python" in snapshot.detail

    def test_a_home_that_cannot_be_written(self, runs: Runs, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(RecordError, match="--home"):
            start_run(RunStore(tmp_path / "file" / "runs"), program(runs.folder, "x.py"), {}, environ=os.environ)

    def test_a_folder_that_is_gone(self, runs: Runs) -> None:
        with pytest.raises(LaunchError, match="gone: No such file or directory"):
            start_run(runs.store, program(runs.folder / "gone", "x.py"), {}, environ=os.environ)

    def test_the_supervisors_own_words_are_passed_on(self, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
        def create_with_obstacle(directory: RunDirectory, record: object) -> None:
            original(directory, record)  # type: ignore[arg-type]
            directory.supervisor_log(0).mkdir()

        original = RunDirectory.create
        monkeypatch.setattr(RunDirectory, "create", create_with_obstacle)
        with pytest.raises(LaunchError, match=r"The supervisor could not start: .*Is a directory"):
            start_run(runs.store, program(runs.folder, "x.py"), {}, environ=os.environ)

    def test_one_that_takes_too_long_is_given_up_and_starts_nothing(
        self, runs: Runs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("lightning_tui.launch.local.START_PATIENCE_S", 0.0)
        (runs.folder / "program.py").write_text("open('ran', 'w')")
        with pytest.raises(LaunchError, match="did not start within 0 s"):
            start_run(runs.store, program(runs.folder, "program.py"), {}, environ=os.environ)
        (directory,) = runs.store.directories()
        assert not runs.says("ran")
        assert read_snapshot(directory).supervisor is None


class TestRequests:
    """What may be asked of a run that nobody supervises."""

    def test_a_run_that_is_over_takes_no_command(self, runs: Runs) -> None:
        directory = runs.start("")
        wait_for_end(directory)
        for op in ("stop", "kill", "checkpoint"):
            with pytest.raises(LaunchError, match="already ended"):
                request(directory, op)
        assert list(directory.commands.iterdir()) == []

    def test_a_run_that_died_with_its_supervisor_is_gone(self, runs: Runs) -> None:
        directory = runs.start(SAY + "say('up'); time.sleep(1000)")
        runs.wait_for("up")
        for pid in (supervisor_pid(directory), program_pid(directory)):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: read_snapshot(directory).detail.startswith("supervisor and ranks are gone"))
        with pytest.raises(LaunchError, match="is lost"):
            request(directory, "stop")

    def test_a_run_that_is_about_to_begin_is_told(self, runs: Runs) -> None:
        record = ProgramRecord(label="x", given=["x"], folder="/", interpreter="python")
        directory, _ = runs.store.create(program=record, plan={}, now=time.time())
        command = request(directory, "stop", after="epoch")
        assert read_commands(directory.commands, set()) == [command]
        old, _ = runs.store.create(program=record, plan={}, now=time.time() - 3600)
        with pytest.raises(LaunchError, match="is lost"):
            request(old, "stop")

    def test_something_else_than_a_run(self, tmp_path: Path) -> None:
        with pytest.raises(RecordError):
            request(RunDirectory(tmp_path), "stop")
