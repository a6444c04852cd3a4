"""Where do the rules' signs hold? Plain substrings first; regular expressions only on the few units that are left."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

import msgspec

from lightning_tui.diagnosis.exceptions import FoundException, ParsedStream
from lightning_tui.diagnosis.model import CodeHint, Rule, Sign
from lightning_tui.diagnosis.text import OutputLine

MOST_EXCEPTIONS = 100
_AT_EASE = re.compile(r"(?:[\w.,:/\[\]>#-]{1,60}[\s|]{1,5}){0,6}[\[(]?(?:INFO|DEBUG|TRACE|VERBOSE)\b")
"""A logged line whose level says that nothing is wrong, after its time and its logger's name."""
_WITHOUT_DIGITS = str.maketrans("", "", "0123456789")
_AS_ZEROS = bytes.maketrans(b"123456789", b"000000000")
OCCURRENCES = 200
"""How many places of a substring are looked at before a sign is given up."""


class Hit(NamedTuple):
    """A sign that holds, and where."""

    rule: Rule
    weight: int
    captured: dict[str, str]
    line: int | None
    text: str
    rank: int | None
    found: FoundException | None
    order: float
    """Position in time among hits of the same weight: line number, or seconds of telemetry."""


class LooseLines:
    """The loose lines of one stream as one text, with the way back from an offset to a line."""

    def __init__(self, lines: list[OutputLine], rank: int | None) -> None:
        self.lines = lines
        self.rank = rank
        self.lower = "\n".join(line.text for line in lines).lower()
        self._starts: list[int] | None = None
        self._first: dict[str, int] = {}
        # But for its numbers a log says few different things: most substrings are ruled out by looking at each once.
        shape = self.lower.encode(errors="replace").translate(_AS_ZEROS)
        self._kinds = b"\n".join(set(shape.split(b"\n")))
        self._words = b"\n".join(set(self._kinds.split()))

    def may_hold(self, needle: str) -> bool:
        """Whether a substring can be in it at all; quickly, and sometimes wrongly, `True`."""
        shape = needle.encode(errors="replace").translate(_AS_ZEROS)
        return max(shape.split(), key=len, default=b"") in self._words and shape in self._kinds

    def lines_with(self, needle: str) -> Iterator[OutputLine]:
        """The lines that hold a substring, in order, each once."""
        at = self._first.get(needle)
        if at is None:
            at = self._first[needle] = self.lower.find(needle) if self.may_hold(needle) else -1
        for _ in range(OCCURRENCES):
            if at < 0:
                return
            index = self._index(at)
            yield self.lines[index]
            following = self._starts[index + 1] if self._starts and index + 1 < len(self._starts) else len(self.lower)
            at = self.lower.find(needle, following)

    def _index(self, offset: int) -> int:
        from bisect import bisect_right

        if self._starts is None:
            self._starts = [0, *(match.end() for match in re.finditer("\n", self.lower))]
        return bisect_right(self._starts, offset) - 1


class Material(NamedTuple):
    """Everything that signs are looked for in."""

    exceptions: list[tuple[FoundException, float]]
    """With their order in time."""
    pages: list[LooseLines]
    everything: str
    """All texts, lower case, for conditions that may hold anywhere."""
    stacks: dict[int | None, tuple[CodeHint, ...]]
    """By rank: where Python was when native code crashed, innermost first."""


def material_of(
    reads: Iterable[tuple[ParsedStream, int | None]], told: Iterable[tuple[FoundException, float]]
) -> Material:
    """Join what the streams hold and what telemetry told."""
    reads = list(reads)
    found_in_order = sorted((found for read, _ in reads for found in read.exceptions), key=lambda found: found.line)
    exceptions = [*told, *((found, float(found.line)) for found in _distinct(found_in_order))]
    pages = [LooseLines(read.loose, rank) for read, rank in reads]
    blocks = [found.block + "\n" + found.text for found, _ in exceptions]
    everything = "\n".join([*(page.lower for page in pages), *(block.lower() for block in blocks)])
    return Material(exceptions, pages, everything, {rank: read.stack for read, rank in reads if read.stack})


