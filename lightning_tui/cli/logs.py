"""`lightning-tui logs`: the output of a rank or of all ranks, as it is into a pipe, harmless onto a terminal."""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Iterator

from lightning_tui.cli import COULD_NOT, DONE, WRONG_USAGE
from lightning_tui.cli.terminal import heed_closed_pipe, say, write_output
from lightning_tui.cli.watching import POLL_S, follow_output, read_chunks, store_of
from lightning_tui.output.merging import MergedOutput, line_start
from lightning_tui.output.search import PatternError, compile_search, cpu_limit, matching_lines
from lightning_tui.output.times import OutputTimes, parse_moment
from lightning_tui.record import RunDirectory, RunReader
from lightning_tui.text.safe import unfinished

_LONGEST_LINE = 16 << 20
_PATIENCE_S = 3.0
"""CPU time for the lines of one piece."""
_LINE = re.compile(rb"[^\n]*\n|[^\n]+")


def logs(arguments: argparse.Namespace) -> int:
    """`lightning-tui logs RUN`."""
    try:
        pattern = compile_search(arguments.grep)[0] if arguments.grep is not None else None
        since = parse_moment(arguments.since, time.time()) if arguments.since is not None else None
    except ValueError as error:
        say(str(error))
        return WRONG_USAGE
    directory = store_of(arguments).find(arguments.run)
    problem = _no_output(directory, arguments.rank) if not arguments.follow else None
    if problem is not None:
        say(problem)
        return COULD_NOT
    times = _times(directory, since)
    output = (
        _of_all(directory, times, since, pattern, follows=arguments.follow)
        if arguments.rank == "all"
        else _of_one(directory, arguments.rank, times, since, pattern, follows=arguments.follow)
    )
    try:
        _write(output)
    except PatternError as error:
        say(str(error))
        return COULD_NOT
    return DONE


def _write(output: Iterator[bytes]) -> None:
    is_terminal = sys.stdout.isatty()
    for piece in whole_sequences(output) if is_terminal else output:
        write_output(piece, sys.stdout.buffer, to_terminal=is_terminal)


def whole_sequences(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes, cut so that no escape sequence and no character is in two pieces: each is judged on its own."""
    rest = b""
    for piece in pieces:
        data = rest + piece
        cut = unfinished(data)
        rest = data[cut:]
        if cut:
            yield data[:cut]
    if rest:
        yield rest


def grep(pieces: Iterator[bytes], pattern: re.Pattern[bytes]) -> Iterator[bytes]:
    """The lines that match, whole, with their ends; the last one also where it has none."""
    rest = b""
    for piece in pieces:
        data = rest + piece
        cut = data.rfind(b"\n") + 1
        if not cut and len(data) > _LONGEST_LINE:
            cut = len(data)
        rest = data[cut:]
        yield from _matching(data[:cut], pattern)
    yield from _matching(rest, pattern)


def _matching(text: bytes, pattern: re.Pattern[bytes]) -> Iterator[bytes]:
    with cpu_limit(_PATIENCE_S, pattern.pattern.decode("utf-8", "replace")):
        numbers = set(matching_lines(pattern, text))
    if numbers:
        yield b"".join(line for number, line in enumerate(_LINE.findall(text)) if number in numbers)


def _no_output(directory: RunDirectory, rank: int | str) -> str | None:
    """Why there is nothing to print."""
    attempts = directory.attempts()
    ranks = directory.outputs(attempts[-1]) if attempts else {}
    if rank in ranks or (rank == "all" and ranks):
        return None
    known = ", ".join(map(str, ranks)) or "none yet"
    return f"--rank {rank}: this run has no output of this rank. Ranks with output: {known}."


def _times(directory: RunDirectory, since: float | None) -> OutputTimes:
    times = OutputTimes(directory)
    while times.poll():
        pass
    if since is not None and not any(True for _ in times.ticks()):
        say(
            "--since: the times of the output are not known, because no supervisor sampled its size; all of it is shown"
        )
    return times


def _of_one(
    directory: RunDirectory,
    rank: int,
    times: OutputTimes,
    since: float | None,
    pattern: re.Pattern[bytes] | None,
    *,
    follows: bool,
) -> Iterator[bytes]:
    attempts = directory.attempts()
    path = directory.output(attempts[-1] if attempts else 0, rank)
    offset = line_start(path, times.offset_at(rank, since)) if since is not None else 0
    pieces = follow_output(path, directory, offset) if follows else read_chunks(path, offset)
    return grep(pieces, pattern) if pattern is not None else pieces


def _of_all(
    directory: RunDirectory,
    times: OutputTimes,
    since: float | None,
    pattern: re.Pattern[bytes] | None,
    *,
    follows: bool,
) -> Iterator[bytes]:
    merged = MergedOutput(times, since)
    reader = RunReader(directory)
    while True:
        reader.poll()
        is_over = reader.snapshot().is_over or not follows
        attempts = directory.attempts()
        for rank, lines in merged.read_new(directory.outputs(attempts[-1] if attempts else 0), is_over=is_over):
            kept = lines if pattern is None else b"".join(_matching(lines, pattern))
            yield _named(rank, kept)
        if is_over:
            return
        heed_closed_pipe()
        time.sleep(POLL_S)


def _named(rank: int, lines: bytes) -> bytes:
    """Whole lines with the rank before each; bars stay in their own line."""
    name = b"rank %d: " % rank
    texts = lines.removesuffix(b"\n").split(b"\n") if lines else []
    return b"".join(name + text.replace(b"\r", b"\r" + name) + b"\n" for text in texts)
