"""Can the log keep up with any output, and still answer keys at once? The cockpit beside `less +F` and a RichLog app.

`python -m benchmarks.log --small` runs it in a minute with short floods and small files, to see that it works.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.report import Table, milliseconds
from benchmarks.startup import cockpit_command
from benchmarks.terminal import Terminal
from lightning_tui.record import RunDirectory, RunRecord
from lightning_tui.record.directory import ProgramRecord
from lightning_tui.text.units import count

LINE = b"line %012d " + b"." * 77 + b"\n"
COLUMNS, ROWS = 120, 40
KEY, ANSWER = b"w", b"wrapped"
"""The cockpit's own key for breaking long lines; the word appears in the border. The RichLog app does the same."""
PATIENCE_S = 60.0
PROGRAMS = Path(__file__).parent / "programs"


class Sizes(NamedTuple):
    """How much is measured."""

    seconds: float
    rate: int
    slow_rate: int
    slow_link: int
    open_lines: int
    most_lines: int


FULL = Sizes(30.0, 100_000, 20_000, 50_000, 5_000_000, 10_000_000)
SMALL = Sizes(4.0, 20_000, 5_000, 50_000, 300_000, 500_000)


class Flood(NamedTuple):
    """What a program did while lines came."""

    keys: Sequence[float]
    """Seconds from each key to its answer; none where the program takes no keys while it follows."""
    cpu: float
    """Share of one core."""
    bytes_per_s: float
    kept_up: bool | None
    """Whether all lines were counted at the end; `None` where a program does not count."""
    rss: int


class SlowTerminal(Terminal):
    """A link that takes only so many bytes a second."""

    rate = 0
    """Bytes a second; 0: as many as come."""

    def _read(self, deadline: float) -> bool:
        before = len(self.output)
        is_open = super()._read(deadline)
        if self.rate:
            time.sleep((len(self.output) - before) / self.rate)
        return is_open


def measure(sizes: Sizes = FULL) -> Table:
    """All cases, one after the other."""
    rows: list[Sequence[str]] = []
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        what = f"{sizes.rate:,} lines/s for {sizes.seconds:.0f} s"
        rows.append(_flood_row("lightning-tui", what, _cockpit_flood(place / "a", sizes.rate, sizes.seconds)))
        rich_log = [sys.executable, str(PROGRAMS / "rich_log.py")]
        rows.append(_flood_row("RichLog app (peer)", what, _peer_flood(rich_log, place, sizes, takes_keys=True)))
        less = shutil.which("less")
        if less is not None:
            rows.append(_flood_row("less +F (peer)", what, _peer_flood([less, "+F"], place, sizes, takes_keys=False)))
        slow = _cockpit_flood(place / "b", sizes.slow_rate, sizes.seconds, link=sizes.slow_link)
        what = f"{sizes.slow_rate:,} lines/s on a {sizes.slow_link // 1000} KB/s link"
        rows.append(_flood_row("lightning-tui", what, slow))
        rows += _open_rows(place / "c", sizes.open_lines, less)
        rows.append(_memory_row(place / "d", sizes.most_lines))
    missing = "" if less is not None else " less is not installed here."
    return Table(
        title="The log under a flood",
        note=f"Lines of 96 bytes into the output file of a run that the cockpit watches, {COLUMNS}x{ROWS} pty. A key's "
        "time is from typing it to the arrival of its answer at the terminal. less takes no keys while it follows."
        f"{missing} Goals for the cockpit: keys p50 <= 15 ms and p99 <= 80 ms, CPU <= 15 %, <= 100 KB/s, no line lost; "
        "on the slow link p50 <= 400 ms; opening at the end <= 0.5 s; <= 90 MB with 64 GPUs.",
        header=["program", "case", "key p50 / p99", "CPU (one core)", "to the terminal", "memory", "all lines"],
        rows=rows,
    )


def _flood_row(program: str, what: str, flood: Flood) -> Sequence[str]:
    keys = "none taken"
    if flood.keys:
        ordered = sorted(flood.keys)
        p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
        keys = f"{milliseconds(statistics.median(ordered))} / {milliseconds(p99)} ({len(ordered)} keys)"
    all_lines = {True: "yes", False: "no", None: "not counted"}[flood.kept_up]
    size = f"{flood.rss / 1e6:.0f} MB"
    return program, what, keys, f"{flood.cpu:.1%}", f"{flood.bytes_per_s / 1000:.0f} KB/s", size, all_lines


# ---------------------------------------------------------------------------------------------------------- floods


def _cockpit_flood(place: Path, rate: int, seconds: float, link: int = 0) -> Flood:
    with _active_run(place, gpus=4) as directory, _terminal(_attach(directory), place, link) as terminal:
        output = directory.output(0, 0)
        output.write_bytes(b"")
        terminal.until([b"No output yet"], PATIENCE_S)
        flood = _watch(terminal, output, rate, seconds, takes_keys=True)
        expected = count(int(rate * seconds)).encode()
        return flood._replace(kept_up=_appears(terminal, expected))


def _peer_flood(command: Sequence[str], place: Path, sizes: Sizes, *, takes_keys: bool) -> Flood:
    output = place / "flood.log"
    output.write_bytes(b"begin\n")
    with _terminal([*command, str(output)], place, 0) as terminal:
        terminal.until([b"begin"], PATIENCE_S)
        return _watch(terminal, output, sizes.rate, sizes.seconds, takes_keys=takes_keys)


