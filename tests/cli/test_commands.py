"""The contract of the command line, held by the real command on real runs of plain Python programs."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lightning_tui.cli.as_json import run_exit
from lightning_tui.record import RunState, read_snapshot
from tests.cli.command import COMMAND, environ, json_lines, lightning_tui, newest_snapshot, runs
from tests.conftest import wait_until

FOREVER = "import time\nprint('up', flush=True)\nwhile True: time.sleep(0.1)\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ok.py").write_text("import sys\nprint('hello', *sys.argv[1:])\n")
    (tmp_path / "forever.py").write_text(FOREVER)
    return tmp_path


def start_detached(folder: Path, *program: str) -> str:
    done = lightning_tui("run", "--detach", "--", *program, folder=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_run_follows_the_output_and_exits_with_the_outcome(folder: Path) -> None:
    done = lightning_tui("run", "--", "ok.py", "--lr", "1", folder=folder)
    assert (done.returncode, done.stdout) == (0, "hello --lr 1\n")
    assert "finished" in done.stderr


ASKS = """\
import sys
answer = input("really? ")
if answer != "y":
    raise SystemExit(4)
print("rest:", sys.stdin.read().split())
"""


class TestStandardInput:
    """What is piped into `run` answers the program's questions; a terminal and a detached run have nothing to say."""

    @pytest.mark.parametrize(("words", "code"), [("y\nand more\n", 0), ("n\n", 4), ("", 1)])
    def test_a_pipe_is_the_programs_as_it_would_be_bare(self, tmp_path: Path, words: str, code: int) -> None:
        (tmp_path / "ask.py").write_text(ASKS)
        bare = self.run([sys.executable, "ask.py"], tmp_path, words)
        ours = self.run([*COMMAND, "run", "--", "ask.py"], tmp_path, words)
        assert bare.returncode == run_exit(newest_snapshot())["code"] == code
        assert ours.stdout == bare.stdout + (bare.stderr if code == 1 else "")

    def test_a_file_is_too(self, tmp_path: Path) -> None:
        (tmp_path / "ask.py").write_text(ASKS)
        (tmp_path / "answers").write_text("y\n1 2\n")
        with (tmp_path / "answers").open() as answers:
            done = subprocess.run(
                [*COMMAND, "run", "--json", "--", "ask.py"], cwd=tmp_path, env=environ(), stdin=answers, check=False
            )
        assert done.returncode == 0
        assert next(runs()).output(0, 0).read_text() == "really? rest: ['1', '2']\n"

    def test_a_detached_run_has_none(self, tmp_path: Path) -> None:
        (tmp_path / "ask.py").write_text(ASKS)
        self.run([*COMMAND, "run", "--detach", "--", "ask.py"], tmp_path, "y\n")
        wait_until(lambda: newest_snapshot().is_over, what="the end")
        assert "EOFError" in next(runs()).output(0, 0).read_text()

    def test_one_who_never_writes_is_waited_for_by_the_program_alone(self, tmp_path: Path) -> None:
        (tmp_path / "quiet.py").write_text("print('done')\n")
        command = [*COMMAND, "run", "--", "quiet.py"]
        with subprocess.Popen(command, cwd=tmp_path, env=environ(), stdin=subprocess.PIPE) as process:
            assert process.wait(60) == 0

    def run(self, command: list[str], folder: Path, words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=folder, env=environ(), input=words, capture_output=True, text=True, timeout=60, check=False
        )


