"""What do the lines of an output say, freed of colours, progress bars and the prefixes of launchers?"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from lightning_tui.diagnosis.model import OutputTail
from lightning_tui.text.safe import without_escapes

LINE_LIMIT = 4000
"""Characters of a line that are looked at."""

_BAR = re.compile(r"(?:\d{1,3}%\||\dit/s|\ds/it|\?it/s|━|█|it \[)")
_RANK_PREFIX = re.compile(
    r"\s{0,8}(?:"
    r"\[rank ?: ?(?P<a>\d{1,6})\](?=:) ?:? ?|\[rank(?P<b>\d{1,6})\]:? ?"
    r"|\[default(?P<c>\d{1,6})\]:? ?"
    r"|\[\d{1,6},(?P<d>\d{1,6})\]<std(?:err|out)>:? ?"
    r"|\((?P<e>\w{1,80} )?(?:pid=\d{1,9})(?:, ip=[\w.:]{1,64})?\) ?)"
)
_TIME_PREFIX = re.compile(
    r"\[?\d{4}-\d\d-\d\d[T _]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?\]?[ \t](?:std(?:err|out) [FP] )?"
)
_SRUN_PREFIX = re.compile(r" {0,4}(\d{1,5}): ?")
_RANK_MARKS = ("[rank", "[default", "]<std", "pid=")
_MARKS = (*_RANK_MARKS, "Traceback (most recent call last):")
"""Where none of these stands, lines need no closer look for prefixes."""
_TIME_STARTS = "[0123456789"
_STARTS = _TIME_STARTS + "( "
"""With what a line begins that may have a prefix."""
_HEADER = "Traceback (most recent call last):"
_LAUNCHER_PREFIX = re.compile(r"[\w\[\]()<>,.@/ -]{1,60}[:|\]>)]{1,2} ?")
_GROUP_PREFIX = re.compile(r" {0,40}(?:\| ?|\+ (?=Exception Group)|\+-\+?-{3,80}[\d. -]{0,80}$|\+-{4,80}$)")


class OutputLine(NamedTuple):
    """One line: its number in the whole output, and its text without prefix and colour."""

    number: int
    text: str


class Stream(NamedTuple):
    """The lines of one rank, in order; `rank` is `None` where nothing tells whose they are."""

    rank: int | None
    lines: list[OutputLine]


def read_streams(output: OutputTail) -> list[Stream]:
    """Split an output into its ranks' lines."""
    raw = without_escapes(output.text)
    texts = raw.replace("\r\n", "\n").split("\n")
    strip_srun = _is_numbered_by_srun(texts)
    launcher = () if strip_srun else _launcher_prefixes(texts)
    is_grouped = "Exception Group Traceback" in raw
    if not (strip_srun or launcher or is_grouped or "\r" in raw or any(mark in raw for mark in _MARKS)):
        timeless = (text[:LINE_LIMIT] if text[:2].isalpha() else _timeless(text) for text in texts)
        return [Stream(output.rank, [OutputLine(n, text) for n, text in enumerate(timeless, output.first_line)])]
    always = bool(strip_srun or launcher)
    starts = _STARTS if any(mark in raw for mark in _RANK_MARKS) else _TIME_STARTS
    streams: dict[int | None, list[OutputLine]] = {}
    for number, whole in enumerate(texts, output.first_line):
        is_plain = "\r" not in whole and _HEADER not in whole
        for text in (whole,) if is_plain else _segments(whole):
            rank = output.rank
            if always or text[:1] in starts:
                rank, text = _without_prefix(text, rank, strip_srun, launcher)
            if is_grouped:
                text = _GROUP_PREFIX.sub("", text, count=1)
            if rank not in streams:
                streams[rank] = []
            streams[rank].append(OutputLine(number, text[:LINE_LIMIT]))
    return [Stream(rank, lines) for rank, lines in streams.items()]


def _timeless(text: str) -> str:
    """A line without the time that a logger or a container writes before it."""
    start = text[:2]
    if start.isdigit() or start[1:].isdigit():
        match = _TIME_PREFIX.match(text)
        text = text[match.end() :] if match else text
    return text[:LINE_LIMIT]


def _segments(whole: str) -> list[str]:
    """A line as it stood on the screen: of a progress bar that was drawn over itself, only the last state."""
    if "\r" not in whole:
        return _split_at_header(whole)
    parts = [part for part in whole.split("\r") if part.strip()]
    kept = [part for at, part in enumerate(parts) if at == len(parts) - 1 or not is_progress(part)]
    return [segment for part in kept for segment in _split_at_header(part)]


def _split_at_header(text: str) -> list[str]:
    """Split off a traceback that begins behind a progress bar that had no line end."""
    if _HEADER not in text or text.startswith(_HEADER):
        return [text]
    before, header, after = text.partition(_HEADER)
    if is_progress(before) and not before.endswith("Original "):
        return [before, header + after]
    return [text]


def is_progress(text: str) -> bool:
    """Whether a line draws a progress bar."""
    return bool(_BAR.search(text[:LINE_LIMIT]))


def _is_numbered_by_srun(texts: list[str]) -> bool:
    """Whether nearly every line begins with a task number, as `srun --label` writes."""
    filled = [text for text in texts[:400] if text.strip()]
    return len(filled) >= 3 and sum(bool(_SRUN_PREFIX.match(text)) for text in filled) >= 0.7 * len(filled)


def _launcher_prefixes(texts: Iterable[str]) -> tuple[str, ...]:
    """What a launcher writes before each line (`node1: `), learnt from the headers of tracebacks."""
    found = set()
    for text in texts:
        if _HEADER in text and not text.startswith(_HEADER):
            before = text.partition(_HEADER)[0]
            named_otherwise = before.rstrip().endswith(("Original", "Group")) or _RANK_PREFIX.match(before)
            if before.strip() and not named_otherwise and _LAUNCHER_PREFIX.fullmatch(before):
                found.add(before)
    return tuple(sorted(found, key=len, reverse=True))[:64]


def _without_prefix(text: str, rank: int | None, strip_srun: bool, launcher: tuple[str, ...]) -> tuple[int | None, str]:
    """The rank that a line's prefix names, else the one given, and what stands behind the prefix."""
    if launcher:
        for prefix in launcher:
            if text.startswith(prefix):
                text = text[len(prefix) :]
                break
    if strip_srun and (match := _SRUN_PREFIX.match(text)):
        rank, text = int(match[1]), text[match.end() :]
    for _ in range(2):
        start = text[:1]
        if text[:5] == "[rank" and text[6:9] == "]: " and text[5] in "0123456789":  # by far the most usual
            rank, text = int(text[5]), text[9:]
            if text[:1] not in _TIME_STARTS:
                return rank, text
        elif start in "[( " and (match := _RANK_PREFIX.match(text)):
            number = match["a"] or match["b"] or match["c"] or match["d"]
            rank, text = int(number) if number else rank, text[match.end() :]
        elif (start.isdigit() or start == "[") and (match := _TIME_PREFIX.match(text)):
            text = text[match.end() :]
        else:
            return rank, text
    return rank, text
