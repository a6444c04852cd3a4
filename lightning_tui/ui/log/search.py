"""A search in the log: a child process looks through files of any size, and goes on as they grow; what it found."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lightning_tui.output.search import Hits, PatternError
from lightning_tui.output.searching import SearchProcess
from lightning_tui.ui.log.lines import Lines
from lightning_tui.ui.threads import Worker

if TYPE_CHECKING:
    from textual.message import Message


class Search(Worker):
    """Looks for one expression in the output of some ranks, until it is stopped."""

    def __init__(
        self,
        text: str,
        patterns: tuple[re.Pattern[bytes], re.Pattern[str] | None],
        paths: Mapping[int, Path],
        post: Callable[[Message], object],
    ) -> None:
        """Make it; `text` is what was typed, empty where all errors are looked for."""
        super().__init__("searching the log", post)
        self.text = text
        self.pattern = patterns[1]
        self.hits = {rank: Hits(path, patterns[0]) for rank, path in paths.items()}
        self.patterns = patterns
        self.problem: str | None = None
        """Why it was given up."""
        self._process: SearchProcess | None = None

    def stop(self) -> None:
        super().stop()
        if self._process is not None:
            self._process.end()

    @property
    def total(self) -> int:
        """Matching lines so far."""
        return sum(hits.total for hits in self.hits.values())

    @property
    def is_complete(self) -> bool:
        """Whether all that is there has been looked at."""
        return all(hits.is_complete and hits.has_begun for hits in self.hits.values())

    @property
    def share(self) -> float:
        """How much has been looked at, 0 to 1."""
        return min((hits.share if hits.has_begun else 0.0 for hits in self.hits.values()), default=1.0)

    @property
    def mark(self) -> tuple[int, int]:
        """What a drawn page says of it: found lines, and percent."""
        return self.total, int(self.share * 100)

    def _body(self) -> None:
        all_hits = list(self.hits.values())
        self._process = process = SearchProcess(self.patterns[0], [hits.path for hits in all_hits])
        if self._stop.is_set():
            process.end()
        try:
            for place, report in process.reports():
                all_hits[place].add(report)
        except PatternError as error:
            self.problem = str(error)


def next_hit(lines: Lines, hits: Mapping[int, Hits], position: int) -> int | None:
    """Where the first matching line at or after a position stands; `None` where there is none so far."""
    found = []
    for rank, of_rank in hits.items():
        hit = of_rank.first_from(lines.first_from(rank, position))
        if hit < of_rank.total:
            place = lines.position_of(rank, of_rank.line_of(hit))
            if place < lines.total:
                found.append(place)
    return min(found, default=None)


def previous_hit(lines: Lines, hits: Mapping[int, Hits], position: int) -> int | None:
    """Where the last matching line before a position stands; `None` where there is none so far."""
    found = []
    for rank, of_rank in hits.items():
        hit = of_rank.first_from(lines.first_from(rank, position)) - 1
        if hit >= 0:
            found.append(lines.position_of(rank, of_rank.line_of(hit)))
    return max(found, default=None)
