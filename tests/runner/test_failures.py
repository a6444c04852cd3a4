"""What goes wrong in a program is told whole; what goes wrong in us never reaches the program."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from lightning_tui.record.events import (
    DeviceMemory,
    ExceptionRaised,
    FitEnd,
    Hello,
    Metrics,
    ProgramEnd,
    Progress,
    RankEvent,
    TelemetryTrouble,
)
from lightning_tui.runner.lightning_tui_runner.process import events

from .running import PROGRAMS, Outcome, command, environment, make_run, run, run_in_run

pytestmark = pytest.mark.e2e

PAUSABLE = [str(PROGRAMS / "pausable.py"), "--batches", "60", "--epochs", "1"]
DDP = {"strategy": "ddp", "devices": 2}


def suffers(place: Path, trouble: str, plan: dict[str, object], on_rank: int = 0) -> Outcome:
    words = [*PAUSABLE, "--trouble", trouble, "--on-rank", str(on_rank), "--pause", "0.02"]
    return run_in_run(place, words, {"max_epochs": 1, **plan})


def test_an_exception_on_rank_1_is_told_by_rank_1(tmp_path: Path) -> None:
    outcome = suffers(tmp_path, "raise", DDP, on_rank=1)
    assert outcome.code != 0
    (error,) = outcome.of(ExceptionRaised, 1)
    assert (error.type, error.message, error.hook) == ("ValueError", "the third batch is cursed", "train")
    assert (error.epoch, error.global_step) == (0, 3)
    assert "trouble(self.args.trouble)\n" in error.traceback
    assert error.traceback.endswith("ValueError: the third batch is cursed\n")
    assert "lightning_tui_runner" not in error.traceback
    assert "ValueError: the third batch is cursed" in outcome.log(1)
    assert outcome.of(ProgramEnd, 1)[-1].code == 1
    assert [event.time for event in outcome.of(ExceptionRaised, 0)] > [error.time]
    assert not outcome.of(FitEnd, 0)


@pytest.mark.parametrize(
    ("trouble", "plan", "rank"),
    [
        ("full disk", {}, 0),
        ("no run directory", {}, 0),
        ("broken telemetry", {}, 0),
        ("broken offer", DDP, 0),
        ("broken agreement", DDP, 0),
        ("broken agreement", DDP, 1),
    ],
)
def test_training_goes_on_whatever_happens_to_us(
    trouble: str, plan: dict[str, object], rank: int, tmp_path: Path
) -> None:
    outcome = suffers(tmp_path, trouble, plan, rank)
    assert outcome.code == 0, outcome.errors
    assert f"the end of pausable {60 // (2 if plan else 1)}" in outcome.output
    said = (outcome.errors if rank == 0 else outcome.log(1)).count(f"lightning-tui: rank {rank}:")
    assert said == (0 if trouble == "no run directory" else 1)
    if trouble == "no run directory":
        return
    if trouble == "full disk":  # the device that stands for the disk swallows the last words too
        assert not outcome.of(FitEnd)
        return
    assert len(outcome.of(TelemetryTrouble, rank)) == 1
    assert outcome.of(FitEnd, rank)[-1].finished
    assert outcome.of(ProgramEnd, rank)[-1].code == 0
    assert (outcome.of(Progress, rank)[-1].global_step == 60) == (False if trouble == "broken telemetry" else not plan)


def test_a_failure_before_the_trainer_has_no_hook(tmp_path: Path) -> None:
    script = tmp_path / "fails.py"
    script.write_text("def deep():\n    raise KeyError('nothing here')\ndeep()\n")
    outcome = run_in_run(tmp_path, ["fails.py"])
    (error,) = outcome.of(ExceptionRaised)
    assert (error.type, error.message, error.hook, error.global_step) == ("KeyError", "'nothing here'", None, None)
    assert error.traceback == outcome.errors
    assert outcome.of(ProgramEnd)[-1].code == outcome.code == 1


def test_a_syntax_error_is_told(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("x = (\n")
    outcome = run_in_run(tmp_path, ["broken.py"])
    (error,) = outcome.of(ExceptionRaised)
    assert error.type == "SyntaxError"
    assert error.traceback == outcome.errors
    assert outcome.of(ProgramEnd)[-1].code == outcome.code == 1


@pytest.mark.parametrize(("leaving", "code"), [("sys.exit(3)", 3), ("sys.exit('no')", 1), ("sys.exit()", 0), ("0", 0)])
def test_the_way_out_is_told_and_is_no_exception(leaving: str, code: int, tmp_path: Path) -> None:
    late = "import sys, atexit, threading, time\natexit.register(lambda: print('handler'))\n"
    late += "threading.Thread(target=lambda: (time.sleep(0.1), print('thread'))).start()\n"
    (tmp_path / "leaves.py").write_text(late + leaving)
    outcome = run_in_run(tmp_path, ["leaves.py"])
    assert outcome.code == code
    assert outcome.output == "thread\nhandler\n"
    assert [type(event) for event in outcome.events()] == [Hello, ProgramEnd]
    assert outcome.of(ProgramEnd)[0].code == code


def test_a_child_of_the_program_says_nothing_in_its_name(tmp_path: Path) -> None:
    (tmp_path / "forks.py").write_text(
        "import os, sys\npid = os.fork()\nif not pid: sys.exit(5)\nassert os.waitpid(pid, 0)[1] >> 8 == 5\n"
    )
    outcome = run_in_run(tmp_path, ["forks.py"])
    assert [type(event) for event in outcome.events()] == [Hello, ProgramEnd]


def test_a_run_directory_that_cannot_be_written_does_not_keep_a_program_from_running(tmp_path: Path) -> None:
    directory = make_run(tmp_path)
    directory.events(0).rmdir()
    (directory.path / "run.json").write_text("{")
    (tmp_path / "say.py").write_text("print('hello')")
    done = run(command(["say.py"]), cwd=tmp_path, env=environment(directory))
    assert (done.returncode, done.stdout) == (0, "hello\n")
    assert done.stderr.count("lightning-tui: ") == 2


def test_what_only_a_gpu_or_a_broken_number_brings_decodes_too(tmp_path: Path) -> None:
    """All other events are held to their types by the real runs: `running.events_in` decodes every line."""
    file = events.EventFile(str(tmp_path), "rank-0")
    bytes_held = {"allocated": 1, "reserved": 2, "peak_allocated": 3, "peak_reserved": 4, "total": None}
    file.add("memory", {"device": "cuda:0", "uuid": "GPU-1", **bytes_held})
    broken = [events.number(float(word)) for word in ("nan", "inf", "-inf", "1.5")]
    file.add("metrics", {"epoch": 0, "series": {"loss": {"steps": [1, 2, 3, 4], "values": broken}}})
    file.add("telemetry_trouble", {"message": "\udce9"})
    file.flush()
    lines = (tmp_path / "rank-0.jsonl").read_bytes().splitlines()
    memory, metrics, trouble = (msgspec.json.decode(line, type=RankEvent) for line in lines)
    assert isinstance(memory, DeviceMemory)
    assert isinstance(metrics, Metrics)
    assert metrics.series["loss"].values == ["nan", "inf", "-inf", 1.5]
    assert isinstance(trouble, TelemetryTrouble)
    assert json.loads(lines[2])["message"] == "?"
