"""A program's output on the screen: colours stay, bars fold, and no byte of it can reach the terminal as control."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lightning_tui.ui.drawing.rows import width_of
from lightning_tui.ui.drawing.theme import DARK, Palette
from lightning_tui.ui.log.text import cut_left, expand_tabs, fold, highlight, log_row, plain, wrap_row
from tests.ui.support import text_of

HOSTILE = [
    b"\x1b",
    b"\x1b[",
    b"\x1b]0;title\x07",
    b"\x1b[2J",
    b"\x1b[?1049l",
    b"\x9b31m",
    b"\xc2\x9b2J",
    b"\x07",
    b"\x08",
    b"\r",
]
"""Beginnings and whole sequences that would move the cursor, set the title, or leave the alternate screen."""


@given(
    st.one_of(
        st.binary(max_size=300), st.lists(st.sampled_from([*HOSTILE, b"a", b"38;5", b"m"]), max_size=30).map(b"".join)
    )
)
@example(b"\x1b[38;2;1;2;3mx")
@example("\u202etxt.exe\u200b".encode())
def test_only_printable_characters_come_out(line: bytes) -> None:
    row = log_row(line)
    assert all(text.isprintable() for text, _ in row)
    palette = Palette(DARK)
    for _, token in row:
        palette.style(token, "ground")


def test_a_bar_shows_its_last_state() -> None:
    assert fold(b"\r 10%|#   \r 50%|##  \r100%|####\r") == "100%|####"
    assert fold(b"text with a dos end\r") == "text with a dos end"


def test_colours_become_tokens() -> None:
    assert log_row(b"plain \x1b[1;31mred\x1b[0m end") == (("plain ", "text"), ("red", "ansi1+b"), (" end", "text"))
    assert log_row(b"\x1b[38;5;208mo\x1b[39mx") == (("o", "#ff8700"), ("x", "text"))
    assert log_row(b"\x1b[38;2;1;2;3mrgb") == (("rgb", "#010203"),)
    assert log_row(b"\x1b[2mfaint\x1b[22m not") == (("faint", "dim"), (" not", "text"))


def test_sequences_that_move_the_cursor_vanish_and_other_control_bytes_are_dots() -> None:
    assert text_of(log_row(b"a\x1b[2Kb\x1b[10;10Hc\x07d\x00e")) == "abc·d·e"
    assert text_of(log_row(b"\x1b]0;evil\x07safe")) == "safe"
    assert text_of(log_row(b"tab\there")) == "tab     here"


@pytest.mark.parametrize(
    ("line", "token"),
    [
        (b"UserWarning: few workers", "warn"),
        (b"[WARNING] slow", "warn"),
        (b"ValueError: no", "bad"),
        (b"torch.OutOfMemoryError: CUDA out of memory", "bad"),
        (b"[rank1]: Traceback (most recent call last):", "bad"),
        (b"2026 ERROR in x", "bad"),
        (b"val_error 0.3, no errors", "text"),
    ],
)
def test_warnings_are_amber_and_errors_red(line: bytes, token: str) -> None:
    assert log_row(line)[0][1] == token


def test_a_megabyte_in_one_line_is_cut() -> None:
    assert width_of(log_row(b"y" * 1_000_000)) == 4096


@given(st.text(max_size=80), st.integers(2, 30))
def test_wrapping_loses_nothing_and_never_overflows(text: str, width: int) -> None:
    row = log_row(text.replace("\n", "").encode("utf-8", "replace"))
    lines = wrap_row(row, width)
    assert "".join(text_of(line) for line in lines) == text_of(row)
    assert all(width_of(line) <= width for line in lines)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\n\r\x1b"), max_size=40), st.integers(0, 60))
def test_what_is_scrolled_out_at_the_left_is_so_many_cells(text: str, columns: int) -> None:
    row = log_row(text.encode())
    cut = cut_left(row, columns)
    assert width_of(cut) == max(0, width_of(row) - columns)
    assert text_of(row).endswith(text_of(cut).lstrip())


def test_a_wide_character_that_is_cut_leaves_a_blank() -> None:
    assert text_of(cut_left(log_row("語語x".encode()), 1)) == " 語x"
    assert text_of(cut_left(log_row("語語x".encode()), 2)) == "語x"


@given(st.lists(st.sampled_from(["a", "語", "\t", "ab", "é"]), max_size=12).map("".join))
def test_tabs_end_at_multiples_of_eight_cells(text: str) -> None:
    expanded = expand_tabs(text)
    assert "\t" not in expanded
    cells = 0
    for part in text.split("\t")[:-1]:
        cells = (cells + sum(width_of(((letter, ""),)) for letter in part)) // 8 * 8 + 8
    last = text.rpartition("\t")[2]
    assert width_of(((expanded, ""),)) == cells + width_of(((last, ""),))


def test_tabs_after_colours_count_from_the_line_s_beginning() -> None:
    assert text_of(log_row(b"\x1b[31mred\x1b[0m\tx")) == "red     x"


@given(st.text(max_size=60), st.sampled_from(["a", "[a-z]+", "$", "x*", "."]))
def test_highlighting_loses_nothing(text: str, pattern: str) -> None:
    row = log_row(text.replace("\n", "").encode("utf-8", "replace"))
    lit = highlight(row, re.compile(pattern), "warn+r")
    assert text_of(lit) == text_of(row)
    marked = "".join(part for part, token in lit if token == "warn+r")
    assert marked == "".join(re.findall(pattern, text_of(row)))


def test_what_is_copied_has_no_colours_and_no_control_bytes() -> None:
    assert plain(b"\x1b[31mred\x1b[0m\tx\x07\r") == "red\tx·"
    assert plain(b" 10%\r100%|#\r") == "100%|#"
