"""`lightning-tui logs`: one rank or all, searched, since a time, and harmless on a terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_tui.cli.logs import grep, whole_sequences
from lightning_tui.record import RunDirectory, RunRecord
from lightning_tui.record.directory import ProgramRecord
from lightning_tui.text.safe import harmless_output
from tests.cli.command import COMMAND, environ, lightning_tui


@pytest.fixture
def run() -> RunDirectory:
    """A run of two ranks that is over: four lines of output within three seconds of the last hour."""
    now = time.time()
    directory = RunDirectory(Path(os.environ["LIGHTNING_TUI_HOME"]) / "logs-7f3a01")
    program = ProgramRecord(label="train.py", given=["train.py"], folder="/", interpreter="python")
    directory.create(RunRecord(id=directory.id, created_at=now - 3600, program=program, plan={}))
    directory.output(0, 0).write_bytes(b"a1\n\x1b[31ma2 NaN\x1b[0m\x1b[2J\n")
    directory.output(0, 1).write_bytes(b"b1\nb2 nan without end")
    sizes = [(3000, 3, 0), (2000, 3, 3), (1000, 23, 3), (900, 23, 21)]
    said = [
        {"event": "sample", "seq": n, "time": now - ago, "host": {}, "gpus": [], "output_bytes": {"0": a, "1": b}}
        for n, (ago, a, b) in enumerate(sizes)
    ]
    ended = {"event": "ended", "seq": 9, "time": now - 800, "code": 0, "signal": None, "cause": "program"}
    directory.supervisor_log(0).write_text("".join(json.dumps(line) + "\n" for line in [*said, ended]))
    return directory


def test_the_output_of_one_rank_and_of_all_by_time(run: RunDirectory) -> None:
    assert lightning_tui("logs", run.id).stdout == "a1\n\x1b[31ma2 NaN\x1b[0m\x1b[2J\n"
    assert lightning_tui("logs", run.id, "--rank", "1", "-f").stdout == "b1\nb2 nan without end"
    merged = "rank 0: a1\nrank 1: b1\nrank 0: \x1b[31ma2 NaN\x1b[0m\x1b[2J\nrank 1: b2 nan without end\n"
    assert lightning_tui("logs", run.id, "--rank", "all").stdout == merged
    assert lightning_tui("logs", run.id, "--rank", "all", "--follow").stdout == merged
    assert lightning_tui("logs", run.id, "--rank", "some").returncode == 2


def test_only_lines_that_match_and_only_those_since_a_time(run: RunDirectory) -> None:
    assert lightning_tui("logs", run.id, "--rank", "all", "--grep", "a1|nan with").stdout == (
        "rank 0: a1\nrank 1: b2 nan without end\n"
    )
    assert lightning_tui("logs", run.id, "--grep", "nan").stdout == "\x1b[31ma2 NaN\x1b[0m\x1b[2J\n"
    assert lightning_tui("logs", run.id, "--rank", "1", "--since", "1500s").stdout == "b2 nan without end"
    assert lightning_tui("logs", run.id, "--since", "10m").stdout == ""
    bad = lightning_tui("logs", run.id, "--grep", "(")
    assert (bad.returncode, "valid regular expression" in bad.stderr) == (2, True)
    with run.output(0, 0).open("ab") as file:
        file.write(b"a" * 5000 + b"!\n")
    slow = lightning_tui("logs", run.id, "--grep", "(a+)+$")
    assert (slow.returncode, slow.stderr.count("/(a+)+$ takes too long")) == (1, 1)
    bad = lightning_tui("logs", run.id, "--since", "tea time")
    assert (bad.returncode, "is not a time. Allowed:" in bad.stderr) == (2, True)


def test_a_terminal_gets_colours_and_nothing_that_moves_its_cursor(run: RunDirectory) -> None:
    master, slave = pty.openpty()
    try:
        subprocess.run([*COMMAND, "logs", run.id], env=environ(), stdout=slave, stderr=subprocess.DEVNULL, check=True)
        shown = os.read(master, 10_000)
    finally:
        os.close(slave)
        os.close(master)
    assert shown == b"a1\r\n\x1b[31ma2 NaN\x1b[0m\r\n"


HOSTILE = [
    b"\x1b",
    b"[",
    b"]",
    b"P",
    b"\\",
    b"?",
    b"2J",
    b"31m",
    b"\xc2",
    b"\x9b",
    b"\xe2",
    b"\x80",
    b"\xae",
    b"text",
    b"\n",
    b"\x07",
]


@given(
    st.lists(
        st.lists(st.sampled_from([*HOSTILE, b"\x1b]0;x\x07", b"\x1b[1;31m", b"\xc2\xb7"]), max_size=6).map(b"".join),
        max_size=8,
    )
)
def test_cutting_output_into_pieces_changes_nothing_of_what_a_terminal_gets(pieces: list[bytes]) -> None:
    assert b"".join(map(harmless_output, whole_sequences(iter(pieces)))) == harmless_output(b"".join(pieces))


@given(
    st.lists(st.lists(st.sampled_from([b"a", b"b", b"\n", b"ab\n"]), max_size=5).map(b"".join), max_size=8),
    st.sampled_from([b"a", b"^a$"]),
)
def test_grep_keeps_whole_lines_however_they_come(pieces: list[bytes], text: bytes) -> None:
    found = b"".join(grep(iter(pieces), re.compile(text, re.MULTILINE)))
    lines = b"".join(pieces).splitlines(keepends=True)
    assert found == b"".join(line for line in lines if re.search(text, line.rstrip(b"\n")))
