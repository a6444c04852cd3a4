"""Where in the log does a person want to go? What was typed is read, and gone to once it is known."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from lightning_tui.text.units import count

if TYPE_CHECKING:
    from collections.abc import Callable

    from lightning_tui.ui.log.following import Output
    from lightning_tui.ui.log.pane import LogPane
    from lightning_tui.ui.port import Port


class Jump(msgspec.Struct, frozen=True):
    """Where a person wants to go: to a share of the log, to a line counted from 1, or to a time."""

    share: float | None = None
    line: int | None = None
    moment: float | None = None


def parse_jump(text: str, now: float) -> Jump:
    """`50 %`, `1200`, `12:31`, `10m` (ago), `start`, `end`.

    Raises:
        ValueError: it is none of these.
    """
    text = text.strip()
    if text in ("start", "end"):
        return Jump(share=0.0 if text == "start" else 1.0)
    if (match := re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", text)) and float(match[1]) <= 100:
        return Jump(share=float(match[1]) / 100)
    if re.fullmatch(r"[0-9]{1,15}", text) and int(text) > 0:
        return Jump(line=int(text))
    try:
        from lightning_tui.output.times import parse_moment

        return Jump(moment=parse_moment(text, now))
    except ValueError:
        raise ValueError(
            f"{text!r} is not a position in the log. Allowed: 50 %, a line's number (1200), a time (12:31:05, "
            "2026-05-01 12:31), how long ago (10m, 2h), start and end."
        ) from None


class LogJump:
    """Asks where to, and goes there; a moment is gone to when the times of the lines have been read."""

    def __init__(self, port: Port, pane: LogPane, clock: Callable[[], float], want_times: Callable[[], None]) -> None:
        """Make it; `want_times` has the times of the lines read."""
        self._port = port
        self._pane = pane
        self._clock = clock
        self._want_times = want_times
        self._wanted: float | None = None

    def forget(self) -> None:
        """Other lines are shown: a moment that was asked for is not theirs."""
        self._wanted = None

    def go_on(self, output: Output) -> None:
        """Go to the moment that is still wanted, as soon as it is known where that is."""
        if self._wanted is not None and output.times is not None and output.share is None:
            self._go_to_moment(self._wanted, output)

    def ask(self) -> None:
        from lightning_tui.ui.log.prompt import ask

        explanation = "To 50 %, line 1200, the time 12:31 or 10m ago (by the second), start or end."
        ask(self._port, self._pane, "Jump", explanation, lambda text: parse_jump(text, self._clock()), self._take)

    def _take(self, text: str) -> None:
        place, lines = self._pane.place, self._pane.place.lines
        jump = parse_jump(text, self._clock())
        if lines is None:
            return
        if jump.moment is not None:
            self._wanted = jump.moment
            self._want_times()
        elif jump.share == 1.0:
            place.set_follow(True)
        elif jump.share is not None:
            place.go_to(int(lines.total * jump.share))
        elif jump.line is not None and jump.line > lines.total:
            self._port.notice(f"the log has {count(lines.total)} lines")
        elif jump.line is not None:
            place.show_line(jump.line - 1)

    def _go_to_moment(self, moment: float, output: Output) -> None:
        place, lines, times = self._pane.place, self._pane.place.lines, output.times
        self._wanted = None
        if lines is None or times is None:
            return
        ranks = output.ranks if output.merged is not None else (output.rank,)
        logs = output.merged.logs if output.merged is not None else {output.rank: output.log}
        found = [lines.position_of(rank, logs[rank].line_at(times.offset_at(rank, moment))) for rank in ranks]
        if not any(True for _ in times.ticks()):
            self._port.notice("times are not known: no supervisor sampled the output", "warn")
        elif min(found) >= lines.total:
            place.set_follow(True)
            self._port.notice("no output after that time")
        else:
            place.show_line(min(found))
