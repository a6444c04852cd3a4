"""What do the lines of an output say, freed of colours, progress bars and the prefixes of launchers?"""

from __future__ import annotations

import re
from typing import NamedTuple

from lightning_tui.diagnosis.model import OutputTail
from lightning_tui.diagnosis.prefixes import FRAME, HEADER, before_header, is_bare, learn_prefixes
from lightning_tui.diagnosis.printers import as_python_prints, is_progress
from lightning_tui.text.safe import without_escapes

LINE_LIMIT = 4000
"""Characters of a line that are looked at."""

_RANK_PREFIX = re.compile(
    r"\s{0,8}(?:"
    r"\[rank ?: ?(?P<a>\d{1,6})\](?=:) ?:? ?|\[rank(?P<b>\d{1,6})\]:? ?"
    r"|\[default(?P<c>\d{1,6})\]:? ?"
    r"|\[\d{1,6},(?P<d>\d{1,6})\]<std(?:err|out)>:? ?"
    r"|\((?:\w{1,80} )?(?:pid=(?P<e>\d{1,9}))(?:, ip=[\w.:]{1,64})?\) ?)"
)
_TIME_PREFIX = re.compile(
    r"\[?\d{4}-\d\d-\d\d[T _]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?\]?[ \t](?:std(?:err|out) [FP] )?"
)
_SRUN_PREFIX = re.compile(r" {0,4}(\d{1,5}): ?")
_MARKS = ("[rank", "[default", "]<std", "pid=", HEADER)
"""Where none of these stands, lines need no closer look for prefixes."""
_TIME_STARTS = "[0123456789"
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
    """Split an output into its ranks' and processes' lines."""
    raw = without_escapes(output.text).replace("\r\n", "\n")
    lines = as_python_prints(list(enumerate(raw.split("\n"), output.first_line)), raw)
    texts = [text for _, text in lines]
    strip_srun = _is_numbered_by_srun(texts)
    is_grouped = "Exception Group Traceback" in raw
    if not (strip_srun or is_grouped or "\r" in raw or FRAME in raw or any(mark in raw for mark in _MARKS)):
        return [
            Stream(
                output.rank,
                [OutputLine(n, text[:LINE_LIMIT] if text[:2].isalpha() else _timeless(text)) for n, text in lines],
            )
        ]
    split = [
        _Split(number, *_without_prefix(text, output.rank, strip_srun))
        for number, whole in lines
        for text in _segments(whole)
    ]
    return _Sorter(split, is_grouped).streams()


class _Split(NamedTuple):
    """A line without the prefix that is known from itself."""

    number: int
    rank: int | None
    text: str
    process: int = 0
    """Its pid, where the prefix tells no rank."""


class _Sorter:
    """Takes off the learnt prefixes, and gives each line to the rank or process that wrote it."""

    def __init__(self, lines: list[_Split], is_grouped: bool) -> None:
        self.lines = lines
        self.is_grouped = is_grouped
        self.prefixes = learn_prefixes([line.text for line in lines])
        self.found: dict[tuple[int | None, int], list[OutputLine]] = {}
        self.block = ""
        """Indentation or quotation of the traceback that the lines stand in."""

    def streams(self) -> list[Stream]:
        for line in self.lines:
            self._take(line)
        return [Stream(rank, lines) for (rank, _), lines in self.found.items()]

    def _take(self, line: _Split) -> None:
        number, rank, text, owner = line
        split = self.prefixes.split(text) if self.prefixes is not None else None
        if split is not None:
            owner, named, text = split
            named, text, _ = _without_prefix(text, named, strip_srun=False)
            rank = rank if named is None else named
        if HEADER in text:
            text = self._opened(number, (rank, owner), text)
        elif self.block and text.strip():
            self.block = self.block if text.startswith(self.block) else ""
            text = text[len(self.block) :]
        if self.is_grouped:
            text = _GROUP_PREFIX.sub("", text, count=1)
        self.found.setdefault((rank, owner), []).append(OutputLine(number, text[:LINE_LIMIT]))

    def _opened(self, number: int, key: tuple[int | None, int], text: str) -> str:
        """The header of a traceback without what stands before it: words become a line of their own."""
        before = before_header(text)
        if not before or (self.is_grouped and is_bare(before)):
            self.block = ""
            return text
        if is_bare(before):
            self.block = before
        else:
            self.found.setdefault(key, []).append(OutputLine(number, before[:LINE_LIMIT]))
        return text[len(before) :]


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
    if HEADER not in text or text.startswith(HEADER):
        return [text]
    before, header, after = text.partition(HEADER)
    if is_progress(before) and not before.endswith("Original "):
        return [before, header + after]
    return [text]


def _is_numbered_by_srun(texts: list[str]) -> bool:
    """Whether nearly every line begins with a task number, as `srun --label` writes."""
    filled = [text for text in texts[:400] if text.strip()]
    return len(filled) >= 3 and sum(bool(_SRUN_PREFIX.match(text)) for text in filled) >= 0.7 * len(filled)


def _without_prefix(text: str, rank: int | None, strip_srun: bool) -> tuple[int | None, str, int]:
    """The rank that a line's prefix names, else the one given, what stands behind the prefix, and the pid or 0."""
    process = 0
    if strip_srun and (match := _SRUN_PREFIX.match(text)):
        rank, text = int(match[1]), text[match.end() :]
    for _ in range(2):
        start = text[:1]
        if text[:5] == "[rank" and text[6:9] == "]: " and text[5] in "0123456789":  # by far the most usual
            rank, text = int(text[5]), text[9:]
            if text[:1] not in _TIME_STARTS:
                break
        elif start in "[( " and (match := _RANK_PREFIX.match(text)):
            number = match["a"] or match["b"] or match["c"] or match["d"]
            process = int(match["e"] or 0)
            rank, text = int(number) if number else rank, text[match.end() :]
        elif (start.isdigit() or start == "[") and (match := _TIME_PREFIX.match(text)):
            text = text[match.end() :]
        else:
            break
    return rank, text, process
