"""Take lines out of the log: to the clipboard of the person's terminal, and to a file."""

from __future__ import annotations

import base64
import itertools
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lightning_tui.text.units import count
from lightning_tui.ui.log.lines import Lines, MergedLines
from lightning_tui.ui.log.text import plain
from lightning_tui.ui.messages import LogCopied

if TYPE_CHECKING:
    from textual.app import App

CLIPBOARD_BYTES = 74_000
"""Of text; base64 makes it a third longer, and several terminals take no more than 100,000 bytes."""
LONGEST_LINE = 1 << 20
MOST_SAVED = 1_000_000
_BREATH_LINES = 1000


def copy_lines(lines: Lines, first: int, last: int, target: Path, what: str) -> LogCopied:
    """Write these lines to a file, and give them on for the clipboard where they are few enough."""
    texts = _texts(lines, first, last)
    text = _beginning(texts, CLIPBOARD_BYTES)
    is_short = len(text.encode()) <= CLIPBOARD_BYTES
    trouble = _write(target, itertools.chain([text], texts))
    return _told(text if is_short else None, what or _lines(last - first + 1), target, trouble)


def copy_text(text: str, what: str, target: Path | None, written: Path | None = None) -> LogCopied:
    """Give a text on for the clipboard where it is short enough; write it to `target`, or say where it is `written`."""
    is_short = len(text.encode()) <= CLIPBOARD_BYTES
    trouble = _write(target, iter((text,))) if target is not None else None
    if target is None or trouble is not None:
        target, trouble = (written, None) if written is not None else (target, trouble)
    return _told(text if is_short else None, what, target, trouble)


def _told(text: str | None, what: str, target: Path | None, trouble: str | None) -> LogCopied:
    """What was copied, and where to: in so few words that 80 columns show both."""
    places = ["the clipboard"] if text is not None else []
    places += [_in_run(target)] if target is not None and trouble is None else []
    if not places:
        why = f", and {target} cannot be written: {trouble}" if trouble is not None else ""
        return LogCopied(None, f"not copied: too long for a clipboard{why}", "bad")
    note = "" if text is not None else ", not to a clipboard"
    return LogCopied(text, f"copied {what} to {' and '.join(places)}{note}", "good")


def save_lines(lines: Lines, target: Path) -> LogCopied:
    total = min(lines.total, MOST_SAVED)
    trouble = _write(target, _texts(lines, 0, total - 1))
    if trouble is not None:
        return LogCopied(None, f"not saved: {target} cannot be written: {trouble}", "bad")
    which = _lines(total) if total == lines.total else f"the first {_lines(total)}"
    return LogCopied(None, f"saved {which} to {_in_run(target)}", "good")


def to_clipboard(app: App[object], text: str, environ: Mapping[str, str]) -> None:
    """Ask the terminal to take a text to its clipboard; whether it does cannot be known."""
    if app._driver is not None:
        app._driver.write(clipboard_sequence(text, environ))


def clipboard_sequence(text: str, environ: Mapping[str, str]) -> str:
    """What asks a terminal to take a text to its clipboard (OSC 52); within tmux also past it, to the one outside."""
    sequence = f"\x1b]52;c;{base64.b64encode(text.encode()).decode()}\x07"
    if "TMUX" in environ:
        sequence += "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    return sequence


def _texts(lines: Lines, first: int, last: int) -> Iterator[str]:
    with_rank = isinstance(lines, MergedLines)
    for position in range(first, last + 1):
        for line in lines.at(position):
            text = plain(lines.whole(line, LONGEST_LINE))
            yield f"rank {line.rank}: {text}\n" if with_rank else f"{text}\n"
        if position % _BREATH_LINES == 0:
            time.sleep(0)


def _beginning(texts: Iterator[str], size: int) -> str:
    """So many of the texts as are more than `size` bytes; all of them where they are no more."""
    taken, left = [], size
    for text in texts:
        taken.append(text)
        left -= len(text.encode())
        if left < 0:
            break
    return "".join(taken)


def _write(target: Path, texts: Iterator[str]) -> str | None:
    """Write a file that its owner alone may read; what is wrong where that cannot be done."""
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
            file.writelines(texts)
    except OSError as error:
        return error.strerror or str(error)
    return None


def _in_run(path: Path) -> str:
    """A file of the run's; the whole path would leave no room for what is in it."""
    return f"{path.name} in the run directory"


def _lines(amount: int) -> str:
    return f"{count(amount)} line" if amount == 1 else f"{count(amount)} lines"
