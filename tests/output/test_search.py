"""Search in files of any size: held against reading every line."""

from __future__ import annotations

import re
import tempfile
import warnings
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lightning_tui.output import search
from lightning_tui.output.search import Hits, PatternError, compile_errors, compile_search, matching_lines

PATTERNS = ["a", "(?i)ab", "a.*b", "^a", "b$", "a*", "(?i)AB", "a\nb", r"\s+a", "[^b]", "x|^$", r"\bab\b"]


def naive(data: bytes, pattern: re.Pattern[bytes]) -> list[int]:
    lines = data.split(b"\n")
    lines = lines[:-1] if lines[-1] == b"" else lines
    return [number for number, line in enumerate(lines) if pattern.search(line) is not None]


letters = st.lists(st.sampled_from([b"a", b"b", b"ab", b" ", b"\n", b"\n", b"x\n", b"a" * 50, b"\r"]), max_size=60)


@given(letters.map(b"".join), st.sampled_from(PATTERNS))
@example(b"", "a*")
@example(b"\n\n", "a*")
@example(b"b\n", "b$")
def test_matching_lines_are_those_of_a_naive_reading(data: bytes, text: str) -> None:
    pattern = re.compile(text.encode(), re.MULTILINE)
    assert list(matching_lines(pattern, data)) == naive(data, pattern)


@given(st.lists(letters.map(b"".join), max_size=8), st.sampled_from(["a", "ab", "^a", "b$", "x|^$"]), st.integers(1, 9))
def test_hits_are_those_of_a_naive_reading_however_the_file_grows(parts: list[bytes], text: str, block: int) -> None:
    pattern = re.compile(text.encode(), re.MULTILINE)
    kept = search.BLOCK, search._LONG_LINE
    search.BLOCK, search._LONG_LINE = block, 20
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "log"
            path.write_bytes(b"")
            hits = Hits(path, pattern)
            written = b""
            for part in parts:
                written += part
                path.write_bytes(written)
                while hits.poll():
                    pass
                if all(len(line) <= 20 for line in written.split(b"\n")):
                    check(hits, naive(written, pattern), len(naive(written, re.compile(b""))))
    finally:
        search.BLOCK, search._LONG_LINE = kept


def check(hits: Hits, expected: list[int], lines: int) -> None:
    assert hits.is_complete
    assert [hits.line_of(number) for number in range(hits.total)] == expected
    for line in range(lines + 1):
        assert hits.first_from(line) == sum(1 for found in expected if found < line)


def test_a_match_in_a_line_of_many_megabytes_is_one_hit_of_that_line(tmp_path: Path) -> None:
    path = tmp_path / "log"
    long = b"." * 2_500_000 + b"needle" + b"." * 2_500_000
    path.write_bytes(b"one\n" + long + b"\nneedle\n" + long)
    hits = Hits(path, re.compile(b"needle"))
    while hits.poll():
        assert len(hits._blocks._rest) <= (1 << 20) + search.BLOCK
    assert [hits.line_of(number) for number in range(hits.total)] == [1, 2, 3]


def test_a_long_line_without_an_end_is_looked_at_once_and_whole_when_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"a" + b"." * 500_000)
    looked_at: list[int] = []

    class Counting(search._HitBlocks):
        def _matches(self, text: bytes, begin: int = 0) -> bool:
            looked_at.append(len(text) - begin)
            return super()._matches(text, begin)

    hits = Hits(path, re.compile(b"a.*b"))
    hits._blocks = Counting(path, hits.pattern)
    while hits.poll():
        assert hits.total == 0
    assert sum(looked_at) < 2 * path.stat().st_size
    with path.open("ab") as file:
        file.write(b"b\n")
    while hits.poll():
        pass
    assert [hits.line_of(number) for number in range(hits.total)] == [0]


def test_a_file_that_shrinks_or_is_replaced_is_searched_anew(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"a\nb\na\n")
    hits = Hits(path, re.compile(b"a"))
    while hits.poll():
        pass
    assert hits.total == 2
    path.write_bytes(b"ba\n")
    while hits.poll():
        pass
    assert (hits.total, hits.restarts) == (1, 1)
    path.write_bytes(b"other text of the same file, longer than before: a\na\n")
    while hits.poll():
        pass
    assert (hits.total, hits.restarts) == (2, 2)


def test_memory_is_flat_in_the_number_of_hits(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"0123456789abcde\n" * 500_000)
    hits = Hits(path, re.compile(b"abc"))
    while hits.poll():
        pass
    assert hits.total == 500_000
    assert hits.line_of(499_999) == 499_999
    assert len(hits._blocks._starts) < 150


def test_small_letters_find_capitals_and_capitals_only_themselves() -> None:
    assert compile_search("nan")[0].search(b"loss=NaN")
    assert not compile_search("Nan")[0].search(b"loss=nan")
    assert compile_search("épo")[1].search("Épo")
    assert compile_search(r"\S\Wnan")[0].search(b"loss=NaN")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert compile_search("[[a]")[0].search(b"[")


@pytest.mark.parametrize("text", ["(", "[", "a{2,1}", "*", "(?P<x>", "\\"])
def test_what_is_no_expression_is_told_with_place_and_remedy(text: str) -> None:
    with pytest.raises(PatternError, match=r"Not a valid regular expression: .*backslash"):
        compile_search(text)


@pytest.mark.parametrize(
    ("line", "is_error"),
    [
        (b"Traceback (most recent call last):", True),
        (b"[rank3]: Traceback (most recent call last):", True),
        (b"torch.OutOfMemoryError: CUDA out of memory", True),
        (b"KeyboardInterrupt", True),
        (b"2026-05-01 ERROR no", True),
        (b"val_error 0.3, no errors", False),
        (b"UserWarning: few workers", False),
    ],
)
def test_errors_are_recognised(line: bytes, is_error: bool) -> None:
    assert bool(compile_errors().search(line)) is is_error


@given(letters.map(lambda parts: b"".join(parts).replace(b"ab", b"aB")), st.sampled_from(["a", "ab", "[^b]$", "a|x"]))
def test_small_letters_find_the_same_lines_as_an_expression_that_heeds_no_case(data: bytes, text: str) -> None:
    expected = naive(data, re.compile(text.encode(), re.MULTILINE | re.IGNORECASE))
    assert list(matching_lines(compile_search(text)[0], data)) == expected


@given(st.lists(st.sampled_from([b"ValueError: x", b"KeyboardInterrupt", b"an ERROR", b"fine", b"Error"]), max_size=9))
def test_errors_are_found_where_a_look_at_every_line_finds_them(lines: list[bytes]) -> None:
    data = b"".join(line + b"\n" for line in lines)
    assert list(matching_lines(compile_errors(), data)) == naive(data, compile_errors())