def test_variables_before_the_program_and_a_folder_as_one(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__main__.py").write_text("import os, sys\nprint(os.environ['A'], sys.argv, __name__)\n")
    done = lightning_tui("run", "--", "A=b c", "python", "app", "x", folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, "b c ['app', 'x'] __main__\n")


def test_run_json_begins_with_the_run_and_ends_with_its_end(folder: Path) -> None:
    done = lightning_tui("run", "--json", "--", "ok.py", folder=folder)
    lines = json_lines(done.stdout)
    assert lines[0]["event"] == "run"
    assert Path(lines[0]["directory"]).name == lines[0]["id"]
    assert lines[-1] == {"event": "end", "state": "finished", "exit": {"code": 0, "signal": None, "cause": "program"}}
    assert {"hello", "supervisor_started", "ended"} <= {line["event"] for line in lines[1:-1]}


@pytest.mark.parametrize(
    ("program", "code", "says"),
    [
        ("import sys; sys.exit(7)", 1, "exited with code 7"),
        ("raise ValueError('boom')", 1, "ValueError: boom"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", 1, "SIGSEGV"),
        ("def broken(:\n", 1, "SyntaxError"),
        ("", 0, "finished"),
    ],
)
def test_exit_codes_of_programs(tmp_path: Path, program: str, code: int, says: str) -> None:
    (tmp_path / "program.py").write_text(program)
    done = lightning_tui("run", "--", "program.py", folder=tmp_path)
    assert done.returncode == code
    assert says in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run"], "program"),
        (["run", "--", "missing.py"], "missing.py"),
        (["run", "--", "."], "folder"),
        (["run", "--", "binary.py"], "binary.py"),
        (["run", "--", "--config", "missing.yaml"], "missing.yaml"),
        (["run", "--python", "/no/such/python", "--", "ok.py"], "/no/such/python"),
        (["run", "--precision", "bf17", "--", "ok.py"], "bf16-mixed"),
        (["run", "--devices", "0", "--", "ok.py"], "devices=0"),
        (["run", "--accelerator", "cpu", "--devices", "4096", "--", "ok.py"], "4096"),
        (["run", "--set", "strategy", "--", "ok.py"], "FIELD=VALUE"),
        (["run", "--strategy", "fsdp", "--accelerator", "cpu", "--", "ok.py"], "fsdp"),
        (["run", "--set", "colour=red", "--", "ok.py"], "colour"),
        (["run", "--plan", "broken.toml", "--", "ok.py"], "broken.toml"),
        (["run", "--preset", "nonsense", "--", "ok.py"], "nonsense"),
    ],
)
def test_bad_input_is_2_and_names_the_value(folder: Path, arguments: list[str], says: str) -> None:
    (folder / "binary.py").write_bytes(b"\x7fELF\x00\x00")
    (folder / "broken.toml").write_text("strategy = [")
    done = lightning_tui(*arguments, folder=folder)
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(runs())


def test_a_home_that_cannot_be_written_is_a_clear_error(folder: Path) -> None:
    (folder / "file").write_text("")
    done = lightning_tui("run", "--home", str(folder / "file" / "runs"), "--", "ok.py", folder=folder)
    assert done.returncode == 1
    assert "--home" in done.stderr
    assert "Traceback" not in done.stderr


def test_stop_ends_a_run_and_says_how(folder: Path) -> None:
    run_id = start_detached(folder, "forever.py")
    done = lightning_tui("stop", run_id)
    assert done.returncode == 0, done.stderr
    assert "stopped" in done.stderr
    assert newest_snapshot().state is RunState.STOPPED
    again = lightning_tui("stop", run_id)
    assert again.returncode == 1


