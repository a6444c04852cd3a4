"""What stands before every line of a text? Learnt from the lines that a traceback must have, not from a list.

A prefix is what stands before `Traceback (most recent call last):` and again before `  File "..."` below it. Its times
and counters change from line to line; numbers that come again (a rank, a pid) tell whose line it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

HEADER = "Traceback (most recent call last):"
FRAME = '  File "'

PREFIX_LIMIT = 240
"""Characters of the longest prefix."""
MOST_PREFIXES = 32
MOST_OWNERS = 256
FRAME_WITHIN = 60
"""Lines below a header in which its first frame stands, where several processes write at once."""

_LEVELS = "DEBUG|INFO|TRACE|NOTICE|WARNING|WARN|ERROR|CRITICAL|FATAL|EXCEPTION"
_CALM = ("DEBUG", "INFO", "TRACE", "NOTICE")
_PART = re.compile(
    rf"(?P<level>\b(?:{_LEVELS})\b)"
    r"|(?P<time>(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? )?"
    r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) {1,2}\d{1,2}\b"
    r"|(?:\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|\d{1,2}:\d\d:\d\d|[IWEF]\d{4}(?= )|\d{1,12}\.\d|(?<=[:T,])\d|\d{9})\d{0,240})"
    r"|(?P<number>\d{1,240})|(?P<space>\s{1,240})|(?P<other>[^\s\d\w]{1,240}|[^\W\d]{1,240})"
)
_RANK = re.compile(r"\b(?:(?:global_?|local_?)?rank|default)[ =:_-]{0,2}(\d{1,6})\b", re.IGNORECASE)


class _Seen(NamedTuple):
    """A prefix as it stands on one line."""

    shape: str
    """The pattern of all like it."""
    numbers: tuple[str, ...]
    """Its numbers that are no times."""
    text: str


class Prefixes:
    """The learnt prefixes of one text."""

    def __init__(self, patterns: Sequence[str]) -> None:
        whole = "|".join(f"(?P<p{at}>{pattern})" for at, pattern in enumerate(patterns))
        self._match = re.compile(whole).match
        self._owners: dict[tuple[str | None, ...], int] = {}

    def split(self, text: str) -> tuple[int, int | None, str] | None:
        """Whose line it is (a number of ours from 1 on), the rank that its prefix names, and what stands behind it."""
        match = self._match(text)
        if match is None:
            return None
        owner = (match.lastgroup, *match.groups()) if match.re.groups > 1 else (match.lastgroup,)
        key = tuple(part for part in owner if part != match[0])
        if key not in self._owners and len(self._owners) < MOST_OWNERS:
            self._owners[key] = len(self._owners) + 1
        named = _RANK.search(match[0])
        return self._owners.get(key, 0), int(named[1]) if named else None, text[match.end() :]


def learn_prefixes(texts: Sequence[str]) -> Prefixes | None:
    """Learn from the tracebacks of a text; `None` where their lines stand alone."""
    seen: dict[str, list[_Seen]] = {}
    for before in _candidates(texts):
        if (part := _seen(before)) is not None:
            seen.setdefault(part.shape, []).append(part)
    patterns = {_pattern(same) for same in seen.values()}
    return Prefixes(sorted(patterns, key=len, reverse=True)[:MOST_PREFIXES]) if patterns else None


def is_bare(before: str) -> bool:
    """Whether nothing but indentation or marks of quotation stand before a line: such a prefix ends with its block."""
    return not any(letter.isalnum() for letter in before)


def before_header(text: str) -> str | None:
    """What stands before the header of a traceback, `None` where there is none."""
    before, header, _ = text.partition(HEADER)
    if not header or len(before) > PREFIX_LIMIT:
        return None
    return before.removesuffix("Original ").removesuffix("+ Exception Group ")


def _candidates(texts: Sequence[str]) -> Iterator[str]:
    """What stands before headers and frames, of each header whose first frame has the same before it."""
    headers = 0
    for at, text in enumerate(texts):
        if HEADER in text and (before := before_header(text)) is not None:
            headers += 1
            yield from _same_below(before, texts[at + 1 : at + FRAME_WITHIN])
    if not headers:
        yield from (before for text in texts if (before := _before_frame(text)) and not is_bare(before))


def _same_below(before: str, below: Iterable[str]) -> Iterator[str]:
    if not before or is_bare(before) or (above := _seen(before)) is None:
        return
    for text in below:
        frame = _before_frame(text)
        if frame and (part := _seen(frame)) is not None and part.shape == above.shape:
            yield before
            yield frame
            return


def _before_frame(text: str) -> str | None:
    at = text.find(FRAME)
    return text[:at] if 0 <= at <= PREFIX_LIMIT and '", line ' in text else None


def _seen(before: str) -> _Seen | None:
    """Take a prefix apart; `None` for what no pattern can be made of."""
    if len(before) > PREFIX_LIMIT or any(letter < " " and letter != "\t" for letter in before):
        return None
    parts, numbers, after_level = [], [], False
    stripped = before.rstrip()
    for match in _PART.finditer(stripped):
        kind, text = match.lastgroup, match[0]
        if kind == "level":
            parts.append(rf"(?:{_LEVELS})" if text in _CALM else rf"(?:{_LEVELS.partition('NOTICE|')[2]})")
        elif kind == "time":
            parts.append(_of_digits(text))
        elif kind == "number":
            parts.append("\0")
            numbers.append(text)
        elif kind == "space":
            parts.append(r"\s{1,40}" if after_level or text.startswith("  ") else re.escape(text))
        else:
            parts.append(re.escape(text))
        after_level = kind == "level"
    trailing = re.escape(before[len(stripped) :])
    return _Seen("".join(parts) + (f"(?:{trailing}|$)" if trailing else ""), tuple(numbers), before)


def _of_digits(time: str) -> str:
    """The pattern of a time: any digits, any month."""
    letters = re.sub(r"[A-Z][a-z]{2}", "\1", time)
    digits = re.sub(r"\d{1,240}", "\2", re.sub(r" {1,4}", "\3", letters))
    return re.escape(digits).replace("\1", "[A-Z][a-z]{2}").replace("\2", r"\d{1,20}").replace("\3", r"\s{1,4}")


def _pattern(same: list[_Seen]) -> str:
    """One pattern of several prefixes of a shape; a number that comes again says whose line it is, another counts."""
    columns = list(zip(*(part.numbers for part in same), strict=True))
    tells = [len(set(column)) * 2 <= len(column) for column in columns]
    pieces = same[0].shape.split("\0")
    written = [pieces[0]]
    for at, piece in enumerate(pieces[1:]):
        written += [r"(\d{1,20})" if tells[at] else r"\d{1,20}", piece]
    return "".join(written)
