"""What happened when a run is in trouble, told over its log: what, where, why, and which keys help.

Its height depends on its place alone, so that nothing jumps when the diagnosis comes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from lightning_tui.services.findings import Findings, Fix, findings_for, is_told
from lightning_tui.text.safe import harmless
from lightning_tui.text.units import gib, plural
from lightning_tui.ui.drawing.rows import EMPTY, Row, crop, first_fitting, join, wrap
from lightning_tui.ui.failure.words import beginning_words, change_words, last_frame, tried_words
from lightning_tui.ui.view import View

if TYPE_CHECKING:
    from lightning_tui.diagnosis import Diagnosis
    from lightning_tui.record import RankView

_LEAST, _MOST = 5, 16
_ROOMY_FROM = 9
"""Rows from which each alternative has a row of its own."""
_GAP = ("   ", "text")


def card_height(height: int) -> int:
    """Rows that a card takes of a log of this height: the error's own lines stay in sight."""
    if height < 3:
        return 0
    return 1 if height < 2 * _LEAST - 1 else min(_MOST, max(_LEAST, height // 2))


def failure_card(view: View, width: int, height: int, has_focus: bool = True) -> list[Row]:
    """The card over a log of this size; no rows where nothing is wrong with the run."""
    room = card_height(height)
    if room == 0 or not is_told(view.run, view.findings):
        return []
    story = _CardParts(view, width - 4, has_focus)
    if room == 1:
        return [crop(((" ✖ ", "bad"), *story.in_a_line()), width)]
    rows = _arranged(list(story.lines(room)), room)
    last = len(rows) - 1
    bracket = ["╭╴" if y == 0 else "╰╴" if y == last else "│ " for y in range(len(rows))]
    return [((f" {bracket[y]} ", "bad"), *row) for y, row in enumerate(rows)]


class _CardRow(NamedTuple):
    """A row of the card, and how much it matters: the lowest first."""

    weight: float
    row: Row


def _arranged(lines: list[_CardRow], room: int) -> list[Row]:
    """The most important lines that have room, in their order; what room is left stands before the last one."""
    kept = sorted(sorted(range(len(lines)), key=lambda at: (lines[at].weight, at))[:room])
    rows = [lines[at].row for at in kept]
    return [*rows[:-1], *[EMPTY] * (room - len(rows)), rows[-1]]


class _CardParts:
    """The parts of a card, of one moment and one width."""

    def __init__(self, view: View, width: int, has_focus: bool) -> None:
        assert view.run is not None
        self._view, self._run, self._width, self._has_focus = view, view.run, width, has_focus
        self._found: Findings | None = findings_for(view.run, view.findings)
        self._root: Diagnosis | None = self._found.root if self._found is not None else None

    def in_a_line(self) -> Row:
        """What happened, and the first key."""
        title: Row = ((self._title(), "bad+b"),)
        if not self._view.can_fix:
            return title
        key: Row = (*title, _GAP, (self._view.key("fix"), "accent+b"))
        whole = (*key, (f" {change_words(self._fixes()[0])}", "text"))
        return first_fitting((whole, (*key, (" fix", "dim")), title), self._width)

    def lines(self, room: int) -> Iterator[_CardRow]:
        """All that could be told in so many rows, from top to bottom."""
        is_roomy = room >= _ROOMY_FROM
        yield _CardRow(0, self._headline())
        for at, row in enumerate(_beginning_of(self._cause(), self._width, max(1, min(3, room // 3)))):
            yield _CardRow(3 if at == 0 else 3.5, row)
        yield from self._place_lines()
        yield _CardRow(20, EMPTY)
        yield from self._fix_lines(is_roomy)
        yield from self._hint_lines()
        if (also := self._also()) and is_roomy:
            yield _CardRow(19, EMPTY)
            yield _CardRow(12, also)
        elif also:
            yield _CardRow(12, also)
        yield _CardRow(1, self._keys())

    def _title(self) -> str:
        if self._root is not None:
            return harmless(self._root.title)
        failure, ended = self._run.failure, self._run.ended
        if failure is not None:
            return harmless(failure.type)
        if ended is not None and ended.cause == "launch":
            return "The program could not be started"
        return "The run failed" if self._run.state.value == "failed" else f"The run is {self._run.state.value}"

    def _headline(self) -> Row:
        """The title, and as much of where it was as has room."""
        failure, progress = self._run.failure, self._run.progress
        at = self._root.rank if self._root is not None else failure.rank if failure is not None else None
        rank = f"rank {at}" if at is not None else ""
        hook = failure.hook or "" if failure is not None else ""
        hook = {"train": "training", "validate": "validation"}.get(hook, hook)
        step = f"step {progress.global_step}" if progress is not None else ""
        memory = self._memory(at)
        ways = ((rank, hook, step, memory), (rank, step, memory), (rank, memory), (rank, hook, step), (rank,))
        title: Row = ((self._title(), "bad+b"),)
        told = [harmless(" · ".join(part for part in way if part)) for way in ways]
        return first_fitting([*((*title, _GAP, (words, "dim")) for words in told if words), title], self._width)

    def _memory(self, rank: int | None) -> str:
        """How much of its device a rank held that ran out of memory."""
        if self._root is None or self._root.category not in ("cuda-oom", "cublas-alloc-failed"):
            return ""
        seen: RankView | None = next((each for each in self._run.ranks if each.rank == rank), None)
        if seen is None or seen.device_total is None or (seen.reserved is None and seen.peak_allocated is None):
            return ""
        return f"{gib(max(seen.reserved or 0, seen.peak_allocated or 0))} of {gib(seen.device_total)} GiB"

    def _cause(self) -> str:
        failure = self._run.failure
        if self._root is not None:
            return harmless(self._root.cause)
        if failure is None:
            return harmless(self._run.detail) or "Its record and output say nothing more."
        return harmless(failure.message.strip().partition("\n")[0]) or "no message"

    def _place_lines(self) -> Iterator[_CardRow]:
        """The program's own line, as its author would look for it."""
        where = self._root.where if self._root is not None else None
        if where is not None:
            place = f"{where.path.rpartition('/')[2]}:{where.line}"
            function = f" in {where.function}" if where.function else ""
            named: Row = ((harmless(f"{place}{function}"), "train"),)
            code: Row = (("  ", "text"), (harmless(where.code), "text")) if where.code else EMPTY
            yield _CardRow(5, crop((*named, *code), self._width))
        elif self._root is None and self._run.failure is not None and (frame := last_frame(self._run.failure)):
            yield _CardRow(5, crop(((harmless(frame), "train"),), self._width))
        if self._root is not None and self._root.evidence.text and not self._said_already():
            number = f"line {self._root.evidence.line}: " if self._root.evidence.line else ""
            said: Row = ((number, "faint"), (harmless(self._root.evidence.text), "dim"))
            yield _CardRow(10.5, crop(said, self._width))

    def _said_already(self) -> bool:
        """Whether the cause is the evidence's own words."""
        if self._root is None:
            return False
        said = self._root.evidence.text
        return self._root.cause in said or said in self._root.cause or said.partition(": ")[2] in self._root.cause

    def _fixes(self) -> tuple[Fix, ...]:
        return self._found.fixes if self._found is not None else ()

    def _fix_lines(self, is_roomy: bool) -> Iterator[_CardRow]:
        fixes = self._fixes()
        if self._found is None:
            yield _CardRow(4, (("looking for the cause …", "dim"),))
        if fixes:
            yield _CardRow(2, self._first_fix(fixes[0]))
        others = [(self._alternative_key(number), fix) for number, fix in enumerate(fixes[1:], 2)]
        if is_roomy:
            for at, (key, fix) in enumerate(others):
                yield _CardRow(
                    4 + at / 10, crop((*key, ("  ", "text"), *self._change(fix), *self._reason(fix)), self._width)
                )
        elif others:
            parts = [(*key, ("  ", "text"), *self._change(fix)) for key, fix in others if fix.obstacle is None]
            if parts:
                yield _CardRow(4, join(parts, self._width, _GAP))

    def _first_fix(self, fix: Fix) -> Row:
        key: Row = ((self._view.key("fix"), "accent+b"), ("  ", "text"))
        what = self._change(fix)
        if self._view.readonly:
            return crop((*what, ("   this cockpit is read-only", "dim")), self._width)
        if not self._run.is_over:
            stop = f"   {self._view.key('stop')} stops it first"
            return crop((*key, *what, (stop, "dim")), self._width)
        long, short = ((*key, *what, (f", {words}", "dim")) for words in beginning_words(fix.beginning))
        return first_fitting((long, short, (*key, *what)), self._width)

    def _change(self, fix: Fix) -> Row:
        token = "dim" if fix.obstacle is not None else "text"
        row: Row = ((change_words(fix), token),)
        return (*row, (f" {tried_words(fix)}", "dim")) if fix.tried_in else row

    def _reason(self, fix: Fix) -> Row:
        said = fix.obstacle or fix.text
        return (("   ", "text"), (harmless(said), "faint" if fix.obstacle else "dim"))

    def _alternative_key(self, number: int) -> Row:
        """The digit opens it while the log has the focus; from elsewhere the window has the same numbers."""
        if self._view.readonly:
            return (("·", "dim"),)
        key = self._view.key(f"pane-{number}") if number <= 5 else str(number)
        return ((key, "accent+b" if self._has_focus and number <= 5 else "dim"),)

    def _hint_lines(self) -> Iterator[_CardRow]:
        hints = self._found.hints if self._found is not None else ()
        has_fixes = bool(self._fixes())
        for at, hint in enumerate(hints):
            mark = ("▲ ", "warn") if hint.trust else ("· ", "dim")
            row: Row = (mark, (harmless(hint.text), "dim" if has_fixes else "text"))
            yield _CardRow((7.5 if has_fixes else 2) + at, crop(row, self._width))

    def _also(self) -> Row:
        """What else shows: consequences are counted, not told."""
        found = self._found.diagnoses[1:] if self._found is not None else ()
        errors = [each for each in found if each.severity == "error"]
        if not errors:
            return EMPTY
        followed = sum(1 for each in errors if each.consequence)
        parts = [plural(followed, "consequence")] if followed else []
        parts += [harmless(each.title) for each in errors if not each.consequence]
        return join([(("also", "dim"),), *(((part, "dim"),) for part in parts)], self._width, (" · ", "faint"))

    def _keys(self) -> Row:
        view, found = self._view, self._found
        has_line = found is not None and found.evidence is not None
        parts: list[Row] = []
        if self._run.state.is_final and not view.readonly and not self._fixes():
            parts.append(((view.key("start"), "accent+b"), (" start again", "dim")))
        if has_line and found is not None and found.evidence is not None:
            token = "accent+b" if self._has_focus else "dim"
            parts.append(((view.key("open"), token), (f" line {found.evidence.line + 1}", "dim")))
        if found is not None and found.report:
            parts.append(((view.key("report"), "accent+b"), (" report", "dim")))
            parts.append(((view.key("copy"), "accent+b"), (" copy it", "dim")))
        if len(self._run.ranks) > 1:
            parts.append(((view.key("rank"), "accent+b"), (" other ranks", "dim")))
        parts.append(((view.key("runs"), "accent+b"), (" runs", "dim")))
        return join(parts, self._width, _GAP)


def _beginning_of(sentence: str, width: int, most: int) -> list[Row]:
    """So many rows of a sentence; that there is more of it is told by an ellipsis."""
    rows = wrap(sentence, width)
    if len(rows) <= most:
        return rows
    ((last, token),) = rows[most - 1]
    kept = last if len(last) <= width - 2 else last.rpartition(" ")[0] or last[: width - 2]
    return [*rows[: most - 1], ((kept.rstrip(" .,;:") + " …", token),)]