def test_kill_ends_a_run_at_once(folder: Path) -> None:
    run_id = start_detached(folder, "forever.py")
    assert lightning_tui("kill", run_id).returncode == 0
    assert newest_snapshot().state is RunState.KILLED


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_run_stops_the_run(folder: Path, number: signal.Signals) -> None:
    with subprocess.Popen(
        [*COMMAND, "run", "--", "forever.py"], cwd=folder, env=environ(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as command:
        assert command.stdout is not None
        assert command.stdout.readline() == b"up\n"
        command.send_signal(number)
        command.communicate(timeout=60)
    assert command.returncode == 3


def test_a_run_outlives_its_command(folder: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "run", "--", "forever.py"], cwd=folder, env=environ(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as command:
        assert command.stdout is not None
        assert command.stdout.readline() == b"up\n"
        command.kill()
    assert newest_snapshot().state is RunState.STARTING
    assert lightning_tui("kill", next(runs()).id).returncode == 0


def test_runs_show_and_logs(folder: Path) -> None:
    lightning_tui("run", "--", "ok.py", "one", folder=folder)
    lightning_tui("run", "--", "ok.py", "--api-key", "s3cret", folder=folder)
    listed = json.loads(lightning_tui("runs", "--json").stdout)
    assert [row["state"] for row in listed] == ["finished", "finished"]
    assert listed[0]["created_at"] > listed[1]["created_at"]
    shown = json.loads(lightning_tui("show", listed[0]["id"], "--json").stdout)
    assert shown["program"]["given"] == ["ok.py", "--api-key", "•••"]
    assert shown["exit"] == {"code": 0, "signal": None, "cause": "program"}
    assert [rank["rank"] for rank in shown["ranks"]] == [0]
    assert "s3cret" not in lightning_tui("show", listed[0]["id"]).stdout
    assert lightning_tui("logs", listed[1]["id"]).stdout == "hello one\n"
    assert lightning_tui("logs", listed[1]["id"], "-f").stdout == "hello one\n"
    assert lightning_tui("logs", listed[1]["id"], "--rank", "7").returncode == 1
    assert lightning_tui("show", listed[0]["id"], "--metrics", "csv").stdout == "metric,step,epoch,time,value,fit\n"
    assert json.loads(lightning_tui("show", listed[0]["id"], "--metrics", "json").stdout)["metrics"] == {}
    assert lightning_tui("show", "nonsense").returncode == 1


HOSTILE = "two\nlines\x1b[31m\tred"


def test_a_metrics_name_breaks_no_table(folder: Path) -> None:
    lightning_tui("run", "--", "ok.py", folder=folder)
    lightning_tui("run", "--", "ok.py", folder=folder)
    series = {HOSTILE: {"steps": [1, 2], "values": [3.0, 4.0]}}
    for directory in runs():
        (file,) = directory.events(0).glob("rank-0.jsonl")
        line = {
            "event": "metrics",
            "seq": len(file.read_text().splitlines()),
            "time": 1.0,
            "epoch": 0,
            "series": series,
        }
        with file.open("a") as events:
            events.write(json.dumps(line) + "\n")
    first, second = (directory.id for directory in runs())
    for words in (["show", first], ["show", first, "--metrics", "csv"], ["compare", first, second]):
        lines = lightning_tui(*words).stdout.split("\n")
        assert [line for line in lines if "lines" in line and "two·lines" in line and "red" in line]
        assert not [line for line in lines if line.startswith("lines") or "\x1b" in line]
    for words in (["show", first, "--metrics", "json"], ["show", first, "--json"]):
        assert HOSTILE in json.loads(lightning_tui(*words).stdout)["metrics"]


def test_no_secret_reaches_the_run_directory(folder: Path) -> None:
    lightning_tui("run", "--", "quiet.py", "--token", "s3cret-value", folder=folder)
    (folder / "quiet.py").write_text("")
    lightning_tui("run", "--", "quiet.py", "--token", "s3cret-value", folder=folder)
    files = [path for directory in runs() for path in directory.path.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"s3cret-value" in path.read_bytes()]


def test_rm_deletes_what_is_over_and_only_when_told(folder: Path) -> None:
    lightning_tui("run", "--", "ok.py", folder=folder)
    active = start_detached(folder, "forever.py")
    over = next(directory.id for directory in runs() if directory.id != active)
    refused = lightning_tui("rm", over)
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    assert lightning_tui("rm", "--yes", active).returncode == 1
    assert lightning_tui("rm", "--yes", over).returncode == 0
    assert [directory.id for directory in runs()] == [active]
    lightning_tui("kill", active)


def test_a_hundred_megabytes_of_output_are_kept_whole(tmp_path: Path) -> None:
    (tmp_path / "loud.py").write_text("import sys\nfor _ in range(100): sys.stdout.write(('x' * 99 + '\\n') * 10486)\n")
    done = lightning_tui("run", "--json", "--", "loud.py", folder=tmp_path)
    assert done.returncode == 0
    output = next(runs()).output(0, 0)
    assert output.stat().st_size == 100 * 10486 * 100


def test_garbage_is_kept_as_it_is_and_made_harmless_for_a_terminal(tmp_path: Path) -> None:
    garbage = bytes(range(256)) * 4 + b"\x1b[2J\x1b]0;owned\x07\n"
    (tmp_path / "garbage.py").write_text(f"import sys\nsys.stdout.buffer.write({garbage!r})\n")
    subprocess.run([*COMMAND, "run", "--", "garbage.py"], cwd=tmp_path, env=environ(), capture_output=True, check=True)
    assert next(runs()).output(0, 0).read_bytes() == garbage
    raw = subprocess.run([*COMMAND, "logs", next(runs()).id], env=environ(), capture_output=True, check=True).stdout
    assert raw == garbage


def test_the_cockpit_without_a_terminal_says_what_to_do(folder: Path) -> None:
    done = lightning_tui("--", "ok.py", folder=folder)
    assert done.returncode == 2
    assert "lightning-tui run" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr


def test_attach_without_a_terminal_follows_the_output(folder: Path) -> None:
    assert lightning_tui("attach").returncode == 1
    lightning_tui("run", "--", "ok.py", folder=folder)
    done = lightning_tui("attach")
    assert (done.returncode, done.stdout) == (0, "hello\n")


def test_sigkill_of_the_supervisor_is_said_and_stop_still_works(folder: Path) -> None:
    run_id = start_detached(folder, "forever.py")
    supervisor = newest_snapshot().supervisor
    assert supervisor is not None
    os.kill(supervisor.pid, signal.SIGKILL)
    wait_until(lambda: newest_snapshot().state is RunState.LOST, what="state lost")
    assert "stop and adopt work" in newest_snapshot().detail
    adopted = lightning_tui("adopt", run_id)
    assert (adopted.returncode, f"{run_id}: adopted, starting" in adopted.stderr) == (0, True)
    again = lightning_tui("adopt", run_id)
    assert (again.returncode, "there is nothing to adopt" in again.stderr) == (1, True)
    stopped = lightning_tui("stop", "--patience", "20", "--term-patience", "9", run_id)
    assert stopped.returncode == 0
    assert "SIGKILL in 9 s" in stopped.stderr
    assert "1 rank gone, no checkpoint" in stopped.stderr
    assert newest_snapshot().state is RunState.STOPPED


def test_doctor_says_what_this_machine_is() -> None:
    done = lightning_tui("doctor", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert set(report) >= {"platform", "host", "gpus", "software", "storage", "findings"}
    assert report["software"]["python"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}")
    lines = lightning_tui("doctor").stdout.splitlines()
    assert lines[0].startswith("Platform     ")
    assert any(line.startswith("Runs         ") for line in lines)


def test_a_compromised_lightning_is_named_and_nothing_is_started_with_it(folder: Path) -> None:
    info = folder / "site" / "lightning-2.6.3.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lightning\nVersion: 2.6.3\n")
    env = {"PYTHONPATH": os.pathsep.join([str(folder / "site"), environ()["PYTHONPATH"]])}
    done = lightning_tui("run", "--", "ok.py", folder=folder, env=env)
    assert (done.returncode, done.stdout) == (2, "")
    assert "lightning 2.6.3" in done.stderr
    assert list(runs()) == []
    findings = json.loads(lightning_tui("doctor", "--json", env=env).stdout)["findings"]
    assert findings[0]["id"] == "compromised-lightning"


def test_json_of_an_unknown_is_null_and_never_zero(folder: Path) -> None:
    lightning_tui("run", "--", "ok.py", folder=folder)
    shown = json.loads(lightning_tui("show", next(runs()).id, "--json").stdout)
    assert set(shown["progress"].values()) == {None}
    assert shown["ranks"][0]["allocated"] is None
    assert read_snapshot(next(runs())).progress is None


@pytest.mark.parametrize("arguments", [["run", "--"], ["run", "--json", "--"]])
def test_a_quiet_run_is_let_go_when_the_reader_of_the_pipe_leaves(folder: Path, arguments: list[str]) -> None:
    with subprocess.Popen(
        [*COMMAND, *arguments, "forever.py"], cwd=folder, env=environ(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as command:
        assert command.stdout is not None
        assert command.stdout.readline()
        command.stdout.close()
        assert command.wait(timeout=30) == 141
    assert newest_snapshot().state is RunState.STARTING
    assert lightning_tui("kill", next(runs()).id).returncode == 0


def test_runs_survives_a_nonsensical_time_and_a_poor_encoding(folder: Path) -> None:
    assert lightning_tui("run", "--", "ok.py", folder=folder).returncode == 0
    record = next(runs()).path / "run.json"
    record.write_text(re.sub(r'"created_at": *[^,]+', '"created_at": 1e300', record.read_text()))
    done = lightning_tui("runs", env={"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "N/A" in done.stdout


def test_a_module_of_the_folder_is_not_taken_for_one_of_the_library(folder: Path) -> None:
    (folder / "json.py").write_text("raise ValueError('the wrong json')\n")
    (folder / "msgspec.py").write_text("raise ValueError('the wrong msgspec')\n")
    assert lightning_tui("runs", folder=folder).returncode == 0


def test_ctrl_c_while_a_run_is_being_started_stops_it(folder: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "run", "--", "forever.py"], cwd=folder, env=environ(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as command:
        wait_until(lambda: any(runs()))  # its directory is made first of all; the supervisor has yet to begin
        command.send_signal(signal.SIGINT)
        _, said = command.communicate(timeout=60)
    assert command.returncode == 3, said
    assert newest_snapshot().state is RunState.STOPPED