def _distinct(exceptions: Iterable[FoundException]) -> list[FoundException]:
    """The first of those that differ in nothing but numbers; of very many, the first and the last ones."""
    seen: dict[tuple[int | None, str, str, bool], FoundException] = {}
    for found in exceptions:
        seen.setdefault(
            (found.rank, found.type, found.message[:300].translate(_WITHOUT_DIGITS), found.in_worker), found
        )
    kept = list(seen.values())
    return kept if len(kept) <= MOST_EXCEPTIONS else [*kept[: MOST_EXCEPTIONS // 2], *kept[-MOST_EXCEPTIONS // 2 :]]


def find_hits(rules: Iterable[Rule], material: Material) -> list[Hit]:
    """All signs that hold, one hit for each exception and each first line."""
    exceptions = [(found, order, found.text.lower()) for found, order in material.exceptions]
    return [hit for rule in rules for sign in rule.signs for hit in _hits_of(rule, sign, material, exceptions)]


def holds(rule: Rule, sign: Sign, material: Material) -> bool:
    """Whether one sign of a rule is in a text."""
    exceptions = [(found, order, found.text.lower()) for found, order in material.exceptions]
    return next(_hits_of(rule, sign, material, exceptions), None) is not None


def _hits_of(
    rule: Rule, sign: Sign, material: Material, exceptions: list[tuple[FoundException, float, str]]
) -> Iterator[Hit]:
    if sign.where in ("exception", "any"):
        yield from _in_exceptions(rule, sign, material, exceptions)
    if sign.where in ("line", "any"):
        yield from _in_lines(rule, sign, material)


def _in_exceptions(
    rule: Rule, sign: Sign, material: Material, exceptions: list[tuple[FoundException, float, str]]
) -> Iterator[Hit]:
    for found, order, lower in exceptions:
        if found.ignored and not sign.ignored_too:
            continue
        if sign.types and found.name not in sign.types:
            continue
        captured = _captured(sign, found.text, lower)
        if captured is None or not _frames_fit(sign, found) or not _surroundings_fit(sign, material):
            continue
        yield Hit(
            _as_told(rule, sign),
            _weight(rule, sign),
            captured,
            found.line or None,
            first_line(found),
            found.rank,
            found,
            order,
        )


def _in_lines(rule: Rule, sign: Sign, material: Material) -> Iterator[Hit]:
    for page in material.pages:
        hits = []
        for line in page.lines_with(sign.has[0]):
            # What exceptions say, a log may also say of others, or of what was tried again.
            is_chatter = sign.where == "any" and _AT_EASE.match(line.text) is not None
            captured = None if is_chatter else _captured(sign, line.text, line.text.lower())
            if captured is not None:
                hits.append((captured, line))
            if len(hits) >= sign.at_least:
                break
        if len(hits) >= sign.at_least and hits and _surroundings_fit(sign, material):
            captured, line = hits[0]
            order = float(line.number)
            yield Hit(
                _as_told(rule, sign),
                _weight(rule, sign),
                captured,
                line.number,
                line.text.strip(),
                page.rank,
                None,
                order,
            )


def _captured(sign: Sign, text: str, lower: str) -> dict[str, str] | None:
    """What the sign's pattern captures, `None` where the sign does not hold."""
    if not all(part in lower for part in sign.has) or any(part in lower for part in sign.lacks):
        return None
    captured: dict[str, str] = {}
    for pattern in (sign.pattern, sign.detail):
        match = _compiled(pattern).search(text) if pattern is not None else None
        if match is None and pattern is not None and pattern is sign.pattern:
            return None
        captured |= {name: value for name, value in (match.groupdict() if match else {}).items() if value is not None}
    return captured


def _frames_fit(sign: Sign, found: FoundException) -> bool:
    if sign.frame is not None and not any(sign.frame in frame.path for frame in found.frames):
        return False
    if sign.last_frame is None:
        return True
    last = found.frames[-1] if found.frames else None
    return last is not None and (sign.last_frame in last.path or sign.last_frame == last.function)


def _surroundings_fit(sign: Sign, material: Material) -> bool:
    if sign.elsewhere and not any(part in material.everything for part in sign.elsewhere):
        return False
    return not any(part in material.everything for part in sign.nowhere)


def _as_told(rule: Rule, sign: Sign) -> Rule:
    """The rule with what is said of this form of it alone."""
    if sign.cause is None and not sign.suggestions:
        return rule
    cause = rule.cause if sign.cause is None else sign.cause
    return msgspec.structs.replace(rule, cause=cause, suggestions=(*sign.suggestions, *rule.suggestions))


def _weight(rule: Rule, sign: Sign) -> int:
    return rule.weight if sign.weight is None else sign.weight


def first_line(found: FoundException) -> str:
    """Type and first words of an exception."""
    first = found.message.strip().partition("\n")[0]
    return f"{found.type}: {first}" if first else found.type


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)
