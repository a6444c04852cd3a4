"""No text of a program can steer a terminal, and ordinary text stays as it is."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lightning_tui.text.safe import harmless, harmless_output, without_escapes

PIECES = [
    "\x1b",
    "[",
    "]",
    "P",
    "_",
    "\\",
    "31m",
    "?25l",
    "0;t",
    "(B",
    "\x07",
    "\x9b",
    "\r",
    "\n",
    "\t",
    "x",
    "\u202e",
    "é",
]
HOSTILE = st.one_of(st.text(max_size=80), st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")


@given(HOSTILE, st.sampled_from(["·", " ", ""]), st.sampled_from(["", "\t", "\n", "\t\n"]))
@example("\x1b\x1b[31m[31m", "", "")
def test_nothing_that_steers_a_terminal_comes_out(text: str, mark: str, keeps: str) -> None:
    safe = harmless(text, mark, keeps)
    assert set(CONTROLS.findall(safe)) <= set(keeps)
    assert all(character.isprintable() or character in keeps for character in safe)


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=80))
@example("Größe 学习率 naïve Việt ×²█▏⣿ 🚀")
def test_ordinary_text_is_unchanged(text: str) -> None:
    assert harmless(text) == text
    assert harmless_output(text.encode()) == text.encode()


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("\x1b[1mbold\x1b[0m", "bold"),
        ("a\x1b]0;title\x07b\x1b]8;;http://x\x1b\\c", "abc"),
        ("a\x1bP1$r payload\x1b\\b\x1b_apc\x1b\\c", "abc"),
        ("\x1b(B\x1b7\x1b[?1049lx", "x"),
        ("cut\x1b[31", "cut·[31"),
        ("a\x07\x00b\u202etxt\u200b", "a··b·txt·"),
        ("a\tb\xa0c", "a    b c"),
        ("Z" + "\u0335\u0301" * 40 + "!", "Z" + "\u0335\u0301" * 2 + "!"),
    ],
)
def test_sequences_go_whole_and_controls_become_marks(text: str, safe: str) -> None:
    assert harmless(text) == safe


@given(HOSTILE)
def test_of_a_pile_of_signs_few_are_left(text: str) -> None:
    piled = harmless(text + "e" + "\u0301" * 30)
    assert not piled.endswith("\u0301" * 5)


@given(HOSTILE)
def test_without_escapes_only_takes_away(text: str) -> None:
    rest = iter(text)
    assert all(character in rest for character in without_escapes(text))


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        (b"plain \xc3\xa9\ttab\r\n", "plain é\ttab\r\n".encode()),
        (b"\x1b[31mred\x1b[0m", b"\x1b[31mred\x1b[0m"),
        (b"\x1b[2J\x1b[H\x1b]0;title\x07", b""),
        (b"\x1b[2", "·[2".encode()),
        (b"\x00\x08\x7f\x0e", "····".encode()),
        (b"\xc2\x9b31m", "·31m".encode()),
        ("\u202etxt".encode(), "·txt".encode()),
    ],
)
def test_output_keeps_its_colours_and_nothing_that_steers_a_terminal(output: bytes, shown: bytes) -> None:
    assert harmless_output(output) == shown


@given(HOSTILE.map(str.encode) | st.binary(max_size=80))
@example(b"\x1b\x1b[2J[2J")
def test_of_output_only_colours_are_left(output: bytes) -> None:
    shown = re.sub(rb"\x1b\[[0-9;:]*m", b"", harmless_output(output))
    assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]", shown)
