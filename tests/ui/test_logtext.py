"""A program's output on the screen: colours stay, bars fold, and no byte of it can reach the terminal as control."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lightning_tui.ui.logtext import fold, log_row, wrap_row
from lightning_tui.ui.rows import width_of
from lightning_tui.ui.theme import DARK, Palette
from tests.ui.scenes import text_of

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
    assert text_of(log_row(b"tab\there")) == "tab    here"


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
