"""The search in a child process: the same hits as here, as the file grows; and an end where it takes for ever."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lightning_tui.output.search import Hits, PatternError, compile_search, cpu_limit
from lightning_tui.output.searching import SearchProcess

HOSTILE = [r"(a+)+$", r"(a|a)*$", r"(a|aa)+$", r"(.*)*x", r"a*a*a*a*b", r"^(([a-z])+.)+[A-Z]([a-z])+$"]


@contextmanager
def searching(pattern: str, *paths: Path) -> Iterator[Callable[[Callable[[list[Hits]], bool]], list[Hits]]]:
    """Gives what waits until the hits that were reported are as wanted."""
    expression = compile_search(pattern)[0]
    process = SearchProcess(expression, paths)
    known = [Hits(path, expression) for path in paths]
    reports = process.reports()

    def wait_for(is_wanted: Callable[[list[Hits]], bool]) -> list[Hits]:
        while not is_wanted(known):
            place, report = next(reports)
            known[place].add(report)
        return known

    try:
        yield wait_for
    finally:
        process.end()
        for _ in reports:
            pass


def all_done(known: list[Hits]) -> bool:
    return all(hits.has_begun and hits.is_complete for hits in known)


def lines_of(hits: Hits) -> list[int]:
    return [hits.line_of(number) for number in range(hits.total)]


def test_a_child_finds_the_same_and_goes_on_with_files_that_grow_and_begin_anew(tmp_path: Path) -> None:
    first, second = tmp_path / "0.log", tmp_path / "1.log"
    first.write_bytes(b"".join(b"line %d\n" % number for number in range(200_000)))
    with searching("7 ?7", first, second) as wait_for:
        wanted = [number for number in range(200_000) if "77" in str(number)]
        assert lines_of(wait_for(all_done)[0]) == wanted
        assert wait_for(all_done)[1].total == 0
        with first.open("ab") as file:
            file.write(b"none\n77")
        second.write_bytes(b"none\n77\n")
        known = wait_for(lambda known: known[0].total > len(wanted) and known[1].total == 1)
        assert (lines_of(known[0]), lines_of(known[1])) == ([*wanted, 200_001], [1])
        assert known[0].first_from(200_001) == len(wanted)
        first.write_bytes(b"77 of another file\n")
        known = wait_for(lambda known: known[0].restarts == 1 and known[0].is_complete)
        assert lines_of(known[0]) == [0]


@pytest.mark.parametrize("pattern", HOSTILE)
def test_an_expression_that_takes_for_ever_ends_with_a_sentence(pattern: str, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one line\n" + b"a" * 5000 + b"!\n")
    with pytest.raises(PatternError, match=re.escape(f"/{pattern} takes too long")), searching(pattern, path) as wait:
        wait(lambda known: False)


def test_a_long_line_without_a_match_ends_a_search_for_anything_before_something(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * 900_000 + b"\n")
    with pytest.raises(PatternError), searching(".*error", path) as wait:
        wait(all_done)


def test_a_search_that_was_let_be_ends_without_a_word(tmp_path: Path) -> None:
    process = SearchProcess(re.compile(b"a"), [tmp_path / "missing"])
    process.end()
    assert len(list(process.reports())) <= 1


def test_what_matches_in_this_process_is_interrupted_too() -> None:
    with pytest.raises(PatternError, match="takes too long"), cpu_limit(0.05, "(a+)+$"):
        re.search("(a+)+$", "a" * 5000 + "!")
    with cpu_limit(5.0, "a"):
        assert re.search("a", "a")
