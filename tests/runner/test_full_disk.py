"""A full disk below a rank: what it prints is dropped, what it tells is lost, and told again where it matters."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lightning_tui.runner.lightning_tui_runner.process.events import EventFile
from lightning_tui.runner.lightning_tui_runner.process.reporter import Reporter

ROOT = Path(__file__).parents[2]
PROGRAM = (
    "import sys; from lightning_tui.runner.lightning_tui_runner.process.forgiving_output import forgive_full_disks\n"
    "if sys.argv[1] == 'forgive': forgive_full_disks()\n"
    "print('dropped', flush=True); sys.stdout.buffer.write(b'bytes'); sys.stdout.flush()\n"
    "sys.stderr.write('went on\\n')"
)


@pytest.mark.parametrize("flags", [["-u"], []], ids=["unbuffered", "buffered"])
def test_a_print_to_a_full_disk_ends_no_program(flags: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = [
            subprocess.run(
                [sys.executable, *flags, "-c", PROGRAM, how], stdout=full, stderr=subprocess.PIPE, cwd=ROOT, check=False
            )
            for how in ("forgive", "as it is")
        ]
    assert (done[0].returncode, done[0].stderr) == (0, b"went on\n")
    assert b"No space left on device" in done[1].stderr


def test_other_errors_of_the_output_are_the_programs_own() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-u", "-c", PROGRAM, "forgive"], stdout=writing, stderr=subprocess.PIPE, cwd=ROOT, check=False
    )
    os.close(writing)
    assert b"BrokenPipeError" in done.stderr


def test_what_was_lost_is_told_and_last_words_are_said_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reporter = Reporter(EventFile(str(tmp_path), "rank-0"), 0)

    def refuse(descriptor: int, data: bytes) -> int:
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    reporter.say("stage", stage="train")
    with monkeypatch.context() as broken:
        broken.setattr("lightning_tui.runner.lightning_tui_runner.process.events.os.write", refuse)
        reporter.say("progress", step=1)
        reporter.insist("ack", command="a", status="done")
        reporter.say("progress", step=2)
    reporter.say("progress", step=3)
    reporter.say("progress", step=4)
    told = [json.loads(line) for line in (tmp_path / "rank-0.jsonl").read_text().splitlines()]
    assert [event["event"] for event in told] == ["stage", "progress", "record_gap", "ack", "progress"]
    assert (told[1]["step"], told[2]["reason"]) == (3, os.strerror(errno.EDQUOT))
    assert capsys.readouterr().err.count("events cannot be written") == 1, "said once"
