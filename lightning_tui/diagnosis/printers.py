"""How does a text look as Python itself would have printed it? Undoes JSON logs, hard wraps, pytest, rich and loguru.

Each takes and gives lines as (number in the whole output, text); one that has nothing to undo costs one search.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, TypeAlias

from lightning_tui.diagnosis.prefixes import HEADER

Lines: TypeAlias = list[tuple[int, str]]

_COMPLETE_FRAME = re.compile(r'File "[^"]{1,1000}", line \d{1,9}(?:, in \S|$)')
_NAME_PIECE = re.compile(r"[\w.<>]{1,200}$")
_EXCEPTION_ENDS = ("Error", "Exception", "Interrupt", "Exit", "Iteration")
_JSON_TEXT = ("log", "message", "msg", "MESSAGE", "text", "textPayload", "event", "line", "body")
_JSON_TRACE = ("exc_info", "exception", "exc_text", "traceback", "stack_trace", "stacktrace", "stack", "error")
_JSON_LEVEL = ("level", "levelname", "severity")
JSON_WITHIN = 160
"""Characters before the record of a line of JSON."""
_PYTEST_ERROR = re.compile(r"E( {2,12})(\S.{0,4000})$")
_PYTEST_PLACE = re.compile(r"([^\s:][^:\n]{0,400}\.py):(\d{1,9}): ?(?:in (\S{1,200})|(\w{1,100}))?$")
_BOX_TOP = re.compile(r"[╭┌+][─━-]{2,400} ?Traceback \(most recent call last\)")
_BOX_LINE = re.compile(r"[│┃|](.{0,1000})[│┃|]")
_BOX_END = ("╰", "└", "+-")
_BOX_PLACE = re.compile(r"((?:[A-Za-z]:)?[^\s:│][^:│]{0,400}):(\d{1,9}) in (\S{1,200})")
_BOX_CODE = re.compile(r"❱ {0,6}\d{1,7} (?:[│|] {3}){0,20}(.{0,400})")
_BAR = re.compile(r"(?:\d{1,3}%\||\dit/s|\ds/it|\?it/s|━|█|it \[)")
BAR_WITHIN = 4000


def is_progress(text: str) -> bool:
    """Whether a line draws a progress bar."""
    return bool(_BAR.search(text[:BAR_WITHIN]))


def as_python_prints(lines: Lines, raw: str) -> Lines:
    """The lines with every printer's form undone; `raw` is the same as one text, where a form is looked for first."""
    for is_there, undo in _FORMS:
        if is_there(raw):
            lines = undo(lines)
            raw = "\n".join(text for _, text in lines)
    return lines


# ------------------------------------------------------------------------------------------------ records and escapes


def _records(lines: Lines) -> Lines:
    """The texts of JSON records, one a line, as containers and structured loggers write them."""
    telling = [line for line in lines if HEADER in line[1]]
    level_tells = not any((record := _record(text)) and _level(record[1]) for _, text in telling)
    return [(number, each) for number, text in lines for each in _texts_of_record(text, level_tells)]


def _texts_of_record(text: str, level_tells: bool) -> Iterator[str]:
    record = _record(text)
    yield from _record_lines(*record, level_tells) if record is not None else (text,)


def _record(text: str) -> tuple[str, dict[str, Any]] | None:
    at = text.find('{"', 0, JSON_WITHIN)
    if at < 0 or not text.rstrip().endswith("}"):
        return None
    try:
        record = json.loads(text[at:])
    except (ValueError, RecursionError):
        return None
    inner = record.get("jsonPayload") if isinstance(record, dict) else None
    record = inner if isinstance(inner, dict) else record
    is_log = any(isinstance(record.get(name), str) for name in (*_JSON_TEXT, *_JSON_TRACE))
    return (text[:at], record) if is_log else None


def _record_lines(before: str, record: dict[str, Any], level_tells: bool) -> Iterator[str]:
    rank = record.get("rank")
    before = f"{before}[rank{rank}]: " if isinstance(rank, int) and 0 <= rank < 10**6 else before
    texts = [next((record[name] for name in _JSON_TEXT if isinstance(record.get(name), str)), "")]
    texts += [record[name] for name in _JSON_TRACE if isinstance(record.get(name), str)]
    calm = "INFO " if level_tells and _level(record) in ("INFO", "DEBUG") else ""
    for text in texts:
        for line in text.rstrip("\n").split("\n"):
            inner = _record(line)
            yield from _record_lines(before, inner[1], level_tells) if inner else (f"{before}{calm}{line}",)


def _level(record: dict[str, Any]) -> str:
    return next((str(record[name]).upper() for name in _JSON_LEVEL if isinstance(record.get(name), str)), "")


def _escaped(lines: Lines) -> Lines:
    """A traceback that was written with its line ends as `\\n`."""
    return [
        (number, each)
        for number, text in lines
        for each in (_unescaped(text).split("\n") if HEADER + "\\n" in text else (text,))
    ]


def _unescaped(text: str) -> str:
    before, header, after = text.partition(HEADER)
    start = before.rfind("\\n") + 2 if "\\n" in before else len(before.rstrip("'\"b"))
    plain = (header + after).rstrip().removesuffix("'").removesuffix('"')
    plain = plain.replace("\\\\", "\0").replace("\\n", "\n").replace("\\'", "'").replace('\\"', '"').replace("\0", "\\")
    return f"{before[:start].rstrip()}\n{plain}" if before[:start].strip() else plain


