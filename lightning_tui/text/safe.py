"""How is foreign text made harmless for a terminal? Escape sequences go, and what is not printable becomes a mark.

Output, names and messages of programs are untrusted: none of them may move the cursor, set a title, turn the direction
of what stands beside it, or pile signs over the rows above. Secrets are masked elsewhere.
"""

from __future__ import annotations

import re

CONTROL_MARK = "·"

_SEQUENCE = r"\[([0-?]*)[ -/]*([@-~])|[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)|[ -/]*[0-Z\\^-~]"
ESCAPE = re.compile(rf"\x1b(?:{_SEQUENCE})")
"""A whole escape sequence (CSI, OSC, DCS, ...); of a CSI, group 1 holds the parameters and group 2 the final letter."""

_PILE = re.compile(
    "([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f]{4})"
    "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f]+"
)
"""Combining signs on one letter, where they are more than any language writes."""

_COLOUR = rb"\x1b(?!\[[0-9;:]*m)"
_STEERING = re.compile(_COLOUR + b"(?:" + _SEQUENCE.encode() + b")")
_CONTROL = re.compile(
    _COLOUR + rb"|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]"
    rb"|\xc2[\x80-\x9f]|\xe2\x80[\x8b-\x8f\xa8-\xae]|\xe2\x81[\xa6-\xa9]"  # C1, zero width, directions
)
_UNFINISHED = re.compile(
    rb"(?:\x1b(?:\[[0-?]{0,60}[ -/]{0,4}|[\]PX^_][^\x07\x1b\n]{0,500}\x1b?|[ -/]{0,4})|\xc2|\xe2[\x80\x81]?)\Z"
)
_LONGEST_UNFINISHED = 512


def is_harmless(text: str) -> bool:
    """Whether `harmless` would change nothing."""
    return text.isprintable() and (text.isascii() or _PILE.search(text) is None)


def without_escapes(text: str) -> str:
    """The text without its whole escape sequences; an ESC that begins none stays."""
    return ESCAPE.sub("", text) if "\x1b" in text else text


def harmless(text: str, mark: str = CONTROL_MARK, keeps: str = "") -> str:
    """The text without escape sequences, and `mark` for everything else that is not printable, line ends included.

    What stands in `keeps` (a tab, a line end) stays; tabs that do not are four blanks.
    """
    if is_harmless(text):
        return text
    text = without_escapes(text)
    if not text.isascii():
        text = _PILE.sub(r"\1", text)
    if text.isprintable():
        return text
    text = (text if "\t" in keeps else text.replace("\t", "    ")).replace("\xa0", " ")
    return "".join(character if character.isprintable() or character in keeps else mark for character in text)


def harmless_output(output: bytes) -> bytes:
    """The same of a program's output as it is: text, tabs, line ends, `\\r` and colours stay."""
    if b"\x1b" in output:
        output = _STEERING.sub(b"", output)
    return _CONTROL.sub(CONTROL_MARK.encode(), output)


def unfinished(output: bytes) -> int:
    """Where a sequence or a character begins that `output` ends within: it can be judged only with what follows."""
    match = _UNFINISHED.search(output, max(0, len(output) - _LONGEST_UNFINISHED))
    return match.start() if match is not None else len(output)
