"""Pages of a log, whichever lines they are made of."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from lightning_tui.output.search import Hits
from lightning_tui.output.times import OutputTimes
from lightning_tui.record import RunDirectory
from lightning_tui.ui.drawing.rows import width_of
from lightning_tui.ui.log.index import LogIndex
from lightning_tui.ui.log.lines import Folds, MatchingLines, MergedLines, PlainLines
from lightning_tui.ui.log.page import Look, last_page, last_top, moved, page_from
from lightning_tui.ui.log.search import next_hit, previous_hit
from tests.ui.support import text_of

NONE: frozenset[tuple[int, int]] = frozenset()
TRACEBACK = ["Traceback (most recent call last):", '  File "a.py", line 1', "    x()", "ValueError: no"]


def written_log(path: Path, lines: list[str]) -> LogIndex:
    path.write_text("".join(f"{line}\n" for line in lines))
    log = LogIndex(path)
    log.poll()
    return log


def texts(lines: PlainLines | MatchingLines | MergedLines, folds: Folds | None = None) -> list[str]:
    return [text_of(drawn.row) for drawn in page_from(lines, folds, 0, 1000, Look(80))]


@given(
    st.lists(st.one_of(st.integers(0, 50), st.just(-1)), min_size=1, max_size=30),
    st.integers(3, 30),
    st.integers(1, 12),
    st.booleans(),
)
def test_the_last_page_is_the_end_of_all_rows(lengths: list[int], width: int, height: int, wraps: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        written = [line for size in lengths for line in (TRACEBACK if size < 0 else [f"{'x' * size}|"])]
        lines = PlainLines(written_log(Path(folder) / "log", written), 0)
        folds, look = Folds(lines), Look(width, wraps)
        everything = page_from(lines, folds, 0, 10_000, look)
        assert last_page(lines, folds, height, look) == everything[-height:]
        assert all(width_of(drawn.row) <= width for drawn in everything)
        top = last_top(lines, folds, height, look)
        last = page_from(lines, folds, top, 10_000, look)
        assert last == everything[-len(last) :]
        assert len(last) <= height or top == everything[-1].unit.first


@given(st.lists(st.booleans(), min_size=1, max_size=20), st.integers(0, 60), st.integers(-60, 60))
def test_scrolling_passes_over_a_folded_traceback_in_one_step(is_fold: list[bool], start: int, steps: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        written = [line for fold in is_fold for line in (TRACEBACK if fold else ["plain"])]
        lines = PlainLines(written_log(Path(folder) / "log", written), 0)
        firsts = [drawn.unit.first for drawn in page_from(lines, Folds(lines), 0, 10_000, Look(80))]
        begin = max(place for place in firsts if place <= min(start, len(written) - 1))
        expected = firsts[max(0, min(len(firsts) - 1, firsts.index(begin) + steps))]
        assert moved(lines, Folds(lines), begin, steps, NONE) == expected


def test_a_traceback_is_one_row_until_it_is_opened(tmp_path: Path) -> None:
    lines = PlainLines(written_log(tmp_path / "log", ["before", *TRACEBACK, "after"]), 0)
    assert texts(lines, Folds(lines)) == ["before", "▸ ValueError: no  traceback, 4 lines", "after"]
    opened = page_from(lines, Folds(lines), 0, 100, Look(80, opened=frozenset({(0, 1)})))
    assert [text_of(drawn.row) for drawn in opened] == ["before", f"▾ {TRACEBACK[0]}", *TRACEBACK[1:], "after"]
    assert Folds(lines).around(3) == Folds(lines).around(1) == Folds(lines).around(4) == (1, 4)
    assert Folds(lines).around(0) is Folds(lines).around(5) is None


def test_a_traceback_that_is_still_being_written_is_not_folded(tmp_path: Path) -> None:
    for cut in (1, 2, 3):
        lines = PlainLines(written_log(tmp_path / "log", ["a", *TRACEBACK[:cut]]), 0)
        assert texts(lines, Folds(lines)) == ["a", *TRACEBACK[:cut]]


def test_an_endless_indented_text_is_no_traceback(tmp_path: Path) -> None:
    lines = PlainLines(written_log(tmp_path / "log", [TRACEBACK[0], *["  x"] * 1000, "end"]), 0)
    folds = Folds(lines)
    assert [folds.around(place) for place in (0, 500, 1001)] == [None, None, None]


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(0, 3))
def test_the_filter_shows_each_line_once_with_its_neighbours(matches: list[bool], context: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        log = written_log(path, [f"{number} {'hit' if match else ''}" for number, match in enumerate(matches)])
        hits = Hits(path, re.compile(b"hit"))
        hits.poll()
        lines = MatchingLines(log, 0, hits, context)
        shown = [line.number for position in range(lines.total) for line in lines.at(position)]
        near = {place for place in range(len(matches)) if any(matches[max(0, place - context) : place + context + 1])}
        assert shown == sorted(near)


def merged(folder: Path, ticks: list[tuple[float, dict[int, int]]], logs: dict[int, LogIndex]) -> MergedLines:
    directory = RunDirectory(folder / "run")
    directory.supervisor.mkdir(parents=True)
    said = [{"event": "sample", "time": moment, "output_bytes": sizes} for moment, sizes in ticks]
    directory.supervisor_log(0).write_text("".join(json.dumps(line) + "\n" for line in said))
    times = OutputTimes(directory)
    times.poll()
    return MergedLines(logs, times)


def test_all_ranks_stand_in_the_order_of_their_seconds_and_what_stands_stays(tmp_path: Path) -> None:
    logs = {rank: written_log(tmp_path / str(rank), [f"{rank}a", f"{rank}b", f"{rank}c"]) for rank in (0, 1)}
    lines = merged(tmp_path, [(1.0, {0: 3, 1: 0}), (2.0, {0: 6, 1: 6}), (3.0, {0: 6, 1: 7})], logs)
    lines.extend(is_over=False)
    order = [line.data.decode() for position in range(lines.total) for line in lines.at(position)]
    assert order == ["0a", "0b", "1a", "1b"]
    lines.extend(is_over=True)
    order = [line.data.decode() for position in range(lines.total) for line in lines.at(position)]
    assert order == ["0a", "0b", "1a", "1b", "0c", "1c"]
    for position in range(lines.total):
        line = lines.at(position)[0]
        assert lines.position_of(line.rank, line.number) == position
        assert lines.first_from(line.rank, position) == line.number
    assert lines.first_from(0, 3) == 2
    assert lines.first_from(0, 5) == 3


def test_steps_to_hits_go_through_all_ranks(tmp_path: Path) -> None:
    logs = {rank: written_log(tmp_path / str(rank), [f"{rank}a", f"{rank} hit", f"{rank}c"]) for rank in (0, 1)}
    lines = merged(tmp_path, [(1.0, {0: 3, 1: 3})], logs)
    lines.extend(is_over=True)  # 0a 1a "0 hit" 0c "1 hit" 1c
    hits = {rank: Hits(log.path, re.compile(b"hit")) for rank, log in logs.items()}
    for found in hits.values():
        found.poll()
    assert [next_hit(lines, hits, position) for position in range(6)] == [2, 2, 2, 4, 4, None]
    assert [previous_hit(lines, hits, position) for position in range(7)] == [None, None, None, 2, 2, 4, 4]
