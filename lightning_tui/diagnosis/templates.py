"""How does a rule's text become a sentence of this run? Captures go in, parts with what is not known go out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from string import Formatter

from lightning_tui.text.safe import harmless

_OPTIONAL = re.compile(r"\[\[((?:[^\[\]]|\[(?!\[)|\](?!\])){0,2000})\]\]")
_SENTENCE_END = re.compile(r"(?<=[.?!])\s(?=[A-Z`\[{])")
VALUE_LIMIT = 300
_HELD = str.maketrans("{}[]", "\ue000\ue001\ue002\ue003")
_RELEASED = str.maketrans("\ue000\ue001\ue002\ue003", "{}[]")
"""Braces and brackets of a value stand aside while the text around it is filled: they are no places of it."""


def fill(text: str, values: Mapping[str, str]) -> str:
    """Put values into `{name}` places; a part in `[[...]]`, or else a sentence, goes where a value of it is not known.

    Values are text of programs: they are cut, and what could steer a terminal is taken out. `{name!r}` quotes one.
    """
    clean = {name: plain(value) for name, value in values.items() if value.strip()}
    while "[[" in text:
        shorter = _OPTIONAL.sub(lambda part: _filled(part[1], clean) or "", text)
        if shorter == text:
            break
        text = shorter
    whole = _filled(text, clean)
    if whole is None:
        sentences = (_filled(sentence, clean) for sentence in _SENTENCE_END.split(text))
        whole = " ".join(sentence for sentence in sentences if sentence)
    return " ".join(whole.translate(_RELEASED).split())


def plain(value: str) -> str:
    """One line of printable text; that it was cut is told by an ellipsis."""
    text = harmless(value, mark=" ").strip()
    return text if len(text) <= VALUE_LIMIT else text[:VALUE_LIMIT].rstrip() + "…"


def _filled(text: str, values: Mapping[str, str]) -> str | None:
    parts = list(Formatter().parse(text))
    if any(name is not None and name not in values for _, name, _, _ in parts):
        return None
    written = []
    for literal, name, _, quoting in parts:
        written.append(literal)
        if name is not None:
            value = repr(values[name]) if quoting == "r" else values[name]
            written.append(value.translate(_HELD))
    return "".join(written)
