"""Search files in a child process: an expression that takes for ever holds up neither the screen nor anything else.

Python's `re` keeps the interpreter to itself while it matches, and cannot be interrupted; a process can be ended.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import struct
import subprocess
import sys
import threading
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from lightning_tui.output.search import Hits, PatternError, SearchReport, slow_sentence

BLOCK_PATIENCE_S = 0.25
"""CPU time that a block of 64 KiB may take. A usual expression takes less than a millisecond."""
_REST_S = 0.2
_POLLS = 8
"""Blocks that are searched between two reports."""
_NICE = 5
_HEAD = struct.Struct("<IIQQQQB")
_BOOT = "import sys; sys.path.insert(0, sys.argv.pop(1)); from lightning_tui.output.searching import main; main()"


class SearchProcess:
    """The child. One thread takes its reports; another may end it at any time."""

    def __init__(self, pattern: re.Pattern[bytes], paths: Sequence[Path]) -> None:
        package = str(Path(__file__).parents[2])
        order = {"pattern": pattern.pattern.decode("latin-1"), "flags": pattern.flags, "paths": [str(p) for p in paths]}
        self._pattern = pattern
        self._lock = threading.Lock()
        self._is_ended = False
        self._child = subprocess.Popen(
            [sys.executable, "-I", "-c", _BOOT, package],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(json.dumps(order).encode() + b"\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            pass  # it could not begin: `reports` says so

    def reports(self) -> Iterator[tuple[int, SearchReport]]:
        """Number of the path, and what is new of it, until `end` is called.

        Raises:
            PatternError: the expression takes too long; the message is for people.
            OSError: the child ended by itself.
        """
        stream = self._child.stdout
        assert stream is not None
        with self._child:
            while len(head := stream.read(_HEAD.size)) == _HEAD.size:
                place, restarts, file_size, size, total, count, has_begun = _HEAD.unpack(head)
                blocks = array("Q")
                blocks.frombytes(stream.read(count * 8))
                yield place, SearchReport(restarts, file_size, size, total, bool(has_begun), blocks)
            self._child.kill()  # where it has closed its end it has no more to say
            code = self._child.wait()
        if self._is_ended:
            return
        if code == -signal.SIGVTALRM:
            raise PatternError(slow_sentence(self._pattern.pattern.decode("utf-8", "replace")))
        raise OSError(f"the search ended with code {code}")

    def end(self) -> None:
        """Let it be; returns at once."""
        with self._lock:
            self._is_ended = True
            self._child.kill()


def main() -> None:
    """The child's body: search, report, wait for more; the end of stdin is its end."""
    order = json.loads(sys.stdin.buffer.readline())
    os.nice(_NICE)
    pattern = re.compile(order["pattern"].encode("latin-1"), order["flags"])
    search([Hits(Path(path), pattern) for path in order["paths"]], sys.stdin.buffer, sys.stdout.buffer)


def search(all_hits: Sequence[Hits], orders: IO[bytes], answers: IO[bytes]) -> None:
    """Look through files of any size and go on as they grow."""
    known = [(0, 0)] * len(all_hits)
    while not select.select([orders], [], [], 0)[0]:
        taken = 0
        for place, hits in enumerate(all_hits):
            taken += sum(_poll(hits) for _ in range(_POLLS))
            report = hits.report(*known[place])
            known[place] = report.restarts, known[place][1] * (report.restarts == known[place][0]) + report.new_blocks
            _write(answers, place, report)
        answers.flush()
        if not taken and select.select([orders], [], [], _REST_S)[0]:
            return


def _poll(hits: Hits) -> int:
    """One block; where that takes too long the alarm, whose signal nobody catches, ends the process."""
    signal.setitimer(signal.ITIMER_VIRTUAL, BLOCK_PATIENCE_S)
    try:
        return hits.poll()
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def _write(answers: IO[bytes], place: int, report: SearchReport) -> None:
    blocks = report.blocks
    head = (place, report.restarts, report.file_size, report.size, report.total, len(blocks), report.has_begun)
    answers.write(_HEAD.pack(*head) + blocks.tobytes())