def _dedented(lines: Lines) -> Lines:
    """A text that is indented or quoted (`> `) as a whole."""
    header = next(text for _, text in lines if HEADER in text)
    before = header[: header.index(HEADER)].removesuffix("Original ")
    mark = "" if any(letter.isalnum() or letter in "|+" for letter in before) else before
    if not mark or not all(text.startswith(mark) for _, text in lines if text.strip() not in ("", mark.strip())):
        return lines
    return [(number, text[len(mark) :]) for number, text in lines]


# ------------------------------------------------------------------------------------------------------- hard wraps


def _unwrapped(lines: Lines) -> Lines:
    """Join what a terminal has cut at its width; only where a frame's line shows that it was."""
    width = max((len(text) for _, text in lines), default=0)
    pairs = pairwise(lines)
    if not 40 <= width <= 400 or not any(_is_cut(text, below, width) for (_, text), (_, below) in pairs):
        return lines
    joined: Lines = []
    last = ""  # the piece that was cut, if one was
    for number, text in lines:
        if last and text and not is_progress(text):
            first, before = joined[-1]
            gap = "" if len(last) == width else " "  # a blank at the edge is lost when a screen is copied
            joined[-1] = (first, (before + gap + text)[:BAR_WITHIN])
        else:
            joined.append((number, text))
        is_frame = 'File "' in joined[-1][1] and not _COMPLETE_FRAME.search(joined[-1][1])
        is_open = len(text) == width or (is_frame and len(text) >= width - 2)
        last = text if is_open and not is_progress(text) else ""
    return joined


def _is_cut(text: str, below: str, width: int) -> bool:
    """Whether a frame's line goes on below: it ends in its path, or a piece of a name stands alone at the margin."""
    if len(text) < width - 2 or 'File "' not in text:
        return False
    if not _COMPLETE_FRAME.search(text):
        return bool(_COMPLETE_FRAME.search(text + below) or _COMPLETE_FRAME.search(f"{text} {below}"))
    return len(text) == width and bool(_NAME_PIECE.match(below)) and not below.endswith(_EXCEPTION_ENDS)


# ----------------------------------------------------------------------------------------------- pytest, rich, loguru


def _of_pytest(lines: Lines) -> Lines:
    """pytest writes the place below the error, and an `E` before it."""
    written: Lines = []
    at = 0
    while at < len(lines):
        number, text = lines[at]
        if (match := _PYTEST_ERROR.match(text)) is None:
            place = _PYTEST_PLACE.match(text)
            named = place is not None and not place[4]
            written.append(
                (number, _frame(place[1], place[2], place[3] or "?") if place is not None and named else text)
            )
            at += 1
            continue
        end = at
        while end < len(lines) and lines[end][1][:2] in ("E ", "E"):
            end += 1
        places = (_PYTEST_PLACE.match(below) for _, below in lines[end : end + 6])
        if (place := next((found for found in places if found and found[4]), None)) is not None:
            written.append((number, _frame(place[1], place[2], "?")))
        cut = 1 + len(match[1])
        written += [(n, t[cut:] if not t[1:cut].strip() else t[1:].lstrip()) for n, t in lines[at:end]]
        at = end
    return written


def _of_rich(lines: Lines) -> Lines:
    """The box that rich draws: its places as frames, the marked line as their code."""
    written: Lines = []
    held: tuple[int, str] | None = None
    in_box = False
    for number, text in lines:
        if _BOX_TOP.search(text):
            in_box, held = True, None
            written.append((number, HEADER))
        elif in_box and (match := _BOX_LINE.search(text)) is not None:
            inside = match[1].strip()
            whole = held[1] + inside if held is not None else inside
            if (place := _BOX_PLACE.match(whole)) is not None:
                written.append((number if held is None else held[0], _frame(place[1], place[2], place[3])))
                held = None
            elif (code := _BOX_CODE.match(inside)) is not None:
                written.append((number, f"    {code[1].strip()}"))
            else:
                is_path = inside[:1] in "/~." or inside[1:3] in (":\\", ":/")
                held = (number, whole) if inside and len(whole) < 1000 and (is_path or held is not None) else None
        elif in_box and any(text.lstrip().startswith(end) for end in _BOX_END):
            in_box = False
        else:
            in_box = in_box and not text.strip()
            written.append((number, text))
    return written


def _frame(path: str, line: str, function: str) -> str:
    return f'  File "{path.strip()}", line {line}, in {function}'


def _of_loguru(lines: Lines) -> Lines:
    """loguru marks the frame that has caught the exception, and draws values below the code."""
    return [(number, f"  {text[2:]}" if text.startswith('> File "') else text) for number, text in lines]


_FORMS: tuple[tuple[Callable[[str], bool], Callable[[Lines], Lines]], ...] = (
    (lambda raw: any(f'"{name}":' in raw for name in (*_JSON_TEXT, *_JSON_TRACE)) and '{"' in raw, _records),
    (lambda raw: HEADER + "\\n" in raw, _escaped),
    (lambda raw: HEADER in raw, _dedented),
    (lambda raw: 'File "' in raw, _unwrapped),
    (lambda raw: raw.startswith("E  ") or "\nE  " in raw, _of_pytest),
    (lambda raw: HEADER[:-1] + " " in raw, _of_rich),
    (lambda raw: '\n> File "' in raw, _of_loguru),
)
"""How each form is told from afar, and what undoes it, the outermost first."""