def _watch(terminal: Terminal, output: Path, rate: int, seconds: float, *, takes_keys: bool) -> Flood:
    """Let lines come, type at random moments, and look what it took."""
    process = psutil.Process(terminal.pid)
    cpu, begun, written = _cpu_seconds(process), time.perf_counter(), len(terminal.output)
    command = [sys.executable, str(PROGRAMS / "writer.py"), str(output), str(rate), str(seconds)]
    with subprocess.Popen(command) as writer:
        keys = list(_type(terminal, writer)) if takes_keys else []
        while writer.poll() is None:
            terminal.drain(0.1)
    took = time.perf_counter() - begun
    used = (_cpu_seconds(process) - cpu) / took
    return Flood(keys, used, (len(terminal.output) - written) / took, None, process.memory_info().rss)


def _type(terminal: Terminal, writer: subprocess.Popen[bytes]) -> Iterator[float]:
    """Seconds until each key was answered, as long as the writer writes; one that never was ends it."""
    chance = random.Random(7)
    while writer.poll() is None:
        terminal.drain(chance.uniform(0.05, 0.15))
        begun, seen = time.perf_counter(), len(terminal.output)
        terminal.send(KEY)
        deadline = begun + PATIENCE_S
        while ANSWER not in terminal.output[seen:]:
            if time.perf_counter() > deadline or not terminal._read(deadline):
                yield PATIENCE_S
                return
        yield time.perf_counter() - begun
        terminal.send(KEY)
        terminal.drain(0.05)


# ------------------------------------------------------------------------------------------------- opening, memory


def _open_rows(place: Path, lines: int, less: str | None) -> list[Sequence[str]]:
    with _active_run(place, gpus=4) as directory:
        output = directory.output(0, 0)
        _write_lines(output, lines)
        last = (LINE % (lines - 1))[:17]
        rows = [_open_row("lightning-tui", lines, _attach(directory), last, place)]
        if less is not None:
            rows.append(_open_row("less +G (peer)", lines, [less, "+G", str(output)], last, place))
    return rows


def _open_row(program: str, lines: int, command: Sequence[str], last: bytes, place: Path) -> Sequence[str]:
    took = []
    for _ in range(3):
        with _terminal(command, place, 0) as terminal:
            took.append(terminal.until([last], PATIENCE_S).seconds)
    return program, f"{lines:,} lines: exec to the last line", milliseconds(statistics.median(took)), "", "", "", ""


def _memory_row(place: Path, lines: int) -> Sequence[str]:
    with _active_run(place, gpus=64) as directory:
        _write_lines(directory.output(0, 0), lines)
        with _terminal(_attach(directory), place, 0) as terminal:
            is_complete = _appears(terminal, count(lines).encode())
            terminal.drain(2.0)
            rss = psutil.Process(terminal.pid).memory_info().rss
    case = f"{lines:,} lines, 64 GPUs: memory"
    return "lightning-tui", case, "", "", "", f"{rss / 1e6:.0f} MB", "yes" if is_complete else "no"


def _write_lines(path: Path, lines: int) -> None:
    with path.open("wb") as file:
        for first in range(0, lines, 10_000):
            file.write(b"".join(LINE % number for number in range(first, min(lines, first + 10_000))))


# --------------------------------------------------------------------------------------------------------- the run


@contextmanager
def _active_run(place: Path, gpus: int) -> Iterator[RunDirectory]:
    """A run whose supervisor seems to live: this process holds its lock, and wrote one sample of invented GPUs."""
    directory = RunDirectory(place / "runs" / "bench-run")
    program = ProgramRecord(label="train.py", given=["train.py"], folder="/", interpreter=sys.executable)
    directory.create(RunRecord(id="bench-run", created_at=time.time(), program=program, plan={}))
    sample = {
        "event": "sample",
        "seq": 0,
        "time": time.time(),
        "host": {},
        "gpus": [_gpu(index) for index in range(gpus)],
    }
    directory.supervisor_log(0).write_text(json.dumps(sample) + "\n")
    with directory.supervisor_lock(0).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield directory
        finally:
            shutil.rmtree(place, ignore_errors=True)


def _gpu(index: int) -> Mapping[str, object]:
    gib = 1 << 30
    return {
        "index": index, "name": "NVIDIA L40S", "uuid": f"GPU-{index}", "memory_total": 45 * gib,
        "memory_used": 20 * gib, "utilization": 97.0, "temperature": 61.0, "power": 289.0, "power_limit": 350.0,
    }  # fmt: skip


def _attach(directory: RunDirectory) -> list[str]:
    return [*cockpit_command(), "attach", directory.id, "--home", str(directory.path.parent)]


def _terminal(command: Sequence[str], place: Path, link: int) -> SlowTerminal:
    environ = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    terminal = SlowTerminal(command, columns=COLUMNS, rows=ROWS, environ=environ)
    terminal.rate = link
    return terminal


def _appears(terminal: Terminal, text: bytes) -> bool:
    try:
        terminal.until([text], PATIENCE_S)
    except TimeoutError:
        return False
    return True


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    print(measure(SMALL if "--small" in sys.argv else FULL).markdown())
